"""What fitted is found item by item: under a number, at a place, by its words; and what is not there is empty."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keys.cbor import encode

from .build import Core
from .cbor_of_c import Items

NUMBERS = st.integers(-(2**63), 2**64 - 1)
KEYS = {number: number if number >= 0 else 0x1F - number for number in range(-24, 24)}
"""Numbers that are keys of one byte, and that byte."""
PLAIN = st.none() | st.booleans() | NUMBERS | st.text(max_size=40) | st.binary(max_size=70)


@given(
    st.dictionaries(
        st.integers(-27, 27) | NUMBERS | st.text(max_size=2) | st.binary(max_size=2), PLAIN, max_size=6
    )
)
def test_what_stands_under_a_number_is_found(core_library: Core, value: dict[Any, Any]) -> None:
    items = Items(core_library, encode(value))
    for key, byte in KEYS.items():
        found = items.step("tn_at", items.first, byte)
        assert (found != 0) == (key in value)
        assert not found or items.value(found) == value[key]


def test_what_is_not_there_is_empty(core_library: Core) -> None:
    items = Items(core_library, b"\xa0")
    assert items.step("tn_at", items.first, 0) == items.step("tn_nth", items.first, 0) == 0
    assert items.step("tn_at", 0, 1) == items.step("tn_nth", 0, 0) == items.number(0) == 0
    assert items.bytes_of("tn_string", 0) == items.bytes_of("tn_whole", 0) == b""
    assert not items.says("tn_is_true", 0)
    assert items.says("tn_is", 0, b"")
    assert items.says("tn_is", 0, None)
    assert not items.says("tn_is", 0, b"x")
    assert not items.says("tn_has", 0, b"")


@pytest.mark.parametrize("number", [0, 1, 2, 3, 2**32 - 1])
def test_an_array_ends_behind_its_last_item(core_library: Core, number: int) -> None:
    items = Items(core_library, encode([7, [8], "neun"]))
    found = items.step("tn_nth", items.first, number)
    assert (items.value(found) if found else None) == {0: 7, 1: [8], 2: "neun"}.get(number)


def test_strings_are_told_by_their_words_and_hashes_by_all_of_their_bytes(core_library: Core) -> None:
    items = Items(core_library, encode(["drei", "", bytes(range(32)), bytes(31)]))
    drei, empty, digest, short = items.within(items.first)
    assert items.says("tn_is", drei, b"drei")
    assert not items.says("tn_is", drei, b"dre")
    assert not items.says("tn_is", drei, b"dreiX")
    assert not items.says("tn_is", drei, None)
    assert items.says("tn_is", empty, None)
    assert items.says("tn_is_hash", digest, bytes(range(32)))
    assert not items.says("tn_is_hash", digest, bytes(31) + b"x")
    assert not items.says("tn_is_hash", short, bytes(32))
    words = Items(core_library, encode(["a", "drei"]))
    assert words.says("tn_has", words.first, b"drei")
    assert words.says("tn_has", words.first, b"a")
    assert not words.says("tn_has", words.first, b"dr")
