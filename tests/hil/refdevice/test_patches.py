"""A patch on the C device: from the offer to a confirmed boot or back, through every cut of its power."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest

from advisories.states import PATCH_TRANSITIONS, PatchState
from keys.reasons import Reason
from tests.helpers import DAY, DEVICE, HOUR, NOW

from .build import Core, Cut
from .device_of_c import NEW, OLD, SEQUENCE, Device, firmware

P = PatchState
OK = Reason.OK
ASKED = [(P.OFFERED, OK), (P.WAITING_FOR_CONFIRMATION, OK)]
BROUGHT = [(P.DOWNLOADING, OK), (P.DOWNLOADED, OK)]
INSTALLED = [(P.VERIFIED, OK), (P.INSTALLING, OK), (P.INSTALLED, OK), (P.REBOOTING, OK)]
TESTED = [(P.TESTING, OK), (P.SUCCEEDED, OK)]


def asking(core: Core, image: bytes | None = None, **changes: Any) -> Device:
    """A device that asks its owner."""
    device = Device(core, image, **changes)
    device.is_current()
    assert device.offered() is OK
    assert device.takes() is OK
    assert device.state is P.WAITING_FOR_CONFIRMATION
    return device


def test_a_patch_is_asked_for_brought_tried_and_confirmed(core: Core) -> None:
    device = asking(core)
    assert device.installed == OLD
    assert device.consent("yes") is OK
    device.serve()
    assert device.story() == ASKED + BROUGHT + INSTALLED + TESTED
    assert (device.installed, device.session.slot) == (NEW, 1)
    device.boot()
    assert (device.installed, device.session.slot) == (NEW, 1)
    assert device.consent("yes") is Reason.BUSY


def test_an_image_that_fails_its_self_test_goes_back(core: Core) -> None:
    device = asking(core, firmware(fill=b"SELFTEST-FAILS"))
    device.consent("yes")
    device.serve()
    assert device.story()[-2:] == [(P.TESTING, OK), (P.ROLLED_BACK, Reason.BOOT_NOT_CONFIRMED)]
    assert (device.installed, device.session.slot) == (OLD, 0)


def test_what_somebody_else_has_brought_meanwhile_is_not_installed_again(core: Core) -> None:
    """The patch ends, and its offer is taken up anew: all is decided once more."""
    device = asking(core)
    core.flash_load("TN_AT_SLOTS", firmware())
    device.boot()
    assert device.installed == NEW
    assert device.story() == [*ASKED, (P.CANCELED, Reason.SUPERSEDED), (P.OFFERED, OK)]
    assert device.takes() is OK
    assert device.story()[-1] == (P.ALREADY_INSTALLED, OK)


@pytest.mark.parametrize(
    ("image", "changes", "reason"),
    [
        (firmware(), {"vendor_id": bytes(16)}, Reason.WRONG_MODEL),
        (firmware(size=300_000), {}, Reason.NO_SPACE),
        (firmware(), {"sequence": SEQUENCE + 1}, Reason.MALFORMED),
    ],
)
def test_a_patch_that_does_not_fit_is_not_asked_for(
    core: Core, image: bytes, changes: dict[str, Any], reason: Reason
) -> None:
    device = Device(core, image, **changes)
    device.is_current()
    device.offered()
    assert device.takes() is reason
    state = P.NOT_APPLICABLE if reason is Reason.WRONG_MODEL else P.REJECTED
    assert device.story() == [(P.OFFERED, OK), (state, reason)]


@pytest.mark.parametrize(
    ("image", "version", "reason"),
    [
        (firmware((1, 4, 3, 0)), NEW, Reason.WRONG_VERSION),
        (firmware()[:-1], NEW, Reason.MALFORMED),
        (firmware(size=100)[:-1] + b"\0", NEW, Reason.DIGEST_MISMATCH),
    ],
)
def test_an_image_that_is_none_is_rejected(
    core: Core, image: bytes, version: tuple[int, int, int, int], reason: Reason
) -> None:
    device = asking(core, image, version=version)
    device.consent("yes")
    device.serve()
    assert device.story()[2:] == [*BROUGHT, (P.REJECTED, reason)]


def test_what_came_wrong_is_brought_three_times(core: Core) -> None:
    device = asking(core)
    device.consent("yes")
    right, device.image = device.image, device.image
    for attempt in range(3):
        device.tick(NOW + 200 + 20 * attempt)
        device.wants()
        for at in range(0, len(right), 2_000):
            device.block(at, 2_000, data=bytes(min(2_000, len(right) - at)))
    wrong = (P.DOWNLOADING, Reason.DIGEST_MISMATCH), (P.DOWNLOADED, OK)
    assert device.story()[2:] == [*BROUGHT, *wrong, *wrong, (P.FAILED, Reason.DIGEST_MISMATCH)]


def test_blocks_of_any_size_are_put_together(core: Core) -> None:
    for size in (1, 7, 8, 129, 4_096):
        device = asking(core, firmware(size=500 if size == 1 else 9_000))
        device.consent("yes")
        device.serve(size)
        assert device.state is P.SUCCEEDED


def test_what_is_no_block_or_was_not_asked_for_changes_nothing(core: Core) -> None:
    device = asking(core)
    assert device.put(f"device/{DEVICE}/block", b"\xff") is OK
    device.consent("yes")
    assert [want.blocks[1:] for want in device.wants() if want.blocks] == [(0, 3)]
    assert device.put(f"device/{DEVICE}/block", b"\xff") is Reason.MALFORMED
    assert device.put(f"device/{DEVICE}/block", bytes(4_161)) is Reason.TOO_BIG
    assert device.block(0, 1_000, digest=bytes(32)) is OK
    assert device.block(1_000, 1_000) is OK
    assert device.block(0, 4_096, offset=8 * 2**20) is OK
    device.tick(NOW + 70)
    assert [want.blocks[1:] for want in device.wants() if want.blocks] == [(0, 3)]


def test_a_download_goes_on_where_it_was(core: Core) -> None:
    device = asking(core)
    device.consent("yes")
    device.wants()
    device.block(0)
    device.block(4_096, 1_000)
    device.boot()
    assert [want.blocks[1:] for want in device.wants() if want.blocks] == [(4_096, 2)]
    device.tick(NOW + 100)
    device.serve()
    assert device.state is P.SUCCEEDED


def test_the_owner_may_put_it_off_until_it_is_nearly_too_late(core: Core) -> None:
    device = asking(core)
    device.consent("later")
    assert device.story()[-1] == (P.DEFERRED, Reason.DEFERRED)
    assert device.consent("yes") is Reason.BUSY
    device.boot()
    device.tick(NOW + DAY)
    assert device.story()[-1][0] is P.DEFERRED
    device.tick(NOW + DAY + 60)
    assert device.story()[-1][0] is P.WAITING_FOR_CONFIRMATION
    device.consent("later")
    device.tick(NOW + 3 * DAY - 6 * HOUR - 1)
    device.consent("later")
    device.tick(NOW + 3 * DAY - 6 * HOUR)
    assert device.story()[-1][0] is P.WAITING_FOR_CONFIRMATION
    device.consent("later")
    assert device.story()[-1][0] is P.WAITING_FOR_CONFIRMATION
    device.consent("no")
    assert device.story()[-1] == (P.DECLINED, Reason.DECLINED)


def runs(flash: bytes, unit: int) -> list[tuple[int, bytes]]:
    """Return what was written to a flash, without the units that are erased."""
    empty, found = b"\xff" * unit, []
    start = None
    for at in range(0, len(flash) + unit, unit):
        if flash[at : at + unit] in {empty, b""}:
            if start is not None:
                found.append((start, flash[start:at]))
            start = None
        elif start is None:
            start = at
    return found


def interrupted(
    device: Device, written: list[tuple[int, bytes]], cut: tuple[int, Cut], *, behind: bool
) -> bool:
    """Let the power go at one change of flash (``behind``: the restart), and go on; False where all was done."""
    core = device.core
    core.new()
    core.set_utc(NOW + 60)
    for place, data in written:
        core.flash_load(place, data)
    device.boot()
    if behind:
        device.cut_after_reset = cut
    else:
        core.cut(*cut)
    device.consent("yes")
    device.serve()
    if not core.dead:
        return False
    core.cut(0, Cut.BEFORE)
    device.boot()
    assert device.installed in {OLD, NEW}
    if device.state is P.WAITING_FOR_CONFIRMATION:
        assert device.consent("yes") is OK
    device.serve()
    return True


@pytest.mark.parametrize("behind", [False, True])
def test_an_interrupted_patch_is_never_half_installed(core: Core, *, behind: bool) -> None:
    """Cut the power at every change of flash, before, in the middle or behind: it ends well, and every step is told."""
    device = asking(core, firmware(size=600 if behind else 4_200))
    written = runs(core.flash(), core.constants["TN_FLASH_UNIT"])
    at, ends = 0, set()
    while interrupted(device, written, (at // 3 + 1, Cut(at % 3)), behind=behind):
        at += 1
        ends.add(device.state)
        if device.state is P.ROLLED_BACK:  # the power went while it was on trial
            assert device.story()[-1] == (P.ROLLED_BACK, Reason.BOOT_NOT_CONFIRMED)
        assert device.installed == (OLD if device.state is P.ROLLED_BACK else NEW)
        states = [state for state, _ in device.story()]
        assert all(new in PATCH_TRANSITIONS[old] for old, new in pairwise(states))
        assert core.wrong == ""
    assert ends == ({P.SUCCEEDED, P.ROLLED_BACK} if behind else {P.SUCCEEDED})
    assert at > 3 * (10 if behind else 20)
