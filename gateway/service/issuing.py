"""Documents that the gateway signs itself: stored, and retained until they expire, many in few statements."""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa

from gateway.store import schema
from gateway.store.engine import Session
from keys.document import digest, seal
from keys.root import Body
from keys.signer import Signer


def issue(session: Session, bodies: Sequence[tuple[Body, str, str]], signer: Signer, now: float) -> None:
    """Sign documents, store them, and retain them in this order behind everything retained before.

    Args:
        session: the transaction that decided on them; from here on it is alone in the store.
        bodies: (body, name under which it is stored, topic); no topic twice.
        signer: the gateway's key.
        now: UTC seconds.
    """
    if not bodies:
        return
    d, t = schema.documents, schema.retained
    sealed = [(body, name, topic, seal(body, [signer])) for body, name, topic in bodies]
    session.serialise()
    session.connection.execute(
        d.insert(),
        [
            {
                "type": body.type,
                "name": name,
                "version": body.version,
                "digest": digest(document),
                "bytes": document,
                "created": now,
            }
            for body, name, _, document in sealed
        ],
    )
    last = session.connection.execute(sa.select(sa.func.max(t.c.revision))).scalar() or 0
    session.connection.execute(t.delete().where(t.c.topic.in_([topic for _, _, topic, _ in sealed])))
    session.connection.execute(
        t.insert(),
        [
            {"topic": topic, "payload": document, "expires": body.expires, "revision": last + number}
            for number, (body, _, topic, document) in enumerate(sealed, 1)
        ],
    )


def newest(session: Session, type_: str, names: Sequence[str]) -> dict[str, bytes]:
    """Return name -> the newest document of a type, for those names that have one."""
    d = schema.documents
    last = (
        sa.select(d.c.name, sa.func.max(d.c.version).label("version"))
        .where(d.c.type == type_, d.c.name.in_(names))
        .group_by(d.c.name)
        .subquery("last")
    )
    query = sa.select(d.c.name, d.c.bytes).join(
        last, sa.and_(d.c.type == type_, d.c.name == last.c.name, d.c.version == last.c.version)
    )
    return {row.name: row.bytes for row in session.connection.execute(query)}
