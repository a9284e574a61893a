"""Backups: one file with every row of a store, which either engine can take back.

A file begins with the line ``tocsin-store-backup 1``; the number is the version of this format. Then come
frames: four bytes of length, the highest first, and so many bytes, which are CBOR (RFC 8949) items:

1. one map: ``schema`` (version of the tables), ``created`` (UTC seconds), ``engine``, ``fleet`` (hex, or
   null), ``audit`` ([index, hash] of the newest row) and ``tables``, an array of [name, [column, ...]];
2. for each table in that order frames of rows: the table's place (0 for the first), then its rows one after
   another, each an array of the columns' values, sorted by primary key; then [place, rows, SHA-256 over the
   encoded rows];
3. one map: ``rows`` (of all tables) and ``digest`` (SHA-256 over everything before this frame).

A transaction that reads sees one state from beginning to end, so the rows belong together, and a gateway
goes on meanwhile. Text sorts alike on both engines, so equal stores have equal digests. Nothing is held in
memory but one frame.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final

import cbor2
import sqlalchemy as sa
from sqlalchemy import exc

from gateway import files
from gateway.core import chain
from gateway.store import audit, migrations, schema
from gateway.store.backup_reading import FORMAT, MAGIC, Backup, Part, Reading, opened
from gateway.store.engine import Session, Store
from gateway.store.schema import SCHEMA_VERSION
from keys.errors import InputError, UnavailableError

LEFT_OUT: Final = frozenset({"workers"})
"""Tables that say what runs just now: whoever runs says it again."""
RESTORED: Final = "store.restored"
_FRAME_BYTES: Final = 128 * 1024  # about so many bytes of rows in one frame
_ROWS_AT_ONCE: Final = 1_000
_NAMED_MAX: Final = 5  # tables that an error names
_OWN_KEYS: Final = frozenset({"schema", "counts"})  # single values that an empty store may have


def tables() -> list[sa.Table]:
    """Return the tables of a backup, each after those that it refers to."""
    return [table for table in schema.metadata.sorted_tables if table.name not in LEFT_OUT]


def write(store: Store, path: Path, now: float) -> Backup:
    """Write a backup; the file is there whole or not at all, and only its owner may read it.

    Raises:
        InputError: FILE_EXISTS.
        UnavailableError: FILE, when there is no room or no right; FILE_BUSY; or of the store.
    """
    with files.os_errors(path, "written"):
        if path.exists():
            raise _exists(path)
        # Always the same name beside it: what a kill leaves is taken over by the next.
        fresh = path.with_name(f".{path.name}.new")
        handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        with os.fdopen(handle, "wb") as stream:
            _only_one(stream, path)
            try:
                stream.truncate()
                with store.read() as session:
                    made = _write(session, _Out(stream), store.dialect, now)
                stream.flush()
                os.fsync(stream.fileno())
                os.link(fresh, path)  # unlike a rename, this never takes the place of another file
            except FileExistsError:
                raise _exists(path) from None
            finally:
                fresh.unlink(missing_ok=True)
        files.sync_folder(path.parent)
    return made


def _only_one(stream: BinaryIO, path: Path) -> None:
    try:
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        message = "Another process is writing this file."
        raise UnavailableError("FILE_BUSY", message, mend="Let it finish.", where=str(path)) from None


def _exists(path: Path) -> InputError:
    return InputError(
        "FILE_EXISTS", "There is a file of this name already.", mend="Choose another name.", where=str(path)
    )


class _Out:
    """Writes frames and keeps the digest of all of them."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self.digest = hashlib.sha256()
        self._put(MAGIC + b"%d\n" % FORMAT)

    def frame(self, content: bytes) -> None:
        self._put(len(content).to_bytes(4) + content)

    def _put(self, data: bytes) -> None:
        self._stream.write(data)
        self.digest.update(data)


def _write(session: Session, out: _Out, engine: str, now: float) -> Backup:
    (index, head), fleet = audit.last(session), session.meta("fleet")
    listed = tables()
    header = {
        "schema": SCHEMA_VERSION,
        "created": float(now),
        "engine": engine,
        "fleet": fleet,
        "audit": [index, head],
        "tables": [[table.name, [column.name for column in table.columns]] for table in listed],
    }
    out.frame(cbor2.dumps(header))
    parts = {table.name: _write_table(session, out, place, table) for place, table in enumerate(listed)}
    rows, digest = sum(part.rows for part in parts.values()), out.digest.digest()
    out.frame(cbor2.dumps({"rows": rows, "digest": digest}))
    return Backup(SCHEMA_VERSION, now, engine, fleet, (index, head.hex()), rows, digest.hex(), parts)


def encoded(session: Session, table: sa.Table) -> Iterator[bytes]:
    """Yield each row of a table as a backup holds it, in the order of the primary key."""
    query = sa.select(table).order_by(*table.primary_key.columns)
    found = session.connection.execute(query, execution_options={"yield_per": _ROWS_AT_ONCE})
    for row in found:
        yield cbor2.dumps(tuple(row))


