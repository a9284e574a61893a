from __future__ import annotations

import pytest
from hypothesis import given

from advisories.versions import (
    Range,
    Version,
    contains,
    format_range,
    format_version,
    parse_range,
    parse_version,
)
from tests.advisories.wire_strategies import ranges, versions


@given(versions)
def test_a_version_comes_back_as_it_was_written(version: Version) -> None:
    assert parse_version(format_version(version)) == version


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("1.2.3", (1, 2, 3, 0)),
        ("1.2.3+4", (1, 2, 3, 4)),
        ("255.255.65535+4294967295", (255, 255, 65535, 2**32 - 1)),
    ],
)
def test_a_version_is_mcuboots_four_numbers(text: str, version: Version) -> None:
    assert parse_version(text) == version


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1",
        "1.2",
        "1.2.3.4",
        "v1.2.3",
        "256.0.0",
        "0.256.0",
        "0.0.65536",
        "0.0.0+4294967296",
        "1.2.3+",
        "-1.0.0",
        " 1.2.3",
        "1.2.3\n",
        "a.b.c",
        "\uff11.2.3",
    ],
)
def test_nothing_else_is_a_version(text: str) -> None:
    with pytest.raises(ValueError, match="not a version"):
        parse_version(text)


@pytest.mark.parametrize(
    ("text", "inside", "outside"),
    [
        ("*", ["0.0.0", "255.255.65535+4294967295"], []),
        (">=1.0.0 <1.4.2", ["1.0.0", "1.4.1+9"], ["0.255.0", "1.4.2"]),
        ("<1.4.2", ["0.0.0", "1.4.1"], ["1.4.2"]),
        ("<=1.4.1", ["1.4.1"], ["1.4.1+1", "1.4.2"]),
        (">= 2.0.0", ["2.0.0", "3.0.0"], ["1.255.0"]),
        ("=1.3.0", ["1.3.0"], ["1.3.0+1", "1.2.65535"]),
        ("1.3.0", ["1.3.0"], ["1.3.1"]),
        ("=1.255.65535+4294967295", ["1.255.65535+4294967295"], ["2.0.0"]),
    ],
)
def test_a_range_holds_what_it_says(text: str, inside: list[str], outside: list[str]) -> None:
    bounds = parse_range(text)
    assert all(contains(bounds, parse_version(v)) for v in inside)
    assert not any(contains(bounds, parse_version(v)) for v in outside)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "empty range"),
        ("   ", "empty range"),
        (">=2.0.0 <1.0.0", "empty range"),
        (">=1.0.0 <1.0.0", "empty range"),
        (">=1.0.0 >=2.0.0", "two lower"),
        ("<1.0.0 <2.0.0", "two upper"),
        ("=1.0.0 <2.0.0", "two upper"),
        (">1.0.0", "not a version"),
        ("~1.0", "not a version"),
        ("1.x", "not a version"),
        (">=", "not a version"),
        ("<", "not a version"),
    ],
)
def test_a_range_that_says_nothing_clear_is_refused(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse_range(text)


@pytest.mark.parametrize("text", ["<=255.255.65535+4294967295", "=255.255.65535+4294967295"])
def test_the_very_last_version_can_be_meant_too(text: str) -> None:
    assert contains(parse_range(text), (255, 255, 65_535, 2**32 - 1))


@given(ranges.filter(lambda r: r[0] is None or r[1] is None or r[0] < r[1]))
def test_a_range_comes_back_as_it_was_written(bounds: Range) -> None:
    assert parse_range(format_range(bounds)) == bounds


@given(ranges, versions)
def test_a_range_is_half_open(bounds: Range, version: Version) -> None:
    low, high = bounds
    assert contains(bounds, version) == (
        (low or (0, 0, 0, 0)) <= version and (high is None or version < high)
    )
