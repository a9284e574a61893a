"""What a link has handed to the broker, or could not yet, until the broker has answered for it."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass, field
from typing import Final

OUTBOX_MAX: Final = 1_000
"""Messages without a PUBACK; paho slows down with thousands of them (paho-mqtt #492)."""

Ack = asyncio.Future[bool]
"""True when the broker accepted, False when it refused or the link was closed first."""


@dataclass(slots=True)
class Message:
    """One publish, kept until its PUBACK."""

    topic: str
    payload: bytes
    ack: Ack | None = None


@dataclass(slots=True)
class Outbox:
    """At most ``OUTBOX_MAX`` things under way; a full one takes nothing more, and the core repeats later."""

    unsent: deque[Message] = field(default_factory=deque)
    """Handed over while there was no connection."""
    asked: dict[int, Message | Ack] = field(default_factory=dict)
    """By packet identifier: publishes, and the futures of (un)subscriptions."""

    @property
    def full(self) -> bool:
        """True when nothing more may be handed over."""
        return len(self) >= OUTBOX_MAX

    def __len__(self) -> int:
        return len(self.unsent) + len(self.asked)

    def expect(self, mid: int | None) -> Ack:
        """Return the future of a (un)subscription; at once False when it was not sent."""
        ack: Ack = asyncio.get_running_loop().create_future()
        if mid is None:
            ack.set_result(False)
        else:
            self.asked[mid] = ack
        return ack

    def answered(self, mid: int, *, accepted: bool) -> None:
        """Take the broker's word for one packet."""
        _settle(self.asked.pop(mid, None), accepted=accepted)

    def take_again(self) -> list[Message]:
        """Empty it at a new connection: the messages to send (again), in their order."""
        again = [entry for entry in self.asked.values() if isinstance(entry, Message)]
        for entry in self.asked.values():
            if not isinstance(entry, Message):
                _settle(entry, accepted=False)
        again += self.unsent
        self.asked.clear()
        self.unsent.clear()
        return again

    async def drained(self) -> None:
        """Wait until the broker has answered for all that was sent."""
        waiting = []
        for entry in self.asked.values():
            if isinstance(entry, Message):
                entry.ack = entry.ack or asyncio.get_running_loop().create_future()
                waiting.append(entry.ack)
            else:
                waiting.append(entry)
        await asyncio.gather(*waiting)

    def abandon(self) -> None:
        """Tell whoever still waits that it will not happen any more."""
        for message in self.take_again():
            _settle(message, accepted=False)


def _settle(entry: Message | Ack | None, *, accepted: bool) -> None:
    ack = entry.ack if isinstance(entry, Message) else entry
    if ack is not None and not ack.done():
        ack.set_result(accepted)
