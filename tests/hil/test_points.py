"""Where the power is cut: points are counted, spread and named, and a trigger cuts once."""

from __future__ import annotations

import cbor2
import pytest

from hil.sweep import points as places
from hil.sweep.points import Cut, Point, Trigger
from hil.wire.record import Direction, Kind, Record
from keys.errors import InputError


@pytest.mark.parametrize(
    ("total", "number", "chosen"),
    [
        (3, None, [1, 2, 3]),
        (0, None, []),
        (3, 3, [1, 2, 3]),
        (3, 9, [1, 2, 3]),
        (10, 1, [5]),
        (10, 2, [1, 10]),
        (10, 4, [1, 4, 7, 10]),
        (0, 2, []),
    ],
)
def test_points_are_spread_from_end_to_end(total: int, number: int | None, chosen: list[int]) -> None:
    assert places.sample(total, number) == chosen


def test_points_are_named_as_they_are_read() -> None:
    assert [str(one) for one in places.counted(Cut.WRITES, 1, None)] == [
        "write 1 before",
        "write 1 torn",
        "write 1 after",
    ]
    assert places.parse(Cut.WRITES, "7:torn") == [Point(Cut.WRITES, 7, "torn")]
    assert len(places.parse(Cut.WRITES, "7")) == 3
    assert [str(one) for one in places.parse(Cut.FRAMES, "3")] == ["frame 3"]
    assert [str(one) for one in places.parse(Cut.OFFSETS, "0")] == ["offset 0"]
    assert [str(one) for one in places.parse(Cut.SECONDS, "1.5")] == ["second 1.5"]
    assert [str(one) for one in places.parse(Cut.CONSOLE, "a.c")] == ["console 'a.c'"]
    assert [one.at for one in places.spread(Cut.SECONDS, 1.0, 3)] == [0.25, 0.5, 0.75]
    assert [one.at for one in places.spread(Cut.OFFSETS, 100, 1)] == [50]


@pytest.mark.parametrize(
    ("cut", "text"),
    [
        (Cut.FRAMES, "x"),
        (Cut.FRAMES, "0"),
        (Cut.FRAMES, "-1"),
        (Cut.FRAMES, "1:torn"),
        (Cut.FRAMES, "100001"),
        (Cut.WRITES, "1:half"),
        (Cut.WRITES, "1.5"),
        (Cut.SECONDS, "nan"),
        (Cut.SECONDS, "1e9"),
        (Cut.CONSOLE, "["),
    ],
)
def test_what_is_no_point_is_refused(cut: Cut, text: str) -> None:
    with pytest.raises(InputError) as caught:
        places.parse(cut, text)
    assert caught.value.code == "BAD_POINT"


def heard(direction: Direction, data: bytes, kind: Kind = Kind.MESSAGE) -> Record:
    return Record(0, 0, direction, kind, data)


def test_a_trigger_cuts_once_where_it_is_told() -> None:
    def sent(off: int) -> Record:
        body = cbor2.dumps({"off": off, "data": bytes(10)})
        return heard(Direction.TO_BOARD, bytes([10, 0, 0, len(body), 0, 1, 0, 1]) + body)

    story = [
        heard(Direction.FROM_BOARD, b"tocs", Kind.TEXT),
        sent(0),
        heard(Direction.FROM_BOARD, b"12345678"),
        heard(Direction.FROM_BOARD, b"in: boot\r\n", Kind.TEXT),
        sent(10),
        sent(20),
    ]
    for point, place in (
        (Point(Cut.FRAMES, 1), 1),
        (Point(Cut.FRAMES, 2), 2),
        (Point(Cut.OFFSETS, 9), 1),
        (Point(Cut.OFFSETS, 10), 4),
        (Point(Cut.CONSOLE, pattern="^tocsin: b"), 3),
        (Point(Cut.OFFSETS, 30), None),
        (Point(Cut.WRITES, 1, "torn"), None),
    ):
        cuts: list[int] = []
        told: list[Record] = []
        trigger = Trigger(point, lambda cuts=cuts, told=told: cuts.append(len(told) - 1))
        for record in story:
            told.append(record)
            trigger(record)
        assert cuts == ([] if place is None else [place]), point
        assert trigger.reached == (place is not None)
    counter = Trigger(None, int)
    for record in story:
        counter(record)
    assert (counter.frames, counter.bytes, counter.reached) == (4, 30, False)
