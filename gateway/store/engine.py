"""The store: one SQLite file or one PostgreSQL database that everything is in before anyone is told.

Opens, checks, upgrades and hands out transactions; what is written belongs to the modules beside this one.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import sqlalchemy as sa
from sqlalchemy import exc
from sqlalchemy.engine import Connection

from gateway.store import address, connecting, schema
from gateway.store.schema import SCHEMA_VERSION
from gateway.store.trouble import damaged, translate
from keys.errors import DamagedError, InputError, TocsinError, UnavailableError

_READABLE: Final = frozenset(map(str, range(1, SCHEMA_VERSION + 1)))  # schema versions
_SERIAL: Final = 0x746F6373  # advisory lock of PostgreSQL: "tocs"
_CHECK_BYTES_MAX: Final = 64 * 1024 * 1024  # larger files are not read through when they are opened
_WHOLE: Final[set[tuple[str, int, int]]] = set()  # path, device and inode of files that were read through
_ANY_WRITE: Final = sa.text("SELECT hashtextextended(pg_current_snapshot()::text, 0)")


@dataclass(frozen=True, slots=True)
class Stored:
    """A document as it was stored; ``digest`` is that of its body (of the manifest for a patch)."""

    version: int
    digest: bytes
    bytes: bytes


@dataclass(frozen=True, slots=True)
class Retained:
    """What the broker has to hold on one topic; an empty payload clears it."""

    topic: str
    payload: bytes
    expires: int | None
    """UTC seconds; None: never."""
    revision: int


class Session:
    """One transaction's view of the store."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    def serialise(self) -> None:
        """Wait until no other transaction is past this point, and keep it so until this one ends.

        What is numbered without a gap (audit rows, revisions of what is retained) is numbered behind it.
        SQLite has one writer at a time anyway.
        """
        if self.connection.dialect.name == "postgresql":
            self.connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_SERIAL)))

    def meta(self, key: str) -> str | None:
        """Return a single value such as ``fleet``."""
        table = schema.meta
        return self.connection.execute(sa.select(table.c.value).where(table.c.key == key)).scalar()

    def set_meta(self, key: str, value: str) -> None:
        """Store a single value, behind :meth:`serialise`.

        Of two that set it for the first time, the second then finds it set. And no row of single values is
        ever locked before: who held one and then waited for that lock, would be waited for by who has it.
        """
        self.serialise()
        table = schema.meta
        update = table.update().where(table.c.key == key).values(value=value)
        if self.connection.execute(update).rowcount == 0:
            self.connection.execute(table.insert().values(key=key, value=value))

    def document(self, type_: str, name: str, version: int | None = None) -> Stored | None:
        """Return one version of a document, by default the newest."""
        t = schema.documents
        query = sa.select(t.c.version, t.c.digest, t.c.bytes).where(t.c.type == type_, t.c.name == name)
        if version is not None:
            query = query.where(t.c.version == version)
        row = self.connection.execute(query.order_by(t.c.version.desc()).limit(1)).first()
        return None if row is None else Stored(*row)

    def documents(self, type_: str, name: str = "") -> list[Stored]:
        """Return every version of a document, oldest first."""
        t = schema.documents
        query = sa.select(t.c.version, t.c.digest, t.c.bytes).where(t.c.type == type_, t.c.name == name)
        return [Stored(*row) for row in self.connection.execute(query.order_by(t.c.version))]

    def document_names(self, type_: str) -> list[str]:
        """Return the names under which documents of a type exist, e.g. the products with a catalogue."""
        t = schema.documents
        query = sa.select(t.c.name).where(t.c.type == type_).distinct().order_by(t.c.name)
        return list(self.connection.execute(query).scalars())

    def add_document(self, type_: str, name: str, stored: Stored, now: float) -> None:
        """Store a new version of a document."""
        self.connection.execute(
            schema.documents.insert().values(
                type=type_,
                name=name,
                version=stored.version,
                digest=stored.digest,
                bytes=stored.bytes,
                created=now,
            )
        )

    def retain(self, topic: str, payload: bytes, expires: int | None = None) -> int:
        """Set what the broker has to hold on a topic; it is published after everything retained before.

        Returns:
            The revision, which rises by one with every call.
        """
        self.serialise()
        t = schema.retained
        last = self.connection.execute(sa.select(sa.func.max(t.c.revision))).scalar() or 0
        values = {"payload": payload, "expires": expires, "revision": last + 1}
        if self.connection.execute(t.update().where(t.c.topic == topic).values(**values)).rowcount == 0:
            self.connection.execute(t.insert().values(topic=topic, **values))
        return last + 1

    def retained(self, topic: str) -> Retained | None:
        """Return what is retained on a topic."""
        t = schema.retained
        row = self.connection.execute(
            sa.select(t.c.topic, t.c.payload, t.c.expires, t.c.revision).where(t.c.topic == topic)
        ).first()
        return None if row is None else Retained(*row)

    def retained_after(self, revision: int, limit: int = 500) -> list[Retained]:
        """Return what was retained after ``revision``, in order."""
        t = schema.retained
        query = sa.select(t.c.topic, t.c.payload, t.c.expires, t.c.revision).where(t.c.revision > revision)
        return [Retained(*row) for row in self.connection.execute(query.order_by(t.c.revision).limit(limit))]


