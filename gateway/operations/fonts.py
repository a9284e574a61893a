"""The font that drawn pages are made with, where this machine has it."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Final

from advisories.render.small import FONT_FILES, Fonts

_FOLDER: Final = Path("/usr/share/fonts/opentype/unifont")
"""Where Debian's package fonts-unifont puts it."""


@lru_cache(maxsize=1)
def installed() -> Fonts:
    """Return the files of GNU Unifont that are here; none is no error, pages are then not drawn."""
    found = {}
    for name in FONT_FILES:
        try:
            found[name] = (_FOLDER / name).read_bytes()
        except OSError:
            continue
    return found
