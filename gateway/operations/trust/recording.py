"""A change of trust lies in files of the workspace; that it was made stands in the audit chain."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from gateway.store import audit
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