class Store:
    """An opened store. Sessions may be used from any thread, each from one at a time."""

    def __init__(self, place: Path | str) -> None:
        found = address.read(place)
        self._engine = connecting.engine_for(found)
        self.where = found.where
        """Path or address, for messages; there is no password in it."""
        self.path = found.path
        """The file of a store in SQLite; None in PostgreSQL."""
        self.rehearsing = False
        """True: every transaction that writes goes through all its checks, and is then taken back."""
        self._identity = self._found()
        self._watcher: Connection | None = None

    @classmethod
    def create(cls, place: Path | str) -> Store:
        """Make a new store; one whose making was interrupted is made again.

        Args:
            place: path of a file, or address of an empty database (:mod:`gateway.store.address`).

        Raises:
            InputError: STORE_EXISTS; STORE_ADDRESS, STORE_PASSWORD, STORE_DRIVER.
            DamagedError: STORE_DAMAGED when another kind of file is in the way.
            UnavailableError: STORE_MISSING, STORE_UNAVAILABLE.
        """
        store = cls(place)
        try:
            with store.write() as session:
                session.serialise()
                if sa.inspect(session.connection).get_table_names():
                    raise InputError(
                        "STORE_EXISTS",
                        "There is a store already.",
                        mend="Use it, or choose another place.",
                        where=store.where,
                    )
                schema.metadata.create_all(session.connection)
                session.set_meta("schema", str(SCHEMA_VERSION))
        except TocsinError:
            store.close()
            raise
        return store

    @classmethod
    def open(cls, place: Path | str) -> Store:
        """Open a store, check that it is one and whole, and bring it up to this schema version.

        A file is read through when a process opens it for the first time; 62 MB take 65 ms, and a process may
        open it often. Pages that are damaged later are told by who reads them, and by ``store check``.

        Raises:
            InputError: STORE_ADDRESS, STORE_PASSWORD, STORE_DRIVER.
            UnavailableError: STORE_MISSING, STORE_UNAVAILABLE or STORE_BUSY.
            DamagedError: STORE_DAMAGED, STORE_VERSION.
        """
        path = address.read(place).path
        if path is not None and not path.is_file():
            raise _missing("There is no store.", str(path))
        store = cls(place)
        try:
            store._check()
            store._upgrade()
        except TocsinError:
            store.close()
            raise
        return store

    def _check(self) -> None:
        with self.read() as session:
            found = set(sa.inspect(session.connection).get_table_names())
            if not found and self.path is None:
                raise _missing("There is no store in this database.", self.where)
            version = session.meta("schema") if "meta" in found else None
            known = int(version) if version in _READABLE else SCHEMA_VERSION
            wanted = {name for name in schema.metadata.tables if schema.SINCE.get(name, 1) <= known}
            if not found >= wanted and version in {None, *_READABLE}:
                raise damaged(self.where, "it lacks tables of a store")
            if version not in _READABLE:
                raise DamagedError(
                    "STORE_VERSION",
                    f"The store has schema version {version}, this program uses {SCHEMA_VERSION}.",
                    mend="Use the program version that made it, or restore a copy that fits.",
                    where=self.where,
                )
            self._check_pages(session)

    def _check_pages(self, session: Session) -> None:
        if self.path is None or self._identity is None or self.path.stat().st_size > _CHECK_BYTES_MAX:
            return
        this = (self.where, *self._identity)
        if this not in _WHOLE:
            if session.connection.exec_driver_sql("PRAGMA quick_check(1)").scalar() != "ok":
                raise damaged(self.where, "its pages do not fit together")
            _WHOLE.add(this)

    def _upgrade(self) -> None:
        """Bring the tables of an older version up to this one, all steps or none."""
        with self.read() as session:
            if session.meta("schema") == str(SCHEMA_VERSION):
                return
        from gateway.store import migrations  # noqa: PLC0415 - slow to import, and seldom needed

        with self.write() as session:
            session.serialise()
            version = int(session.meta("schema") or 0)
            if version < SCHEMA_VERSION:  # or another process did it meanwhile
                migrations.upgrade(session.connection, version)
                session.set_meta("schema", str(SCHEMA_VERSION))

    @contextmanager
    def write(self) -> Iterator[Session]:
        """Give a transaction that writes: all of it or, when an exception leaves the block, nothing.

        Raises:
            UnavailableError: STORE_BUSY, STORE_FULL or STORE_UNAVAILABLE: nothing was written. STORE_LOST:
                the connection broke while the database was told to commit; nobody knows whether it did.
            DamagedError: STORE_DAMAGED.
        """
        committing = False
        try:
            with connecting.to_write(self._engine) as connection, connection.begin() as transaction:
                yield Session(connection)
                if self.rehearsing:
                    transaction.rollback()
                else:
                    self._require_in_place()
                    committing = True
        except exc.DBAPIError as error:
            raise translate(error, self.where, committing=committing) from None

    def _found(self) -> tuple[int, int] | None:
        """Return which file lies at our path; None where there is none, or no file at all."""
        if self.path is not None:
            with suppress(OSError):
                found = self.path.stat()
                return found.st_dev, found.st_ino
        return None

    def _require_in_place(self) -> None:
        """Refuse to go on in a file that was deleted or replaced: what is written there is lost.

        Raises:
            DamagedError: STORE_GONE.
        """
        if self._identity is not None and self._found() != self._identity:
            raise DamagedError(
                "STORE_GONE",
                "The store was deleted or replaced while it was in use.",
                mend="Put the file back if you can, and start this command again.",
                where=self.where,
            )

    @contextmanager
    def read(self) -> Iterator[Session]:
        """Give a transaction that reads one consistent state.

        Raises:
            UnavailableError: STORE_BUSY or STORE_UNAVAILABLE.
            DamagedError: STORE_DAMAGED.
        """
        with self._translated(), connecting.to_read(self._engine) as connection, connection.begin():
            yield Session(connection)

    def data_version(self) -> int:
        """Return a number that changes when any other connection or process has written.

        In PostgreSQL a write to another database of the same server may change it, too.
        """
        with self._translated():
            self._require_in_place()
            if self._watcher is None:
                self._watcher = self._engine.connect().execution_options(isolation_level="AUTOCOMMIT")
            try:
                if self.path is None:
                    return int(self._watcher.execute(_ANY_WRITE).scalar_one())
                return int(self._watcher.exec_driver_sql("PRAGMA data_version").scalar_one())
            except exc.DBAPIError:
                self._watcher.close()  # the next call makes a new connection
                self._watcher = None
                raise

    @property
    def dialect(self) -> str:
        """Name of the engine: ``sqlite`` or ``postgresql``."""
        return self._engine.dialect.name

    def apart(self) -> Connection:
        """Give a connection that is in no pool and no transaction; closing it ends its session.

        For locks that last as long as a session; errors come as they are (``sqlalchemy.exc``).
        """
        connection = self._engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        connection.detach()
        return connection

    def close(self) -> None:
        """Close every connection."""
        if self._watcher is not None:
            self._watcher.close()
            self._watcher = None
        self._engine.dispose()

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except exc.DBAPIError as error:
            raise translate(error, self.where) from None


def _missing(what: str, where: str) -> UnavailableError:
    return UnavailableError(
        "STORE_MISSING",
        what,
        mend="Restore it from a copy: what was published and reported stands only there.",
        where=where,
    )
