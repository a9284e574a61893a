"""A 5 x 7 bitmap face for Latin letters, with real descenders and accents.

The body of the face is the classic LCD table of luma.core. Letters that hang below the line are drawn
anew here, because in that table they stand on it and ``p`` looks like ``P``; accented letters are built
from the plain letter and a mark. A letter's cell is 6 x 11 pixels: accents of capitals in rows 0 and 1,
capitals in rows 2 to 8, what hangs in rows 9 and 10; the sixth column stays free.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from functools import cache
from typing import Final

from luma.core.legacy.font import LCD_FONT

CELL_PX: Final = 6
ROWS: Final = 11
_TOP = 2  # row of a capital's upper edge
_X_TOP = 4  # row of a small letter's upper edge

Pixels = frozenset[tuple[int, int]]
"""Lit pixels (x, y) of one cell."""


def _art(top: int, *rows: str) -> Pixels:
    return frozenset((x, top + y) for y, row in enumerate(rows) for x, dot in enumerate(row) if dot == "#")


_OWN: Final[dict[str, Pixels]] = {
    "g": _art(4, ".####", "#...#", "#...#", "#...#", ".####", "....#", ".###."),
    "j": _art(2, "...#.", ".....", "..##.", "...#.", "...#.", "...#.", "...#.", "#..#.", ".##.."),
    "p": _art(4, "####.", "#...#", "#...#", "#...#", "####.", "#....", "#...."),
    "q": _art(4, ".####", "#...#", "#...#", "#...#", ".####", "....#", "....#"),
    "y": _art(4, "#...#", "#...#", "#...#", "#...#", ".####", "....#", ".###."),
    ",": _art(7, ".##..", ".##..", "..#..", ".#..."),
    ";": _art(4, ".##..", ".##..", ".....", ".##..", ".##..", "..#..", ".#..."),
    "\u00df": _art(2, ".##..", "#..#.", "#..#.", "#.##.", "#...#", "#...#", "#.##."),
    "\u00e6": _art(4, "##.#.", "..#.#", ".####", "#.#..", ".#.##"),
    "\u00c6": _art(2, ".####", "#.#..", "#.#..", "#####", "#.#..", "#.#..", "#.###"),
    "\u00f8": _art(3, "....#", ".###.", "#..##", "#.#.#", "##..#", ".###.", "#...."),
    "\u00d8": _art(2, ".##.#", "#..#.", "#.#.#", "#.#.#", "#.#.#", ".#..#", "#.##."),
    "\u00a7": _art(2, ".###.", "#....", ".##..", "#..#.", ".##..", "...#.", "###.."),
    "\u00b0": _art(2, ".##..", "#..#.", ".##.."),
    "\u00ab": _art(4, "..#.#", ".#.#.", "#.#..", ".#.#.", "..#.#"),
    "\u00bb": _art(4, "#.#..", ".#.#.", "..#.#", ".#.#.", "#.#.."),
    "\u00bf": _art(2, "..#..", ".....", "..#..", ".#...", "#....", "#...#", ".###."),
    "\u0153": _art(4, ".#.#.", "#.#.#", "#.###", "#.#..", ".#.##"),
    "\u0152": _art(2, ".####", "#.#..", "#.#..", "#.###", "#.#..", "#.#..", ".####"),
    "\u0142": _art(2, ".##..", "..#..", "..#.#", "..##.", ".##..", "#.#..", ".###."),
    "\u0141": _art(2, ".#...", ".#.#.", ".##..", "##...", ".#...", ".#...", ".####"),
    "\u20ac": _art(2, "..###", ".#...", "####.", ".#...", "####.", ".#...", "..###"),
    "\u00ba": _art(2, ".###.", ".#.#.", ".###.", ".....", ".###."),
    "\u00aa": _art(2, "..##.", ".#.#.", ".####", ".....", ".####"),
    "\u00b7": _art(5, "..#.."),
    "\u2022": _art(4, ".##..", ".##.."),
    "\u00a1": _art(2, "..#..", ".....", "..#..", "..#..", "..#..", "..#..", "..#.."),
}
_MARKS: Final[dict[str, tuple[Pixels, Pixels]]] = {
    "\u0300": (_art(0, ".#...", "..#.."), _art(1, ".#...", "..#..")),
    "\u0301": (_art(0, "...#.", "..#.."), _art(1, "...#.", "..#..")),
    "\u0302": (_art(0, "..#..", ".#.#."), _art(1, "..#..", ".#.#.")),
    "\u0303": (_art(0, ".###."), _art(1, ".##.#", "#.##.")),
    "\u0307": (_art(0, "..#.."), _art(2, "..#..")),
    "\u0308": (_art(0, ".#.#."), _art(2, ".#.#.")),
    "\u030a": (_art(0, "..#.."), _art(1, ".##..", ".##..")),
}
"""What stands above a capital, and above a small letter."""
_BELOW: Final[dict[str, Pixels]] = {
    "\u0327": _art(9, "..#..", ".##.."),  # cedilla
    "\u0328": _art(9, "...#.", "...##"),  # ogonek
}
_PRINTABLE = range(0x20, 0x7F)


def has(text: Iterable[str]) -> bool:
    """Say whether the face has every letter."""
    return all(pixels(letter) is not None for letter in text)


@cache
def pixels(letter: str) -> Pixels | None:
    """Return the lit pixels of a letter, or None when the face does not have it."""
    if letter in _OWN:
        return _OWN[letter]
    if ord(letter) in _PRINTABLE:
        columns = LCD_FONT[ord(letter)][: CELL_PX - 1]
        return frozenset((x, _TOP + y) for x, bits in enumerate(columns) for y in range(8) if bits >> y & 1)
    return _accented(*unicodedata.normalize("NFD", letter))


def _accented(plain: str, *marks: str) -> Pixels | None:
    """Build a letter from its plain one and a mark; None when one of the two is not there."""
    body = pixels(plain) if plain.isascii() and plain.isalpha() else None
    if body is None or len(marks) != 1:
        return None
    if marks[0] in _BELOW:
        return body | _BELOW[marks[0]]
    if marks[0] not in _MARKS:
        return None
    above_capital, above_small = _MARKS[marks[0]]
    if plain.isupper():
        return body | above_capital
    return (frozenset((x, y) for x, y in body if y >= _X_TOP) if plain in "ij" else body) | above_small
