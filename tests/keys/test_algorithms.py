from __future__ import annotations

import hashlib
import pickle
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

from keys.algorithms import EMITTED, SIGNATURE_BYTES, Algorithm, PublicKey
from keys.cbor import encode
from keys.errors import RefusedError
from keys.reasons import Reason
from tests.helpers import key

ED = key("one").public
P256 = key("one", Algorithm.ESP256).public
_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


@pytest.mark.parametrize("algorithm", sorted(EMITTED))
def test_a_key_survives_its_cose_form(algorithm: Algorithm) -> None:
    public = key("x", algorithm).public
    assert PublicKey.from_cose(public.to_cose()) == public
    assert public.thumbprint == hashlib.sha256(encode(public.to_cose())).digest()
    assert public.algorithm is algorithm


@pytest.mark.parametrize("algorithm", sorted(EMITTED))
def test_a_key_that_was_used_is_copied_as_the_key_alone(algorithm: Algorithm) -> None:
    signer = key("x", algorithm)
    fresh = pickle.dumps(PublicKey.from_cose(signer.public.to_cose()))
    signature = signer.sign(b"data")
    assert signer.public.verify(signature, b"data")
    assert signer.public.thumbprint
    copied = pickle.dumps(signer.public)
    assert copied == fresh
    assert pickle.loads(copied).verify(signature, b"data")


@pytest.mark.parametrize("algorithm", sorted(EMITTED))
def test_a_signature_is_verified_over_exactly_its_bytes(algorithm: Algorithm) -> None:
    signer = key("x", algorithm)
    signature = signer.sign(b"data")
    assert len(signature) == SIGNATURE_BYTES[algorithm]
    if algorithm not in {Algorithm.ML_DSA_44, Algorithm.ML_DSA_65}:  # these are hedged (FIPS 204)
        assert signer.sign(b"data") == signature, "deterministic"
    assert signer.public.verify(signature, b"data")
    assert not signer.public.verify(signature, b"datb")
    assert not key("y", algorithm).public.verify(signature, b"data")
    for bit in range(0, 8 * len(signature), 7 * len(signature) // 64):
        wrong = bytearray(signature)
        wrong[bit // 8] ^= 1 << bit % 8
        assert not signer.public.verify(bytes(wrong), b"data")


@pytest.mark.parametrize("algorithm", sorted(EMITTED))
@pytest.mark.parametrize(
    "signature", [b"", bytes(63), bytes(64), bytes(65), b"\xff" * 64, bytes(32) + b"\x01" * 32], ids=range(6)
)
def test_a_signature_of_odd_form_is_no_signature(algorithm: Algorithm, signature: bytes) -> None:
    assert not key("x", algorithm).public.verify(signature, b"data")


def test_der_in_place_of_raw_is_refused() -> None:
    private = ec.derive_private_key(12345, ec.SECP256R1())
    numbers = private.public_key().public_numbers()
    public = PublicKey(Algorithm.ESP256, numbers.x.to_bytes(32, "big"), numbers.y.to_bytes(32, "big"))
    der = private.sign(b"data", ec.ECDSA(hashes.SHA256(), deterministic_signing=True))
    assert not public.verify(der, b"data")
    # A DER signature of exactly 64 bytes is possible too: r and s short enough.
    assert not public.verify(encode_dss_signature(2**223, 2**223)[:64].ljust(64, b"\0"), b"data")
    r, s = decode_dss_signature(der)
    assert public.verify(r.to_bytes(32, "big") + s.to_bytes(32, "big"), b"data")


def test_ed25519_s_is_not_accepted_beyond_the_order() -> None:
    signer = key("x")
    good = signer.sign(b"data")
    s = int.from_bytes(good[32:], "little") + 2**252 + 27742317777372353535851937790883648493
    assert not signer.public.verify(good[:32] + s.to_bytes(32, "little"), b"data")


@pytest.mark.parametrize(
    ("public", "label", "deprecated", "accepted"),
    [
        (ED, -19, False, True),
        (ED, -8, False, False),
        (ED, -8, True, True),
        (ED, -9, True, False),
        (ED, -7, True, False),
        (ED, 5, True, False),
        (P256, -9, False, True),
        (P256, -7, False, False),
        (P256, -7, True, True),
        (P256, -19, True, False),
        (P256, -8, True, False),
        (P256, 0, True, False),
    ],
)
def test_a_key_is_bound_to_its_algorithm(
    public: PublicKey, label: int, deprecated: bool, accepted: bool
) -> None:
    assert public.accepts(label, deprecated=deprecated) is accepted


_LOW = [
    0,
    1,
    2**255 - 20,
    0x7A03AC9277FDC74EC6CC392CFA53202A0F67100D760B3CBA4FD84D3D706A17C7,
    0x05FC536D880238B13933C6D305ACDFD5F098EFF289F4C345B027B2C28F95E826,
]


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (None, Reason.MALFORMED),
        ([1, 2], Reason.MALFORMED),
        ({}, Reason.UNSUPPORTED),
        ({1: 1, -1: 7, -2: bytes(57)}, Reason.UNSUPPORTED),
        ({1: 4, -1: b"secret"}, Reason.UNSUPPORTED),
        ({1: 2, -1: 6, -2: ED.x}, Reason.UNSUPPORTED),
        ({1: [], -1: {}}, Reason.UNSUPPORTED),
        ({1: 1, -1: 6}, Reason.MALFORMED),
        ({1: 1, -1: 6, -2: ED.x[:31]}, Reason.MALFORMED),
        ({1: 1, -1: 6, -2: ED.x + b"\0"}, Reason.MALFORMED),
        ({1: 1, -1: 6, -2: "x" * 32}, Reason.MALFORMED),
        ({1: 1, -1: 6, -2: None}, Reason.MALFORMED),
        ({1: 1, -1: 6, -2: ED.x, 3: -19}, Reason.MALFORMED),
        ({1: 1, -1: 6, -2: ED.x, -4: bytes(32)}, Reason.MALFORMED),
        ({True: 1, -1: 6, -2: ED.x}, Reason.MALFORMED),
        ({1: True, -1: 6, -2: ED.x}, Reason.UNSUPPORTED),
        ({1: 1.0, -1: 6, -2: ED.x}, Reason.MALFORMED),
        ({1: 2, -1: True, -2: P256.x, -3: P256.y}, Reason.UNSUPPORTED),
        ({1: 2, -1: 1, -2: P256.x}, Reason.MALFORMED),
        ({1: 2, -1: 1, -2: P256.x, -3: True}, Reason.MALFORMED),
        ({1: 2, -1: 1, -2: P256.x, -3: bytes(32)}, Reason.MALFORMED),
        ({1: 2, -1: 1, -2: bytes(32), -3: bytes(32)}, Reason.MALFORMED),
        ({1: 2, -1: 1, -2: b"\xff" * 32, -3: b"\xff" * 32}, Reason.MALFORMED),
        *(({1: 1, -1: 6, -2: y.to_bytes(32, "little")}, Reason.MALFORMED) for y in _LOW),
        *(({1: 1, -1: 6, -2: (y | 1 << 255).to_bytes(32, "little")}, Reason.MALFORMED) for y in _LOW),
        ({1: 1, -1: 6, -2: (2**255 - 19).to_bytes(32, "little")}, Reason.MALFORMED),
        ({1: 1, -1: 6, -2: (2**255 - 19 + 3).to_bytes(32, "little")}, Reason.MALFORMED),
    ],
)
def test_a_key_that_is_not_exactly_one_of_ours_is_refused(value: Any, reason: Reason) -> None:
    with pytest.raises(RefusedError) as caught:
        PublicKey.from_cose(value)
    assert caught.value.reason is reason


