"""Where a device counts, cell by cell: the funnel's arithmetic."""

from __future__ import annotations

from math import ceil
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from advisories.report import Track
from advisories.states import NoticeState, PatchState, Surface
from gateway.core import funnel
from gateway.core.funnel import Funnel, Kind, Reached, Stands, Told, bucket, fold, percents, quantile, total
from tests.gateway.scene import header
from tests.helpers import PRODUCT, make_fleet

FLEET = make_fleet()
N, R = NoticeState, Reached
BAD, GOOD = (1, 2, 0, 0), (2, 0, 0, 0)
NEVER = R(0)
SEEN = R.VERIFIED | R.SHOWN


def stands(state: NoticeState, reached: Reached = NEVER, surface: Surface = Surface.SCREEN) -> Stands:
    return Stands(state=state, surface=surface, reached=reached)


OUT = {"affected", "sent"}
TOLD = {*OUT, "delivered", "verified", "shown", "screen"}
FOLDED: list[tuple[str, Any, Stands | None, dict[str, Any], set[str]]] = [
    ("never reported", None, None, {"kind": Kind.NEVER_REPORTED}, {"possible", "silent", "not_told"}),
    ("never reported, known", BAD, None, {"kind": Kind.NEVER_REPORTED}, {*OUT, "silent", "not_told"}),
    ("never reported, not affected", GOOD, None, {"kind": Kind.NEVER_REPORTED}, set()),
    ("not ours to reach", None, None, {"kind": Kind.UNREACHABLE}, {"possible", "unreachable", "not_told"}),
    (
        "affected, out of reach",
        BAD,
        None,
        {"kind": Kind.UNREACHABLE},
        {"affected", "unreachable", "not_told"},
    ),
    ("out of reach, not affected", GOOD, None, {"kind": Kind.UNREACHABLE}, set()),
    ("affected and not yet told", BAD, None, {}, {*OUT, "waiting", "not_told"}),
    ("not affected and not yet told", GOOD, None, {}, set()),
    ("fixed, and silent about the notice", GOOD, None, {"patched": True}, {"patched_before"}),
    ("a patch that did not help", BAD, None, {"patched": True}, {*OUT, "waiting", "not_told", "patched"}),
    ("does not concern it", GOOD, stands(N.NOT_APPLICABLE), {}, {"not_applicable"}),
    (
        "fixed before it was told",
        GOOD,
        stands(N.NOT_APPLICABLE, R.VERIFIED),
        {"patched": True},
        {"not_applicable", "patched_before"},
    ),
    (
        "fixed after it was shown",
        GOOD,
        stands(N.NOT_APPLICABLE, SEEN | R.CONFIRMED),
        {"patched": True},
        {*TOLD, "confirmed", "patched"},
    ),
    ("refused", BAD, stands(N.REJECTED), {}, {*OUT, "delivered", "rejected", "not_told"}),
    ("delivered", BAD, stands(N.DELIVERED), {}, {*OUT, "delivered", "waiting", "not_told"}),
    ("queued", BAD, stands(N.QUEUED), {}, {*OUT, "waiting", "not_told"}),
    ("acknowledged", BAD, stands(N.ACKNOWLEDGED, SEEN | R.ACKNOWLEDGED), {}, {*TOLD, "acknowledged"}),
    (
        "on a console",
        BAD,
        stands(N.SHOWN, SEEN, Surface.CONSOLE),
        {},
        {*OUT, "delivered", "verified", "shown", "console"},
    ),
    (
        "on a companion's screen",
        BAD,
        stands(N.SHOWN, SEEN, Surface.COMPANION),
        {},
        {*OUT, "delivered", "verified", "shown", "companion"},
    ),
    (
        "an LED is no text",
        BAD,
        stands(N.SHOWN, SEEN, Surface.LED),
        {},
        {*OUT, "delivered", "verified", "led", "not_told"},
    ),
    (
        "an LED is no text, also afterwards",
        BAD,
        stands(N.EXPIRED, SEEN, Surface.LED),
        {},
        {*OUT, "delivered", "verified", "led", "not_told"},
    ),
    (
        "expired unseen",
        BAD,
        stands(N.EXPIRED, R.VERIFIED),
        {},
        {*OUT, "delivered", "verified", "untold", "not_told"},
    ),
    ("over, and seen before", BAD, stands(N.SUPERSEDED, SEEN), {}, TOLD),
]


@pytest.mark.parametrize(("case", "installed", "where", "more", "steps"), FOLDED, ids=[r[0] for r in FOLDED])
def test_where_a_device_counts(
    case: str, installed: Any, where: Stands | None, more: dict[str, Any], steps: set[str]
) -> None:
    told = Told(product=PRODUCT, installed=installed, stands=where, **more)
    found = fold([("en", funnel.steps(header(FLEET), told), 7)])
    assert found == {"en": Funnel(**dict.fromkeys({"devices", *steps}, 7))}
    whole = found["en"]
    parts = (whole.unreachable, whole.silent, whole.rejected, whole.led, whole.untold, whole.waiting)
    assert whole.not_told == sum(parts)
    assert whole.affected + whole.possible == whole.shown + whole.not_told
    assert whole.shown == whole.screen + whole.console + whole.companion
    assert all(0 <= share <= 100 for share in percents(whole).values())


def test_cells_add_up() -> None:
    told = Told(product=PRODUCT, installed=None, kind=Kind.NEVER_REPORTED)
    steps = funnel.steps(header(FLEET), told)
    cells = fold((language, steps, 1) for language in ("en", "de", "en", ""))
    assert [(key, cell.devices) for key, cell in cells.items()] == [("", 1), ("de", 1), ("en", 2)]
    assert total(cells.values()) == Funnel(devices=4, silent=4, possible=4, not_told=4)


def test_shares_are_of_those_whom_they_can_concern() -> None:
    found = percents(Funnel(devices=9, affected=4, sent=3, possible=1, delivered=3, shown=2, not_told=3))
    assert (found["delivered"], found["shown"], found["not_told"]) == (100.0, 50.0, 60.0)
    assert percents(Funnel(devices=9)) == {}


def test_refusals_are_rejected_notices_and_documents() -> None:
    entries = [
        (Track.NOTICE, N.REJECTED),
        (Track.NOTICE, N.SHOWN),
        (Track.REFUSAL, 0),
        (Track.PATCH, PatchState.REJECTED),
        (Track.PATCH, N.REJECTED),
    ]
    assert [funnel.is_refusal(track, new) for track, new in entries] == [True, False, True, False, False]
    assert funnel.patch_counts({12: 3, 1: 4}) == {"OFFERED": 4, "SUCCEEDED": 3}


@given(st.floats(0, 1e9))
def test_a_bucket_ends_at_most_two_and_a_half_per_cent_above(seconds: float) -> None:
    wait = ceil(seconds * 1_000)
    assert wait <= bucket(seconds) <= wait * 1.025
    assert bucket(bucket(seconds) / 1_000) == bucket(seconds)


def test_a_clock_that_was_set_back_makes_no_time_below_zero() -> None:
    assert bucket(-5.0) == 0


def test_quantiles_are_ends_of_buckets_that_occurred() -> None:
    assert quantile([], 0.5) is None
    assert quantile([(5_000, 1)], 0.99) == 5.0
    values = [(i * 1_000, 1) for i in range(1, 101)]
    assert (quantile(values, 0.5), quantile(values, 0.99), quantile(values, 0.0)) == (50.0, 99.0, 1.0)
    assert quantile([(1_000, 98), (9_000, 2), (8_000, 0)], 0.99) == 9.0
