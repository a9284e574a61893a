"""Firmware versions and ranges: MCUboot's four numbers, and the half-open ranges built on them.

>>> contains(parse_range(">=1.0.0 <1.4.2"), parse_version("1.4.1"))
True
"""

from __future__ import annotations

import re

from keys.codec import Shape, nullable, row, uint

Version = tuple[int, int, int, int]
"""major, minor, revision, build: 8, 8, 16 and 32 bits, as in an MCUboot image header."""

Range = tuple[Version | None, Version | None]
"""From (inclusive, None = from the first) to (exclusive, None = without end)."""

_BITS = (8, 8, 16, 32)
_VERSION = re.compile(r"([0-9]{1,3})\.([0-9]{1,3})\.([0-9]{1,5})(?:\+([0-9]{1,10}))?")
_BOUND = re.compile(r"(>=|<=|<|=)?\s*(\S+)")

VERSION: Shape = row(*(uint(2**bits - 1) for bits in _BITS))
RANGE: Shape = row(nullable(VERSION), nullable(VERSION))


def parse_version(text: str) -> Version:
    """Read ``1.2.3`` or ``1.2.3+4``.

    Raises:
        ValueError: saying what is wrong.
    """
    match = _VERSION.fullmatch(text)
    numbers = tuple(int(part or 0) for part in match.groups()) if match else ()
    if not numbers or any(n >= 2**bits for n, bits in zip(numbers, _BITS, strict=True)):
        raise ValueError(f"'{text}' is not a version like 1.2.3 or 1.2.3+4")
    return numbers  # type: ignore[return-value]


def format_version(version: Version) -> str:
    """Write a version as :func:`parse_version` reads it; a build of 0 is left out."""
    major, minor, revision, build = version
    return f"{major}.{minor}.{revision}" + (f"+{build}" if build else "")


def parse_range(text: str) -> Range:
    """Read ``>=1.0.0 <1.4.2``, ``<1.4.2``, ``<=1.4.1``, ``>=2.0.0``, ``=1.3.0`` or ``*``.

    Raises:
        ValueError: saying what is wrong.
    """
    if text.strip() == "*":
        return (None, None)
    low: Version | None = None
    high: Version | None = None
    rest = re.sub(r"(>=|<=|<|=)\s+", r"\1", text).split()
    for part in rest:
        match = _BOUND.fullmatch(part)
        assert match is not None
        operator, bound = match.group(1) or "=", parse_version(match.group(2))
        if operator in {">=", "="}:
            if low is not None:
                raise ValueError(f"'{text}' has two lower bounds")
            low = bound
        if operator in {"<", "<=", "="}:
            if high is not None:
                raise ValueError(f"'{text}' has two upper bounds")
            high = bound if operator == "<" else _next(bound)
    if not rest or (low is not None and high is not None and low >= high):
        raise ValueError(f"'{text}' is an empty range")
    return (low, high)


def format_range(bounds: Range) -> str:
    """Write a range as :func:`parse_range` reads it."""
    low, high = bounds
    parts = [f">={format_version(low)}"] if low is not None else []
    parts += [f"<{format_version(high)}"] if high is not None else []
    return " ".join(parts) or "*"


def contains(bounds: Range, version: Version) -> bool:
    """Say whether ``version`` lies in the range."""
    low, high = bounds
    return (low is None or low <= version) and (high is None or version < high)


def _next(version: Version) -> Version | None:
    """Return the version after this one; None after the very last, for then there is no end."""
    number = 0
    for part, bits in zip(version, _BITS, strict=True):
        number = number << bits | part
    number += 1
    if number == 2 ** sum(_BITS):
        return None
    parts = []
    for bits in reversed(_BITS):
        parts.append(number & (2**bits - 1))
        number >>= bits
    build, revision, minor, major = parts
    return (major, minor, revision, build)
