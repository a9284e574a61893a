"""Who is left out when the turn comes: who has a later offer, whose record ended, who belongs elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from advisories.offer import Offer
from gateway.core.rollout import Failure, GroupState, LeftOut, Outcome, Plan, RolloutEvent, RolloutState
from gateway.core.rollout.plan import Gates, Group, Rate, Retry, Success, Then, Trip, Window
from gateway.store import cells, schema
from gateway.store.planning import create_rollout
from gateway.store.rolling import change_rollout, open_next, retry
from gateway.store.rollouts import count_groups, get_rollout
from keys.reasons import Reason
from tests.gateway.databases import ENGINES
from tests.gateway.rollout.scenarios.world import (
    DAY,
    HOUR,
    MINUTE,
    PATCHES,
    P,
    Script,
    World,
    installs,
    outcome_of,
    world,
)

G, R = GroupState, RolloutState
DAILY = (Window(start=120, minutes=60),)  # two o'clock, by the clock of UTC


def silent(_world: World, _device: Any, _offer: Offer) -> tuple[()]:
    return ()


@pytest.fixture(params=ENGINES)
def w(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    with world(tmp_path, 60, request.param) as made:
        yield made


def roll(w: World, sequence: int, name: str, script: Script | None = None, **fields: Any) -> None:
    devices = fields.pop("devices", None)
    plan = Plan(**{"groups": (Group(),), "deadline": int(w.now) + 9 * DAY, **fields})
    w.script = script or w.script
    create_rollout(
        w.store, name, digest=PATCHES[sequence], plan=plan, now=w.now, start=True, devices=devices, by="Ann"
    )


def newest(w: World, devices: set[str]) -> set[int]:
    """Sequence numbers of the patches that these devices were offered last."""
    return {w.devices[device].offers[-1].sequence for device in devices}


def left_out(w: World, name: str = "old") -> dict[LeftOut, int]:
    with w.store.read() as session:
        (counts,) = count_groups(session, get_rollout(session, name))
    return dict(counts.left_out)


def change(w: World, ids: set[str], **values: Any) -> None:
    d = schema.devices
    with w.store.write() as session, cells.counted(session, ids):
        session.connection.execute(sa.update(d).where(d.c.id.in_(ids)).values(**values))


def test_a_lapsed_window_is_not_renewed_over_a_newer_rollouts_offer(w: World) -> None:
    half = set(sorted(w.devices)[:30])
    roll(w, 7, "old", silent, windows=DAILY)
    w.run(MINUTE)
    roll(w, 8, "new", devices=sorted(half))
    w.run(MINUTE)
    assert newest(w, half) == {8}
    w.run(3 * DAY, step=HOUR)
    assert newest(w, half) == {8}
    assert newest(w, w.devices.keys() - half) == {7}, "the others have their windows renewed"
    assert w.counts(name="old") == {Outcome.OVERTAKEN: 30, Outcome.OFFERED: 30}
    assert left_out(w) == {LeftOut.OVERTAKEN: 30}
    assert [row["left_out"] for row in w.rows("rollout.offered") if "left_out" in row] == [{"OVERTAKEN": 30}]
    w.check()


def test_whom_a_newer_rollout_has_installed_is_not_offered_the_older_patch_again(w: World) -> None:
    roll(w, 7, "old", silent, windows=DAILY)
    w.run(MINUTE)
    roll(w, 8, "new", installs)
    w.run(3 * DAY, step=HOUR)
    assert (w.state("new"), w.counts(name="new")) == (R.FINISHED, {Outcome.PROVEN: 60})
    assert newest(w, set(w.devices)) == {8}
    assert (w.state("old"), w.rollout("old").why) == (
        R.PAUSED,
        "nobody is left to prove it: 60 left out (overtaken)",
    )
    w.check()


def test_once_the_newer_offer_was_taken_back_the_older_one_is_renewed(w: World) -> None:
    roll(w, 7, "old", silent, windows=DAILY)
    w.run(MINUTE)
    roll(w, 8, "new")
    w.run(MINUTE)
    change_rollout(w.store, "new", RolloutEvent.STOP, w.now)
    w.run(2 * DAY, step=HOUR)
    assert newest(w, set(w.devices)) == {7}
    assert not left_out(w)
    w.check()


def test_neither_a_first_offer_nor_one_tried_again_goes_over_a_newer_patchs_offer(w: World) -> None:
    late = (Retry(failure=Failure.DOWNLOAD, times=3, seconds=2 * HOUR),)
    lenient = Gates(failure=(Trip(percent=100),))
    fails = outcome_of(P.FAILED, Reason.CONNECTION_LOST)
    roll(w, 7, "old", fails, groups=(Group(count=20), Group()), retry=late, gates=lenient)
    w.run(HOUR)
    assert w.counts(0, "old") == {Outcome.FAILING: 20}
    newer = w.members(0, "old") | set(sorted(w.members(1, "old"))[:25])
    roll(w, 8, "new", silent, devices=sorted(newer))
    w.run(MINUTE)
    open_next(w.store, "old", w.now)
    w.run(6 * HOUR, step=HOUR)
    assert (newest(w, newer), newest(w, w.devices.keys() - newer)) == ({8}, {7})
    assert w.counts(name="old") == {
        Outcome.FAILED_DOWNLOAD: 20,
        Outcome.OVERTAKEN: 25,
        Outcome.OFFERED: 15,
    }
    assert retry(w.store, "old", (), w.now) == 20
    w.run(HOUR)
    assert newest(w, newer) == {8}
    w.check()


def test_a_newer_rollout_of_an_older_patch_has_its_way_and_the_other_does_not_come_back(w: World) -> None:
    """Somebody decided so, later: what goes on by itself does not undo it."""
    roll(w, 8, "old", silent, windows=DAILY)
    w.run(HOUR)
    roll(w, 7, "new")
    w.run(3 * DAY, step=HOUR)
    assert newest(w, set(w.devices)) == {7}
    assert (left_out(w), w.counts(name="new")) == ({LeftOut.OVERTAKEN: 60}, {Outcome.OFFERED: 60})
    w.check()


def test_whose_record_ended_or_names_another_product_gets_no_offer(w: World) -> None:
    ended, moved = set(sorted(w.devices)[:7]), set(sorted(w.devices)[10:15])
    roll(w, 7, "old", installs, groups=(Group(),), rate=Rate(per_minute=60), starts=int(w.now) + HOUR)
    change(w, ended, valid_to=int(w.now) + HOUR)
    change(w, moved, product="doorbell")
    w.run(3 * HOUR)
    assert w.offered() == w.devices.keys() - ended - moved
    assert (w.state("old"), left_out(w, "old")) == (R.FINISHED, {LeftOut.RECORD: 7, LeftOut.PRODUCT: 5})
    assert w.counts(name="old") == {Outcome.PROVEN: 48, Outcome.NO_RECORD: 7, Outcome.MOVED: 5}
    w.check()


def test_whose_record_ended_meanwhile_gets_no_renewed_offer_and_has_the_old_one_taken_back(w: World) -> None:
    roll(w, 7, "old", silent, windows=DAILY)
    w.run(MINUTE)
    ended = set(sorted(w.devices)[:7])
    change(w, ended, valid_to=int(w.now) + HOUR)
    w.run(2 * DAY, step=HOUR)
    assert {len(w.devices[device].offers) for device in ended} == {1}
    assert w.counts(name="old") == {Outcome.OFFERED: 53, Outcome.NO_RECORD: 7}
    change_rollout(w.store, "old", RolloutEvent.STOP, w.now)
    w.tend()
    assert w.state("old") is R.STOPPED
    assert all(device.offers[-1].cancel for device in w.devices.values())
    w.check()


@pytest.mark.parametrize("gone", ["revoked", "moved"])
def test_a_group_of_which_nobody_is_left_opens_nothing_and_says_why(w: World, gone: str) -> None:
    gates = Gates(success=Success(percent=90), failure=(Trip(then=Then.STOP),))
    roll(w, 7, "old", installs, groups=(Group(count=5), Group()), gates=gates, starts=int(w.now) + HOUR)
    canaries = w.members(0, "old")
    change(w, canaries, **({"revoked": True} if gone == "revoked" else {"product": "doorbell"}))
    w.run(6 * HOUR, step=HOUR)
    assert (w.state("old"), w.groups("old")) == (R.PAUSED, (G.ERROR, G.SCHEDULED))
    why = "5 revoked" if gone == "revoked" else "5 left out (product)"
    assert w.rollout("old").why == f"nobody is left to prove it: {why}"
    assert w.offered() == set()
    change_rollout(w.store, "old", RolloutEvent.RESUME, w.now, why="the lab has them")
    w.run(6 * HOUR, step=HOUR)
    assert (w.state("old"), w.groups("old")) == (R.FINISHED, (G.OVERRIDDEN, G.FINISHED))
    w.check()


def test_who_is_to_be_brought_back_keeps_a_newer_patchs_offer(w: World) -> None:
    """The return carries a higher sequence than what it undoes; an offer of a still higher one stands."""
    ids = sorted(w.devices)
    late, newer = set(ids[:10]), set(ids[20:35])

    def script(w: World, device: Any, offer: Offer) -> Any:
        if offer.sequence == 7 and device.id in late:
            return outcome_of(P.ROLLED_BACK, after=3 * HOUR)(w, device, offer)
        return () if offer.sequence == 9 else installs(w, device, offer)

    gates = Gates(failure=(Trip(percent=10, minimum=1, then=Then.RETURN),))
    roll(w, 7, "old", script, gates=gates, back=PATCHES[8].hex())
    w.run(HOUR)
    roll(w, 9, "newer", devices=sorted(newer))
    w.run(6 * HOUR)
    assert (w.state("old"), w.groups("old")) == (R.STOPPED, (G.ERROR,)), "they run it still"
    assert w.counts(name="old-return") == {Outcome.PROVEN: 35, Outcome.OVERTAKEN: 15}
    assert newest(w, newer) == {9}
    w.script = installs
    for id_ in newer:
        w.wake(w.devices[id_])
    w.run(HOUR)
    assert w.groups("old") == (G.RETURNED,)
    w.check()


def test_what_another_patch_has_superseded_is_installed_by_a_later_rollout(w: World) -> None:
    """As a device does it: the older patch gives way, the newer one is taken back, the older one comes again."""

    def script(w: World, device: Any, offer: Offer) -> Any:
        if offer.sequence == 7:
            return installs(w, device, offer) if len(device.offers) > 1 else ()
        device.states[7] = (P.SUPERSEDED, Reason.SUPERSEDED)
        return [(w.now + 1, P.WAITING_FOR_CONFIRMATION, Reason.OK)]

    roll(w, 7, "old", script)
    w.run(MINUTE)
    roll(w, 8, "new")
    w.run(HOUR)
    assert w.counts(name="old") == {Outcome.LEFT: 60}
    change_rollout(w.store, "new", RolloutEvent.STOP, w.now)
    w.run(HOUR)
    roll(w, 7, "again")
    w.run(HOUR)
    assert (w.state("again"), w.counts(name="again")) == (R.FINISHED, {Outcome.PROVEN: 60})
    with w.store.read() as session:
        assert (
            session.connection.execute(sa.select(sa.func.count()).select_from(schema.anomalies)).scalar() == 0
        )
    w.check()
