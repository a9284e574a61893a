"""What a device says that it can verify: numbers in rising order, each once, or it is not believed."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from advisories import limits
from advisories.abilities import ALGORITHMS, format_algorithms, parse_algorithms
from keys.algorithms import VERIFIED, Algorithm
from keys.errors import RefusedError
from keys.reasons import Reason

SETS = st.sets(st.sampled_from(sorted(VERIFIED)), min_size=1)


@given(SETS)
def test_a_set_comes_back_from_the_wire_and_from_text(found: set[Algorithm]) -> None:
    assert set(ALGORITHMS.unpack(ALGORITHMS.pack(found))) == found
    assert parse_algorithms(format_algorithms(found)) == found


def test_whatever_the_order_the_bytes_are_the_same() -> None:
    assert ALGORITHMS.pack((Algorithm.ED25519, Algorithm.ML_DSA_44)) == [-48, -19]
    assert ALGORITHMS.pack((Algorithm.ML_DSA_44, Algorithm.ED25519)) == [-48, -19]


@pytest.mark.parametrize(
    "value",
    [None, -19, "-19", [], [True], [-19.0], [-19, -19], [-9, -19], [-8], [-7], [0], [-19, None], {-19: -9}],
    ids=str,
)
def test_anything_else_is_refused(value: Any) -> None:
    with pytest.raises(RefusedError) as caught:
        ALGORITHMS.unpack(value)
    assert caught.value.reason is Reason.MALFORMED


@pytest.mark.parametrize("extra", [-1, 0, 1])
def test_at_most_so_many(extra: int) -> None:
    # There are fewer algorithms than that: which fault is told first shows where the limit is.
    with pytest.raises(RefusedError) as caught:
        ALGORITHMS.unpack(list(range(-100, -100 + limits.ALGORITHMS_MAX + extra)))
    assert ("expected an array" in caught.value.detail) is (extra > 0)


@pytest.mark.parametrize("text", ["", "-19,-9", "-9 -19", "ed25519", "-19  -9", "-19 "])
def test_text_that_was_not_written_here_is_refused(text: str) -> None:
    with pytest.raises(RefusedError):
        parse_algorithms(text)
