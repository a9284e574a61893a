"""``tocsin review``: the figures of a matter from the store, and what people learnt from it."""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa

from advisories.approval import Given
from advisories.events import Recorded
from advisories.incident.model import Incident
from advisories.learning.replies import by_topic, replies
from advisories.learning.review import Lessons, Measures, Published, learnt, measures
from advisories.notice import Notice
from advisories.states import PATCH_PROVEN
from advisories.versions import parse_version
from gateway.operations.afar import operation
from gateway.operations.incidents import records, watching
from gateway.store import events, funnel, schema
from gateway.store.engine import Session
from gateway.workspace.folder import Workspace
from keys.document import peek
from keys.errors import InputError


@dataclass(frozen=True, slots=True)
class Review:
    """Everything there is to look back at."""

    advisory: str
    incident: str | None
    aware: float | None
    """UTC seconds of awareness; None where no incident says so."""
    revisions: tuple[Published, ...]
    measures: Measures
    lessons: tuple[tuple[Recorded, Lessons], ...]


@dataclass(frozen=True, slots=True)
class Kept:
    """That something learnt was kept."""

    advisory: str
    by: str


@operation("GET", "/advisories/{advisory}/review", right="status:read")
def review(workspace: Workspace, advisory: str, *, now: float) -> Review:
    """Look back at a published advisory.

    Raises:
        InputError: ADVISORY_UNKNOWN.
    """
    incident = _incident(workspace, advisory)
    aware = incident.aware.timestamp() if incident else None
    with workspace.store() as store, store.read() as session:
        found = funnel.advisory_funnel(session, advisory)
        said = events.recorded(session, advisory=advisory)
        revisions = _revisions(session, advisory, said)
        figures = measures(
            aware=aware,
            revisions=revisions,
            affected=_affected(session, advisory),
            shown=_shown(session, advisory),
            patched=_patched(session, found.notice),
            questions=by_topic(replies(said)),
            now=now,
        )
    return Review(advisory, incident.id if incident else None, aware, revisions, figures, tuple(learnt(said)))


@operation("POST", "/advisories/{advisory}/review", right="advisory:write")
def record(workspace: Workspace, advisory: str, lessons: Lessons, *, by: str, now: float) -> Kept:
    """Keep what people learnt.

    Raises:
        InputError: ADVISORY_UNKNOWN.
    """
    incident = _incident(workspace, advisory)
    with workspace.store() as store, store.write() as session:
        if not _revisions(session, advisory, []):
            raise InputError("ADVISORY_UNKNOWN", f"'{advisory}' is not published.", mend="Publish it first.")
        about = incident.id if incident else None
        events.record(session, lessons, by=by, now=now, advisory=advisory, incident=about)
    return Kept(advisory, by)


def _incident(workspace: Workspace, advisory: str) -> Incident | None:
    """Return the incident that an advisory speaks about, whether it was linked or the facts name it."""
    known = records.every(workspace)
    return next((each for each in known if advisory in watching.speaking(workspace, each)), None)


def _revisions(session: Session, advisory: str, said: list[Recorded]) -> tuple[Published, ...]:
    t = schema.advisories
    query = (
        sa.select(t.c.revision, t.c.document, t.c.digest, t.c.published)
        .where(t.c.id == advisory)
        .order_by(t.c.revision)
    )
    found = []
    for revision, document, digest, published in session.connection.execute(query):
        given = [e.at for e in said if isinstance(e.data, Given) and e.data.digest == digest.hex()]
        notice = peek(document, Notice)
        found.append(
            Published(
                revision=revision,
                published=published,
                approved=max(given, default=None),
                next_update=notice.next_update,
            )
        )
    return tuple(found)


def _affected(session: Session, advisory: str) -> int:
    """Count the devices whose owners were ever concerned: shown it, or of a version that a revision names.

    The funnel of the newest revision would not do: a device that runs the fix is no longer affected by it.
    """
    a, d, s, n = schema.advisories, schema.devices, schema.device_states, schema.notice_states
    documents = session.connection.execute(sa.select(a.c.document).where(a.c.id == advisory)).scalars()
    notices = [peek(document, Notice) for document in documents]
    query = (
        sa.select(d.c.product, s.c.installed, n.c.shown)
        .select_from(
            d.outerjoin(s, s.c.device == d.c.id).outerjoin(
                n, sa.and_(n.c.device == d.c.id, n.c.advisory == advisory)
            )
        )
        .where(d.c.revoked.is_(False))
    )
    count = 0
    for product, installed, shown in session.connection.execute(query):
        version = None if installed is None else parse_version(installed)
        named = version is not None and any(notice.affects(product, version) for notice in notices)
        count += named or shown is not None
    return count


def _shown(session: Session, advisory: str) -> list[float]:
    t = schema.notice_states
    query = sa.select(t.c.shown_received).where(t.c.advisory == advisory, t.c.shown_received.is_not(None))
    return [float(at) for at in session.connection.execute(query).scalars()]


def _patched(session: Session, notice: Notice) -> list[float]:
    """Return when each device ran a patch that the notice names."""
    digests = [digest for patches in (notice.patches or {}).values() for digest in patches]
    t = schema.patch_states
    query = (
        sa.select(sa.func.min(t.c.changed))
        .where(t.c.digest.in_(digests), t.c.state.in_([int(state) for state in PATCH_PROVEN]))
        .group_by(t.c.device)
    )
    return [float(at) for at in session.connection.execute(query).scalars()]
