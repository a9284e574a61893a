"""The notice on a 128 x 64 one-bit screen: pages of a title bar and a few lines.

Two geometries. Texts in Western Latin letters are set in the face of :mod:`advisories.render.glyphs`: a bar
and five lines of 21 columns. Every other script needs GNU Unifont (16 pixels high, 8 or 16 wide): a bar
and three lines of 16 columns, which is eight wide characters.

Order: title, what you must do, what happened, next update, proof.
"""

from __future__ import annotations

import io
import unicodedata
from dataclasses import dataclass
from typing import Final

from PIL import Image, ImageDraw, ImageFont

from advisories.languages import Words, words
from advisories.notice import Notice, Text
from advisories.render import glyphs
from advisories.render.layout import SOFT_HYPHEN, clean, spread, width, wrap
from keys.errors import UnavailableError

PAGES_MAX: Final = 4
WIDTH_PX: Final = 128
HEIGHT_PX: Final = 64


@dataclass(frozen=True, slots=True)
class Geometry:
    """How one font fills the screen."""

    columns: int
    lines: int
    """Lines of a page, the title bar among them."""
    cell_px: int
    """Width of one column."""
    bar_px: int
    """Height of the title bar."""
    top_px: int
    """Where the first line below the bar begins."""
    pitch_px: int
    """From one line to the next below the bar."""


LATIN: Final = Geometry(columns=21, lines=6, cell_px=6, bar_px=11, top_px=12, pitch_px=10)
WIDE: Final = Geometry(columns=16, lines=4, cell_px=8, bar_px=16, top_px=16, pitch_px=16)

_PLAIN = str.maketrans(
    dict.fromkeys("\u2018\u2019\u201a", "'")
    | dict.fromkeys("\u201c\u201d\u201e", '"')
    | dict.fromkeys("\u2010\u2011\u2013\u2014", "-")
    | {"\u2026": "...", "\u00a0": " "}
)
"""Typographic marks for which the Latin face has a plain sign."""


def geometry(text: Text) -> Geometry:
    """Return the geometry that a text's letters need."""
    own = words(text.language)
    shown = f"{text.title} {text.action} {text.happened} {own.small_next} {own.small_code}"
    return LATIN if _is_latin(shown) else WIDE


def _is_latin(text: str) -> bool:
    return glyphs.has(clean(text).translate(_PLAIN).replace(SOFT_HYPHEN, ""))


def pages(notice: Notice, text: Text, *, code: str, confirmed: bool) -> list[list[str]]:
    """Return the pages, each a title bar and its lines, filled up to the geometry's number of lines.

    A section is kept on one page where that costs no page more. More than ``PAGES_MAX`` pages come back
    rather than a text cut short; the check ``small-overflow`` keeps that from being published.

    Args:
        notice: a genuine header.
        text: its text in one language.
        code: the check code of the header.
        confirmed: whether catalogue and timestamp say that it is current.
    """
    own = words(text.language)
    shape = geometry(text)
    sections = _sections(notice, text, own, code, confirmed=confirmed)
    lines = [[line for part in section for line in wrapped(part, shape)] for section in sections]
    title = wrapped(text.title, shape)
    if len(lines[0]) < shape.lines - 1:  # room for air between the title and what to do
        lines[0] = [*title, "", *lines[0][len(title) :]]
    bodies = _packed(lines, shape.lines - 1)
    return [
        [_bar(notice, own, f"{number}/{len(bodies)}", shape), *body] + [""] * (shape.lines - 1 - len(body))
        for number, body in enumerate(bodies, 1)
    ]


def _sections(notice: Notice, text: Text, own: Words, code: str, *, confirmed: bool) -> list[list[str]]:
    """Return sections of paragraphs in the order in which they are shown."""
    update = [own.small_next, own.when(notice.next_update)] if notice.next_update is not None else []
    proof = [own.small_genuine.format(id=notice.id), own.small_code.format(code=code)]
    state = own.small_confirmed if confirmed else own.small_not_confirmed
    return [[text.title, text.action], [text.happened], update, [*proof, state]]


