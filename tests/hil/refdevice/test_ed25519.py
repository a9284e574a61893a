"""Ed25519 on the C device: RFC 8032, and the verdict of ``keys.algorithms`` (OpenSSL) on whatever an attacker writes."""

from __future__ import annotations

import ctypes
import hashlib
import json
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from keys.algorithms import Algorithm, PublicKey
from keys.cbor import decode
from keys.errors import RefusedError

from . import edwards
from .build import Core, Source
from .edwards import BASE, LOW_ORDER, ZERO, L, P, Point

VECTORS = Path(__file__).resolve().parents[3].parent / "shared" / "vectors" / "cose"


def sources(core: Core, parts: list[bytes]) -> ctypes.Array[Source]:
    return (Source * (2 + len(parts)))(Source(), Source(), *map(core.in_memory, parts))


def public(core: Core, seed: bytes) -> bytes:
    key = ctypes.create_string_buffer(32)
    core.lib.tn_ed25519_public(seed, key)
    return key.raw


def sign(core: Core, seed: bytes, *parts: bytes) -> bytes:
    signature = ctypes.create_string_buffer(64)
    core.lib.tn_ed25519_sign(seed, sources(core, list(parts)), 2 + len(parts), signature)
    return signature.raw


def check(core: Core, key: bytes, signature: bytes, *parts: bytes) -> bool:
    core.lib.tn_ed25519_check.restype = ctypes.c_bool
    assert (len(key), len(signature)) == (32, 64)
    return bool(core.lib.tn_ed25519_check(key, signature, sources(core, list(parts)), 2 + len(parts)))


def is_key(core: Core, key: bytes) -> bool:
    core.lib.tn_ed25519_is_key.restype = ctypes.c_bool
    return bool(core.lib.tn_ed25519_is_key(key))


def in_python(key: bytes, signature: bytes, data: bytes) -> bool:
    """Say what ``keys`` says: of the key, and then of the signature."""
    try:
        one = PublicKey.from_cose({1: 1, -1: 6, -2: key})
    except RefusedError:
        return False
    return one.verify(signature, data)


def agree(core: Core, key: bytes, signature: bytes, data: bytes) -> bool:
    """Return the verdict that both have of a signature."""
    verdict = check(core, key, signature, data)
    assert verdict == in_python(key, signature, data)
    return verdict


def challenge(signature_r: bytes, key: bytes, data: bytes) -> int:
    return int.from_bytes(hashlib.sha512(signature_r + key + data).digest(), "little") % L


# RFC 8032, section 7.1: seed, message, public key, signature (the one of 1,023 bytes is computed below).
RFC_8032 = [
    (
        "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
        "",
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        (
            "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155"
            "5fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"
        ),
    ),
    (
        "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
        "72",
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        (
            "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
            "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
        ),
    ),
    (
        "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
        "af82",
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        (
            "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac"
            "18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a"
        ),
    ),
    (
        "833fe62409237b9d62ec77587520911e9a759cec1d19755b7da901b96dca3d42",
        (
            "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
            "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f"
        ),
        "ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf",
        (
            "dc2a4459e7369633a52b1bf277839a00201009a3efbf3ecb69bea2186c26b589"
            "09351fc9ac90b3ecfdfbc7c66431e0303dca179c138ac17ad9bef1177331a704"
        ),
    ),
]


@pytest.mark.parametrize(("seed", "message", "key", "signature"), RFC_8032)
def test_the_vectors_of_rfc_8032(core: Core, seed: str, message: str, key: str, signature: str) -> None:
    data = bytes.fromhex(message)
    assert public(core, bytes.fromhex(seed)).hex() == key
    assert sign(core, bytes.fromhex(seed), data).hex() == signature
    assert agree(core, bytes.fromhex(key), bytes.fromhex(signature), data)


@pytest.mark.skipif(not VECTORS.is_dir(), reason="the COSE working group's examples are not here")
@pytest.mark.parametrize("name", ["eddsa-01", "eddsa-sig-01"])
def test_the_examples_of_the_cose_working_group(core: Core, name: str) -> None:
    case = json.loads((VECTORS / "eddsa-examples" / f"{name}.json").read_text(encoding="utf-8"))
    message = decode(bytes.fromhex(case["output"]["cbor"]))
    given_ = case["input"].get("sign0") or case["input"]["sign"]["signers"][0]
    signed = case["intermediates"]
    signed = signed.get("ToBeSign_hex") or signed["signers"][0]["ToBeSign_hex"]
    last = message.value[3]
    signature = last if isinstance(last, bytes) else last[0][2]
    assert sign(core, bytes.fromhex(given_["key"]["d_hex"]), bytes.fromhex(signed)) == signature
    assert agree(core, bytes.fromhex(given_["key"]["x_hex"]), signature, bytes.fromhex(signed))


