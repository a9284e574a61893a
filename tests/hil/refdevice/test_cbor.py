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

from .build import Core, Source
from .cbor_of_c import MOST, NONE, Cbor, Writer, accepted

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
    verdicts = {Cbor(core, data).whole(), Cbor(core, data, at=0).whole(), Cbor(core, data, at=4_093).whole()}
    anything = ctypes.byref(ctypes.c_uint8.in_dll(core.lib, "tn_any"))
    verdicts.add(bool(core.lib.tn_fits(core.in_memory(data), anything, None) & 1))
    assert len(verdicts) == 1, data.hex()
    return verdicts.pop()


@given(VALUES | TAGGED)
def test_what_python_encodes_is_taken(core_library: Core, value: object) -> None:
    data = encode(value)
    assert whole(core_library, data)
    if data:
        assert not whole(core_library, data[:-1])
        assert not whole(core_library, data + b"\x00")


@given(VALUES)
def test_what_is_read_item_by_item_is_what_was_encoded(core_library: Core, value: object) -> None:
    reader = Cbor(core_library, encode(value))
    assert reader.value() == value
    assert reader.ended
    assert reader.peek() == NONE
    assert not reader.reader.bad


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
            assert Cbor(core_library, data).whole() == accepted(data), data.hex()


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
    assert Cbor(core_library, data).whole() == (over <= 0) == accepted(data)
    assert (Cbor(core_library, data).number(kind, 0, MOST) == count) == (over <= 0)


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


@pytest.mark.parametrize("before", [0, 29, 30, 31])
def test_texts_are_utf_8_at_every_edge_of_it(core_library: Core, before: int) -> None:
    """The reader looks at 32 bytes at a time: letters lie across that edge too."""
    for tail in UTF_8:
        text = b"a" * before + tail
        try:
            text.decode()
            valid = True
        except UnicodeDecodeError:
            valid = False
        data = encode(text)
        data = bytes([data[0] + 0x20]) + data[1:]
        assert Cbor(core_library, data).whole() == valid == accepted(data), tail.hex()
        assert (Cbor(core_library, data).string("text") == text) == valid
        assert not Cbor(core_library, data[:-1]).whole()


def test_a_letter_that_goes_on_behind_its_text_is_refused(core_library: Core) -> None:
    for letter in ("é", "漢", "\N{BELL}"):
        for cut in range(1, len(letter.encode())):
            data = b"\x82" + bytes([0x60 + cut]) + letter.encode()
            assert not Cbor(core_library, data).whole()


@pytest.mark.parametrize(
    ("read", "data", "found"),
    [
        (("uint", 9), b"\x09", 9),
        (("uint", 9), b"\x0a", None),
        (("uint", 2**64 - 1), b"\x1b" + b"\xff" * 8, 2**64 - 1),
        (("uint", 9), b"\x20", None),
        (("int",), b"\x1b\x7f" + b"\xff" * 7, 2**63 - 1),
        (("int",), b"\x1b\x80" + bytes(7), None),
        (("int",), b"\x3b\x7f" + b"\xff" * 7, -(2**63)),
        (("int",), b"\x3b\x80" + bytes(7), None),
        (("int",), b"\x00", 0),
        (("int",), b"\x40", None),
        (("bool",), b"\xf5", True),
        (("bool",), b"\xf4", False),
        (("bool",), b"\xf6", None),
        (("bool",), b"\x01", None),
        (("array", 1, 2), b"\x80", None),
        (("array", 1, 2), b"\x81\x00", 1),
        (("array", 1, 2), b"\x82\x00\x00", 2),
        (("array", 1, 2), b"\x83\x00\x00\x00", None),
        (("array", 0, 2), b"\xa0", None),
        (("map", 0, 1), b"\xa0", 0),
        (("map", 0, 1), b"\xa2", None),
        (("map", 0, 1), b"\x80", None),
    ],
)
def test_readers_of_numbers_hold_their_bounds(
    core_library: Core, read: Any, data: bytes, found: object
) -> None:
    reader = Cbor(core_library, data)
    value = reader.number(*read)
    assert value == found
    assert (value is None) == (found is None)
    if found is None:  # spoilt: nothing is read any more
        assert reader.peek() == NONE
        assert reader.number(*read) is None
        assert reader.string("skip") is None
        assert not reader.ended


