"""A framebuffer of Linux as a text screen: ``/dev/fb0`` and what ``/sys/class/graphics/fb0`` says of it.

Latin letters are drawn in the face of :mod:`advisories.render.glyphs`, as large as they go on the screen;
other scripts need GNU Unifont. Nothing is drawn but text, in one plain write: no mode is set and nothing is
mapped, so a file does as well as a device.
(Linux, Documentation/fb/framebuffer.rst and Documentation/ABI/testing/sysfs-class-graphics.)
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from PIL import Image, ImageDraw, ImageFont

from advisories.languages import SOURCE_LANGUAGE
from advisories.notice import Text
from advisories.render import console, glyphs, small
from advisories.render.layout import SOFT_HYPHEN, clean, width
from advisories.versions import Version, format_version
from device_sim.core.effects import Show
from device_sim.core.profile import Ability, Profile
from device_sim.display import Prompt, prompted, unwritable
from device_sim.displays.small import lacking, unifont
from keys.errors import InputError, UnavailableError

_GRAPHICS: Final = Path("/sys/class/graphics")
_DEVICES: Final = Path("/dev")
_COLUMNS_MIN: Final = 40
_COLUMNS_MAX: Final = console.WIDTH
_SIDE_MAX: Final = 8192
_DEPTHS: Final = frozenset({1, 8, 16, 24, 32})
_MODES: Final = {2: "LA", 3: "RGB", 4: "RGBA"}  # channels of a pixel -> a mode of Pillow with as many
_UNIFONT_PX: Final = (8, 16)  # width and height of a cell


@dataclass(frozen=True, slots=True)
class Screen:
    """Where a framebuffer is and how its pixels lie; a lit one is all ones, whatever the colours' order."""

    path: Path
    width: int
    """Pixels."""
    height: int
    """Pixels."""
    depth: int
    """Bits of a pixel."""
    stride: int
    """Bytes of a line."""


def find(name: str, *, graphics: Path = _GRAPHICS, devices: Path = _DEVICES) -> Screen:
    """Return a framebuffer by its name, such as ``fb0``.

    Raises:
        InputError: DISPLAY_ADDRESS.
        UnavailableError: DISPLAY_SILENT, when there is none or its geometry makes no sense.
    """
    name = name or "fb0"
    if not name.isalnum():
        mend = "Write it as fb:fb0."
        raise InputError("DISPLAY_ADDRESS", f"'{name}' is no framebuffer's name.", mend=mend)
    folder = graphics / name
    try:
        wide, high = map(int, _read(folder / "virtual_size").split(","))
        depth = int(_read(folder / "bits_per_pixel"))
        stride = int(_read(folder / "stride"))
    except (OSError, ValueError):
        raise _silent(folder, "there is none, or it does not tell its size") from None
    if not (
        0 < wide <= _SIDE_MAX and 0 < high <= _SIDE_MAX and depth in _DEPTHS and stride * 8 >= wide * depth
    ):
        raise _silent(folder, f"{wide} x {high} pixels of {depth} bits are no screen")
    return Screen(devices / name, wide, high, depth, stride)


