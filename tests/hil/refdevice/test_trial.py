"""Trials on the C device: what boots must be what was verified, and nobody else's trial is taken for a patch's."""

from __future__ import annotations

import ctypes
from collections.abc import Callable

import pytest

from advisories.states import PatchState
from keys.reasons import Reason
from tests.helpers import NOW, PRODUCT

from .build import Core, Cut
from .device_of_c import NEW, OLD, Device, firmware
from .patch_of_c import Record, read_image
from .test_patches import asking

P = PatchState
OK = Reason.OK
LATER = (1, 4, 3, 0)
BROUGHT = [(P.DOWNLOADING, OK), (P.DOWNLOADED, OK), (P.VERIFIED, OK)]


class BootRecord(Record):
    """``tn_boot_record``."""

    _fields_ = (
        ("active", ctypes.c_uint8),
        ("has_trial", ctypes.c_bool),
        ("tried", ctypes.c_bool),
        ("trial", ctypes.c_uint8),
    )


class Meddled(Device):
    """A device whose flash somebody changes between the restart and the boot behind it."""

    meddle: Callable[[Core], object] | None = None

    def resets(self) -> bool:
        """Reset it, if it asks for that."""
        is_reset = super().resets()
        if is_reset and self.meddle is not None:
            self.meddle(self.core)
            self.meddle = None
        return is_reset


def place(core: Core, slot: int) -> int:
    """Where a slot begins."""
    return core.constants["TN_AT_SLOTS"] + slot * core.constants["TN_SLOT_BYTES"]


def tries(core: Core, record: BootRecord, image: bytes) -> None:
    """Somebody else writes an image to slot 1, and the boot record."""
    read_image(core, image, 1)
    core.lib.tn_boot_save(ctypes.byref(record))


@pytest.mark.parametrize(
    ("meddle", "reason"),
    [
        (lambda core: core.flash_load(place(core, 1), bytes(32)), Reason.BOOT_NOT_CONFIRMED),
        (lambda core: core.flash_load(place(core, 1) + 5_000, bytes(8)), Reason.BOOT_NOT_CONFIRMED),
        (lambda core: read_image(core, firmware(LATER), 1), Reason.WRONG_VERSION),
        (lambda core: read_image(core, firmware(NEW, counter=2), 1), Reason.DIGEST_MISMATCH),
        (lambda core: read_image(core, firmware(NEW), 1), OK),
    ],
)
def test_only_the_image_that_was_verified_is_confirmed(
    core: Core, meddle: Callable[[Core], object], reason: Reason
) -> None:
    device = Meddled(core)
    device.meddle = meddle
    device.is_current()
    device.offered()
    device.takes()
    device.consent("yes")
    device.serve()
    end = P.SUCCEEDED if reason is OK else P.ROLLED_BACK
    assert device.story()[-2:] == [(P.TESTING, OK), (end, reason)]
    assert (device.installed, device.session.slot) == ((NEW, 1) if reason is OK else (OLD, 0))
    assert not device.session.trial
    device.boot()
    assert device.session.slot == (reason is OK)


def ends(core: Core, rot: Callable[[], None]) -> list[tuple[P, Reason]]:
    """Let the power go at every change of an install, and flash rot before it comes back; how each ends."""
    found = []
    for at in range(1, 40):
        device = asking(core, firmware(size=600))
        device.consent("yes")
        core.cut(at, Cut.BEFORE)
        device.serve()
        if not core.dead:
            break
        core.cut(0, Cut.BEFORE)
        rot()
        device.boot()
        device.serve()
        found.append(device.story()[-1])
        assert device.installed == (NEW if found[-1][0] is P.SUCCEEDED else OLD)
    assert len(found) > 5
    return list(dict.fromkeys(found))


def test_an_envelope_that_has_rotted_is_seen_until_the_image_is_tried(core: Core) -> None:
    assert ends(core, lambda: core.flash_load("TN_AT_PATCH", bytes(64))) == [
        (P.REJECTED, Reason.THRESHOLD_NOT_MET),
        (P.FAILED, Reason.MALFORMED),
        (P.SUCCEEDED, OK),
    ]


def test_a_slot_that_has_rotted_is_never_confirmed(core: Core) -> None:
    """It is brought anew while that can be, not tried where it was whole before, and gone back from."""
    assert ends(core, lambda: core.flash_load(place(core, 1) + 64, bytes(8))) == [
        (P.SUCCEEDED, OK),
        (P.FAILED, Reason.DIGEST_MISMATCH),
        (P.ROLLED_BACK, Reason.BOOT_NOT_CONFIRMED),
    ]