@pytest.mark.parametrize("kind", ["bytes", "text"])
def test_readers_of_strings_hold_their_bounds(core_library: Core, kind: str) -> None:
    head, other = (0x40, 0x60) if kind == "bytes" else (0x60, 0x40)
    for length in range(6):
        data = bytes([head + length]) + b"abcdef"[:length]
        expected = b"abcdef"[:length] if 2 <= length <= 4 else None
        assert Cbor(core_library, data).string(kind, 2, 4) == expected
        assert Cbor(core_library, data, at=4_090).string(kind, 2, 4) == expected
        assert Cbor(core_library, bytes([other + 3]) + b"abc").string(kind) is None
        if length:
            assert Cbor(core_library, data[:-1]).string(kind) is None


def test_tags_and_null_are_read_where_they_are_asked_for(core_library: Core) -> None:
    assert Cbor(core_library, b"\xd8\x62\x01").plain("tag", 98)
    assert Cbor(core_library, b"\xd9\xd9\xf7\x01").plain("tag", 55_799)
    assert not Cbor(core_library, b"\xd8\x62\x01").plain("tag", 97)
    assert not Cbor(core_library, b"\x18\x62\x01").plain("tag", 98)
    assert Cbor(core_library, b"\xf6").plain("null")
    for data in (b"", b"\xf5", b"\xf7", b"\x16", b"\x40"):
        assert not Cbor(core_library, data).plain("null")


@given(st.lists(st.integers(0, 2**31 + 5), min_size=1, max_size=6))
def test_numbered_keys_rise(core_library: Core, keys: list[int]) -> None:
    reader = Cbor(core_library, b"".join(map(encode, keys)))
    last = ctypes.c_int32(-1)
    for before, key in zip([-1, *keys], keys, strict=False):
        read = reader.plain("key", ctypes.byref(last))
        assert read == (before < key < 2**31)
        if not read:
            break
        assert last.value == key


@given(
    st.lists(
        st.text("aé", max_size=3) | st.sampled_from(["x" * 40, "x" * 31 + "a" * 9]), min_size=1, max_size=6
    )
)
def test_keys_that_are_texts_rise_by_length_and_then_by_bytes(core_library: Core, keys: list[str]) -> None:
    reader = Cbor(core_library, b"".join(map(encode, keys)))
    last = Source(None, 0)
    before = b""
    for key in keys:
        encoded = encode(key)
        read = reader.plain("text_key", 40, ctypes.byref(last))
        assert read == ((len(before), before) < (len(encoded), encoded))
        if not read:
            break
        assert ctypes.string_at(last.address, last.length) == key.encode()
        before = encoded


def test_a_key_that_is_a_text_is_bounded_and_no_other_kind(core_library: Core) -> None:
    for data in (b"\x64abcd", b"\x43abc", b"\x01", b"\x63ab\xff", b""):
        last = Source(None, 0)
        assert not Cbor(core_library, data).plain("text_key", 3, ctypes.byref(last))
        assert last.length == 0


def test_a_reader_may_go_back(core_library: Core) -> None:
    data = encode([1, "x" * 100, {2: b"y" * 50}])
    reader = Cbor(core_library, data)
    for _ in range(3):
        reader.reader.at = 0
        assert reader.value() == [1, "x" * 100, {2: b"y" * 50}]


def test_what_is_passed_over_is_given_back_whole(core_library: Core) -> None:
    first, second = encode({1: [2, "drei"]}), encode("four")
    for at in (None, 0, 100):
        reader = Cbor(core_library, first + second, at)
        assert reader.string("skip") == first
        assert reader.string("skip") == second
        assert reader.ended
        assert reader.string("skip") is None


# The writer.


