"""The notice on a 128 x 64 one-bit screen: pages of a title bar and a few lines.

Two geometries. Texts in Latin letters are set in the face of :mod:`advisories.render.glyphs`: a bar
and five lines of 21 columns. Every other script needs GNU Unifont (16 pixels high, 8 or 16 wide): a bar
and three lines of 16 columns, which is eight wide characters.

Pages are lines as they are written; :func:`draw` shapes and turns round what runs from right to left: its
lines end at the left and begin at the right edge, and the title bar is mirrored.

Order: title, what you must do, what happened, next update, proof.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from PIL import Image, ImageDraw, ImageFont

from advisories.languages import SOURCE_LANGUAGE, Words, is_from_right, primary, words
from advisories.notice import Notice, Text
from advisories.render import bidi, glyphs
from advisories.render.layout import SOFT_HYPHEN, clean, width, wrap
from keys.errors import UnavailableError

PAGES_MAX: Final = 4
WIDTH_PX: Final = 128
HEIGHT_PX: Final = 64
FONT_NAME: Final = "GNU Unifont"
FONT_PACKAGE: Final = "fonts-unifont"
FONT_FILES: Final = ("unifont.otf", "unifont_jp.otf")
"""File names of the font; the second one has the Japanese forms of Han characters."""
_PNG_SCALE: Final = 4

Fonts = Mapping[str, bytes]
"""File name, of :data:`FONT_FILES`, -> the font's bytes; one that is not here is left out."""


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


def font_names(language: str) -> tuple[str, ...]:
    """Return the files that may draw a language, the best one first."""
    return FONT_FILES[::-1] if primary(language) == "ja" else FONT_FILES[:1]


def font_of(language: str, fonts: Fonts) -> bytes | None:
    """Return the font for a language, or None where none of its files is here."""
    return next((fonts[name] for name in font_names(language) if name in fonts), None)


def can_draw(text: Text, font: bytes | None) -> bool:
    """Say whether every page of a text can be drawn, with this font or without one.

    Args:
        text: in any language.
        font: the bytes of GNU Unifont, where it is here.
    """
    if geometry(text) is LATIN:
        return True
    own = words(text.language)
    fixed = (own.exercise, own.small_next, own.date, own.small_code, own.small_confirmed)
    told = (
        text.title,
        text.action,
        text.happened,
        *fixed,
        own.small_not_confirmed,
        *own.severity,
        *own.months,
    )
    letters = clean(" ".join(told)).replace(SOFT_HYPHEN, "")
    try:
        _require_shaped(letters, text.language)
        _unifont(bidi.cells(letters), text.language, font)
    except UnavailableError:
        return False
    return True


def pages(notice: Notice, text: Text, *, code: str, confirmed: bool, instead: str = "") -> list[list[str]]:
    """Return the pages, each a title bar and its lines, filled up to the geometry's number of lines.

    A section is kept on one page where that costs no page more. More than ``PAGES_MAX`` pages come back
    rather than a text cut short; the check ``small-overflow`` keeps that from being published.

    Args:
        notice: a genuine header.
        text: its text in one language.
        code: the check code of the header.
        confirmed: whether catalogue and timestamp say that it is current.
        instead: says for which language this text stands in, where it does.
    """
    own = words(text.language)
    proof = [own.small_genuine.format(id=notice.id), own.small_code.format(code=code)]
    state = own.small_confirmed if confirmed else own.small_not_confirmed
    shape = geometry(text)
    sections = [*_told(notice, text, own, shape), wrapped(instead, shape), _wrapped([*proof, state], shape)]
    bodies = _packed(sections, shape.lines - 1)
    return _numbered(notice, text.language, shape, bodies, len(bodies))


def told(notice: Notice, text: Text) -> list[list[str]]:
    """Return the pages without the proof, which only the finished header and the device know.

    They can be drawn before the header is signed; their numbers count the pages of :func:`proofs` after them.
    """
    own, shape = words(text.language), geometry(text)
    bodies = _packed(_told(notice, text, own, shape), shape.lines - 1)
    after = len(_proof_bodies(notice, "", confirmed=True))
    return _numbered(notice, text.language, shape, bodies, len(bodies) + after)


def proofs(notice: Notice, *, code: str, confirmed: bool, after: int) -> list[list[str]]:
    """Return the proof alone, in English: for a device that has no font for more than Latin.

    Args:
        notice: a genuine header.
        code: the check code of the header.
        confirmed: whether catalogue and timestamp say that it is current.
        after: how many pages of :func:`told` stand before it.
    """
    bodies = _proof_bodies(notice, code, confirmed=confirmed)
    count = after + len(bodies)
    own = words(SOURCE_LANGUAGE)
    return [
        _page(_bar(notice, own, f"{number}/{count}", LATIN), body, LATIN)
        for number, body in enumerate(bodies, after + 1)
    ]


def _proof_bodies(notice: Notice, code: str, *, confirmed: bool) -> list[list[str]]:
    """Return the lines of the proof in English; only a very long id needs more than one page."""
    own = words(SOURCE_LANGUAGE)
    state = own.small_confirmed if confirmed else own.small_not_confirmed
    lines = _wrapped([own.small_genuine.format(id=notice.id), own.small_code.format(code=code), state], LATIN)
    room = LATIN.lines - 1
    return [lines[at : at + room] for at in range(0, len(lines), room)]


