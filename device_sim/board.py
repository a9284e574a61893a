"""What ``device.toml`` says of a real board: how it reaches the gateway, and what it has around the core.

Nothing here is told to anybody, and no message changes it; it is for the shell alone.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from device_sim.homeassistant.settings import Settings, read_settings

_NAME: Final = re.compile(r"[A-Za-z0-9._-]{1,64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Board:
    """A board's surroundings; whatever is left out is not there."""

    broker: str | None = None
    """``mqtts://HOST:PORT``; the command line may name another."""
    gateway: str | None = None
    """``https://`` address to poll instead."""
    poll_seconds: int = 60
    display: str = ""
    """As :func:`device_sim.display.open_display` takes it; empty: by the device's surface."""
    installer: Path | None = None
    """The platform's updater as a program; see :mod:`device_sim.installer`."""
    installer_seconds: int = 3600
    """How long it may take for an install."""
    version_file: Path | None = None
    """Where the version of what runs is written, such as ``/etc/os-release``."""
    version_key: str = ""
    """``KEY`` of a line ``KEY=value`` in it; empty: its first line is the version."""
    version_command: tuple[str, ...] = ()
    """A program that prints the version, and its arguments."""
    battery: str = ""
    """Name in ``/sys/class/power_supply``; empty: the first battery there is."""
    busy_file: Path | None = None
    """While this file is there, the device must not be interrupted."""
    busy_command: tuple[str, ...] = ()
    """A program that exits with 0 while the device must not be interrupted."""
    group: str = ""
    """Members of this group may answer for the owner, beside the user whom the device runs as."""
    home_assistant: Settings | None = None
    """What the home that it stands in is told; None: nothing."""


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value or not value.isprintable():
        raise ValueError("a text in quotes")
    return value


def _name(value: Any) -> str:
    if not isinstance(value, str) or not _NAME.fullmatch(value):
        raise ValueError("letters, digits, dot, underscore and hyphen")
    return value


def _path(value: Any) -> Path:
    if not isinstance(value, str) or not value.startswith("/") or "\0" in value:
        raise ValueError("a path that begins with a slash")
    return Path(value)


def _command(value: Any) -> tuple[str, ...]:
    """Split as a shell would, without one: nothing is expanded."""
    try:
        parts = tuple(shlex.split(value))
    except (AttributeError, TypeError, ValueError):
        parts = ()
    if not parts or not parts[0].startswith("/") or any("\0" in part for part in parts):
        raise ValueError("a program's path that begins with a slash, and its arguments")
    return parts


def _seconds(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= 86_400:
        raise ValueError("a number from 1 to 86400")
    return value


BOARD_KEYS: Final[dict[str, Callable[[Any], Any]]] = {
    "broker": _text,
    "gateway": _text,
    "poll_seconds": _seconds,
    "display": _text,
    "installer": _path,
    "installer_seconds": _seconds,
    "version_file": _path,
    "version_key": _name,
    "version_command": _command,
    "battery": _name,
    "busy_file": _path,
    "busy_command": _command,
    "group": _name,
    "home_assistant": read_settings,
}
"""Key in the file, which is the field's name, and how its value is read."""
