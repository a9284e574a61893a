"""Clocks and rules of incidents, from what the store and the workspace's files say."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from advisories.approval import Given
from advisories.clocks.regimes import Regimes
from advisories.clocks.running import (
    LIVE,
    Clock,
    Issue,
    applying,
    clocks,
    customers_heard,
    in_order,
    next_updates,
    silence,
)
from advisories.facts import Facts, load_facts
from advisories.incident.model import Incident
from advisories.incident.orders import regime_of
from advisories.incident.timeline import Line, timeline
from advisories.incident.violations import Violation, violations
from advisories.learning.calls import SPOKEN, Made
from advisories.notice import Notice
from advisories.organisation import Organisation
from gateway import files
from gateway.operations import releases
from gateway.operations.advisories.drafts import facts_path
from gateway.operations.advisories.setting import organisation
from gateway.operations.afar import operation
from gateway.operations.incidents.records import History, at, every, load, regimes
from gateway.operations.trust.signing import verified
from gateway.store import events, schema
from gateway.workspace.folder import Workspace
from keys.document import peek
from keys.errors import InputError, RefusedError


@dataclass(frozen=True, slots=True)
class Watched:
    """An incident with its clocks, and what was done out of order."""

    incident: Incident
    clocks: tuple[Clock, ...]
    violations: tuple[Violation, ...]


def speaking(workspace: Workspace, incident: Incident) -> tuple[str, ...]:
    """Return the advisories that speak about an incident: linked to it, or naming it in their facts."""
    found = list(incident.advisories)
    for path in files.listed(workspace.path / "advisories", ".yaml"):
        if path.stem not in found and _names(path.read_bytes(), incident.id):
            found.append(path.stem)
    return tuple(found)


def _names(data: bytes, incident: str) -> bool:
    """Say whether a file of facts names the incident; one that cannot be read names none."""
    if incident.encode() not in data:
        return False
    with contextlib.suppress(InputError):
        return load_facts(data, where="").incident == incident
    return False


def facts_of(workspace: Workspace, incident: Incident) -> tuple[Facts, ...]:
    """Return the facts of the advisories that speak about an incident, as their files say now.

    Raises:
        InputError: a file's own faults, with file:line.
    """
    paths = [facts_path(workspace, advisory) for advisory in speaking(workspace, incident)]
    return tuple(load_facts(path.read_bytes(), where=str(path)) for path in paths if path.exists())


def issues_of(workspace: Workspace, incident: Incident) -> tuple[Issue, ...]:
    """Return the published revisions of the advisories that speak about an incident."""
    names = speaking(workspace, incident)
    return tuple(issue for issue in issues(workspace) if issue.advisory in names)


def issues(workspace: Workspace) -> tuple[Issue, ...]:
    """Return every published revision of every advisory."""
    t = schema.advisories
    query = sa.select(t.c.id, t.c.revision, t.c.document, t.c.published).order_by(t.c.id, t.c.revision)
    with workspace.store() as store, store.read() as session:
        rows = session.connection.execute(query).all()
    found = []
    for name, revision, document, published in rows:
        promised = peek(document, Notice).next_update
        found.append(Issue(name, revision, at(published), None if promised is None else at(promised)))
    return tuple(found)


def approved(workspace: Workspace, names: Iterable[str], issued: Iterable[Issue]) -> datetime | None:
    """Return when the first notice of some advisories had all its approvals, or None.

    Args:
        workspace: where.
        names: of the advisories.
        issued: their published revisions; those of others are passed over.
    """
    times = []
    every_issue = tuple(issued)
    for name in names:
        with workspace.store() as store, store.read() as session:
            rows = events.recorded(session, advisory=name, kind="approval.given")
        given = {row.data.revision: at(row.at) for row in rows if isinstance(row.data, Given)}
        published = {issue.revision: issue.at for issue in every_issue if issue.advisory == name}
        times += [min(when, given.get(revision, when)) for revision, when in published.items()]
        coming = max(published, default=0) + 1
        if coming in given and _complete(workspace, name, coming):
            times.append(given[coming])
    return min(times, default=None)


def _complete(workspace: Workspace, advisory: str, revision: int) -> bool:
    document = releases.stored(workspace, advisory, revision)
    if document is None:
        return False
    root = workspace.trusted().root
    with contextlib.suppress(RefusedError):
        notice, kids = peek(document, Notice), verified(document, root)
        rows = [root.demands(Notice.TYPE, product) for product in notice.subject]
        return not any(root.missing(row, kids, notice.author) for row in rows)
    return False


def listed(workspace: Workspace, made: Organisation, known: Regimes) -> tuple[str, ...]:
    """Return the regimes that Legal lists in ``organisation.yaml``.

    Raises:
        InputError: NO_REGIME, with the file.
    """
    for name in made.regimes:
        try:
            regime_of(known, name)
        except InputError as error:
            error.where = str(workspace.path / "organisation.yaml")
            raise
    return made.regimes


def watch(workspace: Workspace, incident: Incident, *, now: float) -> Watched:
    """Return an incident's clocks, most urgent first, and what was done out of order.

    Raises:
        InputError: faults of organisation.yaml or regimes.toml.
    """
    known, made, moment = regimes(workspace), organisation(workspace), at(now)
    issued = issues_of(workspace, incident)
    found = [
        *clocks(incident, applying(incident, known, listed(workspace, made, known)), moment),
        silence(incident, issued, made.silence_hours, moment, told=customers_heard(incident, known)),
        *next_updates(incident, issued, moment),
    ]
    names = speaking(workspace, incident)
    first = approved(workspace, names, issued)
    broken = violations(incident, known, approved=first, calls=_calls(workspace, names))
    return Watched(incident, in_order(found), broken)


def _calls(workspace: Workspace, names: Iterable[str]) -> list[tuple[datetime, str]]:
    """Return when customers were spoken to on the phone about some advisories, and their numbers."""
    with workspace.store() as store, store.read() as session:
        rows = [row for name in names for row in events.recorded(session, advisory=name, kind="call.made")]
    return [
        (at(row.at), row.data.customer)
        for row in rows
        if isinstance(row.data, Made) and row.data.outcome in SPOKEN
    ]


@dataclass(frozen=True, slots=True)
class Looked:
    """All that is known of an incident."""

    history: History
    clocks: tuple[Clock, ...]
    violations: tuple[Violation, ...]
    advisories: tuple[str, ...]
    """Those that speak about it."""


@dataclass(frozen=True, slots=True)
class Told:
    """An incident's timeline."""

    history: History
    lines: tuple[Line, ...]
    exercise: bool


