"""Bytes that lie in memory or in flash: parts, comparison, texts."""

from __future__ import annotations

import ctypes
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from .build import Core, Source

WHERE = pytest.mark.parametrize("where", ["memory", "flash"])


def put(core: Core, where: str, data: bytes, at: int = 40) -> Source:
    if where == "memory":
        return core.in_memory(data)
    core.flash_load(at, data)
    return core.in_flash(at, len(data))


def read(core: Core, source: Source, start: int, count: int) -> bytes:
    room = ctypes.create_string_buffer(b"\xee" * (count + 4), count + 4)
    core.lib.tn_read(source, start, room, count)
    assert room.raw[count:] == b"\xee" * 4
    return room.raw[:count]


def part(core: Core, source: Source, start: int, length: int) -> Source:
    core.lib.tn_part.restype = Source
    found: Source = core.lib.tn_part(source, ctypes.c_uint32(start), ctypes.c_uint32(length))
    return found


def asked(core: Core, name: str) -> Callable[..., bool]:
    call: Callable[..., bool] = getattr(core.lib, name)
    call.restype = ctypes.c_bool  # type: ignore[attr-defined]
    return call


@WHERE
@pytest.mark.parametrize(
    ("start", "count", "found"),
    [
        (0, 5, b"hello"),
        (1, 3, b"ell"),
        (0, 7, b"hello\0\0"),
        (4, 3, b"o\0\0"),
        (5, 2, b"\0\0"),
        (6, 2, b"\0\0"),
        (0xFFFF_FFFF, 2, b"\0\0"),
        (0, 0, b""),
    ],
)
def test_behind_the_end_everything_is_0(core: Core, where: str, start: int, count: int, found: bytes) -> None:
    assert read(core, put(core, where, b"hello"), start, count) == found


@WHERE
@pytest.mark.parametrize(
    ("start", "length", "found"),
    [
        (0, 5, b"hello"),
        (1, 4, b"ello"),
        (1, 0, b""),
        (5, 0, b""),
        (1, 5, b""),
        (6, 0, b""),
        (6, 1, b""),
        (0, 0xFFFF_FFFF, b""),
        (0xFFFF_FFFF, 2, b""),
        (3, 0xFFFF_FFFE, b""),
    ],
)
def test_a_part_that_does_not_fit_is_empty(
    core: Core, where: str, start: int, length: int, found: bytes
) -> None:
    piece = part(core, put(core, where, b"hello"), start, length)
    assert read(core, piece, 0, piece.length) == found
    again = part(core, piece, 1, max(piece.length - 1, 0))
    assert read(core, again, 0, again.length) == found[1:]


def sign(number: int) -> int:
    return (number > 0) - (number < 0)


@given(st.binary(max_size=80), st.binary(max_size=80), st.booleans())
def test_two_places_are_compared_as_their_bytes_are(
    core_library: Core, one: bytes, other: bytes, same: bool
) -> None:
    other = one if same else other
    left, right = put(core_library, "flash", one), put(core_library, "memory", other)
    order = (len(one), one) > (len(other), other)
    order -= (len(one), one) < (len(other), other)
    assert sign(core_library.lib.tn_order(left, right)) == order
    assert asked(core_library, "tn_same")(left, right) == (one == other)
    assert asked(core_library, "tn_equals")(left, other, len(other)) == (one == other)
    count = min(len(one), len(other))
    order = (one[:count] > other[:count]) - (one[:count] < other[:count])
    assert sign(core_library.lib.tn_compare(one, other, count)) == order


@WHERE
@pytest.mark.parametrize("length", [1, 31, 32, 33, 64])
def test_one_byte_makes_two_places_differ(core: Core, where: str, length: int) -> None:
    data = bytes(length)
    for at in range(length):
        other = data[:at] + b"\x01" + data[at + 1 :]
        assert not asked(core, "tn_same")(put(core, where, data), put(core, where, other, 400))
        assert core.lib.tn_order(put(core, where, data), put(core, where, other, 400)) < 0


@WHERE
@pytest.mark.parametrize(
    ("data", "room", "found", "text"),
    [
        (b"name", 5, True, b"name"),
        (b"name", 4, False, b""),
        (b"name", 0, False, None),
        (b"", 1, True, b""),
        (b"na\0e", 9, False, b"na"),
        (b"\0", 9, False, b""),
    ],
)
def test_a_text_ends_with_0_and_has_none_in_it(
    core: Core, where: str, data: bytes, room: int, found: bool, text: bytes | None
) -> None:
    place = ctypes.create_string_buffer(b"\xee" * 12, 12)
    assert asked(core, "tn_text")(put(core, where, data), place, room) == found
    assert place.raw[room:] == b"\xee" * (12 - room)
    if text is not None:
        assert place.value == text


def test_memory_is_copied_and_filled_and_measured(core: Core) -> None:
    place = ctypes.create_string_buffer(b"0123456789", 10)
    core.lib.tn_copy(ctypes.byref(place, 2), b"abc", 3)
    assert place.raw == b"01abc56789"
    core.lib.tn_copy(place, ctypes.byref(place, 2), 5)  # forwards over itself
    assert place.raw == b"abc5656789"
    core.lib.tn_fill(ctypes.byref(place, 8), 0x7A, 2)
    assert place.raw == b"abc56567zz"
    assert [core.lib.tn_length(text) for text in (b"", b"a", b"four")] == [0, 1, 4]
