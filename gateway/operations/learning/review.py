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
from gateway.operations.afar import operation
from gateway.operations.incidents import records, watching
from gateway.store import events, funnel, lookback, schema
from gateway.store.engine import Session
from gateway.workspace.folder import Workspace
from keys.document import peek


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
        funnel.newest(session, advisory)
        said = events.recorded(session, advisory=advisory)
        revisions, notices = _revisions(session, advisory, said)
        owners = lookback.owners(session, advisory, notices)
        figures = measures(
            aware=aware,
            revisions=revisions,
            affected=owners.affected,
            shown=owners.shown,
            patched=owners.patched,
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
        funnel.newest(session, advisory)
        about = incident.id if incident else None
        events.record(session, lessons, by=by, now=now, advisory=advisory, incident=about)
    return Kept(advisory, by)


def _incident(workspace: Workspace, advisory: str) -> Incident | None:
    """Return the incident that an advisory speaks about, whether it was linked or the facts name it."""
    known = records.every(workspace)
    return next((each for each in known if advisory in watching.speaking(workspace, each)), None)


def _revisions(
    session: Session, advisory: str, said: list[Recorded]
) -> tuple[tuple[Published, ...], list[Notice]]:
    t = schema.advisories
    query = (
        sa.select(t.c.revision, t.c.document, t.c.digest, t.c.published)
        .where(t.c.id == advisory)
        .order_by(t.c.revision)
    )
    found, notices = [], []
    for revision, document, digest, published in session.connection.execute(query):
        given = [e.at for e in said if isinstance(e.data, Given) and e.data.digest == digest.hex()]
        notice = peek(document, Notice)
        notices.append(notice)
        found.append(
            Published(
                revision=revision,
                published=published,
                approved=max(given, default=None),
                next_update=notice.next_update,
            )
        )
    return tuple(found), notices
