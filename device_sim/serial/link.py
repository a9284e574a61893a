"""A link without a network: the bench takes what the device wants said, and brings what is said to it.

Whether messages go out is for the bench to say (:meth:`SerialLink.carrier`). While they do, publishes and
changes of subscriptions wait in a short queue; while they do not, nothing is kept: the core repeats what
no receipt covers.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from keys.errors import TocsinError

QUEUE_MAX: Final = 64
"""Messages that wait to be taken; a full queue takes no more, and the core repeats later."""


class Kind(IntEnum):
    """What the device wants done."""

    PUBLISH = 0
    """With QoS 1, never retained."""
    SUBSCRIBE = 1
    UNSUBSCRIBE = 2


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One thing that waits to be taken."""

    number: int
    """Counts from 1 in one boot."""
    kind: Kind
    topic: str
    """Topic, or filter."""
    data: bytes = b""


class SerialLink:
    """The shell's link, with its other end on the serial line.

    Args:
        on_drop: told when the shell restarts the device, before it boots.
    """

    def __init__(self, on_drop: Callable[[], None]) -> None:
        self._on_drop = on_drop
        self._filters: dict[str, None] = {}
        self._waiting: deque[Outgoing] = deque()
        self._numbered = 0
        self._taken = 0
        """Highest number that somebody has read in this boot."""
        self.connected = False
        self.lost = 0
        """Messages that found the queue full."""
        self.on_connect: Callable[[bool], None] | None = None
        self.on_disconnect: Callable[[str], None] | None = None
        self.on_message: Callable[[str, bytes], None] | None = None
        self.on_failure: Callable[[Exception], None] | None = None

    @property
    def filters(self) -> tuple[str, ...]:
        """What the device listens to now."""
        return tuple(self._filters)

    # The shell's side.

    async def connect(self) -> None:
        """Wait for the bench to say that the way is open: there is nothing to dial."""

    def connect_later(self, delay: float = 0.0) -> None:
        """Do nothing: the bench says when."""

    def start_over(self, *filters: str) -> None:
        """Listen to exactly these."""
        self._filters = dict.fromkeys(filters)

    def subscribe(self, *filters: str) -> None:
        """Listen to these too."""
        for name in filters:
            if name not in self._filters:
                self._filters[name] = None
                self._put(Kind.SUBSCRIBE, name)

    def unsubscribe(self, *filters: str) -> None:
        """Listen to these no longer."""
        for name in filters:
            if name in self._filters:
                del self._filters[name]
                self._put(Kind.UNSUBSCRIBE, name)

    def publish(self, topic: str, payload: bytes) -> bool:
        """Queue a message; False when it was not taken."""
        return self._put(Kind.PUBLISH, topic, payload)

    def drop(self, pause_s: float = 0.0) -> None:  # noqa: ARG002 - the board is back as soon as it has booted
        """Forget everything, as a restart does; the bench must say anew that the way is open."""
        self.forget()
        self._on_drop()

    def give_up(self, error: Exception) -> None:
        """Tell ``on_failure`` why the device stops."""
        self.connected = False
        if self.on_failure is not None:
            self.on_failure(error)

    async def close(self) -> None:
        """Stay away."""
        self.forget()

    # The line's side.

    def forget(self) -> None:
        """Lose what a reset loses."""
        self.connected = False
        self._waiting.clear()
        self._numbered = self._taken = 0

    def carrier(self, *, up: bool) -> None:
        """Say whether the way is open; said again while it is, it is another connection."""
        if self.connected:
            self.connected = False
            self._waiting.clear()
            self._guarded(lambda: self.on_disconnect and self.on_disconnect("the carrier is gone"))
        if up:
            self.connected = True
            self._guarded(lambda: self.on_connect and self.on_connect(False))

    def deliver(self, topic: str, payload: bytes) -> None:
        """Hand over a message as if it had come on this topic, whether the way is open or not."""
        self._guarded(lambda: self.on_message and self.on_message(topic, payload))

    def head(self) -> Outgoing | None:
        """Return the oldest thing that waits; None when there is none."""
        if not self._waiting:
            return None
        self._taken = max(self._taken, self._waiting[0].number)
        return self._waiting[0]

    def acknowledge(self, number: int) -> None:
        """Drop everything up to a number that was read in this boot; one of another boot drops nothing."""
        while number <= self._taken and self._waiting and self._waiting[0].number <= number:
            self._waiting.popleft()

    def _put(self, kind: Kind, topic: str, data: bytes = b"") -> bool:
        if not self.connected:
            return False
        if len(self._waiting) >= QUEUE_MAX:
            self.lost += 1
            return False
        self._numbered += 1
        self._waiting.append(Outgoing(self._numbered, kind, topic, data))
        return True

    def _guarded(self, call: Callable[[], object]) -> None:
        """Call the shell; a full disk there is not the line's, and ends the device."""
        try:
            call()
        except (TocsinError, OSError) as error:
            self.give_up(error)
