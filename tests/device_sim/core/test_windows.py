"""Windows of the week by the clock on the wall: over midnight, and when the clock is set."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from device_sim.core.profile import Window
from device_sim.core.windows import is_open, next_open

BERLIN, SAMOA, LORD_HOWE = (
    ZoneInfo("Europe/Berlin"),
    ZoneInfo("Pacific/Apia"),
    ZoneInfo("Australia/Lord_Howe"),
)
ZONES = [
    UTC,
    BERLIN,
    SAMOA,
    LORD_HOWE,
    *map(ZoneInfo, ["America/New_York", "Asia/Kathmandu", "Pacific/Chatham", "Africa/Casablanca", "America/Sao_Paulo"]),
]  # fmt: skip
MON, TUE, WED, THU, FRI, SAT, SUN = range(7)


def at(text: str, zone=UTC) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=zone).timestamp())


def window(text: str, *days: int) -> Window:
    start, end = (int(part[:2]) * 60 + int(part[3:]) for part in text.split("-"))
    return Window(start, end, frozenset(days or range(7)))


@pytest.mark.parametrize(
    ("windows", "now", "opens"),
    [
        ([], "2026-03-10 12:34:56", "2026-03-10 12:34:56"),
        ([window("02:00-04:30")], "2026-03-10 01:59:59", "2026-03-10 02:00:00"),
        ([window("02:00-04:30")], "2026-03-10 04:29:59", "2026-03-10 04:29:59"),
        ([window("02:00-04:30")], "2026-03-10 04:30:00", "2026-03-11 02:00:00"),
        ([window("23:00-01:00")], "2026-03-10 00:59:59", "2026-03-10 00:59:59"),
        ([window("23:00-01:00")], "2026-03-10 01:00:00", "2026-03-10 23:00:00"),
        ([window("23:00-01:00", FRI)], "2026-03-14 00:30:00", "2026-03-14 00:30:00"),
        ([window("23:00-01:00", FRI)], "2026-03-13 00:30:00", "2026-03-13 23:00:00"),
        ([window("00:00-24:00", SAT, SUN)], "2026-03-13 23:59:59", "2026-03-14 00:00:00"),
        ([window("00:00-24:00", SAT, SUN)], "2026-03-15 23:59:59", "2026-03-15 23:59:59"),
        ([window("00:00-24:00", SUN)], "2026-03-16 00:00:00", "2026-03-22 00:00:00"),
        ([window("06:00-06:00", MON)], "2026-03-10 05:59:59", "2026-03-10 05:59:59"),
        (
            [window("20:00-21:00", THU), window("03:00-04:00", WED)],
            "2026-03-10 12:00:00",
            "2026-03-11 03:00:00",
        ),
    ],
)
def test_a_window_of_the_week_opens_by_the_clock_on_the_wall(windows, now, opens) -> None:
    for zone in (UTC, BERLIN):
        assert next_open(zone, windows, at(now, zone)) == at(opens, zone)


@pytest.mark.parametrize(
    ("zone", "windows", "now", "opens"),
    [
        # Spring: 02:00 becomes 03:00, at 01:00 UTC.
        (BERLIN, [window("02:00-03:00")], "2026-03-29 00:30", "2026-03-30 00:00"),
        (BERLIN, [window("02:30-03:30")], "2026-03-29 00:30", "2026-03-29 01:00"),
        (BERLIN, [window("02:00-03:00", SUN)], "2026-03-29 00:30", "2026-04-05 00:00"),
        # Autumn: 03:00 becomes 02:00 once more, at 01:00 UTC.
        (BERLIN, [window("02:00-02:30")], "2026-10-25 00:30", "2026-10-25 01:00"),
        (BERLIN, [window("01:30-02:30")], "2026-10-25 00:45", "2026-10-25 01:00"),
        (BERLIN, [window("02:00-03:00")], "2026-10-25 00:59", "2026-10-25 00:59"),
        # The clock of Lord Howe goes half an hour.
        (LORD_HOWE, [window("01:45-02:00", SUN)], "2026-04-04 15:00", "2026-04-04 15:15"),
        # Samoa left the 30th of December 2011, a Friday, out.
        (SAMOA, [window("00:00-24:00", FRI)], "2011-12-29 12:00", "2012-01-05 10:00"),
    ],
)
def test_a_clock_that_is_set_repeats_hours_and_leaves_others_out(zone, windows, now, opens) -> None:
    found = next_open(zone, windows, at(now))
    assert found is not None
    assert datetime.fromtimestamp(found, UTC) == datetime.fromisoformat(opens).replace(tzinfo=UTC)


def by_hand(zone, windows, now: int) -> int:
    """Look at every minute, from the definition; no zone changes its clock within one."""
    for moment in (now, *range(now - now % 60 + 60, now + 15 * 86_400, 60)):
        wall = datetime.fromtimestamp(moment, zone)
        for one in windows:
            minute, today = wall.hour * 60 + wall.minute, wall.weekday()
            inside = minute >= one.start and (minute < one.end or one.end <= one.start) and today in one.days
            late = one.end <= one.start and minute < one.end and (today - 1) % 7 in one.days
            if inside or late:
                return moment
    raise AssertionError("never")


WINDOWS = st.builds(
    Window,
    st.integers(0, 1_439),
    st.integers(0, 1_440),
    st.frozensets(st.integers(0, 6), min_size=1),
)


@settings(max_examples=150)
@given(
    st.sampled_from(ZONES),
    st.lists(WINDOWS, min_size=1, max_size=3),
    st.one_of(
        st.integers(at("1990-01-01"), at("2037-01-01")),
        # Near to a change of the clock in one of them.
        st.builds(
            lambda day, second: at(day) + second,
            st.sampled_from(
                ["2026-03-28", "2026-10-24", "2026-04-04", "2026-10-03", "2026-03-07", "2026-02-14"]
            ),
            st.integers(0, 2 * 86_400),
        ),
    ),
)
@example(BERLIN, [Window(90, 150)], at("2026-10-25 00:45"))
def test_the_next_opening_is_the_one_that_looking_at_every_minute_finds(zone, windows, now) -> None:
    assert next_open(zone, windows, now) == by_hand(zone, windows, now)


@pytest.mark.parametrize("now", [-(2**62), -(10**12), 10**12, 2**62])
def test_a_clock_beyond_every_calendar_is_in_no_window_and_harms_nobody(now) -> None:
    assert next_open(BERLIN, [window("00:00-24:00")], now) is None
    assert not is_open(BERLIN, [window("00:00-24:00")], now)
    assert next_open(BERLIN, [], now) == now


@pytest.mark.parametrize("zone", ZONES, ids=str)
@pytest.mark.parametrize("now", [at("0001-01-04"), at("9999-12-01")])
def test_windows_open_up_to_the_ends_of_the_calendar(zone, now) -> None:
    soon = datetime.fromtimestamp(now, zone) + timedelta(days=3)
    found = next_open(zone, [Window(0, 1, frozenset({soon.weekday()}))], now)
    assert found is not None
    assert 0 < found - now <= 4 * 86_400
