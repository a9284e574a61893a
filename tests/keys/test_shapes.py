"""Every shape over bytes: what it takes, at which place, and what it refuses under which name.

Shapes and readers are made inside each test: what writes a reader is under test as much as the reader.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

import pytest

from keys import shapes
from keys.cbor import decode, encode
from keys.errors import RefusedError
from keys.limits import VERSION_MAX
from keys.reasons import Reason
from keys.shapes import Reader, Shape, Source, whole


class Colour(IntEnum):
    RED = 1
    GREEN = 30


@dataclass(frozen=True)
class Case:
    """A shape with values that it takes, bytes that it names as wrong, and bytes refused before that."""

    make: Callable[[], Shape]
    good: tuple[Any, ...]
    bad: tuple[str, ...]
    odd: tuple[str, ...] = ()


PLAIN = Shape(lambda value: [value], lambda value: value[0])
NUMBERS = (0, 1, 9, 23, 24, 255, 256, 65_535, 65_536, 2**24 - 1, 2**24, 2**32 - 1, 2**32, VERSION_MAX)
LONGER = (
    "1817",
    "1900ff",
    "1a0000ffff",
    "1a000000ff",
    "1b00000000ffffffff",
    "20",
    "40",
    "f5",
    "1c",
    "1f",
    "",
)
CASES = {
    "a small number": Case(lambda: shapes.uint(9), (0, 9), ("0a", "1818", "1a00010000"), LONGER),
    "a number": Case(shapes.uint, NUMBERS, ("1b0020000000000000", "1bffffffffffffffff"), LONGER),
    "a text": Case(
        lambda: shapes.text(4),
        ("a", "abcd", "日", "a\nb", "\u2028"),
        ("60", "656162636465", "611b", "6109", "610d", "6100", "617f", "62c29b"),
        ("61ff", "c161", "62c3", "41", "01", "7801" + "61", "7f6161ff"),
    ),
    "a text or none": Case(lambda: shapes.text(2, bytes_min=0), ("", "ab"), ("63616263", "6100"), ("f6",)),
    "a long text": Case(lambda: shapes.text(300, bytes_min=24), ("x" * 24, "x" * 300), ("77" + "61" * 23,)),
    "a name": Case(
        lambda: shapes.name(9),
        ("a", "a b", "prüfer", "𝄞"),
        ("60", "6120", "626120", "622061", "63610a62", "6a" + "61" * 10, "63e280ae", "67" + "61e281a6" + "626364", "6109"),
        ("61ff", "4161"),
    ),
    "an id": Case(
        lambda: shapes.ident(4),
        ("a", "A.b-", "0_9"),
        ("60", "65" + "61" * 5, "612e", "612d", "615f", "62612f", "620a61", "62610a", "62c3a9", "61ff"),
        ("4161", "01"),
    ),
    "bytes of one length": Case(
        lambda: shapes.blob(2), (b"ab", b"\x00\xff"), ("41aa", "43aabbcc", "626162", "42aa", "5802aabb")
    ),
    "a digest": Case(
        lambda: shapes.blob(32),
        (bytes(32), b"\xff" * 32),
        ("581f" + "00" * 31, "5821" + "00" * 33, "7820" + "61" * 32, "5820" + "00" * 31),
    ),
    "an empty string of bytes": Case(lambda: shapes.blob(0), (b"",), ("4100", "60")),
    "bytes of 255": Case(lambda: shapes.blob(255), (b"x" * 255,), ("58fe" + "00" * 254,)),
    "bytes of 256": Case(lambda: shapes.blob(256), (b"x" * 256,), ("58ff" + "00" * 255,), ("01",)),
    "bytes from 1 to 3": Case(
        lambda: shapes.blob(3, bytes_min=1), (b"a", b"abc"), ("40", "44aabbccdd", "42aa"), ("6161", "8161")
    ),
    "true or false": Case(shapes.boolean, (True, False), ("f6", "00", "01", "f7", "f3")),
    "a member": Case(lambda: shapes.choice(Colour), (Colour.RED, Colour.GREEN), ("00", "02", "181f"), ("20", "f5")),
    "a number or null": Case(lambda: shapes.nullable(shapes.uint(9)), (None, 0, 9), ("0a",), ("f5", "40")),
    "a few": Case(
        lambda: shapes.many(shapes.uint(9), 3, items_min=1),
        ((1,), (1, 2, 9)),
        ("80", "8401010101", "810a", "82000a"),
        ("a10101", "0101", "9f01ff", "8120"),
    ),
    "any few": Case(lambda: shapes.many(shapes.text(3), 2), ((), ("a", "abc")), ("83", "8160")),
    "many": Case(lambda: shapes.many(shapes.uint(9), 300), (tuple([7] * 30), tuple([7] * 300)), ("99012d",)),
    "a row": Case(
        lambda: shapes.row(shapes.uint(9), shapes.text(2), shapes.boolean()),
        ((1, "a", True), (9, "bb", False)),
        ("8201" + "6161", "84016161f500", "830a6161f5", "8301" + "60" + "f5", "83016161f6", "a301"),
        ("8320",),
    ),
    "a row of one": Case(lambda: shapes.row(shapes.uint(9)), ((1,),), ("80", "820101", "01", "810a")),
    "a map": Case(
        lambda: shapes.mapping(shapes.ident(2), shapes.uint(9), 3, items_min=1),
        ({"a": 1}, {"a": 1, "b": 2, "aa": 9}),
        ("a0", "a4", "a1610a", "a1" + "61610a", "a2" + "616101" * 2, "a2" + "616201" + "616101", "a2" + "62616101" + "616201"),
        ("81", "a14101"),
    ),
    "any map": Case(lambda: shapes.mapping(shapes.text(9), shapes.many(shapes.uint(), 1), 2), ({}, {"a": (1,)}), ("a3",)),
    "decoded plainly": Case(lambda: PLAIN, ("a", 1, b"x"), (), ("82", "9f01ff", "8118")),
    "plain ones in an array": Case(lambda: shapes.many(PLAIN, 2), ((), ("a", 1)), ("83810181018101",), ("818118",)),
}  # fmt: skip
GOOD = [
    pytest.param(case, value, id=f"{name} {str(value)[:20]!a}")
    for name, case in CASES.items()
    for value in case.good
]
BAD = [pytest.param(case, bad, id=f"{name} {bad[:20]}") for name, case in CASES.items() for bad in case.bad]
ODD = [pytest.param(case, odd, id=f"{name} {odd[:20]}") for name, case in CASES.items() for odd in case.odd]


def reader(shape: Shape) -> Reader:
    source = Source()
    shape.write(source, "value", "place")
    return source.reader("value")


def refusal(read: Reader, data: bytes) -> RefusedError:
    with pytest.raises(RefusedError) as caught:
        whole(read, data)
    assert caught.value.reason is Reason.MALFORMED
    return caught.value


@pytest.mark.parametrize(("case", "value"), GOOD)
def test_a_value_comes_back_from_wherever_it_stands(case: Case, value: Any) -> None:
    shape = case.make()
    read, wire = reader(shape), encode(shape.pack(value))
    for before in (b"", b"\x00", b"\xff" * 3):
        for after in (b"", b"\x00\x00"):
            found, end = read(before + wire + after, len(before))
            assert found == value
            assert type(found) is type(value)
            assert end == len(before + wire)
    assert whole(read, wire) == value
    assert shape.unpack(decode(wire)) == value
    inside = reader(shapes.row(shapes.uint(), shape, shapes.many(shape, 2), shapes.uint()))
    twice = encode([7, shape.pack(value), [shape.pack(value)] * 2, 2**31])
    assert whole(inside, twice) == (7, value, (value, value), 2**31)


@pytest.mark.parametrize(("case", "value"), GOOD)
def test_a_value_cut_off_or_followed_by_more_is_refused(case: Case, value: Any) -> None:
    shape = case.make()
    read, wire = reader(shape), encode(shape.pack(value))
    for cut in {*range(min(len(wire), 40)), len(wire) - 1}:
        refusal(read, wire[:cut])
    assert "1 bytes after the end" in refusal(read, wire + b"\x00").detail


@pytest.mark.parametrize(("case", "bad"), BAD)
def test_what_is_not_of_the_shape_is_refused_by_the_name_of_its_place(case: Case, bad: str) -> None:
    shape = case.make()
    assert refusal(reader(shape), bytes.fromhex(bad)).detail.startswith("place: ")
    for around in (shapes.many(shape, 1), shapes.row(shape)):
        assert refusal(reader(around), b"\x81" + bytes.fromhex(bad)).detail.startswith("place: ")
    keyed = shapes.mapping(shapes.uint(), shape, 1)
    assert refusal(reader(keyed), b"\xa1\x00" + bytes.fromhex(bad)).detail.startswith("place: ")
    if not bad.startswith("f6"):
        assert refusal(reader(shapes.nullable(shape)), bytes.fromhex(bad)).detail.startswith("place: ")


@pytest.mark.parametrize(("case", "odd"), ODD)
def test_another_type_or_another_form_is_refused(case: Case, odd: str) -> None:
    refusal(reader(case.make()), bytes.fromhex(odd))


def test_a_shape_unpacks_a_value_as_its_reader_reads_bytes() -> None:
    shape = shapes.mapping(shapes.ident(2), shapes.many(shapes.uint(9), 2), 3)
    assert shape.unpack({"a": [1, 2], "b": []}) == {"a": (1, 2), "b": ()}
    with pytest.raises(RefusedError, match="value: expected an integer from 0 to 9"):
        shape.unpack({"a": [10]})


def test_an_absent_value_is_null_and_nothing_else() -> None:
    shape = shapes.nullable(shapes.text(3))
    assert shape.pack(None) is None
    assert shapes.nullable(shapes.many(shapes.uint(), 1)).pack(None) is None
    assert shape.pack("a") == "a"
    assert whole(reader(shapes.row(shape, shape, shape)), encode([None, "a", None])) == (None, "a", None)


def test_a_row_of_another_length_is_never_written() -> None:
    shape = shapes.row(shapes.uint(), shapes.uint())
    for values in ((1,), (1, 2, 3)):
        with pytest.raises(ValueError, match="zip"):
            shape.pack(values)


def test_a_source_gives_every_value_and_variable_its_own_name() -> None:
    source = Source()
    names = [source.fresh(), source.fresh(), source.name(1), source.name(2), source.name(1)]
    assert len(set(names)) == 5
    assert [source.values[name] for name in names[2:]] == [1, 2, 1]
    source.add(f"p = {names[3]}", "x = d[p]")
    with source.block("if x == 5:"):
        source.add("x = 6")
    assert source.reader("x")(bytes((3, 4, 5)), 0) == (6, 2)


def test_a_refusal_of_a_shape_is_malformed_in_its_own_words() -> None:
    with pytest.raises(RefusedError) as caught:
        shapes.refuse("in these words")
    assert (caught.value.reason, caught.value.detail) == (Reason.MALFORMED, "in these words")
