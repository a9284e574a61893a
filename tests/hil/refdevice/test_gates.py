"""What ends or holds up a patch in the C device between the owner's yes and the new image's first start."""

from __future__ import annotations

from typing import Any

import pytest

from advisories.states import PatchState as P
from keys.reasons import Reason
from tests.helpers import NOW, timestamp

from .build import Core
from .device_of_c import FLEET, NEW, OLD, Device, firmware

HOUR = 3_600
OK = Reason.OK


def verified(core: Core, image: bytes | None = None, **changes: Any) -> Device:
    """A device that has brought and verified its patch, and waits for a newer timestamp."""
    device = Device(core, image, **changes)
    device.is_current()
    assert device.offered(window=(NOW + 7 * HOUR, NOW + 24 * HOUR)) is OK
    device.takes()
    device.consent("yes")
    device.tick(NOW + 7 * HOUR)
    device.serve()
    return device


def refreshed(device: Device) -> None:
    """Bring the timestamp that it waits for."""
    later = NOW + 7 * HOUR
    stamp = timestamp(FLEET, device.catalogue, version=later, issued=later, expires=later + HOUR)
    device.put(f"timestamp/{FLEET.products[0]}", FLEET.seal(stamp))


@pytest.mark.parametrize(
    ("image", "changes", "end"),
    [
        (firmware(NEW), {"version": (1, 4, 3, 0)}, (P.REJECTED, Reason.WRONG_VERSION)),
        (firmware(NEW, counter=0), {}, (P.REJECTED, Reason.DOWNGRADE_REFUSED)),
        (firmware(OLD, fill=b"other"), {"version": OLD}, (P.ALREADY_INSTALLED, OK)),
    ],
)
def test_an_image_is_what_was_promised_and_newer(
    core: Core, image: bytes, changes: dict[str, Any], end: tuple[P, Reason]
) -> None:
    assert verified(core, image, **changes).story()[-1] == end


@pytest.mark.parametrize("fill", [b"SELFSELFTEST-FAIL", b"SELFTEST-FAIL-SELFTEST-", b"S" * 40])
def test_what_only_looks_like_the_mark_of_a_failing_image_works(core: Core, fill: bytes) -> None:
    device = verified(core, firmware(fill=fill))
    assert device.state is P.VERIFIED
    refreshed(device)
    assert device.story()[-1] == (P.SUCCEEDED, OK)


def test_an_image_that_is_spoilt_after_it_was_verified_is_not_booted(core: Core) -> None:
    device = verified(core)
    at = core.constants["TN_AT_SLOTS"] + core.constants["TN_SLOT_BYTES"] + 1_024
    core.flash_load(at, bytes(8))
    refreshed(device)
    assert device.story()[-1] == (P.FAILED, Reason.DIGEST_MISMATCH)
    assert device.installed == OLD


def test_a_patch_is_held_up_with_one_reason_at_a_time(core: Core) -> None:
    device = verified(core)
    told = device.journal()
    for minute in range(1, 6):
        device.tick(NOW + 7 * HOUR + 60 * minute)
    assert device.state is P.VERIFIED
    assert len(device.journal()) <= len(told) + 1
    device.boot()
    device.tick(NOW + 7 * HOUR + 600)
    assert device.state is P.VERIFIED
    refreshed(device)
    assert device.story()[-1] == (P.SUCCEEDED, OK)


def test_a_clock_that_goes_back_before_the_window_holds_it_up(core: Core) -> None:
    device = verified(core)
    device.tick(NOW + HOUR)
    refreshed(device)
    assert device.state in {P.VERIFIED, P.SUCCEEDED}
    device.tick(NOW + 7 * HOUR + 1)
    refreshed(device)
    assert device.story()[-1] == (P.SUCCEEDED, OK)


@pytest.mark.parametrize("where", [0, 1])
def test_a_damaged_image_is_known_and_a_patch_that_is_whole_leads_away_from_it(
    core: Core, where: int
) -> None:
    device = verified(core)
    at = core.constants["TN_AT_SLOTS"] + where * core.constants["TN_SLOT_BYTES"] + 512
    core.flash_load(at, bytes(8))
    device.boot()
    assert device.session.measured == bool(where)
    refreshed(device)
    assert device.session.slot == 1 - where
