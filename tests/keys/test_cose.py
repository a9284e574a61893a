from __future__ import annotations

from typing import Any

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from keys import cose
from keys.algorithms import Algorithm
from keys.cbor import decode, encode
from keys.errors import RefusedError
from keys.limits import SIGNATURES_MAX
from keys.reasons import Reason
from tests.helpers import key

ALICE, BOB = key("alice"), key("bob")
GOOD = cose.sign(b"payload", [ALICE], typ="t")


def reason_of(data: bytes, tag: int = cose.TAG_SIGN, **kwargs: Any) -> Reason:
    with pytest.raises(RefusedError) as caught:
        cose.parse(data, tag, **kwargs)
    return caught.value.reason


def tagged(value: Any, tag: int = cose.TAG_SIGN) -> bytes:
    return encode(cbor2.CBORTag(tag, value))


def protected(**labels: Any) -> bytes:
    return encode({cose.ALG: -19, cose.KID: ALICE.public.thumbprint, **labels})


@pytest.mark.parametrize("algorithm", [Algorithm.ED25519, Algorithm.ESP256])
@pytest.mark.parametrize("detached", [False, True])
@given(
    payload=st.binary(max_size=100),
    aad=st.binary(max_size=20),
    typ=st.none() | st.text(min_size=1, max_size=9),
)
def test_sign1_comes_back_and_verifies(
    algorithm: Algorithm, detached: bool, payload: bytes, aad: bytes, typ: str | None
) -> None:
    signer = key("signer", algorithm)
    data = cose.sign1(payload, signer, typ=typ, external_aad=aad, detached=detached)
    message = cose.parse(data, cose.TAG_SIGN1, unprotected=False)
    (signature,) = message.signatures
    assert message.payload == (None if detached else payload)
    assert (signature.alg, signature.kid) == (algorithm, signer.public.thumbprint)
    assert message.header.get(cose.TYP) == typ
    cose.check(message, signature, signer.public, payload=payload, external_aad=aad)
    with pytest.raises(RefusedError):
        cose.check(message, signature, signer.public, payload=payload, external_aad=aad + b"x")
    with pytest.raises(RefusedError):
        cose.check(message, signature, signer.public, payload=payload + b"x", external_aad=aad)


@given(st.binary(max_size=50), st.text(max_size=9))
def test_sign_holds_one_signature_a_signer(payload: bytes, typ: str) -> None:
    message = cose.parse(cose.sign(payload, [ALICE, BOB], typ=typ), cose.TAG_SIGN, unprotected=False)
    assert [s.kid for s in message.signatures] == [ALICE.public.thumbprint, BOB.public.thumbprint]
    for signature, signer in zip(message.signatures, (ALICE, BOB), strict=True):
        cose.check(message, signature, signer.public, payload=payload)


def test_a_sign1_signature_is_no_sign_signature() -> None:
    body = encode({cose.TYP: "t"})
    one = cose.parse(cose.sign1(b"p", ALICE, typ="t"), cose.TAG_SIGN1)
    moved = tagged([body, {}, b"p", [[one.protected, {}, one.signatures[0].value]]])
    message = cose.parse(moved, cose.TAG_SIGN)
    with pytest.raises(RefusedError) as caught:
        cose.check(message, message.signatures[0], ALICE.public, payload=b"p")
    assert caught.value.reason is Reason.BAD_SIGNATURE


@pytest.mark.parametrize(
    ("label", "public", "reason"),
    [
        (-9, ALICE.public, Reason.ALGORITHM_MISMATCH),
        (-7, ALICE.public, Reason.ALGORITHM_MISMATCH),
        (-8, ALICE.public, Reason.ALGORITHM_MISMATCH),
        (5, ALICE.public, Reason.ALGORITHM_MISMATCH),
        (True, ALICE.public, Reason.ALGORITHM_MISMATCH),
        ("EdDSA", ALICE.public, Reason.ALGORITHM_MISMATCH),
        (None, ALICE.public, Reason.ALGORITHM_MISMATCH),
        (-19, key("p", Algorithm.ESP256).public, Reason.ALGORITHM_MISMATCH),
        (-19, BOB.public, Reason.BAD_SIGNATURE),
        (-19, ALICE.public, Reason.BAD_SIGNATURE),
    ],
)
def test_algorithm_confusion_is_refused(label: Any, public: Any, reason: Reason) -> None:
    header = encode({cose.KID: ALICE.public.thumbprint} | ({} if label is None else {cose.ALG: label}))
    message = cose.parse(tagged([header, {}, b"p", bytes(64)], cose.TAG_SIGN1), cose.TAG_SIGN1)
    with pytest.raises(RefusedError) as caught:
        cose.check(message, message.signatures[0], public, payload=b"p")
    assert caught.value.reason is reason


