from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keys import codec
from keys.cbor import encode
from keys.codec import Shape, at, dump, load, pack, unpack
from keys.errors import RefusedError
from keys.limits import VERSION_MAX
from keys.reasons import Reason


class Colour(IntEnum):
    RED = 1
    BLUE = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Inner:
    x: int = at(1, codec.uint(9))


@dataclass(frozen=True, slots=True, kw_only=True)
class Outer:
    number: int = at(1, codec.uint())
    name: str = at(2, codec.name(8))
    colour: Colour = at(3, codec.choice(Colour))
    inner: tuple[Inner, ...] = at(4, codec.many(codec.record(Inner), 2))
    flag: bool = at(5, codec.boolean())
    pair: tuple[int, bytes] | None = at(6, codec.row(codec.uint(5), codec.blob(2)), optional=True)
    table: dict[str, int] | None = at(7, codec.mapping(codec.ident(4), codec.uint(), 2), optional=True)
    note: str = "not on the wire"

    def __post_init__(self) -> None:
        if self.number == 13:
            raise ValueError("thirteen")


OUTER = Outer(number=1, name="a b", colour=Colour.BLUE, inner=(Inner(x=3),), flag=True)


def refused(shape: Shape, value: Any) -> str:
    with pytest.raises(RefusedError) as caught:
        shape.unpack(value)
    assert caught.value.reason is Reason.MALFORMED
    return caught.value.detail


@pytest.mark.parametrize(
    ("shape", "good", "bad"),
    [
        (codec.uint(9), [0, 9], [-1, 10, True, False, 1.0, "1", None, 2**64 - 1, -(2**64)]),
        (codec.uint(), [VERSION_MAX - 1, VERSION_MAX], [VERSION_MAX + 1, 2**63]),
        (codec.text(4), ["a", "abcd", "é\na", "日"], ["", "abcde", "日本", b"ab", 1, None]),
        (codec.text(4, bytes_min=0), [""], ["\x1b[m", "\t", "\r", "\x00", "\x7f", "\x9b"]),
        (codec.name(4), ["a", "a b"], [" a", "a ", "a\nb", "", "abcde", "\u2003a"]),
        (
            codec.ident(4),
            ["a", "a.b", "0-_."],
            [".", "..", "a/b", "+", "#", "-a", "é", "", "abcde", "a\n", b"a"],
        ),
        (codec.blob(2), [b"ab"], [b"a", b"abc", "ab", None, [97, 98]]),
        (codec.blob(2, bytes_min=0), [b"", b"ab"], [b"abc"]),
        (codec.boolean(), [True, False], [0, 1, None, "true"]),
        (codec.choice(Colour), [1, 2], [0, 3, True, "RED", None, 1.0, [1]]),
        (codec.nullable(codec.uint(9)), [None, 9], [10, "x"]),
        (
            codec.many(codec.uint(9), 2, items_min=1),
            [[1], (1, 2)],
            [[], [1, 2, 3], [10], {1: 1}, b"\x01", "1", None],
        ),
        (
            codec.row(codec.uint(9), codec.blob(1)),
            [[1, b"a"]],
            [[1], [1, b"a", 1], [b"a", 1], None, {1: b"a"}],
        ),
        (
            codec.mapping(codec.ident(3), codec.uint(9), 2, items_min=1),
            [{"a": 1}],
            [{}, {"a": 10}, {1: 1}, [1], None],
        ),
    ],
)
def test_a_shape_takes_what_it_names_and_nothing_else(shape: Shape, good: list[Any], bad: list[Any]) -> None:
    for value in good:
        shape.unpack(value)
    for value in bad:
        assert refused(shape, value)


@pytest.mark.parametrize("size", [1, 2, 3])
def test_a_map_is_limited(size: int) -> None:
    shape = codec.mapping(codec.uint(), codec.uint(), 2)
    value = {i: i for i in range(size)}
    if size > 2:
        refused(shape, value)
    else:
        assert shape.unpack(value) == value


@given(
    st.builds(
        Outer,
        number=st.integers(0, VERSION_MAX).filter(lambda n: n != 13),
        name=st.from_regex(r"\A[a-z]( ?[a-z]){0,3}\Z"),
        colour=st.sampled_from(Colour),
        inner=st.lists(st.builds(Inner, x=st.integers(0, 9)), max_size=2).map(tuple),
        flag=st.booleans(),
        pair=st.none() | st.tuples(st.integers(0, 5), st.binary(min_size=2, max_size=2)),
        table=st.none() | st.dictionaries(st.from_regex(r"\A[a-z]{1,4}\Z"), st.integers(0, 9), max_size=2),
    )
)
def test_a_record_comes_back_as_it_was(value: Outer) -> None:
    assert load(Outer, dump(value), size_max=1_000) == value


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({8: 1}, "no key 8"),
        ({"x": 1}, "no key 'x'"),
        ({(1,): 1}, "no key"),
        ({-1: 1}, "no key -1"),
        ({6: None}, "Outer.pair"),
        ({3: 9}, "no such Colour"),
        ({4: [{1: 1, 2: 2}]}, "Inner has no key 2"),
        ({4: [[1]]}, "Inner is not a map"),
        ({4: [{}]}, "Inner lacks x"),
        ({1: 13}, "thirteen"),
    ],
)
def test_a_record_with_a_wrong_entry_is_refused_by_name(change: dict[Any, Any], message: str) -> None:
    with pytest.raises(RefusedError, match=message) as caught:
        unpack(Outer, {**pack(OUTER), **change})
    assert caught.value.reason is Reason.MALFORMED


@pytest.mark.parametrize("key", [1, 2, 3, 4, 5])
def test_a_record_that_lacks_an_entry_is_refused(key: int) -> None:
    packed = pack(OUTER)
    del packed[key]
    with pytest.raises(RefusedError, match="lacks"):
        unpack(Outer, packed)


def test_true_is_not_key_1() -> None:
    packed: dict[Any, Any] = pack(OUTER)
    packed[True] = packed.pop(1)
    with pytest.raises(RefusedError, match="no key True"):
        unpack(Outer, packed)


@pytest.mark.parametrize("value", [None, 1, b"", "", [], [1, 2]])
def test_what_is_no_map_is_no_record(value: Any) -> None:
    with pytest.raises(RefusedError, match="not a map"):
        unpack(Outer, value)


def test_load_checks_the_size_first() -> None:
    with pytest.raises(RefusedError) as caught:
        load(Outer, encode(b"x" * 99), size_max=99)
    assert caught.value.reason is Reason.TOO_BIG


def test_two_fields_with_one_key_are_our_own_mistake() -> None:
    @dataclass(frozen=True, kw_only=True)
    class Twice:
        a: int = at(1, codec.uint())
        b: int = at(1, codec.uint())

    with pytest.raises(AssertionError, match="key twice"):
        pack(Twice(a=1, b=2))
