"""The fixed words of page, questions, letter, mail, banner and post (``phrases/<lang>.toml``).

Headings and dates that screens have too are in :mod:`advisories.languages`; nothing is said in both. Dates
and numbers are put together here, from data of ours: a release binds every byte, so they must be the same
wherever they are made again, whatever version of another library is installed there.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache
from importlib import resources
from typing import Final

from advisories.languages import SOURCE_LANGUAGE, primary, words
from advisories.render.layout import clean

LANGUAGES: Final = ("ar", "de", "en", "es", "fr", "it", "ja", "pl", "zh")
"""Those with phrases of their own; English stands in for every other."""
ISOLATE: Final = "\u2068"
END: Final = "\u2069"
"""Stand round every value that is filled in, so that an id keeps its order in a line from right to left."""
_KEPT: Final = {0xA0: 0xE0A0, 0x202F: 0xE0AF}
_KEPT_BACK: Final = {kept: space for space, kept in _KEPT.items()}


@dataclass(frozen=True, slots=True)
class Phrases:
    """The phrases of one language, by ``table.name``."""

    language: str
    table: Mapping[str, str]

    def __call__(self, key: str, **values: object) -> str:
        """Return a phrase, its gaps filled with isolated values.

        Raises:
            KeyError: no such phrase, or a gap without a value.
        """
        filled = {name: isolated(value) for name, value in values.items()}
        return self.table[key].format_map(filled) if filled else self.table[key]

    def day(self, day: date) -> str:
        """Return a date in words, ``22 November 2026``."""
        months = words(self.language).months
        return self.table["date.day"].format(
            day=day.day, month=months[day.month - 1], number=day.month, year=day.year
        )

    def joined(self, parts: Sequence[str]) -> str:
        """Return ``a, b and c`` as the language writes a list."""
        if len(parts) < 2:
            return "".join(parts)
        return self.table["date.comma"].join(parts[:-1]) + self.table["date.last"] + parts[-1]

    def number(self, count: int) -> str:
        """Return a number with its thousands apart."""
        return f"{count:,}".replace(",", self.table["date.thousands"])

    @property
    def rtl(self) -> bool:
        """Whether the script runs from right to left."""
        return self.table["culture.direction"] == "rtl"


def isolated(value: object) -> str:
    """Return a value's words between isolates, and nothing unseen within."""
    return f"{ISOLATE}{tidy(str(value))}{END}"


def tidy(text: str) -> str:
    """Return a text without anything unseen, as `clean` does, but with spaces that no line breaks at."""
    return clean(text.translate(_KEPT)).translate(_KEPT_BACK)


def phrases(tag: str) -> Phrases:
    """Return the phrases of a language, of ``de`` for ``de-AT``; English where there are none."""
    return _read(next((known for known in (tag, primary(tag)) if known in LANGUAGES), SOURCE_LANGUAGE))


@cache
def _read(language: str) -> Phrases:
    text = resources.files("advisories").joinpath(f"phrases/{language}.toml").read_text("utf-8")
    return Phrases(language, dict(_flat(tomllib.loads(text))))


def _flat(tables: Mapping[str, Mapping[str, str]]) -> Iterator[tuple[str, str]]:
    for table, rows in tables.items():
        for name, phrase in rows.items():
            yield f"{table}.{name}", phrase
