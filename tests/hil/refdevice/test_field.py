"""What the C device's curve reckons with: numbers modulo p and modulo L against plain ones, up to the widest limbs.

The library is built with a sanitizer that stops it at every signed overflow.
"""

from __future__ import annotations

import ctypes
import random
import subprocess
from collections.abc import Callable, Iterable
from itertools import product, takewhile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from . import build, edwards
from .edwards import BASE, D, L, P

HERE = Path(__file__).parent
LIMBS, BITS = 9, 29
HALF = 1 << BITS - 1
PRODUCT = HALF + (1 << 17)
"""No limb of a product is wider: half a limb, and in the second one what was carried to it last."""
ONE_SIDE, OTHER_SIDE = 3 * PRODUCT, 4 * PRODUCT
"""How wide the limbs are that may be multiplied."""

FORMULAS = (
    "double", "add", "term", "raise", "key", "try", "other", "negate", "take", "copy", "divide", "two", "root",
)  # fmt: skip
X, Y, Z, E, H, F, G, TERM = range(8)
ONE, PLACES = 11, 14
"""Places of a formula's operands: a point, a term, and from one on what does not change."""

Element = ctypes.c_int32 * LIMBS
Scalar = ctypes.c_uint32 * 8


@pytest.fixture(scope="module")
def field(needed: Callable[..., None], tmp_path_factory: pytest.TempPathFactory) -> Any:
    needed("cc", "gcc")
    library = tmp_path_factory.mktemp("field") / "field.so"
    flags = ["-std=c99", "-O1", "-g", "-fPIC", "-shared", "-fsanitize=undefined", "-fno-sanitize-recover=all"]
    names = ["source", "sha", "wide"]
    files = [HERE / "field.c", HERE / "scalar.c", *(build.SOURCE / f"core/{one}.c" for one in names)]
    subprocess.run(["cc", *flags, "-Icore", "-I.", *files, "-o", library], check=True, cwd=build.SOURCE)
    lib: Any = ctypes.CDLL(str(library))
    lib.test_constants.restype = ctypes.POINTER(Element)
    lib.test_formula.restype = ctypes.c_uint32
    return lib


def value(element: Iterable[int]) -> int:
    return sum(limb << BITS * i for i, limb in enumerate(element))


def element(number: int) -> ctypes.Array[ctypes.c_int32]:
    """Return limbs of any number; the highest takes what is left."""
    low = [number >> BITS * i & (1 << BITS) - 1 for i in range(LIMBS - 1)]
    return Element(*low, number >> BITS * (LIMBS - 1))


def limbs(most: int) -> st.SearchStrategy[list[int]]:
    """Limbs of up to a width, many of them just as wide."""
    edges = st.sampled_from([most, -most, 0, 1, -1, HALF, -HALF, HALF - 1])
    return st.lists(edges | st.integers(-most, most), min_size=LIMBS, max_size=LIMBS)


def written(lib: Any, number: ctypes.Array[ctypes.c_int32]) -> int:
    room = ctypes.create_string_buffer(33)
    lib.test_write(room, number)
    assert room.raw[32] == 0
    return int.from_bytes(room.raw[:32], "little")


@settings(max_examples=600)
@given(limbs(ONE_SIDE), limbs(OTHER_SIDE))
def test_a_product_is_that_of_plain_numbers(field: Any, one: list[int], other: list[int]) -> None:
    a, b = Element(*one), Element(*other)
    expected = value(one) * value(other) % P
    for to in (Element(), b):
        a[:], b[:] = [*one], [*other]
        field.test_multiply(to, a, b)
        assert value(to) % P == expected
        assert max(map(abs, to)) <= PRODUCT


