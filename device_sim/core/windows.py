"""When the owner lets a device install: windows of the week, by the device's own clock on the wall.

A moment is inside a window when the wall clock then shows a time from its start until before its end. So an
hour that the clock repeats counts twice, one that it leaves out never comes, and a window over midnight goes
on the next day.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Final

from device_sim.core.profile import DAY_SECONDS, Window

_WEEKS_MAX: Final = 3  # what the clock leaves out in one week, and then in another, comes in the third
_PROBE_SECONDS: Final = 3 * 3_600  # no zone changes its clock twice in so short a time
_FIRST: Final = -62_135_596_800 + 2 * DAY_SECONDS  # what a calendar of four digits can say, in any zone
_LAST: Final = 253_402_300_799 - 2 * DAY_SECONDS


def is_open(zone: tzinfo, windows: Sequence[Window], now: int) -> bool:
    """Say whether a moment is inside a window; without any window every moment is.

    Args:
        zone: of the device.
        windows: the owner's.
        now: UTC seconds.
    """
    if not windows:
        return True
    if not _FIRST <= now <= _LAST:
        return False
    wall = datetime.fromtimestamp(now, zone)
    minute, today = wall.hour * 60 + wall.minute, wall.weekday()
    return any(_holds(window, minute, today) for window in windows)


def _holds(window: Window, minute: int, today: int) -> bool:
    if window.start < window.end:
        return today in window.days and window.start <= minute < window.end
    begun = today in window.days and minute >= window.start
    return begun or ((today - 1) % 7 in window.days and minute < window.end)


def next_open(zone: tzinfo, windows: Sequence[Window], now: int) -> int | None:
    """Return the first second, from ``now`` on, that is inside a window; None where none comes.

    Args:
        zone: of the device.
        windows: the owner's; none at all: any time.
        now: UTC seconds.
    """
    if is_open(zone, windows, now):
        return now
    if not _FIRST + DAY_SECONDS <= now <= _LAST - (_WEEKS_MAX * 7 + 2) * DAY_SECONDS:
        return None
    # What is closed opens where a window starts, or where the clock is set into the middle of one.
    moments = sorted({*_starts(zone, windows, now), *_changes(zone, now)})
    return next((at for at in moments if at >= now and is_open(zone, windows, at)), None)


def _starts(zone: tzinfo, windows: Sequence[Window], now: int) -> Iterator[int]:
    """Yield when windows start; times that the clock shows twice, twice."""
    today = datetime.fromtimestamp(now, zone).replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=None)
    for days in range(-1, _WEEKS_MAX * 7 + 1):
        day = today + timedelta(days=days)
        for window in windows:
            if window.start >= window.end or day.weekday() in window.days:
                wall = day + timedelta(minutes=window.start)
                for fold in (0, 1):
                    yield int(wall.replace(tzinfo=zone, fold=fold).astimezone(UTC).timestamp())


def _changes(zone: tzinfo, now: int) -> Iterator[int]:
    """Yield when the clock is set forwards or back."""
    for low in range(now, now + _WEEKS_MAX * 7 * DAY_SECONDS, _PROBE_SECONDS):
        before, high = low, low + _PROBE_SECONDS
        if _offset(zone, before) == _offset(zone, high):
            continue
        while high - before > 1:
            middle = (before + high) // 2
            if _offset(zone, middle) == _offset(zone, low):
                before = middle
            else:
                high = middle
        yield high


def _offset(zone: tzinfo, at: int) -> timedelta | None:
    return datetime.fromtimestamp(at, zone).utcoffset()
