"""MCUboot images: the C device reads them as ``advisories.mcuboot`` does, with the same reason where they are none."""

from __future__ import annotations

import ctypes
import hashlib
import struct
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from advisories import mcuboot
from advisories.versions import Version
from keys.algorithms import Algorithm
from keys.reasons import Reason

from .build import Core
from .patch_of_c import read_image
from .trust_of_c import verdict

VERSION = (1, 4, 2, 70_000)
BODY = b"new code " * 30


def packed(**changes: Any) -> bytes:
    return mcuboot.pack(
        BODY, VERSION, security_counter=7, algorithms=(Algorithm.ED25519, Algorithm.ESP256), **changes
    )


def record(kind: int, value: bytes) -> bytes:
    return struct.pack("<HH", kind, len(value)) + value


def area(magic: int, *records: bytes) -> bytes:
    held = b"".join(records)
    return struct.pack("<HH", magic, 4 + len(held)) + held


def built(
    *protected: bytes, body: bytes = BODY, header: int = 32, flags: int = 0, plain: tuple[bytes, ...] = ()
) -> bytes:
    """An image of any records; its own digest is right."""
    guarded = area(0x6908, *protected) if protected else b""
    head = struct.pack(
        "<IIHHIIBBHII", 0x96F3B83D, 0, header, len(guarded), len(body), flags, 1, 2, 3, 4, 0
    ).ljust(header, b"\0")
    covered = head + body + guarded
    return covered + area(0x6907, record(0x10, hashlib.sha256(covered).digest()), *plain)


COUNTER = record(0x50, bytes(4))
IMAGES: dict[str, bytes] = {
    "nothing": b"",
    "half a header": packed()[:20],
    "a header alone": packed()[:32],
    "another magic": b"\0" + packed()[1:],
    "with identifiers": packed(vendor_id=bytes(16), class_id=bytes(range(16))),
    "no counter": mcuboot.pack(BODY, VERSION, security_counter=None),
    "the largest counter": built(record(0x50, b"\xff" * 4)),
    "a counter of three bytes": built(record(0x50, bytes(3))),
    "a counter twice": built(COUNTER, COUNTER),
    "a strange record twice": built(COUNTER, record(0x99, b"a"), record(0x99, b"b")),
    "encrypted": built(COUNTER, flags=0x4),
    "not bootable": built(COUNTER, flags=0x10),
    "to RAM": built(COUNTER, flags=0x20),
    "a header of 64 bytes": built(COUNTER, header=64),
    "no body": built(COUNTER, body=b""),
    "a byte more": packed() + b"\0",
    "a byte less": packed()[:-1],
    "no digest": (lambda whole: whole[:-40] + area(0x6907, record(0x30, bytes(32))))(packed()),
    "a digest of 31 bytes": (lambda whole: whole[:-40] + area(0x6907, record(0x10, bytes(31))))(packed()),
    "another digest": packed()[:-1] + bytes((packed()[-1] ^ 1,)),
    "a record over its area": built(COUNTER)[:-40] + struct.pack("<HHHH", 0x6907, 40, 0x10, 33) + bytes(32),
    "half a record": built(COUNTER)[:-40] + area(0x6907, b"\x10\0"),
    "an area of 3 bytes": built(COUNTER)[:-40] + struct.pack("<HH", 0x6907, 3),
    "a signature behind": built(COUNTER, plain=(record(0x24, bytes(64)),)),
    "protected records not where the header says": packed()[:10] + b"\1\0" + packed()[12:],
    "algorithms of five bytes": built(COUNTER, record(0xA0, bytes(5))),
    "no algorithms": built(COUNTER, record(0xA0, b"")),
    "nine algorithms": built(COUNTER, record(0xA0, struct.pack("<9i", *range(9)))),
    "eight algorithms": built(COUNTER, record(0xA0, struct.pack("<8i", *range(-40, -32)))),
    "falling algorithms": built(COUNTER, record(0xA0, struct.pack("<2i", -9, -19))),
    "a vendor of 15 bytes": built(COUNTER, record(0x74, bytes(15))),
    "two vendors": built(COUNTER, record(0x74, bytes(16)), record(0x80, b"\1" * 16)),
    "one vendor twice": built(COUNTER, record(0x74, bytes(16)), record(0x80, bytes(16))),
    "a class of 17 bytes": built(COUNTER, record(0x81, bytes(17))),
    "a dependency": built(COUNTER, record(0x40, bytes(12))),
    "two dependencies": built(COUNTER, record(0x40, bytes(12)), record(0x40, b"\1" * 12)),
    "two classes": built(COUNTER, record(0x75, bytes(16)), record(0x81, b"\1" * 16)),
    "one class twice": built(COUNTER, record(0x75, bytes(16)), record(0x81, bytes(16))),
    "a vendor and no counter": built(record(0x74, bytes(16))),
    "no records at all": built()[: 32 + len(BODY)],
    "three bytes behind the body": built()[: 32 + len(BODY) + 3],
    "protected records that are missing": built(COUNTER)[: 32 + len(BODY) + 3],
    "a header of 31 bytes": packed()[:8] + b"\x1f\0" + packed()[10:],
    "a header that is longer than all": packed()[:8] + b"\xff\xff" + packed()[10:],
    "a body to the last byte": packed()[:12] + struct.pack("<I", len(packed()) - 32) + packed()[16:],
    "a body beyond the last byte": packed()[:12] + struct.pack("<I", len(packed()) - 31) + packed()[16:],
    "a dependency of 11 bytes": built(COUNTER, record(0x40, bytes(11))),
}


