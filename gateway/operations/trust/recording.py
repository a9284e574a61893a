"""A change of trust lies in files of the workspace; that it was made stands in the audit chain."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa

from gateway.store import audit, schema
from gateway.store.engine import Session
from gateway.workspace.folder import Workspace


@contextlib.contextmanager
def recorded(
    workspace: Workspace, kind: str, about: dict[str, Any], *, now: float, by: str
) -> Iterator[None]:
    """Write a row of the audit chain that counts once the block, which writes the files, has ended well.

    Args:
        workspace: where.
        kind: of the row, ``trust.`` and what was done.
        about: its data, beside who did it.
        now: UTC seconds.
        by: who does it.
    """
    with workspace.store() as store, store.write() as session:
        audit.append(session, kind, {**about, "by": by}, now)
        yield


def made_good(
    workspace: Workspace, kinds: tuple[str, ...], about: dict[str, Any], *, now: float, by: str
) -> None:
    """Write the row of a change that lies in the files, unless the chain has one of these kinds already.

    Whoever made the change was killed before its row counted. The new one is of the first kind, and says
    that the change was ``found``: who made it, and when, is not known.
    """
    with workspace.store() as store:
        with store.read() as session:
            if _is_recorded(session, kinds, about):
                return
        with store.write() as session:
            session.serialise()
            if not _is_recorded(session, kinds, about):
                audit.append(session, kinds[0], {**about, "by": by, "found": True}, now)


def _is_recorded(session: Session, kinds: tuple[str, ...], about: dict[str, Any]) -> bool:
    """Say whether the chain has a row of one of these kinds with all of these data."""
    a = schema.audit
    found = session.connection.execute(sa.select(a.c.data).where(a.c.kind.in_(kinds))).scalars()
    rows = (json.loads(row) for row in found)
    return any(all(row.get(name) == value for name, value in about.items()) for row in rows)
