"""The set that trusts: versions, keys that go, and time."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from advisories.catalogue import Catalogue, Devices, Timestamp
from advisories.notice import Notice
from advisories.offer import Answer, Offer
from keys.document import seal
from keys.errors import RefusedError
from keys.limits import VERSION_MAX
from keys.reasons import Reason
from keys.root import Body, RootKey
from keys.trusted import TrustedSet
from tests.helpers import (
    DAY,
    DEVICE,
    HOUR,
    NOW,
    PRODUCT,
    answer,
    catalogue,
    devices,
    key,
    notice,
    offer,
    policy,
    timestamp,
)
from tests.keys.trusting import ADVISORY, FLEET, reason_of, rotate, stolen, take, without

# Versions


def test_a_newer_version_replaces_and_an_older_is_replayed() -> None:
    trusted = FLEET.trusted()
    for version in (NOW, NOW + 1, NOW + 5, NOW + 5):
        take(trusted, notice(FLEET, version=version))
    assert reason_of(lambda: take(trusted, notice(FLEET, version=NOW + 4))) is Reason.REPLAYED
    assert reason_of(lambda: take(trusted, notice(FLEET, version=NOW + 5, revision=2))) is Reason.EQUIVOCATION
    floor = trusted.floor("notice", ADVISORY)
    assert floor is not None
    assert floor.version == NOW + 5


def test_versions_are_counted_by_type_and_name() -> None:
    trusted = FLEET.trusted()
    take(trusted, notice(FLEET, version=NOW + 9))
    take(trusted, notice(FLEET, id="EX-2026-0002"))
    take(trusted, catalogue(FLEET))
    take(trusted, timestamp(FLEET))
    assert trusted.floor("notice", "EX-2026-0003") is None


def test_a_notice_cannot_raise_the_floor_of_another() -> None:
    trusted = FLEET.trusted()
    body = notice(FLEET, id="EX-2026-0002", version=VERSION_MAX)
    assert reason_of(lambda: take(trusted, body, name=ADVISORY)) is Reason.WRONG_SUBJECT
    assert trusted.floor("notice", ADVISORY) is None
    take(trusted, notice(FLEET))


@given(st.lists(st.tuples(st.integers(0, 3), st.booleans()), max_size=12))
def test_the_floor_never_falls(steps: list[tuple[int, bool]]) -> None:
    trusted, highest = FLEET.trusted(), -1
    for version, reload in steps:
        body = notice(FLEET, version=version)
        if version < highest:
            with pytest.raises(RefusedError, match="REPLAYED"):
                take(trusted, body)
        else:
            take(trusted, body)
        highest = max(highest, version)
        if reload:
            trusted = TrustedSet.load(trusted.dump())
        floor = trusted.floor("notice", ADVISORY)
        assert floor is not None
        assert floor.version == highest


def test_a_refused_document_leaves_no_trace() -> None:
    trusted = FLEET.trusted()
    before = trusted.dump()
    assert (
        reason_of(lambda: take(trusted, notice(FLEET, version=VERSION_MAX), "legal"))
        is Reason.THRESHOLD_NOT_MET
    )
    assert trusted.dump() == before


# Keys that go

_NEW_GATEWAY = RootKey(key=key("gateway-2").public, roles=("gateway",), holder="gateway-2")


def test_revoking_a_key_forgets_the_versions_it_set_absurdly_high() -> None:
    trusted = FLEET.trusted()
    stolen(trusted)
    assert reason_of(lambda: take(trusted, timestamp(FLEET))) is Reason.EXPIRED
    rotate(trusted, keys=(*without("gateway-1"), _NEW_GATEWAY))
    fresh = seal(timestamp(FLEET), [key("gateway-2")])
    trusted.accept(fresh, Timestamp, name=PRODUCT, subject=PRODUCT, now=NOW)
    old = FLEET.seal(timestamp(FLEET, version=NOW + 1))
    assert reason_of(lambda: trusted.accept(old, Timestamp, name=PRODUCT, now=NOW)) is Reason.UNKNOWN_KEY


def test_a_key_that_loses_its_role_is_revoked_too() -> None:
    trusted = FLEET.trusted()
    stolen(trusted)
    demoted = tuple(replace(k, roles=("monitor",)) if k.holder == "gateway-1" else k for k in FLEET.root.keys)
    rotate(trusted, keys=(*demoted, _NEW_GATEWAY))
    assert trusted.floor("timestamp", PRODUCT) is None


def test_floors_of_keys_that_stay_stay() -> None:
    trusted = FLEET.trusted()
    take(trusted, notice(FLEET, version=NOW + 9))
    take(trusted, catalogue(FLEET, version=NOW + 9))
    rotate(trusted, keys=(*without("gateway-1", "legal-2", "root-3"), _NEW_GATEWAY, *_spare_root()))
    assert reason_of(lambda: take(trusted, notice(FLEET))) is Reason.REPLAYED
    assert reason_of(lambda: take(trusted, catalogue(FLEET))) is Reason.REPLAYED


def _spare_root() -> tuple[RootKey, ...]:
    return (RootKey(key=key("new-1").public, roles=("root",), holder="new-1"),)


def test_an_extra_signature_by_a_key_that_goes_evicts_no_floor() -> None:
    trusted = FLEET.trusted()
    take(
        trusted, notice(FLEET, version=NOW + 9), "engineering", "legal", "communications", "legal", "gateway"
    )
    rotate(trusted, keys=(*without("gateway-1", "legal-2"), _NEW_GATEWAY))
    assert reason_of(lambda: take(trusted, notice(FLEET))) is Reason.REPLAYED


def test_another_copy_with_other_signers_evicts_no_floor_either() -> None:
    trusted = FLEET.trusted()
    body = notice(FLEET, version=NOW + 9)
    take(trusted, body)
    second = seal(body, [key("engineering-2"), key("legal-2"), key("communications-1")])
    trusted.accept(second, Notice, name=ADVISORY, now=NOW)
    rotate(trusted, keys=without("legal-2", "engineering-2"))
    assert reason_of(lambda: take(trusted, notice(FLEET))) is Reason.REPLAYED


def test_a_notice_whose_signer_was_revoked_may_be_issued_again_from_below() -> None:
    trusted = FLEET.trusted()
    take(trusted, notice(FLEET, version=VERSION_MAX))
    rotate(trusted, keys=without("legal-1"))
    body = notice(FLEET, version=NOW + 1)
    document = seal(body, [key("engineering-1"), key("legal-2"), key("communications-1")])
    trusted.accept(document, Notice, name=ADVISORY, now=NOW)


def test_a_stricter_policy_does_not_forget_what_was_accepted() -> None:
    trusted = FLEET.trusted()
    take(trusted, notice(FLEET, version=NOW + 9))
    strict = {"root": {"root": 2}, "notice": {"engineering": 1, "legal": 2, "communications": 1}}
    rotate(trusted, policy=policy(strict))
    rotate(trusted, policy=policy(strict))
    roles = ("engineering", "legal", "legal", "communications")
    assert reason_of(lambda: take(trusted, notice(FLEET), *roles)) is Reason.REPLAYED


# Time


def test_time_never_goes_behind_what_was_issued() -> None:
    trusted = FLEET.trusted()
    assert trusted.time(None) == trusted.time(0) == trusted.time_floor == NOW
    assert trusted.time(NOW + 5) == NOW + 5
    take(trusted, timestamp(FLEET, issued=NOW + HOUR))
    assert trusted.time(None) == trusted.time(NOW) == trusted.time_floor == NOW + HOUR


def test_without_a_clock_the_floor_says_what_is_over() -> None:
    trusted = FLEET.trusted()
    take(trusted, timestamp(FLEET, issued=NOW + 7 * HOUR), now=None)
    late = timestamp(FLEET, version=NOW + 8 * HOUR)
    assert late.expires == NOW + 6 * HOUR
    assert reason_of(lambda: take(trusted, late, now=None)) is Reason.EXPIRED
    take(trusted, late, now=None, expiring=False)


def test_a_clock_set_back_does_not_bring_a_stale_timestamp_back_to_life() -> None:
    trusted = FLEET.trusted()
    take(trusted, timestamp(FLEET, issued=NOW + 7 * HOUR), now=NOW + 7 * HOUR)
    stale = timestamp(FLEET, version=NOW + 8 * HOUR)
    assert reason_of(lambda: take(trusted, stale, now=1)) is Reason.EXPIRED


@pytest.mark.parametrize("make", [timestamp, catalogue, offer, answer, devices])
def test_a_single_key_that_names_a_time_far_ahead_silences_no_notice(make: Any) -> None:
    trusted = FLEET.trusted()
    body = make(FLEET, issued=VERSION_MAX - 1, expires=VERSION_MAX)
    take(trusted, body, expiring=False)
    assert trusted.time_floor == VERSION_MAX - 1
    take(trusted, notice(FLEET), now=NOW)
    take(trusted, notice(FLEET, version=NOW + 1), now=None)
    rotate(trusted)


def test_a_notice_does_set_the_time_for_notices() -> None:
    trusted = FLEET.trusted()
    take(trusted, notice(FLEET, id="EX-2026-0002", issued=NOW + 100 * DAY), now=None)
    assert reason_of(lambda: take(trusted, notice(FLEET), now=None)) is Reason.EXPIRED


@pytest.mark.parametrize(
    ("make", "blocked"),
    [(catalogue, True), (timestamp, True), (offer, True), (notice, False), (answer, False), (devices, False)],
)
def test_an_expired_root_blocks_installing_but_never_a_warning(make: Any, blocked: bool) -> None:
    over = NOW + 365 * DAY
    fresh = {"issued": over - 1, "expires": over + DAY}
    take(FLEET.trusted(), make(FLEET, **fresh), now=over - 1)
    if blocked:
        assert reason_of(lambda: take(FLEET.trusted(), make(FLEET, **fresh), now=over)) is Reason.EXPIRED
    else:
        take(FLEET.trusted(), make(FLEET, **fresh), now=over)


@pytest.mark.parametrize(
    ("cls", "body", "subject"),
    [
        (Catalogue, catalogue(FLEET), "lock"),
        (Timestamp, timestamp(FLEET), "lock"),
        (Offer, offer(FLEET), "device-0002"),
        (Answer, answer(FLEET), "device-0002"),
        (Devices, devices(FLEET), "lock"),
        (Notice, notice(FLEET), "lock"),
    ],
)
def test_what_is_about_another_is_refused(cls: Any, body: Body, subject: str) -> None:
    document = FLEET.seal(body)
    trusted = FLEET.trusted()
    assert (
        reason_of(lambda: trusted.accept(document, cls, name=subject, subject=subject))
        is Reason.WRONG_SUBJECT
    )
    assert reason_of(lambda: trusted.accept(document, cls, name=subject)) is Reason.WRONG_SUBJECT


def test_a_document_of_the_whole_fleet_is_counted_under_any_name() -> None:
    take(FLEET.trusted(), devices(FLEET, subject=()), name="all")


def test_the_product_row_may_be_named_for_a_device() -> None:
    take(FLEET.trusted(), offer(FLEET), subject=DEVICE, product=PRODUCT)
