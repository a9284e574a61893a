"""The parts that read CBOR where it lies: heads, byte strings, ends of items; cbor2 says what is right."""

from __future__ import annotations

from typing import Any

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from keys.cbor import bstr, decode, encode, head, item_end, read_bytes
from keys.errors import RefusedError
from keys.limits import CBOR_DEPTH_MAX
from keys.reasons import Reason

EDGES = (0, 1, 23, 24, 25, 255, 256, 257, 65_535, 65_536, 65_537, 2**32 - 1, 2**32, 2**64 - 1)
MADE = {0: lambda n: n, 1: lambda n: -1 - n, 6: lambda n: cbor2.CBORTag(n, 0)}
UNREAD = b"\x99\x58"


def malformed(call: Any, *args: Any) -> None:
    with pytest.raises(RefusedError) as caught:
        call(*args)
    assert caught.value.reason is Reason.MALFORMED


def of(major: int, argument: int) -> bytes:
    """The one head of a major type and an argument."""
    plain = encode(argument)
    return bytes((plain[0] | major << 5, *plain[1:]))


@pytest.mark.parametrize("argument", EDGES)
@pytest.mark.parametrize("major", range(7))
def test_a_head_is_read_wherever_it_stands(major: int, argument: int) -> None:
    data = of(major, argument)
    for before in (b"", b"\xff", b"\x18" * 3):
        assert head(before + data + UNREAD, len(before), major) == (argument, len(before + data))
        assert head(before + data, len(before), major) == (argument, len(before + data))


@pytest.mark.parametrize("argument", EDGES)
@pytest.mark.parametrize("major", range(7))
def test_a_head_of_another_type_or_cut_off_is_refused(major: int, argument: int) -> None:
    data = of(major, argument)
    for other in set(range(7)) - {major}:
        malformed(head, data, 0, other)
    for cut in range(len(data)):
        malformed(head, data[:cut], 0, major)
        malformed(head, b"\x00" + data[:cut], 1, major)


@pytest.mark.parametrize("major", range(7))
@pytest.mark.parametrize(
    "longer", ["1817", "190018", "1900ff", "1a00000100", "1a0000ffff", "1b00000000ffffffff"]
)
def test_a_head_longer_than_need_be_is_refused(major: int, longer: str) -> None:
    data = bytes.fromhex(longer)
    malformed(head, bytes((data[0] | major << 5, *data[1:])), 0, major)


@pytest.mark.parametrize("major", range(7))
@pytest.mark.parametrize("information", [28, 29, 30, 31])
def test_a_head_without_a_length_is_refused(major: int, information: int) -> None:
    malformed(head, bytes((major << 5 | information, *bytes(40))), 0, major)


@pytest.mark.parametrize("size", [0, 1, 22, 23, 24, 25, 255, 256, 257, 65_535, 65_536])
def test_bytes_are_written_and_read_as_cbor2_does(size: int) -> None:
    data = bytes(range(1, 252)) * (size // 251 + 1)
    data = data[:size]
    wire = bstr(data)
    assert wire == cbor2.dumps(data, canonical=True)
    for before in (b"", b"\x17", b"\x58\x18"):
        assert read_bytes(before + wire + UNREAD, len(before)) == (data, len(before + wire))
        assert read_bytes(before + wire, len(before)) == (data, len(before + wire))
    for cut in {c for c in (0, 1, 2, size // 2, size, len(wire) - 1) if c < len(wire)}:
        malformed(read_bytes, wire[:cut], 0)


@pytest.mark.parametrize(
    "hexed", ["", "00", "60", "5817" + "00" * 23, "5800", "5f", "f6", "58", "5900ff" + "00" * 255]
)
def test_what_is_no_byte_string_of_the_shortest_form_is_refused(hexed: str) -> None:
    malformed(read_bytes, bytes.fromhex(hexed), 0)
    malformed(read_bytes, b"\xff" + bytes.fromhex(hexed), 1)


LEAVES = (
    st.none()
    | st.booleans()
    | st.integers(-(2**64), 2**64 - 1)
    | st.text(max_size=30)
    | st.binary(max_size=30)
)
VALUES = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.integers(0, 300) | st.text(max_size=4), inner, max_size=4)
        | st.builds(cbor2.CBORTag, st.sampled_from((18, 98, 107, 1070)), inner)
    ),
    max_leaves=10,
)


@given(VALUES, st.binary(max_size=3))
def test_an_item_ends_where_it_ends(value: object, before: bytes) -> None:
    wire = encode(value)
    assert item_end(before + wire + UNREAD, len(before)) == len(before + wire)


NESTS = {"arrays": b"\x81", "maps": b"\xa1\x00", "tags": b"\xd2", "maps by key": b"\xa1"}


@pytest.mark.parametrize("around", NESTS.values(), ids=NESTS)
def test_items_nest_as_deep_as_the_limit_and_no_deeper(around: bytes) -> None:
    after = b"\x00" if around == b"\xa1" else b""
    deepest = around * CBOR_DEPTH_MAX + b"\x00" + after * CBOR_DEPTH_MAX
    assert item_end(deepest, 0) == len(deepest)
    malformed(item_end, around + deepest + after, 0)


@pytest.mark.parametrize("around", [b"\x81", b"\xa1\x00", b"\xd2"], ids=["arrays", "maps", "tags"])
def test_documents_nest_as_deep_as_the_limit_and_no_deeper(around: bytes) -> None:
    deepest = around * (CBOR_DEPTH_MAX - 1) + b"\x80"
    assert encode(decode(deepest)) == deepest
    malformed(decode, around * 2 + deepest)


@pytest.mark.parametrize("around", ["81", "a100", "d2", "8100", "81a100", "d281", "a10081", "a100a100"])
@pytest.mark.parametrize("value", ["f93e00", "f7", "fb3ff8000000000000", "c000", "d9d9f700", "f0"])
def test_a_type_without_a_place_is_refused_wherever_it_hides(around: str, value: str) -> None:
    wrapped = around.replace("8100", "8200") + value
    malformed(decode, bytes.fromhex(wrapped))


@pytest.mark.parametrize("hexed", ["a201000100", "bf0100ff", "9f00ff", "7f6161ff", "5f4100ff", "819f00ff"])
def test_keys_twice_and_lengths_left_open_are_refused(hexed: str) -> None:
    malformed(decode, bytes.fromhex(hexed))
