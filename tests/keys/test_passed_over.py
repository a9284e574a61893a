"""Signatures that a reader cannot check, and what is kept of answers: neither grants, nor hides, nor grows."""

from __future__ import annotations

import hashlib

import pytest
from cryptography.hazmat.primitives.asymmetric import mldsa

from advisories.notice import Notice
from keys import cose
from keys.algorithms import UNDECLARED, VERIFIED, Algorithm
from keys.cbor import encode
from keys.document import open_document, seal
from keys.errors import RefusedError
from keys.reasons import Reason
from keys.root import DEFAULT_POLICY, PolicyRow, RootKey
from keys.signer import LocalSigner
from tests.helpers import PRODUCT, make_fleet, notice, root_keys

PQ = LocalSigner(mldsa.MLDSA44PrivateKey.from_seed_bytes(hashlib.sha256(b"tocsin test key pq").digest()))
ROW = {**DEFAULT_POLICY["notice"], "security-pq": 1}
FLEET = make_fleet(
    keys=(*root_keys(), RootKey(key=PQ.public, roles=("security-pq",), holder="security-pq-1")),
    policy=(*make_fleet().root.policy, PolicyRow(type="notice", demands=ROW, product=PRODUCT)),
)
WORDS = tuple(DEFAULT_POLICY["notice"])
KEPT = 256


def verdict(data: bytes, algorithms: frozenset[Algorithm]) -> Reason | None:
    """Return why a reader with these algorithms refuses a notice; None when it takes it."""
    try:
        open_document(data, Notice, FLEET.root, fleet=FLEET.id, subject=PRODUCT, algorithms=algorithms)
    except RefusedError as error:
        return error.reason
    return None


@pytest.mark.parametrize(
    ("roles", "pq", "undeclared", "verified"),
    [
        (WORDS, True, Reason.UNSUPPORTED, None),
        (WORDS, False, Reason.THRESHOLD_NOT_MET, Reason.THRESHOLD_NOT_MET),
        (WORDS[:2], True, Reason.THRESHOLD_NOT_MET, Reason.THRESHOLD_NOT_MET),
        ((), True, Reason.UNSUPPORTED, Reason.THRESHOLD_NOT_MET),
    ],
    ids=["all", "without ML-DSA", "another role lacks too", "ML-DSA alone"],
)
def test_only_what_better_firmware_could_read_is_unsupported(
    roles: tuple[str, ...], pq: bool, undeclared: Reason, verified: Reason | None
) -> None:
    data = seal(notice(FLEET), [*FLEET.signers(*roles), *([PQ] if pq else [])])
    assert verdict(data, UNDECLARED) is undeclared
    assert verdict(data, VERIFIED) is verified


def test_a_key_that_is_named_many_times_and_cannot_be_checked_counts_once_and_for_nothing() -> None:
    genuine = cose.parse(seal(notice(FLEET), FLEET.signers(*WORDS)), cose.TAG_SIGN)
    header = encode({1: PQ.public.algorithm.value, 4: PQ.public.thumbprint})
    signatures = [[s.protected, {}, s.value] for s in genuine.signatures] + [[header, {}, b"?"]] * 13
    data = b"\xd8\x62" + encode([genuine.protected, {}, genuine.payload, signatures])
    assert verdict(data, UNDECLARED) is Reason.UNSUPPORTED
    assert verdict(data, VERIFIED) is Reason.BAD_SIGNATURE


def test_answers_about_holders_are_kept_in_bounds_and_belong_to_nobody() -> None:
    root = make_fleet().root
    kids = [entry.key.thumbprint for entry in root.keys]
    for number in range(KEPT * 2):
        author = (f"somebody {number}", "legal")
        assert root.missing({"legal": 1}, kids, author) == []
        answer = root.missing({"legal": 1}, [], author)
        assert answer == ["legal"]
        answer.clear()
        assert root.missing({"legal": 1}, [], author) == ["legal"]
        assert len(root._answers) <= KEPT


def test_headers_are_kept_in_bounds_and_cannot_be_changed() -> None:
    for number in range(KEPT * 2):
        header = encode({1: -19, 4: number.to_bytes(32)})
        message = cose.parse(b"\xd2" + encode([header, {}, b"", b""]), cose.TAG_SIGN1)
        assert message.signatures[0].kid == number.to_bytes(32)
        with pytest.raises(TypeError):
            message.header[1] = -49  # type: ignore[index] # what is tried
    assert cose._header.cache_info().currsize <= KEPT
