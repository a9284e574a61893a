from __future__ import annotations

import contextlib
import hashlib
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from imgtool.image import Image as ToolImage
from imgtool.image import VerifyResult
from imgtool.keys.ed25519 import Ed25519
from imgtool.version import decode_version

from advisories import limits
from advisories.mcuboot import HEADER_BYTES, header_version, pack, parse
from advisories.suit import identifiers
from keys.algorithms import VERIFIED, Algorithm
from keys.errors import RefusedError
from keys.reasons import Reason
from tests.advisories.suit_case import refused

VERSION = (1, 4, 2, 7)
IMAGE = pack(b"code" * 10, VERSION, security_counter=5)
VERSIONS = st.tuples(*(st.integers(0, 2**bits - 1) for bits in (8, 8, 16, 32)))


def tool_image(
    body, version="1.4.2+7", *, counter=5, header_size=32, custom=None, key=None, needs=None, **ids
):
    """An image as imgtool makes it, without a signature unless a key is given."""
    image = ToolImage(
        version=decode_version(version),
        header_size=header_size,
        security_counter=counter,
        pad_header=True,
        slot_size=1 << 20,
        **ids,
    )
    image.payload = bytes(header_size) + body
    image.image_size = len(body)
    image.create(key, "hash", None, dependencies=needs, custom_tlvs=custom)
    return bytes(image.payload)


def rebuilt(header, body, protected=b"", plain=None):
    hashed = struct.pack("<IIHHIIBBHII", *header) + body + protected
    digest = hashlib.sha256(hashed).digest()
    return hashed + (struct.pack("<HHHH", 0x6907, 40, 0x10, 32) + digest if plain is None else plain)


def header(**changes):
    fields = {
        "magic": 0x96F3B83D, "load": 0, "header": 32, "protected": 0, "body": 4, "flags": 0,
        "major": 1, "minor": 4, "revision": 2, "build": 7, "pad": 0,
    }  # fmt: skip
    return tuple({**fields, **changes}.values())


def plain(*records, size=None):
    area = b"".join(struct.pack("<HH", kind, len(value)) + value for kind, value in records)
    return struct.pack("<HH", 0x6907, 4 + len(area) if size is None else size) + area


def protected(*records):
    area = plain(*records)
    return struct.pack("<H", 0x6908) + area[2:]


@given(body=st.binary(min_size=1, max_size=300), version=VERSIONS, counter=st.integers(0, 2**32 - 1))
def test_an_image_is_read_as_it_was_packed(body, version, counter):
    data = pack(body, version, security_counter=counter)
    image = parse(data)
    assert (image.version, image.body_size, image.security_counter) == (version, len(body), counter)
    assert image.header_size == HEADER_BYTES
    assert data[32 : 32 + len(body)] == body
    assert header_version(data[:32]) == version


@pytest.mark.parametrize("size", [1, 15, 4096])
def test_imgtool_accepts_our_images(tmp_path, size):
    path = tmp_path / "image.bin"
    path.write_bytes(pack(bytes(size), VERSION, security_counter=9))
    result, version, digest, _ = ToolImage.verify(str(path), None)
    assert result is VerifyResult.OK
    assert version == VERSION
    assert digest == parse(path.read_bytes()).digest


def test_our_image_is_byte_for_byte_what_imgtool_makes():
    assert pack(b"code" * 10, VERSION, security_counter=5) == tool_image(b"code" * 10)


@pytest.mark.parametrize("header_size", [32, 0x200])
@pytest.mark.parametrize("counter", [None, 0, 77])
def test_imgtools_images_are_read(header_size, counter):
    image = parse(tool_image(b"body", counter=counter, header_size=header_size))
    assert (image.version, image.body_size, image.security_counter) == (VERSION, 4, counter)
    assert image.header_size == header_size


VENDOR, CLASS = identifiers("example.com", "thermostat")


def test_vendor_and_class_are_byte_for_byte_what_imgtool_writes_of_the_same_names():
    theirs = tool_image(b"code" * 10, vid="example.com", cid="thermostat")
    assert pack(b"code" * 10, VERSION, security_counter=5, vendor_id=VENDOR, class_id=CLASS) == theirs
    image = parse(theirs)
    assert (image.vendor_id, image.class_id, image.signatures) == (VENDOR, CLASS, ())
    assert (parse(IMAGE).vendor_id, parse(IMAGE).class_id) == (None, None)


def test_dependencies_and_signatures_of_imgtool_are_read():
    needs = {"images": ["1", "2"], "versions": [decode_version("1.0.3+4"), decode_version("2.0.0")]}
    image = parse(tool_image(b"body", needs=needs, key=Ed25519.generate()))
    assert image.dependencies == ((1, (1, 0, 3, 4)), (2, (2, 0, 0, 0)))
    assert image.signatures == ("Ed25519",)


