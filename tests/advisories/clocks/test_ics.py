"""Deadlines as a calendar, read back by the library."""

from __future__ import annotations

from datetime import timedelta

from icalendar import Calendar, Event

from advisories.clocks.ics import calendar
from advisories.incident.kinds import Submitted, made
from advisories.incident.model import Incident
from tests.advisories.clocks.told import ID, at, every, incident, opened

NAME = "eu-cra-14-exploited"
FIRST = opened(regimes=[NAME], title="secret, do not tell")


def events(story: Incident, now: str, *, exercise: bool = False) -> dict[str, Event]:
    clocks = every(story, now)
    data = calendar(clocks.values(), {ID: story}, now=at(now), exercise=exercise)
    assert all(len(line) <= 75 for line in data.split(b"\r\n"))
    read = Calendar.from_ical(data)
    assert read["version"] == "2.0"
    assert b"secret" not in data
    return {str(event["uid"]).split(".")[2].split("@")[0]: event for event in read.walk("VEVENT")}


def test_a_clock_with_an_end_is_an_entry_with_alarms() -> None:
    found = events(incident(first=FIRST), "2026-11-20 10:00")
    assert set(found) == {"early-warning", "notification"}
    warning = found["early-warning"]
    assert warning["dtstart"].dt == at("2026-11-21 09:00")
    assert warning["dtstamp"].dt == at("2026-11-20 10:00")
    assert warning["status"] == "CONFIRMED"
    assert str(warning["summary"]).startswith(f"{ID}: EU Cyber Resilience Act")
    alarms = [alarm["trigger"].dt for alarm in warning.walk("VALARM")]
    assert alarms == [-timedelta(hours=4), -timedelta(hours=1)]  # 24 hours before, nobody knew of it
    assert len(found["notification"].walk("VALARM")) == 3


def test_an_entry_keeps_its_uid_and_counts_up() -> None:
    before = events(incident(first=FIRST), "2026-11-20 10:00")["early-warning"]
    done = made(Submitted, when=at("2026-11-20 12:00"), regime=NAME, step="early-warning")
    after = events(incident(done, first=FIRST), "2026-11-20 13:00")["early-warning"]
    assert before["uid"] == after["uid"]
    assert before["sequence"] < after["sequence"]
    assert after["status"] == "CANCELLED"
    assert not after.walk("VALARM")


def test_a_drill_says_so() -> None:
    found = events(incident(first=FIRST), "2026-11-20 10:00", exercise=True)
    assert all(str(event["summary"]).startswith("EXERCISE: ") for event in found.values())


def test_the_same_clocks_give_the_same_bytes() -> None:
    story = incident(first=FIRST)
    clocks = every(story, "2026-11-20 10:00").values()
    made_ = [calendar(clocks, {ID: story}, now=at("2026-11-20 10:00"), exercise=False) for _ in range(2)]
    assert made_[0] == made_[1]
