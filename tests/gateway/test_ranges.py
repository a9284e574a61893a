"""What a request for a part gets: the words of RFC 9110, and everything that is none of them."""

from __future__ import annotations

from http import HTTPStatus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.ranges import RANGES_MAX, Answer, judge

TAG = '"0123"'
OK, PART = HTTPStatus.OK, HTTPStatus.PARTIAL_CONTENT
NONE = HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE


def asked(value: str, size: int = 10_000, method: str = "GET", **headers: str) -> Answer:
    named = {name.replace("_", "-"): text for name, text in headers.items()}
    return judge(method, {"range": value, **named}, TAG, size)


@pytest.mark.parametrize(
    ("value", "parts"),
    [
        ("bytes=0-499", ((0, 500),)),  # the examples of section 14.1.2
        ("bytes=500-999", ((500, 1_000),)),
        ("bytes=-500", ((9_500, 10_000),)),
        ("bytes=9500-", ((9_500, 10_000),)),
        ("bytes=0-0,-1", ((0, 1), (9_999, 10_000))),
        ("bytes= 0-999, 4500-5499, -1000", ((0, 1_000), (4_500, 5_500), (9_000, 10_000))),
        ("bytes=500-600,601-999", ((500, 601), (601, 1_000))),
        ("BYTES=0-0", ((0, 1),)),
        ("bytes=9999-", ((9_999, 10_000),)),
        ("bytes=0-999999999999", ((0, 10_000),)),
        ("bytes=-999999999999", ((0, 10_000),)),
        ("bytes=,,0-0,, ", ((0, 1),)),
        ("bytes=10000-,0-0", ((0, 1),)),  # what is there counts
    ],
)
def test_what_is_there_is_sent(value: str, parts: tuple[tuple[int, int], ...]) -> None:
    assert asked(value) == Answer(PART, parts)


@pytest.mark.parametrize("value", ["bytes=10000-", "bytes=10000-10001", "bytes=-0", "bytes=20000-,30000-"])
def test_what_is_not_there_is_no_range(value: str) -> None:
    assert asked(value) == Answer(NONE)


@pytest.mark.parametrize("value", ["bytes=0-", "bytes=0-0", "bytes=-5"])
def test_nothing_has_no_range(value: str) -> None:
    assert asked(value, size=0) == Answer(NONE)


@pytest.mark.parametrize(
    "value",
    [
        "",
        "bytes",
        "bytes=",
        "bytes=,",
        "bytes=-",
        "bytes=a-b",
        "bytes=5-4",
        "bytes=0-1-2",
        "bytes=0-1;2-3",
        "bytes=+1-2",
        "bytes=1 - 2",
        "bytes=0x1-2",
        "bytes=\u0661-\u0662",
        "bytes=-" + "9" * 100,
        "bytes=0-" + "9" * 5_000,
        "lines=0-4",
        "bytes 0-4",
        "bytes=0-10,5-15",  # the same bytes twice
        "bytes=" + ",".join(f"{n * 10}-{n * 10}" for n in range(RANGES_MAX + 1)),
        "bytes=0-0,oops",
    ],
)
def test_what_is_no_range_gets_the_whole(value: str) -> None:
    assert asked(value) == Answer(OK)


def test_as_many_parts_as_may_be() -> None:
    found = asked("bytes=" + ",".join(f"{n * 10}-{n * 10}" for n in range(RANGES_MAX)))
    assert len(found.parts) == RANGES_MAX


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"if_range": TAG}, PART),
        ({"if_range": '"other"'}, OK),
        ({"if_range": f"W/{TAG}"}, OK),  # a weak tag never matches here
        ({"if_range": "Wed, 21 Oct 2015 07:28:00 GMT"}, OK),
        ({"if_none_match": TAG}, HTTPStatus.NOT_MODIFIED),
        ({"if_none_match": f'"a", W/{TAG}'}, HTTPStatus.NOT_MODIFIED),
        ({"if_none_match": "*"}, HTTPStatus.NOT_MODIFIED),
        ({"if_none_match": '"other"'}, PART),
        ({"if_none_match": "0123"}, PART),
        ({"if_match": TAG}, PART),
        ({"if_match": "*"}, PART),
        ({"if_match": f'"a", {TAG}'}, PART),
        ({"if_match": '"other"'}, HTTPStatus.PRECONDITION_FAILED),
        ({"if_match": f"W/{TAG}"}, HTTPStatus.PRECONDITION_FAILED),
        ({"if_match": '"other"', "if_none_match": TAG}, HTTPStatus.PRECONDITION_FAILED),
        ({"if_modified_since": "Wed, 21 Oct 2015 07:28:00 GMT"}, PART),
    ],
)
def test_conditions_come_before_ranges(headers: dict[str, str], status: HTTPStatus) -> None:
    assert asked("bytes=0-0", **headers).status is status


def test_a_head_has_no_range() -> None:
    assert asked("bytes=0-0", method="HEAD") == Answer(OK)
    assert judge("GET", {}, TAG, 5) == Answer(OK)


@given(st.text(st.sampled_from("bytes=0123456789-, "), max_size=40), st.integers(0, 300))
def test_whatever_is_sent_lies_inside_and_is_sent_once(value: str, size: int) -> None:
    found = asked(f"bytes={value}", size=size)
    seen: set[int] = set()
    for start, end in found.parts:
        assert 0 <= start < end <= size
        assert seen.isdisjoint(range(start, end))
        seen.update(range(start, end))
    assert bool(found.parts) is (found.status is PART)
