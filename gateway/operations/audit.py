"""``tocsin audit list``: what was decided and received, row by row."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from gateway.operations.afar import operation
from gateway.store import schema
from gateway.workspace.folder import Workspace
from keys.errors import InputError


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


@operation("GET", "/audit", right="audit:read")
def rows(workspace: Workspace, *, kind: str = "", limit: int = 100, after: str = "") -> AuditRows:
    """Return rows of the audit chain, oldest first.

    Args:
        workspace: where.
        kind: only kinds that begin so, e.g. ``rollout.``.
        limit: how many at most.
        after: only rows behind this index.

    Raises:
        InputError: BAD_VALUE.
    """
    if after and not (after.isascii() and after.isdecimal() and len(after) <= 18):
        raise InputError("BAD_VALUE", "'after' is the index of a row.", mend="Give what 'next' said.")
    t = schema.audit
    query = sa.select(t.c.index, t.c.time, t.c.kind, t.c.data, t.c.hash).where(t.c.index > int(after or 0))
    if kind:
        query = query.where(t.c.kind.startswith(kind, autoescape=True))
    with workspace.store() as store, store.read() as session:
        found = list(session.connection.execute(query.order_by(t.c.index).limit(limit + 1)))
    items = tuple(
        AuditRow(index, time, name, json.loads(data), digest.hex())
        for index, time, name, data, digest in found[:limit]
    )
    return AuditRows(items, str(items[-1].index) if len(found) > limit else "")
