"""Numbers, versions, dates and ids of a text in one spelling for all languages.

Only digits are read: "two" and "zwei" are left to people. Months become numbers, hours of the half day become
those of the whole day, marks between thousands go, and a decimal comma becomes a point.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping
from functools import cache, lru_cache
from types import MappingProxyType
from typing import Final

from babel import Locale, UnknownLocaleError

from advisories.languages import primary

_NUMBER: Final = re.compile(
    r"[A-Z]{2,}(?:-[A-Z]{2,})*(?:-\d+)+"  # CVE-2026-1234, EX-2026-0001
    r"|\d{4}-\d\d-\d\d"  # 2026-11-24
    r"|\d+(?:\.\d+){2,}(?:\+\d+)?"  # 1.4.2+7
    r"|\d{1,2}:\d{2}"  # 9:00
    r"|\d+(?:[.,]\d+)*"
)
ID: Final = re.compile(r"\b[A-Z]{2,}(?:-[A-Z]{2,})*-\d{4}-\d{3,}\b")
"""An id of an advisory or a weakness."""
VERSION: Final = re.compile(r"(?<![\w.])\d{1,5}\.\d{1,5}\.\d{1,5}(?:\+\d+)?(?![\w-])(?!\.\d)")
"""A version of a product; an address of the network has four numbers."""
DATE: Final = re.compile(r"(?<!\d)\d{4}-\d\d-\d\d(?!\d)")
_PRIVATE = re.compile(r"https?://\S+|\S+@\S+|\+\d[\d ()/-]{5,}\d|\(0\d+\)[\d /-]{4,}\d")
"""What may be another one in each language: pages, mail addresses, phone numbers."""
_GROUPED_BY_SPACE: Final = frozenset({"fr", "pl", "es", "it", "de"})
_CLOCKS: Final[Mapping[str, re.Pattern[str]]] = MappingProxyType(
    {
        "en": re.compile(r"(?i)(?P<h>\d{1,2})(?::(?P<m>\d\d))? ?(?:(?P<am>a\.?m\b)|(?P<pm>p\.?m\b))\.?"),
        "ja": re.compile(r"(?:(?P<am>午前)|(?P<pm>午後))(?P<h>\d{1,2})(?:時|:)(?:(?P<m>\d\d)分?)?"),
        "zh": re.compile(
            r"(?:(?P<am>上午|早上|凌晨)|(?P<pm>下午|晚上))"
            r"(?P<h>\d{1,2})(?:点|时|:)(?:(?P<m>\d\d)分?)?"
        ),
        "ar": re.compile(r"(?P<h>\d{1,2})(?::(?P<m>\d\d))? ?(?:(?P<am>صباحا|ص\b)|(?P<pm>مساء|م\b))"),
        "fr": re.compile(r"\b(?P<h>\d{1,2}) ?h(?:eures?)?\b ?(?P<m>\d\d)?(?P<am>\b)?(?P<pm>(?!))?"),
    }
)  # fmt: skip
_DAYS_BETWEEN: Final = MappingProxyType(
    {
        "es": r"(?:\.?º?|er)? de ",
        "fr": r"(?:er)? ",
        "it": r"º? ",
    }
)


def numbers(text: str, language: str) -> set[str]:
    """Return the numbers, versions, dates and ids of a text, without addresses and phone numbers."""
    return {_canonical(match) for match in _NUMBER.findall(plain(_PRIVATE.sub(" ", digits(text)), language))}


def digits(text: str) -> str:
    """Return a text in compatibility letters, with the digits 0 to 9 for those of any script."""
    folded = unicodedata.normalize("NFKC", text)
    return folded if folded.isascii() else folded.translate(_FOLDING)


_MARKS: Final = MappingProxyType({"٫": ".", "٬": ",", "–": "-", "—": "-", "−": "-"})  # noqa: RUF001 - these very marks


class _Folding(dict[int, str | None]):
    """What becomes of each letter met: digits of other scripts, marks, and letters that are not seen."""

    def __missing__(self, code: int) -> str | None:
        letter = chr(code)
        if letter.isdecimal():
            self[code] = str(unicodedata.decimal(letter))
        else:
            self[code] = None if unicodedata.category(letter) == "Cf" else _MARKS.get(letter, letter)
        return self[code]


_FOLDING: Final = _Folding()


@lru_cache(maxsize=4_096)
def plain(text: str, language: str) -> str:
    """Return a text with months, hours and thousands written one way."""
    tag = primary(language)
    changed = _months(tag)(text)
    clock = _CLOCKS.get(tag)
    if clock:
        changed = clock.sub(_hour, changed)
    if tag in _GROUPED_BY_SPACE:
        changed = re.sub(r"(?<![\d.,-])\d{1,3}(?: \d{3})+(?![\d.])", lambda m: m[0].replace(" ", ""), changed)
    if tag in {"ja", "zh"}:
        changed = re.sub(
            r"(\d+(?:\.\d+)?)(万|千)",
            lambda m: f"{float(m[1]) * (10_000 if m[2] == '万' else 1_000):.0f}",
            changed,
        )
    return (
        re.sub(r"(\d{1,2})時(?:(\d\d)分)?", lambda m: f"{m[1]}:{m[2] or '00'}", changed)
        if tag == "ja"
        else changed
    )


def _hour(match: re.Match[str]) -> str:
    hour = int(match["h"])
    if match["pm"] is not None:
        hour = hour % 12 + 12
    elif match["am"]:
        hour %= 12
    return f"{hour}:{match['m'] or '00'} "


@cache
def _months(tag: str) -> Callable[[str], str]:
    """Return what writes a language's months as numbers, where they stand beside a number."""
    names = _month_names(tag)
    if not names:
        return lambda text: text
    either = "|".join(re.escape(name) for name in sorted(names, key=len, reverse=True))
    between = _DAYS_BETWEEN.get(tag, r"(?:\.|st|nd|rd|th)? (?:of )?")
    after = re.compile(rf"(?<=\d){between}({either})(?!\w)")
    before = re.compile(rf"(?<!\w)({either})(?=\.? (?:de )?\d)")

    def change(text: str) -> str:
        text = after.sub(lambda match: f" {names[match[1]]} ", text)
        return before.sub(lambda match: f" {names[match[1]]} ", text)

    return change


def _month_names(tag: str) -> dict[str, int]:
    names: dict[str, int] = {}
    for locale in {"ar": ("ar", "ar_LB", "ar_DZ")}.get(tag, (tag,)):
        try:
            months = Locale.parse(locale).months
        except (UnknownLocaleError, ValueError):
            return {}
        for use in ("format", "stand-alone"):
            for width in ("abbreviated", "wide"):
                names |= {
                    name.rstrip("."): number
                    for number, name in months[use][width].items()
                    if not any(letter.isdigit() for letter in name)
                }
    return names


def _canonical(number: str) -> str:
    if number[0].isalpha() or (number.count(".") >= 2 and not re.fullmatch(r"\d{1,3}(\.\d{3})+", number)):
        return number
    if DATE.fullmatch(number):
        return number
    if ":" in number:
        hour, minute = number.split(":")
        return str(int(hour)) if minute == "00" else f"{int(hour)}:{minute}"
    if re.fullmatch(r"[1-9]\d{0,2}([.,]\d{3})+", number):
        return re.sub("[.,]", "", number)
    return number.replace(",", ".") if not number.isdigit() else str(int(number))