def test_a_manifest_need_not_promise_a_version(core: Core) -> None:
    """It is the one of the image then, and the trial asks for that."""
    device = asking(core, version=None)
    device.consent("yes")
    device.serve()
    assert device.story()[2:5] == BROUGHT
    assert (device.state, device.installed) == (P.SUCCEEDED, NEW)


def test_a_device_without_a_whole_image_is_mended_by_a_patch(core: Core) -> None:
    device = Device(core)
    core.flash_load(place(core, 0) + 40, bytes(8))
    device.boot()
    assert not device.session.measured
    assert device.journal()[-1][1:] == ("image", 0, 0, Reason.DIGEST_MISMATCH)
    device.is_current()
    device.offered()
    device.takes()
    assert device.state is P.WAITING_FOR_CONFIRMATION
    device.consent("yes")
    device.serve()
    assert (device.state, device.installed, device.session.slot) == (P.SUCCEEDED, NEW, 1)


def test_a_patch_never_writes_the_slot_that_runs(core: Core) -> None:
    """Somebody has put another image there and confirmed it while a patch was being brought."""
    device = asking(core)
    device.consent("yes")
    device.block(0)
    tries(core, BootRecord(active=1), firmware(LATER))
    device.boot()
    assert (device.installed, device.session.slot) == (LATER, 1)
    assert device.story()[-1] == (P.FAILED, Reason.UPDATE_FAILED)
    assert device.wants() == []
    device.block(4_096)
    device.tick(NOW + 100)
    assert core.flash(place(core, 1), 9_000) == firmware(LATER)[:9_000]


def test_somebody_elses_trial_counts_for_nothing_and_its_way_back_stays(core: Core) -> None:
    device = asking(core)
    tries(core, BootRecord(has_trial=True, trial=1), firmware(LATER, counter=9))
    device.boot()
    assert (device.installed, device.session.slot, device.session.trial) == (LATER, 1, True)
    old = core.flash(place(core, 0), 9_000)
    assert device.consent("yes") is OK
    assert device.state is P.DOWNLOADING
    device.tick(NOW + 100)
    assert device.wants() == []  # into the slot that may be gone back to nothing is written
    device.block(0)
    assert core.flash(place(core, 0), 9_000) == old
    device.boot()
    assert (device.installed, device.session.slot, device.session.trial) == (OLD, 0, False)
    assert device.story()[-1] != (P.SUCCEEDED, OK)


def test_its_security_counter_is_none_of_the_devices(core: Core) -> None:
    device = asking(core)
    tries(core, BootRecord(has_trial=True, trial=1), firmware(LATER, counter=9))
    device.boot()
    device.boot()
    device.consent("yes")
    device.serve()
    assert (device.state, device.installed) == (P.SUCCEEDED, NEW)  # its counter is 1


def test_a_confirmed_image_of_somebody_else_raises_the_counter(core: Core) -> None:
    device = asking(core)
    tries(core, BootRecord(active=1), firmware(LATER, counter=2))
    device.boot()
    tries(core, BootRecord(active=0), firmware(LATER, counter=2))
    device.boot()
    assert device.installed == OLD
    device.consent("yes")
    device.serve()
    assert device.story()[-1] == (P.REJECTED, Reason.DOWNGRADE_REFUSED)


def test_who_brought_the_promised_version_has_done_what_the_patch_would(core: Core) -> None:
    device = asking(core)
    read_image(core, device.image, 0)
    device.boot()
    assert device.story()[-2:] == [(P.CANCELED, Reason.SUPERSEDED), (P.OFFERED, OK)]
    assert device.takes() is OK
    assert device.story()[-1] == (P.ALREADY_INSTALLED, OK)


def test_a_newer_offer_that_waits_is_not_lost_to_the_one_that_begins_again(core: Core) -> None:
    device = asking(core)
    newer = device.catalogue.version + 1
    device.offered(version=NOW + 1, digest=bytes(32), catalogue_version=newer)
    assert device.state is P.WAITING_FOR_CONFIRMATION
    read_image(core, device.image, 0)
    device.boot()
    assert device.story()[-1] == (P.CANCELED, Reason.SUPERSEDED)
    assert device.put(f"patch/{PRODUCT}/7", device.envelope) is OK
    assert device.story()[-1] == (P.CANCELED, Reason.SUPERSEDED)
