"""One thing that happened on a line, as every log, trace and test sees it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum


class Direction(Enum):
    """Which way bytes went."""

    TO_BOARD = "to-board"
    FROM_BOARD = "from-board"
    NONE = "none"
    """An event of the bench."""


class Kind(Enum):
    """What a record holds."""

    MESSAGE = "message"
    """A whole SMP message, unframed: header and CBOR."""
    TEXT = "text"
    """Console output, as it came; at most to the end of a line."""
    NOISE = "noise"
    """Bytes that began like a frame and were none, as they came."""
    EVENT = "event"
    """Power, reset, fault, open, close: ``note`` says what."""


@dataclass(frozen=True, slots=True)
class Record:
    """One record; ``data`` is empty in an event."""

    monotonic: float
    """Seconds of ``time.monotonic``."""
    utc: float
    """Seconds since 1970 by the bench's clock."""
    direction: Direction
    kind: Kind
    data: bytes = b""
    note: str = ""


Tap = Callable[[Record], None]
"""Somebody who is told of every record, on the thread that reads or sends it; it must not wait."""


@dataclass(frozen=True, slots=True)
class Shaped:
    """Bytes that a faulty line lets through, and when."""

    data: bytes
    at: float
    """Seconds of ``time.monotonic``; in the past or now means at once."""


Shaper = Callable[[Direction, bytes, float], list[Shaped]]
"""A faulty line: direction, bytes of one write or read, and monotonic time; returns what comes through."""
