"""Rates, windows, jitter, silences, retries; and who comes into which group."""

from __future__ import annotations

from array import array
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.rollout import Failure, Group, Outcome, Plan, assign
from gateway.core.rollout.grouping import cut, keep, rank
from gateway.core.rollout.plan import Gates, Rate, Retry, Silence, Window
from gateway.core.rollout.schedule import (
    GRACE_SECONDS,
    again_at,
    due,
    is_silent,
    jitter,
    next_window,
    per_minute,
    turn,
)

BERLIN = ZoneInfo("Europe/Berlin")
HOUR, DAY = 3_600, 86_400


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())


def plan(**fields: object) -> Plan:
    return replace(Plan(groups=(Group(),), deadline=at("2027-12-31")), **fields)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("proven", "wanted"),
    [(0, 50), (99, 50), (100, 75), (199, 75), (200, 112), (500, 378), (600, 500), (10**9, 500)],
)
def test_a_rate_grows_by_its_factor_up_to_its_maximum(proven: int, wanted: int) -> None:
    assert per_minute(Rate(per_minute=50, grow_percent=150, every=100, maximum=500), proven) == wanted
    assert per_minute(Rate(per_minute=50), proven) == 50


NIGHTS = (Window(start=23 * 60, minutes=120, days=(4,)), Window(start=2 * 60, minutes=60, days=(6,)))
WINDOWS = [
    # 2027-03-26 is a Friday; the clock goes forwards on Sunday the 28th at 2, which then does not come
    ("before", "2027-03-26T12:00", ("2027-03-26T22:00", "2027-03-27T00:00")),
    ("inside, over midnight", "2027-03-26T23:30", ("2027-03-26T22:00", "2027-03-27T00:00")),
    ("at its end", "2027-03-27T00:00", ("2027-03-28T01:00", "2027-03-28T02:00")),
    ("the week after", "2027-03-28T02:00", ("2027-04-02T21:00", "2027-04-02T23:00")),
]


@pytest.mark.parametrize(("now", "wanted"), [row[1:] for row in WINDOWS], ids=[row[0] for row in WINDOWS])
def test_the_window_that_is_open_or_comes_next(now: str, wanted: tuple[str, str]) -> None:
    assert next_window(plan(windows=NIGHTS), BERLIN, at(now)) == (at(wanted[0]), at(wanted[1]))


def test_no_window_begins_behind_the_deadline_and_none_ends_behind_it() -> None:
    short = plan(windows=NIGHTS, deadline=at("2027-03-26T23:00"))
    assert next_window(short, BERLIN, at("2027-03-26T12:00")) == (
        at("2027-03-26T22:00"),
        at("2027-03-26T23:00"),
    )
    assert (
        next_window(replace(short, deadline=at("2027-03-26T22:00")), BERLIN, at("2027-03-26T12:00")) is None
    )
    once = plan(window=(100, 200))
    assert next_window(once, UTC, 199) == (100, 200)
    assert next_window(once, UTC, 200) is None
    assert turn(once, UTC, "r", "d", 200) is None


@given(st.text(max_size=20), st.integers(0, 86_400))
def test_jitter_is_the_same_each_time_and_within_its_bounds(device: str, most: int) -> None:
    made = plan(jitter=most)
    assert jitter(made, "r", device) == jitter(made, "r", device)
    assert 0 <= jitter(made, "r", device) <= most


def test_jitter_spreads_devices_and_leaves_each_at_least_half_a_window() -> None:
    made = plan(windows=NIGHTS, jitter=3 * HOUR)
    found = [turn(made, BERLIN, "r", f"d{n}", at("2027-03-26T12:00")) for n in range(400)]
    starts = [each.window[0] - at("2027-03-26T22:00") for each in found if each and each.window]
    assert len(starts) == 400
    assert 0 <= min(starts) < 60
    assert 59 * 60 < max(starts) < HOUR
    free = turn(plan(jitter=HOUR), UTC, "r", "d", 1_000)
    assert free is not None
    assert free.window is not None
    assert 1_000 < free.window[0] <= 1_000 + HOUR


