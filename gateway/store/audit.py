"""The audit trail: decisions and receipts in one append-only hash chain (``gateway.core.chain``).

A row is appended in the same transaction as what it records; the head goes into every timestamp, so the
fleet itself holds on to it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import sqlalchemy as sa

from advisories.catalogue import Timestamp
from gateway.core import chain
from gateway.store import schema
from gateway.store.engine import Session, Store
from keys.document import peek
from keys.errors import DamagedError


def head(session: Session) -> bytes:
    """Return the hash of the newest row (32 bytes; zeros for an empty chain)."""
    return _last(session)[1]


def _last(session: Session) -> tuple[int, bytes]:
    t = schema.audit
    row = session.connection.execute(
        sa.select(t.c.index, t.c.hash).order_by(t.c.index.desc()).limit(1)
    ).first()
    return (0, chain.GENESIS) if row is None else (row[0], row[1])


def append(session: Session, kind: str, data: Mapping[str, Any], now: float) -> chain.Link:
    """Append a row to the chain and return it; its hash is the new head.

    From here to its end the transaction is alone in the store: append late.

    Args:
        session: the transaction that also writes what is recorded.
        kind: such as ``advisory.published``.
        data: JSON values; bytes are given in hexadecimal.
        now: UTC seconds.
    """
    session.serialise()
    index, before = _last(session)
    row = chain.link(before, index + 1, float(now), kind, data)
    session.connection.execute(
        schema.audit.insert().values(
            index=row.index, time=row.time, kind=row.kind, data=row.data, hash=row.hash
        )
    )
    return row


def rows(session: Session) -> Iterator[chain.Link]:
    """Yield the chain from its first row on."""
    t = schema.audit
    query = sa.select(t.c.index, t.c.time, t.c.kind, t.c.data, t.c.hash).order_by(t.c.index)
    for row in session.connection.execute(query):
        yield chain.Link(*row)


def _cut_off(session: Session) -> str | None:
    """Say whether rows at the end are gone: a head that a timestamp carries must still be in the chain."""
    t = schema.audit
    known = set(session.connection.execute(sa.select(t.c.hash)).scalars()) | {chain.GENESIS}
    for product in session.document_names(Timestamp.TYPE):
        for stored in session.documents(Timestamp.TYPE, product):
            if peek(stored.bytes, Timestamp).audit_head not in known:
                return f"rows that timestamp {stored.version} of '{product}' vouches for are missing"
    return None


def verify_chain(store: Store) -> bytes:
    """Check the whole chain and return its head.

    Raises:
        DamagedError: AUDIT_DAMAGED, naming the first row that does not fit.
    """
    with store.read() as session:
        fault = chain.fault(rows(session)) or _cut_off(session)
        if fault is not None:
            raise DamagedError(
                "AUDIT_DAMAGED",
                f"The audit chain is broken: {fault}.",
                mend="Restore the store from a copy and find out who changed it.",
                where=store.where,
            )
        return head(session)
