"""What people decide: approval by another person, next, retry, stop; and two schedulers at once."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway.core.rollout import Failure, GroupState, Outcome, Plan, RolloutEvent, RolloutState, by_percent
from gateway.core.rollout.plan import Gates, Group, Silence, Success, Then, Trip, Window
from gateway.service.offers import Speaker
from gateway.store import planning, rolling, selecting
from gateway.store.planning import create_rollout, preview
from gateway.store.rolling import change_rollout, decide, open_next, plan_digest, retry
from keys.errors import InputError
from keys.reasons import Reason
from tests.gateway.databases import ENGINES
from tests.gateway.rollout.scenarios.world import DAY, HOUR, MINUTE, PATCHES, P, World, outcome_of, world

G, R = GroupState, RolloutState


@pytest.fixture(params=ENGINES)
def w(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    with world(tmp_path, 60, request.param) as made:
        yield made


def make(w: World, plan: Plan | None = None, name: str = "r", **options: Any) -> Any:
    plan = plan or by_percent((50, 50), deadline=int(w.now) + DAY)
    return create_rollout(w.store, name, digest=PATCHES[7], plan=plan, now=w.now, by="Ann", **options)


def refused(call: Any) -> str:
    with pytest.raises(InputError) as caught:
        call()
    return caught.value.code


def test_a_plan_is_approved_by_somebody_else_and_as_it_was_read(w: World) -> None:
    made = make(w, approval=True, start=True)
    assert made.state is R.WAITING_FOR_APPROVAL, "it does not start by itself"
    w.run(HOUR)
    assert not w.sent
    start = lambda: change_rollout(w.store, "r", RolloutEvent.START, w.now, by="Ann")  # noqa: E731
    assert refused(start) == "ROLLOUT_STATE"
    said = {"approve": True, "plan": None, "why": "", "now": w.now}
    for author in ("Ann", " ann ", "ANN"):
        assert refused(lambda author=author: decide(w.store, "r", by=author, **said)) == "APPROVED_BY_AUTHOR"
    assert refused(lambda: decide(w.store, "r", by="Bob", **{**said, "plan": "0" * 32})) == "PLAN_DIFFERS"
    found = decide(w.store, "r", by="Bob", **{**said, "plan": plan_digest(made), "why": "read"})
    assert (found.state, found.by, found.approved) == (R.READY, "Ann", "Bob")
    assert refused(lambda: decide(w.store, "r", by="Cy", **said)) == "ROLLOUT_STATE"
    start()
    w.run(HOUR)
    assert w.sent
    kinds = [(row["event"], row["by"], row["why"]) for row in w.rows("rollout.changed")][:3]
    assert kinds[:2] == [("SUBMIT", "Ann", ""), ("APPROVE", "Bob", "read")]


def test_a_plan_may_be_denied_for_good(w: World) -> None:
    make(w, approval=True)
    said = {"plan": None, "now": w.now}
    found = decide(w.store, "r", approve=False, by="Bob", why="no canary", **said)
    assert (found.state, found.why, found.changed_by) == (R.APPROVAL_DENIED, "no canary", "Bob")
    assert refused(lambda: decide(w.store, "r", approve=True, by="Cy", why="", **said)) == "ROLLOUT_STATE"
    assert refused(lambda: change_rollout(w.store, "r", RolloutEvent.STOP, w.now)) == "ROLLOUT_STATE"


def test_the_next_group_opens_on_a_persons_word(w: World) -> None:
    w.script = lambda _w, _device, _offer: ()
    make(w, start=True)
    w.run(MINUTE)
    assert len(w.sent) == 30
    open_next(w.store, "r", w.now, by="Ann", why="seen enough")
    w.run(MINUTE)
    assert (w.groups(), len(w.sent)) == ((G.RUNNING, G.RUNNING), 60)
    assert refused(lambda: open_next(w.store, "r", w.now)) == "ROLLOUT_STATE"
    change_rollout(w.store, "r", RolloutEvent.PAUSE, w.now, by="Ann")
    assert refused(lambda: open_next(w.store, "r", w.now)) == "ROLLOUT_STATE"
    assert refused(lambda: open_next(w.store, "nobody", w.now)) == "ROLLOUT_UNKNOWN"


def test_failed_devices_are_offered_the_patch_once_more(w: World) -> None:
    gates = Gates(success=Success(percent=50), failure=(Trip(percent=50),))
    plan = Plan(groups=(Group(),), gates=gates, deadline=int(w.now) + DAY)
    ends = [
        outcome_of(P.FAILED, Reason.CONNECTION_LOST),
        outcome_of(P.ROLLED_BACK),
        *[outcome_of(P.SUCCEEDED)] * 4,
    ]
    quiet = w.devices["unit-00002"]  # keeps it running
    w.script = lambda w, device, offer: () if device is quiet else ends[device.number % 6](w, device, offer)
    make(w, plan, start=True)
    w.run(HOUR)
    bad = {Outcome.FAILED_BOOT: 10, Outcome.OFFERED: 1}
    assert w.counts() == {**bad, Outcome.FAILED_DOWNLOAD: 10, Outcome.PROVEN: 39}
    w.script = lambda w, device, offer: () if device is quiet else outcome_of(P.SUCCEEDED)(w, device, offer)
    assert retry(w.store, "r", [Failure.DOWNLOAD], w.now, by="Ann", why="the link is mended") == 10
    assert w.counts()[Outcome.FAILING] == 10
    w.run(HOUR)
    assert w.counts() == {**bad, Outcome.PROVEN: 49}
    assert retry(w.store, "r", [], w.now, by="Ann") == 10
    w.script = outcome_of(P.SUCCEEDED)
    w.wake(quiet)
    w.run(HOUR)
    assert (w.counts(), w.state()) == ({Outcome.PROVEN: 60}, R.FINISHED)
    assert refused(lambda: retry(w.store, "r", [], w.now)) == "ROLLOUT_STATE"
    assert [row["devices"] for row in w.rows("rollout.retried")] == [10, 10]
    w.check()


def test_a_stop_takes_back_every_open_offer_and_then_nothing_moves(
    w: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.service.offers.OFFERS_MAX", 7)  # several transactions
    ends = [outcome_of(P.SUCCEEDED), outcome_of(P.DOWNLOADING), outcome_of(P.SUCCEEDED, after=9 * HOUR)]
    w.script = lambda w, device, offer: ends[device.number % 3](w, device, offer)
    make(w, by_percent((100,), deadline=int(w.now) + DAY), start=True)
    w.run(HOUR)
    change_rollout(w.store, "r", RolloutEvent.STOP, w.now, by="Ann", why="recall")
    assert w.state() is R.STOPPING
    w.run(10 * MINUTE)
    assert w.state() is R.STOPPED
    assert w.counts() == {Outcome.PROVEN: 20, Outcome.LEFT: 40}
    back = [offer.subject[0] for _, offer in w.sent if offer.cancel]
    assert len(back) == len(set(back)) == 40
    before = len(w.sent)
    w.run(10 * HOUR)
    assert len(w.sent) == before
    w.check()


def test_a_device_that_proved_it_before_is_not_offered_it_and_a_revoked_one_is_not_waited_for(
    w: World,
) -> None:
    known = sorted(w.devices)[:20]
    for id_ in known:
        w.devices[id_].installed = (1, 4, 2, 0)
        w.devices[id_].states[7] = (P.ALREADY_INSTALLED, Reason.OK)
        w.say(w.devices[id_])
    w.commit()
    w.now += MINUTE
    make(w, start=True)
    w.run(3 * HOUR)
    assert not w.offered() & set(known)
    assert (w.state(), w.counts()) == (R.FINISHED, {Outcome.PROVEN: 60})
    w.check()


def test_two_schedulers_at_once_offer_nothing_twice(w: World) -> None:
    make(w, by_percent((20, 80), deadline=int(w.now) + DAY), start=True)
    other = Speaker(w.store, w.topics, w.fleet.id, w.fleet.signer("gateway"), lambda: w.now)
    failures: list[BaseException] = []

    def tend(speaker: Speaker) -> None:
        try:
            while speaker.tend():
                pass
        except BaseException as error:  # noqa: BLE001 - whatever it is, the test shows it
            failures.append(error)

    for _ in range(3):
        both = [threading.Thread(target=tend, args=(speaker,)) for speaker in (w.speaker, other)]
        for thread in both:
            thread.start()
        for thread in both:
            thread.join()
        w.tend()
        w.now += 10 * MINUTE
        w.happen()
    assert failures == []
    assert len(w.sent) == len(w.offered()) == 60
    w.tend()
    assert w.state() is R.FINISHED
    w.check()


def test_pages_and_groups_by_query_count_and_rest(w: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(selecting, "PAGE", 7)
    monkeypatch.setattr(planning, "PAGE", 7)
    named = sorted(w.devices)[:5]
    groups = (Group(where=["devices", *named]), Group(count=10), Group())
    plan = Plan(groups=groups, share=50, deadline=int(w.now) + DAY)
    with w.store.read() as session:
        found = preview(session, "r", "thermostat", plan, w.now)
    made = make(w, plan)
    assert made.state is R.READY
    sizes = tuple(len(w.members(index)) for index in range(3))
    assert found.sizes == sizes
    assert sum(sizes) == 30
    assert w.members(0) <= set(named)
    assert all(set(first) <= w.members(index) for index, first in enumerate(found.first))
    assert w.counts() == {Outcome.PLANNED: 30}


def test_a_rollout_that_is_stopped_while_it_is_made_says_so(
    w: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(selecting, "PAGE", 7)
    monkeypatch.setattr(planning, "PAGE", 7)
    write, calls = planning._write, []

    def stopping(session: Any, id_: str, sorting: Any, after: str) -> str:
        calls.append(after)
        if len(calls) == 3:
            rolling.apply_steps(
                session,
                planning.get_rollout(session, id_),
                [planning.Step(RolloutEvent.STOP)],
                w.now,
                by="Bob",
            )
        return write(session, id_, sorting, after)

    monkeypatch.setattr(planning, "_write", stopping)
    assert refused(lambda: make(w)) == "ROLLOUT_STATE"
    w.tend()
    assert w.state() is R.STOPPED


def test_what_cannot_be_made_is_refused(w: World) -> None:
    gates = Gates(failure=(Trip(then=Then.RETURN),))
    deadline = int(w.now) + DAY
    cases = [
        (Plan(groups=(Group(),), gates=gates, deadline=deadline), "ROLLOUT_PLAN"),
        (Plan(groups=(Group(),), gates=gates, back=PATCHES[7].hex(), deadline=deadline), "ROLLOUT_PLAN"),
        (Plan(groups=(Group(),), back="ab" * 32, deadline=deadline), "PATCH_UNKNOWN"),
        (Plan(groups=(Group(),), where=["region", "XX"], deadline=deadline), "NO_DEVICES"),
        (Plan(groups=(Group(),), where=["filter", "none"], deadline=deadline), "FILTER_UNKNOWN"),
        (Plan(groups=(Group(),), deadline=deadline + 400 * DAY), "ROLLOUT_PLAN"),
    ]
    for plan, code in cases:
        assert refused(lambda plan=plan: make(w, plan)) == code
    zone = Plan(
        groups=(Group(),), windows=(Window(start=0, minutes=1),), zone="../etc/passwd", deadline=deadline
    )
    assert refused(lambda: make(w, zone)) == "ROLLOUT_PLAN"
    late = make(w, name="late")
    w.now = late.plan.deadline
    start = lambda: change_rollout(w.store, "late", RolloutEvent.START, w.now)  # noqa: E731
    assert refused(start) == "DEADLINE_PASSED"


def test_a_pause_outlasts_the_deadline_only_to_end(w: World) -> None:
    silence = Silence(percent=1, seconds=MINUTE, minimum=1)
    w.script = lambda _w, _device, _offer: ()
    plan = Plan(
        groups=(Group(),), gates=Gates(success=Success(), silence=silence), deadline=int(w.now) + HOUR
    )
    make(w, plan, start=True)
    w.run(30 * MINUTE)
    assert (w.state(), w.counts()) == (R.PAUSED, {Outcome.SILENT: 60})
    w.run(HOUR)
    assert w.state() is R.FINISHED
    assert refused(lambda: change_rollout(w.store, "r", RolloutEvent.RESUME, w.now)) == "ROLLOUT_STATE"
    w.check()
