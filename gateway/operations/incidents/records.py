"""What people record about an incident: checked against what is known, then appended to the store."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from advisories.clocks.regimes import Regimes, builtin, load_regimes
from advisories.events import Event, Recorded
from advisories.incident.kinds import DraftSigned, Happening, Linked, Opened
from advisories.incident.model import Incident, incident_of
from advisories.incident.orders import require, require_opening
from gateway import files
from gateway.operations.advisories.drafts import facts_path
from gateway.operations.afar import operation
from gateway.store import events
from gateway.store.engine import Session
from gateway.workspace.entries import require_id
from gateway.workspace.folder import Workspace
from keys.errors import DamagedError, InputError

_REGIMES: Final = "regimes.toml"


@dataclass(frozen=True, slots=True)
class History:
    """An incident as its events tell it."""

    id: str
    events: tuple[Recorded, ...]

    @staticmethod
    def of(incident: Incident) -> History:
        """Return the events of an incident."""
        return History(incident.id, incident.events)

    def incident(self) -> Incident:
        """Return what is known of the incident.

        Raises:
            DamagedError: EVENTS_DAMAGED.
        """
        return _incident(list(self.events), self.id)


@dataclass(frozen=True, slots=True)
class Kept:
    """What was recorded about an incident."""

    incident: str
    said: Happening


def at(now: float) -> datetime:
    """Return UTC seconds as a moment."""
    return datetime.fromtimestamp(now, UTC)


@dataclass(frozen=True, slots=True)
class OwnRegimes:
    """What a workspace adds to the program's regimes."""

    triggers: Mapping[str, str]
    """Name -> what happened; of all regimes."""
    regimes: tuple[dict[str, Any], ...]
    """All of them, as ``regimes.toml`` would write them."""
    file: bytes | None
    """The workspace's ``regimes.toml``; None: it adds none."""

    def read(self) -> Regimes:
        """Return all of them."""
        return builtin() if self.file is None else load_regimes(self.file, where=_REGIMES, base=builtin())


@operation("GET", "/regimes", right="incident:read")
def own_regimes(workspace: Workspace) -> OwnRegimes:
    """Return the regimes that may apply, with their sources and what starts their clocks.

    Raises:
        InputError: BAD_REGIMES.
    """
    known = regimes(workspace)
    path = workspace.path / _REGIMES
    own = path.read_bytes() if path.exists() else None
    return OwnRegimes(
        known.triggers, tuple(each.model_dump(mode="json") for each in known.regimes.values()), own
    )


def regimes(workspace: Workspace) -> Regimes:
    """Return the program's regimes, with those that the workspace's ``regimes.toml`` adds or replaces.

    Raises:
        InputError: BAD_REGIMES.
    """
    path = workspace.path / _REGIMES
    if not path.exists():
        return builtin()
    data = files.read_bytes(path, what="file of regimes", mend="Check the path.")
    return load_regimes(data, where=str(path), base=builtin())


@operation("POST", "/incidents", right="incident:write", creates=True)
def begin(workspace: Workspace, *, said: Opened, by: str, now: int, name: str | None = None) -> History:
    """Record that we became aware of a matter: from here on its clocks run.

    Raises:
        InputError: BAD_ID, INCIDENT_EXISTS, IN_FUTURE, NO_REGIME, BAD_VALUE.
    """
    return History.of(open_(workspace, name, said, by=by, now=now))


@operation("POST", "/incidents/{incident}/events", right="incident:write", creates=True)
def tell(
    workspace: Workspace, incident: str, *, said: Happening, by: str, now: int, at_once: bool = False
) -> Kept:
    """Append to an incident what happened, when somebody was told, or what was decided.

    Args:
        workspace: where.
        incident: its id.
        said: what happened.
        by: who says so.
        now: UTC seconds.
        at_once: it happens now, whatever time it says: two machines may have two clocks.

    Raises:
        InputError: NO_INCIDENT, NO_ADVISORY, NOT_RECORDED, IN_FUTURE, BAD_VALUE; or of
            :func:`advisories.incident.orders.require`.
    """
    if isinstance(said, Opened | DraftSigned):  # the one begins an incident, the other needs a signature
        message = f"'{said.kind}' is not recorded so."
        raise InputError("NOT_RECORDED", message, mend="Open an incident, or have Legal sign the draft.")
    kept = said.model_copy(update={"when": at(now)}) if at_once else said
    record(workspace, incident, kept, by=by, now=now)
    return Kept(incident, kept)


@operation("GET", "/incidents", right="incident:read")
def histories(workspace: Workspace) -> tuple[History, ...]:
    """Return all incidents with their events, the first that was opened first."""
    return tuple(map(History.of, every(workspace)))


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
