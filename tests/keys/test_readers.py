"""What a reader believes whose firmware cannot verify every key of the root, and whom an author counts for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from advisories.notice import Notice
from advisories.offer import Offer
from keys.algorithms import UNDECLARED, VERIFIED, Algorithm
from keys.document import open_document, seal
from keys.errors import RefusedError
from keys.reasons import Reason
from keys.root import PolicyRow, RootKey, checked
from keys.signer import LocalSigner
from keys.trusted import TrustedSet
from tests.helpers import (
    DAY,
    DEVICE,
    HOUR,
    NOW,
    PRODUCT,
    Fleet,
    key,
    make_fleet,
    notice,
    offer,
    policy,
    root_keys,
    timestamp,
)

PQ = Algorithm.ML_DSA_44


def holder(name: str, *roles: str, algorithm: Algorithm = PQ) -> RootKey:
    return RootKey(key=key(name, algorithm).public, roles=roles, holder=name)


def fleet_with(*extra: RootKey, rows: tuple[PolicyRow, ...] = ()) -> Fleet:
    return make_fleet(keys=(*root_keys(), *extra), policy=(*policy(), *rows))


def two_of_legal() -> Fleet:
    row = PolicyRow(type="notice", product=PRODUCT, demands={"engineering": 1, "legal": 2})
    return fleet_with(holder("legal-pq", "legal"), rows=(row,))


def pq(name: str) -> LocalSigner:
    return key(name, PQ)


def reason_of(call: Callable[[], object]) -> Reason:
    with pytest.raises(RefusedError) as caught:
        call()
    return caught.value.reason


def read(fleet: Fleet, signers: list[LocalSigner], algorithms: frozenset[Algorithm], **fields: object) -> int:
    """Open a notice, and return how many signatures counted."""
    document = seal(notice(fleet, **fields), signers)
    found = open_document(
        document, Notice, fleet.root, fleet=fleet.id, subject=PRODUCT, now=NOW, algorithms=algorithms
    )
    return len(found.signed)


def test_a_signature_that_cannot_be_checked_is_passed_over_wherever_it_stands() -> None:
    fleet = two_of_legal()
    three = [key("engineering-1"), key("legal-1"), key("legal-2")]
    for at in range(4):
        signers = [*three[:at], pq("legal-pq"), *three[at:]]
        assert read(fleet, signers, UNDECLARED) == 3
        assert read(fleet, signers, VERIFIED) == 4


def test_the_signatures_of_strangers_and_copies_are_passed_over_wherever_they_stand() -> None:
    fleet = two_of_legal()
    three = [key("engineering-1"), key("legal-1"), key("legal-2")]
    for other in (key("stranger"), key("engineering-1")):
        for at in range(4):
            assert read(fleet, [*three[:at], other, *three[at:]], UNDECLARED) == 3


def test_what_only_a_newer_reader_could_believe_is_unsupported() -> None:
    fleet = two_of_legal()
    signers = [key("engineering-1"), key("legal-1"), pq("legal-pq")]
    assert read(fleet, signers, VERIFIED) == 3
    with pytest.raises(RefusedError, match="no algorithm to check the signature for legal") as caught:
        read(fleet, signers, UNDECLARED)
    assert caught.value.reason is Reason.UNSUPPORTED
    assert reason_of(lambda: read(fleet, [pq("legal-pq")], UNDECLARED)) is Reason.UNSUPPORTED


def test_what_no_reader_could_believe_lacks_signatures_whatever_was_passed_over() -> None:
    fleet = two_of_legal()
    for signers in ([key("engineering-1"), pq("legal-pq")], [key("legal-1"), pq("legal-pq")]):
        for algorithms in (UNDECLARED, VERIFIED):
            with pytest.raises(RefusedError, match="no signature for") as caught:
                read(fleet, signers, algorithms)
            assert caught.value.reason is Reason.THRESHOLD_NOT_MET
    assert reason_of(lambda: read(fleet, [key("stranger")], UNDECLARED)) is Reason.UNKNOWN_KEY


@pytest.mark.parametrize(
    ("author", "newer", "older"),
    [
        (None, None, Reason.UNSUPPORTED),
        (("dual", "legal"), None, Reason.UNSUPPORTED),
        (("dual", "engineering"), Reason.THRESHOLD_NOT_MET, Reason.THRESHOLD_NOT_MET),
    ],
)
def test_an_author_counts_for_the_authors_own_role_alone(
    author: tuple[str, str] | None, newer: Reason | None, older: Reason
) -> None:
    fleet = fleet_with(holder("dual", "engineering", "legal"))
    signers = [key("engineering-1"), pq("dual"), key("communications-1")]
    if newer is None:
        assert read(fleet, signers, VERIFIED, author=author) == 3
    else:
        assert reason_of(lambda: read(fleet, signers, VERIFIED, author=author)) is newer
    assert reason_of(lambda: read(fleet, signers, UNDECLARED, author=author)) is older


def test_a_reader_keeps_to_its_algorithms_from_the_first_root_on() -> None:
    fleet = two_of_legal()
    document = seal(notice(fleet), [key("engineering-1"), key("legal-1"), pq("legal-pq")])
    older = TrustedSet.enrol(fleet.root_document, NOW, algorithms=UNDECLARED)
    for trusted in (older, TrustedSet.load(older.dump(), algorithms=UNDECLARED)):
        assert trusted.algorithms == UNDECLARED
        assert (
            reason_of(lambda t=trusted: t.accept(document, Notice, name="EX-2026-0001", subject=PRODUCT))
            is Reason.UNSUPPORTED
        )
    assert TrustedSet.load(older.dump()).accept(document, Notice, name="EX-2026-0001", subject=PRODUCT)
    assert (
        reason_of(lambda: TrustedSet.enrol(fleet.root_document, NOW, algorithms={PQ})) is Reason.UNSUPPORTED
    )


def test_a_root_that_only_a_newer_reader_could_believe_is_not_walked_to() -> None:
    fleet = fleet_with(holder("root-pq", "root"))
    two = fleet.next_root(keys=fleet.root.keys)
    old_policy = seal(two, [key("root-1"), pq("root-pq")])
    without_old = tuple(entry for entry in fleet.root.keys if entry.holder not in {"root-2", "root-3"})
    three = checked(replace(two, keys=(*without_old, holder("root-pq-2", "root"))))
    new_policy = seal(three, [key("root-1"), key("root-2"), pq("root-pq")])
    for document in (old_policy, new_policy):
        older = TrustedSet.enrol(fleet.root_document, NOW, algorithms=UNDECLARED)
        assert reason_of(lambda t=older, d=document: t.update_root(d, NOW)) is Reason.UNSUPPORTED
        assert older.root == fleet.root
        assert fleet.trusted().update_root(document, NOW).version == 2


def test_a_root_whose_old_policy_needs_a_newer_reader_is_not_walked_to_either() -> None:
    fleet = fleet_with(holder("root-pq", "root"))
    keys = tuple(entry for entry in fleet.root.keys if entry.holder != "root-2")
    keys = (*keys, holder("root-4", "root", algorithm=Algorithm.ED25519))
    document = seal(fleet.next_root(keys=keys), [key("root-1"), pq("root-pq"), key("root-4")])
    older = TrustedSet.enrol(fleet.root_document, NOW, algorithms=UNDECLARED)
    assert reason_of(lambda: older.update_root(document, NOW)) is Reason.UNSUPPORTED
    assert fleet.trusted().update_root(document, NOW).version == 2


def test_a_floor_remembers_everybody_who_signed_any_copy_and_the_author() -> None:
    fleet, author = make_fleet(), ("engineering-1", "engineering")
    body = notice(fleet, author=author)
    trusted = fleet.trusted()
    rest = [key("legal-1"), key("communications-1")]
    kids = set()
    for engineer in ("engineering-1", "engineering-2"):
        trusted.accept(seal(body, [key(engineer), *rest]), Notice, name=body.id, now=NOW)
        kids |= {one.public.thumbprint for one in (key(engineer), *rest)}
        floor = trusted.floor("notice", body.id)
        assert floor is not None
        assert (set(floor.kids), floor.author) == (kids, author)


def test_a_floor_falls_when_only_the_author_could_fill_the_seat_that_became_empty() -> None:
    for author, stays in ((None, True), (("dual", "engineering"), False)):
        fleet = fleet_with(holder("dual", "engineering", "legal"))
        body, trusted = notice(fleet, author=author), fleet.trusted()
        signers = [key("engineering-1"), key("legal-1"), key("communications-1"), pq("dual")]
        trusted.accept(seal(body, signers), Notice, name=body.id, now=NOW)
        keys = tuple(entry for entry in fleet.root.keys if entry.holder != "legal-1")
        trusted.update_root(seal(fleet.next_root(keys=keys), fleet.signers("root", "root")), NOW)
        assert (trusted.floor("notice", body.id) is not None) is stays


def test_the_row_of_the_named_product_is_met_and_remembered() -> None:
    demands = {"gateway": 1, "operator": 1}
    fleet = fleet_with(rows=(PolicyRow(type="offer", product=PRODUCT, demands=demands),))
    trusted, body = fleet.trusted(), offer(fleet)

    def accept(*roles: str) -> object:
        document = seal(body, fleet.signers(*roles))
        return trusted.accept(document, Offer, name=DEVICE, subject=DEVICE, product=PRODUCT, now=NOW)

    assert reason_of(lambda: accept("gateway")) is Reason.THRESHOLD_NOT_MET
    assert accept("gateway", "operator")
    floor = trusted.floor("offer", DEVICE)
    assert floor is not None
    assert floor.demands == demands


def test_the_row_of_the_subject_is_met_and_remembered() -> None:
    demands = {"engineering": 1, "legal": 2}
    fleet = two_of_legal()
    trusted, body = fleet.trusted(), notice(fleet)
    document = seal(body, [key("engineering-1"), key("legal-1"), key("legal-2")])
    assert (
        reason_of(lambda: trusted.accept(document, Notice, name=body.id, subject="lamp", now=NOW))
        is Reason.WRONG_SUBJECT
    )
    assert trusted.accept(document, Notice, name=body.id, subject=PRODUCT, now=NOW)
    floor = trusted.floor("notice", body.id)
    assert floor is not None
    assert floor.demands == demands


@pytest.mark.parametrize("kind", [None, "notice", "timestamp"])
def test_a_set_that_was_stored_knows_the_same_time(kind: str | None) -> None:
    fleet, trusted = make_fleet(), make_fleet().trusted()
    for body, name in (
        (timestamp(fleet, issued=NOW + 9 * DAY), PRODUCT),
        (notice(fleet, issued=NOW + DAY), "EX-2026-0001"),
        (notice(fleet, issued=NOW + HOUR, version=NOW + 2 * DAY), "EX-2026-0001"),  # only the last counts
    ):
        trusted.accept(fleet.seal(body), type(body), name=name, now=NOW)
    times = {None: NOW + 9 * DAY, "notice": NOW + HOUR, "timestamp": NOW + 9 * DAY}
    for same in (trusted, TrustedSet.load(trusted.dump())):
        assert same.time(None, kind) == same.time(NOW, kind) == times[kind]
        assert same.time_floor == NOW + 9 * DAY
