"""Backups: whole or refused, from either engine into either, and nothing half restored."""

from __future__ import annotations

import hashlib
import io
import itertools
import os
import tracemalloc
from pathlib import Path
from typing import Any

import cbor2
import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import event

from gateway.store import backup, schema
from gateway.store.engine import Store
from keys.errors import DamagedError, InputError, TocsinError, UnavailableError
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


def cut(data: bytes) -> bytes:
    return data[: len(data) // 2]


def scribbled(data: bytes) -> bytes:
    return data[:5000] + bytes([data[5000] ^ 1]) + data[5001:]


def sealed_anew(data: bytes, **changes: Any) -> bytes:
    """The file as a hand that knows the format would alter it: its header is another, its end fits."""
    start = data.index(b"\n") + 1
    size = int.from_bytes(data[start : start + 4])
    header = cbor2.loads(data[start + 4 : start + 4 + size])
    altered = cbor2.dumps({**header, **changes})
    end = len(data) - END
    middle = data[:start] + len(altered).to_bytes(4) + altered + data[start + 4 + size : end]
    last = cbor2.dumps({**cbor2.loads(data[end + 4 :]), "digest": hashlib.sha256(middle).digest()})
    return middle + len(last).to_bytes(4) + last


def stripped(data: bytes, name: str) -> bytes:
    """The file as a program writes it that has not got one of the tables: all its digests fit."""
    start, frames = data.index(b"\n") + 1, []
    out, place = data[:start], start
    while place < len(data):
        size = int.from_bytes(data[place : place + 4])
        frames.append(data[place + 4 : place + 4 + size])
        place += 4 + size
    header = cbor2.loads(frames[0])
    gone = [table for table, _ in header["tables"]].index(name)
    del header["tables"][gone]
    kept, rows = [cbor2.dumps(header)], 0
    for frame in frames[1:-1]:
        first = cbor2.CBORDecoder(io.BytesIO(frame)).decode()
        number = first if isinstance(first, int) else first[0]
        if number == gone:
            continue
        moved = number - (number > gone)
        if isinstance(first, int):
            kept.append(cbor2.dumps(moved) + frame[len(cbor2.dumps(number)) :])
        else:
            kept.append(cbor2.dumps([moved, *first[1:]]))
            rows += first[1]
    for frame in kept:
        out += len(frame).to_bytes(4) + frame
    last = cbor2.dumps({"rows": rows, "digest": hashlib.sha256(out).digest()})
    return out + len(last).to_bytes(4) + last


END = 4 + len(cbor2.dumps({"rows": 1000, "digest": bytes(32)}))
HARM = {
    "cut off": (cut, "BACKUP_DAMAGED"),
    "without its end": (lambda data: data[:-1], "BACKUP_DAMAGED"),
    "with more behind its end": (lambda data: data + b"x", "BACKUP_DAMAGED"),
    "one bit turned round": (scribbled, "BACKUP_DAMAGED"),
    "lengths of no file": (lambda data: data[:22] + b"\xff" * 4 + data[26:], "BACKUP_DAMAGED"),
    "a frame of tags": (lambda data: data[:22] + b"\x00\x00\x00\x02\xd8\x1c", "BACKUP_DAMAGED"),
    "tables of nobody": (lambda d: sealed_anew(d, tables=[["x", ["y"]]]), "BACKUP_DAMAGED"),
    "a header of nothing": (lambda d: sealed_anew(d, tables=None), "BACKUP_DAMAGED"),
    "without a table": (lambda d: stripped(d, "device_regions"), "BACKUP_DAMAGED"),
    "without the chain": (lambda d: stripped(d, "audit"), "BACKUP_DAMAGED"),
    "of another chain": (lambda d: sealed_anew(d, audit=[12, bytes(32)]), "BACKUP_DAMAGED"),
    "of an older schema than backups": (lambda d: sealed_anew(d, schema=4), "BACKUP_DAMAGED"),
    "empty": (lambda _: b"", "NOT_A_BACKUP"),
    "another file": (lambda _: b"SQLite format 3\0" * 50, "NOT_A_BACKUP"),
    "a newer format": (lambda d: d.replace(b"backup 1\n", b"backup 2\n", 1), "BACKUP_NEWER"),
    "a newer schema": (lambda d: sealed_anew(d, schema=99), "BACKUP_NEWER"),
}


def test_what_a_backup_lacks_is_named(tmp_path: Path, whole: bytes) -> None:
    (tmp_path / "file").write_bytes(stripped(whole, "device_regions"))
    with pytest.raises(DamagedError, match=r"not hold a whole store.*device_regions") as caught:
        backup.examine(tmp_path / "file")
    assert "store check" in caught.value.mend
    (tmp_path / "file").write_bytes(sealed_anew(whole, audit=[23, bytes(32)]))
    with pytest.raises(DamagedError, match="names audit row 23, and the last one in it is 12"):
        backup.examine(tmp_path / "file")


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    folder = tmp_path_factory.mktemp("whole")
    store = filled("sqlite", folder / "old")
    assert 255 < backup.write(store, folder / "file", NOW).rows < 65_536  # as END takes for granted
    store.close()
    return (folder / "file").read_bytes()


@pytest.mark.parametrize("how", HARM)
def test_a_file_that_is_no_whole_backup_is_refused_and_changes_nothing(
    tmp_path: Path, whole: bytes, how: str
) -> None:
    harm, code = HARM[how]
    (tmp_path / "file").write_bytes(harm(whole))
    store = Store.open(fresh_place("sqlite", tmp_path))
    before = contents(store)
    with pytest.raises(TocsinError) as caught:
        backup.restore(store, tmp_path / "file", NOW)
    assert (caught.value.code, caught.value.where) == (code, str(tmp_path / "file"))
    assert caught.value.mend
    assert contents(store) == before
    store.close()


@settings(max_examples=60)
@given(data=st.data())
def test_whatever_is_done_to_a_backup_it_is_whole_or_refused(
    tmp_path_factory: pytest.TempPathFactory, whole: bytes, data: st.DataObject
) -> None:
    place = data.draw(st.integers(0, len(whole) - 1))
    fresh = data.draw(st.binary(max_size=8))
    path = tmp_path_factory.mktemp("altered") / "file"
    altered = whole[:place] + fresh + whole[place + len(fresh) :]
    path.write_bytes(altered)
    if altered == whole:
        backup.examine(path)
    else:
        with pytest.raises((InputError, DamagedError)):
            backup.examine(path)


def test_nothing_is_written_over(any_store: Store, tmp_path: Path) -> None:
    backup.write(any_store, tmp_path / "file", NOW)
    kept = (tmp_path / "file").read_bytes()
    with pytest.raises(InputError) as caught:
        backup.write(any_store, tmp_path / "file", NOW)
    assert caught.value.code == "FILE_EXISTS"
    assert (tmp_path / "file").read_bytes() == kept
    assert (tmp_path / "file").stat().st_mode & 0o777 == 0o600
    with any_store.write() as session:
        fill(session, 1)
    with pytest.raises(InputError) as caught:
        backup.restore(any_store, tmp_path / "file", NOW)
    assert caught.value.code == "STORE_NOT_EMPTY"
    assert [path.name for path in tmp_path.iterdir() if "file" in path.name] == ["file"]


def test_a_backup_is_of_one_moment_although_the_gateway_goes_on(any_store: Store, tmp_path: Path) -> None:
    with any_store.write() as session:
        fill(session)
    before = contents(any_store)
    seen = []

    @event.listens_for(any_store._engine, "before_cursor_execute")
    def write_meanwhile(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if "FROM labels" in statement and not seen:
            seen.append(statement)
            with any_store.write() as session:
                session.connection.execute(schema.labels.delete())
                session.connection.execute(schema.workers.delete())

    backup.write(any_store, tmp_path / "file", NOW)
    event.remove(any_store._engine, "before_cursor_execute", write_meanwhile)
    assert seen
    found = backup.examine(tmp_path / "file")
    assert {name: part.rows for name, part in found.tables.items()} == {n: len(r) for n, r in before.items()}
    assert contents(any_store)["labels"] == []


def test_a_million_rows_need_no_more_memory_than_a_thousand(tmp_path: Path) -> None:
    store = Store.open(fresh_place("sqlite", tmp_path))
    peaks = []
    for many in (1_000, 20_000):
        with store.write() as session:
            session.connection.execute(schema.inventory.delete())
            session.connection.exec_driver_sql(
                "INSERT INTO inventory WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n "
                f"WHERE i < {many}) SELECT 'device-' || i, 'p', NULL, NULL, NULL, 'csv', hex(zeroblob(128)), 1 FROM n"
            )
        tracemalloc.start()
        backup.write(store, tmp_path / str(many), NOW)
        backup.examine(tmp_path / str(many))
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    size = (tmp_path / "20000").stat().st_size
    assert peaks[1] < size / 2  # what is held is a frame and its rows
    store.close()


@pytest.mark.parametrize("kind", ["pipe", "folder", "endless"])
def test_what_is_no_plain_file_is_refused_at_once(kind: str, tmp_path: Path) -> None:
    path = Path("/dev/zero") if kind == "endless" else tmp_path / kind
    if kind == "pipe":
        os.mkfifo(path)  # into which nobody writes
    elif kind == "folder":
        path.mkdir()
    with pytest.raises((InputError, UnavailableError)) as caught:
        backup.examine(path)
    assert caught.value.code in {"NOT_A_BACKUP", "FILE"}
