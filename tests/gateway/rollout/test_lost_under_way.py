"""A device that is lost while a patch is recalled: the return ends without it, and begins anew when it is back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from advisories.offer import Offer
from gateway.core.rollout import GroupState, Outcome, RolloutEvent, RolloutState
from gateway.core.rollout.plan import Gates, Group, Plan, Then, Trip
from gateway.store import schema
from gateway.store.rolling import change_rollout
from keys.reasons import Reason
from tests.gateway.rollout.scenarios.world import (
    DAY,
    HOUR,
    MINUTE,
    OLD,
    PATCHES,
    VERSIONS,
    Device,
    P,
    Said,
    World,
    installs,
    outcome_of,
    world,
)

G, R = GroupState, RolloutState
LOST = "unit-00001"
BAD = outcome_of(P.ROLLED_BACK, Reason.BOOT_NOT_CONFIRMED)


@pytest.fixture
def w(tmp_path: Path) -> Iterator[World]:
    with world(tmp_path, 10) as made:
        yield made


def roll(w: World, *, fall_silent: bool = False, ignores: set[str] | None = None) -> None:
    """Let a gate recall patch 7; one device was on its way to it, or had only been offered it."""

    def script(w: World, device: Device, offer: Offer) -> list[Said] | tuple[()]:
        if offer.sequence == 7 and device.id == LOST:
            return () if fall_silent else [(w.now + 1, P.REBOOTING, Reason.OK)]
        if offer.sequence == 7 and device.number in {2, 3, 4}:
            return list(BAD(w, device, offer))
        if offer.sequence == 8 and device.id in (ignores or ()):
            return ()
        return list(installs(w, device, offer))

    w.script = script
    gates = Gates(failure=(Trip(percent=10, minimum=1, then=Then.RETURN),))
    w.roll(Plan(groups=(Group(),), deadline=int(w.now) + 2 * DAY, gates=gates, back=PATCHES[8].hex()))
    w.run(HOUR)


def comes_back(w: World, id_: str = LOST) -> None:
    """Let a device say that it runs the recalled patch."""
    device = w.devices[id_]
    device.installed, device.states[7] = VERSIONS[7], (P.SUCCEEDED, Reason.OK)
    w.say(device)
    w.commit()


def test_the_deadline_of_a_return_ends_the_waiting(w: World) -> None:
    roll(w)
    assert w.groups() == (G.RETURNING,)
    w.run(3 * DAY, step=HOUR)
    assert (w.groups(), w.state("r-return")) == ((G.ERROR,), R.FINISHED)
    assert w.rollout().why.endswith("; r-return has ended; 0 still run the patch, 1 may come to")


@pytest.mark.parametrize("fall_silent", [False, True], ids=["under way", "offer taken back unseen"])
def test_whoever_comes_back_with_the_recalled_patch_is_brought_back(w: World, *, fall_silent: bool) -> None:
    roll(w, fall_silent=fall_silent)
    w.run(40 * DAY, step=12 * HOUR)
    assert w.groups() == ((G.RETURNED,) if fall_silent else (G.ERROR,))
    comes_back(w)
    w.tend()
    assert w.groups() == (G.RETURNING,)
    w.run(2 * DAY, step=HOUR)
    assert (w.groups(), w.state("r-return2")) == ((G.RETURNED,), R.FINISHED)
    assert w.devices[LOST].installed == OLD
    assert w.members(0, "r-return2") == {LOST}
    assert LOST not in w.members(0, "r-return")
    assert "still run" not in w.rollout().why
    w.check()


def test_whoever_was_lost_before_it_acted_on_the_return_is_offered_it_again(w: World) -> None:
    ignores = {"unit-00005"}
    roll(w, ignores=ignores)
    w.run(4 * DAY, step=HOUR)
    assert w.groups() == (G.ERROR,)
    assert "1 still run the patch, 1 may come" in w.rollout().why
    w.run(5 * DAY, step=HOUR)
    assert w.members(0, "r-return2") == set(), "not while nothing is heard of it"
    ignores.clear()
    w.say(w.devices["unit-00005"])
    w.commit()
    w.run(5 * DAY, step=HOUR)
    assert w.devices["unit-00005"].installed == OLD
    assert w.counts(name="r-return2") == {Outcome.PROVEN: 1}
    assert w.groups() == (G.ERROR,)
    assert w.rollout().why.endswith("; r-return2 has ended; 0 still run the patch, 1 may come to")
    w.check()


def test_whoever_ended_otherwise_is_not_offered_it_for_ever(w: World) -> None:
    """A device that declines the return, say, had its say; the group does not claim that it was brought back."""
    roll(w)
    comes_back(w)
    w.script = lambda w, _device, _offer: [(w.now + MINUTE, P.DECLINED, Reason.OK)]
    w.run(3 * DAY, step=HOUR)
    for _ in range(3):
        w.say(w.devices[LOST])
        w.commit()
        w.run(DAY, step=HOUR)
    assert w.groups() == (G.ERROR,)
    assert w.rollout().why.endswith("; r-return has ended; 1 still run the patch, 0 may come to")
    assert [row["id"] for row in w.rows("rollout.returning")] == ["r-return"]


def test_a_return_that_a_person_stopped_is_none(w: World) -> None:
    roll(w, ignores={f"unit-{number:05}" for number in range(10)})
    change_rollout(w.store, "r-return", RolloutEvent.STOP, w.now, by="ann")
    w.run(3 * DAY, step=HOUR)
    assert (w.groups(), w.state("r-return")) == ((G.ERROR,), R.STOPPED)
    assert w.rollout().why.endswith("; r-return was stopped; 6 still run the patch, 1 may come to")
    comes_back(w)
    w.run(2 * DAY, step=HOUR)
    assert w.groups() == (G.ERROR,)
    assert [offer.sequence for offer in w.devices[LOST].offers if not offer.cancel] == [7], "a person said no"


def test_a_device_that_comes_back_after_a_stopped_return_takes_back_the_word(w: World) -> None:
    """The group had said RETURNED, for nobody was known to run the patch."""
    roll(w, fall_silent=True)
    for id_ in w.members(0, "r-return"):
        assert w.devices[id_].installed == OLD
    w.run(DAY, step=HOUR)
    assert w.groups() == (G.RETURNED,)
    with w.store.write() as session:
        made = schema.rollouts
        session.connection.execute(made.update().where(made.c.id == "r-return").values(state=int(R.STOPPED)))
    comes_back(w)
    w.run(HOUR)
    assert w.groups() == (G.ERROR,)
    assert "r-return was stopped; 1 still run the patch" in w.rollout().why
