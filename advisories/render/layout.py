"""Columns and line breaks for fixed-width screens, in any script, as it is written.

East Asian wide characters take two columns. A line breaks at a space, after a hyphen, at a soft hyphen
or between two wide characters, but never before a closing mark or after an opening one. Nothing is ever
left out: a word wider than the screen goes on in the next line.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import Final

SOFT_HYPHEN: Final = "\u00ad"
# Written as code points: full-width marks look like plain ones and would be "corrected" by an editor.
NOT_AT_START: Final = frozenset(
    "\u3001\u3002\uff0c\uff0e\u30fb\uff1a\uff1b\uff1f\uff01\u300d\u300f\uff09"
    "\u3011\u3015\uff3d\uff5d\u3009\u300b\u3005\u30fc\u3041\u3043\u3045\u3047"
    "\u3049\u3063\u3083\u3085\u3087\u308e\u30a1\u30a3\u30a5\u30a7\u30a9\u30c3"
    "\u30e3\u30e5\u30e7\u30ee\u30f5\u30f6\u2026\uff5e%\uff05"
)
"""Closing marks, small kana and the long-vowel mark: never the first in a line."""
NOT_AT_END: Final = frozenset("\u300c\u300e\uff08\u3010\u3014\uff3b\uff5b\u3008\u300a\uffe5\uff04")
"""Opening marks and currency signs: never the last in a line."""
_WIDE = (
    "\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f"
    "\uff00-\uff60\uffe0-\uffe6\U0001f300-\U0003fffd"
)
_KEPT_UNSEEN = frozenset({SOFT_HYPHEN, "\u200c", "\u200d"})
_STRAY_HYPHEN = re.compile(
    rf"(?:(?<=\s)|^){SOFT_HYPHEN}+\s?|{SOFT_HYPHEN}+(?=\s|$)|(?<={SOFT_HYPHEN}){SOFT_HYPHEN}+"
)
_KATAKANA = re.compile("[\u30a1-\u30faー]+")
_RUN = re.compile(rf"{_KATAKANA.pattern}|(?:(?!{_KATAKANA.pattern})[{_WIDE}])+|[^{_WIDE}]+")
_BREAK = re.compile(rf"(?<={SOFT_HYPHEN})|(?<=[a-zß-ÿ]-)(?=[^\W\d_])|(?<=[/@])(?=\w)")
"""Where a long word may break: never inside an id, a version or a check code."""


def width(text: str) -> int:
    """Return how many columns a text takes on a screen."""
    return len(text) if text.isascii() else sum(map(_columns, text))


@lru_cache(maxsize=4_096)
def _columns(letter: str) -> int:
    if letter == SOFT_HYPHEN or unicodedata.combining(letter) or unicodedata.category(letter) == "Cf":
        return 0
    return 2 if unicodedata.east_asian_width(letter) in "WF" else 1


@lru_cache(maxsize=2_048)  # every channel says the same words
def clean(text: str) -> str:
    """Return composed letters and single spaces, without anything unseen that could turn a text round.

    Control characters become spaces; invisible ones (direction overrides, zero-width spaces) go, but for
    the joiners that some scripts need and soft hyphens inside a word.
    """
    if text.isascii() and text.isprintable():
        return " ".join(text.split())
    composed = unicodedata.normalize("NFC", text)
    seen = "".join(_seen(letter) for letter in composed)
    return _STRAY_HYPHEN.sub("", " ".join(seen.split())).strip()


@lru_cache(maxsize=8_192)
def _seen(letter: str) -> str:
    category = unicodedata.category(letter)
    if category == "Cc":
        return " "
    return "" if category == "Cf" and letter not in _KEPT_UNSEEN else letter


def pieces(text: str) -> list[tuple[str, bool]]:
    """Split into pieces that must stay whole, each with "a space goes before it"."""
    found: list[tuple[str, bool]] = []
    for word in clean(text).split(" "):
        spaced = bool(found)
        for piece in _units(word):
            found.append((piece, spaced))
            spaced = False
    return found


def _units(word: str) -> list[str]:
    """Split one word where a line may break inside it."""
    units: list[str] = []
    for run in _RUN.findall(word):
        if _columns(run[0]) == 2 and not _KATAKANA.fullmatch(run):
            units.extend(run)
        else:
            units.extend(part for part in _BREAK.split(run) if part)
    joined: list[str] = []
    for unit in units:
        if joined and (unit[0] in NOT_AT_START or joined[-1][-1] in NOT_AT_END or _columns(unit[0]) == 0):
            joined[-1] += unit
        else:
            joined.append(unit)
    return joined


def wrap(text: str, columns: int) -> list[str]:
    """Break a text into lines of at most ``columns`` columns; an empty text gives no line."""
    return list(_wrapped(text, columns))


@lru_cache(maxsize=1_024)  # every channel says the same words
def _wrapped(text: str, columns: int) -> tuple[str, ...]:
    lines: list[str] = []
    line = ""
    for piece, spaced in pieces(text):
        glue = " " if spaced and line else ""
        if line and width(line) + len(glue) + _width_at_end(piece) > columns:
            lines.append(_finish(line))
            line = ""
            glue = ""
        line += glue + piece
        while len(head := _fitting(line, columns)) < len(line) or _width_at_end(line) > columns:
            lines.append(head.replace(SOFT_HYPHEN, ""))
            line = line[len(head) :]
    return (*lines, _finish(line)) if line else tuple(lines)


def _width_at_end(piece: str) -> int:
    """Return the width of a piece that ends a line: there, a soft hyphen shows."""
    return width(piece) + piece.endswith(SOFT_HYPHEN)


def _finish(line: str) -> str:
    """Show a soft hyphen only where the line was broken at it."""
    return line.replace(SOFT_HYPHEN, "") + ("-" if line.endswith(SOFT_HYPHEN) else "")


def _fitting(line: str, columns: int) -> str:
    """Return the longest beginning that fits, at least one letter with its marks."""
    if width(line) <= columns:
        return line
    end = 1
    while end < len(line) and (width(line[: end + 1]) <= columns or _columns(line[end]) == 0):
        end += 1
    return line[:end]


def too_wide(text: str, columns: int) -> list[str]:
    """Return the words that do not fit into a line and would be broken anywhere."""
    return [piece for piece, _ in pieces(text) if _width_at_end(piece) > columns]


def pad(text: str, columns: int) -> str:
    """Fill up with spaces to exactly ``columns`` columns (longer texts stay as they are)."""
    return text + " " * (columns - width(text))


def spread(left: str, right: str, columns: int) -> str:
    """Set two texts at both ends of a line, one space apart at least."""
    return left + " " * max(1, columns - width(left) - width(right)) + right
