"""When a period ends: hours, days, months and business days from a moment, all in UTC.

Where a law can be read in two ways, the earlier end counts and the later one is shown beside it.
"""

from __future__ import annotations

from calendar import monthrange
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from typing import Final
from zoneinfo import ZoneInfo

import holidays

from advisories.clocks.regimes import Calendar, Step, Unit

_NEW_YORK: Final = ZoneInfo("America/New_York")
_EAST: Final = ZoneInfo("Europe/Helsinki")
"""The Member States' easternmost time: nowhere in the Union does a day end earlier."""
_DAY: Final = timedelta(days=1)
_SATURDAY: Final = 5


@dataclass(frozen=True, slots=True)
class Deadline:
    """When a period ends."""

    due: datetime
    """UTC; whoever keeps it is on time by every reading."""
    latest: datetime | None = None
    """UTC; the end by a reading that gives more time, where there is one. For Legal to judge."""


def deadline(start: datetime, step: Step) -> Deadline | None:
    """Return when a step's period ends, or None where the law names no number.

    Args:
        start: when its trigger happened; any zone.
        step: with amount, unit and calendar.
    """
    if step.amount is None or step.unit is None:
        return None
    start = start.astimezone(UTC)
    if step.unit is Unit.BUSINESS_DAYS:
        return Deadline(_business(start, step.amount, step.day_ends))
    if step.unit is Unit.HOURS:
        due = start + timedelta(hours=step.amount)
        return Deadline(due, _next_hour(due) if step.calendar is Calendar.EU_1182 else None)
    due = start + step.amount * _DAY if step.unit is Unit.DAYS else add_months(start, step.amount)
    return _union(start, due, step) if step.calendar is Calendar.EU_1182 else Deadline(due)


def add_months(start: datetime, months: int) -> datetime:
    """Return the same day and time some months later, or the month's last day where it has no such day."""
    index = start.month - 1 + months
    year, month = start.year + index // 12, index % 12 + 1
    return start.replace(year=year, month=month, day=min(start.day, monthrange(year, month)[1]))


def _next_hour(due: datetime) -> datetime | None:
    """The hour in which something happened does not count (Regulation 1182/71, Article 3(1))."""
    whole = due.replace(minute=0, second=0, microsecond=0)
    return None if whole == due else whole + timedelta(hours=1)


def _union(start: datetime, due: datetime, step: Step) -> Deadline:
    """Days and months of the Union: to the end of the last day, which may shift to a working day.

    The day is the Member State's own. Where our moment a period later lies behind the end of that day in the
    easternmost time, as it may at the end of a month, that end counts.
    """
    assert step.amount is not None
    local = start.astimezone(_EAST)
    moved = local + step.amount * _DAY if step.unit is Unit.DAYS else add_months(local, step.amount)
    last = moved.date()
    end = _end_of(last)
    while last.weekday() >= _SATURDAY:
        last += _DAY
    return Deadline(min(due, end), _end_of(last))


def _end_of(day: date) -> datetime:
    return datetime.combine(day + _DAY, time(), _EAST).astimezone(UTC)


def _business(start: datetime, amount: int, ends: time) -> datetime:
    """Count business days after the day of the event; the last one ends at ``ends`` in New York."""
    day = start.astimezone(_NEW_YORK).date()
    while amount:
        day += _DAY
        amount -= is_business_day(day)
    return datetime.combine(day, ends, _NEW_YORK).astimezone(UTC)


def is_business_day(day: date) -> bool:
    """Say whether federal offices work: no weekend, no federal holiday, no day on which one is observed."""
    return day.weekday() < _SATURDAY and day not in _federal(day.year)


@cache
def _federal(year: int) -> frozenset[date]:
    return frozenset(holidays.country_holidays("US", years=year, observed=True))
