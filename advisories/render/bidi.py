"""Lines of scripts that run from right to left, as a screen that cannot turn them round must be sent them.

A text is wrapped as it is written; then each line is shaped (Arabic letters become the forms that they
have beside their neighbours) and put into the order in which its cells are filled from left to right. Ids,
versions, codes, telephone numbers and addresses keep their own direction.
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache, lru_cache
from typing import Any, Final

_FROM_LEFT, _POP = "\u202a", "\u202c"  # embedding from left to right, and its end
_STRONG = {"R": "\u200f", "L": "\u200e"}  # keeps the marks between two embeddings with the line
_KEPT_WHOLE: Final = re.compile(
    r"(?:\+|0)[0-9]+(?:[ /-](?:\([0-9]+\))?[0-9]+)+"  # telephone numbers
    r"|[A-Za-z0-9*][A-Za-z0-9.,_:/@?&=#%+*-]*[A-Za-z0-9*]%?"  # ids, codes, addresses, versions, times
)
"""What is read from left to right inside any line."""
_PRIVATE: Final = 0xF0000
"""First letter of a range that stands for nothing and runs from left to right."""
_APART: Final = "\u200c"  # keeps letters apart; its opposite is left out: the shaper stumbles over it
_UNSHAPED: Final = frozenset(
    {
        "BALINESE", "BENGALI", "DEVANAGARI", "DIVES", "GUJARATI", "GURMUKHI", "JAVANESE", "KANNADA", "KHMER",
        "LAO", "MALAYALAM", "MANDAIC", "MEETEI", "MONGOLIAN", "MYANMAR", "NKO", "ORIYA", "SINHALA", "SYRIAC",
        "TAI", "TAMIL", "TELUGU", "THAANA", "THAI", "TIBETAN",
    }
)  # fmt: skip
"""Scripts whose letters need more than a form a cell: first word of a letter's Unicode name."""


@cache
def _reshaper() -> Any:
    """Return the shaper: no vowel signs (they have no cell of their own), of ligatures only lam with alef."""
    from arabic_reshaper import ArabicReshaper  # noqa: PLC0415 - most devices have no use for its memory
    from arabic_reshaper.ligatures import LIGATURES  # noqa: PLC0415 - the same

    options = {name: "LAM WITH ALEF" in name and "MAKSURA" not in name for name, _ in LIGATURES}
    return ArabicReshaper(
        {
            "language": "Arabic",
            "delete_harakat": True,
            "shift_harakat_position": False,
            "delete_tatweel": False,
            "support_zwj": False,
            "use_unshaped_instead_of_isolated": False,
            "support_ligatures": True,
            **options,
        }
    )


def is_from_right(text: str) -> bool:
    """Say whether any letter belongs to a script that runs from right to left."""
    return any(unicodedata.bidirectional(letter) in {"R", "AL", "AN"} for letter in text)


def unshaped(text: str) -> set[str]:
    """Return the scripts in a text that no screen here can shape, e.g. ``{"DEVANAGARI"}``."""
    names = (unicodedata.name(letter, "") for letter in set(text) if letter > "\u0700")
    return {name.partition(" ")[0] for name in names} & _UNSHAPED


@lru_cache(maxsize=1_024)  # the same lines stand on every screen
def shape(text: str) -> str:
    """Return a text in the forms that its letters have beside their neighbours, in written order."""
    return "".join(letter for letter in _shaped(_plain(text)) if not _is_unseen(letter))


def cells(text: str) -> str:
    """Return a text as it is measured: shaped where any of it runs from right to left, else as it is."""
    return shape(text) if is_from_right(text) else text


@lru_cache(maxsize=1_024)  # the same lines stand on every screen
def visual(line: str, *, from_right: bool = True) -> str:
    """Return one line in the order of its cells from left to right, shaped.

    Args:
        line: as it is written.
        from_right: the line as a whole runs from right to left, whatever it begins with.
    """
    from bidi.algorithm import get_display  # noqa: PLC0415 - see _reshaper

    base = "R" if from_right else "L"
    edge = _STRONG[base]
    marked = _KEPT_WHOLE.sub(lambda found: f"{edge}{_FROM_LEFT}{found[0]}{_POP}{edge}", _plain(line))
    shaped = _shaped(marked)
    # A letter newer than this machine's Unicode has no direction, and the algorithm takes none of those.
    newer = sorted({letter for letter in shaped if not unicodedata.bidirectional(letter)})
    spare = (chr(code) for code in range(_PRIVATE, 0x10FFFE) if chr(code) not in shaped)
    stand_in = dict(zip(newer, spare, strict=False))
    turned = str(get_display("".join(stand_in.get(letter, letter) for letter in shaped), base_dir=base))
    back = {other: letter for letter, other in stand_in.items()}
    return "".join(back.get(letter, letter) for letter in turned if not _is_unseen(letter))


def _plain(text: str) -> str:
    """Leave out everything unseen but what keeps letters apart."""
    return "".join(letter for letter in text if unicodedata.category(letter) != "Cf" or letter == _APART)


def _shaped(text: str) -> str:
    return str(_reshaper().reshape(text))


def _is_unseen(letter: str) -> bool:
    return bool(unicodedata.combining(letter)) or unicodedata.category(letter) == "Cf"
