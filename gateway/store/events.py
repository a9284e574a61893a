"""Events about incidents and advisories in the store: appended, never changed, and in the audit chain."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Final, TypeVar

import sqlalchemy as sa
from pydantic import ValidationError
from pydantic_core import PydanticSerializationError

import advisories.kinds  # noqa: F401 - importing it registers every kind of event
from advisories import events
from advisories.events import Event, Recorded
from gateway import files, values
from gateway.core.chain import NTH
from gateway.store import audit, schema
from gateway.store.engine import Session
from keys.errors import DamagedError, InputError
from keys.limits import NAME_BYTES_MAX

E = TypeVar("E", bound=Event)

_ABOUT: Final = {"seq", "by", "incident", "advisory", "digest"}
"""What the audit chain says about an event."""
_END: Final = 253_402_300_800.0
"""UTC seconds at which the calendar ends, with the year 9999."""


def made(cls: type[E], fields: Mapping[str, object]) -> E:
    """Return an event of what a person typed; empty words count as not said.

    Raises:
        InputError: BAD_VALUE, naming the field.
    """
    said = {
        name: value
        for name, value in fields.items()
        if value is not None and not (isinstance(value, str) and not value.strip())
    }
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


def person(name: str, option: str = "--by", *, bytes_max: int = NAME_BYTES_MAX) -> str:
    """Return a name that was given, unless no list could show it.

    Raises:
        InputError: BAD_VALUE, naming the option.
    """
    try:
        size = len(values.a_text(name).encode())
    except ValueError as error:
        raise InputError("BAD_VALUE", f"{option}: {error}.", mend="Give a name.") from None
    if size > bytes_max:
        raise InputError(
            "BAD_VALUE", f"{option}: a name has at most {bytes_max} bytes.", mend="Give a shorter one."
        )
    return name


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

    Raises:
        InputError: BAD_VALUE, as of :func:`person`, or for bytes that are no text.
    """
    person(by)
    try:
        text = events.encode(data)
    except PydanticSerializationError:  # half letters, as bytes that are no text arrive from a command line
        message = "What was said holds bytes that are no text."
        raise InputError("BAD_VALUE", message, mend="Write it in UTF-8.") from None
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
            if not isinstance(at, float) or not 0 <= at < _END:
                raise ValueError("its time is none")  # noqa: TRY301 - told like the other faults of a row
            found.append(Recorded(seq, at, by, about, named, events.decode(name, text)))
        except ValueError as error:
            raise DamagedError(
                "EVENTS_DAMAGED",
                f"Event {seq} cannot be read: {error}.",
                mend="Restore the store from a copy, or use the program that wrote it.",
            ) from None
    return found


def verify(session: Session) -> None:
    """Hold every event against the audit chain, which was checked before.

    Raises:
        DamagedError: EVENTS_DAMAGED, for one that was altered, taken away or slipped in.
    """
    t = schema.events
    columns = (t.c.seq, t.c.at, t.c.kind, t.c.by, t.c.incident, t.c.advisory, t.c.data)
    stored = {row.seq: tuple(row) for row in session.connection.execute(sa.select(*columns))}
    for link in audit.rows(session):
        about = json.loads(link.data)
        if about.keys() - {NTH} != _ABOUT:
            continue
        seq, at, *words, text = stored.pop(about["seq"], (0, 0.0, "", "", None, None, ""))
        digest = hashlib.sha256(text.encode() if isinstance(text, str) else b"").hexdigest()
        wanted = [link.kind, about["by"], about["incident"], about["advisory"]]
        if (seq, at, words, digest) != (about["seq"], link.time, wanted, about["digest"]):
            raise _changed(f"Event {about['seq']} is not as it was recorded, or it is gone.")
    if stored:
        raise _changed(f"Event {min(stored)} was recorded by no program of ours.")


def _changed(message: str) -> DamagedError:
    mend = "Restore the store from a copy and find out who changed it."
    return DamagedError("EVENTS_DAMAGED", message, mend=mend)