@settings(max_examples=60)
@given(st.binary(min_size=32, max_size=32), st.lists(st.binary(max_size=200), max_size=4))
@example(bytes(32), [b"\x9a" * 1_023])
@example(b"\xff" * 32, [])
def test_keys_and_signatures_are_those_of_cryptography(
    core_library: Core, seed: bytes, parts: list[bytes]
) -> None:
    private = Ed25519PrivateKey.from_private_bytes(seed)
    data = b"".join(parts)
    signature = private.sign(data)
    key = private.public_key().public_bytes_raw()
    assert public(core_library, seed) == key
    assert sign(core_library, seed, *parts) == signature
    assert check(core_library, key, signature, *parts)
    assert check(core_library, key, signature, data)
    assert not check(core_library, key, signature, data, b"\0")
    assert not check(core_library, private_of(b"other"), signature, data)


def private_of(name: bytes) -> bytes:
    seed = hashlib.sha256(name).digest()
    return Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw()


def test_what_is_signed_may_lie_in_flash_in_parts(core: Core) -> None:
    private = Ed25519PrivateKey.from_private_bytes(b"s" * 32)
    data = bytes(range(256)) * 9
    core.flash_load(4_090, data)
    parts = sources(core, [data[:10], b"", data[-10:]])
    parts[3] = core.in_flash(4_100, len(data) - 20)
    core.lib.tn_ed25519_check.restype = ctypes.c_bool
    key = private.public_key().public_bytes_raw()
    assert core.lib.tn_ed25519_check(key, private.sign(data), parts, len(parts))
    core.flash_load(4_100, b"\xff")
    assert not core.lib.tn_ed25519_check(key, private.sign(data), parts, len(parts))


