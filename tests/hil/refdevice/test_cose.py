"""COSE envelopes: the C device takes apart, refuses and verifies what ``keys.cose`` does, for the same reason."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from keys import cose
from keys.algorithms import PublicKey
from keys.cbor import bstr, encode
from keys.errors import RefusedError
from keys.reasons import Reason
from tests.helpers import key

from .build import Core
from .trust_of_c import Trust, changed

SIGNER = key("cose")
KID = SIGNER.public.thumbprint
SIGNED = {cose.ALG: -19, cose.KID: KID}
TYPED = {cose.TYP: "tocsin/notice"}
BODY = b"what is said"


def python_says(data: bytes, tag: int, *, unprotected: bool) -> tuple[Reason, cose.Message | None]:
    try:
        return Reason.OK, cose.parse(data, tag, unprotected=unprotected)
    except RefusedError as error:
        return error.reason, None


def held_to_python(trust: Trust, data: bytes, tag: int, unprotected: bool) -> Reason:
    reason, mine = python_says(data, tag, unprotected=unprotected)
    said, message = trust.open(data, tag, unprotected=unprotected)
    # Of two faults either may be said: C looks at the shape of the whole before it looks into any header.
    both = said is not Reason.OK and reason is not Reason.OK and Reason.MALFORMED in {said, reason}
    assert said is reason or both, data.hex()
    if mine is None:
        return reason
    of = trust.string
    assert of(message.header) == mine.protected
    assert (of(message.payload) if message.payload else None) == mine.payload
    assert trust.typ(message) == encoded(mine.header, cose.TYP)
    for its, one in zip(trust.signatures(message), mine.signatures, strict=True):
        assert (of(its.header), of(its.value)) == (one.protected, one.value)
        assert trust.kid(its) == encoded(one.header, cose.KID)
    return reason


def encoded(header: Mapping[Any, Any], label: int) -> bytes:
    """A value as it stands in a header; empty where it does not."""
    return encode(header[label]) if label in header else b""


HEADERS: dict[str, bytes] = {
    "none": b"",
    "an empty map": b"\xa0",
    "usual": encode(SIGNED),
    "typ": encode(TYPED),
    "both": encode(SIGNED | TYPED),
    "alg a text": encode({1: "EdDSA"}),
    "alg zero": encode({1: 0}),
    "alg true": encode({1: True}),
    "alg large": encode({1: 2**63 - 1}),
    "alg larger": encode({1: 2**63}),
    "alg least": encode({1: -(2**63)}),
    "alg less": encode({1: -(2**63) - 1}),
    "kid a text": encode({4: "kid"}),
    "kid empty": encode({4: b""}),
    "typ a number": encode({16: 7}),
    "typ bytes": encode({16: b"tocsin/notice"}),
    "other labels": encode({-1: 0, 3: b"", 300: [], "a": {}}),
    "critical alg": encode({1: -19, 2: [1]}),
    "critical all": encode({1: -19, 2: [1, 2, 4, 16], 4: b"", 16: ""}),
    "critical twice": encode({1: -19, 2: [1, 1]}),
    "critical and not there": encode({2: [1]}),
    "critical and unknown": encode({2: [5], 5: 0}),
    "critical by name": encode({2: ["alg"], "alg": 0}),
    "critical true": encode({1: -19, 2: [True]}),
    "critical negative": encode({-1: 0, 2: [-1]}),
    "critical later wrong": encode({1: -19, 2: [1, 5]}),
    "critical nothing": encode({2: []}),
    "critical no list": encode({2: 1}),
    "critical a map": encode({1: -19, 2: {1: 1}}),
    "label bytes": encode({b"x": 1}),
    "label bytes and critical": encode({2: [5], b"x": 1}),
    "an array": encode([1, -19]),
    "a number": encode(1),
    "two items": encode(SIGNED) + b"\x00",
    "cut off": encode(SIGNED)[:-1],
    "long form": b"\xa1\x18\x01\x32",
    "out of order": b"\xa2\x04\x40\x01\x32",
    "twice": b"\xa2\x01\x32\x01\x32",
    "tag": b"\xa1\x01\xc1\x00",
    "float": b"\xa1\x01\xf9\x00\x00",
    "deep": b"\xa1\x05" + b"\x81" * 15 + b"\x00",
    "too deep": b"\xa1\x05" + b"\x81" * 16 + b"\x00",
    "512 bytes": encode({4: bytes(512 - 5)}),
    "513 bytes": encode({4: bytes(513 - 5)}),
    "513 bytes of nothing": bytes(513),
}


@pytest.mark.parametrize("tag", [cose.TAG_SIGN, cose.TAG_SIGN1])
@pytest.mark.parametrize("name", HEADERS)
def test_every_header_says_the_same(core: Core, name: str, tag: int) -> None:
    trust, header = Trust(core), bstr(HEADERS[name])
    usual = bstr(HEADERS["usual"])
    for unprotected in (True, False):
        for body, signer in ((header, usual), (usual, header)):
            tail = b"\x81\x83" + signer + b"\xa0\x41\x00" if tag == cose.TAG_SIGN else b"\x41\x00"
            data = encode_tag(tag) + b"\x84" + body + b"\xa0\xf6" + tail
            held_to_python(trust, data, tag, unprotected)


def test_a_header_may_hold_a_map_with_an_array_for_a_key(core: Core) -> None:
    header = b"\xa1\x19\x01\x2c\xa1\x81\x01\x02"
    data = b"\xd8\x62\x84" + bstr(header) + b"\xa0\xf6\x81" + one_signature()
    assert held_to_python(Trust(core), data, cose.TAG_SIGN, unprotected=True) is Reason.OK


def encode_tag(tag: int) -> bytes:
    return {18: b"\xd2", 98: b"\xd8\x62", 17: b"\xd1"}[tag]


def one_signature(header: bytes = b"\x40", unprotected: bytes = b"\xa0", value: bytes = b"\x40") -> bytes:
    return b"\x83" + header + unprotected + value


WRONG_HEADERS = (b"\x40", bstr(HEADERS["critical and unknown"]), bstr(HEADERS["a number"]), bstr(bytes(513)))
UNPROTECTED = (b"\xa0", b"\xa1\x01\x00", b"\xa1\x01", b"\x80", b"\xbf\xff", b"\xa2\x02\x00\x01\x00", b"")
SIGNATURES = (
    b"\x81" + one_signature(),
    b"\x81" + one_signature(unprotected=b"\xa1\x00\x00"),
    b"\x81" + one_signature(WRONG_HEADERS[1], b"\xa1\x00\x00"),
    b"\x81" + one_signature(WRONG_HEADERS[1], value=b"\xf6"),
    b"\x82" + one_signature(WRONG_HEADERS[1]) + b"\x80",
    b"\x82" + one_signature() + one_signature(WRONG_HEADERS[3]),
    b"\x81\x84" + one_signature()[1:],
    b"\x80",
    b"\x90" + 16 * one_signature(),
    b"\x91" + 17 * one_signature(),
    b"\x98\x01" + one_signature(),
    b"\x40",
    b"\xf6",
    b"",
)


def test_the_first_fault_decides_wherever_there_are_several(core: Core) -> None:
    trust = Trust(core)
    seen: dict[Reason, int] = {}
    parts = product(
        (b"\xd8\x62\x84", b"\xd2\x84", b"\xd8\x62\x85", b"\x84", b"\xd8\x62\x98\x04", b"\xd8\x12\x84", b"\xda\x00\x00\x00\x62\x84"),
        WRONG_HEADERS,
        UNPROTECTED,
        (b"\xf6", b"\x41a", b"\x42a", b"\x60", b"\xf7"),
        SIGNATURES,
        (b"", b"\x00"),
    )  # fmt: skip
    for n, part in enumerate(parts):
        if n % 3:  # the rest of them says no more
            continue
        for tag, unprotected in ((98, True), (98, False), (18, n % 2 == 0)):
            reason = held_to_python(trust, b"".join(part), tag, unprotected)
            seen[reason] = seen.get(reason, 0) + 1
    assert seen.keys() == {Reason.OK, Reason.MALFORMED, Reason.UNSUPPORTED, Reason.TOO_BIG}


WHOLE = cose.sign(BODY, [SIGNER, key("other")], typ="tocsin/notice")
ALONE = cose.sign1(BODY, SIGNER, typ="tocsin/report", detached=True)


@settings(max_examples=300)
@given(
    st.sampled_from(((WHOLE, 98), (ALONE, 18))),
    st.lists(st.tuples(st.integers(0, 400), st.integers(0, 2), st.integers(0, 255)), max_size=3),
    st.booleans(),
)
@example((WHOLE, 98), [], False)
@example((ALONE, 18), [], False)
def test_whatever_becomes_of_an_envelope_both_say_the_same(
    core_library: Core, of: tuple[bytes, int], places: list[tuple[int, int, int]], unprotected: bool
) -> None:
    data, tag = of
    held_to_python(Trust(core_library), changed(data, places), tag, unprotected)


# Checking


def both_check(trust: Trust, data: bytes, tag: int, public: PublicKey, payload: bytes) -> Reason:
    mine = cose.parse(data, tag)
    reason, message = trust.open(data, tag)
    assert reason is Reason.OK
    said = {
        (
            python_checks(mine, n, public, payload),
            trust.check(message, its, public.x, payload),
        )
        for n, its in enumerate(trust.signatures(message))
    }
    assert all(python is c for python, c in said)
    return max(python for python, _ in said)


def python_checks(message: cose.Message, n: int, public: PublicKey, payload: bytes) -> Reason:
    try:
        cose.check(message, message.signatures[n], public, payload=payload)
    except RefusedError as error:
        return error.reason
    return Reason.OK


def made(header: Any, value: bytes | None = None, *, body: bytes = b"", alg: bool = False) -> bytes:
    """A COSE_Sign by SIGNER with any header, or with any value."""
    signer = header if isinstance(header, bytes) else encode(header)
    empty = b"" if signer == b"\xa0" else signer
    outer = b"" if body == b"\xa0" else body
    said = b"\x85\x69Signature" + bstr(outer) + bstr(empty) + b"\x40" + bstr(BODY)
    value = SIGNER.sign(said) if value is None else value
    return (
        b"\xd8\x62\x84"
        + bstr(body)
        + b"\xa0"
        + bstr(BODY)
        + b"\x81\x83"
        + bstr(signer)
        + b"\xa0"
        + bstr(value)
    )


CHECKED: dict[str, tuple[bytes, Reason]] = {
    "right": (made(SIGNED), Reason.OK),
    "no kid": (made({1: -19}), Reason.OK),
    "typ": (made(SIGNED, body=encode(TYPED)), Reason.OK),
    "an empty map outside": (made(SIGNED, body=b"\xa0"), Reason.OK),
    "no label": (made(b""), Reason.ALGORITHM_MISMATCH),
    "no label, an empty map": (made(b"\xa0"), Reason.ALGORITHM_MISMATCH),
    "deprecated label": (made({1: -8}), Reason.ALGORITHM_MISMATCH),
    "another label, and wrong": (made({1: -9}, bytes(64)), Reason.ALGORITHM_MISMATCH),
    "another label, and short": (made({1: -9}, b""), Reason.ALGORITHM_MISMATCH),
    "wrong": (made(SIGNED, bytes(64)), Reason.BAD_SIGNATURE),
    "short": (made(SIGNED, bytes(63)), Reason.BAD_SIGNATURE),
    "long": (made(SIGNED, bytes(65)), Reason.BAD_SIGNATURE),
    "nothing": (made(SIGNED, b""), Reason.BAD_SIGNATURE),
    "longest header": (made({1: -19, 4: bytes(512 - 8)}), Reason.OK),
}


@pytest.mark.parametrize("name", CHECKED)
def test_the_label_is_compared_before_the_signature(core: Core, name: str) -> None:
    data, reason = CHECKED[name]
    trust = Trust(core)
    assert both_check(trust, data, cose.TAG_SIGN, SIGNER.public, BODY) is reason
    wrong = Reason.BAD_SIGNATURE if reason is Reason.OK else reason
    assert both_check(trust, data, cose.TAG_SIGN, SIGNER.public, BODY[1:]) is wrong
    assert both_check(trust, data, cose.TAG_SIGN, key("other").public, BODY) is wrong


@pytest.mark.parametrize("size", [0, 23, 24, 255, 256, 3000])
@pytest.mark.parametrize("tag", [cose.TAG_SIGN, cose.TAG_SIGN1])
def test_payloads_of_every_length_of_head_are_verified(core: Core, size: int, tag: int) -> None:
    payload = bytes(range(256)) * 12
    payload = payload[:size]
    trust = Trust(core)
    if tag == cose.TAG_SIGN:
        data = cose.sign(payload, [SIGNER], typ="tocsin/notice")
    else:
        data = cose.sign1(payload, SIGNER, detached=True)
    assert both_check(trust, data, tag, SIGNER.public, payload) is Reason.OK
    assert both_check(trust, data, tag, SIGNER.public, payload + b"x") is Reason.BAD_SIGNATURE


def test_one_kind_of_envelope_does_not_pass_for_the_other(core: Core) -> None:
    trust = Trust(core)
    value = cose.parse(ALONE, cose.TAG_SIGN1).signatures[0].value
    assert both_check(trust, made(SIGNED, value), cose.TAG_SIGN, SIGNER.public, BODY) is Reason.BAD_SIGNATURE
