"""Gates: groups open by proof, stop on failure and silence, end when everybody has."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.rollout import (
    GROUP_TABLE,
    ROLLOUT_TABLE,
    Counts,
    Failure,
    GroupEvent,
    GroupState,
    LeftOut,
    Outcome,
    Plan,
    RolloutEvent,
    RolloutState,
    Step,
    advance,
    by_percent,
    open_next,
    override,
    tally,
)
from gateway.core.rollout.outcome import ENDED
from gateway.core.rollout.plan import Gates, Group, Silence, Success, Then, Trip

G, GE, RE, R, O = GroupState, GroupEvent, RolloutEvent, RolloutState, Outcome  # noqa: E741 - as in the tables
NOW = 1_000

TWO = (Group(percent=10), Group(percent=90))
PLAIN = by_percent((10, 90), deadline=2_000)


def gated(**gates: Any) -> Plan:
    return Plan(groups=TWO, gates=Gates(**gates), deadline=2_000)


SOAKING = gated(success=Success(percent=90, soak=300))
HOLDING = gated(success=Success(percent=90, then=Then.PAUSE))
SILENCE = gated(silence=Silence(percent=30, minimum=2, seconds=60, then=Then.PAUSE))
BOOTS = gated(failure=(Trip(percent=10, minimum=1, ended=5, failures=(Failure.BOOT,), then=Then.STOP),))
BACK = Plan(
    groups=TWO,
    gates=Gates(failure=(Trip(percent=20, minimum=2, then=Then.RETURN),)),
    back="ab" * 32,
    deadline=2_000,
)
MINIMUM = gated(success=Success(percent=10, minimum=8))
PHASES = Plan(
    groups=(Group(percent=10), Group(percent=90, opens=600)),
    gates=Gates(success=Success(percent=0)),
    deadline=9_000,
)
OWN = Plan(groups=(Group(percent=10, gates=Gates(success=Success(percent=50))), TWO[1]), deadline=2_000)

FAIL_FIRST = [(0, GE.FAIL), RE.TRIP]
NEXT: list[tuple[str, Plan, tuple[GroupState, ...], tuple[dict[str, Any], ...], int, list[Any]]] = [
    ("nothing open yet", PLAIN, (G.SCHEDULED, G.SCHEDULED), ({}, {}), NOW, [(0, GE.OPEN)]),
    ("waits for proof", PLAIN, (G.RUNNING, G.SCHEDULED), ({"proven": 8, "ended": 8}, {}), NOW, []),
    ("enough is proven", PLAIN, (G.RUNNING, G.SCHEDULED), ({"proven": 9}, {}), NOW, [(0, GE.PASS)]),
    ("passed: the next", PLAIN, (G.FINISHED, G.SCHEDULED), ({"proven": 9}, {}), NOW, [(1, GE.OPEN)]),
    (
        "not applicable counts for neither", PLAIN, (G.RUNNING, G.SCHEDULED),
        ({"proven": 5, "not_applicable": 5, "ended": 10}, {}), NOW, [(0, GE.PASS)],
    ),
    (
        "applies to nobody", PLAIN, (G.RUNNING, G.SCHEDULED),
        ({"not_applicable": 10, "ended": 10}, {}), NOW, FAIL_FIRST,
    ),
    (
        "all were revoked", PLAIN, (G.RUNNING, G.SCHEDULED), ({"total": 0, "revoked": 10}, {}), NOW, FAIL_FIRST,
    ),
    (
        "all were left out, also in the last group", PLAIN, (G.FINISHED, G.RUNNING),
        ({"proven": 9, "ended": 10}, {"left_out": {LeftOut.RECORD: 10}, "ended": 10}),
        NOW, [(1, GE.FAIL), RE.TRIP],
    ),
    (
        "all were revoked while they were watched", SOAKING, (G.SOAKING, G.SCHEDULED),
        ({"total": 0, "revoked": 10}, {}), NOW + 300, FAIL_FIRST,
    ),
    (
        "all were revoked after they had proven it", PLAIN, (G.FINISHED, G.SCHEDULED),
        ({"total": 0, "revoked": 10}, {}), NOW, [(1, GE.OPEN)],
    ),
    ("nobody ever was in the first", PLAIN, (G.RUNNING, G.SCHEDULED), ({"total": 0}, {}), NOW, FAIL_FIRST),
    ("nobody ever was in a later one", PLAIN, (G.FINISHED, G.RUNNING), ({}, {"total": 0}), NOW, [(1, GE.PASS)]),
    (
        "nobody is left, and nobody is waited for", PHASES, (G.RUNNING, G.SCHEDULED),
        ({"total": 0, "revoked": 10}, {}), 0, [(0, GE.PASS)],
    ),
    (
        "that nobody is left pauses where failures return", BACK, (G.RUNNING, G.SCHEDULED),
        ({"total": 0, "revoked": 10}, {}), NOW, FAIL_FIRST,
    ),
    (
        "who was left out counts for neither", PLAIN, (G.RUNNING, G.SCHEDULED),
        ({"proven": 5, "left_out": {LeftOut.PRODUCT: 5}, "ended": 10}, {}), NOW, [(0, GE.PASS)],
    ),
    ("one failure is below the minimum", PLAIN, (G.RUNNING, G.SCHEDULED), ({"failed": 1}, {}), NOW, []),
    ("two of ten are twenty per cent", PLAIN, (G.RUNNING, G.SCHEDULED), ({"failed": 2}, {}), NOW, []),
    ("three of ten stop it", PLAIN, (G.RUNNING, G.SCHEDULED), ({"failed": 3}, {}), NOW, FAIL_FIRST),
    ("what will be tried again has not failed", PLAIN, (G.RUNNING, G.SCHEDULED), ({"failing": 9}, {}), NOW, []),
    (
        "all ended and not enough proven", PLAIN, (G.RUNNING, G.SCHEDULED),
        ({"proven": 8, "ended": 10}, {}), NOW, FAIL_FIRST,
    ),
    (
        "a group that passed may still fail", PLAIN, (G.FINISHED, G.RUNNING),
        ({"proven": 9, "failed": 3, "ended": 10}, {}), NOW, FAIL_FIRST,
    ),
    (
        "what an operator let pass stays passed", PLAIN, (G.OVERRIDDEN, G.SCHEDULED),
        ({"failed": 9, "ended": 10}, {}), NOW, [(1, GE.OPEN)],
    ),
    (
        "silent devices keep it open", PLAIN, (G.FINISHED, G.FINISHED),
        ({"proven": 9, "ended": 9}, {"proven": 10, "ended": 10}), NOW, [],
    ),
    (
        "everybody ended", PLAIN, (G.FINISHED, G.OVERRIDDEN),
        ({"proven": 10, "ended": 10}, {"proven": 1, "ended": 10}), NOW, [RE.END],
    ),
    ("the deadline passed", PLAIN, (G.RUNNING, G.SCHEDULED), ({}, {}), 2_000, [RE.END]),
    ("a soak begins", SOAKING, (G.RUNNING, G.SCHEDULED), ({"proven": 9}, {}), NOW, [(0, GE.PROVE)]),
    ("a soak lasts", SOAKING, (G.SOAKING, G.SCHEDULED), ({"proven": 9}, {}), NOW + 299, []),
    ("a soak is over", SOAKING, (G.SOAKING, G.SCHEDULED), ({"proven": 9}, {}), NOW + 300, [(0, GE.PASS)]),
    ("a soak fails", SOAKING, (G.SOAKING, G.SCHEDULED), ({"proven": 7, "failed": 3}, {}), NOW, FAIL_FIRST),
    (
        "success may wait for a person", HOLDING, (G.RUNNING, G.SCHEDULED),
        ({"proven": 9}, {}), NOW, [(0, GE.PASS), RE.HOLD],
    ),
    ("but not behind the last group", HOLDING, (G.FINISHED, G.RUNNING), ({}, {"proven": 9}), NOW, [(1, GE.PASS)]),
    ("three silent of ten are allowed", SILENCE, (G.RUNNING, G.SCHEDULED), ({"silent": 3}, {}), NOW, []),
    ("four silent of ten are not", SILENCE, (G.RUNNING, G.SCHEDULED), ({"silent": 4}, {}), NOW, FAIL_FIRST),
    ("silence does not undo what passed", SILENCE, (G.FINISHED, G.RUNNING), ({"silent": 9}, {}), NOW, []),
    (
        "a share of those that ended needs its minimum", BOOTS, (G.RUNNING, G.SCHEDULED),
        ({"failures": {Failure.BOOT: 4}, "failed": 4, "ended": 4}, {}), NOW, [],
    ),
    (
        "and stops from there on", BOOTS, (G.RUNNING, G.SCHEDULED),
        ({"failures": {Failure.BOOT: 1}, "failed": 1, "ended": 5}, {}), NOW, [(0, GE.FAIL), RE.STOP],
    ),
    (
        "another failure is not its business", BOOTS, (G.RUNNING, G.SCHEDULED),
        ({"failures": {Failure.DOWNLOAD: 5}, "failed": 5, "ended": 5}, {}), NOW, [],
    ),
    (
        "a group is returned", BACK, (G.RUNNING, G.SCHEDULED),
        ({"failed": 3}, {}), NOW, [(0, GE.FAIL), (0, GE.RETURN), RE.STOP],
    ),
    ("a least number must be proven", MINIMUM, (G.RUNNING, G.SCHEDULED), ({"proven": 7}, {}), NOW, []),
    ("and is", MINIMUM, (G.RUNNING, G.SCHEDULED), ({"proven": 8}, {}), NOW, [(0, GE.PASS)]),
    ("a phase waits for its time", PHASES, (G.FINISHED, G.SCHEDULED), ({}, {}), 599, []),
    ("a phase comes by time alone", PHASES, (G.FINISHED, G.SCHEDULED), ({}, {}), 600, [(1, GE.OPEN)]),
    ("a group has its own gates", OWN, (G.RUNNING, G.SCHEDULED), ({"proven": 5}, {}), NOW, [(0, GE.PASS)]),
]  # fmt: skip


def plain(steps: list[Step]) -> list[Any]:
    return [step.event if step.group is None else (step.group, step.event) for step in steps]


@pytest.mark.parametrize(
    ("plan", "groups", "counts", "now", "steps"), [row[1:] for row in NEXT], ids=[row[0] for row in NEXT]
)
def test_what_happens_next(
    plan: Plan, groups: tuple[GroupState, ...], counts: tuple[dict[str, Any], ...], now: int, steps: list[Any]
) -> None:
    since = [(state, float(NOW)) for state in groups]
    found = advance(plan, since, [Counts(**{"total": 10, **fields}) for fields in counts], now)
    assert plain(found) == steps
    assert all(step.why for step in found)


def test_a_stop_wins_over_a_return_and_a_return_over_a_pause() -> None:
    plan = Plan(
        groups=tuple(
            Group(count=10, gates=Gates(failure=(Trip(percent=0, minimum=1, then=then),)))
            for then in (Then.PAUSE, Then.RETURN, Then.STOP)
        ),
        back="ab" * 32,
        deadline=2_000,
    )
    running = [(G.RUNNING, 0.0)] * 3
    bad, good = Counts(10, failed=1), Counts(10)
    assert plain(advance(plan, running, [bad, bad, good], NOW))[2:] == [(1, GE.RETURN), RE.STOP]
    assert plain(advance(plan, running, [bad, good, good], NOW))[1:] == [RE.TRIP]
    assert plain(advance(plan, running, [bad, bad, bad], NOW))[3:] == [(1, GE.RETURN), RE.STOP]


def test_an_operator_lets_failed_groups_pass_and_opens_the_next() -> None:
    assert plain(override((G.FINISHED, G.ERROR, G.SCHEDULED))) == [(1, GE.OVERRIDE)]
    assert plain(open_next((G.RUNNING, G.SCHEDULED, G.SCHEDULED))) == [(1, GE.OPEN)]
    assert open_next((G.RUNNING, G.FINISHED)) == []


def test_outcomes_are_tallied_and_the_revoked_are_left_out() -> None:
    cells = dict.fromkeys(Outcome, 1)
    seen = tally(cells)
    assert (seen.total, seen.proven, seen.failed, seen.not_applicable) == (len(Outcome) - 1, 1, 6, 2)
    assert (seen.ended, seen.planned, seen.failing, seen.silent, seen.declined) == (len(ENDED), 1, 1, 1, 1)
    assert seen.failures == dict.fromkeys(Failure, 1)
    assert (seen.revoked, seen.left_out) == (1, dict.fromkeys(LeftOut, 1))
    assert seen.applicable == seen.total - 5


def test_a_gate_that_nobody_can_prove_says_who_is_gone() -> None:
    whole = {O.REVOKED: 3, O.NOT_APPLICABLE: 1, O.LEFT: 1, O.NO_RECORD: 4, O.OVERTAKEN: 2}
    for cells, why in (
        (
            whole,
            "nobody is left to prove it: 3 revoked, 2 not applicable, 4 left out (record), 2 left out (overtaken)",
        ),
        ({}, "nobody is in the group to prove it"),
    ):
        steps = advance(PLAIN, [(G.RUNNING, 0.0), (G.SCHEDULED, 0.0)], [tally(cells), tally({})], NOW)
        assert {step.why for step in steps} == {why}


OUTCOMES = st.dictionaries(st.sampled_from(Outcome), st.integers(0, 5), max_size=6)
PLANS = st.sampled_from([PLAIN, SOAKING, HOLDING, SILENCE, BOOTS, BACK, MINIMUM, OWN])


@given(PLANS, st.lists(st.tuples(OUTCOMES, OUTCOMES), min_size=1, max_size=8))
def test_whatever_devices_do_it_comes_to_rest_and_no_verdict_goes_back(
    plan: Plan, history: list[tuple[dict[Outcome, int], dict[Outcome, int]]]
) -> None:
    groups, state, now = [G.SCHEDULED, G.SCHEDULED], RolloutState.RUNNING, float(NOW)
    since, verdicts = [now, now], [set[GroupState](), set[GroupState]()]
    for cells in history:
        now += 100
        for _ in range(12):
            if state is not RolloutState.RUNNING:
                break
            steps = advance(plan, list(zip(groups, since, strict=True)), list(map(tally, cells)), now)
            if not steps:
                break
            for step in steps:
                if step.group is None:
                    state = ROLLOUT_TABLE[state, step.event]  # type: ignore[index]
                else:
                    groups[step.group] = GROUP_TABLE[groups[step.group], step.event]  # type: ignore[index]
                    since[step.group] = now
        else:
            pytest.fail("it does not come to rest")
        for index, group in enumerate(groups):
            if G.ERROR in verdicts[index]:
                assert group not in {G.SCHEDULED, G.RUNNING, G.SOAKING, G.FINISHED}
            verdicts[index].add(group)
