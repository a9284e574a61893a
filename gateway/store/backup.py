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

import contextlib
import fcntl
import hashlib
import io
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final

import cbor2
import sqlalchemy as sa
from sqlalchemy import exc

from gateway import files
from gateway.store import audit, migrations, schema
from gateway.store.engine import Session, Store
from gateway.store.schema import SCHEMA_VERSION
from keys.errors import DamagedError, InputError, UnavailableError

FORMAT: Final = 1
LEFT_OUT: Final = frozenset({"workers"})
"""Tables that say what runs just now: whoever runs says it again."""
RESTORED: Final = "store.restored"
_MAGIC: Final = b"tocsin-store-backup "
_FIRST_SCHEMA: Final = 5  # older stores were never written so
_FRAME_BYTES: Final = 128 * 1024  # about so many bytes of rows in one frame
_FRAME_BYTES_MAX: Final = 256 * 1024 * 1024
_ROWS_AT_ONCE: Final = 1_000
_OWN_KEYS: Final = frozenset({"schema", "counts"})  # single values that an empty store may have
_VALUES: Final = (type(None), bool, int, float, str, bytes)


@dataclass(frozen=True, slots=True)
class Part:
    """One table in a backup."""

    rows: int
    digest: str
    """SHA-256 over its encoded rows, in hex."""


