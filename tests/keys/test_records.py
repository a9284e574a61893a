"""Records over bytes, with classes made inside each test: a reader is written when its class is first read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from keys import codec
from keys.cbor import encode
from keys.codec import at, dump, load, pack, unpack
from keys.errors import RefusedError
from keys.reasons import Reason


def make() -> tuple[type[Any], type[Any]]:
    """A record within a record: keys out of order in the class, optional first, between and last."""

    @dataclass(frozen=True, slots=True, kw_only=True)
    class Inner:
        x: int = at(0, codec.uint(9))
        y: int | None = at(23, codec.uint(9), optional=True)

    @dataclass(frozen=True, slots=True, kw_only=True)
    class Outer:
        last: str | None = at(9, codec.text(3), optional=True)
        first: int | None = at(1, codec.uint(9), optional=True)
        inner: Any = at(2, codec.record(Inner))
        some: bytes | None = at(3, codec.blob(2), optional=True)
        number: int = at(4, codec.uint())
        note: str = "not on the wire"

        def __post_init__(self) -> None:
            if self.number == 13:
                raise ValueError("thirteen")

    return Inner, Outer


def refusal(cls: type[Any], data: bytes) -> str:
    with pytest.raises(RefusedError) as caught:
        load(cls, data, size_max=1_000)
    assert caught.value.reason is Reason.MALFORMED
    return caught.value.detail


@pytest.mark.parametrize("first", [None, 0, 9])
@pytest.mark.parametrize("some", [None, b"ab"])
@pytest.mark.parametrize("last", [None, "abc"])
@pytest.mark.parametrize("y", [None, 5])
def test_every_choice_of_optional_fields_comes_back(
    first: int | None, some: bytes | None, last: str | None, y: int | None
) -> None:
    inner, outer = make()
    value = outer(first=first, inner=inner(x=3, y=y), some=some, number=7, last=last)
    packed = {1: first, 2: {0: 3, 23: y} if y is not None else {0: 3}, 3: some, 4: 7, 9: last}
    packed = {key: item for key, item in packed.items() if item is not None}
    assert pack(value) == packed
    assert dump(value) == encode(packed)
    assert load(outer, dump(value), size_max=len(dump(value))) == value
    assert unpack(outer, packed) == value
    assert codec.record(outer).unpack(packed) == value
    assert codec.record(outer).pack(value) == packed
    for cut in range(len(dump(value))):
        refusal(outer, dump(value)[:cut])
    assert "after the end" in refusal(outer, dump(value) + b"\x00")


GOOD = {2: {0: 3}, 4: 7}


@pytest.mark.parametrize(
    ("packed", "detail"),
    [
        ({4: 7}, "Outer lacks inner (key 2)"),
        ({2: {0: 3}}, "Outer lacks number (key 4)"),
        ({}, "Outer lacks inner (key 2)"),
        ({1: 1, 3: b"ab", 9: "a"}, "Outer lacks inner (key 2)"),
        ({**GOOD, 5: 1}, "Outer has no key 5"),
        ({**GOOD, 0: 1}, "Outer has no key 0"),
        ({**GOOD, 10: 1}, "Outer has no key 10"),
        ({**GOOD, "a": 1}, "Outer has no key 'a'"),
        ({**GOOD, -1: 1}, "Outer has no key -1"),
        ({**GOOD, 24: 1}, "Outer has no key 24"),
        ({**GOOD, 1: 10}, "Outer.first: expected an integer from 0 to 9"),
        ({**GOOD, 3: b"abc"}, "Outer.some: expected 2 bytes"),
        ({**GOOD, 9: ""}, "Outer.last: expected 1 to 3 bytes of text"),
        ({**GOOD, 2: {0: 10}}, "Inner.x: expected an integer from 0 to 9"),
        ({**GOOD, 2: {}}, "Inner lacks x (key 0)"),
        ({**GOOD, 2: [3]}, "Inner is not a map"),
        ([1], "Outer is not a map"),
        (7, "Outer is not a map"),
        ("a", "Outer is not a map"),
        ({**GOOD, 4: 13}, "Outer: thirteen"),
    ],
)
def test_a_wrong_record_is_refused_by_the_name_of_what_is_wrong(packed: Any, detail: str) -> None:
    _, outer = make()
    assert refusal(outer, encode(packed)) == detail


@pytest.mark.parametrize(
    "hexed",
    [
        "a2" + "0407" + "02a10003",  # out of order
        "a3" + "02a10003" + "02a10003" + "0407",  # a key twice
        "a3" + "02a10003" + "0407" + "0407",
        "a3" + "0101" + "0101" + "0407",
        "a3" + "02a10003" + "0407" + "0101",  # an optional one too late
        "a3" + "02a10003" + "0407" + "f600",
        "a2" + "02a10003" + "180407",  # a key longer than need be
        "a3" + "02a10003" + "0407" + "6131",
        "b802" + "02a10003" + "0407",  # a head longer than need be
        "bf" + "02a10003" + "0407" + "ff",
        "a1" + "02a10003",
        "a4" + "02a10003" + "0407",
        "c0",
        "9f",
        "ff",
        "",
    ],
)
def test_a_record_has_one_spelling(hexed: str) -> None:
    _, outer = make()
    assert refusal(outer, bytes.fromhex(hexed))


def test_a_long_record_is_read_like_a_short_one() -> None:
    fields: dict[str, Any] = {f"f{key}": at(key, codec.uint(9), optional=key % 2 == 0) for key in range(24)}
    cls = type("Long", (), {"__annotations__": dict.fromkeys(fields, int), **fields})
    long = dataclass(frozen=True, kw_only=True)(cls)
    for value in (long(**dict.fromkeys(fields, 3)), long(**{f"f{key}": key // 3 for key in range(1, 24, 2)})):
        assert load(long, dump(value), size_max=100) == value


@pytest.mark.parametrize(
    ("keys", "fault"),
    [((1, 1), "declares a key twice"), ((1, 24), "more than one byte"), ((-1, 1), "more than one byte")],
)
def test_a_table_that_cannot_be_read_is_a_fault_of_ours(keys: tuple[int, int], fault: str) -> None:
    @dataclass(frozen=True, kw_only=True)
    class Wrong:
        a: int = at(keys[0], codec.uint())
        b: int = at(keys[1], codec.uint())

    with pytest.raises(AssertionError, match=fault):
        dump(Wrong(a=1, b=2))


def test_a_field_is_demanded_unless_it_is_optional() -> None:
    inner, outer = make()
    with pytest.raises(TypeError):
        inner()
    assert (inner(x=1).y, outer(inner=inner(x=1), number=1).first) == (None, None)


def test_a_record_is_as_big_as_allowed_and_no_bigger() -> None:
    inner, _ = make()
    data = dump(inner(x=1))
    assert load(inner, data, size_max=len(data)) == inner(x=1)
    with pytest.raises(RefusedError) as caught:
        load(inner, data, size_max=len(data) - 1)
    assert caught.value.reason is Reason.TOO_BIG


def test_a_reader_is_written_once_for_a_class() -> None:
    inner, _ = make()
    assert codec._record(inner) is codec._record(inner)
