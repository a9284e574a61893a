"""What one opening of a store compiled serves the next, of whatever store, and does not grow without end."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa

from gateway.store import connecting, schema
from gateway.store.engine import Store
from tests.gateway.databases import fresh_place


def test_a_statement_is_compiled_once_for_all_stores(tmp_path: Path) -> None:
    kept = connecting._compiled("")
    kept.clear()
    found = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        store = Store.open(fresh_place("sqlite", tmp_path / name))
        with store.write() as session:
            session.set_meta("whose", name)
        store.close()
        before = len(kept)
        with Store.open(store.where).read() as session:
            found.append(session.meta("whose"))
        assert len(kept) == before
    assert found == ["one", "two"]
    assert before > 0


def test_what_is_kept_has_an_end(tmp_path: Path) -> None:
    store = Store.open(fresh_place("sqlite", tmp_path))
    kept = connecting._compiled("")
    m = schema.meta
    with store.read() as session:
        for number in range(connecting._STATEMENTS_MAX + 20):
            query = sa.select(m.c.value.label(f"n{number}")).where(m.c.key == "schema")
            assert session.connection.execute(query).scalar() == str(schema.SCHEMA_VERSION)
            assert 0 < len(kept) <= connecting._STATEMENTS_MAX
    store.close()
