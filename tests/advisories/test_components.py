"""How foreign versions compare, which component is meant, and which of our versions hold it."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from advisories.components import (
    Bound,
    Verdict,
    Wanted,
    judge,
    parse_bounds,
    propose,
    ranges,
    same,
    wanted_of,
    within,
)
from advisories.sbom import Component, Sbom
from advisories.versions import contains, format_range, format_version, parse_version


@pytest.mark.parametrize(
    ("version", "bounds", "inside"),
    [
        ("1.10", "<1.9", False),
        ("1.9", "<1.10", True),
        ("1.4", "=1.4.0", True),
        ("1.4.0", ">=1.4", True),
        ("v1.4.2", "<1.4.2", False),
        ("1.4.2+git5", "<=1.4.2", True),
        ("1.1.1k", ">=1.1.1 <1.1.1l", True),
        ("1.1.1", ">=1.1.1a", False),
        ("1.1.1", "<1.1.1a", True),
        ("3.0.0-rc1", "<3.0.0", True),
        ("3.0.0rc1", ">=3.0.0-beta2", True),
        ("3.0.0-alpha", "<3.0.0-alpha.1", True),
        ("3.0.0-dev", "<3.0.0-alpha", True),
        ("2.0", ">1.0 <=2.0", True),
        ("2.0", "<2.0", False),
        ("2.0", ">2.0", False),
        ("2.0", "2.0", True),
        ("2.0", "==2.0", True),
        ("2.1", "=2.0", False),
        ("anything", "*", True),
        ("1.1.1k-3ubuntu2", "<1.1.1l", None),
        ("1.2.3-4", "<2.0", None),
        ("4b825dc642cb6eb9a060e54bf8d69288fbee4904", "<2.0", None),
        ("20240101", "<3.0", None),
        ("2024.1", "<2023.4", False),
        ("latest", "<2.0", None),
        ("1.1.1k-3", "<1.0", None),
        ("2", "<1 ,  >=0.5", False),
    ],
)
def test_only_what_is_certain_is_decided(version: str, bounds: str, inside: bool | None) -> None:
    assert within(version, parse_bounds(bounds)) is inside


def test_the_same_spelling_is_the_same_version_whatever_it_is() -> None:
    assert within("odd~1", (Bound("=", "odd~1"),)) is True
    assert within("odd~1", (Bound("<", "odd~1"),)) is False
    assert within("odd~1", (Bound("=", "odd~2"),)) is None


@pytest.mark.parametrize(
    ("version", "bounds", "inside"),
    [("1.0.post1", ">1.0", True), ("1!0.1", ">2.0", True), ("1.0a1", "<1.0", True), ("not one", "<1", None)],
)
def test_python_packages_compare_by_their_own_rule(version: str, bounds: str, inside: bool | None) -> None:
    assert within(version, parse_bounds(bounds), python=True) is inside


@pytest.mark.parametrize(
    "text", ["", "<", ">=1.0 <", "from 1.0", "<1.0 <2.0", "=1.0 <2.0", ">=1 >2", "<latest", "1.0 2.0", "* <1"]
)
def test_what_is_no_range_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="'"):
        parse_bounds(text)


NUMBERS = st.lists(st.integers(0, 300), min_size=1, max_size=4)


@settings(max_examples=100, deadline=None)
@given(NUMBERS, NUMBERS)
def test_numbers_are_ordered_as_numbers(left: list[int], right: list[int]) -> None:
    one, two = ".".join(map(str, left)), ".".join(map(str, right))
    padded = left + [0] * (4 - len(left)), right + [0] * (4 - len(right))
    assert within(one, parse_bounds(f"<{two}")) is (padded[0] < padded[1])
    assert within(one, parse_bounds(f">={two}")) is (padded[0] >= padded[1])


@pytest.mark.parametrize(
    ("wanted", "component", "meant"),
    [
        ("libfoo", Component(name="LibFoo"), True),
        ("lib_foo", Component(name="lib-foo"), True),
        ("libfoo", Component(name="libfoobar"), False),
        ("libfoo", Component(name="org.example/libfoo"), True),
        ("openssl", Component(name="libssl3", purl="pkg:deb/debian/openssl@3.0.1-1"), True),
        ("openssl", Component(name="crypto", cpe="cpe:2.3:a:openssl:openssl:3.0.1:*:*:*:*:*:*:*"), True),
        ("openssl", Component(name="crypto", cpe="cpe:/a:openssl:openssl:3.0.1"), False),
        ("pkg:generic/openssl", Component(name="x", purl="pkg:generic/openssl@3.0?arch=arm"), True),
        ("pkg:generic/openssl", Component(name="openssl", purl="pkg:deb/debian/openssl@3.0"), False),
        ("pkg:generic/openssl@3.0", Component(name="openssl"), True),
        ("pkg:github/a/openssl", Component(name="openssl", purl="pkg:github/b/openssl"), False),
    ],
)
def test_the_component_that_is_meant(wanted: str, component: Component, meant: bool) -> None:
    assert same(wanted_of(wanted, ()), component) is meant


@pytest.mark.parametrize(
    ("component", "bounds", "verdict"),
    [
        (Component(name="a", version="1.0"), "<2.0", Verdict.AFFECTED),
        (Component(name="a", version="2.0"), "<2.0", Verdict.NOT_AFFECTED),
        (Component(name="a"), "<2.0", Verdict.TO_CONFIRM),
        (Component(name="a"), "*", Verdict.AFFECTED),
        (Component(name="a", version="main"), "<2.0", Verdict.TO_CONFIRM),
        (Component(name="a", version="1.0", purl="pkg:deb/debian/a@1.0"), "<2.0", Verdict.TO_CONFIRM),
        (Component(name="a", version="2.0", purl="pkg:deb/debian/a@2.0"), "<2.0", Verdict.NOT_AFFECTED),
        (Component(name="a", version="1.0.post1", purl="pkg:pypi/a"), "<2.0", Verdict.AFFECTED),
    ],
)
def test_what_a_component_means(component: Component, bounds: str, verdict: Verdict) -> None:
    assert judge(component, wanted_of("a", parse_bounds(bounds))) is verdict


def test_a_range_that_nobody_could_read_is_to_confirm() -> None:
    assert judge(Component(name="a", version="1"), Wanted("a", None)) is Verdict.TO_CONFIRM


def test_every_version_gets_an_answer_and_the_worst_component_decides() -> None:
    lists = {
        ("t", "1.0.0"): Sbom(format="x", components=(Component(name="a", version="3.0"),)),
        ("t", "1.1.0"): Sbom(
            format="x",
            components=(
                Component(name="a", version="3.0"),
                Component(name="a", version="1.0"),
                Component(name="a", version="?"),
            ),
        ),
        ("t", "1.2.0"): Sbom(
            format="x", components=(Component(name="a", version="?"), Component(name="a", version="3.0"))
        ),
        ("t", "1.3.0"): Sbom(format="x", components=(Component(name="b", version="1.0"),)),
    }
    found = propose(
        [wanted_of("a", parse_bounds("<2.0"))],
        {"t": ("1.0.0", "1.1.0", "1.2.0", "1.3.0", "1.4.0"), "u": ()},
        lists,
    )
    assert [(each.product, each.version, each.verdict.value, each.because) for each in found] == [
        ("t", "1.0.0", "not affected", "a 3.0"),
        ("t", "1.1.0", "affected", "a 1.0"),
        ("t", "1.2.0", "to confirm", "a ?"),
        ("t", "1.3.0", "not affected", "not among its components"),
        ("t", "1.4.0", "to confirm", "no list of components"),
        ("u", "", "to confirm", "no version of it is recorded"),
    ]


OURS = [
    format_version(version) for version in [(1, n, 0, 0) for n in range(6)] + [(2, 0, 0, b) for b in range(2)]
]


@given(st.sets(st.sampled_from(OURS)))
def test_ranges_hold_exactly_the_affected_versions(affected: set[str]) -> None:
    found = ranges(OURS, affected)
    held = {version for version in OURS if any(contains(bounds, parse_version(version)) for bounds in found)}
    assert held == affected
    for bounds in found:
        assert format_range(bounds)


def test_ranges_end_before_the_next_released_version() -> None:
    assert [format_range(b) for b in ranges(OURS, {"1.1.0", "1.2.0", "1.4.0"})] == [
        ">=1.1.0 <1.3.0",
        ">=1.4.0 <1.5.0",
    ]
    assert [format_range(b) for b in ranges(OURS, {"2.0.0+1"})] == [">=2.0.0+1 <2.0.0+2"]
    assert ranges(OURS, set()) == ()
