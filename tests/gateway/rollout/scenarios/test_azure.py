"""The one automatic return of a fleet that was found in the field."""

from __future__ import annotations

from pathlib import Path

from gateway.core.rollout import GroupState, Outcome, RolloutState
from gateway.core.rollout.plan import Gates, Group, Plan, Success, Then, Trip
from keys.reasons import Reason
from tests.gateway.rollout.scenarios.world import (
    DAY,
    HOUR,
    NEW,
    OLD,
    PATCHES,
    P,
    outcome_of,
    world,
)

G = GroupState


def test_a_tripped_group_is_brought_back_to_the_named_version(tmp_path: Path) -> None:
    """Azure Device Update: failed per cent and count -> the whole group goes to a chosen version, by itself.

    Here the older code comes as a published patch of higher sequence, and goes to those devices of the group
    that run the new one, also to those that finish after the gate tripped.
    """
    with world(tmp_path) as w:
        plan = Plan(
            groups=(Group(count=200), Group(count=300), Group()),
            gates=Gates(
                success=Success(percent=80), failure=(Trip(percent=10, minimum=20, then=Then.RETURN),)
            ),
            back=PATCHES[8].hex(),
            deadline=int(w.now) + DAY,
        )
        good, bad = outcome_of(P.SUCCEEDED), outcome_of(P.ROLLED_BACK, Reason.BOOT_NOT_CONFIRMED)
        second = set[str]()
        late = outcome_of(P.SUCCEEDED, after=2 * HOUR)

        def place(id_: str) -> int:
            return sorted(second).index(id_) if id_ in second else -1

        def script(w, device, offer):  # type: ignore[no-untyped-def]
            if offer.sequence == 8 or place(device.id) < 0:
                return good(w, device, offer)
            if place(device.id) < 40:
                return bad(w, device, offer)
            if place(device.id) < 60:  # past the point of no return when the gate trips
                return [(w.now + 60, P.INSTALLING, Reason.OK), *late(w, device, offer)]
            return good(w, device, offer)

        w.script = script
        w.roll(plan)
        second |= w.members(1)
        w.run(HOUR)
        assert w.groups() == (G.FINISHED, G.RETURNING, G.SCHEDULED)
        w.run(5 * HOUR)
        assert w.groups() == (G.FINISHED, G.RETURNED, G.SCHEDULED)
        assert w.state() is RolloutState.STOPPED
        assert w.state("r-return") is RolloutState.FINISHED
        assert w.rollout("r-return").parent == "r"
        by_group = {id_: w.devices[id_].installed for id_ in w.members(0)}
        assert set(by_group.values()) == {NEW}, "the group that passed keeps what it runs"
        assert {w.devices[id_].installed for id_ in second} == {OLD}
        assert w.members(0, "r-return") == {id_ for id_ in second if place(id_) >= 40}
        assert w.counts(name="r-return") == {Outcome.PROVEN: 260}
        assert not w.offered() & w.members(2)
        assert [row["sequence"] for row in w.rows("rollout.returning")] == [8]
        w.check()
