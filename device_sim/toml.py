"""``device.toml``: what a device is, as a file that its owner can read and edit."""

from __future__ import annotations

import difflib
import json
import re
import tomllib
from collections.abc import Callable
from functools import lru_cache
from typing import Any, Final

from advisories.limits import ID_BYTES_MAX, LANGUAGE_BYTES_MAX, TOPIC_BYTES_MAX, TOPIC_SLASHES_MAX
from advisories.states import Surface
from advisories.topics import DEFAULT_PREFIX, Topics, is_id
from device_sim.core.profile import AutoConsent, Profile
from keys.errors import InputError

_REQUIRED: Final = frozenset({"id", "product", "vendor_id", "class_id"})
_PREFIX: Final = re.compile(r"[A-Za-z0-9._-]+(/[A-Za-z0-9._-]+)*")
_LANGUAGE: Final = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*")


@lru_cache(maxsize=256)
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
    names = [wish.value for wish in AutoConsent]
    if value not in names:
        raise ValueError("one of " + ", ".join(names))
    return AutoConsent(value)


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
    "slot_bytes": ("slot_bytes", _number(1, 2**31 - 1)),
}
"""Key in the file -> field of the profile, and how its value is read."""


def read_profile(text: str, *, where: str) -> Profile:
    """Read a profile strictly: an unknown or misspelt key is an error.

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
    for name, value in table.items():
        place = f"{where}:{_line(text, name)}"
        if name not in _KEYS:
            near = difflib.get_close_matches(name, _KEYS, 1)
            mend = f"Did you mean '{near[0]}'?" if near else f"Known keys: {', '.join(_KEYS)}."
            raise InputError("DEVICE_TOML", f"The key '{name}' is unknown.", mend=mend, where=place)
        field, read = _KEYS[name]
        try:
            values[field] = _shared(read(value))
        except ValueError as error:
            raise InputError(
                "DEVICE_TOML", f"The value of '{name}' is wrong.", mend=f"Write {error}.", where=place
            ) from None
    missing = sorted(_REQUIRED - table.keys())
    if missing:
        raise InputError("DEVICE_TOML", f"The key '{missing[0]}' is missing.", mend="Add it.", where=where)
    return Profile(**values)


def _line(text: str, name: str) -> int:
    """Return the line on which a top-level key or table stands (1 when it cannot be told)."""
    pattern = re.compile(rf"""\s*\[*\s*["']?{re.escape(name)}["']?\s*[\].=]""")
    return next((number for number, line in enumerate(text.splitlines(), 1) if pattern.match(line)), 1)


def write_profile(profile: Profile) -> str:
    """Write a profile as :func:`read_profile` reads it."""
    languages = ", ".join(json.dumps(tag) for tag in profile.languages)
    return f"""\
# What this device is.
id = {json.dumps(profile.id)}
product = {json.dumps(profile.product)}
vendor_id = "{profile.vendor_id.hex()}"
class_id = "{profile.class_id.hex()}"
slot_bytes = {profile.slot_bytes}
prefix = {json.dumps(profile.topics.prefix)}

# What it can show, and what its owner wishes.
languages = [{languages}]
surface = "{profile.surface.name.lower()}"
auto_consent = "{profile.auto_consent.value}"
defer_max = {profile.defer_max}
defer_seconds = {profile.defer_seconds}
"""
