"""A fleet begins with root 1, and walks from one root to the next or stays."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from advisories.catalogue import Catalogue
from keys.document import seal
from keys.errors import RefusedError
from keys.reasons import Reason
from keys.root import RootKey
from keys.trusted import TrustedSet
from tests.helpers import (
    DAY,
    NOW,
    PRODUCT,
    catalogue,
    key,
    make_fleet,
    make_root,
    notice,
    policy,
    root_keys,
)
from tests.keys.trusting import FLEET, reason_of, root_signed

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