def test_an_offer_is_looked_at_when_it_lapses_or_when_its_device_is_silent() -> None:
    found = turn(plan(windows=NIGHTS), BERLIN, "r", "d", at("2027-03-26T12:00"))
    assert found is not None
    assert found.lapses == at("2027-03-27T00:00") + GRACE_SECONDS
    quiet = plan(gates=Gates(silence=Silence(percent=1, seconds=HOUR)))
    assert due(quiet, 0, 100.0, None) == 100 + HOUR
    assert due(quiet, 0, 100.0, 200.0) == 200
    assert due(plan(), 0, 100.0, None) is None
    assert due(plan(), 0, 100.0, 200.0) == 200
    for outcome, long, wanted in (
        (Outcome.OFFERED, HOUR, True),
        (Outcome.OFFERED, HOUR - 1, False),
        (Outcome.UNDER_WAY, HOUR, True),
        (Outcome.WAITING, 9 * HOUR, False),
        (Outcome.FAILING, 9 * HOUR, False),
    ):
        assert is_silent(quiet, 0, outcome, 100.0, 100.0 + long) is wanted
    assert not is_silent(plan(), 0, Outcome.OFFERED, 100.0, 1e12)


def test_a_failure_is_tried_again_ever_later_and_not_behind_the_deadline() -> None:
    policy = (Retry(failure=Failure.DOWNLOAD, times=3, seconds=HOUR),)
    made = plan(retry=policy, deadline=10 * HOUR)
    assert [again_at(made, UTC, Failure.DOWNLOAD, tries, 0) for tries in range(4)] == [
        HOUR,
        2 * HOUR,
        4 * HOUR,
        None,
    ]
    assert again_at(made, UTC, Failure.BOOT, 0, 0) is None
    assert again_at(made, UTC, Failure.DOWNLOAD, 2, 6 * HOUR) is None
    assert again_at(made, UTC, Failure.TIME, 0, 0) is None
    weekly = plan(windows=NIGHTS)
    assert again_at(weekly, BERLIN, Failure.TIME, 9, at("2027-03-27T00:00")) == at("2027-03-27T00:00")


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
    first = sum(group == 0 for group in groups.values())
    assert first == -(-percents[0] * len(devices) // 100)
    made = plan(groups=tuple(Group(percent=share) for share in percents))
    found = cut(made, array("Q", (rank(name, device) for device in devices)))
    assert {device: found.group(rank(name, device)) for device in devices} == groups


@pytest.mark.parametrize(
    ("groups", "sizes"),
    [
        ((Group(count=10), Group()), {0: 10, 1: 90}),
        ((Group(count=10), Group(count=20)), {0: 10, 1: 20, None: 70}),
        ((Group(count=200), Group()), {0: 100}),
        ((Group(percent=5), Group(count=20), Group()), {0: 5, 1: 20, 2: 75}),
        ((Group(where=["all"]), Group(percent=50), Group(percent=50)), {1: 50, 2: 50}),
        ((Group(count=10), Group(percent=50), Group(percent=50)), {0: 10, 1: 40, 2: 50}),
    ],
)
def test_groups_by_count_percentage_and_the_rest(
    groups: tuple[Group, ...], sizes: dict[int | None, int]
) -> None:
    ranks = [rank("r", f"d{n}") for n in range(100)]
    found = cut(plan(groups=groups), array("Q", ranks))
    assert Counter(found.group(each) for each in ranks) == sizes


def test_a_share_keeps_the_first_by_rank_rounded_up() -> None:
    ranks = array("Q", (rank("r", f"d{n}") for n in range(7)))
    for share, many in ((1, 1), (50, 4), (99, 7), (100, 7)):
        assert sum(each < keep(share, ranks) for each in ranks) == many
