"""``device.toml``: what a device is, as a file that its owner can read and edit."""

from __future__ import annotations

import json
import re
import shlex
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import fields
from datetime import UTC, tzinfo
from functools import lru_cache
from typing import Any, Final

from advisories.limits import (
    ID_BYTES_MAX,
    LANGUAGE_BYTES_MAX,
    PAYLOAD_BYTES_MAX,
    TOPIC_BYTES_MAX,
    TOPIC_SLASHES_MAX,
)
from advisories.states import Surface
from advisories.topics import DEFAULT_PREFIX, Topics, is_id
from device_sim.board import BOARD_KEYS, Board
from device_sim.core.limits import COMPONENTS_MAX
from device_sim.core.profile import ALL_DAYS, AutoConsent, Platform, Profile, Window
from device_sim.homeassistant.settings import Settings, write_settings
from keys.errors import InputError

_REQUIRED: Final = frozenset({"id", "product", "vendor_id", "class_id"})
_PREFIX: Final = re.compile(r"[A-Za-z0-9._-]+(/[A-Za-z0-9._-]+)*")
_LANGUAGE: Final = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*")
_SPAN: Final = "[a-z]{3}(?:-[a-z]{3})?"
_TIME: Final = "[0-9]{2}:[0-5][0-9]"
_WINDOW: Final = re.compile(f"(?:(?P<days>{_SPAN}(?:,{_SPAN})*) )?(?P<start>{_TIME})-(?P<end>{_TIME})")
_DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_WINDOWS_MAX: Final = 16
_MINUTES: Final = 1_440  # of a day


@lru_cache(maxsize=256, typed=True)  # True and 1 are equal, and not the same
def _shared(value: Any) -> Any:
    """Return one object for equal values: ten thousand devices have few languages and products."""
    return value


def _id(value: Any) -> str:
    if not isinstance(value, str) or not is_id(value):
        raise ValueError("letters, digits, dot, underscore and hyphen")
    return value


def _hex16(value: Any) -> bytes:
    if not isinstance(value, str) or not re.fullmatch(r"[0-9a-fA-F]{32}", value):
        raise ValueError("32 hexadecimal digits")
    return bytes.fromhex(value)


def _languages(value: Any) -> tuple[str, ...]:
    if (
        not isinstance(value, list)
        or not value
        or not all(
            isinstance(tag, str) and len(tag) <= LANGUAGE_BYTES_MAX and _LANGUAGE.fullmatch(tag)
            for tag in value
        )
    ):
        raise ValueError('a list of language tags, the preferred one first, such as ["de", "en"]')
    return tuple(value)


def _surface(value: Any) -> Surface:
    names = [surface.name.lower() for surface in Surface]
    if value not in names:
        raise ValueError("one of " + ", ".join(names))
    return Surface[value.upper()]


def _auto_consent(value: Any) -> AutoConsent:
    if isinstance(value, bool):  # as it was written before there was more than yes and no
        return AutoConsent.ALWAYS if value else AutoConsent.NEVER
    names = [wish.value for wish in AutoConsent]
    if value not in names:
        raise ValueError("one of " + ", ".join(names))
    return AutoConsent(value)


def _platform(value: Any) -> Platform:
    names = [platform.value for platform in Platform]
    if value not in names:
        raise ValueError("one of " + ", ".join(names))
    return Platform(value)


def _zone(value: Any) -> tzinfo:
    if value == "UTC":
        return UTC
    import zoneinfo  # noqa: PLC0415 - most devices have no zone of their own

    try:
        return zoneinfo.ZoneInfo(value)
    except (OSError, TypeError, ValueError, zoneinfo.ZoneInfoNotFoundError):
        raise ValueError('a time zone that this system knows, such as "Europe/Vienna"') from None


def _windows(value: Any) -> tuple[Window, ...]:
    wanted = ValueError(
        'a list of times with or without days, such as ["02:00-05:00", "mon-fri,sun 22:00-06:00"]'
    )
    if not isinstance(value, list) or len(value) > _WINDOWS_MAX:
        raise wanted
    found = []
    for one in value:
        match = _WINDOW.fullmatch(one) if isinstance(one, str) else None
        if match is None:
            raise wanted
        start, end = (int(match[name][:2]) * 60 + int(match[name][3:]) for name in ("start", "end"))
        days = [day.split("-") for day in (match["days"] or "mon-sun").split(",")]
        if start >= _MINUTES or end > _MINUTES or not {name for span in days for name in span} <= {*_DAYS}:
            raise wanted
        found.append(Window(start, end, frozenset(day for span in days for day in _span(span[0], span[-1]))))
    return tuple(found)


