"""What goes between the bridge's core and its shell: what the board says, and what the core asks for."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Identity:
    """What the bridge needs of the board's ``info``."""

    id: str
    boot: bytes
    filters: tuple[str, ...]
    max: int
    """Bytes of the largest message that it takes."""


@dataclass(frozen=True, slots=True)
class Saying:
    """One thing that the board wants said; kinds are those of ``notifier.report``."""

    number: int
    kind: int
    topic: str
    data: bytes = b""


@dataclass(frozen=True, slots=True)
class Acknowledge:
    """Send the PUBACK of a message."""

    token: int


@dataclass(frozen=True, slots=True)
class Publish:
    """Publish with QoS 1, not retained; the PUBACK goes to ``Core.said``."""

    number: int
    topic: str
    payload: bytes


@dataclass(frozen=True, slots=True)
class Subscribe:
    """Subscribe; the SUBACK goes to ``Core.said``, or to ``Core.granted`` where ``number`` is 0."""

    number: int
    filters: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Unsubscribe:
    """Unsubscribe; the UNSUBACK goes to ``Core.said``, and nobody waits for it where ``number`` is 0."""

    number: int
    filters: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Hangup:
    """Close the connection and come back: the broker brings again what is not acknowledged."""

    why: str


@dataclass(frozen=True, slots=True)
class Event:
    """What an onlooker may want to see."""

    kind: str
    """to-board, to-broker, subscribe, unsubscribe, boot, carrier, line, broker or note."""
    topic: str = ""
    size: int = 0
    """Bytes of the payload."""
    text: str = ""
    """A verdict's name, or one clear sentence without its full stop."""


Effect = Acknowledge | Publish | Subscribe | Unsubscribe | Hangup | Event