def wrapped(paragraph: str, shape: Geometry) -> list[str]:
    """Return the lines of a paragraph as the small screen breaks them."""
    plain = clean(paragraph)
    return wrap(plain.translate(_PLAIN) if shape is LATIN else plain, shape.columns)


def _packed(sections: list[list[str]], lines: int) -> list[list[str]]:
    """Distribute sections over pages: whole ones where possible, else one after the other."""
    flow = [line for section in sections for line in section]
    dense = [flow[at : at + lines] for at in range(0, len(flow), lines)]
    loose: list[list[str]] = []
    for section in sections:
        rest = section
        if loose and len(loose[-1]) + len(rest) <= lines:
            loose[-1] = [*loose[-1], *rest]
            continue
        while rest:
            loose.append(rest[:lines])
            rest = rest[lines:]
    return loose if len(loose) <= max(len(dense), PAGES_MAX) else dense


def _bar(notice: Notice, own: Words, number: str, shape: Geometry) -> str:
    """Severity, EXERCISE when it is one, and the page's number; the severity gives way first."""
    severity = own.severity[notice.severity]
    choices = [severity]
    if notice.exercise:
        choices = [f"{own.exercise} {severity}", own.exercise]
    fitting = [left for left in choices if width(left) + 1 + len(number) <= shape.columns]
    return spread((fitting or choices)[0 if fitting else -1], number, shape.columns)


def draw(lines: list[str], language: str, *, font: bytes | None = None) -> Image.Image:
    """Draw one page as a 128 x 64 picture in mode ``1``: lit pixels are 1, the title bar is inverted.

    Args:
        lines: one page of :func:`pages`.
        language: of the text, for messages.
        font: the bytes of GNU Unifont, needed for letters that the Latin face lacks.

    Raises:
        UnavailableError: FONT_MISSING, naming font and package; SCRIPT_UNSUPPORTED for scripts that run from
            right to left. Boxes are never drawn.
    """
    text = "".join(lines)
    if any(unicodedata.bidirectional(letter) in {"R", "AL"} for letter in text):
        raise UnavailableError(
            "SCRIPT_UNSUPPORTED",
            f"This screen cannot draw the script of '{language}', which runs from right to left.",
            mend="Show the notice on another surface.",
        )
    latin = len(lines) != WIDE.lines and glyphs.has(text)
    shape = LATIN if latin else WIDE
    face = None if latin else _unifont(text, language, font)
    image = Image.new("1", (WIDTH_PX, HEIGHT_PX), 0)
    pen = ImageDraw.Draw(image)
    pen.fontmode = "1"
    pen.rectangle((0, 0, WIDTH_PX - 1, shape.bar_px - 1), fill=1)
    left = (WIDTH_PX - shape.columns * shape.cell_px) // 2
    for index, line in enumerate(lines):
        top = 0 if index == 0 else shape.top_px + (index - 1) * shape.pitch_px
        column = 0
        for letter in line:
            at = (left + column * shape.cell_px, top)
            if face is None:
                dots = [(at[0] + x, at[1] + y) for x, y in sorted(glyphs.pixels(letter) or ())]
                pen.point(dots, fill=int(index > 0))
            else:
                pen.text(at, letter, fill=int(index > 0), font=face)
            column += width(letter)
    return image


def _unifont(text: str, language: str, font: bytes | None) -> ImageFont.FreeTypeFont:
    """Open Unifont and make sure that it has every letter."""
    missing = UnavailableError(
        "FONT_MISSING",
        f"The font GNU Unifont is needed to draw '{language}' and is not here or lacks a letter.",
        mend="Install the package fonts-unifont (Debian, Ubuntu) or show the notice on another surface.",
    )
    if font is None:
        raise missing
    try:
        face = ImageFont.truetype(io.BytesIO(font), 16)
    except OSError:
        raise missing from None
    nothing = bytes(face.getmask("\U0010ffff", mode="1"))
    if any(bytes(face.getmask(letter, mode="1")) == nothing for letter in set(text) - {" ", "\u3000"}):
        raise missing
    return face