def test_the_low_order_points_really_let_anybody_sign() -> None:
    # R = identity, S = 0 verifies under the identity key for any message: why such keys are refused.
    identity = PublicKey(Algorithm.ED25519, (1).to_bytes(32, "little"))
    assert identity.verify((1).to_bytes(32, "little") + bytes(32), b"anything")


def test_a_key_whose_x_is_odd_is_as_good_as_any() -> None:
    public = key("1").public
    assert public.x[31] & 0x80, "the bit that stands for x"
    assert PublicKey.from_cose(public.to_cose()) == public


def test_older_labels_are_refused_unless_asked_for() -> None:
    assert ED.accepts(-19)
    assert not ED.accepts(-8)
    assert not P256.accepts(-7)


@pytest.mark.parametrize("x", [0, 5])
def test_a_p256_point_has_one_spelling_only(x: int) -> None:
    p = 2**256 - 2**224 + 2**192 + 2**96 - 1
    b = 0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B
    y = pow(x**3 - 3 * x + b, (p + 1) // 4, p)
    cose_key = {1: 2, -1: 1, -2: x.to_bytes(32, "big"), -3: y.to_bytes(32, "big")}
    assert PublicKey.from_cose(cose_key).x == cose_key[-2]
    with pytest.raises(RefusedError, match="COSE_Key members"):
        PublicKey.from_cose({**cose_key, -2: (x + p).to_bytes(32, "big")})
