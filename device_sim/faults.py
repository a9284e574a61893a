"""Scripted trouble: what a simulated device or its owner does differently from a good one."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, fields, replace


@dataclass(frozen=True, slots=True, kw_only=True)
class Behaviour:
    """One device's script; the default does everything right."""

    offline_until: asyncio.Event | None = None
    """Set: not connected before this event."""
    breaks_block: int | None = None
    """Which written block of firmware (1, 2, 3, ...) is damaged on its way to flash, once in a life."""
    fails_self_test: bool = False
    """The product's own test of a new image says no, always."""
    defers: int = 0
    """How many times the owner puts a patch off before agreeing."""
    declines: bool = False
    """The owner says no."""

    def __or__(self, other: Behaviour) -> Behaviour:
        """Return both scripts in one; where both say something, ``other`` wins."""
        changed = {
            field.name: getattr(other, field.name)
            for field in fields(other)
            if getattr(other, field.name) != field.default
        }
        return replace(self, **changed)


GOOD = Behaviour()
"""Connects, shows, acknowledges, consents, installs and passes its test."""


def offline_until(event: asyncio.Event) -> Behaviour:
    """Stay away until somebody sets ``event``."""
    return Behaviour(offline_until=event)


def breaks_download(block: int = 1) -> Behaviour:
    """Damage one byte of the ``block``-th block that is written, once."""
    return Behaviour(breaks_block=block)


def fails_self_test() -> Behaviour:
    """Fail the self-test of every new image, so that the device goes back."""
    return Behaviour(fails_self_test=True)


def defers(times: int) -> Behaviour:
    """Put a patch off ``times`` times, then agree."""
    return Behaviour(defers=times)


def declines() -> Behaviour:
    """Say no to every patch."""
    return Behaviour(declines=True)


def damaged(data: bytes) -> bytes:
    """Return ``data`` with one bit of its first byte turned."""
    return bytes([data[0] ^ 1]) + data[1:]