def written(core: Core, room: int, put: Callable[[Any], None]) -> tuple[bytes, int]:
    """Return what a writer wrote into a room, and how much it counted; behind the room nothing may be touched."""
    place = ctypes.create_string_buffer(b"\xee" * (room + 8), room + 8)
    writer = Writer(ctypes.addressof(place), room, 0)
    put(ctypes.byref(writer))
    assert place.raw[room:] == b"\xee" * 8
    return place.raw[: min(writer.length, room)], writer.length


def put_value(core: Core, writer: Any, value: Any) -> None:
    lib = core.lib
    if value is None:
        lib.tn_put_null(writer)
    elif isinstance(value, bool):
        lib.tn_put_bool(writer, value)
    elif isinstance(value, int):
        if value >= 0:
            lib.tn_put_uint(writer, ctypes.c_uint64(value))
        if value < 0:
            lib.tn_put_int(writer, ctypes.c_int64(value))
    elif isinstance(value, bytes):
        lib.tn_put_bytes(writer, value, len(value))
    elif isinstance(value, str):
        text = value.encode()
        lib.tn_put_text_of(writer, text, len(text))
    elif isinstance(value, list | tuple):
        lib.tn_put_array(writer, len(value))
        for item in value:
            put_value(core, writer, item)
    elif isinstance(value, cbor2.CBORTag):
        lib.tn_put_tag(writer, value.tag)
        put_value(core, writer, value.value)
    else:
        lib.tn_put_map(writer, len(value))
        for key in sorted(value, key=lambda one: (len(encode(one)), encode(one))):
            put_value(core, writer, key)
            put_value(core, writer, value[key])


@given(VALUES | TAGGED)
def test_what_is_written_is_what_python_encodes(core_library: Core, value: object) -> None:
    data = encode(value)
    assert written(core_library, 4_096, lambda to: put_value(core_library, to, value)) == (data, len(data))


@given(VALUES, st.integers(0, 100))
def test_what_does_not_fit_is_counted_and_not_written(core_library: Core, value: object, room: int) -> None:
    data = encode(value)
    assume(len(data) > room)
    _, length = written(core_library, room, lambda to: put_value(core_library, to, value))
    assert length == len(data)


@pytest.mark.parametrize("value", [*(sign * 2**power + more for power in range(63) for sign in (1, -1) for more in (-1, 0)), 2**63 - 1, -(2**63)])  # fmt: skip
def test_numbers_take_the_shortest_head(core_library: Core, value: int) -> None:
    data = encode(value)
    assert (
        written(core_library, 9, lambda to: core_library.lib.tn_put_int(to, ctypes.c_int64(value)))[0] == data
    )
    assert Cbor(core_library, data).number("int") == value


def test_texts_raw_bytes_and_what_lies_in_flash_are_written(core_library: Core) -> None:
    lib = core_library.lib
    core_library.flash_load(77, b"from flash")

    def put(to: Any) -> None:
        lib.tn_put_text(to, b"drei")
        lib.tn_put_bytes_head(to, 10)
        lib.tn_put_source(to, core_library.in_flash(77, 10))
        lib.tn_put_raw(to, b"\xf6", 1)

    assert written(core_library, 100, put)[0] == encode("drei") + encode(b"from flash") + b"\xf6"
    assert written(core_library, 15, put)[1] == 17


def test_a_length_that_cannot_be_stays_too_long(core_library: Core) -> None:
    def put(to: Any) -> None:
        for _ in range(3):
            core_library.lib.tn_put_source(to, core_library.in_flash(0, 0x8000_0001))

    assert written(core_library, 4, put)[1] == MOST


@pytest.mark.parametrize("over", [-1, 0, 1])
def test_what_is_passed_over_ends_before_byte_65536(core_library: Core, over: int) -> None:
    data = encode(b"x" * (65_535 - 3 + over))
    assert len(data) == 65_535 + over
    assert Cbor(core_library, data).whole() == (over <= 0)
    assert Cbor(core_library, data).string("bytes") == b"x" * (65_535 - 3 + over)