class Framebuffer:
    """Draws the notice of a console, and below it what the device says by itself.

    Args:
        screen: where it is.
        languages: of the device; a font that one of them needs and that is not here is remarked on now.
    """

    def __init__(self, screen: Screen, languages: Sequence[str] = ()) -> None:
        self.remark = str(lacking(languages) or "")
        self._screen = screen
        self._notice: tuple[Show, Profile, Version] | None = None
        self._prompt: Prompt | None = None

    def able(self, text: Text) -> Ability:
        """Show Latin letters always, others with the font."""
        said = f"{text.title} {text.action} {text.happened} {text.affected} {text.doing} {text.contact}"
        try:
            _face(clean(said), text.language)
        except UnavailableError:
            return Ability.NOTHING
        return Ability.WORDS

    def show(self, shown: Show, device: Profile, installed: Version) -> None:
        """Draw the notice."""
        self._notice = (shown, device, installed)
        self._draw()

    def tell(self, prompt: Prompt | None) -> None:
        """Draw it below the notice, or alone where both have no room; the notice comes back with None."""
        if prompt != self._prompt:
            self._prompt = prompt
            self._draw()

    def turn(self) -> None:
        """Everything is on one page."""

    def _draw(self) -> None:
        screen = self._screen
        language = self._notice[0].text.language if self._notice is not None else SOURCE_LANGUAGE
        face = _face("".join(self._lines(_COLUMNS_MAX)), language)
        lines, scale = self._fitted(face)
        drawn = Image.new("1", (screen.width // scale, screen.height // scale), 0)
        pen = ImageDraw.Draw(drawn)
        pen.fontmode = "1"
        for row, line in enumerate(lines):
            column = 0
            for letter in line:
                face.draw(pen, letter, column * face.width, row * face.height)
                column += width(letter)
        self._write(drawn.resize((screen.width, screen.height), Image.Resampling.NEAREST))

    def _fitted(self, face: _Face) -> tuple[list[str], int]:
        """Return the lines and the largest scale at which all of them fit; a question alone, if need be."""
        screen = self._screen
        for alone in (False, True):
            for scale in range(max(1, screen.width // (face.width * _COLUMNS_MIN)), 0, -1):
                columns = min(_COLUMNS_MAX, screen.width // (face.width * scale))
                if columns < _COLUMNS_MIN:
                    continue  # no layout has so little room
                lines = self._lines(columns, alone=alone)
                if len(lines) <= screen.height // (face.height * scale):
                    return lines, scale
            if self._prompt is None:
                break
        raise _silent(screen.path, f"the words do not fit {screen.width} x {screen.height} pixels")

    def _lines(self, columns: int, *, alone: bool = False) -> list[str]:
        lines: list[str] = []
        if self._notice is not None and not alone:
            shown, device, installed = self._notice
            lines += console.render(
                shown.notice,
                shown.text,
                product=device.product,
                installed=format_version(installed),
                code=shown.check_code,
                confirmed=shown.confirmed,
                width=columns,
                wanted=shown.wanted,
            )
        return lines + (prompted(self._prompt, width=columns) if self._prompt is not None else [])

    def _write(self, image: Image.Image) -> None:
        """Write every line of pixels, each channel of a pixel alike, and fill up to the stride."""
        screen = self._screen
        if screen.depth == 1:
            data, used = image.tobytes(), (screen.width + 7) // 8
        else:
            channels = screen.depth // 8
            grey = image.convert("L")
            made = grey if channels == 1 else Image.merge(_MODES[channels], [grey] * channels)
            data, used = made.tobytes(), screen.width * channels
        rest = bytes(screen.stride - used)
        lines = (data[at : at + used] + rest for at in range(0, len(data), used))
        try:
            with screen.path.open("r+b", buffering=0) as file:
                file.write(b"".join(lines))
        except OSError as error:
            raise unwritable(screen.path, error) from None


@dataclass(frozen=True, slots=True)
class _Face:
    """How letters are drawn."""

    width: int
    height: int
    font: ImageFont.FreeTypeFont | None

    def draw(self, pen: ImageDraw.ImageDraw, letter: str, x: int, y: int) -> None:
        if self.font is not None:
            pen.text((x, y), letter, fill=1, font=self.font)
        elif dots := glyphs.pixels(letter):
            pen.point([(x + right, y + down) for right, down in sorted(dots)], fill=1)


def _face(text: str, language: str) -> _Face:
    """Return the face that has every letter of a text.

    Raises:
        UnavailableError: FONT_MISSING, SCRIPT_UNSUPPORTED.
    """
    if glyphs.has(text.replace(SOFT_HYPHEN, "")):
        return _Face(glyphs.CELL_PX, glyphs.ROWS, None)
    small.draw([text, "", "", ""], language, font=unifont(language))  # it knows what cannot be drawn
    return _Face(*_UNIFONT_PX, ImageFont.truetype(io.BytesIO(unifont(language)), _UNIFONT_PX[1]))


def _read(path: Path) -> str:
    return path.read_text(encoding="ascii").strip()


def _silent(where: Path, why: str) -> UnavailableError:
    return UnavailableError(
        "DISPLAY_SILENT",
        f"The framebuffer cannot be used: {why}.",
        mend="Name one that 'ls /sys/class/graphics' lists, or take another display.",
        where=str(where),
    )
