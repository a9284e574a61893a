"""Deadlines as iCalendar (RFC 5545), for the calendars in which people live."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Final

from icalendar import Alarm, Calendar, Event

from advisories.clocks.running import LIVE, Clock
from advisories.incident.model import Incident

ALARMS: Final = (timedelta(hours=24), timedelta(hours=4), timedelta(hours=1))
"""Before the end; those that lie before the beginning are left out."""
_PRODUCT: Final = "-//tocsin//clocks//EN"


def calendar(
    clocks: Iterable[Clock], incidents: Mapping[str, Incident], *, now: datetime, exercise: bool
) -> bytes:
    """Return a calendar with an event for each clock that has an end.

    The same clock has the same UID in every export, so that a calendar that takes in the next one moves its
    entry; what was done is cancelled. Titles of incidents are left out: calendars are seen by many.

    Args:
        clocks: any.
        incidents: id -> the incident that a clock belongs to; a promise may belong to none.
        now: when it is made.
        exercise: mark entries as a drill.
    """
    made = Calendar()
    made.add("prodid", _PRODUCT)
    made.add("version", "2.0")
    made.add("method", "PUBLISH")
    for clock in clocks:
        if clock.due is not None and (clock.state in LIVE or clock.done is not None):
            made.add_component(_event(clock, incidents.get(clock.incident), now, exercise=exercise))
    return bytes(made.to_ical())


def _event(clock: Clock, incident: Incident | None, now: datetime, *, exercise: bool) -> Event:
    assert clock.due is not None
    begun, changes = (
        (incident.events[0].at, len(incident.events))
        if incident
        else (clock.started, int(clock.done is not None))
    )
    opened = hashlib.sha256(f"{clock.incident} {begun}".encode()).hexdigest()[:12]
    drill = "EXERCISE: " if exercise else ""
    title = f"{drill}{clock.incident}: {clock.name}" if incident else f"{drill}{clock.name}"
    made = Event()
    name = f"{clock.incident}.{clock.regime}.{clock.step}".lstrip(".")
    made.add("uid", f"{name}@{opened}.tocsin")
    made.add("dtstamp", now.replace(microsecond=0))
    made.add("dtstart", clock.due.replace(microsecond=0))
    made.add("summary", title)
    look = f"tocsin clocks {clock.incident}".rstrip()
    made.add("description", f"{clock.who} to {clock.whom}. {clock.source}. {look}")
    made.add("sequence", changes)
    made.add("class", "CONFIDENTIAL")
    made.add("transp", "TRANSPARENT")
    made.add("status", "CANCELLED" if clock.done is not None else "CONFIRMED")
    for before in ALARMS if clock.done is None else ():
        if clock.started is None or clock.due - before > clock.started:
            alarm = Alarm()
            alarm.add("action", "DISPLAY")
            alarm.add("description", title)
            alarm.add("trigger", -before)
            made.add_component(alarm)
    return made
