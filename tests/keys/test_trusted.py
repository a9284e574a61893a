from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from advisories.catalogue import Catalogue, Devices, Timestamp
from advisories.notice import Notice
from advisories.offer import Answer, Offer
from keys import trusted as module
from keys.cbor import decode, encode
from keys.codec import dump
from keys.document import digest, seal
from keys.errors import RefusedError
from keys.limits import FLOORS_MAX, STATE_BYTES_MAX, VERSION_MAX
from keys.reasons import Reason
from keys.root import Body, Root, RootKey
from keys.trusted import Floor, TrustedSet
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
    make_fleet,
    make_root,
    notice,
    offer,
    policy,
    root_keys,
    timestamp,
)

FLEET = make_fleet()
ADVISORY = "EX-2026-0001"


def reason_of(call: Callable[[], object]) -> Reason:
    with pytest.raises(RefusedError) as caught:
        call()
    return caught.value.reason


def take(trusted: TrustedSet, body: Body, *roles: str, now: int | None = NOW, **kwargs: Any) -> Any:
    name = body.names()[0] if body.names() else "all"
    return trusted.accept(
        FLEET.seal(body, *roles), type(body), name=kwargs.pop("name", name), now=now, **kwargs
    )


def without(*names: str) -> tuple[RootKey, ...]:
    return tuple(entry for entry in FLEET.root.keys if entry.holder not in names)


def root_signed(body: Root, *holders: str) -> bytes:
    return seal(body, [key(name) for name in holders or ("root-1", "root-2")])


# Enrolment


def test_a_fleet_is_trusted_by_its_root_1() -> None:
    trusted = TrustedSet.enrol(FLEET.root_document, NOW, pinned=FLEET.id)
    assert (trusted.fleet, trusted.root) == (FLEET.id, FLEET.root)


def test_a_device_from_the_shelf_may_start_with_a_root_that_is_over() -> None:
    later = NOW + 5 * 365 * DAY
    assert TrustedSet.enrol(FLEET.root_document, None).root == FLEET.root
    assert reason_of(lambda: TrustedSet.enrol(FLEET.root_document, later)) is Reason.EXPIRED


@pytest.mark.parametrize(
    ("document", "pinned", "reason"),
    [
        (FLEET.root_document, bytes(32), Reason.WRONG_FLEET),
        (make_fleet(now=NOW + 1).root_document, FLEET.id, Reason.WRONG_FLEET),
        (root_signed(FLEET.next_root()), None, Reason.ROOT_GAP),
        (root_signed(make_root(), "root-1"), None, Reason.THRESHOLD_NOT_MET),
        (root_signed(make_root(), "legal-1"), None, Reason.THRESHOLD_NOT_MET),
        (seal(make_root(), [key("stranger")]), None, Reason.UNKNOWN_KEY),
        (root_signed(make_root(expires=None)), None, Reason.BAD_ROOT),
        (root_signed(make_root(fleet=bytes(32))), None, Reason.BAD_ROOT),
        (FLEET.seal(notice(FLEET)), None, Reason.MALFORMED),
        (b"", None, Reason.MALFORMED),
        (bytes(200_000), None, Reason.TOO_BIG),
    ],
)
def test_nothing_else_is_a_root_1(document: bytes, pinned: bytes | None, reason: Reason) -> None:
    assert reason_of(lambda: TrustedSet.enrol(document, None, pinned=pinned)) is reason


# The chain of roots


def test_roots_are_walked_one_by_one() -> None:
    trusted = FLEET.trusted()
    for version in range(2, 7):
        body = FLEET.next_root(version=version, issued=NOW + version)
        assert trusted.update_root(root_signed(body), NOW) == body
    assert trusted.root.version == 6
    assert trusted.fleet == FLEET.id


def test_a_device_that_slept_walks_through_roots_that_are_over() -> None:
    trusted = FLEET.trusted()
    for version in range(2, 6):
        body = FLEET.next_root(version=version, issued=NOW + version, expires=NOW + version * 100 * DAY)
        trusted.update_root(root_signed(body), None)
    asleep_until = NOW + 450 * DAY
    document = FLEET.seal(catalogue(FLEET, issued=asleep_until))
    trusted.accept(document, Catalogue, name=PRODUCT, subject=PRODUCT, now=asleep_until)


def test_whoever_publishes_a_root_learns_that_it_is_over() -> None:
    document = root_signed(FLEET.next_root())
    assert reason_of(lambda: FLEET.trusted().update_root(document, NOW + 366 * DAY)) is Reason.EXPIRED
    FLEET.trusted().update_root(document, NOW + 366 * DAY - 1)


