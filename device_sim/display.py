"""Surfaces a device shows a notice on, each behind one name.

console   80 x 24 characters, to a stream or to ``console.txt`` in the device's folder
ascii     the same for a terminal that knows ASCII only; a stream with such an encoding is one by itself
png       the 128 x 64 screen, as ``screen-1.png``, ``screen-2.png``, ...
led       one lamp, as ``led.txt``
none      nothing to show on
ssd1306, sh1106, ...   a real screen on I2C, where the package luma.oled is installed
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, Protocol, TextIO

from luma.core.device import dummy
from PIL import Image

from advisories.languages import SOURCE_LANGUAGE, words
from advisories.notice import Text
from advisories.render import console, led, pages, small
from advisories.states import Surface
from advisories.versions import Version, format_version
from device_sim.core.effects import Show
from device_sim.core.profile import Ability, Profile
from keys.errors import InputError, UnavailableError

SCREENS_MAX: Final = 10
"""Pages that a screen may have kept of an older notice."""
_ASKED_MAX: Final = 64  # texts of which a screen remembers whether it can draw them
_FONTS: Final = Path("/usr/share/fonts/opentype/unifont")
_I2C_PORT, _I2C_ADDRESS = 1, 0x3C  # where small OLED boards answer unless they were soldered otherwise

BY_SURFACE: Final = {
    Surface.CONSOLE: "console",
    Surface.SCREEN: "png",
    Surface.LED: "led",
    Surface.COMPANION: "none",
    Surface.NONE: "none",
}
"""The display that a simulated device has for its surface."""


class Display(Protocol):
    """Something a notice can be seen on."""

    remark: str
    """What an engineer has to know of it, such as a font that is not here; empty where there is nothing."""

    def able(self, text: Text) -> Ability:
        """Say whether it can show these words, or drawn pages instead, or neither."""
        ...

    def show(self, shown: Show, device: Profile, installed: Version) -> None:
        """Draw a genuine notice; drawing the same again changes nothing.

        Raises:
            UnavailableError: FONT_MISSING, SCRIPT_UNSUPPORTED or DISPLAY_WRITE.
        """
        ...


class NoDisplay:
    """A device that cannot show anything, or whose screen nobody looks at."""

    remark = ""

    def able(self, text: Text) -> Ability:  # noqa: ARG002 - nobody looks
        """Leave the choice of a text to others."""
        return Ability.WORDS

    def show(self, shown: Show, device: Profile, installed: Version) -> None:
        """Draw nothing."""


class ConsoleDisplay:
    """80 x 24 characters.

    Args:
        out: a stream that every notice is appended to, or a file that holds the last one.
        ascii_only: the terminal knows nothing else; a stream's own encoding tells it too.
    """

    remark = ""

    def __init__(self, out: TextIO | Path, *, ascii_only: bool = False) -> None:
        self._out = out
        self._ascii_only = ascii_only or not _has_all_letters(out)

    def able(self, text: Text) -> Ability:
        """Show any words, or those that ASCII can say."""
        return Ability.WORDS if not self._ascii_only or console.has_ascii(text) else Ability.NOTHING

    def show(self, shown: Show, device: Profile, installed: Version) -> None:
        """Write the screen as :func:`advisories.render.console.render` lays it out."""
        lines = console.render(
            shown.notice,
            shown.text,
            product=device.product,
            installed=format_version(installed),
            code=shown.check_code,
            confirmed=shown.confirmed,
            ascii_only=self._ascii_only,
            wanted=shown.wanted,
        )
        screen = "\n".join(lines) + "\n"
        if isinstance(self._out, Path):
            _write(self._out, screen.encode())
        else:
            self._out.write(screen)
            self._out.flush()


class LedDisplay:
    """One lamp: its blink pattern stands in a file."""

    remark = ""

    def __init__(self, path: Path) -> None:
        self._path = path

    def able(self, text: Text) -> Ability:  # noqa: ARG002 - a lamp needs no letters
        """Blink for any text."""
        return Ability.WORDS

    def show(self, shown: Show, device: Profile, installed: Version) -> None:  # noqa: ARG002 - a lamp knows less
        """Write colour and rhythm of the notice's action."""
        _write(self._path, f"{led.pattern(shown.notice.action)}\n".encode())


class SmallDisplay:
    """A 128 x 64 one-bit screen behind luma's interface; the simulator's is luma's dummy.

    Args:
        screen: a luma device; pages are handed to its ``display`` in their order.
        folder: where each page is kept as a PNG; None keeps none.
        languages: of the device; a font that one of them needs and that is not here is remarked on now.
    """

    def __init__(self, screen: Any, folder: Path | None, languages: Sequence[str] = ()) -> None:
        self._screen = screen
        self._folder = folder
        self._asked: dict[Text, Ability] = {}
        lack = lacking(languages)
        self.remark = f"{lack} Until then drawn pages are shown, where a notice has them." if lack else ""

    def able(self, text: Text) -> Ability:
        """Draw Latin letters always, others with the font; without it show drawn pages."""
        if text not in self._asked:
            if len(self._asked) >= _ASKED_MAX:
                self._asked.clear()
            self._asked[text] = Ability.WORDS if small.can_draw(text, _font(text)) else Ability.PAGES
        return self._asked[text]

    def show(self, shown: Show, device: Profile, installed: Version) -> None:  # noqa: ARG002 - no room for them
        """Draw every page; the first one stays on the screen."""
        images = _drawn(shown) if shown.pages else _written(shown)
        for number, image in reversed(list(enumerate(images, 1))):
            self._screen.display(image)
            if self._folder is not None:
                self._keep(number, image)
        if self._folder is not None:
            for number in range(len(images) + 1, SCREENS_MAX + 1):
                (self._folder / f"screen-{number}.png").unlink(missing_ok=True)

    def _keep(self, number: int, image: Image.Image) -> None:
        assert self._folder is not None
        path = self._folder / f"screen-{number}.png"
        try:
            image.save(path)
        except OSError as error:
            raise _unwritable(path, error) from None


