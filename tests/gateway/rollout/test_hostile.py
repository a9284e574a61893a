"""Rollouts that somebody, or chance, works against: nothing passes unproven, and nothing stops the gateway."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from gateway.core.rollout import GroupState, Outcome, Plan, RolloutEvent, RolloutState, by_percent
from gateway.core.rollout.plan import Gates, Group, Rate, Silence, Success, Then, Trip, Window
from gateway.core.selection import checked, describe
from gateway.store import cells, planning, rolling, schema, selecting
from gateway.store.rolling import change_rollout, decide, open_next
from keys.errors import InputError
from keys.reasons import Reason
from tests.gateway.databases import ENGINES
from tests.gateway.rollout.scenarios.world import DAY, HOUR, MINUTE, PATCHES, P, World, outcome_of, world
from tests.gateway.rollout.test_deciding import make, refused

G, R = GroupState, RolloutState
RETURNS = Gates(failure=(Trip(percent=10, minimum=1, then=Then.RETURN),))
HUGE = 10**400


@pytest.fixture(params=ENGINES)
def w(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    with world(tmp_path, 60, request.param) as made:
        yield made


@pytest.mark.parametrize("state", [P.ROLLED_BACK, P.SUCCEEDED])
def test_a_canary_that_goes_back_while_it_is_watched_opens_nothing(w: World, state: P) -> None:
    """Also where it still claims success: the version that it measures is the old one again."""
    gates = Gates(success=Success(percent=90, soak=2 * HOUR))
    make(w, Plan(groups=(Group(count=1), Group()), gates=gates, deadline=int(w.now) + 3 * DAY), start=True)
    w.run(30 * MINUTE)
    assert w.groups()[0] is G.SOAKING
    (canary,) = w.members(0)
    device = w.devices[canary]
    device.installed, device.states[7] = (1, 4, 1, 0), (state, Reason.OK)
    w.say(device)
    w.commit()
    w.run(4 * HOUR, step=HOUR)
    assert w.groups() == (G.ERROR if state is P.ROLLED_BACK else G.SOAKING, G.SCHEDULED)
    assert w.offered() == {canary}
    w.check()


def test_stopping_one_rollout_leaves_what_another_one_of_the_same_patch_offers(w: World) -> None:
    w.script = lambda w, _device, _offer: [(w.now + 1, P.DOWNLOADING, Reason.OK)]
    for name in ("a", "b"):
        make(w, by_percent((10, 90), deadline=int(w.now) + DAY), name=name, start=True)
        w.run(10 * MINUTE)
    open_next(w.store, "a", w.now)
    w.run(10 * MINUTE)
    change_rollout(w.store, "a", RolloutEvent.STOP, w.now)
    w.run(HOUR)
    assert w.state("a") is R.STOPPED
    assert (w.counts(0, "b"), w.groups("b")) == ({Outcome.UNDER_WAY: 6}, (G.RUNNING, G.SCHEDULED))
    taken_back = {offer.subject[0] for _, offer in w.sent if offer.cancel}
    assert (len(taken_back), taken_back & w.members(0, "b")) == (54, set())
    w.check()


def test_devices_are_brought_back_by_a_rollout_of_their_own_whatever_others_are_called(w: World) -> None:
    make(w, name="r-return", approval=True)
    failing = outcome_of(P.ROLLED_BACK)
    installs = outcome_of(P.SUCCEEDED)
    w.script = lambda w, device, offer: (
        failing if offer.sequence == 7 and device.number % 3 == 0 else installs
    )(w, device, offer)
    plan = Plan(groups=(Group(),), gates=RETURNS, back=PATCHES[8].hex(), deadline=int(w.now) + DAY)
    make(w, plan, start=True)
    w.run(3 * HOUR)
    assert (w.state(), w.groups()) == (R.STOPPED, (G.RETURNED,))
    assert (w.state("r-return"), w.counts(name="r-return")) == (
        R.WAITING_FOR_APPROVAL,
        {Outcome.PLANNED: 60},
    )
    assert w.counts(name="r-return2") == {Outcome.PROVEN: 40}
    w.check()


def test_who_was_revoked_after_the_return_does_not_keep_others_from_it(w: World) -> None:
    def script(w: World, device: Any, offer: Any) -> Any:
        if offer.sequence == 7 and device.number % 3 == 0:
            return outcome_of(P.ROLLED_BACK)(w, device, offer)
        if offer.sequence == 7 and device.number % 3 == 1:
            return [(w.now + 60, P.TESTING, Reason.OK), (w.now + 6 * HOUR, P.SUCCEEDED, Reason.OK)]
        return outcome_of(P.SUCCEEDED)(w, device, offer)

    w.script = script
    plan = Plan(groups=(Group(),), gates=RETURNS, back=PATCHES[8].hex(), deadline=int(w.now) + 3 * DAY)
    make(w, plan, start=True)
    w.run(3 * HOUR)
    gone = [device.id for device in w.devices.values() if device.number % 3 == 2]
    d = schema.devices
    with w.store.write() as session, cells.counted(session, gone):
        session.connection.execute(sa.update(d).where(d.c.id.in_(gone)).values(revoked=True))
    w.run(12 * HOUR)
    assert w.counts(name="r-return") == {Outcome.PROVEN: 20, Outcome.REVOKED: 20}
    assert w.groups() == (G.RETURNED,)
    w.check()


def counters(w: World, **values: int) -> None:
    """Say which security counters the images of published patches have."""
    p = schema.patches
    with w.store.write() as session:
        for name, counter in values.items():
            where = p.c.digest == PATCHES[int(name[1:])]
            session.connection.execute(p.update().where(where).values(counter=counter))


@pytest.mark.parametrize("when", ["before", "during"])
def test_nothing_is_brought_back_below_the_security_counter_that_the_product_has_reached(
    w: World, when: str
) -> None:
    """It was compared when the plan was made, and may have risen since: by a patch that devices do not run yet."""
    counters(w, p7=2, p8=2)
    w.script = lambda w, device, offer: (
        ()
        if offer.sequence == 8
        else outcome_of(P.ROLLED_BACK if device.number % 3 == 0 else P.SUCCEEDED)(w, device, offer)
    )
    plan = Plan(groups=(Group(),), gates=RETURNS, back=PATCHES[8].hex(), deadline=int(w.now) + DAY)
    make(w, plan, start=True)
    if when == "before":
        counters(w, p9=3)
    w.run(20 * MINUTE)
    counters(w, p9=3)
    w.run(3 * HOUR)
    assert (w.state(), w.groups()) == (R.STOPPED, (G.ERROR,))
    why = "the security counter of 1.4.1 is 2, and the product is at 3"
    assert w.rollout().why.endswith(f"; nothing is brought back: {why}")
    brought = [offer for _, offer in w.sent if offer.sequence == 8]
    if when == "before":
        assert brought == []
    else:
        assert (w.state("r-return"), w.rollout("r-return").why) == (R.STOPPED, why)
        last = {offer.subject[0]: offer for offer in brought}
        assert len(last) == 40
        assert all(offer.cancel for offer in last.values())
    w.check()


def test_a_plan_that_returns_below_the_security_counter_is_refused(w: World) -> None:
    plan = Plan(groups=(Group(),), gates=RETURNS, back=PATCHES[8].hex(), deadline=int(w.now) + DAY)
    for low in ({"p7": 2, "p8": 1}, {"p7": 1, "p8": 1, "p9": 5}):
        counters(w, **low)
        assert refused(lambda: make(w, plan)) == "ROLLOUT_PLAN"
    p = schema.patches
    with w.store.write() as session:
        session.connection.execute(p.update().where(p.c.digest == PATCHES[8]).values(counter=None))
    assert refused(lambda: make(w, plan)) == "ROLLOUT_PLAN", "what is not known is not high enough"
    counters(w, p8=5)
    make(w, plan)


def test_an_author_in_disguise_is_the_author(w: World) -> None:
    made = {"digest": PATCHES[7], "plan": by_percent((100,), deadline=int(w.now) + DAY), "now": w.now}
    said = {"approve": True, "plan": None, "why": "", "now": w.now}
    make(w, approval=True)
    planning.create_rollout(w.store, "long", by="a" * 70, approval=True, **made)
    for author in ("A\u200bnn", "\uff21nn", "An\u00adn", "a n n", "Ann.", "ANN\u2060"):
        assert refused(lambda by=author: decide(w.store, "r", by=by, **said)) == "APPROVED_BY_AUTHOR"
    for nobody in ("", " ", "\u200b", "-"):
        assert refused(lambda by=nobody: decide(w.store, "r", by=by, **said)) == "NO_NAME"
    assert refused(lambda: decide(w.store, "long", by="a" * 70, **said)) == "APPROVED_BY_AUTHOR"
    assert decide(w.store, "long", by="b" * 70, **said).approved == "b" * 64
    anonymous = lambda: planning.create_rollout(w.store, "no", by=" ", approval=True, **made)  # noqa: E731
    assert refused(anonymous) == "NO_NAME"


CANNOT: list[dict[str, Any]] = [
    {"groups": lambda: (Group(count=1), Group(opens=HUGE))},
    {"gates": lambda: Gates(success=Success(soak=HUGE))},
    {"gates": lambda: Gates(silence=Silence(percent=1, seconds=HUGE))},
    {"starts": lambda: -HUGE},
    {"window": lambda: (0, HUGE)},
    {"window": lambda: (1, 5)},
    {"window": lambda: (4 * 10**9, 4 * 10**9 + 5)},
]


def test_numbers_without_end_and_windows_that_never_come_are_refused(w: World) -> None:
    """A number that the clock cannot be added to would end the gateway at each of its rounds."""

    def attempt(odd: dict[str, Any]) -> None:
        fields = {name: value() for name, value in odd.items()}
        make(w, Plan(**{"groups": (Group(),), "deadline": int(w.now) + DAY, **fields}))

    for odd in CANNOT:
        assert refused(lambda odd=odd: attempt(odd)) == "ROLLOUT_PLAN"


def test_a_deadline_before_the_first_window_is_refused(w: World) -> None:
    later = (int(w.now) // 60 + 300) % 1_440  # five hours from now, by the clock of UTC
    windows = (Window(start=later, minutes=30),)
    plan = Plan(groups=(Group(),), windows=windows, deadline=int(w.now) + 4 * HOUR)
    assert refused(lambda: make(w, plan)) == "ROLLOUT_PLAN"
    make(w, Plan(groups=(Group(),), windows=windows, deadline=int(w.now) + 6 * HOUR))


def test_a_creation_that_was_killed_leaves_cells_that_are_right(
    w: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(selecting, "PAGE", 7)
    monkeypatch.setattr(planning, "PAGE", 7)
    write, calls = planning._write, []

    def killed(*arguments: Any) -> str:
        calls.append(arguments)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return write(*arguments)

    monkeypatch.setattr(planning, "_write", killed)
    with pytest.raises(KeyboardInterrupt):
        make(w)
    assert w.state() is R.CREATING
    w.check()
    ids = sorted(w.devices)[:5]
    d = schema.devices
    with w.store.write() as session, cells.counted(session, ids):
        session.connection.execute(sa.update(d).where(d.c.id.in_(ids)).values(revoked=True))
    w.check()
    change_rollout(w.store, "r", RolloutEvent.STOP, w.now)
    assert w.state() is R.STOPPED
    w.check()


def test_a_stop_behind_the_last_page_of_a_creation_is_no_accident(
    w: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    finish = planning._finish

    def stopped(session: Any, id_: str, *arguments: Any, **options: Any) -> Any:
        before = planning.get_rollout(session, id_)
        rolling.apply_steps(session, before, [planning.Step(RolloutEvent.STOP)], w.now, by="Bob")
        return finish(session, id_, *arguments, **options)

    monkeypatch.setattr(planning, "_finish", stopped)
    assert refused(lambda: make(w)) == "ROLLOUT_STATE"


def test_failures_count_after_a_clock_that_ran_ahead_was_set_right(w: World) -> None:
    right = w.now
    w.script = lambda _w, _device, _offer: ()
    w.now += 6 * HOUR
    plan = Plan(groups=(Group(count=20), Group()), rate=Rate(per_minute=20), deadline=int(w.now) + DAY)
    make(w, plan, start=True)
    w.tend()
    w.now = right
    w.tend()
    for id_ in sorted(w.members(0)):
        w.now += 1
        w.devices[id_].states[7] = (P.ROLLED_BACK, Reason.OK)
        w.say(w.devices[id_])
        w.commit()
    w.tend()
    assert (w.state(), w.counts(0)) == (R.PAUSED, {Outcome.FAILED_BOOT: 20})
    change_rollout(w.store, "r", RolloutEvent.RESUME, w.now)
    w.run(2 * MINUTE, step=MINUTE)
    assert len(w.offered()) == 60, "the rate counts the minute before, and no hours to come"
    w.check()


def test_filters_that_name_each_other_often_are_refused_before_they_are_written_out(w: World) -> None:
    with w.store.write() as session:
        selecting.add_filter(session, "f0", ["all"], by="x", now=w.now)
        selecting.add_filter(session, "f1", ["or", *[["filter", "f0"]] * 200], by="x", now=w.now)
    with w.store.write() as session:
        wide = ["or", *[["filter", "f1"]] * 400]
        assert refused(lambda: selecting.add_filter(session, "f2", wide, by="x", now=w.now)) == "SELECTION"
    ids = ["devices", *(f"unit-{number:05}" for number in range(10_000))]
    with w.store.read() as session:
        found = selecting.count(session, "thermostat", ["or", ids, ids, ids], w.now)
        assert found.devices == 60
        assert (
            refused(lambda: selecting.count(session, "thermostat", ["or", *[ids] * 4], w.now)) == "SELECTION"
        )
        groups = [["or", *[["label", "ring", str(n)] for n in range(490)]] for _ in range(63)]
        many = lambda: selecting.Pages(session, "thermostat", None, groups, w.now)  # noqa: E731
        assert refused(many) == "SELECTION"


def test_words_that_no_store_takes_are_no_selection() -> None:
    for field in ("region", "product", "filter", "account"):
        with pytest.raises(InputError) as caught:
            checked([field, "\ud800"])
        assert caught.value.code == "SELECTION"


def test_a_query_is_described_once_however_often_it_is_denied(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []

    def counting(query: Any) -> str:
        calls.append(query)
        return describe(query)

    monkeypatch.setattr("gateway.core.selection.describe", counting)
    query: list[Any] = ["region", "DE"]
    for _ in range(15):
        query = ["not", query]
    assert counting(query) == "not " * 15 + "region = DE"
    assert len(calls) == 16


def test_a_rollout_that_the_gateway_fails_on_stands_still_alone(w: World) -> None:
    ids = sorted(w.devices)
    plan = Plan(groups=(Group(),), deadline=int(w.now) + DAY)
    w.roll(plan, "broken", devices=ids[::2])
    w.roll(plan, "whole", devices=ids[1::2])
    r = schema.rollouts
    with w.store.write() as session:
        session.connection.execute(r.update().where(r.c.id == "broken").values(plan="{"))
    w.run(2 * HOUR)
    assert w.state("whole") is RolloutState.FINISHED
    assert w.speaker.failing == {"broken"}
