"""The store: whole or refused, one writer at a time, and an audit chain that nobody can edit unseen."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import sqlalchemy as sa

from gateway.store import audit, connecting, schema
from gateway.store.engine import Store, Stored
from keys.errors import DamagedError, InputError, TocsinError, UnavailableError


@pytest.fixture
def path(tmp_path: Path) -> Path:
    Store.create(tmp_path / "store.sqlite").close()
    return tmp_path / "store.sqlite"


def test_a_store_is_sqlite_in_wal_mode_with_full_synchronisation(path: Path) -> None:
    store = Store.open(path)
    with store.read() as session:
        found = [
            session.connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        ]
    assert found == ["wal", 2, 1, 5000]
    store.close()


def test_a_store_is_not_made_over_another(any_place: Path | str) -> None:
    with pytest.raises(InputError) as caught:
        Store.create(any_place)
    assert caught.value.code == "STORE_EXISTS"
    assert caught.value.where.startswith(str(any_place)[:20])


def test_a_making_that_was_interrupted_is_made_again(tmp_path: Path) -> None:
    sqlite3.connect(tmp_path / "store.sqlite").close()
    Store.create(tmp_path / "store.sqlite").close()
    Store.open(tmp_path / "store.sqlite").close()


def test_no_store_is_named_and_none_is_made(tmp_path: Path) -> None:
    with pytest.raises(UnavailableError) as caught:
        Store.open(tmp_path / "none.sqlite")
    assert caught.value.code == "STORE_MISSING"
    assert not (tmp_path / "none.sqlite").exists()
    with pytest.raises(UnavailableError) as caught:
        Store.create(tmp_path / "no" / "folder.sqlite")
    assert caught.value.code == "STORE_UNAVAILABLE"


def foreign(path: Path) -> None:
    path.unlink()
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE other (x)")
    connection.close()


def scribbled(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    data = bytearray(path.read_bytes())
    data[4096 * 3 : 4096 * 20] = b"\xff" * (4096 * 17)
    path.write_bytes(data)


DAMAGE = {
    "not a database": lambda path: path.write_bytes(b"these are words, not a database at all. " * 200),
    "another program's database": foreign,
    "empty": lambda path: path.write_bytes(b""),
    "scribbled over": scribbled,
    "cut off": lambda path: path.write_bytes(path.read_bytes()[:5000]),
}


@pytest.mark.parametrize("how", DAMAGE)
def test_a_damaged_or_foreign_file_is_named_with_its_mend(path: Path, how: str) -> None:
    for extra in path.parent.glob("store.sqlite-*"):
        extra.unlink()
    DAMAGE[how](path)
    with pytest.raises(DamagedError) as caught:
        Store.open(path)
    assert caught.value.code == "STORE_DAMAGED"
    assert caught.value.where == str(path)
    assert caught.value.mend


def test_a_file_is_read_through_once_by_a_process_and_another_in_its_place_as_well(
    path: Path, tmp_path: Path
) -> None:
    said: list[str] = []

    def note(_c: object, _d: object, statement: str, *_: object) -> None:
        said.append(statement)

    sa.event.listen(sa.Engine, "before_cursor_execute", note)
    try:
        for _ in range(3):
            Store.open(path).close()
        assert [each for each in said if "quick_check" in each] == ["PRAGMA quick_check(1)"]
    finally:
        sa.event.remove(sa.Engine, "before_cursor_execute", note)
    other = tmp_path / "other.sqlite"
    Store.create(other).close()
    scribbled(other)
    other.replace(path)
    for _ in range(2):  # told again, as long as it is so
        with pytest.raises(DamagedError) as caught:
            Store.open(path)
        assert caught.value.code == "STORE_DAMAGED"


def test_what_one_process_has_read_through_another_reads_through_again(path: Path) -> None:
    Store.open(path).close()
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        index = connection.execute("SELECT rootpage FROM sqlite_master WHERE type = 'index'").fetchone()[0]
        size = connection.execute("PRAGMA page_size").fetchone()[0]
    connection.close()
    with path.open("r+b") as file:  # in place, in a page that opening has no use for
        file.seek((index - 1) * size)
        file.write(b"\xff" * size)
    Store.open(path).close()
    opening = f"from gateway.store.engine import Store; Store.open({str(path)!r})"
    done = subprocess.run([sys.executable, "-c", opening], capture_output=True, text=True, check=False)
    assert "its pages do not fit together" in done.stderr


def test_another_schema_version_is_refused(any_place: Path | str) -> None:
    store = Store.open(any_place)
    with store.write() as session:
        session.set_meta("schema", "99")
    store.close()
    with pytest.raises(DamagedError) as caught:
        Store.open(any_place)
    assert caught.value.code == "STORE_VERSION"


def test_a_transaction_is_all_or_nothing(any_place: Path | str) -> None:
    store = Store.open(any_place)
    with pytest.raises(ZeroDivisionError), store.write() as session:  # noqa: PT012 - the block is the point
        session.set_meta("a", "1")
        session.retain("t", b"x")
        raise ZeroDivisionError
    with store.read() as session:
        assert (session.meta("a"), session.retained("t")) == (None, None)
    store.close()


def test_retained_rows_keep_the_order_of_their_last_change(any_place: Path | str) -> None:
    store = Store.open(any_place)
    with store.write() as session:
        for topic in ("a", "b", "a", "c"):
            session.retain(topic, topic.encode(), 9)
        assert [row.topic for row in session.retained_after(0)] == ["b", "a", "c"]
        assert [row.topic for row in session.retained_after(2, limit=1)] == ["a"]
        session.add_document("t", "n", Stored(1, bytes(32), b"1"), 0)
        session.add_document("t", "n", Stored(5, bytes(32), b"5"), 0)
        assert session.document("t", "n") == Stored(5, bytes(32), b"5")
        assert session.document("t", "n", 1) == Stored(1, bytes(32), b"1")
        assert session.document("t", "m") is None
        assert len(session.documents("t", "n")) == 2
        assert session.document_names("t") == ["n"]
    store.close()


def test_a_second_process_is_noticed_and_neither_writes_over_the_other(any_place: Path | str) -> None:
    store = Store.open(any_place)
    before = store.data_version()
    assert store.data_version() == before
    program = (
        "import sys; from gateway.store.engine import Store\n"
        "from gateway.store import audit\n"
        "store = Store.open(sys.argv[1])\n"
        "for i in range(40):\n"
        "    with store.write() as session:\n"
        "        audit.append(session, 'other', {'i': i}, i)\n"
    )
    other = subprocess.Popen([sys.executable, "-c", program, str(any_place)], cwd=Path(__file__).parents[3])

    def work() -> None:
        for i in range(40):
            with store.write() as session:
                audit.append(session, "mine", {"i": i}, i)

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert other.wait(30) == 0
    assert store.data_version() != before
    audit.verify_chain(store)
    with store.read() as session:
        assert len(list(audit.rows(session))) == 121  # the first says how the chain is written
    store.close()


def test_a_store_that_stays_locked_says_so_and_writes_nothing(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connecting, "BUSY_SECONDS", 0.05)
    store = Store.open(path)
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    with pytest.raises(UnavailableError) as caught, store.write():
        pass
    assert caught.value.code == "STORE_BUSY"
    holder.execute("ROLLBACK")
    holder.close()
    store.close()


def test_a_full_disk_says_so_and_writes_nothing(path: Path) -> None:
    store = Store.open(path)
    with store.read() as session:
        pages = session.connection.exec_driver_sql("PRAGMA page_count").scalar()
    with pytest.raises(UnavailableError) as caught, store.write() as session:  # noqa: PT012 - the block is the point
        session.connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")
        session.retain("t", b"x" * 100_000)
    assert caught.value.code == "STORE_FULL"
    with store.read() as session:
        assert session.retained("t") is None
    store.close()


def test_a_changed_or_removed_audit_row_is_found(any_place: Path | str) -> None:
    store = Store.open(any_place)
    with store.write() as session:
        for i in range(5):
            head = audit.append(session, "kind", {"i": i}, i / 7).hash
    assert audit.verify_chain(store) == head
    for statement in (
        schema.audit.update().where(schema.audit.c.index == 3).values(data='{"i":9}'),
        schema.audit.delete().where(schema.audit.c.index == 3),
    ):
        with store.write() as session:
            session.connection.execute(statement)
        with pytest.raises(DamagedError) as caught:
            audit.verify_chain(store)
        assert caught.value.code == "AUDIT_DAMAGED"
        assert "row 3" in caught.value.message
    store.close()


def test_our_own_mistakes_are_not_blamed_on_the_surroundings(any_place: Path | str) -> None:
    store = Store.open(any_place)
    with pytest.raises(sa.exc.IntegrityError), store.write() as session:  # noqa: PT012 - the block is the point
        for _ in range(2):
            session.add_document("t", "n", Stored(1, bytes(32), b""), 0)
    assert issubclass(UnavailableError, TocsinError)
    store.close()


def test_a_store_that_is_taken_away_while_in_use_is_never_written_into_the_void(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite"
    Store.create(path).close()
    store = Store.open(path)
    with store.write() as session:
        session.set_meta("a", "1")
    path.rename(tmp_path / "elsewhere.sqlite")
    for work in (lambda: _set(store), store.data_version):
        with pytest.raises(DamagedError) as caught:
            work()
        assert caught.value.code == "STORE_GONE"
    Store.create(path).close()
    with pytest.raises(DamagedError):
        _set(store)
    store.close()


def _set(store: Store) -> None:
    with store.write() as session:
        session.set_meta("a", "2")


def test_a_rehearsed_transaction_leaves_nothing(any_store: Store) -> None:
    store = any_store
    store.rehearsing = True
    _set(store)
    with store.read() as session:
        assert session.meta("a") is None
