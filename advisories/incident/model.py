"""What is known of an incident: a fold over its events, and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final

from advisories.clocks.regimes import Matter
from advisories.events import Event, Recorded
from advisories.facts.matter import Audience
from advisories.incident.kinds import (
    SEVERE,
    Closed,
    Credited,
    Decided,
    DraftSigned,
    Estimated,
    Graded,
    Happening,
    Held,
    Lifted,
    Linked,
    Logged,
    Noted,
    Opened,
    Reopened,
    Stated,
    Submitted,
    Told,
    Triggered,
)


@dataclass(frozen=True, slots=True)
class Hold:
    """A time in which law enforcement asked to wait."""

    office: str
    start: datetime
    until: datetime | None
    """To when it was asked for; None: until it is lifted."""
    lifted: datetime | None = None
    regimes: tuple[str, ...] = ()
    """Empty: every regime that lets any office ask."""

    @property
    def end(self) -> datetime | None:
        """When it ends or ended; None while nobody knows."""
        return min((end for end in (self.until, self.lifted) if end), default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Incident:
    """An incident as its events tell it. All times are in UTC."""

    id: str
    matter: Matter
    title: str
    aware: datetime
    """When we became aware."""
    chosen: tuple[str, ...] = ()
    """Regimes that were said to apply when it was opened."""
    decided: Mapping[str, Decided] = field(default_factory=dict)
    """Regime -> the latest decision whether it applies."""
    triggers: Mapping[str, datetime] = field(default_factory=dict)
    """Trigger -> when it happened, by the latest correction; awareness is not among them."""
    submissions: Mapping[tuple[str, str], Submitted] = field(default_factory=dict)
    """(regime, step) -> how it was done."""
    holds: tuple[Hold, ...] = ()
    credits: tuple[Credited, ...] = ()
    log: tuple[Logged, ...] = ()
    notes: tuple[Noted, ...] = ()
    told: tuple[Told, ...] = ()
    estimates: tuple[Estimated, ...] = ()
    """Oldest first; the last one counts."""
    severities: tuple[Graded, ...] = ()
    """Oldest first; the last one counts."""
    advisories: tuple[str, ...] = ()
    facts: Mapping[str, Stated] = field(default_factory=dict)
    """Item of a report -> what was said last."""
    drafts: tuple[DraftSigned, ...] = ()
    closed: datetime | None = None
    events: tuple[Recorded, ...] = ()
    """All of it, in the order in which it was recorded."""

    @property
    def severity(self) -> str | None:
        """The word recorded last, or None."""
        return self.severities[-1].severity if self.severities else None

    @property
    def monitoring_raised(self) -> bool:
        """Whether mentions and replies are watched more closely: it is open and was severe at any time."""
        return self.closed is None and any(graded.severity in SEVERE for graded in self.severities)

    @property
    def customers_told(self) -> datetime | None:
        """When customers were first told by hand, or None."""
        return min((told.when for told in self.told if told.audience is Audience.CUSTOMERS), default=None)


def _triggered(incident: Incident, said: Triggered) -> Incident:
    if said.trigger == "aware":
        return replace(incident, aware=said.when)
    return replace(incident, triggers={**incident.triggers, said.trigger: said.when})


def _lifted(incident: Incident, said: Lifted) -> Incident:
    holds = tuple(
        replace(hold, lifted=said.when) if hold.office == said.office and hold.lifted is None else hold
        for hold in incident.holds
    )
    return replace(incident, holds=holds)


def _held(incident: Incident, said: Held) -> Incident:
    hold = Hold(said.office, said.when, said.until, None, said.regimes)
    return replace(incident, holds=(*incident.holds, hold))


def _added(name: str) -> Callable[[Incident, Any], Incident]:
    def add(incident: Incident, said: Any) -> Incident:
        changed: dict[str, Any] = {name: (*getattr(incident, name), said)}
        return replace(incident, **changed)

    return add


_FOLD: Final[Mapping[type[Event], Callable[[Incident, Any], Incident]]] = {
    Triggered: _triggered,
    Submitted: lambda i, e: replace(i, submissions={**i.submissions, (e.regime, e.step): e}),
    Decided: lambda i, e: replace(i, decided={**i.decided, e.regime: e}),
    Held: _held,
    Lifted: _lifted,
    Credited: _added("credits"),
    Logged: _added("log"),
    Noted: _added("notes"),
    Told: _added("told"),
    Estimated: _added("estimates"),
    Graded: _added("severities"),
    Linked: lambda i, e: replace(i, advisories=(*i.advisories, e.advisory)),
    Stated: lambda i, e: replace(i, facts={**i.facts, e.item: e}),
    DraftSigned: _added("drafts"),
    Closed: lambda i, e: replace(i, closed=e.when),
    Reopened: lambda i, _: replace(i, closed=None),
}


def incident_of(events: Iterable[Recorded]) -> Incident:
    """Return what an incident's events tell.

    Args:
        events: of one incident, in the order in which they were recorded; kinds of other rooms are kept
            and change nothing, also where they came before it was opened.

    Raises:
        ValueError: there is no event, or the first one does not open the incident.
    """
    found: Incident | None = None
    early: list[Recorded] = []
    for recorded in events:
        said = recorded.data
        if found is None and not isinstance(said, Happening):
            early.append(recorded)
            continue
        if isinstance(said, Opened):
            if found is not None:
                raise ValueError("the incident is opened twice")
            found = Incident(
                id=recorded.incident or "",
                matter=said.matter,
                title=said.title or "",
                aware=said.when,
                chosen=said.regimes,
                events=tuple(early),
            )
        if found is None:
            raise ValueError("the incident was never opened")
        change = _FOLD.get(type(said))
        found = replace(change(found, said) if change else found, events=(*found.events, recorded))
    if found is None:
        raise ValueError("the incident was never opened")
    return found
