"""Events about incidents and advisories in the store: appended, never changed, and in the audit chain."""

from __future__ import annotations

import hashlib

import sqlalchemy as sa

import advisories.kinds  # noqa: F401 - importing it registers every kind of event
from advisories import events
from advisories.events import Event, Recorded
from gateway.service import audit, schema
from gateway.service.store import Session
from keys.errors import DamagedError


def record(
    session: Session,
    data: Event,
    *,
    by: str,
    now: float,
    incident: str | None = None,
    advisory: str | None = None,
) -> int:
    """Append an event and return its number.

    The audit chain holds its kind and digest, so that a row changed or removed later is noticed.
    """
    text = events.encode(data)
    values = {
        "at": now,
        "kind": data.kind,
        "by": by,
        "incident": incident,
        "advisory": advisory,
        "data": text,
    }
    result = session.connection.execute(schema.events.insert().values(**values))
    (seq,) = result.inserted_primary_key or (0,)
    digest = hashlib.sha256(text.encode()).hexdigest()
    about = {"seq": seq, "by": by, "incident": incident, "advisory": advisory, "digest": digest}
    audit.append(session, data.kind, about, now)
    return int(seq)


def recorded(
    session: Session, *, incident: str | None = None, advisory: str | None = None, kind: str | None = None
) -> list[Recorded]:
    """Return events in the order in which they were recorded.

    Args:
        session: a reading transaction.
        incident: only those of this incident.
        advisory: only those of this advisory.
        kind: only kinds that begin so, e.g. ``reply.``.

    Raises:
        DamagedError: EVENTS_DAMAGED, for a row that no program of this kind wrote.
    """
    t = schema.events
    query = sa.select(t.c.seq, t.c.at, t.c.by, t.c.incident, t.c.advisory, t.c.kind, t.c.data)
    if incident is not None:
        query = query.where(t.c.incident == incident)
    if advisory is not None:
        query = query.where(t.c.advisory == advisory)
    if kind is not None:
        query = query.where(t.c.kind.startswith(kind, autoescape=True))
    found = []
    for seq, at, by, about, named, name, text in session.connection.execute(query.order_by(t.c.seq)):
        try:
            found.append(Recorded(seq, at, by, about, named, events.decode(name, text)))
        except ValueError as error:
            raise DamagedError(
                "EVENTS_DAMAGED",
                f"Event {seq} cannot be read: {error}.",
                mend="Restore the store from a copy, or use the program that wrote it.",
            ) from None
    return found