@pytest.mark.parametrize("what", ["signature", "key", "data"])
def test_no_bit_may_change(core: Core, what: str) -> None:
    private = Ed25519PrivateKey.from_private_bytes(b"b" * 32)
    good = {"key": private.public_key().public_bytes_raw(), "data": b"what is said"}
    good["signature"] = private.sign(good["data"])
    for bit in range(8 * len(good[what])):
        changed = bytearray(good[what])
        changed[bit // 8] ^= 1 << bit % 8
        tried = good | {what: bytes(changed)}
        assert not check(core, tried["key"], tried["signature"], tried["data"])


@pytest.mark.parametrize("times_l", range(1, 16))
def test_s_is_below_the_order_of_the_base_point(core: Core, times_l: int) -> None:
    private = Ed25519PrivateKey.from_private_bytes(b"l" * 32)
    good = private.sign(b"data")
    s = int.from_bytes(good[32:], "little") + times_l * L
    assert s < 2**256
    key = private.public_key().public_bytes_raw()
    assert agree(core, key, good, b"data")
    assert not agree(core, key, good[:32] + s.to_bytes(32, "little"), b"data")


SIGNS = [(y, sign) for y in (0, 1, P - 1, LOW_ORDER[1][1], LOW_ORDER[3][1]) for sign in (0, 1)]


def test_keys_of_low_order_are_no_keys_in_any_writing(core: Core) -> None:
    """All ways to write the eight points, also with y + p and with the sign of a zero; anybody can sign for those."""
    assert len(set(LOW_ORDER)) == 8
    assert {point[1] for point in LOW_ORDER} == {y for y, _ in SIGNS}
    data = b"anybody"
    for y, sign_ in SIGNS:
        for more in (0, P):
            if y + more >= 2**255:
                continue
            key = (y + more | sign_ << 255).to_bytes(32, "little")
            assert not is_key(core, key)
            for s in (0, 1, L - 1):
                for r in (ZERO, *LOW_ORDER[1:], edwards.times(s, BASE)):
                    assert not agree(core, key, edwards.written(r) + s.to_bytes(32, "little"), data)


def test_keys_that_are_not_written_in_the_one_way_are_no_keys(core: Core) -> None:
    for y in range(19):
        for sign_ in (0, 1):
            key = (y + P | sign_ << 255).to_bytes(32, "little")
            assert not is_key(core, key)
            assert not in_python(key, bytes(64), b"")


@given(st.integers(0, 2**256 - 1) | st.integers(0, 40) | st.integers(P - 40, 2**255 - 1))
@example(P - 2)
@example(2)
@example(LOW_ORDER[1][1] ^ 1)
@example(LOW_ORDER[3][1] ^ 1 << 200)
@example(LOW_ORDER[1][1] ^ 1 << 255)
def test_what_is_a_key_is_what_python_takes(core_library: Core, number: int) -> None:
    key = number.to_bytes(32, "little")
    try:
        PublicKey.from_cose({1: 1, -1: 6, -2: key})
        taken = True
    except RefusedError:
        taken = False
    assert is_key(core_library, key) == taken


def test_keys_that_are_no_points_verify_nothing(core: Core) -> None:
    for y in range(2, 60):
        if edwards.x_of(y, 0) is None:
            key = y.to_bytes(32, "little")
            assert is_key(core, key)
            assert not agree(core, key, bytes([1]) + bytes(63), b"data")


def crafted(secret: int, nonce: int, data: bytes, on_key: Point, on_r: Point) -> tuple[bytes, bytes]:
    """Sign as the holder of a key could, with points of low order added to the key and to R."""
    key = edwards.written(edwards.add(edwards.times(secret, BASE), on_key))
    r = edwards.written(edwards.add(edwards.times(nonce, BASE), on_r))
    s = (nonce + challenge(r, key, data) * secret) % L
    return key, r + s.to_bytes(32, "little")


def test_the_cofactor_excuses_nothing(core: Core) -> None:
    """A check that multiplies by 8 takes all of these; OpenSSL takes only those whose points come out exactly."""
    verdicts = []
    for number in range(48):
        on_key, on_r = LOW_ORDER[number % 8], LOW_ORDER[number // 8]
        key, signature = crafted(1_234_567 + number, 7_654_321, b"%d" % number, on_key, on_r)
        verdicts.append(agree(core, key, signature, b"%d" % number))
        if on_key == ZERO:
            assert verdicts[-1] == (on_r == ZERO)
    assert 0 < sum(verdicts) < len(verdicts)


def test_a_key_with_a_part_of_low_order_signs_where_its_part_cancels_out(core: Core) -> None:
    key, data, found = b"", b"", 0
    for number in range(40):
        data = b"again %d" % number
        key, signature = crafted(99, 1_000 + number, data, LOW_ORDER[1], ZERO)
        cancels = challenge(signature[:32], key, data) % 8 == 0
        assert agree(core, key, signature, data) == cancels
        found += cancels
    assert found


def test_r_is_compared_as_it_is_written(core: Core) -> None:
    """With a nonce of 0, R is zero: y = 1, which can also be written as p + 1, and with the sign of a zero."""
    secret, data = 4_321, b"data"
    key = edwards.written(edwards.times(secret, BASE))
    for written, taken in ((1, True), (1 | 1 << 255, False), (P + 1, False), (P + 1 | 1 << 255, False)):
        r = written.to_bytes(32, "little")
        s = challenge(r, key, data) * secret % L
        assert agree(core, key, r + s.to_bytes(32, "little"), data) == taken


SCALARS = st.integers(0, L - 1) | st.sampled_from([0, 1, 2, 7, 8, L - 1, L - 2, 2**252, 2**252 - 1, 2**251])
POINTS = st.builds(
    edwards.add, st.builds(edwards.times, st.integers(1, L - 1), st.just(BASE)), st.sampled_from(LOW_ORDER)
)


@settings(max_examples=60)
@given(SCALARS, SCALARS, POINTS)
@example(0, 0, BASE)
@example(1, 1, BASE)
@example(1, L - 1, BASE)
@example(L - 1, L - 1, edwards.negative(BASE))
@example(2**252, 2**252, edwards.add(BASE, LOW_ORDER[1]))
def test_the_curve_is_that_of_plain_numbers(core_library: Core, s: int, h: int, point: Point) -> None:
    call = core_library.lib.tn_curve_check
    call.restype = ctypes.c_bool
    r = edwards.written(edwards.add(edwards.times(s, BASE), edwards.negative(edwards.times(h, point))))
    key, hash_ = edwards.written(point), h.to_bytes(32, "little")
    scalar = s.to_bytes(32, "little")
    assert call(r, key, scalar, hash_)
    assert not call(bytes([r[0] ^ 2]) + r[1:], key, scalar, hash_)
    other = edwards.written(edwards.add(edwards.point(r_y(r), r[31] >> 7), LOW_ORDER[4])) if r_y(r) > 1 else r
    assume(other != r)
    assert not call(other, key, scalar, hash_)


def r_y(r: bytes) -> int:
    return int.from_bytes(r, "little") & (2**255 - 1)


@settings(max_examples=40)
@given(st.integers(0, L - 1))
@example(0)
@example(1)
@example(2)
@example(L - 1)
@example(2**252)
@example(2**252 - 1)
def test_multiples_of_the_base_point_are_those_of_plain_numbers(core_library: Core, number: int) -> None:
    found = ctypes.create_string_buffer(32)
    core_library.lib.tn_curve_base(number.to_bytes(32, "little"), found)
    assert found.raw == edwards.written(edwards.times(number, BASE))


def test_an_algorithm_of_ours_is_meant() -> None:
    """The comparison above is with the key that documents are verified with."""
    assert PublicKey.from_cose({1: 1, -1: 6, -2: private_of(b"x")}).algorithm is Algorithm.ED25519
