"""``tocsin audit``: what was decided and received, row by row, and whether all of it is still there."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa

from advisories.catalogue import Timestamp
from gateway.core import chain
from gateway.operations.afar import operation
from gateway.store import audit, schema
from gateway.store.engine import Session
from gateway.workspace.folder import Workspace
from keys.document import peek
from keys.errors import InputError

_INDEX_DIGITS: Final = 18


@dataclass(frozen=True, slots=True)
class AuditRow:
    """One row of the audit chain."""

    index: int
    """Counts from 1."""
    time: float
    """UTC seconds."""
    kind: str
    data: dict[str, Any]
    hash: str
    """Of this row and all before it, in hexadecimal."""


@dataclass(frozen=True, slots=True)
class AuditRows:
    """Some rows of the audit chain, oldest first."""

    items: tuple[AuditRow, ...]
    next: str
    """What ``after`` has to be for those behind them; empty: there are no more."""


@dataclass(frozen=True, slots=True)
class AuditCheck:
    """A chain that was found whole."""

    rows: int
    head: str
    """Hash of the last row, in hexadecimal."""
    signed: int
    """The last row that a signed timestamp vouches for; what comes behind it could be cut off unseen."""
    strangers: int
    """Reports that echo a head which is not in the chain (anomaly ``audit_head``)."""


@operation("GET", "/audit", right="audit:read")
def rows(
    workspace: Workspace,
    *,
    kind: str = "",
    since: float | None = None,
    about: str = "",
    limit: int = 100,
    after: str = "",
) -> AuditRows:
    """Return rows of the audit chain, oldest first.

    Args:
        workspace: where.
        kind: only kinds that begin so, e.g. ``rollout.``.
        since: only rows of this time or later, UTC seconds.
        about: only rows about one matter, such as ``advisory:<id>``, ``patch:<digest>`` or ``incident:<id>``.
        limit: how many at most.
        after: only rows behind this index.

    Raises:
        InputError: BAD_VALUE.
    """
    if after and not (after.isascii() and after.isdecimal() and len(after) <= _INDEX_DIGITS):
        raise InputError("BAD_VALUE", "'after' is the index of a row.", mend="Give what 'next' said.")
    with workspace.store() as store, store.read() as session:
        found = audit.find(
            session, limit=limit + 1, after=int(after or 0), since=since, kind=kind, thread=about
        )
    items = tuple(map(_view, found[:limit]))
    return AuditRows(items, str(items[-1].index) if len(found) > limit else "")


@operation("GET", "/audit/check", right="audit:read")
def check(workspace: Workspace) -> AuditCheck:
    """Check every hash of the chain, and the heads that were signed.

    Raises:
        DamagedError: AUDIT_DAMAGED, naming the first row that does not fit.
    """
    a = schema.anomalies
    with workspace.store() as store:
        audit.verify_chain(store)
        with store.read() as session:
            index, newest = audit.last(session)
            signed = max(
                (_signed(session, name) for name in session.document_names(Timestamp.TYPE)), default=0
            )
            query = sa.select(sa.func.count()).select_from(a).where(a.c.kind == "audit_head")
            strangers = session.connection.execute(query).scalar_one()
    return AuditCheck(index, newest.hex(), signed, strangers)


@operation("GET", "/audit/{index}", right="audit:read")
def show(workspace: Workspace, index: int) -> AuditRow:
    """Return one row.

    Raises:
        InputError: ROW_UNKNOWN.
    """
    found: list[chain.Link] = []
    if 0 < index < 10**_INDEX_DIGITS:
        with workspace.store() as store, store.read() as session:
            found = audit.find(session, limit=1, after=index - 1)
    if not found or found[0].index != index:
        raise InputError(
            "ROW_UNKNOWN", f"The audit chain has no row {index}.", mend="'tocsin audit list' shows its rows."
        )
    return _view(found[0])


def _signed(session: Session, product: str) -> int:
    """Return the row that a product's newest timestamp vouches for."""
    t = schema.audit
    stored = session.document(Timestamp.TYPE, product)
    head = peek(stored.bytes, Timestamp).audit_head if stored is not None else chain.GENESIS
    return session.connection.execute(sa.select(t.c.index).where(t.c.hash == head)).scalar() or 0


def _view(row: chain.Link) -> AuditRow:
    return AuditRow(row.index, row.time, row.kind, json.loads(row.data), row.hash.hex())