def _write_table(session: Session, out: _Out, place: int, table: sa.Table) -> Part:
    beginning = cbor2.dumps(place)
    digest, rows, waiting = hashlib.sha256(), 0, bytearray(beginning)
    for row in encoded(session, table):
        digest.update(row)
        rows += 1
        waiting += row
        if len(waiting) >= _FRAME_BYTES:
            out.frame(bytes(waiting))
            waiting[len(beginning) :] = b""
    if len(waiting) > len(beginning):
        out.frame(bytes(waiting))
    out.frame(cbor2.dumps([place, rows, digest.digest()]))
    return Part(rows, digest.hexdigest())


def examine(path: Path) -> Backup:
    """Read a backup through and check every digest in it.

    Raises:
        InputError: NOT_A_BACKUP; BACKUP_NEWER, when a newer program made it.
        DamagedError: BACKUP_DAMAGED, when it is cut off or not as it was written, or holds less than a store.
        UnavailableError: FILE, when it cannot be read.
    """
    with opened(path) as reading:
        if reading.schema == SCHEMA_VERSION:
            _require_whole(reading, schema.metadata)
        newest: tuple[int, bytes] = (0, chain.GENESIS)
        for name, columns, rows in reading.rows():
            if name == schema.audit.name and rows:
                row = dict(zip(columns, rows[-1], strict=True))
                newest = row["index"], row["hash"]
        found = reading.backup()
        if found.audit != (newest[0], newest[1].hex()):
            how = f"its header names audit row {found.audit[0]}, and the last one in it is {newest[0]}"
            raise reading.lacking(how)
        return found


def _require_whole(reading: Reading, there: sa.MetaData) -> None:
    """Refuse a backup that lacks tables or columns of its schema, or has others.

    Raises:
        DamagedError: BACKUP_DAMAGED.
    """
    held = {name: set(columns) for name, columns in reading.tables}
    wanted = {
        table.name: {column.name for column in table.columns}
        for table in there.tables.values()  # a database may have tables of other programs, too
        if table.name not in LEFT_OUT and (table.name in schema.metadata.tables or table.name in held)
    }
    for name, columns in held.items():
        if not columns <= wanted.get(name, set()):
            raise reading.damaged(f"it has a table '{name}' that its version never had")
    lacks = sorted(name for name, columns in wanted.items() if held.get(name, set()) != columns)
    if lacks:
        named = ", ".join(lacks[:_NAMED_MAX]) + (" and others" if len(lacks) > _NAMED_MAX else "")
        raise reading.lacking(f"all or part of these tables of schema {reading.schema} is missing: {named}")


def restore(store: Store, path: Path, now: float) -> Backup:
    """Put every row of a backup into an empty store: all of them or none.

    The row ``store.restored`` then stands in the audit chain, behind those that were restored.

    Raises:
        InputError: STORE_NOT_EMPTY; STORE_ROW, when a value has no room in this engine; of :func:`examine`.
        DamagedError, UnavailableError: of :func:`examine`, or of the store; nothing was changed.
    """
    examine(path)
    with store.write() as session, opened(path) as reading:
        session.serialise()
        _require_empty(session, store.where)
        if reading.schema < SCHEMA_VERSION:  # its rows go into tables as they were then
            schema.metadata.drop_all(session.connection)
            migrations.upgrade(session.connection, 0, last=reading.schema)
        try:
            _fill(session, reading)
        except exc.DataError:
            message = "The backup holds a value that has no room in this database."
            mend = "Restore it into SQLite, and ask for help."
            raise InputError("STORE_ROW", message, mend=mend, where=str(path)) from None
        if reading.schema < SCHEMA_VERSION:
            migrations.upgrade(session.connection, reading.schema)
        session.set_meta("schema", str(SCHEMA_VERSION))
        backup = reading.backup()
        facts = {"created": backup.created, "digest": backup.digest, "rows": backup.rows}
        audit.append(session, RESTORED, facts, now)
    return backup


def _require_empty(session: Session, where: str) -> None:
    for table in tables():
        query = sa.select(sa.literal(1)).select_from(table).limit(1)
        if table is schema.meta:
            query = query.where(table.c.key.not_in(sorted(_OWN_KEYS)))
        if session.connection.execute(query).first() is not None:
            raise InputError(
                "STORE_NOT_EMPTY",
                "There is something in this store already.",
                mend="Restore into a new one: nothing is ever written over.",
                where=where,
            )


def _fill(session: Session, reading: Reading) -> None:
    session.connection.execute(schema.meta.delete())
    there = sa.MetaData()
    there.reflect(session.connection)
    _require_whole(reading, there)
    for name, columns, rows in reading.rows():
        insert = there.tables[name].insert()
        session.connection.execute(insert, [dict(zip(columns, row, strict=True)) for row in rows])
    if session.connection.dialect.name == "postgresql":
        for table in there.sorted_tables:
            _go_on_counting(session, table)


def _go_on_counting(session: Session, table: sa.Table) -> None:
    """Let PostgreSQL give the next row the number after the last one that was restored."""
    counting = table.autoincrement_column
    if counting is None or counting.server_default is None:
        return
    newest = session.connection.execute(sa.select(sa.func.max(counting))).scalar()
    if newest is not None:
        sequence = sa.func.pg_get_serial_sequence(table.name, counting.name)
        session.connection.execute(sa.select(sa.func.setval(sequence, newest)))
