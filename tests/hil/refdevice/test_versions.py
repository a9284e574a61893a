"""Versions of firmware in words: the C device reads them as ``advisories.versions`` does, and no others."""

from __future__ import annotations

import ctypes

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from advisories.versions import Version, format_version, parse_version

from .build import Core, Source

PARTS = tuple(st.integers(0, 2**bits - 1) for bits in (8, 8, 16, 32))
NUMBERS = st.one_of(
    st.just(""), st.integers(0, 2**33).map(str), st.text("0123456789", max_size=3), st.text("01", max_size=11)
)


def read(core: Core, words: str) -> Version | None:
    """Read words in C; None: they are no version."""
    core.lib.tn_version_read.argtypes = (Source, ctypes.c_void_p)
    core.lib.tn_version_read.restype = ctypes.c_bool
    found = (ctypes.c_uint32 * 4)(9, 9, 9, 9)
    data = words.encode()
    if not core.lib.tn_version_read(core.in_memory(data), found):
        return None
    major, minor, revision, build = found
    return (major, minor, revision, build)


def parsed(words: str) -> Version | None:
    """Read them in Python."""
    try:
        return parse_version(words)
    except ValueError:
        return None


@pytest.mark.parametrize(
    ("words", "version"),
    [
        ("0.0.0", (0, 0, 0, 0)),
        ("1.2.3", (1, 2, 3, 0)),
        ("1.2.3+4", (1, 2, 3, 4)),
        ("1.2.3+0", (1, 2, 3, 0)),
        ("255.255.65535+4294967295", (255, 255, 65_535, 2**32 - 1)),
        ("256.0.0", None),
        ("0.256.0", None),
        ("0.0.65536", None),
        ("0.0.0+4294967296", None),
        ("99999999999.0.0", None),
        ("001.002.00003+0000000004", (1, 2, 3, 4)),
        ("0001.2.3", None),
        ("1.0002.3", None),
        ("1.2.000003", None),
        ("1.2.3+00000000004", None),
        ("", None),
        ("1", None),
        ("1.2", None),
        ("1.2.", None),
        ("1..3", None),
        (".2.3", None),
        ("1.2.3+", None),
        ("1.2.3.4", None),
        ("1.2.3-4", None),
        ("1+2+3", None),
        ("1.2+3", None),
        ("1.2.3+4+5", None),
        ("1.2.3+4\0", None),
        ("1.2.3+4\x005", None),
        ("1.2.3\0", None),
        (" 1.2.3", None),
        ("1.2.3 ", None),
        ("-1.2.3", None),
        ("a.b.c", None),
        ("1.2.:", None),
        ("1.2./", None),
        ("١.٢.٣", None),
    ],
)
def test_a_version_is_three_numbers_or_four(core: Core, words: str, version: Version | None) -> None:
    assert read(core, words) == version
    assert parsed(words) == version


@given(st.tuples(*PARTS))
@settings(max_examples=50)
def test_what_is_written_is_read(core_library: Core, version: Version) -> None:
    assert read(core_library, format_version(version)) == version


@given(st.lists(NUMBERS, min_size=1, max_size=5), st.lists(st.sampled_from("..+-"), min_size=5, max_size=5))
@settings(max_examples=300)
def test_both_read_the_same_words(core_library: Core, numbers: list[str], between: list[str]) -> None:
    words = "".join(a + b for a, b in zip(numbers, between, strict=False))[:-1]
    assert read(core_library, words) == parsed(words)
