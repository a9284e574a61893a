"""What is held against a board behind a cut finds what it is for: each row breaks one thing."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from advisories.report import NoticeStatus, PatchStatus, Report
from advisories.states import NoticeState, PatchState, Surface
from hil.smp.groups import ImageSlot
from hil.smp.notifier import DeviceState, Screen
from hil.sweep.invariants import State
from keys.reasons import Reason

from .explore import Explored, Point, sample
from .holds import ending, invariants, place
from .library import Cut
from .table import lines, row, violations
from .walk import Outcome

N, P = NoticeState, PatchState
NOTICE = {"id": "EX-1", "revision": 1, "state": N.SHOWN, "reason": 0, "confirmed": True, "time": 5}
PATCH = {"digest": b"12345678", "sequence": 7, "state": P.DOWNLOADING, "reason": 0, "time": 5}
DEVICE = DeviceState(
    boot=b"b", epoch=3, cause="power", slot=0, installed="1.4.1", pending=None, floors={"offer": 9}, root=1,
    kids=(b"k",), notices=(NOTICE,), patches=(PATCH,), journal=4, head=b"h", writes=0,
)  # fmt: skip
SCREEN = Screen("EX-1", 1, "high", "en", confirmed=True, asks=None, lines=("words",))
SLOT = ImageSlot(0, "1.4.1", hash=b"image", active=True, confirmed=True)
NOW = State(seconds=0.0, slots=(SLOT,), device=DEVICE, screen=SCREEN)
REPORT = Report(
    type="report", fleet=bytes(32), subject=("d",), version=1, issued=1, expires=2, product="p",
    installed=(1, 4, 1, 0), boot_epoch=3, root_version=1, nonce=bytes(16), journal_count=4, journal_head=bytes(32),
    journal=(), language="en",
    notices=(NoticeStatus(id="EX-1", revision=1, digest=bytes(32), state=N.SHOWN, time=1, reason=Reason.OK, surface=Surface.SCREEN),),
    patches=(PatchStatus(digest=b"12345678".ljust(32), sequence=7, state=P.DOWNLOADING, time=1, reason=Reason.OK),),
)  # fmt: skip


def changed(screen: Any = SCREEN, slot: ImageSlot = SLOT, **fields: Any) -> State:
    return replace(NOW, device=replace(DEVICE, **fields), screen=screen, slots=(slot,))


def test_what_stands_still_holds() -> None:
    assert invariants(NOW, NOW, NOW, REPORT) == {}
    assert place(NOW, changed(root=2), NOW) == "before"
    assert place(NOW, changed(root=2), changed(root=2)) == "after"
    assert place(NOW, changed(root=2), changed(root=3)) == "between"


@pytest.mark.parametrize(
    ("name", "after"),
    [
        ("runs", changed(installed="1.4.3")),
        ("runs", changed(slot=replace(SLOT, version="1.4.2"))),
        ("reported", changed(notices=())),
        ("reported", changed(notices=({**NOTICE, "state": N.VERIFIED},))),
        ("reported", changed(notices=({**NOTICE, "revision": 0},))),
        ("reported", changed(patches=())),
        ("reported", changed(patches=({**PATCH, "state": P.OFFERED},))),
        ("shown", changed(screen=None)),
        ("shown", changed(screen=replace(SCREEN, id="EX-2"))),
    ],
)
def test_what_is_broken_is_found(name: str, after: State) -> None:
    assert [*invariants(NOW, NOW, after, REPORT)] == [name]


@pytest.mark.parametrize(
    "after",
    [
        changed(notices=({**NOTICE, "state": N.ACKNOWLEDGED},)),
        changed(notices=({**NOTICE, "revision": 2, "state": N.VERIFIED},)),
        changed(patches=({**PATCH, "state": P.ROLLED_BACK},)),
    ],
)
def test_what_has_gone_on_holds(after: State) -> None:
    assert invariants(NOW, NOW, after, REPORT) == {}


def test_an_acknowledged_notice_need_not_be_shown_again() -> None:
    done = changed(notices=({**NOTICE, "state": N.ACKNOWLEDGED},))
    assert ending(done)["screen"] is None
    assert invariants(done, done, replace(done, screen=None), None) == {}


def test_a_sample_is_the_same_for_a_seed_and_no_flow_is_left_out() -> None:
    points = [Point("flow", request, 1, Cut.TORN) for request in range(2_000)]
    first = [point for point in points if sample(1, 10)(point)]
    assert first == [point for point in points if sample(1, 10)(point)]
    assert first != [point for point in points if sample(2, 10)(point)]
    assert 100 < len(first) < 300


def test_a_walk_that_ends_in_silence_is_a_violation_and_twins_share_an_outcome() -> None:
    points = [Point("flow", 1, at, Cut.AFTER) for at in range(4)]
    found = Explored("flow", ["a step"], 4)
    found.take(points[0], None)
    found.take(points[1], Outcome(step=0, cuts=1, found="after", image="1.4.2", new=True, left="one"))
    found.take(points[2], "one")
    found.take(points[3], "another")
    found.resolve()
    told = row(found)
    assert (told.cuts, told.done, told.new, told.violations) == (2, 2, 2, 2)
    assert [one["point"] for one in violations([found])] == [str(points[0]), str(points[3])]
    assert lines([told])[-1].startswith("| flow | 4 | 2 | 0 | 0 | 2 |")
