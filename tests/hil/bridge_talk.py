"""Messages and a bridge's core for tests of its decisions."""

from __future__ import annotations

from hil.bridge.core import Core, Line
from hil.bridge.effects import Event, Identity
from hil.bridge.queue import Message
from tests.hil.bridge_world import FILTERS, MAX

ME = Identity("d", b"1", FILTERS, MAX)


def block(number: int) -> Message:
    return Message("t/device/d/block", f"block {number}".encode())


def document(number: int, topic: str = "t/timestamp/a") -> Message:
    return Message(topic, f"document {number}".encode(), retained=True)


def talking(identity: Identity = ME) -> Core:
    """A core whose board and broker are there, and which has nothing left to tell."""
    core = Core()
    core.connected(kept=False)
    core.told(identity, 0.0)
    core.granted()
    assert core.next(0.0) is Line.RAISE
    core.carried(0.0, up=True)
    core.effects()
    return core


def told(core: Core) -> list[Event]:
    return [effect for effect in core.effects() if isinstance(effect, Event)]
