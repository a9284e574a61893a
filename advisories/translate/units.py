"""What a translator is given: one unit for each paragraph, with its limit and the words that must stay.

A unit comes back only as a whole set: every paragraph of the source that devices show has to be there, none
may be about another source text, and protected words must stand in it as they were.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from advisories.facts import TEXT_FIELDS, Facts, Words
from keys.errors import InputError

BYTES_MAX: Final = {"title": 160, "contact": 200} | dict.fromkeys(
    ("action", "happened", "affected", "doing"), 600
)
"""UTF-8 bytes of a paragraph that goes to devices, as :class:`advisories.notice.Text` limits them."""
SOCIAL_LETTERS_MAX: Final = 280
ELSEWHERE: Final = "elsewhere."
"""Begins the key of a paragraph outside ``texts``; it may stay untranslated: pages mark it as foreign."""
FILE_BYTES_MAX: Final = 1_048_576  # of a translator's file
_PROTECTED = re.compile(
    r"https?://\S*[^\s.,;:!?)]|[\w.+-]+@[\w-]+(?:\.[\w-]+)+|\b[A-Z]{2,}(?:-\d+)+\b|\b\d+(?:\.\d+){2,}(?:\+\d+)?"
)
_TURNS: Final = frozenset("\u202a\u202b\u202c\u202d\u202e")
"""Embeddings and overrides turn words around; isolates and marks are what right-to-left texts need."""
_NOTES: Final = {
    "title": "On the small screen: at most two lines of 21 letters (16 in scripts other than Latin).",
    "action": "What the owner must do; the first thing that every screen says. Short sentences.",
    "happened": "Short sentences: the small screen shows it too.",
}


@dataclass(frozen=True, slots=True)
class Unit:
    """One paragraph on its way."""

    key: str
    """Its name in the file of facts, e.g. ``action`` or ``faq.1.a``."""
    source: str
    target: str = ""

    @property
    def bytes_max(self) -> int | None:
        """UTF-8 bytes that a device takes of it; None: it goes to channels with more room."""
        return BYTES_MAX.get(self.key)

    @property
    def letters_max(self) -> int | None:
        """Letters that the channel takes of it; None: no limit of its own."""
        return SOCIAL_LETTERS_MAX if self.key == "social" else None

    @property
    def note(self) -> str:
        """What the translator should know."""
        return _NOTES.get(self.key, "")

    @property
    def protected(self) -> tuple[str, ...]:
        """Ids, versions and addresses of the source, which stay as they are."""
        return tuple(dict.fromkeys(_PROTECTED.findall(self.source)))


@dataclass(frozen=True, slots=True)
class Package:
    """A set of units on its way between two languages."""

    advisory: str
    source_language: str
    language: str
    units: tuple[Unit, ...]


def package(facts: Facts, language: str, source_language: str | None = None) -> Package:
    """Return what a translator gets: every paragraph of a text, with what is translated already.

    Raises:
        InputError: NO_TEXT, SAME_LANGUAGE.
    """
    source = source_language or facts.source_language
    if source not in facts.texts:
        known = ", ".join(facts.texts)
        raise InputError("NO_TEXT", f"There is no text in '{source}'.", mend=f"There are: {known}.")
    if source == language:
        raise InputError(
            "SAME_LANGUAGE", f"The text is written in '{language}' already.", mend="Name another language."
        )
    done = _paragraphs(facts, language) if language in facts.texts else {}
    units = (Unit(key, text, done.get(key, "")) for key, text in _paragraphs(facts, source).items())
    return Package(facts.id, source, language, tuple(units))


def _paragraphs(facts: Facts, language: str) -> dict[str, str]:
    """Return every paragraph of one language, with what the file says outside ``texts``."""
    words = facts.texts[language]
    outside = facts.elsewhere if language == facts.source_language else words.elsewhere
    return words.fields() | {f"{ELSEWHERE}{place}": text for place, text in outside.items()}


def accept(facts: Facts, back: Package, *, where: str) -> dict[str, str]:
    """Check what a translator sent and return its paragraphs by name.

    Args:
        facts: the advisory as it is now.
        back: what came back.
        where: the file's name, for messages.

    Raises:
        InputError: WRONG_ADVISORY, TRANSLATED_TWICE, STALE_TRANSLATION, UNFINISHED_TRANSLATION,
            UNSEEN_LETTERS, PROTECTED_WORDS, TOO_LONG; each names the paragraphs.
    """
    if back.advisory != facts.id:
        raise InputError(
            "WRONG_ADVISORY",
            f"This is a translation of '{back.advisory}', not of '{facts.id}'.",
            mend="Import it into that one.",
            where=where,
        )
    wanted = {unit.key: unit for unit in package(facts, back.language, back.source_language).units}
    got = {unit.key: unit for unit in back.units}
    counts = Counter(unit.key for unit in back.units)
    twice = [key for key, count in counts.items() if count > 1]
    _refuse(twice, "TRANSLATED_TWICE", "stands in the file twice", "Keep one of them.", where)
    stale = [key for key, unit in got.items() if key not in wanted or wanted[key].source != unit.source]
    _refuse(stale, "STALE_TRANSLATION", "translates words that have changed since", "Export it again.", where)
    done = {key for key, unit in got.items() if unit.target.strip()}
    empty = [key for key in wanted if key not in done and not key.startswith(ELSEWHERE)]
    _refuse(empty, "UNFINISHED_TRANSLATION", "is not translated yet", "Translate it.", where)
    unseen = [key for key in wanted if key in done and any(map(_steers, " ".join(got[key].target.split())))]
    mend = "Take them out; a tool may show them as small signs."
    _refuse(unseen, "UNSEEN_LETTERS", "holds letters that nobody sees but that steer a screen", mend, where)
    broken = [
        f"{key} ({word})"
        for key, unit in got.items()
        if key in done
        for word in unit.protected
        if unit.target.count(word) < unit.source.count(word)
    ]
    mend = "Ids, versions and addresses stay as they are."
    _refuse(broken, "PROTECTED_WORDS", "lost a protected word", mend, where)
    long = [f"{key} ({size})" for key, unit in got.items() if (size := _excess(unit))]
    _refuse(long, "TOO_LONG", "is longer than its limit", "Shorten it.", where)
    return {key: " ".join(got[key].target.split()) for key in got if key in done}


def _steers(letter: str) -> bool:
    return unicodedata.category(letter) in {"Cc", "Cs"} or letter in _TURNS


def _excess(unit: Unit) -> str:
    """Return by how much a target is too long, or nothing."""
    size = len(unit.target.encode())
    if unit.bytes_max is not None and size > unit.bytes_max:
        return f"{size} bytes, at most {unit.bytes_max}"
    if unit.letters_max is not None and len(unit.target) > unit.letters_max:
        return f"{len(unit.target)} letters, at most {unit.letters_max}"
    return ""


def _refuse(keys: list[str], code: str, what: str, mend: str, where: str) -> None:
    if keys:
        raise InputError(code, f"A paragraph {what}: {', '.join(keys)}.", mend=mend, where=where)


def nested(paragraphs: Mapping[str, str], source: Words) -> dict[str, object]:
    """Return paragraphs as the file of facts holds them: ``steps.0`` in a list, ``faq.1.a`` in maps.

    Args:
        paragraphs: by their names.
        source: the text they were translated from; a question's day is the same in every language.
    """
    found: dict[str, object] = {key: paragraphs[key] for key in TEXT_FIELDS}
    found |= {key: text for key, text in paragraphs.items() if "." not in key}
    steps = [text for key, text in paragraphs.items() if key.startswith("steps.")]
    questions = []
    for number, item in enumerate(source.faq):
        question = {part: paragraphs[f"faq.{number}.{part}"] for part in ("q", "a")}
        questions.append(question | ({"date": item.date.isoformat()} if item.date else {}))
    outside = {
        key.removeprefix(ELSEWHERE): text for key, text in paragraphs.items() if key.startswith(ELSEWHERE)
    }
    parts = (("steps", steps), ("faq", questions), ("elsewhere", outside))
    return found | {name: part for name, part in parts if part}