_NEW_ROOT_KEYS = (
    *(RootKey(key=key(f"new-{n}").public, roles=("root",), holder=f"new-{n}") for n in (1, 2, 3)),
    *(entry for entry in root_keys() if "root" not in entry.roles),
)


@pytest.mark.parametrize(
    ("changes", "holders", "reason"),
    [
        ({"version": 3}, (), Reason.ROOT_GAP),
        ({"version": 2**53 - 1}, (), Reason.ROOT_GAP),
        ({"version": 2**63}, (), Reason.MALFORMED),
        ({"version": 0}, (), Reason.REPLAYED),
        ({"version": 1}, (), Reason.REPLAYED),
        ({"fleet": bytes(32)}, (), Reason.WRONG_FLEET),
        ({"expires": None}, (), Reason.BAD_ROOT),
        ({"subject": (PRODUCT,)}, (), Reason.BAD_ROOT),
        ({}, ("root-1",), Reason.THRESHOLD_NOT_MET),
        ({}, ("root-1", "legal-1"), Reason.THRESHOLD_NOT_MET),
        ({}, ("stranger",), Reason.UNKNOWN_KEY),
        ({"keys": _NEW_ROOT_KEYS}, ("root-1", "root-2"), Reason.UNKNOWN_KEY),
        ({"keys": _NEW_ROOT_KEYS}, ("new-1", "new-2"), Reason.UNKNOWN_KEY),
        ({"keys": _NEW_ROOT_KEYS}, ("root-1", "root-2", "new-1"), Reason.THRESHOLD_NOT_MET),
        ({"keys": _NEW_ROOT_KEYS}, ("root-1", "new-1", "new-2"), Reason.THRESHOLD_NOT_MET),
        ({"policy": policy({"root": {"root": 2}, "notice": {}})}, (), Reason.BAD_ROOT),
    ],
)
def test_a_step_that_is_not_exactly_the_next_under_both_policies_is_refused(
    changes: dict[str, Any], holders: tuple[str, ...], reason: Reason
) -> None:
    trusted = FLEET.trusted()
    document = root_signed(FLEET.next_root(**changes), *holders)
    before = trusted.dump()
    assert reason_of(lambda: trusted.update_root(document, NOW)) is reason
    assert trusted.dump() == before


def test_all_root_keys_can_be_changed_by_old_and_new_together() -> None:
    trusted = FLEET.trusted()
    body = FLEET.next_root(keys=_NEW_ROOT_KEYS)
    trusted.update_root(root_signed(body, "root-1", "root-2", "new-1", "new-2"), NOW)
    third = FLEET.next_root(keys=_NEW_ROOT_KEYS, version=3)
    assert reason_of(lambda: trusted.update_root(root_signed(third), NOW)) is Reason.UNKNOWN_KEY
    trusted.update_root(root_signed(third, "new-2", "new-3"), NOW)


def test_the_same_root_again_changes_nothing_and_an_older_one_is_replayed() -> None:
    trusted = FLEET.trusted()
    second = root_signed(FLEET.next_root())
    trusted.update_root(FLEET.root_document, NOW)
    trusted.update_root(second, NOW)
    state = trusted.dump()
    trusted.update_root(root_signed(FLEET.next_root(), "root-2", "root-3"), NOW)
    assert trusted.dump() == state
    assert reason_of(lambda: trusted.update_root(FLEET.root_document, NOW)) is Reason.REPLAYED
    other = root_signed(FLEET.next_root(exercise=True))
    assert reason_of(lambda: trusted.update_root(other, NOW)) is Reason.REPLAYED


