"""What a device can verify is what its running firmware declares; more than that it does not believe."""

from __future__ import annotations

import hashlib
from collections import Counter
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import mldsa

from advisories import mcuboot, suit
from advisories.notice import Notice
from advisories.report import Track
from advisories.states import NoticeState, PatchState
from keys.algorithms import UNDECLARED, Algorithm
from keys.codec import dump
from keys.document import seal
from keys.reasons import Reason
from keys.root import DEFAULT_POLICY, PolicyRow, RootKey
from keys.signer import LocalSigner
from tests.device_sim.core.firmware import CLASS, NEW, OLD, VENDOR
from tests.device_sim.core.world import World
from tests.helpers import PRODUCT, key, make_fleet, notice, root_keys, text

BOTH = frozenset({Algorithm.ED25519, Algorithm.ML_DSA_44})
PQ = LocalSigner(mldsa.MLDSA44PrivateKey.from_seed_bytes(hashlib.sha256(b"tocsin test key pq").digest()))
PQ_KEY = RootKey(key=PQ.public, roles=("security-pq",), holder="security-pq-1")


def row(type_: str) -> PolicyRow:
    """What the type demands of every product, and ML-DSA beside it."""
    return PolicyRow(type=type_, demands={**DEFAULT_POLICY[type_], "security-pq": 1}, product=PRODUCT)


def fleet(*types: str) -> Any:
    """A fleet whose product's rows of these types demand ML-DSA too."""
    base = make_fleet()
    return make_fleet(keys=(*root_keys(), PQ_KEY), policy=(*base.root.policy, *map(row, types)))


def image(version: Any = OLD, algorithms: Any = ()) -> bytes:
    return mcuboot.pack(b"firmware" * 2_000, version, security_counter=0, algorithms=algorithms)


def world(algorithms: Any = (), *types: str) -> World:
    made = World(fleet(*types), start=False)
    made.slots[0] = bytearray(image(algorithms=algorithms))
    made.start()
    made.connect()
    return made


def announce(there: World, *signers: Any) -> Notice:
    header = notice(there.fleet)
    roles = [key(there.holders[role][0]) for role in DEFAULT_POLICY["notice"]]
    there.publish(there.topics.notice(PRODUCT, header.id), seal(header, [*roles, *signers]))
    there.publish(there.topics.text(PRODUCT, "en", header.id), dump(text("en")))
    there.advance(60)
    return header


@pytest.mark.parametrize(
    ("declared", "said"),
    [((), UNDECLARED), (BOTH, BOTH), ({Algorithm.ESP256}, {Algorithm.ESP256})],
    ids=["nothing", "both", "another one"],
)
def test_a_report_says_what_the_running_image_declares(declared: Any, said: Any) -> None:
    there = world(declared)
    assert set(there.reports[-1].algorithms or ()) == said
    assert there.agent.trusted.algorithms == said


def test_a_notice_that_a_row_with_ml_dsa_authorised_is_shown_by_firmware_that_verifies_it() -> None:
    there = world(BOTH, "notice")
    header = announce(there, PQ)
    assert there.notice_track(header.id).state is NoticeState.SHOWN
    assert there.refusals() == []


def test_firmware_without_the_algorithm_refuses_and_says_why() -> None:
    there = world((), "notice")
    header = announce(there, PQ)
    assert there.agent.notices == ()
    assert there.refusals() == [(header.id, Reason.UNSUPPORTED)]
    assert (header.id, Reason.UNSUPPORTED) in [
        (entry.name, entry.reason) for report in there.reports for entry in report.journal
    ]


@pytest.mark.parametrize("declared", [(), BOTH], ids=["old firmware", "new firmware"])
def test_a_notice_without_the_new_role_is_refused_by_everyone(declared: Any) -> None:
    there = world(declared, "notice")
    header = announce(there)
    assert there.refusals() == [(header.id, Reason.THRESHOLD_NOT_MET)]


