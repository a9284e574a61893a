"""Timers under a clock that somebody sets, and alarms that never pile up."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from device_sim import timers
from device_sim.core import effects as do
from device_sim.shell import DeviceShell
from device_sim.timers import Timers


class Clock:
    def __init__(self) -> None:
        self.now = 1_000_000_000.0

    def __call__(self) -> float:
        return self.now


async def test_a_clock_put_back_by_years_delays_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timers, "NAP_S", 0.01)
    clock = Clock()
    waiting = Timers(clock)
    rung = asyncio.Event()
    waiting.at(clock.now + 5, rung.set)
    clock.now -= 10 * 365 * 86_400
    async with asyncio.timeout(5):
        while waiting._heap[0][0] > clock.now + 5:
            await asyncio.sleep(0)
        clock.now += 5
        await rung.wait()
    waiting.stop()


async def test_a_clock_put_forward_is_noticed_within_a_nap(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timers, "NAP_S", 0.01)
    clock = Clock()
    waiting = Timers(clock)
    rung = asyncio.Event()
    waiting.at(clock.now + 86_400, rung.set)
    clock.now += 86_400
    async with asyncio.timeout(5):
        await rung.wait()
    waiting.stop()


class Ticked:
    """A core that only counts."""

    def __init__(self) -> None:
        self.ticks = 0

    def tick(self, _now: float) -> list[do.Effect]:
        self.ticks += 1
        return []


def shell(clock: Clock) -> tuple[DeviceShell, Ticked]:
    made = DeviceShell(None, None, timers=Timers(clock), clock=clock)  # type: ignore[arg-type] # only alarms
    core: Any = Ticked()
    made.agent, made._running = core, True
    return made, core


async def test_alarms_of_a_busy_device_do_not_pile_up() -> None:
    clock = Clock()
    device, _ = shell(clock)
    for _ in range(1_000):
        device._wake_at(do.WakeAt(clock.now + 86_400))
        device._wake_at(do.WakeAt(clock.now + 1))
        clock.now += 1
        device._timers._ring()
    assert len(device._timers._heap) <= 3
    device._timers.stop()


async def test_an_older_alarm_leaves_the_right_one_standing() -> None:
    clock = Clock()
    device, core = shell(clock)
    device._wake_at(do.WakeAt(clock.now + 1))
    device._wake_at(do.WakeAt(clock.now + 10))
    clock.now += 1
    device._timers._ring()
    clock.now += 9
    before = core.ticks
    device._timers._ring()
    assert core.ticks == before + 1
    assert device._wake is None
    device._timers.stop()


async def test_a_clock_put_back_is_told_to_the_core() -> None:
    clock = Clock()
    device, core = shell(clock)
    device._wake_at(do.WakeAt(clock.now + 5))
    clock.now -= 86_400
    device._timers._look()
    clock.now += 5
    device._timers._ring()
    assert core.ticks == 1
    device._timers.stop()
