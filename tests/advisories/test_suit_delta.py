from __future__ import annotations

import random
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from advisories import limits
from advisories.suit import delta
from keys.errors import InputError, UnavailableError
from keys.reasons import Reason
from tests.advisories.suit_case import refused

BASE = random.Random(1).randbytes(40_000)
NEW = BASE[:9_000] + b"mended" + BASE[9_100:] + b"and more" * 20
DELTA = delta.make(BASE, NEW)


def test_a_delta_is_small_and_rebuilds_the_image():
    assert len(DELTA) < len(NEW) // 50
    assert delta.apply(BASE, DELTA, len(NEW)) == NEW


def test_equal_arguments_give_equal_bytes():
    assert delta.make(BASE, NEW) == DELTA


@settings(max_examples=50)
@given(st.binary(min_size=1, max_size=300), st.binary(min_size=1, max_size=300))
def test_any_image_is_rebuilt_from_any_other(base, new):
    assert delta.apply(base, delta.make(base, new), len(new)) == new


def test_another_base_another_size_and_other_bytes_never_give_an_image_of_the_size_promised():
    for size in (0, len(NEW) - 1, len(NEW) + 1):
        assert refused(delta.apply, BASE, DELTA, size)[0] is Reason.WRONG_BASE
    for cut in range(0, len(DELTA), 7):
        assert refused(delta.apply, BASE, DELTA[:cut], len(NEW))[0] is Reason.WRONG_BASE
    assert refused(delta.apply, b"", DELTA, len(NEW))[0] is Reason.WRONG_BASE


def test_a_header_that_claims_gigabytes_gives_none_of_them():
    huge = delta.make(b"a", b"b" * 200_000)
    assert refused(delta.apply, b"a", huge, 100)[0] is Reason.WRONG_BASE


@pytest.mark.parametrize("size", [0, limits.IMAGE_BYTES_MAX + 1])
def test_images_beyond_the_limit_are_not_compared(size):
    for pair in ((bytes(size), b"x"), (b"x", bytes(size))):
        with pytest.raises(InputError) as error:
            delta.make(*pair)
        assert error.value.code == "DELTA_TOO_BIG"
        assert error.value.mend


def test_without_the_library_the_mend_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "detools", None)
    with pytest.raises(UnavailableError, match=r"pip install tocsin\[delta\]") as error:
        delta.make(BASE, NEW)
    assert error.value.code == "DELTA_LIBRARY"