def _span(first: str, last: str) -> Iterator[int]:
    """Yield the days from one to another, which may lie in the next week."""
    begin = _DAYS.index(first)
    for day in range((_DAYS.index(last) - begin) % 7 + 1):
        yield (begin + day) % 7


def _components(value: Any) -> tuple[tuple[bytes, ...], ...]:
    wanted = ValueError('a list of component identifiers, each a list of hexadecimal parts, such as [["00"]]')
    if not isinstance(value, list) or not 0 < len(value) <= COMPONENTS_MAX:
        raise wanted
    if not all(
        isinstance(path, list) and path and all(isinstance(part, str) for part in path) for path in value
    ):
        raise wanted
    try:
        found = tuple(tuple(bytes.fromhex(part) for part in path) for path in value)
    except ValueError:
        raise wanted from None
    if len({*found}) != len(found):
        raise ValueError("each component once")
    return found


def _yes_or_no(value: Any) -> bool:
    if value is True or value is False:
        return value
    raise ValueError("true or false")


def _artefacts(value: Any) -> str:
    if not isinstance(value, str) or not re.fullmatch(r"https://[!-~]{1,200}", value):
        raise ValueError("an address that begins with https://")
    return value.rstrip("/") + "/"


def _number(low: int, high: int) -> Callable[[Any], int]:
    def read(value: Any) -> int:
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
            raise ValueError(f"a number from {low} to {high}")
        return value

    return read


def _topics(value: Any) -> Topics:
    # The longest topic below it, a text's, has four slashes more than the prefix, and two ids.
    room = TOPIC_BYTES_MAX - 2 * ID_BYTES_MAX - LANGUAGE_BYTES_MAX - len("/text///")
    if not isinstance(value, str) or not _PREFIX.fullmatch(value) or len(value) > room:
        raise ValueError(f"topic levels joined by slashes, such as {DEFAULT_PREFIX}")
    if value.count("/") > TOPIC_SLASHES_MAX - 4:
        raise ValueError(f"at most {TOPIC_SLASHES_MAX - 3} levels, such as {DEFAULT_PREFIX}")
    return Topics(value)


_KEYS: Final[dict[str, tuple[str, Callable[[Any], Any]]]] = {
    "id": ("id", _id),
    "product": ("product", _id),
    "vendor_id": ("vendor_id", _hex16),
    "class_id": ("class_id", _hex16),
    "languages": ("languages", _languages),
    "surface": ("surface", _surface),
    "auto_consent": ("auto_consent", _auto_consent),
    "defer_max": ("defer_max", _number(0, 255)),
    "defer_seconds": ("defer_seconds", _number(1, 31_536_000)),
    "prefix": ("topics", _topics),
    "slot_bytes": ("slot_bytes", _number(1, PAYLOAD_BYTES_MAX)),
    "zone": ("zone", _zone),
    "windows": ("windows", _windows),
    "battery_min": ("battery_min", _number(0, 100)),
    "platform": ("platform", _platform),
    "artefacts": ("artefacts", _artefacts),
    "components": ("components", _components),
    "delta": ("delta", _yes_or_no),
    "rate": ("rate", _number(1, PAYLOAD_BYTES_MAX)),
}
"""Key in the file -> field of the profile, and how its value is read."""


def read_profile(text: str, *, where: str) -> Profile:
    """Read a profile strictly, as :func:`read_device` does."""
    return read_device(text, where=where)[0]


def read_device(text: str, *, where: str) -> tuple[Profile, Board]:
    """Read what a device is and what is around it: an unknown or misspelt key is an error.

    Raises:
        InputError: DEVICE_TOML, with file and line.
    """
    try:
        table = tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # too many digits, or nested without an end, too
        found = re.search(r"at line (\d+)", str(error))
        place = f"{where}:{found.group(1)}" if found else where
        known = isinstance(error, tomllib.TOMLDecodeError)
        message = re.sub(r" \(at .*\)$", "", str(error)) if known else "a value is too large"
        raise InputError(
            "DEVICE_TOML", f"This is not TOML: {message}.", mend="Correct the line.", where=place
        ) from None
    values: dict[str, Any] = {}
    around: dict[str, Any] = {}
    for name, value in table.items():
        place = f"{where}:{_line(text, name)}"
        try:
            if name in BOARD_KEYS:
                around[name] = BOARD_KEYS[name](value)
            elif name in _KEYS:
                field, read = _KEYS[name]
                values[field] = _shared(read(value))
            else:
                raise _unknown(name, place)
        except ValueError as error:
            raise InputError(
                "DEVICE_TOML", f"The value of '{name}' is wrong.", mend=f"Write {error}.", where=place
            ) from None
    missing = sorted(_REQUIRED - table.keys())
    if missing:
        raise InputError("DEVICE_TOML", f"The key '{missing[0]}' is missing.", mend="Add it.", where=where)
    return Profile(**values), Board(**around)


