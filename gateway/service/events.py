"""Events about incidents and advisories in the store: appended, never changed, and in the audit chain."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import TypeVar

import sqlalchemy as sa
from pydantic import ValidationError

import advisories.kinds  # noqa: F401 - importing it registers every kind of event
from advisories import events
from advisories.events import Event, Recorded
from gateway.service import audit, files, schema
from gateway.service.store import Session
from keys.errors import DamagedError, InputError

E = TypeVar("E", bound=Event)


def made(cls: type[E], fields: Mapping[str, object]) -> E:
    """Return an event of what a person typed; empty words count as not said.

    Raises:
        InputError: BAD_VALUE, naming the field.
    """
    said = {name: value for name, value in fields.items() if value is not None and value != ""}
    try:
        return cls.model_validate(said, strict=False)
    except ValidationError as error:
        fault = error.errors(include_url=False)[0]
        name = ".".join(map(str, fault["loc"])).replace("_", "-")
        reason = "it is missing" if fault["type"] == "missing" else str(fault["msg"])
        reason = reason.removeprefix("Value error, ").removeprefix("Input ")
        raise InputError(
            "BAD_VALUE", f"'{name}': {files.visible(reason)}.", mend=f"Give another {name}."
        ) from None


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
