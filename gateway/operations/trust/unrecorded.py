"""Keys and signatures that lie in the workspace's files, and of which the audit chain has no row.

A kill between the two leaves such a one, and so does whoever writes files by hand. In an exercise nobody
looks: one person may play all roles there, and what a rehearsal lays down it need not record.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Final

import sqlalchemy as sa

from gateway.operations.patches import views
from gateway.operations.trust.drafting import body_path, read_draft
from gateway.store import schema
from gateway.store.engine import Session
from gateway.workspace.folder import Workspace
from keys import cose
from keys.errors import RefusedError

LISTED: Final = ("trust.key-added", "trust.key-made")
REVOKED: Final = "trust.key-revoked"
ROOT_SIGNED: Final = "trust.root-signed"
PATCH_SIGNED: Final = "patch.signed"


def unrecorded(workspace: Workspace, session: Session) -> Iterator[tuple[str, str]]:
    """Yield what has no row, and the command that writes it when it is given again, as it was.

    Args:
        workspace: whose files are looked at.
        session: which reads its store.

    Raises:
        TocsinError: a file cannot be read.
    """
    rows = _rows(session)
    for entry in workspace.key_entries().values():
        key = {"key": entry.name, "thumbprint": entry.public.thumbprint.hex()}
        if not _has(rows, LISTED, key):
            yield f"key {entry.name}", "tocsin key new' or 'key add"
        if entry.revoked is not None and not _has(rows, (REVOKED,), key):
            yield f"revocation of key {entry.name}", "tocsin key revoke"
    names = {entry.public.thumbprint.hex(): entry.name for entry in workspace.key_entries().values()}
    if body_path(workspace).exists():
        _, document, root = read_draft(workspace)
        for kid in _signed(document):
            if not _has(rows, (ROOT_SIGNED,), {"version": root.version, "key": kid}):
                yield f"signature of root {root.version} by {names.get(kid, kid[:16])}", "tocsin root sign"
    for view in views.every(workspace):
        known = [row["key"] for row in rows[PATCH_SIGNED] if row.get("digest") == view.patch.digest.hex()]
        for signed in view.approvals.signed:
            if not any(key.startswith(signed.kid) for key in known):
                what = f"signature of patch {view.patch.sequence} by {signed.holder}"
                yield what, "tocsin patch approve"


def _rows(session: Session) -> dict[str, list[dict[str, Any]]]:
    """Return kind -> the data of all its rows."""
    found: dict[str, list[dict[str, Any]]] = {
        kind: [] for kind in (*LISTED, REVOKED, ROOT_SIGNED, PATCH_SIGNED)
    }
    a = schema.audit
    for kind, data in session.connection.execute(
        sa.select(a.c.kind, a.c.data).where(a.c.kind.in_(list(found)))
    ):
        found[kind].append(json.loads(data))
    return found


def _has(rows: dict[str, list[dict[str, Any]]], kinds: tuple[str, ...], about: dict[str, Any]) -> bool:
    return any(about.items() <= row.items() for kind in kinds for row in map(_plain, rows[kind]))


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    """Return what can be compared as a set: no lists."""
    return {name: value for name, value in row.items() if isinstance(value, str | int)}


def _signed(document: bytes | None) -> list[str]:
    """Return whose signatures a document carries: thumbprints in hexadecimal."""
    if document is None:
        return []
    try:
        message = cose.parse(document, cose.TAG_SIGN, size_max=len(document), unprotected=False)
    except RefusedError:  # whoever reads the draft says so
        return []
    return [(signature.kid or b"").hex() for signature in message.signatures]
