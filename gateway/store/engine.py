"""The store: one SQLite file (or another SQLAlchemy URL) that everything is in before anyone is told.

Opens, checks and hands out transactions; what is written belongs to the modules beside this one.
SQLite runs in WAL mode with synchronous FULL, and a writer takes the write lock when it begins, so two
processes (``serve`` and a command) never meet half way.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import event, exc
from sqlalchemy.engine import Connection, Engine

from gateway.store import schema
from gateway.store.schema import SCHEMA_VERSION
from keys.errors import DamagedError, InputError, TocsinError, UnavailableError

_READABLE: Final = frozenset(map(str, (*schema.UPGRADES, SCHEMA_VERSION)))  # schema versions
COUNTS: Final = "counts"  # single value: what the running gateway counted, as JSON
BUSY_SECONDS: Final = 5.0  # how long a writer waits for another process before it says so
_SERIAL: Final = 0x746F6373  # advisory lock of PostgreSQL: "tocs"
_CHECK_BYTES_MAX: Final = 64 * 1024 * 1024  # larger files are not read through at every opening


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
        """Store a single value."""
        table = schema.meta
        done = self.connection.execute(table.update().where(table.c.key == key).values(value=value))
        if done.rowcount == 0:
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

    def __init__(self, engine: Engine, where: str) -> None:
        self._engine = engine
        self.where = where
        """Path or address without a password, for messages."""
        self.rehearsing = False
        """True: every transaction that writes goes through all its checks, and is then taken back."""
        self._identity = self._found()
        self._watcher: Connection | None = None

    @classmethod
    def create(cls, path: Path | str) -> Store:
        """Make a new store; one whose making was interrupted is made again.

        Raises:
            InputError: STORE_EXISTS.
            DamagedError: STORE_DAMAGED when another kind of file is in the way.
            UnavailableError: STORE_UNAVAILABLE.
        """
        store = cls(*_engine(path))
        try:
            with store.write() as session:
                tables = sa.inspect(session.connection).get_table_names()
                if tables:
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
    def open(cls, path: Path | str) -> Store:
        """Open a store and check that it is one, whole, and of this schema version or one before it.

        Raises:
            UnavailableError: STORE_MISSING, STORE_UNAVAILABLE or STORE_BUSY.
            DamagedError: STORE_DAMAGED, STORE_VERSION.
        """
        if "://" not in str(path) and not Path(path).is_file():
            raise UnavailableError(
                "STORE_MISSING",
                "There is no store.",
                mend="Restore it from a copy: what was published and reported stands only there.",
                where=str(path),
            )
        store = cls(*_engine(path))
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
            version = session.meta("schema") if "meta" in found else None
            known = int(version) if version in _READABLE else SCHEMA_VERSION
            wanted = {name for name in schema.metadata.tables if schema.SINCE.get(name, 1) <= known}
            if not found >= wanted and version in {None, *_READABLE}:
                raise _damaged(self.where, "it lacks tables of a store")
            if version not in _READABLE:
                raise DamagedError(
                    "STORE_VERSION",
                    f"The store has schema version {version}, this program uses {SCHEMA_VERSION}.",
                    mend="Use the program version that made it, or restore a copy that fits.",
                    where=self.where,
                )
            if self._engine.dialect.name == "sqlite" and Path(self.where).stat().st_size <= _CHECK_BYTES_MAX:
                verdict = session.connection.exec_driver_sql("PRAGMA quick_check(1)").scalar()
                if verdict != "ok":
                    raise _damaged(self.where, "its pages do not fit together")

    def _upgrade(self) -> None:
        """Bring the tables of an older version up to this one, all steps or none."""
        with self.read() as session:
            if session.meta("schema") == str(SCHEMA_VERSION):
                return
        with self.write() as session:  # another process may have done it meanwhile
            for version in range(int(session.meta("schema") or SCHEMA_VERSION), SCHEMA_VERSION):
                for statement in schema.UPGRADES[version]:
                    session.connection.exec_driver_sql(statement)
            schema.metadata.create_all(session.connection)
            session.set_meta("schema", str(SCHEMA_VERSION))

    @contextmanager
    def write(self) -> Iterator[Session]:
        """Give a transaction that writes: all of it or, when an exception leaves the block, nothing.

        Raises:
            UnavailableError: STORE_BUSY, STORE_FULL or STORE_UNAVAILABLE; nothing was written.
            DamagedError: STORE_DAMAGED.
        """
        with self._translated(), self._engine.connect() as raw:
            connection = raw.execution_options(tocsin_write=True)
            with connection.begin() as transaction:
                yield Session(connection)
                if self.rehearsing:
                    transaction.rollback()
                else:
                    self._require_in_place()

    def _found(self) -> tuple[int, int] | None:
        """Return which file lies at our path; None where there is none, or no file at all."""
        if self._engine.dialect.name != "sqlite":
            return None
        try:
            found = Path(self.where).stat()
        except OSError:
            return None
        return found.st_dev, found.st_ino

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
        with self._translated(), self._engine.connect() as connection, connection.begin():
            yield Session(connection)

    def data_version(self) -> int:
        """Return a number that changes when any other connection or process has written (SQLite)."""
        with self._translated():
            self._require_in_place()
            if self._watcher is None:
                self._watcher = self._engine.connect().execution_options(isolation_level="AUTOCOMMIT")
            if self._engine.dialect.name != "sqlite":
                query = sa.select(sa.func.max(schema.retained.c.revision))
                return int(self._watcher.execute(query).scalar() or 0)
            return int(self._watcher.exec_driver_sql("PRAGMA data_version").scalar() or 0)

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
            raise _translate(error, self.where) from None


def _engine(path: Path | str) -> tuple[Engine, str]:
    text = str(path)
    if "://" in text:
        engine = sa.create_engine(text)
        return engine, engine.url.render_as_string(hide_password=True)
    url = sa.URL.create("sqlite", database=text)
    engine = sa.create_engine(url, connect_args={"check_same_thread": False, "timeout": BUSY_SECONDS})
    event.listen(engine, "connect", _on_connect)
    event.listen(engine, "begin", _on_begin)
    return engine, text


def _on_connect(raw: Any, _record: Any) -> None:
    raw.isolation_level = None  # the driver's own BEGIN comes too late: ours says IMMEDIATE
    cursor = raw.cursor()
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _on_begin(connection: Connection) -> None:
    options = connection.get_execution_options()
    if options.get("isolation_level") != "AUTOCOMMIT":
        connection.exec_driver_sql("BEGIN IMMEDIATE" if options.get("tocsin_write") else "BEGIN")


def _damaged(where: str, how: str) -> DamagedError:
    return DamagedError(
        "STORE_DAMAGED",
        f"This is not a whole store: {how}.",
        mend="Restore the file from a copy, or begin a new workspace in another folder.",
        where=where,
    )


_TROUBLE: Final = (  # what SQLite says -> code, sentence, mend
    ("locked", "STORE_BUSY", "Another process keeps the store locked.", "Let it finish, or stop it."),
    ("disk is full", "STORE_FULL", "There is no room left for the store.", "Free some space on its disk."),
    (
        "readonly",
        "STORE_READONLY",
        "The store cannot be written.",
        "Give this user the right to write there.",
    ),
    (
        "unable to open",
        "STORE_UNAVAILABLE",
        "The store cannot be opened.",
        "Check the folder and its rights.",
    ),
    (
        "disk i/o",
        "STORE_UNAVAILABLE",
        "The disk under the store fails.",
        "Check its mount and whether it is full.",
    ),
)


def _translate(error: exc.DBAPIError, where: str) -> TocsinError:
    said = str(error.orig).lower()
    for sign, code, sentence, mend in _TROUBLE:
        if sign in said:
            return UnavailableError(code, sentence, mend=mend, where=where)
    if isinstance(error, exc.IntegrityError):
        raise error  # our own mistake, not the surroundings'
    if isinstance(error, exc.OperationalError) and "no such" not in said:
        return UnavailableError(
            "STORE_UNAVAILABLE", f"The store does not answer ({said}).", mend="Try again.", where=where
        )
    return _damaged(where, said)
