"""SHA-256, SHA-512 and the CRCs of the C device: published vectors, and hashlib, zlib, binascii on everything else."""

from __future__ import annotations

import binascii
import ctypes
import hashlib
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from .build import Core, Source

SIZES = {"sha256": 32, "sha512": 64}
SHA = pytest.mark.parametrize("name", SIZES)


def hashed(core: Core, name: str, *parts: bytes | tuple[int, int]) -> bytes:
    """Hash parts: bytes in memory, or (place, length) in flash."""
    size = SIZES[name]
    sources = [core.in_memory(one) if isinstance(one, bytes) else core.in_flash(*one) for one in parts]
    digest = ctypes.create_string_buffer(b"\xee" * 68, 68)
    core.lib.tn_sha(size, (Source * len(sources))(*sources), len(sources), digest)
    assert digest.raw[size:] == b"\xee" * (68 - size)
    return digest.raw[:size]


# RFC 6234, section 8.5: TEST1 to TEST4 of each, and the empty string (NIST CAVP).
_TWO_BLOCKS_512 = b"abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrstu"
VECTORS = [
    ("sha256", b"", 1, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
    ("sha256", b"abc", 1, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
    (
        "sha256",
        b"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
        1,
        "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1",
    ),
    ("sha256", b"a", 1_000_000, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"),
    (
        "sha256",
        b"0123456701234567012345670123456701234567012345670123456701234567",
        10,
        "594847328451bdfa85056225462cc1d867d877fb388df0ce35f25ab5562bfbb5",
    ),
    (
        "sha512",
        b"",
        1,
        (
            "cf83e1357eefb8bdf1542850d66d8007d620e4050b5715dc83f4a921d36ce9ce"
            "47d0d13c5d85f2b0ff8318d2877eec2f63b931bd47417a81a538327af927da3e"
        ),
    ),
    (
        "sha512",
        b"abc",
        1,
        (
            "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
            "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f"
        ),
    ),
    (
        "sha512",
        _TWO_BLOCKS_512,
        1,
        (
            "8e959b75dae313da8cf4f72814fc143f8f7779c6eb9f7fa17299aeadb6889018"
            "501d289e4900f7e4331b99dec4b5433ac7d329eeb6dd26545e96e55b874be909"
        ),
    ),
    (
        "sha512",
        b"a",
        1_000_000,
        (
            "e718483d0ce769644e2e42c7bc15b4638e1f98b13b2044285632a803afa973eb"
            "de0ff244877ea60a4cb0432ce577c31beb009c5c2c49aa2e4eadb217ad8cc09b"
        ),
    ),
    (
        "sha512",
        b"0123456701234567012345670123456701234567012345670123456701234567",
        10,
        (
            "89d05ba632c699c31231ded4ffc127d5a894dad412c0e024db872d1abd2ba814"
            "1a0f85072a9be1e2aa04cf33c765cb510813a39cd5a84c4acaa64d3f3fb7bae9"
        ),
    ),
]


@pytest.mark.parametrize(("name", "data", "times", "digest"), VECTORS)
def test_the_vectors_of_rfc_6234(core_library: Core, name: str, data: bytes, times: int, digest: str) -> None:
    assert hashed(core_library, name, data * times).hex() == digest


@SHA
def test_every_length_around_every_block(core_library: Core, name: str) -> None:
    data = bytes(range(256)) * 2
    core_library.flash_load(0, data)
    for length in range(2 * 128 + 20):
        digest = hashlib.new(name, data[:length]).digest()
        assert hashed(core_library, name, data[:length]) == digest
        assert hashed(core_library, name, (0, length)) == digest


@SHA
@given(st.lists(st.binary(max_size=300), max_size=6))
def test_parts_are_hashed_as_one_wherever_they_lie(core_library: Core, name: str, parts: list[bytes]) -> None:
    digest = hashlib.new(name, b"".join(parts)).digest()
    places = []
    at = 3
    for one in parts:
        core_library.flash_load(at, one)
        places.append((at, len(one)))
        at += len(one) + 5
    assert hashed(core_library, name, *parts) == digest
    assert hashed(core_library, name, *places) == digest
    mixed = [one if i % 2 else where for i, (one, where) in enumerate(zip(parts, places, strict=True))]
    assert hashed(core_library, name, *mixed) == digest


def test_a_source_is_hashed_at_once(core: Core) -> None:
    core.flash_load(9, b"abc")
    digest = ctypes.create_string_buffer(32)
    core.lib.tn_sha256_of(ctypes.c_void_p(core.in_flash(9, 3).address), 3, digest)
    assert digest.raw == hashlib.sha256(b"abc").digest()


@SHA
def test_a_digest_may_lie_where_its_parts_do(core: Core, name: str) -> None:
    size = SIZES[name]
    memory = ctypes.create_string_buffer(bytes(range(100)), 100)
    part = Source(ctypes.cast(memory, ctypes.c_char_p), len(memory))
    core.lib.tn_sha(size, ctypes.byref(part), 1, memory)
    assert memory.raw == hashlib.new(name, bytes(range(100))).digest() + bytes(range(size, 100))


def test_crcs_have_their_published_check_values(core: Core) -> None:
    core.lib.tn_crc16.restype = ctypes.c_uint16
    core.lib.tn_crc32.restype = ctypes.c_uint32
    assert core.lib.tn_crc16(0, b"123456789", 9) == 0x31C3
    assert core.lib.tn_crc32(0, b"123456789", 9) == 0xFC891918


def turned(number: int, bits: int) -> int:
    """Return a number with its bits the other way round: CRC-32/BZIP2 is zlib's, where every byte is turned."""
    return int(f"{number:0{bits}b}"[::-1], 2)


@given(st.binary(max_size=300), st.integers(0, 300))
def test_crcs_are_those_of_python_also_in_parts(core_library: Core, data: bytes, cut: int) -> None:
    lib = core_library.lib
    lib.tn_crc16.restype = ctypes.c_uint16
    lib.tn_crc32.restype = ctypes.c_uint32
    first, second = data[:cut], data[cut:]
    assert lib.tn_crc16(lib.tn_crc16(0, first, len(first)), second, len(second)) == binascii.crc_hqx(data, 0)
    half = ctypes.c_uint32(lib.tn_crc32(0, first, len(first)))
    assert lib.tn_crc32(half, second, len(second)) == turned(
        zlib.crc32(bytes(turned(one, 8) for one in data)), 32
    )
