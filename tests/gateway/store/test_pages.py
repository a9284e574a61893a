"""No page reads a whole table that grows with the fleet: what it asks for is found by an index."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.engine import Engine

from bench.gateway_pages import ACCOUNTS, ADVISORY, ROLLOUT, make, pages
from gateway.operations import followups
from gateway.operations.identity.standing import standing
from gateway.operations.inventory import listing
from gateway.operations.rollouts import views
from gateway.store import retention, schema
from gateway.workspace.folder import Workspace

GROWING = {
    *(schema.devices, schema.inventory, schema.labels, schema.unheard, schema.documents),
    *(schema.device_states, schema.notice_states, schema.patch_states, schema.journal, schema.reports),
    *(schema.rollout_devices, schema.followups, schema.notice_cells, schema.device_cells),
}
FEW = {"ix_devices_revoked", "ix_rollout_devices_noted"}  # indices that hold few rows of a table
Statement = tuple[str, Any]


@pytest.fixture
def asked() -> Iterator[list[Statement]]:
    """What was asked of any database meanwhile."""
    found: list[Statement] = []

    def note(*facts: Any) -> None:
        found.append((facts[2], facts[3]))

    event.listen(Engine, "before_cursor_execute", note)
    yield found
    event.remove(Engine, "before_cursor_execute", note)


def scans(workspace: Workspace, asked: list[Statement]) -> list[str]:
    """Return what of these would read a growing table from its beginning to its end."""
    names = {table.name for table in GROWING}
    with workspace.store() as store, store.read() as session:
        plans = [
            (sql, row[3].split())
            for sql, values in asked
            if sql.startswith("SELECT")
            for row in session.connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}", values)
        ]
    whole = [(sql, step) for sql, step in plans if step[0] == "SCAN" and FEW.isdisjoint(step)]
    return [sql for sql, step in whole if step[1] in names]


def test_pages_read_what_they_show(tmp_path: Path, asked: list[Statement]) -> None:
    workspace, published = make(tmp_path, 301)
    device = "bench-0000300"
    more = {
        "standing": lambda: standing(workspace, device),
        "standing of a beginning": lambda: standing(workspace, device[:-1]),
        "device": lambda: listing.show(workspace, device),
        "devices of an account": lambda: listing.list_(workspace, account=ACCOUNTS[7]),
        "devices of a version": lambda: listing.list_(workspace, where="version = 1.2.0"),
        "followups": lambda: followups.list_(workspace, ADVISORY, account=ACCOUNTS[7]),
        **{
            f"rollout {state}": lambda state=state: views.devices(workspace, ROLLOUT, state=state)
            for state in ("proven", "waiting", "failed", "failing", "silent", "moved", "revoked", "declined")
        },
    }
    for name, page in {**pages(workspace, published), **more}.items():
        asked.clear()
        assert page() is not None
        assert len(asked) > 1, name
        assert scans(workspace, list(asked)) == [], name


def test_what_is_old_is_found_without_what_is_not(tmp_path: Path, asked: list[Statement]) -> None:
    workspace, published = make(tmp_path, 10)
    asked.clear()
    with workspace.store() as store:
        retention.expire(store, {"reports": 30}, published)
    assert any(schema.reports.name in sql for sql, _ in asked)
    assert scans(workspace, list(asked)) == []


def test_a_scan_is_seen(tmp_path: Path, asked: list[Statement]) -> None:
    workspace, _ = make(tmp_path, 10)
    asked.clear()
    with workspace.store() as store, store.read() as session:
        session.connection.execute(sa.select(schema.devices.c.kid)).all()
    assert len(scans(workspace, list(asked))) == 1