def test_a_signature_that_does_not_verify_is_no_signature() -> None:
    there = world(BOTH, "notice")
    stranger = LocalSigner(mldsa.MLDSA44PrivateKey.from_seed_bytes(bytes(32)))
    header = announce(there, stranger)
    assert there.refusals() == [(header.id, Reason.THRESHOLD_NOT_MET)]


def test_a_patch_brings_the_algorithm_and_then_what_was_refused_is_shown() -> None:
    there = world((), "notice")
    header = announce(there, PQ)
    patch = there.roll_out(data=image(NEW, BOTH))
    there.advance(600)
    assert there.patch_track(patch).state is PatchState.SUCCEEDED
    assert set(there.reports[-1].algorithms or ()) == BOTH
    # The affected versions end below the new one: the notice is genuine now, and does not concern it.
    assert there.notice_track(header.id).state is NoticeState.NOT_APPLICABLE


def test_firmware_that_fails_its_self_test_takes_its_algorithms_with_it() -> None:
    there = world((), "notice")
    there.healthy = False
    patch = there.roll_out(data=image(NEW, BOTH))
    there.advance(600)
    assert there.patch_track(patch).state is PatchState.ROLLED_BACK
    assert set(there.reports[-1].algorithms or ()) == UNDECLARED
    header = announce(there, PQ)
    assert (header.id, Reason.UNSUPPORTED) in there.refusals()


def envelope(there: World, *signers: Any) -> bytes:
    data = image(NEW)
    there.payloads[hashlib.sha256(data).digest()] = data
    made = suit.build(7, VENDOR, CLASS, data, version=NEW, uri="https://example.com/fw")
    for signer in (there.fleet.signer("release"), there.fleet.signer("security"), *signers):
        made = suit.authenticate(made, signer)
    there.publish(there.topics.patch(PRODUCT, 7), made)
    patch = suit.manifest_digest(made)
    there.current(patches=((7, patch),))
    there.offer(patch)
    there.advance(600)
    return patch


@pytest.mark.parametrize(
    ("declared", "signers", "reason"),
    [
        ((), (PQ,), Reason.UNSUPPORTED),
        (BOTH, (), Reason.THRESHOLD_NOT_MET),
        (BOTH, (PQ,), None),
    ],
    ids=["old firmware", "without the new role", "with it"],
)
def test_a_patch_is_held_to_its_row_in_the_same_way(
    declared: Any, signers: Any, reason: Reason | None
) -> None:
    there = world(declared, "patch")
    patch = envelope(there, *signers)
    state = there.patch_track(patch).state
    if reason is None:
        assert state is PatchState.SUCCEEDED
    else:
        assert state is PatchState.OFFERED
        assert ("patch", reason) in there.refusals()


def test_a_device_of_another_product_walks_past_keys_that_it_cannot_use() -> None:
    there = World()
    there.connect()
    policy = (
        *there.fleet.root.policy,
        PolicyRow(type="notice", demands=row("notice").demands, product="door-lock"),
    )
    there.next_root(keys=(*root_keys(), PQ_KEY), policy=policy)
    header = there.notice()
    there.current(header)
    there.advance(60)
    assert there.agent.trusted.root.version == 2
    assert there.notice_track(header.id).state is NoticeState.SHOWN
    assert there.refusals() == []


def test_a_root_that_counts_on_a_signature_it_cannot_check_stops_it_and_is_journaled() -> None:
    keys = (*root_keys(), RootKey(key=PQ.public, roles=("root",), holder="root-4"))
    there = World(make_fleet(keys=keys))
    there.connect()
    body = there.fleet.next_root()
    there.publish(there.topics.root(2), seal(body, [key("root-1"), PQ]))
    there.current()  # its timestamp names root 1: only the refusal itself makes the device look for more
    there.send(there.topics.root(2), there.retained[there.topics.root(2)])
    there.advance(600)
    assert there.agent.trusted.root.version == 1
    told = [entry for entry in there.entries() if entry.track is Track.REFUSAL]
    assert Counter((entry.name, entry.reason) for entry in told) == {("root", Reason.UNSUPPORTED): 1}
