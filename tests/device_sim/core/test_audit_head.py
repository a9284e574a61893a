"""A report echoes the head of the gateway's audit chain, as the newest timestamp that the device trusts says it."""

from __future__ import annotations

from tests.device_sim.core.world import World
from tests.helpers import HOUR, NOW, PRODUCT, timestamp


def echoed(w: World) -> bytes | None:
    """Let the device connect anew, and report."""
    w.disconnect()
    w.connect()
    w.advance(60)
    return w.reports[-1].audit_head


def test_a_device_that_trusts_no_timestamp_echoes_nothing() -> None:
    w = World()
    w.connect()
    assert w.reports[-1].audit_head is None


def test_the_newest_head_is_echoed_also_after_its_time_and_after_a_restart() -> None:
    w = World()
    w.connect()
    for number, head in enumerate((b"1" * 32, b"2" * 32)):
        body = timestamp(w.fleet, version=NOW + number, audit_head=head)
        w.publish(w.topics.timestamp(PRODUCT), w.fleet.seal(body))
        assert echoed(w) == head
    w.advance(7 * HOUR)
    w.restart()
    assert echoed(w) == b"2" * 32


def test_a_timestamp_that_is_refused_is_not_echoed() -> None:
    w = World()
    w.connect()
    w.publish(w.topics.timestamp(PRODUCT), w.fleet.seal(timestamp(w.fleet, audit_head=b"1" * 32)))
    older = timestamp(w.fleet, version=NOW - 9, audit_head=b"2" * 32)
    w.publish(w.topics.timestamp(PRODUCT), w.fleet.seal(older))
    assert echoed(w) == b"1" * 32
