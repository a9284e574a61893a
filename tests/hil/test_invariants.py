"""What must hold after a power cut: a table of what breaks each invariant, and of what breaks none."""

from __future__ import annotations

import dataclasses
import hashlib
from typing import Any

import cbor2
import pytest

from advisories import mcuboot
from advisories.report import NoticeStatus, PatchStatus, Report, seal_report
from advisories.states import NoticeState, PatchState, Surface
from hil.smp.groups import ImageSlot
from hil.smp.notifier import DeviceState, Screen
from hil.sweep.invariants import INVARIANTS, Known, State, broken
from hil.sweep.look import parse_report
from keys.reasons import Reason
from tests.helpers import NOW, make_fleet

OLD_HASH = mcuboot.parse(mcuboot.pack(b"old" * 300, (1, 0, 0, 0))).digest
NEW_FILE = mcuboot.pack(b"new" * 300, (1, 0, 1, 0))
NEW_HASH = mcuboot.parse(NEW_FILE).digest

DEVICE = DeviceState(
    boot=b"12345678",
    epoch=3,
    cause="power-on",
    slot=0,
    installed="1.4.1",
    pending=None,
    floors={"patch": 7, "root": 1, "newest": {"catalogue": 5}},
    root=1,
    kids=(),
    notices=({"id": "EX-1", "state": int(NoticeState.SHOWN)},),
    patches=({"digest": b"p" * 8, "state": int(PatchState.DOWNLOADING)},),
    journal=4,
    head=b"h" * 32,
    writes=9,
)
SCREEN = Screen("EX-1", 1, "high", "en", True, None, ("Update your thermostat",))
SLOTS = (ImageSlot(0, "1.0.0", hash=OLD_HASH, active=True, confirmed=True), ImageSlot(1, "", hash=b""))
REPORT = Report(
    type="report",
    fleet=b"f" * 32,
    subject=("device-0001",),
    version=1,
    issued=NOW,
    product="thermostat",
    installed=(1, 4, 1, 0),
    boot_epoch=3,
    root_version=1,
    nonce=b"n" * 16,
    notices=(
        NoticeStatus(
            id="EX-1",
            revision=1,
            digest=b"d" * 32,
            state=NoticeState.SHOWN,
            time=NOW,
            reason=Reason.OK,
            surface=Surface.SCREEN,
        ),
    ),
    patches=(
        PatchStatus(digest=b"p" * 32, sequence=7, state=PatchState.DOWNLOADING, time=NOW, reason=Reason.OK),
    ),
    journal_count=4,
    journal_head=b"h" * 32,
    journal=(),
    language="en",
)
BEFORE = State(0.0, SLOTS, device=DEVICE, screen=SCREEN, report=REPORT)
KNOWN = Known((NEW_FILE,), frozenset({OLD_HASH}), (SCREEN,))


def but(state: State = BEFORE, **fields: Any) -> State:
    return dataclasses.replace(state, **fields)


def device(**fields: Any) -> State:
    return but(device=dataclasses.replace(DEVICE, **fields), report=None)


def slots(*made: ImageSlot) -> State:
    return but(slots=made)


def shows(**fields: Any) -> State:
    return but(screen=dataclasses.replace(SCREEN, **fields))


def says(**fields: Any) -> State:
    return but(report=dataclasses.replace(REPORT, **fields))


