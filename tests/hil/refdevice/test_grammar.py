"""Shapes of the C device: each takes what it says, to its last byte and its largest number, and nothing beside it."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keys.cbor import encode

from .build import Core
from .shape_of_c import ANY, END, Row, beyond, taken

NINE = Row("UINT", 9)
FLAG = Row("BOOL")
TWO_KEYS = (Row("TEXT", 3), NINE)

RIGHT_AND_WRONG = {
    # Numbers: -1, 0, +1 of their bounds; and what is none.
    NINE: ("00 08 09", "0a 20 41 49 f6 f4 80 1800 1b8000000000000000"),
    Row("UINT", 0): ("00", "01"),
    Row("UINT", 0xFFFF): ("19fffe 19ffff", "1a00010000"),
    Row("UINT32"): ("00 1afffffffe 1affffffff", "1b0000000100000000 20"),
    Row("UINT53"): ("00 1b001ffffffffffffe 1b001fffffffffffff", "1b0020000000000000 1bffffffffffffffff 20"),
    Row("PAUSE"): ("00 1a01e1337f 1a01e13380", "1a01e13381 20"),
    FLAG: ("f4 f5", "f6 f3 f7 14 15 00"),
    Row("UINT OR_NULL", 9): ("09 f6", "0a f5 f7"),
    # Strings, by their length.
    Row("BYTES", 4): ("4461626364", "43616263 456162636465 6461626364 40 446162"),
    Row("BYTES OR_NULL", 1): ("4161 f6", "40 426161"),
    Row("UP_TO", 4): ("40 43616263 4461626364", "456162636465 6161 f6 01"),
    Row("UP_TO SOME", 4): ("4161 4461626364", "40 456162636465"),
    Row("IDENT", 4): ("6161 63616263 6461626364", "60 656162636465 4161 01 6120 612d 6161610161"),
    Row("NAME", 4): ("6161 6461626364", "60 656162636465 4161 6120 610a"),
    Row("WORDS", 4): ("6161 6461626364 6120 610a", "60 656162636465 4161 6100"),
    Row("TEXT", 4): ("60 6100 63616263 6461626364", "656162636465 4161 61ff 62c3"),
    Row("TEXT SOME", 4): ("6161", "60"),
    # Of any kind, if strict.
    ANY: ("00 20 40 60 80 a0 f6 d20a a10a6161 8181f4", "1800 f7 a201010101 c000 8201"),
    # Containers, by their count and by what is in them.
    Row("ARRAY", 2, (NINE,)): ("80 8109 820909", "83090909 810a 820900ff 82090a a10909 f6 420909"),
    Row("ARRAY SOME", 2, (NINE,)): ("8100 820000", "80 83000000"),
    Row("ARRAY OR_NULL", 2, (NINE,)): ("80 820000 f6", "81f6 83000000"),
    Row("ARRAY", 1, (Row("ARRAY", 1, (NINE,)),)): ("80 8180 818109", "8109 81810a 828080 81818109"),
    Row("MAP", 2, TWO_KEYS): (
        "a0 a1616100 a2616100616209",
        "a3616100616200616300 a161610a a1410100 a2616200616100 a2616100616101 a10000",
    ),
    Row("MAP SOME", 2, TWO_KEYS): ("a1616100", "a0"),
    Row("MAP OR_NULL", 2, TWO_KEYS): ("a0 f6", "80 f5"),
    Row("FIELDS", 2, TWO_KEYS): (
        "a0 a2616100616209",
        "a3616100616200616300 a161610a a1410100 80 f6",
    ),
    Row("TUPLE", 2, (NINE, FLAG)): ("8209f5", "8109 8309f5f5 82f509 820af5 8209f6 80 a109f5"),
    Row("TUPLE OR_NULL", 2, (NINE, FLAG)): ("8200f4 f6", "82f6f4 8100"),
    Row("TUPLE", 2, (Row("TUPLE", 1, (NINE,)), FLAG)): ("828109f5", "8209f5 828209f5 828209f5f5 8281f5f5"),
    Row("TAG", 98, (NINE,)): ("d86209", "d86109 d8620a 09 d86240 d209 d862d86209"),
    Row("TAG", 97, (Row("ARRAY", 1, (NINE,)),)): ("d86180 d8618109", "d861810a d86100 d86280 d861820909"),
    # A byte string with one item, which ends where the string does.
    Row("INSIDE", 4, (Row("UINT", 0xFFFF),)): (
        "4100 421818 43190100",
        "40 420000 4118 421817 4120 456162636465 00 f6 6100",
    ),
    Row("INSIDE", 4, (Row("ARRAY", 3, (NINE,)),)): (
        "4180 428109 4483000000",
        "418100 4181 428100f5 43820000f6 458400000000",
    ),
    Row("INSIDE OR_NULL", 4, (NINE,)): ("4109 f6", "410a f5"),
    Row("INSIDE", 9, (Row("INSIDE", 9, (NINE,)),)): ("424109", "42410a 420909 4109 43410909 4141"),
}
"""Shape -> encodings that it takes, and encodings that it refuses; empty ones and longer ones it refuses anyway."""


@pytest.mark.parametrize("row", RIGHT_AND_WRONG, ids=lambda row: f"{row.kind} {row.most}")
def test_a_shape_takes_what_is_right_and_refuses_what_is_not(core_library: Core, row: Row) -> None:
    right, wrong = RIGHT_AND_WRONG[row]
    for data in map(bytes.fromhex, right.split()):
        assert taken(core_library, data, row), data.hex()
        assert not taken(core_library, data + b"\x00", row), data.hex()
        assert not taken(core_library, data[:-1], row), data.hex()
    for data in map(bytes.fromhex, wrong.split()):
        assert not taken(core_library, data, row), data.hex()
    assert not taken(core_library, b"", row)


@pytest.mark.parametrize("kind", ["IDENT", "NAME", "WORDS", "TEXT", "BYTES", "UP_TO"])
@pytest.mark.parametrize("most", [23, 24, 64, 255, 256, 1_024])
def test_strings_of_every_length_of_head_are_bounded(core_library: Core, kind: str, most: int) -> None:
    for length in (most - 1, most, most + 1):
        data = encode("x" * length if kind not in {"BYTES", "UP_TO"} else b"x" * length)
        expected = length == most if kind == "BYTES" else length <= most
        assert taken(core_library, data, Row(kind, most)) == expected, length


# Keys.

KEYS = st.lists(
    st.integers(-30, 300)
    | st.text("ab", max_size=3)
    | st.binary(max_size=2)
    | st.lists(st.integers(0, 2), max_size=2),
    max_size=4,
)


@given(KEYS)
def test_keys_rise_and_none_comes_twice(core_library: Core, keys: list[object]) -> None:
    encoded = [encode(key) for key in keys]
    data = bytes((0xA0 + len(keys),)) + b"".join(key + b"\x00" for key in encoded)
    rising = all((len(one), one) < (len(next_), next_) for one, next_ in pairwise(encoded))
    assert taken(core_library, data, ANY) == rising
    assert taken(core_library, data, Row("MAP", 4, (ANY, ANY))) == rising


@pytest.mark.parametrize("hexed", ["a2616200616100", "a2616100616101", "a262616100616200"])
def test_keys_of_fields_come_in_any_order(core_library: Core, hexed: str) -> None:
    assert taken(core_library, bytes.fromhex(hexed), Row("FIELDS", 2, TWO_KEYS))


# Records: 1 and 5 have to be there, 2 and a text need not.

SLIP = Row("RECORD", of=(
    Row("UINT", 9, key=1),
    Row("IDENT OPTIONAL", 3, key=2),
    Row("BOOL", key=5),
    Row("ARRAY OPTIONAL", 2, (NINE,), key=7),
    END,
))  # fmt: skip


@pytest.mark.parametrize(
    ("hexed", "verdict"),
    [
        ("a20109 05f5", "taken"),
        ("a30109 026161 05f5", "taken"),
        ("a30109 05f5 0780", "taken"),
        ("a40109 026161 05f5 07820000", "taken"),
        ("a0", "refused"),  # all is missing
        ("a10109", "refused"),  # the last is missing
        ("a105f5", "refused"),  # the first
        ("a20109 026161", "refused"),
        ("a2026161 05f5", "refused"),
        ("a20109 0780", "refused"),
        ("a3010901 0905f5", "refused"),  # doubled
        ("a30109 05f505f5", "refused"),
        ("a40109 026161 026161 05f5", "refused"),
        ("a205f5 0109", "refused"),  # misplaced
        ("a3026161 0109 05f5", "refused"),
        ("a30109 05f5 026161", "refused"),
        ("a2010a 05f5", "refused"),  # no such value
        ("a20109 05f6", "refused"),
        ("a30109 02622d61 05f5", "refused"),
        ("a30109 05f5 07830000 00", "refused"),
        ("a30109 0300 05f5", "beyond"),  # unknown
        ("a30109 05f5 0600", "beyond"),
        ("a30109 05f5 0800", "beyond"),
        ("a30000 0109 05f5", "beyond"),
        ("a30109 05f5 2000", "beyond"),
        ("a30109 05f5 616100", "beyond"),
        ("a30109 05f5 8000", "beyond"),
        ("a30109 05f5 181900", "beyond"),
        ("8401 0905f5", "refused"),
        ("f6", "refused"),
        ("a20109 05", "refused"),
        ("a30109 05f5", "refused"),
    ],
)
def test_a_record_has_its_entries_each_once_and_in_their_order(
    core_library: Core, hexed: str, verdict: str
) -> None:
    data = bytes.fromhex(hexed.replace(" ", ""))
    assert taken(core_library, data, SLIP) == (verdict == "taken")
    assert beyond(core_library) == (verdict == "beyond")
    within = Row("TUPLE", 2, (SLIP, NINE))
    assert taken(core_library, b"\x82" + data + b"\x09", within) == (verdict == "taken")


def test_an_entry_or_a_record_may_be_null_where_it_says_so(core_library: Core) -> None:
    entry = Row("RECORD OR_NULL", of=(Row("UINT OR_NULL OPTIONAL", 9, key=1), END))
    for data, expected in ((b"\xf6", True), (b"\xa1\x01\xf6", True), (b"\xa1\x01\x09", True), (b"\xa0", True),
                           (b"\xa1\x01\xf5", False), (b"\xf5", False)):  # fmt: skip
        assert taken(core_library, data, entry) == expected, data.hex()


def test_a_text_in_a_record_stands_for_all_the_smaller_keys(core_library: Core) -> None:
    row = Row("RECORD", of=(Row("TEXT OPTIONAL", 3, key=5), Row("UINT", 9, key=7), END))
    for value, expected in (
        ({7: 0}, True),
        ({1: "a", 7: 0}, True),
        ({1: "a", 2: "", 5: "abc", 7: 0}, True),
        ({1: "a", 5: 5, 7: 0}, False),
        ({5: "abcd", 7: 0}, False),
        ({0: "a", 7: 0}, False),
        ({6: "a", 7: 0}, False),
        ({1: "a"}, False),
    ):
        assert taken(core_library, encode(value), row) == expected, value


def test_the_entries_of_its_own_follow_where_a_record_says_so(core_library: Core) -> None:
    common = Row("RECORD", of=(Row("UINT", 9, key=1), Row("OWN")))
    own = (Row("BOOL", key=10), Row("UINT OPTIONAL", 9, key=11), END)
    for value, expected in (
        ({1: 9, 10: True}, True),
        ({1: 9, 10: True, 11: 9}, True),
        ({1: 9}, False),
        ({10: True}, False),
        ({1: 9, 11: 9}, False),
        ({1: 9, 10: True, 11: 10}, False),
        ({1: 9, 10: True, 12: 0}, False),
    ):
        assert taken(core_library, encode(value), common, own=own) == expected, value
    assert taken(core_library, encode({1: 9}), common, own=(END,))


# Steps: keys and values in turn, in any order and number.

STEPS = Row("STEPS", 6, (Row("UINT OPTIONAL", 9, key=1), Row("BOOL OPTIONAL", key=2), END))


@pytest.mark.parametrize(
    ("hexed", "verdict"),
    [
        ("80", "taken"),
        ("820109", "taken"),
        ("8402f50109", "taken"),
        ("86010901000105", "taken"),
        ("8101", "refused"),  # a key without its value
        ("83010902", "refused"),
        ("8801090109 01090109", "refused"),  # too many
        ("82010a", "refused"),
        ("8202f6", "refused"),
        ("820300", "beyond"),
        ("840109 0300", "beyond"),
        ("820000", "beyond"),
        ("822000", "beyond"),
        ("a10109", "refused"),
        ("41 80", "beyond"),  # severed: its digest stands here
    ],
)
def test_steps_are_keys_and_values_in_turn(core_library: Core, hexed: str, verdict: str) -> None:
    data = bytes.fromhex(hexed.replace(" ", ""))
    assert taken(core_library, data, STEPS) == (verdict == "taken")
    assert beyond(core_library) == (verdict == "beyond")


def test_what_is_severed_is_told_from_what_is_wrong(core_library: Core) -> None:
    inside = Row("INSIDE", 9, (NINE,))
    for data, severed in ((b"\x82\x2f\x41\x00", True), (b"\x80", True), (b"\x00", False), (b"\x61a", False)):
        assert not taken(core_library, data, inside)
        assert beyond(core_library) == severed, data.hex()
    assert taken(core_library, b"\x41\x09", inside)
    assert not beyond(core_library)