def test_the_widest_limbs_of_all_signs(field: Any) -> None:
    chosen = random.Random(29)
    for _ in range(3_000):
        one = [chosen.choice((-ONE_SIDE, ONE_SIDE)) for _ in range(LIMBS)]
        other = [chosen.choice((-OTHER_SIDE, OTHER_SIDE)) for _ in range(LIMBS)]
        to = Element()
        field.test_multiply(to, Element(*one), Element(*other))
        assert value(to) % P == value(one) * value(other) % P
    for first, second in product((-ONE_SIDE, ONE_SIDE), (-OTHER_SIDE, OTHER_SIDE)):
        to = Element()
        field.test_multiply(to, Element(*[first] * LIMBS), Element(*[second] * LIMBS))
        assert value(to) % P == value([first] * LIMBS) * value([second] * LIMBS) % P
        assert max(map(abs, to)) <= PRODUCT


@settings(max_examples=300)
@given(limbs(3 * PRODUCT))
def test_a_number_is_written_in_one_way(field: Any, number: list[int]) -> None:
    assert written(field, Element(*number)) == value(number) % P


@pytest.mark.parametrize("times", [-99, -65, -64, -63, -2, -1, 0, 1, 2, 63, 64, 65, 98])
def test_multiples_of_p_are_zero_and_their_neighbours_are_not(field: Any, times: int) -> None:
    for more in (*range(-40, 41), 2**254, P // 2):
        number = times * P + more
        assert written(field, element(number)) == number % P
        assert written(field, element(times * 2**255 + more)) == (19 * times + more) % P


@given(st.integers(0, 2**256 - 1))
@example(2**256 - 1)
@example(P)
def test_bytes_are_read_without_the_sign(field: Any, number: int) -> None:
    to = Element()
    field.test_read(to, number.to_bytes(32, "little"))
    assert value(to) == number % 2**255
    assert written(field, to) == number % 2**255 % P


def test_the_constants_are_those_of_rfc_8032(field: Any) -> None:
    x, y = BASE
    found = [value(field.test_constants()[i]) for i in range(7)]
    assert [one % P for one in found[:2]] == [1, D]
    assert found[2] ** 2 % P == P - 1
    # The term is in proportion: to Y + X, Y - X, 2 Z, 2 d X Y / Z.
    scale = found[5] * pow(2, -1, P)
    expected = [y + x, y - x, 2, 2 * D * x * y]
    assert [one % P for one in found[3:]] == [one * scale % P for one in expected]


# Formulas: how wide their limbs are, and what comes out of them.


def steps(field: Any, name: str) -> list[tuple[int, int, int, int]]:
    """Return a formula as (what, to, one, other)."""
    codes = takewhile(bool, (field.test_formula(FORMULAS.index(name), i) for i in range(100)))
    return [(code >> 14, code >> 10 & 15, code >> 6 & 15, code & 63) for code in codes]


def widths(field: Any, name: str, wide: list[int]) -> None:
    """Follow how wide the limbs in every place can become; fail where that is too wide to be multiplied."""
    for what, to, one, other in steps(field, name):
        if what < 2:
            wide[to] = 0 if (what, one) == (1, other) else wide[one] + wide[other]
            assert wide[to] < 2**31
        else:
            second = wide[other] if what == 2 else wide[one]
            assert LIMBS * wide[one] * second + 2**40 < 2**63, (name, to, one, other)
            assert what == 3 or to != one, (name, to, one, other)
            assert max(wide[one], second) <= OTHER_SIDE
            assert min(wide[one], second) <= ONE_SIDE
            wide[to] = PRODUCT


def test_no_formula_multiplies_what_is_too_wide(field: Any) -> None:
    wide = [0] * PLACES
    wide[Y] = 2 * HALF  # as it is read
    wide[ONE:] = [PRODUCT] * 3
    for name in ("key", "raise", "try", "other", "negate", "take", "term"):
        widths(field, name, wide)
    for name in ("add", "term", "double", "add", "double", "double", "add", "copy", "raise", "divide"):
        terms = wide[TERM : TERM + 4]
        widths(field, name, wide)
        wide[TERM : TERM + 4] = [max(pair) for pair in zip(terms, wide[TERM : TERM + 4], strict=True)]
    # The base point is worked out from numbers that fit a limb.
    wide[:] = [0] * PLACES
    wide[ONE] = 1
    wide[X] = wide[Y] = wide[Z] = 2**20
    for name in (
        "copy",
        "raise",
        "divide",
        "two",
        "raise",
        "root",
        "key",
        "raise",
        "try",
        "other",
        "negate",
        "take",
        "term",
    ):
        widths(field, name, wide)


def places(**given: int) -> Any:
    work = (Element * PLACES)()
    for name, number in given.items():
        work[globals()[name]][:] = list(element(number))
    return work


def point(work: Any) -> edwards.Point:
    over = pow(value(work[Z]), -1, P)
    x, y = value(work[X]) * over % P, value(work[Y]) * over % P
    assert (value(work[E]) * value(work[H]) - value(work[X]) * y) % P == 0
    return x, y


POINTS = st.builds(
    edwards.add,
    st.builds(edwards.times, st.integers(0, L), st.just(BASE)),
    st.sampled_from(edwards.LOW_ORDER),
)


@settings(max_examples=60)
@given(POINTS, st.integers(1, P - 1))
@example(edwards.ZERO, 1)
@example(BASE, 1)
@example(edwards.negative(BASE), P - 1)
def test_adding_and_doubling_have_no_exceptions(field: Any, one: edwards.Point, z: int) -> None:
    x, y = one
    for name, expected in (("double", edwards.add(one, one)), ("add", edwards.add(one, BASE))):
        work = places(X=x * z % P, Y=y * z % P, Z=z, E=x * z % P, H=y)
        field.test_run(FORMULAS.index(name), work)
        assert point(work) == expected


@given(st.integers(0, P - 1))
@example(0)
@example(1)
def test_a_power_is_that_of_plain_numbers(field: Any, number: int) -> None:
    work = places(G=number)
    field.test_run(FORMULAS.index("raise"), work)
    assert value(work[F]) % P == pow(number, (P - 5) // 8, P)


# Modulo L.

NUMBERS = st.integers(0, L - 1) | st.sampled_from([0, 1, L - 1, L - 2, 2**252, 2**252 - 1, 2**128, L // 2])


def scalar(number: int) -> ctypes.Array[ctypes.c_uint32]:
    return Scalar(*(number >> 32 * i & 0xFFFFFFFF for i in range(8)))


def plain(words: Iterable[int]) -> int:
    return sum(word << 32 * i for i, word in enumerate(words))


@settings(max_examples=300)
@given(
    NUMBERS, st.sampled_from([1, 2, 255, 256]), NUMBERS, st.integers(0, 255) | st.sampled_from([0, 1, 255])
)
@example(L - 1, 256, L - 1, 255)
@example(0, 256, 0, 0)
@example(2**252 - 1, 1, 1, 1)
@example(2**252, 1, L - 2**252 - 1, 1)
@example(L - 1, 1, 1, 1)
def test_a_step_modulo_l(field: Any, to: int, scale: int, more: int, factor: int) -> None:
    words = scalar(to)
    field.test_step(words, scale, scalar(more), factor)
    assert plain(words) == (to * scale + more * factor) % L


@settings(max_examples=200)
@given(st.binary(max_size=64), NUMBERS)
@example(b"\xff" * 64, L - 1)
@example(L.to_bytes(32, "little"), 1)
@example((L - 1).to_bytes(32, "little"), 1)
@example((2**512 - 2**512 % L).to_bytes(64, "little"), 1)
def test_a_product_modulo_l(field: Any, number: bytes, times: int) -> None:
    words = Scalar()
    field.test_scalar(words, number, len(number), scalar(times))
    assert plain(words) == int.from_bytes(number, "little") * times % L