def same(core: Core, data: bytes, *, damaged: bool = False) -> Reason:
    """Read it in both languages, and compare.

    ``damaged``: its own digest is wrong. Of two faults either may be said: C judges protected records before the digest.
    """
    expected = verdict(lambda: mcuboot.parse(data))
    reason, image = read_image(core, data, 0, max(1, len(data)))
    either = (Reason.MALFORMED, Reason.DIGEST_MISMATCH)
    assert reason is expected or (damaged and (reason, expected) == either)
    if data:
        assert bytes(image.digest) == hashlib.sha256(data).digest()
    if reason is Reason.OK:
        whole = mcuboot.parse(data)
        assert tuple(image.version) == whole.version
        assert image.counter == (whole.security_counter or 0)
        assert bytes(image.hash) == whole.digest
        assert image.length == len(data)
    return reason


@pytest.mark.parametrize("name", IMAGES)
def test_an_image_is_read_or_refused_for_the_same_reason(core: Core, name: str) -> None:
    same(core, IMAGES[name])


def test_an_image_is_as_long_as_its_header_says(core: Core) -> None:
    for data in (packed(), IMAGES["a header of 64 bytes"], IMAGES["a signature behind"]):
        reason, image = read_image(core, data + b"\xff" * 50, 1, 0)
        assert (reason, image.length) == (Reason.OK, len(data))
        assert bytes(image.digest) == hashlib.sha256(data).digest()
    assert read_image(core, packed(), 1, core.constants["TN_SLOT_BYTES"] + 1)[0] is Reason.TOO_BIG


def test_an_empty_slot_holds_no_image(core: Core) -> None:
    assert read_image(core, b"", 1, 0)[0] is Reason.MALFORMED


@given(st.integers(0, len(packed()) - 1), st.binary(min_size=1, max_size=4))
@example(12, b"\xff\xff\xff\xff")
@example(8, b"\xff\xff")
@settings(max_examples=150, deadline=None)
def test_overwritten_bytes_mean_the_same(core_library: Core, at: int, other: bytes) -> None:
    core_library.new()
    data = packed()
    changed = (data[:at] + other + data[at + len(other) :])[: len(data)]
    same(core_library, changed, damaged=changed != data)


def test_an_image_that_a_test_build_makes_is_whole(core: Core) -> None:
    core.lib.tn_image_make((ctypes.c_uint32 * 4)(9, 8, 7, 70_001))
    reason, image = read_image(core, b"", 0, 0)
    whole = mcuboot.parse(core.flash(core.constants["TN_AT_SLOTS"], image.length))
    assert (reason, whole.version, whole.security_counter) == (Reason.OK, (9, 8, 7, 70_001), 0)
    assert whole.algorithms == frozenset({Algorithm.ED25519})


@pytest.mark.parametrize(
    ("version", "words"),
    [
        ((0, 0, 0, 0), "0.0.0"),
        ((1, 20, 300, 0), "1.20.300"),
        ((1, 4, 2, 70_000), "1.4.2+70000"),
        ((255, 255, 65_535, 2**32 - 1), "255.255.65535+4294967295"),
    ],
)
def test_a_version_in_words_stays_within_its_room(core: Core, version: Version, words: str) -> None:
    room = ctypes.create_string_buffer(b"\xaa" * 64)
    core.lib.tn_version.restype = ctypes.c_char_p
    assert core.lib.tn_version(room, (ctypes.c_uint32 * 4)(*version), ord("+")) == words.encode()
    most = core.constants["TN_VERSION_ROOM"]
    assert room.raw[most : len(room) - 1] == b"\xaa" * (len(room) - 1 - most)


@pytest.mark.parametrize("number", [0, 9, 10, 4_294_967_295, 4_294_967_296, 2**53 - 1, 2**64 - 1])
def test_a_number_in_words_stands_at_the_end_of_its_room(core: Core, number: int) -> None:
    room = ctypes.create_string_buffer(b"\xaa" * 40)
    core.lib.tn_number.restype = ctypes.c_char_p
    core.lib.tn_number.argtypes = (ctypes.c_void_p, ctypes.c_uint64)
    assert core.lib.tn_number(room, number) == str(number).encode()
    most, used = core.constants["TN_NUMBER_ROOM"], len(str(number)) + 1
    assert room.raw[: most - used] + room.raw[most:39] == b"\xaa" * (39 - used)
    core.lib.tn_number.argtypes = None
