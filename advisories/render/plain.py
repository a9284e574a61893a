"""Words for a screen that knows ASCII only: Latin letters lose their marks, other scripts cannot be said."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

from advisories.languages import primary
from advisories.render.layout import SOFT_HYPHEN, clean

_SPELT: Final = str.maketrans(
    {
        "ß": "ss", "ẞ": "SS", "æ": "ae", "Æ": "AE", "œ": "oe", "Œ": "OE", "ø": "o", "Ø": "O", "ł": "l",
        "Ł": "L", "đ": "d", "Đ": "D", "ð": "d", "Ð": "D", "þ": "th", "Þ": "Th", "\u0131": "i",
        "«": '"', "»": '"', "\u201c": '"', "\u201d": '"', "\u201e": '"',
        "\u2018": "'", "\u2019": "'", "\u201a": "'", "\u2039": "'", "\u203a": "'",
        "\u2010": "-", "\u2011": "-", "\u2012": "-", "\u2013": "-", "\u2014": "-", "\u2212": "-",
        "·": "-", "•": "*", "…": "...", "€": "EUR", "£": "GBP", "°": " deg ", "§": "par. ", "\u00d7": "x",
        "¿": "", "¡": "", "\u00a0": " ", "\u202f": " ", "º": "o", "ª": "a", "✓": "OK",
    }
)  # fmt: skip
_UMLAUT: Final = re.compile("([ÄÖÜäöü])(?=(.?))")
_PAIRS: Final = {"Ä": "Ae", "Ö": "Oe", "Ü": "Ue", "ä": "ae", "ö": "oe", "ü": "ue"}


def to_ascii(text: str, language: str) -> str | None:
    """Return a text in ASCII, soft hyphens kept for the layout; None where a letter has no ASCII spelling.

    Args:
        text: as it is written.
        language: its tag: German writes its umlauts with an ``e``.
    """
    spelt = clean(text).translate(_SPELT)
    if primary(language) == "de":
        spelt = _UMLAUT.sub(_pair, spelt)
    bare = "".join(
        letter for letter in unicodedata.normalize("NFKD", spelt) if not unicodedata.combining(letter)
    )
    return bare if bare.replace(SOFT_HYPHEN, "").isascii() else None


def _pair(found: re.Match[str]) -> str:
    pair = _PAIRS[found[1]]
    return pair.upper() if found[1].isupper() and not found[2].islower() else pair
