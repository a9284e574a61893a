"""Offers that come again on the C device: of a patch that has ended, that waits, that runs, or that is not known."""

from __future__ import annotations

from typing import Any

import pytest

from advisories import suit
from advisories.states import PatchState
from keys.cbor import encode
from keys.reasons import Reason
from tests.advisories.suit_case import CLASS, VENDOR, craft
from tests.helpers import DAY, HOUR, NOW, PRODUCT, catalogue, timestamp

from .build import Core
from .device_of_c import FLEET, NEW, SEQUENCE, Device, firmware, patch
from .suit_of_c import sealed
from .test_patches import asking

P = PatchState
OK = Reason.OK
LATER = (1, 4, 3, 0)


def lists(device: Device, version: int, *patches: tuple[int, bytes]) -> None:
    """A catalogue of these patches comes, and its timestamp."""
    device.catalogue = catalogue(FLEET, version=version, patches=patches)
    stamp = timestamp(FLEET, device.catalogue, version=version, issued=NOW + 1)
    device.put(f"timestamp/{PRODUCT}", FLEET.seal(stamp))
    device.put(f"catalogue/{PRODUCT}", FLEET.seal(device.catalogue))


def installed(core: Core) -> Device:
    """A device that has installed its patch."""
    device = asking(core)
    device.consent("yes")
    device.serve()
    assert device.state is P.SUCCEEDED
    return device


def another(device: Device, image: bytes, version: Any, *, sequence: int, listed: int) -> None:
    """Another patch is made and listed; from now on it is the device's."""
    old = (SEQUENCE, device.digest)
    device.image, device.envelope = image, patch(image, version, sequence=sequence)
    device.digest = suit.manifest_digest(device.envelope)
    lists(device, listed, *sorted({old, (sequence, device.digest)}))
    assert device.offered(version=listed, sequence=sequence) is OK
    device.put(f"patch/{PRODUCT}/{sequence}", device.envelope)


@pytest.mark.parametrize("answer", ["no", None])
def test_an_offer_of_a_patch_that_ended_renews_it_only_where_it_can_be_taken(
    core: Core, answer: str | None
) -> None:
    device = asking(core)
    device.consent(answer) if answer else device.offered(version=NOW + 1, cancel=True)
    end = device.story()[-1]
    assert end[0] in {P.DECLINED, P.CANCELED}
    assert device.offered(version=NOW + 2, deadline=NOW + 60) is Reason.SUPERSEDED
    assert device.offered(version=NOW + 3, cancel=True) is OK
    assert device.story()[-1] == end
    assert device.offered(version=NOW + 4) is OK
    assert device.story()[-1] == (P.OFFERED, OK)
    assert device.takes() is OK
    assert device.consent("yes") is OK
    device.serve()
    assert device.state is P.SUCCEEDED


def test_what_runs_is_not_offered_again_and_cannot_be_taken_back(core: Core) -> None:
    device = installed(core)
    told = device.story()
    assert device.offered(version=NOW + 1) is Reason.SUPERSEDED
    assert device.offered(version=NOW + 2, cancel=True) is OK
    assert device.story() == told


def test_taking_back_what_was_never_offered_does_nothing(core: Core) -> None:
    device = Device(core)
    assert device.offered(cancel=True) is OK
    device.is_current()
    assert device.offered(version=NOW + 1, digest=bytes(32), cancel=True) is OK
    assert device.story() == []
    assert device.offered(version=NOW + 2) is OK
    assert device.story() == [(P.OFFERED, OK)]


def test_taking_back_needs_nothing_that_is_current(core: Core) -> None:
    device = asking(core)
    device.tick(NOW + 7 * HOUR)
    assert device.offered(version=NOW + 1, cancel=True) is Reason.CANCELED
    assert device.story()[-1] == (P.CANCELED, Reason.CANCELED)


def test_an_offer_waits_for_the_catalogue_that_it_names(core: Core) -> None:
    device = Device(core)
    device.is_current()
    version = device.catalogue.version
    assert device.offered(catalogue_version=version + 1) is OK
    assert device.story() == []
    device.boot()
    assert device.story() == []
    lists(device, version + 1, (SEQUENCE, device.digest))
    assert device.story() == [(P.OFFERED, OK)]


