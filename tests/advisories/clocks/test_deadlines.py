"""When periods end: month ends, leap years, changes of the clock, holidays, and the earlier of two readings."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from advisories.clocks.deadlines import add_months, deadline, is_business_day
from advisories.clocks.regimes import Calendar, Step, Unit
from tests.advisories.clocks.told import at


def step(amount: int | None, unit: str | None, calendar: str = "utc", **more: object) -> Step:
    values = {
        "id": "s",
        "name": "s",
        "trigger": "aware",
        "amount": amount,
        "unit": unit,
        "calendar": calendar,
    }
    return Step.model_validate({**values, **more})


@pytest.mark.parametrize(
    ("start", "months", "end"),
    [
        ("2026-01-31 10:00", 1, "2026-02-28 10:00"),
        ("2028-01-31 10:00", 1, "2028-02-29 10:00"),
        ("2027-01-29 10:00", 1, "2027-02-28 10:00"),
        ("2028-02-29 10:00", 12, "2029-02-28 10:00"),
        ("2028-02-29 10:00", 48, "2032-02-29 10:00"),
        ("2100-01-31 10:00", 1, "2100-02-28 10:00"),
        ("2026-03-31 10:00", 1, "2026-04-30 10:00"),
        ("2026-12-31 23:59", 2, "2027-02-28 23:59"),
        ("2026-11-30 10:00", 3, "2027-02-28 10:00"),
        ("2026-12-15 10:00", 1, "2027-01-15 10:00"),
    ],
)
def test_months_end_on_the_same_day_or_on_the_last_of_the_month(start: str, months: int, end: str) -> None:
    assert add_months(at(start), months) == at(end)
    found = deadline(at(start), step(months, "months"))
    assert found is not None
    assert (found.due, found.latest) == (at(end), None)


@pytest.mark.parametrize(
    ("start", "hours", "end"),
    [
        ("2026-11-20T17:00:00+00:00", 72, "2026-11-23 17:00"),  # Friday to Monday: weekends count
        ("2026-12-24T12:00:00+00:00", 72, "2026-12-27 12:00"),  # and holidays
        ("2026-03-28T12:00:00+01:00", 24, "2026-03-29 11:00"),  # the night that is an hour short
        ("2026-10-24T12:00:00+02:00", 24, "2026-10-25 10:00"),  # the night that is an hour longer
        ("2026-03-07T12:00:00-05:00", 24, "2026-03-08 17:00"),
        ("2026-10-31T12:00:00-04:00", 24, "2026-11-01 16:00"),
        ("2028-02-28T12:00:00+00:00", 24, "2028-02-29 12:00"),
    ],
)
@pytest.mark.parametrize("calendar", ["utc", "eu-1182", "us-federal"])
def test_hours_are_hours(start: str, hours: int, end: str, calendar: str) -> None:
    found = deadline(datetime.fromisoformat(start), step(hours, "hours", calendar))
    assert found is not None
    assert found.due == at(end)


@pytest.mark.parametrize(
    ("zone", "wall", "hours", "end"),
    [
        ("Europe/Berlin", "2026-03-29T01:30", 24, "2026-03-30 00:30"),
        ("Europe/Berlin", "2026-10-25T01:30", 24, "2026-10-25 23:30"),
        ("America/New_York", "2026-03-08T01:30", 72, "2026-03-11 06:30"),
    ],
)
def test_a_zone_that_changes_its_clock_meanwhile_changes_no_deadline(
    zone: str, wall: str, hours: int, end: str
) -> None:
    start = datetime.fromisoformat(wall).replace(tzinfo=ZoneInfo(zone))
    found = deadline(start, step(hours, "hours"))
    assert found is not None
    assert found.due == at(end)
    assert found.due.tzinfo is UTC


@pytest.mark.parametrize("fold", [0, 1])
def test_the_hour_that_comes_twice_is_told_apart(fold: int) -> None:
    start = datetime(2026, 10, 25, 2, 30, tzinfo=ZoneInfo("Europe/Berlin"), fold=fold)
    found = deadline(start, step(24, "hours"))
    assert found is not None
    assert found.due == at("2026-10-26 00:30") + fold * timedelta(hours=1)


@pytest.mark.parametrize(
    ("start", "days", "end"),
    [
        ("2026-11-20T15:00:00+00:00", 4, "2026-11-27 22:30"),  # Thanksgiving between
        ("2026-11-19T15:00:00+00:00", 4, "2026-11-25 22:30"),
        ("2026-11-21T15:00:00+00:00", 4, "2026-11-27 22:30"),  # Saturday: Monday is the first day
        ("2026-06-29T15:00:00+00:00", 4, "2026-07-06 21:30"),  # 4 July 2026 is a Saturday, observed on Friday
        ("2027-06-29T15:00:00+00:00", 4, "2027-07-06 21:30"),  # 4 July 2027 is a Sunday, observed on Monday
        ("2027-12-29T15:00:00+00:00", 2, "2028-01-03 22:30"),  # 1 January 2028, observed in the old year
        (
            "2026-01-17T03:00:00+00:00",
            1,
            "2026-01-20 22:30",
        ),  # still Friday in New York; Monday is King's day
        ("2026-03-06T15:00:00+00:00", 1, "2026-03-09 21:30"),  # summer time begins meanwhile
        ("2026-10-30T15:00:00+00:00", 1, "2026-11-02 22:30"),  # and ends
        ("2028-02-28T15:00:00+00:00", 1, "2028-02-29 22:30"),
    ],
)
def test_business_days_leave_out_federal_holidays_and_the_days_on_which_they_are_observed(
    start: str, days: int, end: str
) -> None:
    found = deadline(
        datetime.fromisoformat(start), step(days, "business-days", "us-federal", day_ends="17:30")
    )
    assert found is not None
    assert found.due == at(end)


@pytest.mark.parametrize(
    ("day", "works"),
    [
        ("2026-01-01", False),
        ("2026-01-19", False),
        ("2026-02-16", False),
        ("2026-05-25", False),
        ("2026-06-19", False),
        ("2020-06-19", True),  # not a federal holiday before 2021
        ("2026-07-03", False),
        ("2026-09-07", False),
        ("2026-10-12", False),
        ("2026-11-11", False),
        ("2026-11-26", False),
        ("2026-11-27", True),
        ("2026-12-25", False),
        ("2021-12-31", False),
        ("2027-12-24", False),
        ("2027-12-31", False),
        ("2026-11-21", False),
        ("2026-11-22", False),
        ("2026-11-23", True),
    ],
)
def test_federal_business_days(day: str, works: bool) -> None:
    assert is_business_day(date.fromisoformat(day)) is works


@pytest.mark.parametrize(
    ("start", "amount", "unit", "due", "latest"),
    [
        # An hour in which something happens does not count: a full hour is never shifted.
        ("2026-11-20 09:00", 24, "hours", "2026-11-21 09:00", None),
        ("2026-11-20 09:10", 24, "hours", "2026-11-21 09:10", "2026-11-21 10:00"),
        # Days end with the last hour of the day, which may shift to Monday: ours stays the earlier one.
        ("2026-11-21 01:00", 14, "days", "2026-12-05 01:00", "2026-12-07 22:00"),
        ("2026-11-20 01:00", 14, "days", "2026-12-04 01:00", "2026-12-04 22:00"),
        ("2026-01-31 10:00", 1, "months", "2026-02-28 10:00", "2026-03-02 22:00"),
        # At 22:10 UTC on the 30th it is the 31st in Helsinki, whose month later ends at 22:00 UTC.
        ("2027-01-30 22:10", 1, "months", "2027-02-28 22:00", "2027-03-01 22:00"),
        # The day on which summer time begins is an hour short.
        ("2026-03-20 21:59", 14, "days", "2026-04-03 21:00", "2026-04-03 21:00"),
    ],
)
def test_the_union_counts_by_the_earlier_reading(
    start: str, amount: int, unit: str, due: str, latest: str | None
) -> None:
    found = deadline(at(start), step(amount, unit, "eu-1182"))
    assert found is not None
    assert (found.due, found.latest) == (at(due), at(latest) if latest else None)


def test_a_law_that_names_no_number_gives_no_end() -> None:
    assert deadline(at("2026-11-20 09:00"), step(None, None)) is None


MOMENTS = st.datetimes(datetime(1990, 1, 1), datetime(2090, 1, 1), timezones=st.just(UTC))
COUNTS = st.sampled_from(
    [(Unit.HOURS, c) for c in Calendar]
    + [(Unit.DAYS, c) for c in Calendar]
    + [(Unit.MONTHS, c) for c in Calendar]
    + [(Unit.BUSINESS_DAYS, Calendar.US_FEDERAL)]
)


@given(MOMENTS, COUNTS, st.integers(1, 90), st.integers(0, 30))
def test_a_deadline_lies_behind_its_trigger_and_grows_with_the_amount(
    start: datetime, counted: tuple[Unit, Calendar], amount: int, more: int
) -> None:
    unit, calendar = counted
    short = deadline(start, step(amount, unit.value, calendar.value))
    long = deadline(start, step(amount + more, unit.value, calendar.value))
    assert short is not None
    assert long is not None
    assert start < short.due <= long.due
    assert short.latest is None or short.latest >= short.due


@given(MOMENTS, MOMENTS, COUNTS, st.integers(1, 40))
def test_what_begins_later_never_ends_a_day_earlier(
    one: datetime, other: datetime, counted: tuple[Unit, Calendar], amount: int
) -> None:
    unit, calendar = counted
    first, second = (
        deadline(start, step(amount, unit.value, calendar.value)) for start in sorted((one, other))
    )
    assert first is not None
    assert second is not None
    assert first.due <= second.due + timedelta(days=1)
