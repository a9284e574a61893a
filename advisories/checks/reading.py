"""How hard a text is to read: sentences, words, syllables, and the formula that its language has.

Formulas, each with the number of a text that most people can read:

    en  Flesch-Kincaid grade (Kincaid 1975)            at most 8 school years
    de  first Wiener Sachtextformel (Bamberger 1984)   at most 8 school years
    es  Fernández Huerta 1959                          at least 60 of 100
    fr  Kandel and Moles 1958                          at least 60 of 100
    it  Gulpease (Lucisano and Piemontese 1988)        at least 60 of 100

Other languages have no formula here; for them only the length of sentences counts. Syllables are one more
than the places where a word may be hyphenated (by pyphen's lists); German ones are its vowels, for its list
splits no single letter off.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from types import MappingProxyType
from typing import Final

import pyphen

from advisories.languages import primary

_SENTENCE_END: Final = re.compile(r"(?<=[。！？؟])|(?<!\s\d\.)(?<!\s\d\d\.)(?<!\b[a-z]\.)(?<=[.!?])\s+")  # noqa: RUF001 - marks of Japanese and Chinese
_WORD: Final = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*")  # noqa: RUF001 - the typographic apostrophe
_HYPHENATION: Final = MappingProxyType({"en": "en_US", "es": "es", "fr": "fr"})
_PATTERN: Final = re.compile(r"(\d?)(\D?)")
_VOWELS: Final = re.compile("ei|ai|au|eu|äu|ie|aa|ee|oo|[aeiouyäöü]")
"""What sounds as one in German."""
LONG_LETTERS_MIN: Final = 7
MANY_SYLLABLES_MIN: Final = 3


@dataclass(frozen=True, slots=True)
class Counts:
    """What the formulas count."""

    sentences: int
    words: int
    letters: int
    syllables: int
    long: int
    """Words of seven letters and more."""
    many: int
    """Words of three syllables and more."""
    one: int
    """Words of one syllable."""


@dataclass(frozen=True, slots=True)
class Reading:
    """A formula with its limit."""

    name: str
    formula: Callable[[Counts], float]
    at_most: float | None = None
    at_least: float | None = None

    def hard(self, value: float) -> bool:
        """Say whether a text of this value is too hard for the public."""
        above = self.at_most is not None and value > self.at_most
        return above or (self.at_least is not None and value < self.at_least)

    @property
    def wanted(self) -> str:
        """The limit in words."""
        return f"at most {self.at_most:.0f}" if self.at_most is not None else f"at least {self.at_least:.0f}"


def _flesch_kincaid(c: Counts) -> float:
    return 0.39 * c.words / c.sentences + 11.8 * c.syllables / c.words - 15.59


def _wiener(c: Counts) -> float:
    share = 100 / c.words
    return (
        0.1935 * c.many * share
        + 0.1672 * c.words / c.sentences
        + 0.1297 * c.long * share
        - 0.0327 * c.one * share
        - 0.875
    )


def _fernandez_huerta(c: Counts) -> float:
    return 206.84 - 60 * c.syllables / c.words - 1.02 * c.words / c.sentences


def _kandel_moles(c: Counts) -> float:
    return 207 - 1.015 * c.words / c.sentences - 73.6 * c.syllables / c.words


def _gulpease(c: Counts) -> float:
    return 89 + (300 * c.sentences - 10 * c.letters) / c.words


FORMULAS: Final[Mapping[str, Reading]] = MappingProxyType(
    {
        "en": Reading("Flesch-Kincaid grade", _flesch_kincaid, at_most=8),
        "de": Reading("Wiener Sachtextformel", _wiener, at_most=8),
        "es": Reading("Fernández Huerta", _fernandez_huerta, at_least=60),
        "fr": Reading("Kandel-Moles", _kandel_moles, at_least=60),
        "it": Reading("Gulpease", _gulpease, at_least=60),
    }
)


def sentences(text: str) -> list[str]:
    """Split a text into sentences; a number's dot (``24. November``, ``1.4.2``) does not end one."""
    return [part.strip() for part in _SENTENCE_END.split(text) if part.strip()]


def words(text: str) -> list[str]:
    """Return the words of a text without numbers and marks."""
    return _WORD.findall(text)


def count(text: str, language: str) -> Counts | None:
    """Count a text; None for one without words or a language without a formula."""
    tag = primary(language)
    found = words(text)
    if not found or tag not in FORMULAS:
        return None
    syllables = [_syllables(word.lower(), tag) for word in found]
    letters = [sum(letter.isalpha() for letter in word) for word in found]
    return Counts(
        sentences=max(1, len(sentences(text))),
        words=len(found),
        letters=sum(letters),
        syllables=sum(syllables),
        long=sum(number >= LONG_LETTERS_MIN for number in letters),
        many=sum(number >= MANY_SYLLABLES_MIN for number in syllables),
        one=sum(number == 1 for number in syllables),
    )


def reading(text: str, language: str) -> tuple[Reading, float] | None:
    """Return a language's formula and a text's value by it; None where there is none."""
    formula = FORMULAS.get(primary(language))
    counts = count(text, language) if formula else None
    return (formula, formula.formula(counts)) if formula and counts else None


class Places:
    """Counts the places where a word may be hyphenated, as :class:`pyphen.Pyphen` does with its lists.

    A list has thousands of patterns, and a text meets a few: a pattern is taken apart when a word has it.

    Args:
        name: of the list, such as ``en_US``.
    """

    def __init__(self, name: str) -> None:
        encoding, _, listed = pyphen.LANGUAGES[name].read_bytes().partition(b"\n")
        lines = listed.decode(encoding.decode().strip()).split("\n")
        patterns = [line for line in lines if line and line[0] != "%" and " " not in line]
        letters = "\n".join(patterns)
        for digit in "0123456789":
            letters = letters.replace(digit, "")
        self.patterns: Final = dict(zip(letters.split("\n"), patterns, strict=True))
        """Letters -> the same with a digit before those that may begin, or must not begin, a part."""
        self._longest = max(map(len, self.patterns))

    def count(self, word: str) -> int:
        """Return how many places a word in small letters has: behind its first letter and before its last."""
        within = f".{word}."
        weights = [0] * (len(within) + 1)
        for start in range(len(within) - 1):
            for end in range(start + 1, min(start + self._longest, len(within)) + 1):
                pattern = self.patterns.get(within[start:end])
                if pattern is not None:
                    for at, (digit, _) in enumerate(_PATTERN.findall(pattern), start):
                        weights[at] = max(weights[at], int(digit or 0))
        return sum(weight & 1 for weight in weights[3 : len(word)])


@cache
def _places(tag: str) -> Places:
    return Places(_HYPHENATION[tag])


@lru_cache(maxsize=8_192)
def _syllables(word: str, tag: str) -> int:
    if tag == "de":
        return max(1, len(_VOWELS.findall(word)))
    # Gulpease counts letters and needs no syllables.
    return _places(tag).count(word) + 1 if tag in _HYPHENATION else 0
