"""A store that any released version made is taken on as it is opened; nothing in it is lost.

The stores lie in ``released/``, an SQL dump of what each version's own program wrote: advisory, patch, rollouts,
reports of three devices, quarantine, anomalies, audit chain.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.operations import Operations

from gateway.core.rollout import RolloutState
from gateway.store import audit, cells, migrations, retention, schema
from gateway.store.engine import Store
from gateway.store.readers import active_readers
from gateway.store.rollouts import list_rollouts
from gateway.store.standings import Evidence
from keys.algorithms import UNDECLARED
from keys.errors import DamagedError, UnavailableError
from tests.gateway.databases import ENGINES, empty_place, fresh_place

RELEASED = Path(__file__).parent / "released"
VERSIONS = range(1, schema.SCHEMA_VERSION)
DEVICES = [f"device-{number:04}" for number in range(4)]


def released(version: int, folder: Path) -> Path:
    """Make the file as that version left it."""
    path = folder / "store.sqlite"
    connection = sqlite3.connect(path)
    connection.executescript((RELEASED / f"schema-{version}.sql").read_text(encoding="utf-8"))
    connection.close()
    return path


def rows(path: Path) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of every table, in its older columns."""
    with sqlite3.connect(path) as connection:
        names = [
            name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        ]
        found = {}
        for name in names:
            columns = [f'"{row[1]}"' for row in connection.execute(f"PRAGMA table_info({name})")]
            found[name] = sorted(connection.execute(f"SELECT {', '.join(columns)} FROM {name}"), key=repr)
    connection.close()
    return found


def differences(connection: sa.Connection) -> list[Any]:
    context = MigrationContext.configure(connection, opts={"compare_type": True})
    return compare_metadata(context, schema.metadata)


def test_there_is_a_store_of_every_released_version() -> None:
    assert sorted(path.name for path in RELEASED.iterdir()) == [f"schema-{v}.sql" for v in VERSIONS]


@pytest.mark.parametrize("version", VERSIONS)
def test_a_released_store_has_all_its_rows_and_this_schema_afterwards(tmp_path: Path, version: int) -> None:
    path = released(version, tmp_path)
    before = rows(path)
    for _ in range(2):
        Store.open(path).close()
    after = rows(path)
    assert after["meta"] == sorted([("fleet", before["meta"][0][1]), ("schema", str(schema.SCHEMA_VERSION))])
    for table in before.keys() - {"meta", "sqlite_sequence", "rollout_devices"}:
        width = len(before[table][0])
        assert [row[:width] for row in after[table]] == before[table], table
    store = Store.open(path)
    with store.read() as session:
        assert differences(session.connection) == []
        assert session.meta("fleet") is not None
        (found,) = active_readers(session, 1_800_000_000)
        assert (found.algorithms, found.count) == (UNDECLARED, 4)
        evidence = Evidence(session, DEVICES)
        assert evidence.standings.keys() == set(DEVICES[:3])
        assert [each.order for _, each in sorted(evidence.standings.items())] == [(1, 1), (1, 1), (1, 2)]
        assert cells.faults(session) == []
        assert retention.unexplained(session) == []
        assert {each.id: each.state for each in list_rollouts(session)} == {
            "r0": RolloutState.READY,
            "r1": RolloutState.STOPPED,
        }
        many = session.connection.execute(sa.select(sa.func.sum(schema.device_cells.c.count))).scalar()
        assert many == 4
    audit.verify_chain(store)
    with store.write() as session:
        audit.append(session, "kind", {}, 1.0)
    audit.verify_chain(store)
    store.close()


@pytest.mark.parametrize("engine", ENGINES)
def test_the_revisions_make_what_a_new_store_has(tmp_path: Path, engine: str) -> None:
    store = Store(empty_place(engine, tmp_path))
    with store.write() as session:
        migrations.upgrade(session.connection, 0)
        assert differences(session.connection) == []
        assert text_orders(session.connection) <= {"C", None}
    (tmp_path / "new").mkdir()
    new = Store.open(fresh_place(engine, tmp_path / "new"))
    with new.read() as session, store.read() as other:
        assert differences(session.connection) == []
        assert shape(session.connection) == shape(other.connection)
    for each in (store, new):
        each.close()


def text_orders(connection: sa.Connection) -> set[str | None]:
    there = sa.MetaData()
    there.reflect(connection)
    kinds = [column.type for table in there.sorted_tables for column in table.columns]
    return {getattr(kind, "collation", None) for kind in kinds if isinstance(kind, sa.String)}


def shape(connection: sa.Connection) -> dict[str, Any]:
    """Columns with their kinds, keys and indices, which a comparison of metadata does not all look at."""
    inspector = sa.inspect(connection)
    return {
        name: (
            {
                c["name"]: (str(c["type"]), c["nullable"], bool(c.get("default")))
                for c in inspector.get_columns(name)
            },
            inspector.get_pk_constraint(name)["constrained_columns"],
            sorted(
                (key["constrained_columns"], key["referred_table"])
                for key in inspector.get_foreign_keys(name)
            ),
            sorted((str(i["name"]), i["column_names"]) for i in inspector.get_indexes(name)),
            sorted(key["column_names"] for key in inspector.get_unique_constraints(name)),
        )
        for name in inspector.get_table_names()
    }


@pytest.mark.parametrize("step", [1, 3, 7])
def test_an_upgrade_that_is_cut_short_leaves_the_store_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    path = released(1, tmp_path)
    before = rows(path)
    done = SimpleNamespace(steps=0)
    add_column = Operations.add_column

    def fail(*args: Any, **kwargs: Any) -> None:
        done.steps += 1
        if done.steps == step:
            raise sa.exc.OperationalError(
                "ALTER TABLE", {}, sqlite3.OperationalError("database or disk is full")
            )
        add_column(*args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(Operations, "add_column", fail)
        with pytest.raises(UnavailableError) as caught:
            Store.open(path)
    assert caught.value.code == "STORE_FULL"
    assert rows(path) == before
    Store.open(path).close()
    assert rows(path)["reports"] != []


@pytest.mark.parametrize("version", ["0", str(schema.SCHEMA_VERSION + 1), "many"])
def test_any_other_version_is_refused_with_its_number(any_place: Path | str, version: str) -> None:
    store = Store.open(any_place)
    with store.write() as session:
        session.set_meta("schema", version)
    store.close()
    with pytest.raises(DamagedError) as caught:
        Store.open(any_place)
    assert caught.value.code == "STORE_VERSION"
    assert f"version {version}," in caught.value.message
