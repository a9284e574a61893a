"""Drawn pages: what a small screen shows of a text, for a device that has no font for its letters.

A page is 128 x 64 dots of one bit, 1,024 bytes, row by row from the top left, the first dot of a byte in its
highest bit, a lit dot 1. The text names the digest of each page, so whoever signs the header has approved
every dot. The proof is not among them: check code and currency are known only later, and the device draws
them itself, in Latin letters.

Pages travel together, one after the other. On the release list each is a PBM file, its dots printed black.
"""

from __future__ import annotations

from typing import Final

from PIL import Image

from advisories.limits import NOTICE_PAGE_BYTES, NOTICE_PAGES_MAX
from advisories.notice import Notice, Text
from advisories.render import small
from advisories.render.small import HEIGHT_PX, WIDTH_PX, Fonts
from keys.errors import UnavailableError

PBM_HEAD: Final = b"P4\n%d %d\n" % (WIDTH_PX, HEIGHT_PX)
Pages = tuple[bytes, ...]


def are_needed(text: Text) -> bool:
    """Say whether a device needs a font, or drawn pages, for this text: not for Latin letters."""
    return small.geometry(text) is small.WIDE


def draw(notice: Notice, text: Text, fonts: Fonts) -> Pages:
    """Draw the pages of a text, without the proof.

    Args:
        notice: its header; digests, check code and version do not matter here.
        text: in letters that need a font.
        fonts: the font files that are here.

    Raises:
        UnavailableError: FONT_MISSING, SCRIPT_UNSUPPORTED; PAGES_OVERFLOW, when there would be too many.
    """
    told = small.told(notice, text)
    if len(told) > NOTICE_PAGES_MAX:
        raise UnavailableError(
            "PAGES_OVERFLOW",
            f"The text in '{text.language}' needs {len(told)} drawn pages, of {NOTICE_PAGES_MAX} at most.",
            mend="Shorten title, action or what happened.",
        )
    font = small.font_of(text.language, fonts)
    return tuple(small.draw(page, text.language, font=font).tobytes() for page in told)


def image(page: bytes) -> Image.Image:
    """Return a page as a picture in mode ``1``."""
    return Image.frombytes("1", (WIDTH_PX, HEIGHT_PX), page)


def to_pbm(page: bytes) -> bytes:
    """Return a page as a PBM file."""
    return PBM_HEAD + page


def from_pbm(data: bytes) -> bytes | None:
    """Return the page in a file of :func:`to_pbm`, or None for any other bytes."""
    page = data.removeprefix(PBM_HEAD)
    return page if len(page) == NOTICE_PAGE_BYTES and len(data) == len(PBM_HEAD) + len(page) else None
