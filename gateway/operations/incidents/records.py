"""What people record about an incident: checked against what is known, then appended to the store."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime

from advisories.clocks.regimes import Regimes, builtin, load_regimes
from advisories.events import Event, Recorded
from advisories.incident.kinds import Linked, Opened
from advisories.incident.model import Incident, incident_of
from advisories.incident.orders import require, require_opening
from gateway import files
from gateway.operations.advisories.drafts import facts_path
from gateway.store import events
from gateway.store.engine import Session
from gateway.workspace.entries import require_id
from gateway.workspace.folder import Workspace
from keys.errors import DamagedError, InputError


def at(now: float) -> datetime:
    """Return UTC seconds as a moment."""
    return datetime.fromtimestamp(now, UTC)


def regimes(workspace: Workspace) -> Regimes:
    """Return the program's regimes, with those that the workspace's ``regimes.toml`` adds or replaces.

    Raises:
        InputError: BAD_REGIMES.
    """
    path = workspace.path / "regimes.toml"
    if not path.exists():
        return builtin()
    data = files.read_bytes(path, what="file of regimes", mend="Check the path.")
    return load_regimes(data, where=str(path), base=builtin())


def open_(workspace: Workspace, name: str | None, said: Opened, *, by: str, now: float) -> Incident:
    """Record that we became aware of a matter: from here on its clocks run.

    Args:
        workspace: where.
        name: id of the new incident; the next of its year if None.
        said: when we became aware, and of what.
        by: who says so.
        now: UTC seconds.

    Raises:
        InputError: BAD_ID, INCIDENT_EXISTS, IN_FUTURE, NO_REGIME, BAD_VALUE.
    """
    require_opening(said, regimes(workspace), now=at(now))
    with workspace.lock(), workspace.store() as store, store.write() as session:
        known = _opened(session)
        name = require_id(name, "an incident id") if name is not None else _next(known, said.when.year)
        if name in known:
            raise InputError(
                "INCIDENT_EXISTS",
                f"There is an incident {name} already.",
                mend=f"Look at it with 'tocsin incident show {name}', or choose another id.",
            )
        events.record(session, said, by=by, now=now, incident=name)
        return _fold(session, name)


def record(workspace: Workspace, name: str, said: Event, *, by: str, now: float) -> Incident:
    """Append an event to an incident and return the incident as it stands then.

    Raises:
        InputError: NO_INCIDENT, NO_ADVISORY, or of :func:`advisories.incident.orders.require`.
    """
    known = regimes(workspace)
    advisory = said.advisory if isinstance(said, Linked) else None
    if advisory is not None and not facts_path(workspace, advisory).exists():
        raise InputError(
            "NO_ADVISORY",
            f"There is no advisory '{advisory}'.",
            mend=f"Make it with 'tocsin advisory new {advisory}'.",
        )
    with workspace.lock(), workspace.store() as store, store.write() as session:
        require(_fold(session, name), said, known, now=at(now))
        events.record(session, said, by=by, now=now, incident=name, advisory=advisory)
        return _fold(session, name)


def load(workspace: Workspace, name: str) -> Incident:
    """Return an incident.

    Raises:
        InputError: NO_INCIDENT.
        DamagedError: EVENTS_DAMAGED.
    """
    with workspace.store() as store, store.read() as session:
        return _fold(session, name)


def every(workspace: Workspace) -> list[Incident]:
    """Return all incidents, the first that was opened first."""
    with workspace.store() as store, store.read() as session:
        opened = _opened(session)
        rows: dict[str, list[Recorded]] = defaultdict(list)
        for row in events.recorded(session) if opened else ():
            rows[row.incident or ""].append(row)
    return [_incident(rows[name], name) for name in opened]


def _opened(session: Session) -> list[str]:
    rows = events.recorded(session, kind="incident.opened")
    return [row.incident for row in rows if row.incident is not None]


def _fold(session: Session, name: str) -> Incident:
    opened = _opened(session)
    if name not in opened:
        mend = files.near(name, opened) if opened else "Open it with 'tocsin incident open --aware TIME'."
        raise InputError("NO_INCIDENT", f"There is no incident '{name}'.", mend=mend)
    return _incident(events.recorded(session, incident=name), name)


def _incident(rows: list[Recorded], name: str) -> Incident:
    try:
        return incident_of(rows)
    except ValueError as error:
        raise DamagedError(
            "EVENTS_DAMAGED",
            f"The events of {name} are not whole: {error}.",
            mend="Restore the store from a copy.",
        ) from None


def _next(known: list[str], year: int) -> str:
    used = [int(name[-4:]) for name in known if name.startswith(f"INC-{year}-") and name[-4:].isdecimal()]
    return f"INC-{year}-{max(used, default=0) + 1:04d}"
