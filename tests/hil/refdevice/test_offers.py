"""Offers on the C device: taken, settled once the catalogue is current, changed, taken back, over."""

from __future__ import annotations

from typing import Any

import pytest

from advisories.offer import Consent
from advisories.states import PatchState
from keys import cose
from keys.cbor import decode, encode
from keys.codec import dump
from keys.reasons import Reason
from keys.root import RootKey
from tests.helpers import DAY, DEVICE, HOUR, NOW, key, timestamp

from .build import Core
from .device_of_c import FLEET, SEQUENCE, Device

P = PatchState
OK = Reason.OK


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({}, OK),
        ({"consent": Consent.ASK}, OK),
        ({"window": (NOW, NOW + DAY)}, OK),
        ({"product": "pump"}, Reason.WRONG_SUBJECT),
        ({"subject": ("device-2",)}, Reason.WRONG_SUBJECT),
        ({"issued": NOW - 9 * DAY, "expires": NOW}, Reason.EXPIRED),
    ],
)
def test_an_offer_is_taken_or_refused(core: Core, changes: dict[str, Any], reason: Reason) -> None:
    device = Device(core)
    device.is_current()
    assert device.offered(**changes) is reason
    assert device.state is (P.OFFERED if reason is OK else None)


def test_an_older_offer_is_replayed_and_another_of_the_same_version_equivocates(core: Core) -> None:
    device = Device(core)
    device.is_current()
    version = device.offer().version
    assert device.offered() is OK
    assert device.offered() is OK
    assert device.offered(deadline=NOW + DAY) is Reason.EQUIVOCATION
    assert device.offered(version=version - 1) is Reason.REPLAYED
    assert device.story() == [(P.OFFERED, OK)]


def test_an_offer_waits_for_what_is_current(core: Core) -> None:
    device = Device(core)
    assert device.offered() is OK
    device.boot()
    assert device.state is None
    device.is_current()
    assert device.story() == [(P.OFFERED, OK)]


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"digest": bytes(32)}, (P.REJECTED, Reason.NOT_IN_CATALOGUE)),
        ({"sequence": SEQUENCE + 1}, (P.REJECTED, Reason.NOT_IN_CATALOGUE)),
        ({"deadline": NOW + 60}, (P.TIMED_OUT, Reason.DEADLINE_PASSED)),
        ({"window": (NOW, NOW + 60)}, (P.TIMED_OUT, Reason.DEADLINE_PASSED)),
    ],
)
def test_what_cannot_be_installed_ends_at_once(
    core: Core, changes: dict[str, Any], told: tuple[PatchState, Reason]
) -> None:
    device = Device(core)
    device.is_current()
    device.offered(**changes)
    assert device.story() == [told]


def test_a_newer_offer_changes_takes_the_place_of_or_takes_back(core: Core) -> None:
    device = Device(core)
    device.is_current()
    version = device.offer().version
    device.offered()
    device.offered(version=version + 1, deadline=NOW + DAY)
    assert device.story() == [(P.OFFERED, OK)]
    device.takes()
    device.offered(version=version + 2, cancel=True)
    assert device.story()[-1] == (P.CANCELED, Reason.CANCELED)
    device.offered(version=version + 3)
    assert device.story()[-1] == (P.OFFERED, OK)
    device.offered(version=version + 4, digest=bytes(32))
    assert device.story()[-2:] == [(P.SUPERSEDED, Reason.SUPERSEDED), (P.REJECTED, Reason.NOT_IN_CATALOGUE)]
    device.offered(version=version + 5)
    assert device.story()[-1] == (P.OFFERED, OK)


def test_a_patch_ends_with_its_deadline(core: Core) -> None:
    device = Device(core)
    device.is_current()
    device.offered(deadline=NOW + HOUR)
    device.takes()
    device.tick(NOW + HOUR - 1)
    assert device.story()[-1] == (P.WAITING_FOR_CONFIRMATION, OK)
    device.tick(NOW + HOUR)
    assert device.story()[-1] == (P.TIMED_OUT, Reason.DEADLINE_PASSED)


def test_a_window_is_waited_for_and_stale_metadata_hold_up_an_install(core: Core) -> None:
    device = Device(core)
    device.is_current()
    device.offered(window=(NOW + 7 * HOUR, NOW + DAY))
    device.takes()
    device.consent("yes")
    assert device.story()[-1] == (P.WAITING_FOR_WINDOW, OK)
    device.tick(NOW + 7 * HOUR - 1)
    assert device.state is P.WAITING_FOR_WINDOW
    device.tick(NOW + 7 * HOUR)
    device.serve()
    assert device.story()[-1] == (P.VERIFIED, OK)  # the timestamp was one of six hours
    later = NOW + 7 * HOUR
    stamp = timestamp(FLEET, device.catalogue, version=later, issued=later, expires=later + HOUR)
    device.put(f"timestamp/{FLEET.products[0]}", FLEET.seal(stamp))
    assert device.story()[-1] == (P.SUCCEEDED, OK)


def test_signers_whose_keys_are_gone_end_a_patch(core: Core) -> None:
    device = Device(core)
    device.is_current()
    device.offered()
    device.takes()
    kept = tuple(entry for entry in FLEET.root.keys if "security" not in entry.roles)
    other = RootKey(key=key("security-9").public, roles=("security",), holder="security-9")
    root = FLEET.next_root(keys=(*kept, other))
    assert device.put("root/2", FLEET.seal(root, "root", "root")) is Reason.THRESHOLD_NOT_MET
    assert device.story()[-1] == (P.REJECTED, Reason.THRESHOLD_NOT_MET)


@pytest.mark.parametrize("number", range(10, 18))
def test_an_offer_of_another_shape_is_malformed(core: Core, number: int) -> None:
    device = Device(core)
    device.is_current()
    body = decode(dump(device.offer(window=(NOW, NOW + DAY))))
    signer = FLEET.signers("gateway")
    for value in (None, -1, [], b"", 2**53, ["x"]):
        wrong = cose.sign(encode({**body, number: value}), signer, typ="tocsin/offer")
        assert device.put(f"device/{DEVICE}/offer", wrong) is Reason.MALFORMED
    for more in ({18: 1}, {}):
        left = {k: v for k, v in body.items() if more or k != number} | more
        found = device.put(f"device/{DEVICE}/offer", cose.sign(encode(left), signer, typ="tocsin/offer"))
        assert found is (OK if left.keys() == body.keys() - {15} else Reason.MALFORMED)