@dataclass(frozen=True, slots=True)
class Backup:
    """What a backup holds."""

    schema: int
    created: float
    """UTC seconds."""
    engine: str
    fleet: str | None
    audit: tuple[int, str]
    """Index and hash (hex) of the newest audit row."""
    rows: int
    digest: str
    """SHA-256 over the whole file before its last frame, in hex."""
    tables: Mapping[str, Part]


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
        self._put(_MAGIC + b"%d\n" % FORMAT)

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
        DamagedError: BACKUP_DAMAGED, when it is cut off or not as it was written.
        UnavailableError: FILE, when it cannot be read.
    """
    with _opened(path) as reading:
        for _ in reading.rows():
            pass
        return reading.backup()


def restore(store: Store, path: Path, now: float) -> Backup:
    """Put every row of a backup into an empty store: all of them or none.

    The row ``store.restored`` then stands in the audit chain, behind those that were restored.

    Raises:
        InputError: STORE_NOT_EMPTY; STORE_ROW, when a value has no room in this engine; of :func:`examine`.
        DamagedError, UnavailableError: of :func:`examine`, or of the store; nothing was changed.
    """
    examine(path)
    with store.write() as session, _opened(path) as reading:
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


def _fill(session: Session, reading: _Reading) -> None:
    session.connection.execute(schema.meta.delete())
    there = sa.MetaData()
    there.reflect(session.connection)
    for name, columns, rows in reading.rows():
        if name not in there.tables or not set(columns) <= set(there.tables[name].columns.keys()):
            raise reading.damaged(f"it has a table '{name}' that its version never had")
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


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[_Reading]:
    try:
        stream = path.open("rb")
    except OSError:
        with files.os_errors(path, "read"):
            raise
    with stream:
        try:
            yield _Reading(stream, str(path))
        except (cbor2.CBORError, TypeError, ValueError, KeyError, IndexError, RecursionError, OverflowError):
            raise damaged(str(path), "what stands in it is not what a backup holds") from None


def damaged(where: str, how: str) -> DamagedError:
    """Return the error for a backup that is not whole."""
    return DamagedError(
        "BACKUP_DAMAGED",
        f"The backup is damaged: {how}.",
        mend="Take another one; nothing was changed.",
        where=where,
    )


class _Reading:
    """A backup that is read from its beginning to its end."""

    def __init__(self, stream: BinaryIO, where: str) -> None:
        self._stream, self._where = stream, where
        self._digest = hashlib.sha256()
        self._before = b""
        self._found: Backup | None = None
        first = stream.read(len(_MAGIC))
        number = stream.readline(20) if first == _MAGIC else b""
        if not number.endswith(b"\n") or not number[:-1].isdigit():
            raise InputError(
                "NOT_A_BACKUP",
                "This file is no backup of a store.",
                mend="Name one that 'tocsin store backup' wrote.",
                where=where,
            )
        self._require_known("format", int(number), FORMAT)
        self._digest.update(first + number)
        self._header = self._item(dict)
        self.schema: int = self._header["schema"]
        self._require_known("schema", self.schema, SCHEMA_VERSION)
        if self.schema < _FIRST_SCHEMA:
            raise self.damaged("its tables are of a version that was never written so")
        self._tables = [(str(name), [str(column) for column in row]) for name, row in self._header["tables"]]

    def _require_known(self, what: str, number: int, newest: int) -> None:
        if number > newest:
            raise InputError(
                "BACKUP_NEWER",
                f"A newer program made this backup: it has {what} {number}, this one knows {newest}.",
                mend="Restore it with the program that made it, or a newer one.",
                where=self._where,
            )

    def damaged(self, how: str) -> DamagedError:
        """Return the error for this backup, which is not whole."""
        return damaged(self._where, how)

    def _exactly(self, size: int) -> bytes:
        data = self._stream.read(size)
        if len(data) != size:
            raise self.damaged("it is cut off")
        return data

    def _frame(self) -> bytes:
        head = self._exactly(4)
        size = int.from_bytes(head)
        if size > _FRAME_BYTES_MAX:
            raise self.damaged("what stands in it is not what a backup holds")
        content = self._exactly(size)
        self._before = self._digest.digest()  # of everything before this frame
        self._digest.update(head + content)
        return content

    def _item(self, kind: type) -> Any:
        found = cbor2.loads(self._frame())
        if not isinstance(found, kind):
            raise self.damaged("what stands in it is not what a backup holds")
        return found

    def rows(self) -> Iterator[tuple[str, list[str], list[Sequence[Any]]]]:
        """Yield (table, columns, rows), a frame at a time, and check every digest on the way.

        Raises:
            DamagedError: BACKUP_DAMAGED.
        """
        parts: dict[str, Part] = {}
        for place, (name, columns) in enumerate(self._tables):
            digest, count = hashlib.sha256(), 0
            while isinstance(first := self._first(content := self._frame()), int):
                beginning = len(cbor2.dumps(first))
                rows = _items(content[beginning:])
                if first != place or not all(_is_row(row, columns) for row in rows):
                    raise self.damaged("what stands in it is not what a backup holds")
                digest.update(content[beginning:])
                count += len(rows)
                yield name, columns, rows
            if first != [place, count, digest.digest()]:
                raise self.damaged(f"the rows of '{name}' are not those that were written")
            parts[name] = Part(count, digest.hexdigest())
        self._end(parts)

    def _first(self, content: bytes) -> Any:
        return cbor2.CBORDecoder(io.BytesIO(content)).decode()

    def _end(self, parts: dict[str, Part]) -> None:
        last = self._item(dict)
        rows, digest = sum(part.rows for part in parts.values()), self._before
        if last != {"rows": rows, "digest": digest} or self._stream.read(1):
            raise self.damaged("its end does not fit to what stands before it")
        head = self._header
        index, newest = head["audit"]
        self._found = Backup(
            schema=self.schema,
            created=head["created"],
            engine=head["engine"],
            fleet=head["fleet"],
            audit=(index, newest.hex()),
            rows=rows,
            digest=digest.hex(),
            tables=parts,
        )

    def backup(self) -> Backup:
        """Return what it holds, once all of it was read."""
        assert self._found is not None
        return self._found


def _items(data: bytes) -> list[Sequence[Any]]:
    stream = io.BytesIO(data)
    decoder, found = cbor2.CBORDecoder(stream), []
    while stream.tell() < len(data):
        found.append(decoder.decode())
    return found


def _is_row(row: Any, columns: Sequence[str]) -> bool:
    return isinstance(row, list) and len(row) == len(columns) and all(type(value) in _VALUES for value in row)