def test_alg_and_kid_of_the_unprotected_header_count_for_nothing() -> None:
    data = tagged([b"", {cose.ALG: -19, cose.KID: b"k"}, b"p", bytes(64)], cose.TAG_SIGN1)
    (signature,) = cose.parse(data, cose.TAG_SIGN1).signatures
    assert (signature.alg, signature.kid) == (None, None)
    assert reason_of(data, cose.TAG_SIGN1, unprotected=False) is Reason.MALFORMED


@pytest.mark.parametrize("value", ["text", 1, None, [], {}])
def test_a_kid_that_is_no_byte_string_is_no_kid(value: Any) -> None:
    data = tagged([encode({cose.KID: value}), {}, b"p", bytes(64)], cose.TAG_SIGN1)
    assert cose.parse(data, cose.TAG_SIGN1).signatures[0].kid is None


def test_an_empty_map_as_protected_header_stands_for_no_bytes() -> None:
    empty = cose.parse(tagged([b"", {}, b"p", bytes(64)], cose.TAG_SIGN1), cose.TAG_SIGN1)
    a0 = cose.parse(tagged([b"\xa0", {}, b"p", bytes(64)], cose.TAG_SIGN1), cose.TAG_SIGN1)
    assert empty.to_be_signed(empty.signatures[0], b"p") == a0.to_be_signed(a0.signatures[0], b"p")
    both = cose.parse(tagged([b"\xa0", {}, b"p", [[b"\xa0", {}, bytes(64)]]]), cose.TAG_SIGN)
    assert both.to_be_signed(both.signatures[0], b"p") == encode(["Signature", b"", b"", b"", b"p"])


_SIGNATURE = [protected(), {}, bytes(64)]


@pytest.mark.parametrize(
    ("value", "why"),
    [
        (1, "a number"),
        ({}, "a map"),
        ([], "nothing"),
        ([b"", {}, b"p"], "three parts"),
        ([b"", {}, b"p", [_SIGNATURE], 1], "five parts"),
        ([b"", [], b"p", [_SIGNATURE]], "an array as unprotected header"),
        ([b"", b"", b"p", [_SIGNATURE]], "bytes as unprotected header"),
        ([{}, {}, b"p", [_SIGNATURE]], "a bare map as protected header"),
        (["", {}, b"p", [_SIGNATURE]], "a text as protected header"),
        ([b"\x80", {}, b"p", [_SIGNATURE]], "an array in the protected header"),
        ([b"\xa1", {}, b"p", [_SIGNATURE]], "a torn protected header"),
        ([b"\xbf\xff", {}, b"p", [_SIGNATURE]], "an indefinite protected header"),
        ([encode({b"x": 1}), {}, b"p", [_SIGNATURE]], "bytes as a label"),
        ([encode({(1,): 1}), {}, b"p", [_SIGNATURE]], "an array as a label"),
        ([b"\xa1\xf5\x01", {}, b"p", [_SIGNATURE]], "true as a label"),
        ([encode({cose.CRIT: []}), {}, b"p", [_SIGNATURE]], "an empty crit"),
        ([encode({cose.CRIT: None}), {}, b"p", [_SIGNATURE]], "a null crit"),
        ([encode({cose.CRIT: 1}), {}, b"p", [_SIGNATURE]], "a number as crit"),
        ([b"", {}, "p", [_SIGNATURE]], "a text as payload"),
        ([b"", {}, 1, [_SIGNATURE]], "a number as payload"),
        ([b"", {}, b"p", []], "no signature"),
        ([b"", {}, b"p", bytes(64)], "a bare signature"),
        ([b"", {}, b"p", None], "null for signatures"),
        ([b"", {}, b"p", {1: 2}], "a map of signatures"),
        ([b"", {}, b"p", [bytes(64)]], "bytes in place of a signature"),
        ([b"", {}, b"p", [[protected(), {}]]], "a signature of two parts"),
        ([b"", {}, b"p", [[protected(), {}, "x"]]], "a text as signature"),
        ([b"", {}, b"p", [[protected(), {}, None]]], "null as signature"),
        ([b"", {}, b"p", [[None, {}, bytes(64)]]], "null as signer's header"),
        (cbor2.CBORTag(98, [b"", {}, b"p", [_SIGNATURE]]), "tag in tag"),
        (cbor2.CBORTag(18, [b"", {}, b"p", bytes(64)]), "another tag in the tag"),
    ],
)
def test_a_structure_that_is_not_cose_sign_is_malformed(value: Any, why: str) -> None:
    assert reason_of(tagged(value)) is Reason.MALFORMED, why