def test_identifiers_are_read_under_their_earlier_numbers_too():
    records = protected((0x50, bytes(4)), (0x80, VENDOR), (0x81, CLASS))
    image = parse(rebuilt(header(protected=len(records)), b"code", records))
    assert (image.vendor_id, image.class_id) == (VENDOR, CLASS)


def test_an_image_without_any_protected_record_is_packed_and_read():
    image = parse(pack(b"x", VERSION, security_counter=None))
    assert (image.security_counter, image.vendor_id, image.dependencies) == (None, None, ())


def test_an_identifier_that_is_not_16_bytes_is_not_packed():
    for wrong in ({"vendor_id": bytes(15)}, {"class_id": bytes(17)}):
        assert refused(pack, b"x", VERSION, **wrong)[0] is Reason.MALFORMED


def test_equal_arguments_give_equal_bytes():
    assert (
        hashlib.sha256(IMAGE).hexdigest()
        == hashlib.sha256(pack(b"code" * 10, VERSION, security_counter=5)).hexdigest()
    )
    assert len(IMAGE) == 32 + 40 + 12 + 40


def test_an_image_cut_at_any_length_is_refused():
    for size in range(len(IMAGE)):
        assert refused(parse, IMAGE[:size])[0] is Reason.MALFORMED


def test_bytes_after_the_image_are_refused():
    for extra in (1, 4, 100):
        assert refused(parse, IMAGE + bytes(extra))[0] is Reason.MALFORMED


def test_one_flipped_bit_anywhere_is_refused():
    for at in range(len(IMAGE)):
        for bit in range(8):
            damaged = bytearray(IMAGE)
            damaged[at] ^= 1 << bit
            with pytest.raises(RefusedError):
                parse(bytes(damaged))


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(data):
    for candidate in (data, IMAGE[:32] + data, IMAGE[:72] + data):
        with contextlib.suppress(RefusedError):
            assert parse(candidate).body_size > 0


SHA = (0x10, bytes(32))
CASES = {
    "not an image at all": (rebuilt(header(magic=1), b"code"), Reason.MALFORMED),
    "the body claims 4 GiB": (rebuilt(header(body=2**32 - 1), b"code"), Reason.MALFORMED),
    "no body": (rebuilt(header(body=0), b""), Reason.MALFORMED),
    "the header claims to be shorter than it is": (rebuilt(header(header=31), b"code"), Reason.MALFORMED),
    "the header claims 64 KiB": (rebuilt(header(header=65_535), b"code"), Reason.MALFORMED),
    "encrypted": (rebuilt(header(flags=0x4), b"code"), Reason.UNSUPPORTED),
    "compressed": (rebuilt(header(flags=0x400), b"code"), Reason.UNSUPPORTED),
    "not bootable": (rebuilt(header(flags=0x10), b"code"), Reason.UNSUPPORTED),
    "a hash of other bytes": (rebuilt(header(), b"code", plain=plain(SHA)), Reason.DIGEST_MISMATCH),
    "no hash": (rebuilt(header(), b"code", plain=plain((0x24, bytes(64)))), Reason.MALFORMED),
    "two hashes": (rebuilt(header(), b"code", plain=plain(SHA, SHA)), Reason.MALFORMED),
    "an area smaller than its own head": (rebuilt(header(), b"code", plain=plain(size=3)), Reason.MALFORMED),
    "an area longer than the file": (rebuilt(header(), b"code", plain=plain(SHA, size=99)), Reason.MALFORMED),
    "half a record": (rebuilt(header(), b"code", plain=plain(size=6) + b"\x10\x00"), Reason.MALFORMED),
    "a record longer than its area": (
        rebuilt(header(), b"code", plain=plain(size=8) + struct.pack("<HH", 0x10, 32)),
        Reason.MALFORMED,
    ),
    "protected records that the header does not announce": (
        rebuilt(header(), b"code", protected((0x50, bytes(4)))),
        Reason.MALFORMED,
    ),
    "protected records of another length than announced": (
        rebuilt(header(protected=16), b"code", protected((0x50, bytes(4)))),
        Reason.MALFORMED,
    ),
    "a security counter of three bytes": (
        rebuilt(header(protected=11), b"code", protected((0x50, bytes(3)))),
        Reason.MALFORMED,
    ),
    **{
        f"{name} of a wrong length": (
            rebuilt(header(protected=4 + 4 + length), b"code", protected((kind, bytes(length)))),
            Reason.MALFORMED,
        )
        for name, kind, length in (("a vendor", 0x74, 15), ("a class", 0x75, 17), ("a dependency", 0x40, 11))
    },
    "two vendors": (
        rebuilt(header(protected=44), b"code", protected((0x74, bytes(16)), (0x74, bytes(16)))),
        Reason.MALFORMED,
    ),
    "two vendors under two numbers": (
        rebuilt(header(protected=44), b"code", protected((0x74, VENDOR), (0x80, CLASS))),
        Reason.MALFORMED,
    ),
    "two security counters": (
        rebuilt(header(protected=20), b"code", protected((0x50, bytes(4)), (0x50, bytes(4)))),
        Reason.MALFORMED,
    ),
}


