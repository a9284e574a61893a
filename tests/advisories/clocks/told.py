"""Incidents for tests, told in a few words."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from advisories.clocks.regimes import Regime, builtin
from advisories.clocks.running import Clock, applying, clocks
from advisories.events import Event, Recorded
from advisories.incident.kinds import Opened, made
from advisories.incident.model import Incident, incident_of

ID = "INC-2026-0001"


def at(text: str) -> datetime:
    """``2026-11-20 09:00`` or ``2026-11-20 09:00:00`` in UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def opened(when: str = "2026-11-20 09:00", matter: str = "vulnerability", **more: Any) -> Opened:
    return made(Opened, when=at(when), matter=matter, **more)


def incident(*events: Event, first: Opened | None = None) -> Incident:
    said = (first or opened(), *events)
    return incident_of([Recorded(n, 1_000.0 + n, "anna", ID, None, event) for n, event in enumerate(said, 1)])


def regime(name: str) -> Regime:
    return builtin().regimes[name]


def clock(story: Incident, name: str, step: str, now: str) -> Clock:
    found = clocks(story, [regime(name)], at(now))
    return next(each for each in found if each.step == step)


def every(story: Incident, now: str, listed: tuple[str, ...] = ()) -> dict[tuple[str, str], Clock]:
    found = clocks(story, applying(story, builtin(), listed), at(now))
    return {(each.regime, each.step): each for each in found}
