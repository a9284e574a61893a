"""Glossaries: jargon with its plain words, and the patterns of phrases, one file a language.

Patterns, by name, with what each is for:

    act, gravity       words of a title that names an action, or how grave the matter is
    alarm, urgent      words that frighten, and words that hurry
    apology            regret or responsibility
    asks_secret, login what a forger's message would also say; ``never`` near them makes them harmless
    blame              puts it on the reader
    empty_title        a title that says nothing
    cooperation        says that police or investigators work with us
    familiar           addresses the reader too familiarly, or too curtly
    financial          names cards, accounts, payments
    hedge              says that something is not certain
    internal           marks what was never meant for customers
    measure            a concrete measure; ``seriously`` is a promise without one
    minimising         makes it small
    no_evidence        says that nothing was found
    nothing            says that nothing has to be done
    police_levels      claims that police of every level must be told
    vague_data         "some data"
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib import resources
from typing import Final

from pydantic import Field, ValidationError

from advisories.facts.parts import Language, Part, Prose
from advisories.languages import primary
from keys.errors import InputError

LANGUAGES: Final = ("en", "de", "fr", "es", "it", "pl", "ja", "zh", "ar")
"""Languages for which a glossary ships."""
SPACELESS: Final = frozenset({"ja", "zh", "th"})
"""Languages written without spaces between words."""
TERM_LETTERS_MAX: Final = 100
TERMS_MAX: Final = 2_000
"""Of a fleet's own glossary, for one language."""
_EXPLAINED = re.compile(r"\s?[\[(（]")  # noqa: RUF001 - the full-width bracket of Japanese and Chinese


@dataclass(frozen=True, slots=True)
class Glossary:
    """What one language's file says."""

    terms: Mapping[str, str]
    """Jargon -> plain words."""
    patterns: Mapping[str, re.Pattern[str]]
    notes: Mapping[str, str]
    """How people are greeted and addressed, and how dates and numbers are written: for those who write."""
    beginning: str = ""
    ending: str = ""
    anywhere: bool = False

    def matcher(self, extra: Mapping[str, str]) -> Matcher:
        """Return what finds this glossary's terms and a fleet's own; an empty plain word takes one out."""
        return _matcher(self.beginning, self.ending, self.anywhere, _sorted({**self.terms, **extra}))


@dataclass(frozen=True, slots=True)
class Matcher:
    """Finds jargon in a text; where two terms begin at one place, the longer one counts."""

    pattern: re.Pattern[str] | None
    plain: Sequence[str]

    def find(self, text: str) -> list[Jargon]:
        """Return each term found, in the order of the text."""
        if self.pattern is None:
            return []
        found = []
        for match in self.pattern.finditer(text):
            number = int((match.lastgroup or "t0")[1:])
            explained = _EXPLAINED.match(text, match.end()) is not None
            found.append(Jargon(match.group(), number, self.plain[number], match.end(), explained=explained))
        return found


@dataclass(frozen=True, slots=True)
class Jargon:
    """A term met in a text."""

    word: str
    term: int
    """The same number for the same term in another form."""
    plain: str
    end: int
    explained: bool
    """Whether a bracket with its explanation stands right behind it."""


class ExtraTerms(Part):
    """A fleet's own glossary (``glossary.toml`` of the workspace): language -> term -> plain words."""

    terms: dict[Language, dict[Prose, Prose]] = Field(default_factory=dict)


@cache
def glossary(language: str) -> Glossary:
    """Return the glossary of a language; empty where there is none yet."""
    tag = primary(language)
    if tag not in LANGUAGES:
        return Glossary({}, {}, {})
    text = resources.files("advisories").joinpath("glossary", f"{tag}.toml").read_text("utf-8")
    data = tomllib.loads(text)
    patterns = {name: re.compile(pattern, re.IGNORECASE) for name, pattern in data["patterns"].items()}
    return Glossary(
        data["terms"],
        patterns,
        data["notes"],
        data.get("beginning", ""),
        data["ending"],
        data.get("anywhere", False),
    )


def search(language: str, pattern: str, text: str) -> re.Match[str] | None:
    """Return where a pattern of a language is first met; None where the language has no such pattern."""
    found = glossary(language).patterns.get(pattern)
    return found.search(text) if found else None


def _sorted(terms: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    return tuple(
        sorted(((t, p) for t, p in terms.items() if p and t), key=lambda item: (-len(item[0]), item))
    )


@lru_cache(maxsize=64)
def _matcher(beginning: str, ending: str, anywhere: bool, terms: tuple[tuple[str, str], ...]) -> Matcher:  # noqa: FBT001 - a value of the file, passed on
    if not terms:
        return Matcher(None, ())
    forms = []
    for number, (term, _) in enumerate(terms):
        exact = term.isupper() or (term.isascii() and term[1:] != term[1:].lower())
        word = f"(?-i:{re.escape(term)})" if exact else re.escape(term)
        forms.append(f"(?P<t{number}>{word})" if anywhere else f"(?P<t{number}>{beginning}{word})")
    either = "|".join(forms)
    # CVE-2026-1 is an id, not jargon; an acronym in a script without spaces still ends where letters end.
    bounded = (
        rf"(?<![A-Za-z])(?:{either})(?![A-Za-z]|-\d)"
        if anywhere
        else rf"(?<!\w)(?:{either}){ending}(?!\w|-\d)"
    )
    return Matcher(re.compile(bounded, re.IGNORECASE), tuple(plain for _, plain in terms))


def load_terms(text: str | bytes, *, where: str) -> dict[str, dict[str, str]]:
    """Read a fleet's own glossary: ``[terms.de]`` with ``term = "plain words"``.

    Args:
        text: untrusted TOML; an empty plain word allows a term that the shipped glossary forbids.
        where: the file's name, for messages.

    Returns:
        Language -> term -> plain words.

    Raises:
        InputError: BAD_GLOSSARY, with ``file:line`` where a line is known.
    """
    try:
        data = tomllib.loads(text if isinstance(text, str) else text.decode())
        found = ExtraTerms.model_validate(data, strict=True)
    except UnicodeDecodeError:
        raise _bad("it is not UTF-8 text", where) from None
    except tomllib.TOMLDecodeError as error:
        line = re.search(r"at line (\d+)", str(error))
        raise _bad(str(error).partition(" (at")[0], f"{where}:{line[1]}" if line else where) from None
    except ValidationError as error:
        place = ".".join(str(part) for part in error.errors()[0]["loc"])
        raise _bad(f"{place[:TERM_LETTERS_MAX]!a} is not as it should be", where) from None
    for language, terms in found.terms.items():
        if len(terms) > TERMS_MAX or any(len(term) > TERM_LETTERS_MAX for term in terms):
            raise _bad(
                f"[terms.{language}] has more than {TERMS_MAX} terms, or one of more than "
                f"{TERM_LETTERS_MAX} letters",
                where,
            )
    return found.terms


def _bad(reason: str, where: str) -> InputError:
    return InputError(
        "BAD_GLOSSARY",
        f"The glossary cannot be used: {reason}.",
        mend='Write a table [terms.en] with lines such as: firmware = "the device\'s program".',
        where=where,
    )


def extra_for(extra: Mapping[str, Mapping[str, str]], language: str) -> Mapping[str, str]:
    """Return a fleet's own terms for a language: those of its tag, else those of the plain language."""
    return extra.get(language) or extra.get(primary(language)) or {}
