"""Languages: the fixed words of screens, dates in words, and which language stands in for another."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any, Final

CALENDAR_END: Final = 253_402_300_799
"""UTC seconds of the last second of year 9999: the wire can say later ones, a calendar cannot."""
SOURCE_LANGUAGE: Final = "en"
"""The last resort: its fixed words stand in for a language that has none."""

_FROM_RIGHT: Final = frozenset({"ar", "ckb", "dv", "fa", "he", "ks", "ps", "sd", "syr", "ug", "ur", "yi"})
_LEFT_SCRIPTS: Final = frozenset({"Latn", "Cyrl", "Deva"})
_TAG = re.compile(r"[a-z]{2,3}(-[A-Z][a-z]{3})?(-([A-Z]{2}|[0-9]{3}))?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """What every screen of one language says by itself (a table of ``languages.toml``)."""

    name: str
    english: str
    """The language's English name, for screens that know ASCII only."""
    notice: str
    exercise: str
    exercise_note: str
    action: str
    happened: str
    affected: str
    doing: str
    next_update: str
    no_next_update: str
    contact: str
    proof: str
    genuine: str
    confirmed: str
    not_confirmed: str
    unconfirmed: str
    device: str
    stand_in: str
    """Says that ``{language}`` was wanted and cannot be shown, and that this is ``{own}``."""
    small_next: str
    small_genuine: str
    small_code: str
    small_confirmed: str
    small_not_confirmed: str
    severity: tuple[str, ...]
    """Five words, by :class:`advisories.notice.Severity`."""
    date: str
    months: tuple[str, ...]
    first: str = ""
    """How the first day of a month is written where that is not ``1``."""

    def when(self, seconds: int) -> str:
        """Return UTC seconds as a date and time in words, to the minute (see :func:`on_calendar`)."""
        time = on_calendar(seconds)
        return self.date.format(
            day=self.first if self.first and time.day == 1 else time.day,
            month=self.months[time.month - 1],
            number=time.month,
            year=time.year,
            time=f"{time:%H:%M}",
        )


def on_calendar(seconds: int) -> datetime:
    """Return UTC seconds as a moment that a calendar has: what comes later ends with year 9999."""
    return datetime.fromtimestamp(min(seconds, CALENDAR_END), UTC)


def is_language(tag: str) -> bool:
    """Say whether ``tag`` is a BCP 47 tag in its usual spelling: ``de``, ``pt-BR``, ``zh-Hant-TW``."""
    return _TAG.fullmatch(tag) is not None


def primary(tag: str) -> str:
    """Return the language without script and region: ``de-AT`` -> ``de``."""
    return tag.partition("-")[0]


def is_from_right(tag: str) -> bool:
    """Say whether a language is written from right to left, as ``dir="rtl"`` in HTML says."""
    language, _, rest = tag.partition("-")
    return language in _FROM_RIGHT and rest.partition("-")[0] not in _LEFT_SCRIPTS


@cache
def all_words() -> Mapping[str, Words]:
    """Return the fixed words of every language that has them."""
    data: dict[str, dict[str, Any]] = tomllib.loads(
        Path(__file__).with_name("languages.toml").read_text("utf-8")
    )
    return {
        tag: Words(**(table | {key: tuple(table[key]) for key in ("severity", "months")}))
        for tag, table in data.items()
    }


def words(tag: str) -> Words:
    """Return the fixed words of a language; English where there are none (``has_words`` says so)."""
    known = all_words()
    return known.get(tag) or known.get(primary(tag)) or known[SOURCE_LANGUAGE]


def has_words(tag: str) -> bool:
    """Say whether screens can speak this language without falling back to English words."""
    return tag in all_words() or primary(tag) in all_words()


def fallback(wanted: Iterable[str], available: Collection[str]) -> str | None:
    """Choose the language to show, or None when nothing is there.

    For each wanted language in turn: the same tag, then the same language in another script or region
    (the plain tag first). Then English, then the first tag in the order of the alphabet: a notice in a
    foreign language is better than silence. Devices go by it, and so does every screen that cannot show a
    language (``docs/protocol/README.md``).
    """
    for tag in (*wanted, SOURCE_LANGUAGE):
        if tag in available:
            return tag
        near = sorted(other for other in available if primary(other) == primary(tag))
        if near:
            return near[0]
    return min(available, default=None)