def _unknown(name: str, place: str) -> InputError:
    import difflib  # noqa: PLC0415 - a device that is set up right never needs it

    known = [*_KEYS, *BOARD_KEYS]
    near = difflib.get_close_matches(name, known, 1)
    mend = f"Did you mean '{near[0]}'?" if near else f"Known keys: {', '.join(known)}."
    return InputError("DEVICE_TOML", f"The key '{name}' is unknown.", mend=mend, where=place)


def _line(text: str, name: str) -> int:
    """Return the line on which a top-level key or table stands (1 when it cannot be told)."""
    pattern = re.compile(rf"""\s*\[*\s*["']?{re.escape(name)}["']?\s*[\].=]""")
    return next((number for number, line in enumerate(text.splitlines(), 1) if pattern.match(line)), 1)


def write_profile(profile: Profile, board: Board | None = None) -> str:
    """Write what a device is, and what is around it, as :func:`read_device` reads them."""
    languages = ", ".join(json.dumps(tag) for tag in profile.languages)
    return f"""\
# What this device is.
id = {json.dumps(profile.id)}
product = {json.dumps(profile.product)}
vendor_id = "{profile.vendor_id.hex()}"
class_id = "{profile.class_id.hex()}"
slot_bytes = {profile.slot_bytes}
prefix = {json.dumps(profile.topics.prefix)}
{_others(profile, ("platform", "artefacts", "components", "delta", "rate"))}
# What it can show, and what its owner wishes.
languages = [{languages}]
surface = "{profile.surface.name.lower()}"
auto_consent = "{profile.auto_consent.value}"
defer_max = {profile.defer_max}
defer_seconds = {profile.defer_seconds}
{_others(profile, ("zone", "windows", "battery_min"))}{_around(board) if board is not None else ""}"""


def _others(profile: Profile, names: tuple[str, ...]) -> str:
    """Write what most devices leave as it is."""
    usual = Profile(id="-", product="-", vendor_id=bytes(16), class_id=bytes(16))
    lines = []
    for name in names:
        value = getattr(profile, name)
        if value == getattr(usual, name):
            continue
        lines.append(f"{name} = {_WRITTEN[name](value)}\n")
    return "".join(lines)


def _written(window: Window) -> str:
    """Write a window as it is read, its days in runs."""
    times = "-".join(f"{minute // 60:02}:{minute % 60:02}" for minute in (window.start, window.end))
    if window.days == ALL_DAYS:
        return times
    runs: list[list[str]] = []
    for day in range(7):
        if day in window.days:
            runs.append([*runs.pop(), _DAYS[day]] if day - 1 in window.days else [_DAYS[day]])
    return f"{','.join('-'.join(dict.fromkeys((run[0], run[-1]))) for run in runs)} {times}"


_WRITTEN: Final[dict[str, Callable[[Any], str]]] = {
    "rate": str,
    "platform": lambda platform: json.dumps(platform.value),
    "artefacts": json.dumps,
    "components": lambda found: json.dumps([[part.hex() for part in path] for path in found]),
    "delta": json.dumps,
    "zone": lambda zone: json.dumps(str(zone)),
    "windows": lambda windows: json.dumps([_written(window) for window in windows]),
    "battery_min": str,
}
"""How a value is written that most devices leave as it is."""


def _around(board: Board) -> str:
    """Write what is around a device, as far as something is."""
    lines = []
    for field in fields(board):
        value = getattr(board, field.name)
        if value != field.default and not isinstance(value, Settings):
            text = shlex.join(value) if isinstance(value, tuple) else str(value)
            lines.append(f"{field.name} = {value if isinstance(value, int) else json.dumps(text)}\n")
    around = "\n# What is around it.\n" + "".join(lines) if lines else ""
    return around + (write_settings(board.home_assistant) if board.home_assistant is not None else "")
