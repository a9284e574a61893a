"""One lamp: a file, a lamp that Linux drives, or a line of a GPIO chip.

What a lamp says is a pattern, ``colour rhythm``, of :mod:`advisories.render.led`. Linux blinks by itself (its
triggers ``pattern`` and ``timer``, Documentation/leds/ and Documentation/ABI/testing/sysfs-class-led); a GPIO
line is blinked here, step by step. A lamp of one colour leaves the colour out: the rhythms differ without it.
"""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import Callable
from itertools import groupby
from pathlib import Path
from typing import Any, Final, Protocol

from advisories.notice import Text
from advisories.render import led
from advisories.versions import Version
from device_sim.core.effects import Show
from device_sim.core.profile import Ability, Profile
from device_sim.display import Prompt, unknown, unwritable
from keys.errors import InputError, UnavailableError

ASKING: Final = "blue ##..##..##......"
"""A question waits for its owner."""
WORKING: Final = "blue #.."
"""A patch is being brought or installed: leave the power on."""
_LAMPS: Final = Path("/sys/class/leds")
_FULL: Final = 255
_STEPS_MAX: Final = 64


class Driver(Protocol):
    """Something that blinks."""

    def blink(self, pattern: str) -> None:
        """Show a pattern from now on; an empty one is dark (UnavailableError)."""
        ...


class Lamp:
    """A lamp as a display: the notice's pattern, or that of a question while one waits.

    Args:
        driver: what blinks.
    """

    remark = ""

    def __init__(self, driver: Driver) -> None:
        self._driver = driver
        self._notice = ""

    def able(self, text: Text) -> Ability:  # noqa: ARG002 - a lamp needs no letters
        """Blink for any text."""
        return Ability.WORDS

    def show(self, shown: Show, device: Profile, installed: Version) -> None:  # noqa: ARG002 - a lamp knows less
        """Blink in colour and rhythm of the notice's action."""
        self._notice = led.pattern(shown.notice.action)
        self._driver.blink(self._notice)

    def tell(self, prompt: Prompt | None) -> None:
        """Blink while a question waits or something is under way; then as before."""
        pattern = self._notice
        if prompt is not None and (prompt.waits or prompt.percent is not None):
            pattern = ASKING if prompt.waits else WORKING
        self._driver.blink(pattern)

    def turn(self) -> None:
        """Have no pages."""


class FileLamp:
    """The pattern as a line of a file, for whatever reads it (the simulator, a microcontroller's daemon)."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def blink(self, pattern: str) -> None:
        """Write the pattern."""
        _write(self._path, f"{pattern}\n" if pattern else "")


class SysfsLamp:
    """A lamp of ``/sys/class/leds``: the kernel blinks it, also while this process is busy or gone.

    Args:
        folder: the lamp's.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        try:
            self._full = int((folder / "max_brightness").read_text(encoding="ascii"))
            self._triggers = (folder / "trigger").read_text(encoding="ascii").replace("[", " ").split()
        except (OSError, ValueError) as error:
            raise _no_lamp(str(folder), error) from None
        self._triggers = [name.rstrip("]") for name in self._triggers]

    def blink(self, pattern: str) -> None:
        """Let the kernel blink: the whole rhythm where it can, else on and off in the rhythm's proportion."""
        rhythm = pattern.partition(" ")[2]
        spans = [(sign == "#", len([*run]) * led.STEP_MS) for sign, run in groupby(rhythm)]
        if "pattern" in self._triggers and spans:
            # Pairs of level and time; a pair of no time makes each step sharp instead of a slope.
            steps = " ".join(f"{self._full * on} {ms} {self._full * on} 0" for on, ms in spans)
            self._set("trigger", "pattern")
            self._set("pattern", steps)
        elif "timer" in self._triggers and spans:
            self._set("trigger", "timer")
            self._set("delay_on", str(sum(ms for on, ms in spans if on)))
            self._set("delay_off", str(sum(ms for on, ms in spans if not on)))
        else:
            self._set("trigger", "none")
            self._set("brightness", str(self._full if spans else 0))

    def _set(self, name: str, value: str) -> None:
        _write(self._folder / name, value)


class GpioLamp:
    """A line of a GPIO chip, blinked by this process's event loop.

    Args:
        set_line: lights it or not; raises OSError.
        where: for messages.
    """

    def __init__(self, set_line: Callable[[bool], None], where: str) -> None:
        self._set_line = set_line
        self._where = where
        self._rhythm = ""
        self._step = 0
        self._next: asyncio.TimerHandle | None = None

    def blink(self, pattern: str) -> None:
        """Begin a rhythm; its first step is made now, so that a line that is not there is told at once."""
        if self._next is not None:
            self._next.cancel()
            self._next = None
        self._rhythm, self._step = pattern.partition(" ")[2][:_STEPS_MAX], 0
        try:
            self._set_line(self._rhythm.startswith("#"))
        except OSError as error:
            raise _no_lamp(self._where, error) from None
        self._wait()

    def _wait(self) -> None:
        if self._rhythm:
            self._next = asyncio.get_running_loop().call_later(led.STEP_MS / 1000, self._beat)

    def _beat(self) -> None:
        before = self._rhythm[self._step]
        self._step = (self._step + 1) % len(self._rhythm)
        if (now := self._rhythm[self._step]) != before:
            try:
                self._set_line(now == "#")
            except OSError:
                return  # the next notice tells
        self._wait()


def driver(kind: str, argument: str, folder: Path, *, lamps: Path = _LAMPS) -> Driver:
    """Return what blinks.

    Args:
        kind: ``led``, ``lamp`` or ``gpio``.
        argument: a lamp's name or folder; ``CHIP:LINE`` such as ``/dev/gpiochip0:17``.
        folder: the device's folder.
        lamps: where Linux lists its lamps.

    Raises:
        InputError: DISPLAY_UNKNOWN, DISPLAY_ADDRESS.
        UnavailableError: DISPLAY_SILENT.
    """
    if kind == "led":
        return FileLamp(folder / "led.txt")
    if kind == "lamp":
        return SysfsLamp(lamps / (argument or "-"))  # a path that begins at the root stays what it is
    chip, _, line = argument.rpartition(":")
    if not chip or not line.isdecimal():
        mend = "Write it as gpio:CHIP:LINE, such as gpio:/dev/gpiochip0:17."
        raise InputError("DISPLAY_ADDRESS", f"'{argument}' is no line of a GPIO chip.", mend=mend)
    return GpioLamp(_line(chip, int(line)), argument)


def _line(chip: str, number: int) -> Callable[[bool], None]:
    """Take a line for ourselves, dark."""
    try:
        gpiod: Any = importlib.import_module("gpiod")
    except ImportError:
        raise unknown("gpio") from None
    try:
        settings = gpiod.LineSettings(direction=gpiod.line.Direction.OUTPUT)
        held = gpiod.request_lines(chip, consumer="tocsin", config={number: settings})
    except (OSError, ValueError) as error:
        raise _no_lamp(f"{chip}:{number}", error) from None
    values = {False: gpiod.line.Value.INACTIVE, True: gpiod.line.Value.ACTIVE}
    return lambda lit: held.set_value(number, values[lit])


def _no_lamp(where: str, error: Exception) -> UnavailableError:
    why = getattr(error, "strerror", None) or str(error)
    return UnavailableError(
        "DISPLAY_SILENT",
        f"The lamp cannot be used ({why}).",
        mend="Check its name and the rights of this user.",
        where=where,
    )


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="ascii")
    except OSError as error:
        raise unwritable(path, error) from None
