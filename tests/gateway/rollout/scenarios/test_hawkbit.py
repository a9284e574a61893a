"""Behaviours that hawkBit documents, and one that its users ask for."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from advisories.offer import Offer
from gateway.core.rollout import GroupState, Outcome, RolloutEvent, RolloutState, by_percent
from gateway.core.rollout.plan import Gates, Group, Plan, Success, Trip
from gateway.store.planning import create_rollout
from gateway.store.rolling import change_rollout
from keys.reasons import Reason
from tests.gateway.databases import ENGINES
from tests.gateway.rollout.scenarios.world import (
    DAY,
    HOUR,
    MINUTE,
    PATCHES,
    TO_BOOT,
    Device,
    P,
    Said,
    World,
    outcome_of,
    world,
)

G = GroupState


@pytest.mark.parametrize(("engine", "count"), [("sqlite", 2_000), ("postgresql", 400)])
def test_the_next_group_opens_on_success(tmp_path: Path, engine: str, count: int) -> None:
    """hawkBit: a group's success condition (per cent) starts the next group (docs/rollout-management.md)."""
    assert engine in ENGINES
    with world(tmp_path, count, engine) as w:
        slow, soon, late = set[str](), outcome_of(P.SUCCEEDED), outcome_of(P.SUCCEEDED, after=2 * HOUR)
        w.script = lambda w, device, offer: (late if device.id in slow else soon)(w, device, offer)
        create_rollout(
            w.store,
            "r",
            digest=PATCHES[7],
            plan=by_percent((5, 20, 75), deadline=int(w.now) + DAY),
            now=w.now,
        )
        first, second, third = (w.members(group) for group in range(3))
        assert [len(first), len(second)] == [count * 5 // 100, count * 20 // 100]
        slow |= set(sorted(first)[: len(first) // 5])
        change_rollout(w.store, "r", RolloutEvent.START, w.now, by="operator")
        w.run(HOUR)
        assert w.counts(0)[Outcome.PROVEN] == len(first) - len(slow)
        assert w.offered() == first, "80 of 100 are not 90 per cent"
        w.run(2 * HOUR)
        assert (w.state(), w.counts()) == (RolloutState.FINISHED, {Outcome.PROVEN: count})
        began = {offer.subject[0]: at for at, offer in w.sent}
        assert {began[id_] for id_ in first} == {w.start}
        assert {began[id_] for id_ in second} == {w.start + 2 * HOUR}
        assert {began[id_] for id_ in third} == {w.start + 2 * HOUR + 10 * MINUTE}
        w.check()


def test_an_emergency_stop_on_a_count_of_errors(tmp_path: Path) -> None:
    """hawkBit: an error condition (count or per cent) pauses the rollout: no further group starts."""
    with world(tmp_path) as w:
        gates = Gates(success=Success(percent=50), failure=(Trip(percent=0, minimum=10),))
        plan = Plan(groups=(Group(count=200), Group()), gates=gates, deadline=int(w.now) + DAY)
        good, bad = outcome_of(P.SUCCEEDED, after=HOUR), outcome_of(P.FAILED, Reason.UPDATE_FAILED)
        failing = set[str]()

        def script(w: World, device: Device, offer: Offer) -> Sequence[Said]:
            if len(failing) < 10:
                failing.add(device.id)
            return (bad if device.id in failing else good)(w, device, offer)

        w.script = script
        w.roll(plan)
        w.run(3 * HOUR)
        found = w.rollout()
        assert (found.state, found.groups) == (RolloutState.PAUSED, (G.ERROR, G.SCHEDULED))
        assert (found.changed_by, found.why) == ("scheduler", "10 of 200 failed (all kinds)")
        assert w.offered() == w.members(0)
        assert w.counts(0) == {Outcome.FAILED_INSTALL: 10, Outcome.PROVEN: 190}, (
            "later success changes nothing"
        )
        assert w.groups() == (G.ERROR, G.SCHEDULED)

        change_rollout(w.store, "r", RolloutEvent.RESUME, w.now, by="operator", why="ten worn boards")
        w.script = good
        w.run(3 * HOUR)
        assert (w.state(), w.groups()) == (RolloutState.FINISHED, (G.OVERRIDDEN, G.FINISHED))
        w.check()


def test_success_before_a_verified_boot_opens_nothing(tmp_path: Path) -> None:
    """hawkBit issue 3185 asks for success only after a verified boot; here nothing else can be success.

    Devices that installed, rebooted, are on trial, or claim success while the version that they measure is the
    old one, open no group. Those that measured the new version do.
    """
    with world(tmp_path) as w:
        w.script = lambda _w, _device, _offer: ()
        w.roll(by_percent((50, 50), success=1, deadline=int(w.now) + DAY))
        w.tend()
        first = [w.devices[id_] for id_ in sorted(w.members(0))]
        for state in TO_BOOT:
            for device in first[:100]:
                device.states[7] = (state, Reason.OK)
                w.say(device)
            w.commit()
            w.run(10 * MINUTE)
            assert w.groups() == (G.RUNNING, G.SCHEDULED), state.name
        for claimed in (P.SUCCEEDED, P.ALREADY_INSTALLED):
            for device in first:  # a whole group claims success, and reports what it runs
                device.states[7] = (claimed, Reason.SUCCESS)
                w.say(device)
            w.commit()
            w.run(10 * MINUTE)
            assert w.groups() == (G.RUNNING, G.SCHEDULED)
            assert w.counts(0) == {Outcome.UNDER_WAY: 1_000}
        for device in first[:10]:
            device.installed = (1, 4, 2, 0)
            w.say(device)
        w.commit()
        w.run(10 * MINUTE)
        assert w.groups() == (G.FINISHED, G.RUNNING)
        assert w.counts(0) == {Outcome.PROVEN: 10, Outcome.UNDER_WAY: 990}
        w.check()