@pytest.mark.parametrize(
    "crit", [[99], ["x"], [cose.ALG, 99], [[1]], [{}], [None], [True], [b"x"], [2**63], [cose.TYP]]
)
def test_a_critical_label_that_we_do_not_know_or_hold_is_unsupported(crit: list[Any]) -> None:
    header = encode({cose.ALG: -19, cose.CRIT: crit, 99: 1})
    assert reason_of(tagged([b"", {}, b"p", [[header, {}, bytes(64)]]])) is Reason.UNSUPPORTED
    assert reason_of(tagged([header, {}, b"p", bytes(64)], 18), 18) is Reason.UNSUPPORTED


def test_a_critical_label_that_we_know_is_let_through() -> None:
    header = encode({cose.ALG: -19, cose.CRIT: [cose.ALG]})
    cose.parse(tagged([b"", {}, b"p", [[header, {}, bytes(64)]]]), cose.TAG_SIGN)


def test_the_tag_must_be_the_one_expected() -> None:
    bare = encode(decode(GOOD).value)
    assert reason_of(bare) is Reason.MALFORMED
    assert reason_of(GOOD, cose.TAG_SIGN1) is Reason.MALFORMED
    assert reason_of(tagged(decode(GOOD).value, 97)) is Reason.MALFORMED
    assert reason_of(b"\xd9\xd9\xf7" + GOOD) is Reason.MALFORMED
    assert cose.parse(bare, cose.TAG_SIGN, tagged=False) == cose.parse(GOOD, cose.TAG_SIGN)


@pytest.mark.parametrize("count", [SIGNATURES_MAX - 1, SIGNATURES_MAX, SIGNATURES_MAX + 1])
def test_the_number_of_signatures_is_limited(count: int) -> None:
    data = tagged([b"", {}, b"p", [_SIGNATURE] * count])
    if count > SIGNATURES_MAX:
        assert reason_of(data) is Reason.MALFORMED
    else:
        assert len(cose.parse(data, cose.TAG_SIGN).signatures) == count


@pytest.mark.parametrize("over", [-1, 0, 1])
def test_a_protected_header_is_limited(over: int) -> None:
    header = encode({99: bytes(512 - 7 + over)})
    assert len(header) == 512 + over - 1 or len(header) == 512 + over
    header = encode({99: bytes(512 - 7 + over + (512 + over - len(header)))})
    assert len(header) == 512 + over
    data = tagged([header, {}, b"p", [_SIGNATURE]])
    if over > 0:
        assert reason_of(data) is Reason.TOO_BIG
    else:
        cose.parse(data, cose.TAG_SIGN)


def test_size_is_checked_first() -> None:
    assert reason_of(GOOD, size_max=len(GOOD) - 1) is Reason.TOO_BIG
    cose.parse(GOOD, cose.TAG_SIGN, size_max=len(GOOD))


def test_signatures_are_added_one_by_one_and_a_key_signs_once() -> None:
    both = cose.add_signature(GOOD, BOB)
    assert both == cose.sign(b"payload", [ALICE, BOB], typ="t")
    assert cose.add_signature(both, BOB) == both
    assert cose.add_signature(both, ALICE) == both


def test_rubbish_under_a_signers_own_key_id_does_not_keep_the_signer_out() -> None:
    rubbish = [encode({cose.ALG: -19, cose.KID: BOB.public.thumbprint}), {}, bytes(64)]
    value = decode(GOOD).value
    data = tagged([*value[:3], [*value[3], rubbish]])
    assert cose.add_signature(data, BOB) == cose.sign(b"payload", [ALICE, BOB], typ="t")


def test_a_signature_beyond_the_limit_is_not_added() -> None:
    signers = [key(f"signer {n}") for n in range(SIGNATURES_MAX)]
    full = cose.sign(b"p", list(signers), typ="t")
    assert cose.add_signature(full, signers[3]) == full
    with pytest.raises(RefusedError) as caught:
        cose.add_signature(full, ALICE)
    assert caught.value.reason is Reason.LIMIT_REACHED


def test_a_detached_payload_takes_no_further_signature() -> None:
    value = decode(GOOD).value
    with pytest.raises(RefusedError, match="detached"):
        cose.add_signature(tagged([value[0], {}, None, value[3]]), BOB)


@given(st.data())
def test_a_message_with_any_bit_flipped_no_longer_verifies(data: st.DataObject) -> None:
    whole = cose.sign1(b"payload", ALICE, typ="t")
    bit = data.draw(st.integers(0, len(whole) * 8 - 1))
    wrong = bytearray(whole)
    wrong[bit // 8] ^= 1 << bit % 8
    with pytest.raises(RefusedError):
        _verify(bytes(wrong))


def _verify(data: bytes) -> None:
    message = cose.parse(data, cose.TAG_SIGN1, unprotected=False)
    cose.check(message, message.signatures[0], ALICE.public, payload=message.payload or b"")