BREAKS: list[tuple[str, State, str]] = [
    ("answers", but(seconds=None), "did not answer"),
    ("readable", but(slots=None, trouble="SMP_TIMEOUT"), "slots cannot be read any more: SMP_TIMEOUT"),
    ("readable", but(device=None), "device cannot be read"),
    ("whole", slots(dataclasses.replace(SLOTS[0], hash=b"x" * 32)), "nobody wrote"),
    ("whole", slots(SLOTS[0], dataclasses.replace(SLOTS[1], hash=b"x" * 32)), "slot 1 holds"),
    ("whole", slots(dataclasses.replace(SLOTS[0], active=False)), "0 slots of image 0 are active"),
    ("whole", slots(SLOTS[0], dataclasses.replace(SLOTS[0], slot=1)), "2 slots"),
    ("whole", slots(), "0 slots"),
    ("signed", shows(id="EX-2"), "'EX-2', revision 1, which was never delivered"),
    ("signed", shows(revision=2), "revision 2"),
    ("signed", shows(lines=("Pay here",)), "other words"),
    ("signed", shows(asks="9.9.9"), "asks consent for '9.9.9'"),
    ("signed", shows(id=None, revision=None), "never delivered"),
    ("floors", device(floors={**DEVICE.floors, "patch": 6}), "floor patch fell from 7 to 6"),
    ("floors", device(floors={"root": 1}), "floor patch is gone"),
    ("floors", device(floors={**DEVICE.floors, "newest": {"catalogue": 4}}), "newest catalogue fell"),
    ("floors", device(root=0), "root fell"),
    ("counts", device(journal=3), "journal fell from 4 to 3"),
    ("counts", device(epoch=2), "epoch fell"),
    ("counts", device(head=b"other"), "head changed"),
    ("truthful", says(installed=(9, 9, 9, 0)), "another version installed: 9.9.9, and it is 1.4.1"),
    ("truthful", says(boot_epoch=4), "count of boots"),
    ("truthful", says(journal_head=b"x" * 32), "journal's head"),
    ("truthful", says(root_version=2), "root's version"),
    ("truthful", says(notices=()), "state of notice EX-1: None"),
    ("truthful", says(patches=()), "state of patch 7070"),
]
HOLDS: dict[str, State] = {
    "the same": BEFORE,
    "a new image beside it": slots(SLOTS[0], dataclasses.replace(SLOTS[1], hash=NEW_HASH)),
    "the new image runs": slots(dataclasses.replace(SLOTS[0], hash=NEW_HASH)),
    "an empty spare slot": slots(SLOTS[0]),
    "nothing shown": but(screen=None),
    "an empty screen": shows(id=None, revision=None, lines=()),
    "not confirmed yet, in its own words": shows(confirmed=False, lines=("Not confirmed", "Update")),
    "more in the journal": device(journal=6, head=b"x" * 32, epoch=4),
    "a higher floor": device(floors={**DEVICE.floors, "patch": 8, "more": 1}, root=2),
    "no report": but(report=None),
}


@pytest.mark.parametrize(("name", "after", "why"), BREAKS)
def test_each_invariant_is_broken_by_what_it_forbids_and_by_nothing_else(
    name: str, after: State, why: str
) -> None:
    found = broken(BEFORE, after, KNOWN)
    assert list(found) == [name]
    assert why in found[name]


@pytest.mark.parametrize("after", HOLDS.values(), ids=HOLDS)
def test_what_is_allowed_breaks_nothing(after: State) -> None:
    assert broken(BEFORE, after, KNOWN) == {}


def test_every_invariant_has_a_breaking_row_and_asks_nothing_of_what_is_not_there() -> None:
    assert {name for name, _, _ in BREAKS} == set(INVARIANTS)
    bare = State(0.0)
    assert broken(bare, bare, Known()) == {}
    assert broken(bare, BEFORE, KNOWN) == {}


def test_an_image_may_be_named_by_the_digest_of_its_file() -> None:
    after = slots(SLOTS[0], dataclasses.replace(SLOTS[1], hash=hashlib.sha256(NEW_FILE).digest()))
    assert broken(BEFORE, after, KNOWN) == {}


def test_a_report_is_read_and_what_is_none_is_not() -> None:
    fleet = make_fleet()
    assert parse_report(seal_report(REPORT, fleet.device())) == REPORT
    for data in (b"", b"\xd2\x84", cbor2.dumps(cbor2.CBORTag(18, [b"", {}, b"", b""]))):
        assert parse_report(data) is None
