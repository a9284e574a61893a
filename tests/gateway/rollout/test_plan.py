"""Plans: what cannot be carried out is refused, what is written is read back, what was written long ago too."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from gateway.core.chain import canonical
from gateway.core.rollout import Failure, Plan, by_percent
from gateway.core.rollout.plan import (
    GATES_MAX,
    GROUPS_MAX,
    RATE_MAX,
    TRIES_MAX,
    WINDOWS_MAX,
    Gates,
    Group,
    Rate,
    Retry,
    Silence,
    Success,
    Then,
    Trip,
    Window,
    from_data,
    to_data,
)
from keys.errors import InputError

REST = (Group(),)
GOOD = Plan(groups=REST, deadline=2_000)
NIGHT = Window(start=60, minutes=60)

WRONG: list[dict[str, Any]] = [
    {"groups": ()},
    {"groups": (Group(count=1),) * (GROUPS_MAX + 1)},
    {"groups": (Group(percent=50), Group(percent=49))},
    {"groups": (Group(percent=101), Group(percent=-1))},
    {"groups": (Group(percent=100), Group(percent=0))},
    {"groups": (Group(percent=50), Group(percent=50), Group())},
    {"groups": (Group(), Group())},
    {"groups": (Group(percent=50, count=3), Group())},
    {"groups": (Group(count=0),)},
    {"groups": (Group(opens=-1),)},
    {"gates": Gates(success=Success(percent=101))},
    {"gates": Gates(success=Success(percent=-1))},
    {"gates": Gates(success=Success(soak=-1))},
    {"gates": Gates(success=Success(then=Then.STOP))},
    {"gates": Gates(failure=(Trip(percent=-1),))},
    {"gates": Gates(failure=(Trip(percent=101),))},
    {"gates": Gates(failure=(Trip(minimum=0),))},
    {"gates": Gates(failure=(Trip(ended=-1),))},
    {"gates": Gates(failure=(Trip(then=Then.NEXT),))},
    {"gates": Gates(failure=(Trip(),) * (GATES_MAX + 1))},
    {"gates": Gates(silence=Silence(percent=101, seconds=60))},
    {"gates": Gates(silence=Silence(percent=1, seconds=59))},
    {"gates": Gates(silence=Silence(percent=1, seconds=60, minimum=0))},
    {"gates": Gates(silence=Silence(percent=1, seconds=60, then=Then.NEXT))},
    {"groups": (Group(gates=Gates(success=Success(percent=101))),)},
    {"window": (5, 5)},
    {"window": (5, 6), "windows": (NIGHT,)},
    {"windows": (NIGHT,) * (WINDOWS_MAX + 1)},
    {"windows": (Window(start=1_440, minutes=1),)},
    {"windows": (Window(start=0, minutes=1_441),)},
    {"windows": (Window(start=0, minutes=1, days=(7,)),)},
    {"windows": (Window(start=0, minutes=1, days=(1, 1)),)},
    {"share": 0},
    {"share": 101},
    {"starts": 2_000},
    {"jitter": -1},
    {"jitter": 86_401},
    {"rate": Rate(per_minute=0)},
    {"rate": Rate(per_minute=2, maximum=1)},
    {"rate": Rate(per_minute=1, maximum=RATE_MAX + 1)},
    {"rate": Rate(per_minute=1, grow_percent=99)},
    {"rate": Rate(per_minute=1, every=0)},
    {"retry": (Retry(failure=Failure.BOOT, times=0),)},
    {"retry": (Retry(failure=Failure.BOOT, times=TRIES_MAX + 1),)},
    {"retry": (Retry(failure=Failure.BOOT, times=1, seconds=59),)},
    {"retry": (Retry(failure=Failure.BOOT, times=1), Retry(failure=Failure.BOOT, times=2))},
    {"back": "no digest"},
]


@pytest.mark.parametrize("fields", WRONG, ids=str)
def test_a_plan_that_cannot_work_is_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(InputError) as caught:
        replace(GOOD, **fields)
    assert caught.value.code == "ROLLOUT_PLAN"


EDGES: list[dict[str, Any]] = [
    {"groups": (Group(count=1),) * GROUPS_MAX},
    {"groups": (Group(percent=10), Group())},
    {"groups": (Group(count=5), Group(percent=100))},
    {"groups": (Group(where=["all"]), Group(percent=40), Group(percent=60))},
    {"gates": Gates(success=Success(percent=0), failure=())},
    {"gates": Gates(failure=(Trip(percent=100),) * GATES_MAX)},
    {"gates": Gates(silence=Silence(percent=0, seconds=60, minimum=1, then=Then.RETURN))},
    {"windows": (Window(start=1_439, minutes=1_440, days=(0, 6)),) * WINDOWS_MAX, "zone": "Asia/Tokyo"},
    {"share": 1, "jitter": 86_400, "starts": 1_999},
    {"rate": Rate(per_minute=RATE_MAX)},
    {"retry": tuple(Retry(failure=each, times=TRIES_MAX, seconds=60) for each in Failure)},
    {"back": "0" * 64, "window": (1, 2), "ask": True, "where": ["region", "DE"]},
]


@pytest.mark.parametrize("fields", EDGES, ids=str)
def test_a_plan_is_written_and_read_back(fields: dict[str, Any]) -> None:
    plan = replace(GOOD, **fields)
    assert from_data(json.loads(canonical(to_data(plan)))) == plan


def test_a_plan_from_before_groups_had_gates_is_read() -> None:
    former = {
        "percents": [10, 90],
        "success_percent": 70,
        "failure_percent": 5,
        "failure_minimum": 3,
        "deadline": 2_000,
        "window": [1, 2],
        "ask": True,
    }
    wanted = by_percent((10, 90), success=70, failure=5, minimum=3, deadline=2_000, window=(1, 2), ask=True)
    assert from_data(former) == wanted


@pytest.mark.parametrize(
    ("data", "where"),
    [
        ({}, "groups"),
        ({"groups": [{}], "deadline": "soon"}, "deadline"),
        ({"groups": [{"percents": 10}], "deadline": 1}, "groups.0.percents"),
        ({"groups": [{}], "deadline": 1, "speed": 2}, "speed"),
        ({"groups": [{}], "deadline": 1, "gates": {"failure": [{"then": "panic"}]}}, "gates.failure.0.then"),
        ({"percents": [10, 90], "deadline": 1}, "groups"),
    ],
)
def test_what_is_no_plan_is_refused_and_named(data: dict[str, Any], where: str) -> None:
    with pytest.raises(InputError, match=where) as caught:
        from_data(data)
    assert caught.value.code == "ROLLOUT_PLAN"


def test_selections_inside_a_plan_are_checked() -> None:
    with pytest.raises(InputError) as caught:
        from_data({"groups": [{"where": ["drop", "table"]}, {}], "deadline": 1})
    assert caught.value.code == "SELECTION"


def test_whether_a_gate_returns_a_group() -> None:
    gates = Gates(silence=Silence(percent=1, seconds=60, then=Then.RETURN))
    assert not GOOD.returns
    assert replace(GOOD, gates=gates).returns
    own = replace(GOOD, groups=(Group(gates=Gates(failure=(Trip(then=Then.RETURN),))),))
    assert own.returns
    assert own.gates_of(0) is own.groups[0].gates