@given(st.data())
def test_a_root_with_any_bit_flipped_leaves_the_set_as_it_was(data: st.DataObject) -> None:
    trusted = FLEET.trusted()
    before = trusted.dump()
    wrong = bytearray(root_signed(FLEET.next_root()))
    bit = data.draw(st.integers(0, len(wrong) * 8 - 1))
    wrong[bit // 8] ^= 1 << bit % 8
    with pytest.raises(RefusedError):
        trusted.update_root(bytes(wrong), NOW)
    assert trusted.dump() == before


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


def rotate(trusted: TrustedSet, **changes: Any) -> None:
    version = trusted.root.version + 1
    trusted.update_root(root_signed(FLEET.next_root(version=version, issued=NOW, **changes)), None)


def stolen(trusted: TrustedSet) -> None:
    """Whoever has the gateway's key names the highest version and a time far ahead."""
    take(trusted, timestamp(FLEET, version=VERSION_MAX, issued=VERSION_MAX - 1, expires=VERSION_MAX))


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


# Limits and storage


def full(until: int | None) -> TrustedSet:
    floors = [
        Floor(
            type="notice",
            name=f"EX-{n}",
            version=1,
            digest=bytes(32),
            kids=tuple(FLEET.root.by_kid),
            issued=NOW,
            demands={"legal": 1},
            until=None if until is None else until + n,
        )
        for n in range(FLOORS_MAX)
    ]
    return TrustedSet(FLEET.id, FLEET.root_document, FLEET.root, floors)


def test_floors_are_limited_and_none_that_matters_is_given_up() -> None:
    trusted = full(None)
    assert reason_of(lambda: take(trusted, notice(FLEET))) is Reason.LIMIT_REACHED
    one_less = TrustedSet(FLEET.id, FLEET.root_document, FLEET.root, list(trusted._floors.values())[1:])
    take(one_less, notice(FLEET))
    assert reason_of(lambda: take(one_less, notice(FLEET, id="EX-2026-0002"))) is Reason.LIMIT_REACHED
    take(one_less, notice(FLEET, version=NOW + 1))


def test_room_is_made_by_what_has_been_over_the_longest() -> None:
    trusted = full(NOW + 10)
    assert reason_of(lambda: take(trusted, notice(FLEET), now=NOW + 9)) is Reason.LIMIT_REACHED
    take(trusted, notice(FLEET), now=NOW + 10)
    assert trusted.floor("notice", "EX-0") is None
    assert trusted.floor("notice", "EX-1") is not None


def test_a_stolen_single_key_cannot_make_floors_of_notices_go() -> None:
    trusted = full(NOW + 10)
    trusted._floors.pop(("notice", "EX-0"))
    stolen(trusted)
    assert reason_of(lambda: take(trusted, notice(FLEET), now=NOW)) is Reason.LIMIT_REACHED


def test_a_floor_stays_until_its_longest_lived_version_is_over() -> None:
    trusted = FLEET.trusted()
    take(trusted, notice(FLEET, expires=NOW + 90))
    take(trusted, notice(FLEET, version=NOW + 1, expires=NOW + 20))
    floor = trusted.floor("notice", ADVISORY)
    assert floor is not None
    assert floor.until == NOW + 90
    take(trusted, notice(FLEET, version=NOW + 2, expires=None))
    take(trusted, notice(FLEET, version=NOW + 3, expires=NOW + 20))
    floor = trusted.floor("notice", ADVISORY)
    assert floor is not None
    assert floor.until is None


def test_the_state_comes_back_as_it_was() -> None:
    trusted = FLEET.trusted()
    rotate(trusted)
    take(trusted, notice(FLEET, author=("engineering-1", "engineering")))
    take(trusted, timestamp(FLEET))
    again = TrustedSet.load(trusted.dump())
    assert again.dump() == trusted.dump()
    assert again.root == trusted.root
    assert again.floor("notice", ADVISORY) == trusted.floor("notice", ADVISORY)


def test_the_largest_state_can_be_read_back() -> None:
    floors = [
        Floor(
            type="t" * 64,
            name=f"{n:064}",
            version=VERSION_MAX,
            digest=bytes(32),
            kids=(bytes(32),) * 16,
            issued=VERSION_MAX,
            demands={f"{role:064}": 16 for role in range(16)},
            author=("h" * 64, "r" * 64),
            until=VERSION_MAX,
        )
        for n in range(FLOORS_MAX)
    ]
    state = TrustedSet(FLEET.id, FLEET.root_document, FLEET.root, floors).dump()
    assert len(state) + Root.BYTES_MAX < STATE_BYTES_MAX
    assert TrustedSet.load(state).dump() == state


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda s: b"", Reason.MALFORMED),
        (lambda s: s[:-1], Reason.MALFORMED),
        (lambda s: encode({**decode(s), 1: bytes(32)}), Reason.MALFORMED),
        (lambda s: encode({**decode(s), 2: b"\x00"}), Reason.MALFORMED),
        (lambda s: encode({**decode(s), 2: root_signed(make_root(expires=None))}), Reason.BAD_ROOT),
        (lambda s: bytes(STATE_BYTES_MAX + 1), Reason.TOO_BIG),
    ],
)
def test_damaged_storage_is_noticed(damage: Callable[[bytes], bytes], reason: Reason) -> None:
    assert reason_of(lambda: TrustedSet.load(damage(FLEET.trusted().dump()))) is reason


def test_a_stored_root_2_belongs_to_the_fleet_it_names() -> None:
    trusted = FLEET.trusted()
    rotate(trusted)
    state = encode({**decode(trusted.dump()), 1: bytes(32)})
    assert reason_of(lambda: TrustedSet.load(state)) is Reason.MALFORMED


def test_the_module_names_what_a_shell_needs() -> None:
    assert set(module.__all__) <= set(vars(module))
    assert digest(FLEET.root_document) == FLEET.id
    assert dump(FLEET.root)
