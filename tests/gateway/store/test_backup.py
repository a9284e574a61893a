"""Backups: whole or refused, from either engine into either, and nothing half restored."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
import sqlalchemy as sa

from gateway.store import backup, schema
from gateway.store.engine import Store
from tests.gateway.databases import ENGINES, fresh_place
from tests.gateway.store.rows import contents, fill

NOW = 1_800_000_000.0


def filled(engine: str, folder: Path) -> Store:
    folder.mkdir(exist_ok=True)
    store = Store.open(fresh_place(engine, folder))
    with store.write() as session:
        fill(session)
        session.set_meta("fleet", "00" * 32)
    return store


@pytest.mark.parametrize(("from_", "to"), list(itertools.product(ENGINES, ENGINES)))
def test_every_row_goes_from_either_engine_to_either(tmp_path: Path, from_: str, to: str) -> None:
    store = filled(from_, tmp_path / "old")
    made = backup.write(store, tmp_path / "file", NOW)
    assert made == backup.examine(tmp_path / "file")
    (tmp_path / "new").mkdir()
    other = Store.open(fresh_place(to, tmp_path / "new"))
    assert backup.restore(other, tmp_path / "file", NOW + 1) == made
    before, after = contents(store), contents(other)
    rows = after.pop("audit")
    assert rows[: len(before["audit"])] == before.pop("audit")
    assert len(rows) == 12 + 2  # chain.form, store.restored
    for table in ("meta", "audit_threads"):  # what the chain notes of itself
        assert set(before.pop(table)) <= set(after.pop(table))
    assert before == after
    assert {len(found) for found in before.values()} == {12}
    for each in (store, other):
        each.close()


def test_numbers_that_count_themselves_go_on_behind_what_was_restored(
    any_store: Store, tmp_path: Path
) -> None:
    store = filled("sqlite", tmp_path / "old")
    backup.write(store, tmp_path / "file", NOW)
    store.close()
    backup.restore(any_store, tmp_path / "file", NOW)
    counting = [table for table in schema.metadata.sorted_tables if table.autoincrement_column is not None]
    assert len(counting) >= 4
    with any_store.write() as session:
        for table in counting:
            found = session.connection.execute(sa.select(table).limit(1)).one()._asdict()
            del found[table.autoincrement_column.name]
            fresh = {**found, **({"once": "another"} if "once" in found else {})}
            assert session.connection.execute(table.insert().values(**fresh)).inserted_primary_key == (13,)
