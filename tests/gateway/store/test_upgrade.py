"""A store of an older schema version is taken on as it is opened; nothing in it is lost."""

from __future__ import annotations

from pathlib import Path

import pytest
import sqlalchemy as sa

from advisories.states import PatchState
from gateway.store import schema
from gateway.store.engine import Store
from gateway.store.readers import active_readers
from gateway.store.standings import Evidence, patch_row
from keys.algorithms import UNDECLARED
from keys.errors import DamagedError, UnavailableError
from tests.gateway.scene import make_store
from tests.helpers import DEVICE, NOW

PATCH_COLUMNS = (
    "consent_how",
    "consent_time",
    "consent_question",
    "consent_notice",
    "consent_language",
    "done",
    "deferrals",
    "suit",
)


def put_back(store: Store) -> None:
    """Make of it what the program of schema version 1 wrote."""
    with store.write() as session:
        for table in ("devices", "device_states"):
            session.connection.exec_driver_sql(f"ALTER TABLE {table} DROP COLUMN algorithms")
        session.connection.exec_driver_sql("DROP TABLE events")
        for column in PATCH_COLUMNS:
            session.connection.exec_driver_sql(f"ALTER TABLE patch_states DROP COLUMN {column}")
        for column in ("salt", "entry"):
            session.connection.exec_driver_sql(f"ALTER TABLE reports DROP COLUMN {column}")
        session.set_meta("schema", "1")
    store.close()


def test_a_store_of_version_1_knows_its_devices_and_nothing_of_their_algorithms(tmp_path: Path) -> None:
    store, fleet = make_store(tmp_path)
    put_back(store)
    for _ in range(2):
        store = Store.open(tmp_path / "store.sqlite")
        with store.read() as session:
            assert session.meta("schema") == str(schema.SCHEMA_VERSION)
            assert session.meta("fleet") == fleet.id.hex()
            (found,) = active_readers(session, NOW)
        assert (found.algorithms, found.count) == (UNDECLARED, 1)
        store.close()


def test_a_store_of_version_3_keeps_where_its_patches_stand(tmp_path: Path) -> None:
    store, _ = make_store(tmp_path)
    kept = {
        "device": DEVICE,
        "digest": bytes(32),
        "sequence": 7,
        "state": 5,
        "reason": 0,
        "time": NOW,
        "changed": 1.5,
    }
    with store.write() as session:
        for column in PATCH_COLUMNS:
            session.connection.exec_driver_sql(f"ALTER TABLE patch_states DROP COLUMN {column}")
        for column in ("salt", "entry"):
            session.connection.exec_driver_sql(f"ALTER TABLE reports DROP COLUMN {column}")
        names, marks = ", ".join(kept), ", ".join("?" * len(kept))
        session.connection.exec_driver_sql(
            f"INSERT INTO patch_states ({names}) VALUES ({marks})", tuple(kept.values())
        )
        session.set_meta("schema", "3")
    store.close()
    store = Store.open(tmp_path / "store.sqlite")
    with store.read() as session:
        evidence = Evidence(session, [DEVICE])
        assert evidence.standings == {}  # the device itself never reported
        row = patch_row(session.connection.execute(sa.select(schema.patch_states)).one())
    assert (row.sequence, row.state, row.consent, row.suit) == (7, PatchState.DOWNLOADING, None, None)
    store.close()


def test_an_upgrade_that_is_cut_short_is_done_at_the_next_opening(tmp_path: Path) -> None:
    store, _ = make_store(tmp_path)
    put_back(store)
    steps = schema.UPGRADES[1]
    schema.UPGRADES[1] = (steps[0], "this is no SQL")
    try:
        with pytest.raises(UnavailableError):
            Store.open(tmp_path / "store.sqlite")
    finally:
        schema.UPGRADES[1] = steps
    store = Store.open(tmp_path / "store.sqlite")
    with store.read() as session:
        assert len(active_readers(session, NOW)) == 1
    store.close()


@pytest.mark.parametrize("version", ["0", "6", "many"])
def test_any_other_version_is_refused_with_its_number(tmp_path: Path, version: str) -> None:
    store, _ = make_store(tmp_path)
    with store.write() as session:
        session.set_meta("schema", version)
    store.close()
    with pytest.raises(DamagedError) as caught:
        Store.open(tmp_path / "store.sqlite")
    assert caught.value.code == "STORE_VERSION"
    assert f"version {version}," in caught.value.message