def _written(shown: Show) -> list[Image.Image]:
    """Draw the words."""
    text, wanted = shown.text, shown.wanted
    instead = console.stand_in(text.language, wanted, ascii_only=True) if wanted else ""
    found = small.pages(shown.notice, text, code=shown.check_code, confirmed=shown.confirmed, instead=instead)
    font = unifont(text.language) if small.geometry(text) is small.WIDE else None
    return [small.draw(page, text.language, font=font) for page in found]


def _drawn(shown: Show) -> list[Image.Image]:
    """Take the drawn pages as they are, and draw the proof in Latin letters behind them."""
    proofs = small.proofs(
        shown.notice, code=shown.check_code, confirmed=shown.confirmed, after=len(shown.pages)
    )
    return [*map(pages.image, shown.pages), *(small.draw(page, SOURCE_LANGUAGE) for page in proofs)]


def _font(text: Text) -> bytes | None:
    """Return the font for a text that needs one, as far as it is here."""
    try:
        return unifont(text.language) if small.geometry(text) is small.WIDE else None
    except UnavailableError:
        return None


def lacking(languages: Sequence[str]) -> UnavailableError | None:
    """Return what to say of the first of some languages for which the font is not here."""
    for language in languages:
        if any(ord(letter) > 0x24F for letter in words(language).confirmed):
            try:
                unifont(language)
            except UnavailableError as error:
                return error
    return None


def _has_all_letters(out: TextIO | Path) -> bool:
    """Say whether a stream can carry any letter; a file here always is UTF-8."""
    encoding = "utf-8" if isinstance(out, Path) else getattr(out, "encoding", None) or "utf-8"
    try:
        "\u00e9\u65e5\u0639".encode(encoding)
    except (UnicodeEncodeError, LookupError):
        return False
    return True


@lru_cache(maxsize=4)
def unifont(language: str) -> bytes:
    """Return the font that has the letters of scripts other than Latin; Japanese forms for Japanese.

    Raises:
        UnavailableError: FONT_MISSING, naming font and package.
    """
    names = small.font_names(language)
    for name in names:
        try:
            return (_FONTS / name).read_bytes()
        except OSError:
            continue
    raise UnavailableError(
        "FONT_MISSING",
        f"The font {small.FONT_NAME}, needed to draw '{language}', is not at {_FONTS / names[0]}.",
        mend=f"Install the package {small.FONT_PACKAGE}, or give the device another surface.",
    )


@lru_cache(maxsize=1)
def _dummy() -> Any:
    """Return one dummy for all: luma registers each of its devices for the end of the process."""
    return dummy(width=small.WIDTH_PX, height=small.HEIGHT_PX, mode="1")


def _real(name: str) -> Any:
    """Return a screen of luma.oled on I2C."""
    try:
        driver = getattr(importlib.import_module("luma.oled.device"), name)
        serial = importlib.import_module("luma.core.interface.serial")
    except (ImportError, AttributeError):
        raise InputError(
            "DISPLAY_UNKNOWN",
            f"There is no display '{name}'.",
            mend=f"Take one of {', '.join(_DRIVERS)}, or install luma.oled for a real one.",
        ) from None
    try:
        return driver(serial.i2c(port=_I2C_PORT, address=_I2C_ADDRESS))
    except Exception as error:  # noqa: BLE001 - every board's driver has errors of its own
        raise UnavailableError(
            "DISPLAY_SILENT", f"The display '{name}' does not answer ({error}).", mend="Check its wiring."
        ) from None


_DRIVERS: Final[dict[str, Callable[[Path, TextIO | None, Sequence[str]], Display]]] = {
    "console": lambda folder, out, _: ConsoleDisplay(out or folder / "console.txt"),
    "ascii": lambda folder, out, _: ConsoleDisplay(out or folder / "console.txt", ascii_only=True),
    "png": lambda folder, _, languages: SmallDisplay(_dummy(), folder, languages),
    "led": lambda folder, _out, _languages: LedDisplay(folder / "led.txt"),
    "none": lambda _folder, _out, _languages: NoDisplay(),
}


def open_display(
    name: str, folder: Path, *, languages: Sequence[str] = (), out: TextIO | None = None
) -> Display:
    """Return a display by its name.

    Args:
        name: ``console``, ``ascii``, ``png``, ``led``, ``none``, or a driver of luma.oled.
        folder: the device's folder, for displays that are files.
        languages: the device's, so that a missing font is told at once.
        out: a stream for ``console`` and ``ascii``; without one it is a file.

    Raises:
        InputError: DISPLAY_UNKNOWN.
        UnavailableError: DISPLAY_SILENT.
    """
    if name in _DRIVERS:
        return _DRIVERS[name](folder, out, languages)
    return SmallDisplay(_real(name), None, languages)


def _write(path: Path, data: bytes) -> None:
    try:
        path.write_bytes(data)
    except OSError as error:
        raise _unwritable(path, error) from None


def _unwritable(path: Path, error: OSError) -> UnavailableError:
    return UnavailableError(
        "DISPLAY_WRITE",
        f"The display's file cannot be written ({error.strerror}).",
        mend="Check the disk's space and the folder's permissions.",
        where=str(path),
    )
