"""Surfaces a device shows a notice on, each behind one name.

console         80 x 24 characters, to a stream or to ``console.txt`` in the device's folder
ascii           the same for a terminal that knows ASCII only; a stream with such an encoding is one by itself
png             the 128 x 64 screen, as ``screen-1.png``, ``screen-2.png``, ...
led             one lamp, as ``led.txt``
none            nothing to show on
fb:fb0          a framebuffer of Linux, as text; see :mod:`device_sim.displays.framebuffer`
lamp:NAME       a lamp that Linux lists in ``/sys/class/leds``; see :mod:`device_sim.displays.lamp`
gpio:CHIP:LINE  a lamp on a line of a GPIO chip, where the package gpiod is installed
ssd1306, sh1106, ...   a real screen on I2C, where the package luma.oled is installed

A driver is imported when it is opened: what a device does not have costs it no memory.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol, TextIO

from advisories.notice import Text
from advisories.render import bidi, console
from advisories.render.layout import clean, wrap
from advisories.render.plain import to_ascii
from advisories.states import Surface
from advisories.versions import Version, format_version
from device_sim.core.effects import Show
from device_sim.core.profile import Ability, Profile
from keys.errors import InputError, UnavailableError

NAMES: Final = ("console", "ascii", "png", "led", "none", "fb:FB", "lamp:NAME", "gpio:CHIP:LINE")
BY_SURFACE: Final = {
    Surface.CONSOLE: "console",
    Surface.SCREEN: "png",
    Surface.LED: "led",
    Surface.COMPANION: "none",
    Surface.NONE: "none",
}
"""The display that a simulated device has for its surface."""


@dataclass(frozen=True, slots=True)
class Prompt:
    """What a device says beside its notices: a question, an announcement, or how far it has come."""

    title: str
    lines: tuple[str, ...] = ()
    """Paragraphs, the most important one first: a small surface shows no more than fits."""
    language: str = "en"
    waits: bool = False
    """The owner is to answer."""
    percent: int | None = None
    """How far it has come; None where nothing is under way."""


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


class Speaking(Display, Protocol):
    """A display that can also say what the device says by itself."""

    def tell(self, prompt: Prompt | None) -> None:
        """Show a prompt as long as it holds; None: there is none any more (UnavailableError)."""
        ...

    def turn(self) -> None:
        """Some seconds have gone by: show the next page, where there are several (UnavailableError)."""
        ...


class NoDisplay:
    """A device that cannot show anything, or whose screen nobody looks at."""

    remark = ""

    def able(self, text: Text) -> Ability:  # noqa: ARG002 - nobody looks
        """Leave the choice of a text to others."""
        return Ability.WORDS

    def show(self, shown: Show, device: Profile, installed: Version) -> None:
        """Draw nothing."""

    def tell(self, prompt: Prompt | None) -> None:
        """Say nothing."""

    def turn(self) -> None:
        """Have no pages."""


class LateDisplay:
    """A display that is not there yet: it is opened when there is something to show, and again after that.

    Args:
        opened: opens it, or raises UnavailableError.
    """

    remark = ""

    def __init__(self, opened: Callable[[], Speaking]) -> None:
        self._opened = opened
        self._display: Speaking | None = None

    def able(self, text: Text) -> Ability:
        """Take any text until it is known what the display can do; showing it tells."""
        return self._display.able(text) if self._display is not None else Ability.WORDS

    def show(self, shown: Show, device: Profile, installed: Version) -> None:
        """Draw on it, once it is there."""
        self._here().show(shown, device, installed)

    def tell(self, prompt: Prompt | None) -> None:
        """Say it, once it is there."""
        self._here().tell(prompt)

    def turn(self) -> None:
        """Turn its page, if it is there."""
        if self._display is not None:
            self._display.turn()

    def _here(self) -> Speaking:
        if self._display is None:
            self._display = self._opened()
        return self._display


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
        self._screen = ""
        self._told: Prompt | None = None

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
        self._screen = "\n".join(lines) + "\n"
        self._write(self._screen)

    def tell(self, prompt: Prompt | None) -> None:
        """Write it below the notice; on a stream, only what is new."""
        if prompt == self._told and not isinstance(self._out, Path):
            return
        self._told = prompt
        self._write("" if prompt is None else "\n".join(prompted(prompt, ascii_only=self._ascii_only)) + "\n")

    def turn(self) -> None:
        """Everything is on one page."""

    def _write(self, text: str) -> None:
        if isinstance(self._out, Path):
            below = text if text != self._screen else ""
            _write(self._out, (self._screen + below).encode())
        elif text:
            self._out.write(text)
            self._out.flush()


def prompted(prompt: Prompt, *, width: int = console.WIDTH, ascii_only: bool = False) -> list[str]:
    """Return a prompt as lines of at most ``width`` columns, without what could steer a terminal."""
    lines = [f"== {clean(prompt.title)} =="]
    for part in prompt.lines:
        said = to_ascii(part, prompt.language) if ascii_only else part
        lines += [bidi.visual(line) if bidi.is_from_right(line) else line for line in wrap(said or "", width)]
    return lines


def _has_all_letters(out: TextIO | Path) -> bool:
    """Say whether a stream can carry any letter; a file here always is UTF-8."""
    encoding = "utf-8" if isinstance(out, Path) else getattr(out, "encoding", None) or "utf-8"
    try:
        "\u00e9\u65e5\u0639".encode(encoding)
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def open_display(
    name: str, folder: Path, *, languages: Sequence[str] = (), out: TextIO | None = None
) -> Speaking:
    """Return a display by its name.

    Args:
        name: as this module's first lines list them; what follows a colon is for the driver.
        folder: the device's folder, for displays that are files.
        languages: the device's, so that a missing font is told at once.
        out: a stream for ``console`` and ``ascii``; without one it is a file.

    Raises:
        InputError: DISPLAY_UNKNOWN, DISPLAY_ADDRESS.
        UnavailableError: DISPLAY_SILENT.
    """
    kind, _, argument = name.partition(":")
    match kind:
        case "none":
            return NoDisplay()
        case "console" | "ascii":
            return ConsoleDisplay(out or folder / "console.txt", ascii_only=kind == "ascii")
        case "led" | "lamp" | "gpio":
            from device_sim.displays import lamp  # noqa: PLC0415 - see the module's first lines

            return lamp.Lamp(lamp.driver(kind, argument, folder))
        case "fb":
            from device_sim.displays import framebuffer  # noqa: PLC0415 - the same

            return framebuffer.Framebuffer(framebuffer.find(argument), languages)
        case _:
            return _small(kind, argument, folder, languages)


def _small(kind: str, argument: str, folder: Path, languages: Sequence[str]) -> Speaking:
    if not kind.isidentifier():
        raise unknown(kind)
    try:
        from device_sim.displays import small  # noqa: PLC0415 - the same
    except ImportError:
        raise unknown(kind) from None
    if kind == "png":
        return small.SmallDisplay(small.imitation(), folder, languages)
    return small.SmallDisplay(small.oled(kind, argument), None, languages)


def unknown(name: str) -> InputError:
    """Return what to say of a display that is none, or whose driver is not installed."""
    return InputError(
        "DISPLAY_UNKNOWN",
        f"There is no display '{name}'.",
        mend=f"Take one of {', '.join(NAMES)}, or install luma.oled for a real one.",
    )


def _write(path: Path, data: bytes) -> None:
    try:
        path.write_bytes(data)
    except OSError as error:
        raise unwritable(path, error) from None


def unwritable(path: Path, error: OSError) -> UnavailableError:
    """Return what to say of a surface that does not take what is drawn."""
    return UnavailableError(
        "DISPLAY_WRITE",
        f"The display's file cannot be written ({error.strerror}).",
        mend="Check the disk's space and the folder's permissions.",
        where=str(path),
    )