@dataclass(frozen=True, slots=True)
class Calendar:
    """Deadlines as iCalendar."""

    data: bytes
    entries: int


@operation("GET", "/incidents/{incident}", right="incident:read")
def look(workspace: Workspace, incident: str, *, now: int) -> Looked:
    """Return what is known of an incident, its clocks, and what was done out of order.

    Raises:
        InputError: NO_INCIDENT; faults of organisation.yaml or regimes.toml.
    """
    found = load(workspace, incident)
    watched = watch(workspace, found, now=now)
    names = speaking(workspace, found)
    return Looked(History.of(found), watched.clocks, watched.violations, names)


@operation("GET", "/incidents/{incident}/clocks", right="incident:read")
def clocks_of(workspace: Workspace, incident: str, *, now: int) -> tuple[Clock, ...]:
    """Return the clocks of an incident, most urgent first.

    Raises:
        InputError: NO_INCIDENT; faults of organisation.yaml or regimes.toml.
    """
    return watch_all(workspace, incident, now=now)


@operation("GET", "/clocks", right="incident:read")
def all_clocks(workspace: Workspace, *, now: int) -> tuple[Clock, ...]:
    """Return the clocks of all incidents, and our promises, most urgent first.

    Raises:
        InputError: faults of organisation.yaml or regimes.toml.
    """
    return watch_all(workspace, None, now=now)


@operation("GET", "/calendar", right="incident:read")
def calendar_of(workspace: Workspace, *, now: int, incident: str | None = None) -> Calendar:
    """Return deadlines as iCalendar with alarms: of one incident, or of all that are open.

    Raises:
        InputError: NO_INCIDENT; faults of organisation.yaml or regimes.toml.
    """
    return Calendar(*export(workspace, incident, now=now))


@operation("GET", "/incidents/{incident}/timeline", right="incident:read")
def tell(workspace: Workspace, incident: str) -> Told:
    """Return an incident's timeline: what happened when, who recorded it and when.

    Raises:
        InputError: NO_INCIDENT; faults of the facts.
    """
    found = load(workspace, incident)
    return Told(History.of(found), lines(workspace, found), workspace.settings.exercise)


def watch_all(workspace: Workspace, name: str | None, *, now: float) -> tuple[Clock, ...]:
    """Return the clocks of one incident, or of all.

    Of a closed incident only what is still to be done is told beside those of the others: closing it ends no
    duty. A promise of an advisory that speaks about no incident is watched all the same.
    """
    if name is not None:
        return watch(workspace, load(workspace, name), now=now).clocks
    found: list[Clock] = []
    for incident in every(workspace):
        own = watch(workspace, incident, now=now).clocks
        found += [clock for clock in own if incident.closed is None or clock.state in LIVE]
    found += [clock for clock in _promises(workspace, now) if clock.state in LIVE]
    return in_order(found)


def _promises(workspace: Workspace, now: float) -> tuple[Clock, ...]:
    """Return a clock for each promise of an advisory that speaks about no incident."""
    spoken = {name for incident in every(workspace) for name in speaking(workspace, incident)}
    alone = [issue for issue in issues(workspace) if issue.advisory not in spoken]
    return next_updates(None, alone, at(now))


def export(workspace: Workspace, name: str | None, *, now: float) -> tuple[bytes, int]:
    """Return the calendar of all clocks, or of one incident's, and how many entries it has."""
    found = watch_all(workspace, name, now=now)
    if name is None:  # a kept promise is told too: calendars take its entry out
        found += tuple(clock for clock in _promises(workspace, now) if clock.state not in LIVE)
    incidents = {incident.id: incident for incident in every(workspace)}
    from advisories.clocks.ics import calendar  # noqa: PLC0415 - only this command needs icalendar

    data = calendar(found, incidents, now=at(now), exercise=workspace.settings.exercise)
    return data, data.count(b"BEGIN:VEVENT")


def lines(workspace: Workspace, incident: Incident) -> tuple[Line, ...]:
    """Return an incident's timeline, with what its advisories add."""
    issued = issues_of(workspace, incident)
    return timeline(incident, issues=issued, facts=facts_of(workspace, incident))
