"""The C device reads and writes the same CBOR as ``keys.cbor``, from memory and from flash."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any

import cbor2
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from keys.cbor import TAGS_ALLOWED, encode
from keys.limits import CBOR_DEPTH_MAX, CBOR_ITEMS_MAX

from .build import Core
from .cbor_of_c import MOST, Items, Writer, accepted
from .shape_of_c import ANY, Row, taken

NUMBERS = st.integers(-(2**63), 2**64 - 1)
SIMPLE = st.integers(-(2**63), 2**64 - 1) | st.text(max_size=40) | st.binary(max_size=40)
# Not of booleans: Python holds [True] and [1] to be one key, as no other reader does.
KEYS = SIMPLE | st.recursive(SIMPLE, lambda inner: st.lists(inner, max_size=3).map(tuple), max_leaves=4)
PLAIN = st.none() | st.booleans() | NUMBERS | st.text(max_size=40) | st.binary(max_size=70)
VALUES = st.recursive(
    PLAIN,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)
TAGGED = st.builds(cbor2.CBORTag, st.sampled_from(sorted(TAGS_ALLOWED)), VALUES)


def whole(core: Core, data: bytes) -> bool:
    """Say whether the C device takes these bytes for one item; wherever they lie, it says the same."""
    verdicts = {
        Items(core, data).whole(),
        Items(core, data, at=0).whole(),
        Items(core, data, at=4_093).whole(),
    }
    assert len(verdicts) == 1, data.hex()
    return verdicts.pop()


@given(VALUES | TAGGED)
def test_what_python_encodes_is_taken(core_library: Core, value: object) -> None:
    data = encode(value)
    assert whole(core_library, data)
    if data:
        assert not whole(core_library, data[:-1])
        assert not whole(core_library, data + b"\x00")


@given(VALUES | TAGGED)
def test_what_is_read_item_by_item_is_what_was_encoded(core_library: Core, value: object) -> None:
    data = encode(value)
    for at in (None, 4_093):
        items = Items(core_library, data, at)
        assert encode(items.value(items.first)) == data
        assert items.value(items.first) == _listed(value)
        assert items.bytes_of("tn_whole", items.first) == data


def _listed(value: Any) -> Any:
    """Arrays are lists to who reads them, but for keys."""
    if isinstance(value, cbor2.CBORTag):
        return cbor2.CBORTag(value.tag, _listed(value.value))
    if isinstance(value, dict):
        return {key: _listed(held) for key, held in value.items()}
    return [_listed(held) for held in value] if isinstance(value, list | tuple) else value


@settings(max_examples=600)
@given(
    VALUES | TAGGED,
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 400), st.integers(0, 255)), max_size=3),
)
def test_a_mutated_item_gets_the_same_verdict(
    core_library: Core, value: object, changes: list[tuple[int, int, int]]
) -> None:
    data = bytearray(encode(value))
    for how, where, byte in changes:
        at = where % len(data) if data else 0
        if how == 0 and data:
            data[at] = byte
        elif how == 1 and data:
            data[at] ^= 1 << byte % 8
        elif how == 2:
            data.insert(at, byte)
        elif data:
            del data[at]
    assert whole(core_library, bytes(data)) == accepted(bytes(data))


@settings(max_examples=400)
@given(st.binary(max_size=40))
def test_any_bytes_get_the_same_verdict(core_library: Core, data: bytes) -> None:
    assert whole(core_library, data) == accepted(data)


@pytest.mark.parametrize("second", range(0, 256, 5))
def test_every_first_byte_gets_the_same_verdict(core_library: Core, second: int) -> None:
    for first in range(256):
        for tail in (b"", bytes([second]), bytes([second]) + bytes(8), bytes([second]) * 40):
            data = bytes([first]) + tail
            assert Items(core_library, data).whole() == accepted(data), data.hex()


@pytest.mark.parametrize(
    ("hexed", "taken"),
    [
        ("", False),  # nothing at all
        ("17", True),
        ("1817", False),  # 23 in two bytes
        ("1818", True),
        ("18ff", True),
        ("1900ff", False),
        ("190100", True),
        ("19ffff", True),
        ("1a0000ffff", False),
        ("1a00010000", True),
        ("1b00000000ffffffff", False),
        ("1b0000000100000000", True),
        ("1bffffffffffffffff", True),
        ("3bffffffffffffffff", True),
        ("1c", False),  # reserved
        ("1f", False),
        ("5f4101ff", False),  # indefinite
        ("7f6161ff", False),
        ("9f01ff", False),
        ("bf0102ff", False),
        ("ff", False),
        ("f4", True),
        ("f5", True),
        ("f6", True),
        ("f7", False),  # undefined
        ("f3", False),
        ("e0", False),
        ("f820", False),
        ("f93c00", False),  # floats
        ("fa3f800000", False),
        ("fb3ff0000000000000", False),
        ("a201010102", False),  # a key twice
        ("a202010102", False),  # out of order
        ("a201010202", True),
        ("a220011818 01", True),  # -1 before 24: the shorter first
        ("a218180120 01", False),
        ("a26001190100 01", True),
        ("a217012001", True),
        ("a220011701", False),
        ("a241610161 6101", True),  # bytes before texts
        ("a2616101416101", False),
        ("a261610162616101", True),
        ("a262616101616101", False),
        ("a1f501", False),  # keys of other kinds
        ("a1f601", False),
        ("a1a001", False),
        ("a18001", True),  # arrays may be keys: SUIT names components so
        ("a28001810101", True),
        ("a28101018001", False),
        ("a2810101810201", True),
        ("a2810101810101", False),
        ("a2810201810101", False),
        ("a18181a10102a10304", True),
        ("a18181a1010203", True),  # and hold what they like
        ("a18182a1010203a103", False),
        ("a1010281", False),
        ("a1d26001", False),
        ("c074323031332d30332d32315432303a30343a30305a", False),  # a date
        ("c249010000000000000000", False),
        ("d9d9f701", False),
        ("d101", True),
        ("d201", True),
        ("d301", False),
        ("d86101", True),
        ("d86201", True),
        ("d86301", False),
        ("d86b01", True),
        ("d9042e01", True),
        ("d9042f01", False),
        ("da0000006201", False),
        ("db000000010000006201", False),
        ("9b7fffffffffffffff", False),
        ("bb8000000000000001", False),
        ("5b7fffffffffffffff", False),
        ("5affffffff", False),
        ("7bffffffffffffffff", False),
        ("0000", False),
    ],
)
def test_the_strict_form(core_library: Core, hexed: str, taken: bool) -> None:
    data = bytes.fromhex(hexed.replace(" ", ""))
    assert whole(core_library, data) == taken
    assert accepted(data) == taken


@pytest.mark.parametrize("over", [-1, 0, 1, 2])
@pytest.mark.parametrize(
    ("wrap", "leaf"),
    [(b"\x81", b"\x01"), (b"\x81", b"\x80"), (b"\x81", b"\xa0"), (b"\xa1\x01", b"\x01"), (b"\xd2", b"\x40")],
)
def test_the_limit_of_nesting(core_library: Core, wrap: bytes, leaf: bytes, over: int) -> None:
    data = wrap * (CBOR_DEPTH_MAX + over) + leaf
    assert whole(core_library, data) == (over <= 0) == accepted(data)


@pytest.mark.parametrize("over", [-1, 0, 1])
@pytest.mark.parametrize("kind", ["array", "map"])
def test_the_limit_of_items(core_library: Core, kind: str, over: int) -> None:
    count = CBOR_ITEMS_MAX + over
    data = encode([0] * count if kind == "array" else dict.fromkeys(range(count), 0))
    assert Items(core_library, data).whole() == (over <= 0) == accepted(data)
    assert taken(core_library, data, Row("ARRAY" if kind == "array" else "MAP", 65_535, (ANY, ANY))) == (
        over <= 0
    )


UTF_8 = [
    *(bytes([lead]) for lead in range(256)),
    *(bytes([lead, 0x80]) for lead in range(0x80, 256)),
    *(
        bytes([lead, second, 0x80])
        for lead in range(0xE0, 0xF0)
        for second in (0x7F, 0x80, 0x9F, 0xA0, 0xBF, 0xC0)
    ),
    *(
        bytes([lead, second, 0xBF, 0xBF])
        for lead in range(0xF0, 0xF8)
        for second in (0x7F, 0x80, 0x8F, 0x90, 0xBF, 0xC0)
    ),
    *(bytes([0xF1, 0x80, third, last]) for third in (0x7F, 0x80, 0xC0) for last in (0x7F, 0xBF, 0xC0)),
]


@pytest.mark.parametrize("before", [0, 1, 23, 40])
def test_texts_are_utf_8_at_every_edge_of_it(core_library: Core, before: int) -> None:
    for tail in UTF_8:
        text = b"a" * before + tail
        try:
            text.decode()
            valid = True
        except UnicodeDecodeError:
            valid = False
        data = encode(text)
        data = bytes([data[0] + 0x20]) + data[1:]
        assert Items(core_library, data).whole() == valid == accepted(data), tail.hex()
        assert taken(core_library, data, Row("TEXT", 64)) == valid
        assert not Items(core_library, data[:-1]).whole()


def test_a_letter_that_goes_on_behind_its_text_is_refused(core_library: Core) -> None:
    for letter in ("é", "漢", "\N{BELL}"):
        for cut in range(1, len(letter.encode())):
            data = b"\x82" + bytes([0x60 + cut]) + letter.encode()
            assert not Items(core_library, data).whole()


@pytest.mark.parametrize("over", [-1, 0, 1])
@pytest.mark.parametrize("first", [0x59, 0x79])
def test_a_string_may_have_more_bytes_than_16_bits_count(core_library: Core, first: int, over: int) -> None:
    data = encode(b"x" * (65_535 + over))
    data = bytes((data[0] - 0x40 + (first & 0x60),)) + data[1:]
    assert accepted(data)
    assert Items(core_library, data).whole()
    assert not Items(core_library, data[:-1]).whole()


# The writer.


def written(core: Core, room: int, put: Callable[[], None]) -> tuple[bytes, int]:
    """Return what was written into a room, and how much was counted; behind the room nothing may be touched."""
    place = ctypes.create_string_buffer(b"\xee" * (room + 8), room + 8)
    core.lib.tn_write_to(place, room)
    put()
    writer = Writer.in_dll(core.lib, "tn_written")
    assert place.raw[room:] == b"\xee" * 8
    return place.raw[: min(writer.length, room)], writer.length


def put_value(core: Core, value: Any) -> None:
    lib = core.lib
    if value is None:
        lib.tn_put_null()
    elif isinstance(value, bool):
        lib.tn_put_bool(value)
    elif isinstance(value, int):
        if value >= 0:
            lib.tn_put_uint(ctypes.c_uint64(value))
        if value < 0:
            lib.tn_put_int(ctypes.c_int64(value))
    elif isinstance(value, bytes):
        lib.tn_put_bytes(value, len(value))
    elif isinstance(value, str):
        text = value.encode()
        lib.tn_put_text_of(text, len(text))
    elif isinstance(value, list | tuple):
        lib.tn_put_array(len(value))
        for item in value:
            put_value(core, item)
    elif isinstance(value, cbor2.CBORTag):
        lib.tn_put_tag(value.tag)
        put_value(core, value.value)
    else:
        lib.tn_put_map(len(value))
        for key in sorted(value, key=lambda one: (len(encode(one)), encode(one))):
            put_value(core, key)
            put_value(core, value[key])


@given(VALUES | TAGGED)
def test_what_is_written_is_what_python_encodes(core_library: Core, value: object) -> None:
    data = encode(value)
    assert written(core_library, 4_096, lambda: put_value(core_library, value)) == (data, len(data))


@given(VALUES, st.integers(0, 100))
def test_what_does_not_fit_is_counted_and_not_written(core_library: Core, value: object, room: int) -> None:
    data = encode(value)
    assume(len(data) > room)
    _, length = written(core_library, room, lambda: put_value(core_library, value))
    assert length == len(data)


@pytest.mark.parametrize("value", [*(sign * 2**power + more for power in range(63) for sign in (1, -1) for more in (-1, 0)), 2**63 - 1, -(2**63)])  # fmt: skip
def test_numbers_take_the_shortest_head(core_library: Core, value: int) -> None:
    data = encode(value)
    assert written(core_library, 9, lambda: core_library.lib.tn_put_int(ctypes.c_int64(value)))[0] == data
    items = Items(core_library, data)
    assert items.value(items.first) == value


def test_texts_raw_bytes_and_what_lies_in_flash_are_written(core_library: Core) -> None:
    lib = core_library.lib
    core_library.flash_load(77, b"from flash")

    def put() -> None:
        lib.tn_put_text(b"drei")
        lib.tn_put_bytes_head(10)
        lib.tn_put_source(core_library.in_flash(77, 10))
        lib.tn_put_raw(b"\xf6", 1)

    assert written(core_library, 100, put)[0] == encode("drei") + encode(b"from flash") + b"\xf6"
    assert written(core_library, 15, put)[1] == 17


def test_a_length_that_cannot_be_stays_too_long(core_library: Core) -> None:
    def put() -> None:
        for _ in range(3):
            core_library.lib.tn_put_source(core_library.in_flash(0, 0x8000_0001))

    assert written(core_library, 4, put)[1] == MOST
