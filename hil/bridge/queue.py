"""What came from the broker and waits for the board, and what the broker may be told of it.

A message is acknowledged to the broker only when the board has it, or when it never will: too big, refused
for good, or overtaken. PUBACKs leave in the order in which the messages came (MQTT 5, section 4.6).
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Final

WAITING_MAX: Final = 256
"""Messages that wait; the broker keeps more. Above what well-behaved brokers send at a time."""
RECEIVE_MAXIMUM: Final = 64
"""How many messages the broker is asked to send before the first of them is acknowledged."""


@dataclass(frozen=True, slots=True)
class Message:
    """One MQTT message for the board."""

    topic: str
    payload: bytes
    retained: bool = False
    """The broker keeps it: a newer one of the same topic makes it void."""


@dataclass(slots=True)
class _Arrival:
    """One delivery; ``token`` names it to whoever acknowledges."""

    token: int
    done: bool = False


@dataclass(slots=True)
class Entry:
    """A message that waits; without an arrival its connection is gone, and the broker will bring it again."""

    message: Message
    arrival: _Arrival | None
    refusals: int = 0
    """How often the board has refused it in this boot."""


class Queue:
    """Messages in the order in which they came; at most ``WAITING_MAX``."""

    def __init__(self) -> None:
        self._entries: deque[Entry] = deque()
        self._arrivals: deque[_Arrival] = deque()

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def first(self) -> Entry | None:
        """The message that is next, or under way."""
        return self._entries[0] if self._entries else None

    def take(self, message: Message, token: int) -> bool:
        """Let a message wait; False when there is no room, and then the broker must keep it.

        One that the broker brings again after its connection was lost takes its old place. A retained one
        replaces an older retained one of its topic, unless that is under way.
        """
        for entry in self._entries:
            if entry.arrival is None and entry.message == message:
                entry.arrival = self._arrived(token)
                return True
        if message.retained:
            for entry in list(self._entries)[1:]:
                if entry.message.retained and entry.message.topic == message.topic:
                    self._entries.remove(entry)
                    _settle(entry)
        if len(self._entries) >= WAITING_MAX:
            return False
        self._entries.append(Entry(message, self._arrived(token)))
        return True

    def drop_first(self) -> Message:
        """The first one is done with."""
        entry = self._entries.popleft()
        _settle(entry)
        return entry.message

    def released(self) -> list[int]:
        """Return the tokens that may be acknowledged now, in order, each once."""
        tokens = []
        while self._arrivals and self._arrivals[0].done:
            tokens.append(self._arrivals.popleft().token)
        return tokens

    def disconnected(self) -> None:
        """The connection is gone: no token counts any more, every message still waits."""
        self._arrivals.clear()
        for entry in self._entries:
            entry.arrival = None

    def rebooted(self) -> None:
        """The board began anew: what it refused before counts no more."""
        for entry in self._entries:
            entry.refusals = 0

    def _arrived(self, token: int) -> _Arrival:
        arrival = _Arrival(token)
        self._arrivals.append(arrival)
        return arrival


def _settle(entry: Entry) -> None:
    if entry.arrival is not None:
        entry.arrival.done = True