def _told(notice: Notice, text: Text, own: Words, shape: Geometry) -> list[list[str]]:
    """Return the sections before the proof as lines."""
    update = [own.small_next, own.when(notice.next_update)] if notice.next_update is not None else []
    sections = [[text.title, text.action], [text.happened], update]
    lines = [_wrapped(section, shape) for section in sections]
    title = wrapped(text.title, shape)
    if len(lines[0]) < shape.lines - 1:  # room for air between the title and what to do
        lines[0] = [*title, "", *lines[0][len(title) :]]
    return lines


def _wrapped(paragraphs: list[str], shape: Geometry) -> list[str]:
    return [line for paragraph in paragraphs for line in wrapped(paragraph, shape)]


def _numbered(
    notice: Notice, language: str, shape: Geometry, bodies: list[list[str]], count: int
) -> list[list[str]]:
    own = words(language)
    return [
        _page(_bar(notice, own, f"{number}/{count}", shape), body, shape)
        for number, body in enumerate(bodies, 1)
    ]


def _page(bar: str, body: list[str], shape: Geometry) -> list[str]:
    return [bar, *body] + [""] * (shape.lines - 1 - len(body))


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
    room = shape.columns - 1 - len(number)
    fitting = [left for left in choices if _columns(left) <= room]
    left = (fitting or choices)[0 if fitting else -1]
    return left + " " * max(1, shape.columns - _columns(left) - len(number)) + number


def _columns(text: str) -> int:
    """Return the columns that a text takes once it is shaped."""
    return width(bidi.cells(text))


def draw(lines: list[str], language: str, *, font: bytes | None = None) -> Image.Image:
    """Draw one page as a 128 x 64 picture in mode ``1``: lit pixels are 1, the title bar is inverted.

    Args:
        lines: one page of :func:`pages`.
        language: of the text, for messages.
        font: the bytes of GNU Unifont, needed for letters that the Latin face lacks.

    Raises:
        UnavailableError: FONT_MISSING, naming font and package; SCRIPT_UNSUPPORTED, naming a script whose
            letters need more than a cell each. Boxes are never drawn.
    """
    text = "".join(lines)
    _require_shaped(text, language)
    latin = len(lines) != WIDE.lines and glyphs.has(text)
    shape = LATIN if latin else WIDE
    face = None if latin else _unifont(bidi.cells(text), language, font)
    image = Image.new("1", (WIDTH_PX, HEIGHT_PX), 0)
    pen = ImageDraw.Draw(image)
    pen.fontmode = "1"
    pen.rectangle((0, 0, WIDTH_PX - 1, shape.bar_px - 1), fill=1)
    left = (WIDTH_PX - shape.columns * shape.cell_px) // 2
    from_right = is_from_right(language)
    turned = from_right or bidi.is_from_right(text)
    for index, line in enumerate(lines):
        top = 0 if index == 0 else shape.top_px + (index - 1) * shape.pitch_px
        cells = bidi.visual(line, from_right=from_right) if turned else line
        column = shape.columns - width(cells) if from_right else 0
        for letter in cells:
            at = (left + column * shape.cell_px, top)
            if face is None:
                dots = [(at[0] + x, at[1] + y) for x, y in sorted(glyphs.pixels(letter) or ())]
                pen.point(dots, fill=int(index > 0))
            else:
                pen.text(at, letter, fill=int(index > 0), font=face)
            column += width(letter)
    return image


def png(lines: list[str], language: str, *, font: bytes | None = None) -> bytes:
    """Return one page as a PNG four times as large, for people to look at; the arguments of :func:`draw`."""
    return enlarged(draw(lines, language, font=font))


def enlarged(page: Image.Image) -> bytes:
    """Return a drawn page as a PNG four times as large, its dots still square."""
    size = (WIDTH_PX * _PNG_SCALE, HEIGHT_PX * _PNG_SCALE)
    made = io.BytesIO()
    page.resize(size, Image.Resampling.NEAREST).save(made, "PNG", optimize=True)
    return made.getvalue()


def _require_shaped(text: str, language: str) -> None:
    scripts = sorted(script.title() for script in bidi.unshaped(text))
    if scripts:
        raise UnavailableError(
            "SCRIPT_UNSUPPORTED",
            f"This screen cannot draw '{language}': {', '.join(scripts)} letters cannot be shaped here.",
            mend="Show the notice on another surface, or in another language.",
        )


def _unifont(text: str, language: str, font: bytes | None) -> ImageFont.FreeTypeFont:
    """Open Unifont and make sure that it has every letter."""
    missing = UnavailableError(
        "FONT_MISSING",
        f"The font {FONT_NAME} is needed to draw '{language}' and is not here or lacks a letter.",
        mend=f"Install the package {FONT_PACKAGE} (Debian, Ubuntu) or show the notice on another surface.",
    )
    if font is None:
        raise missing
    try:
        face = ImageFont.truetype(io.BytesIO(font), 16)
    except OSError:
        raise missing from None
    nothing = bytes(face.getmask("\U0010ffff", mode="1"))
    for letter in set(text) - {" ", "\u3000"}:
        boxed = bytes(face.getmask(letter, mode="1")) == nothing
        if boxed or face.getlength(letter) > width(letter) * WIDE.cell_px:
            raise missing
    return face