def test_an_offer_that_waits_does_not_stop_an_install(core: Core) -> None:
    device = asking(core)
    device.consent("yes")
    version = device.catalogue.version
    assert device.offered(version=NOW + 1, digest=bytes(32), catalogue_version=version + 1) is OK
    device.serve()
    assert (device.state, device.installed) == (P.SUCCEEDED, NEW)
    lists(device, version + 1, (SEQUENCE, device.digest))
    assert device.story()[-1] == (P.REJECTED, Reason.NOT_IN_CATALOGUE)


@pytest.mark.parametrize(
    ("begin", "state", "reason"),
    [
        (-1, P.WAITING_FOR_WINDOW, OK),
        (0, P.WAITING_FOR_WINDOW, Reason.OUT_OF_WINDOW),
        (1, P.WAITING_FOR_WINDOW, Reason.OUT_OF_WINDOW),
    ],
)
def test_a_window_that_opens_too_late_is_said_to(
    core: Core, begin: int, state: PatchState, reason: Reason
) -> None:
    device = Device(core)
    device.is_current()
    ends = NOW + HOUR
    assert device.offered(deadline=ends, window=(ends + begin, NOW + DAY)) is OK
    device.takes()
    device.consent("yes")
    assert device.story()[-1] == (state, reason)
    device.tick(ends - 1)
    assert device.state is (P.DOWNLOADING if reason is OK else P.WAITING_FOR_WINDOW)
    device.tick(ends)
    assert device.story()[-1] == (P.TIMED_OUT, Reason.DEADLINE_PASSED)


@pytest.mark.parametrize(
    ("sequence", "state", "reason"),
    [
        (SEQUENCE - 1, P.REJECTED, Reason.DOWNGRADE_REFUSED),
        (SEQUENCE, P.REJECTED, Reason.EQUIVOCATION),
        (SEQUENCE + 1, P.WAITING_FOR_CONFIRMATION, OK),
    ],
)
def test_another_patch_has_a_higher_number_than_the_one_that_runs(
    core: Core, sequence: int, state: PatchState, reason: Reason
) -> None:
    device = installed(core)
    another(device, firmware(LATER), LATER, sequence=sequence, listed=NOW + 1)
    assert device.story()[-1] == (state, reason)


def test_the_very_patch_that_runs_is_known_when_its_track_is_gone(core: Core) -> None:
    device = installed(core)
    for number in (1, 2):
        assert device.offered(version=NOW + number, digest=bytes([number]) * 32) is Reason.NOT_IN_CATALOGUE
        assert device.story()[-1] == (P.REJECTED, Reason.NOT_IN_CATALOGUE)
    assert device.offered(version=NOW + 3) is OK
    assert device.story()[-1] == (P.OFFERED, OK)
    assert device.takes() is OK
    assert device.story()[-1] == (P.ALREADY_INSTALLED, OK)


def test_an_envelope_that_nobody_waits_for_is_passed_over(core: Core) -> None:
    device = Device(core)
    assert device.takes() is OK
    device.is_current()
    device.offered()
    assert device.takes() is OK
    told = device.story()
    assert device.takes() is OK
    assert device.story() == told


@pytest.mark.parametrize(
    ("size", "state", "reason"),
    [
        (0, P.REJECTED, Reason.MALFORMED),
        (1, P.WAITING_FOR_CONFIRMATION, OK),
        (262_144, P.WAITING_FOR_CONFIRMATION, OK),
        (262_145, P.REJECTED, Reason.NO_SPACE),
    ],
)
def test_an_image_has_bytes_and_no_more_than_a_slot(
    core: Core, size: int, state: PatchState, reason: Reason
) -> None:
    assert core.constants["TN_SLOT_BYTES"] == 262_144
    device = Device(core)
    held = {1: VENDOR, 2: CLASS, 3: encode([-16, bytes(32)]), 14: size}
    device.envelope = sealed(craft([20, held, 1, 15, 2, 15]))
    device.digest = suit.manifest_digest(device.envelope)
    device.catalogue = catalogue(FLEET, patches=((SEQUENCE, device.digest),))
    device.is_current()
    assert device.offered() is OK
    assert device.takes() is reason
    assert device.story()[-1] == (state, reason)


def test_a_genuine_patch_that_is_not_the_one_that_was_offered_is_not_taken(core: Core) -> None:
    device = Device(core)
    device.is_current()
    device.offered()
    other = patch(firmware(LATER), LATER)
    assert device.put(f"patch/{PRODUCT}/{SEQUENCE}", other) is Reason.DIGEST_MISMATCH
    assert device.story() == [(P.OFFERED, OK)]
    assert device.takes() is OK
    assert device.state is P.WAITING_FOR_CONFIRMATION