@pytest.mark.parametrize(("data", "reason"), CASES.values(), ids=CASES.keys())
def test_a_wrong_image_is_refused(data, reason):
    assert refused(parse, data)[0] is reason


def test_records_for_other_boot_loaders_are_ignored():
    digest = hashlib.sha256(rebuilt(header(flags=0x20), b"code", plain=b"")).digest()
    records = plain((0x01, bytes(32)), (0x10, digest), (0x24, bytes(64)))
    assert parse(rebuilt(header(flags=0x20), b"code", plain=records)).security_counter is None


def test_a_header_that_is_too_short_or_of_something_else_has_no_version():
    assert refused(header_version, IMAGE[:31])[0] is Reason.MALFORMED
    assert refused(header_version, bytes(32))[0] is Reason.MALFORMED


@pytest.mark.parametrize("extra", [-1, 0, 1])
def test_the_largest_image(extra):
    body = bytes(limits.IMAGE_BYTES_MAX - len(pack(b"x", VERSION)) + 1 + extra)
    if extra > 0:
        assert refused(pack, body, VERSION)[0] is Reason.TOO_BIG
        assert refused(parse, bytes(limits.IMAGE_BYTES_MAX + extra))[0] is Reason.TOO_BIG
    else:
        assert parse(pack(body, VERSION)).body_size == len(body)


@pytest.mark.parametrize(
    ("body", "version", "counter"),
    [(b"", VERSION, 0), (b"x", (256, 0, 0, 0), 0), (b"x", (0, 0, 0, -1), 0), (b"x", VERSION, 2**32)],
)
def test_what_does_not_fit_cannot_be_packed(body, version, counter):
    assert refused(pack, body, version, security_counter=counter)[0] is Reason.MALFORMED


PQ = (Algorithm.ML_DSA_44, Algorithm.ED25519)


@given(st.sets(st.sampled_from(sorted(VERIFIED))))
def test_an_image_says_what_its_firmware_can_verify(algorithms):
    image = parse(pack(b"code", VERSION, algorithms=algorithms))
    assert image.algorithms == (frozenset(algorithms) or None)


def test_imgtool_makes_the_same_bytes_from_a_custom_record():
    ours = pack(b"code" * 10, VERSION, security_counter=5, algorithms=PQ)
    value = struct.pack("<ii", -48, -19)
    theirs = tool_image(b"code" * 10, custom={0xA0: value})
    assert ours == theirs
    assert parse(theirs).algorithms == frozenset(PQ)


NUMBERS = {
    "none at all": b"",
    "three bytes": b"\x00\x00\x00",
    "one twice": struct.pack("<ii", -19, -19),
    "in falling order": struct.pack("<ii", -19, -48),
    "for verification only": struct.pack("<i", -8),
    "unknown and in falling order": struct.pack("<ii", -19, -65_535),
    "more than are kept": struct.pack("<9i", *range(-57, -48)),
}


@pytest.mark.parametrize("value", NUMBERS.values(), ids=NUMBERS.keys())
def test_algorithms_that_cannot_be_are_refused(value):
    area = protected((0xA0, value))
    data = rebuilt(header(protected=len(area)), b"code", area)
    assert refused(parse, data)[0] is Reason.MALFORMED


@pytest.mark.parametrize(
    ("numbers", "known"),
    [
        ((-50, -19), {Algorithm.ED25519}),
        ((-65_535,), set()),
        ((*range(-57, -50), -48), {Algorithm.ML_DSA_44}),
    ],
)
def test_firmware_to_come_may_verify_with_what_is_not_known_yet(numbers, known):
    area = protected((0xA0, struct.pack(f"<{len(numbers)}i", *numbers)))
    assert parse(rebuilt(header(protected=len(area)), b"code", area)).algorithms == known


def test_two_statements_of_what_it_can_verify_are_none():
    record = (0xA0, struct.pack("<i", -19))
    area = protected(record, record)
    assert refused(parse, rebuilt(header(protected=len(area)), b"code", area))[0] is Reason.MALFORMED
    outside = pack(b"code", VERSION)[:-40] + b""
    assert parse(outside + plain((0x10, hashlib.sha256(outside).digest()), record)).algorithms is None
