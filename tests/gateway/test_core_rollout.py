"""Rollouts: groups open by proof, stop on failure, end when everybody has."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from advisories.states import PatchState
from gateway.core.rollout import (
    GROUP_TABLE,
    GROUPS_MAX,
    ROLLOUT_TABLE,
    Counts,
    GroupEvent,
    GroupState,
    Plan,
    RolloutEvent,
    RolloutState,
    advance,
    assign,
    count,
    override,
)
from keys.errors import InputError

G, GE, RE, P = GroupState, GroupEvent, RolloutEvent, PatchState
NOW = 1_000


def plan(*percents: int, **fields: Any) -> Plan:
    return Plan(**{"percents": percents or (10, 90), "deadline": 2_000, **fields})


WRONG = [
    {"percents": ()},
    {"percents": (50, 49)},
    {"percents": (101, -1)},
    {"percents": (100, 0)},
    {"percents": (1,) * (GROUPS_MAX + 1)},
    {"success_percent": 0},
    {"success_percent": 101},
    {"failure_percent": -1},
    {"failure_minimum": 0},
    {"window": (5, 5)},
]


@pytest.mark.parametrize("fields", WRONG, ids=str)
def test_a_plan_that_cannot_work_is_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(InputError) as caught:
        plan(**fields)
    assert caught.value.code == "ROLLOUT_PLAN"


NEXT = [
    ("nothing open yet", (G.SCHEDULED, G.SCHEDULED), ({}, {}), NOW, [(0, GE.OPEN)]),
    ("waits for proof", (G.RUNNING, G.SCHEDULED), ({"proven": 8, "ended": 8}, {}), NOW, []),
    ("enough is proven", (G.RUNNING, G.SCHEDULED), ({"proven": 9, "ended": 9}, {}), NOW, [(0, GE.PASS)]),
    ("passed: the next", (G.FINISHED, G.SCHEDULED), ({"proven": 9, "ended": 9}, {}), NOW, [(1, GE.OPEN)]),
    (
        "not applicable counts for neither",
        (G.RUNNING, G.SCHEDULED),
        ({"proven": 5, "not_applicable": 5, "ended": 10}, {}),
        NOW,
        [(0, GE.PASS)],
    ),
    (
        "applies to nobody",
        (G.RUNNING, G.SCHEDULED),
        ({"not_applicable": 10, "ended": 10}, {}),
        NOW,
        [(0, GE.PASS)],
    ),
    ("one failure is below the minimum", (G.RUNNING, G.SCHEDULED), ({"failed": 1, "ended": 1}, {}), NOW, []),
    ("two of ten are twenty per cent", (G.RUNNING, G.SCHEDULED), ({"failed": 2, "ended": 2}, {}), NOW, []),
    (
        "three of ten stop it",
        (G.RUNNING, G.SCHEDULED),
        ({"failed": 3, "ended": 3}, {}),
        NOW,
        [(0, GE.FAIL), RE.TRIP],
    ),
    (
        "all ended and not enough proven",
        (G.RUNNING, G.SCHEDULED),
        ({"proven": 8, "ended": 10}, {}),
        NOW,
        [(0, GE.FAIL), RE.TRIP],
    ),
    (
        "a group that passed may still fail",
        (G.FINISHED, G.RUNNING),
        ({"proven": 9, "failed": 3, "ended": 10}, {}),
        NOW,
        [(0, GE.FAIL), RE.TRIP],
    ),
    (
        "what an operator let pass stays passed",
        (G.OVERRIDDEN, G.SCHEDULED),
        ({"failed": 9, "ended": 10}, {}),
        NOW,
        [(1, GE.OPEN)],
    ),
    (
        "silent devices keep it open",
        (G.FINISHED, G.FINISHED),
        ({"proven": 9, "ended": 9}, {"proven": 10, "ended": 10}),
        NOW,
        [],
    ),
    (
        "everybody ended",
        (G.FINISHED, G.OVERRIDDEN),
        ({"proven": 10, "ended": 10}, {"proven": 1, "ended": 10}),
        NOW,
        [RE.END],
    ),
    ("the deadline passed", (G.RUNNING, G.SCHEDULED), ({"ended": 0}, {}), 2_000, [RE.END]),
]


@pytest.mark.parametrize(("case", "groups", "counts", "now", "steps"), NEXT, ids=[row[0] for row in NEXT])
def test_what_happens_next(
    case: str, groups: tuple[GroupState, ...], counts: tuple[dict[str, int], ...], now: int, steps: list[Any]
) -> None:
    assert advance(plan(), groups, [Counts(10, **fields) for fields in counts], now) == steps


def test_resuming_lets_failed_groups_pass() -> None:
    assert override((G.FINISHED, G.ERROR, G.SCHEDULED)) == [(1, GE.OVERRIDE)]


def test_states_are_counted_and_the_silent_are_neither_good_nor_bad() -> None:
    states = [P.SUCCEEDED, P.ALREADY_INSTALLED, P.ROLLED_BACK, P.NOT_APPLICABLE, P.DECLINED, P.DOWNLOADING]
    assert count(9, states) == Counts(9, proven=2, failed=1, not_applicable=1, ended=5)


@given(
    st.sets(st.text(min_size=1, max_size=8), max_size=60),
    st.lists(st.integers(1, 50), min_size=1, max_size=5),
    st.text(max_size=8),
)
def test_assignment_is_stable_and_complete(devices: set[str], shares: list[int], name: str) -> None:
    percents = (*shares, 100 - sum(shares)) if sum(shares) < 100 else (100,)
    groups = assign(name, devices, percents)
    assert groups == assign(name, sorted(devices), percents)
    assert groups.keys() == devices
    if devices:
        assert 0 in groups.values()
    first = sum(group == 0 for group in groups.values())
    assert first == -(-percents[0] * len(devices) // 100)


@given(st.data())
def test_a_rollout_always_comes_to_an_end_once_its_devices_have(data: st.DataObject) -> None:
    """Whatever devices do, applying what is next comes to rest, and never leaves the tables."""
    sizes = data.draw(st.lists(st.integers(0, 5), min_size=2, max_size=2))
    counts = []
    for size in sizes:
        ends = data.draw(st.lists(st.sampled_from(list(P)), min_size=size, max_size=size))
        counts.append(count(size, ends))
    groups, state = [G.SCHEDULED, G.SCHEDULED], RolloutState.RUNNING
    for _ in range(12):
        steps = advance(plan(), groups, counts, NOW) if state is RolloutState.RUNNING else []
        if not steps:
            break
        for step in steps:
            if isinstance(step, RolloutEvent):
                state = ROLLOUT_TABLE[state, step]
            else:
                groups[step[0]] = GROUP_TABLE[groups[step[0]], step[1]]
    else:
        pytest.fail("it does not come to rest")
    if all(seen.ended == seen.total for seen in counts):
        assert state in {RolloutState.FINISHED, RolloutState.PAUSED}
