"""How each engine is set up, so that a commit is on disk and a reader sees one state.

SQLite runs in WAL mode with synchronous FULL, and a writer takes the write lock when it begins, so two
processes (``serve`` and a command) never meet half way. PostgreSQL runs READ COMMITTED for writers, who take
the locks that they need, and REPEATABLE READ for readers.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.engine import Connection, Dialect, Engine

from gateway.store.address import Address
from keys.errors import InputError

_STATEMENTS_MAX: Final = 500  # compiled ones that are kept
BUSY_SECONDS = 5.0  # how long a writer waits for another process before it says so
CONNECT_SECONDS = 10  # how long a server has to answer a first time
SILENT_SECONDS: Final = 25  # after which a server that the network lost is given up
_ALIVE: Final = {  # libpq passes them on to the system; without them it would wait for hours
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": SILENT_SECONDS * 1_000,
}
_IDLE_SECONDS: Final = 300  # a process that stands still in a transaction is put out of the others' way
_READING: Final = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
_SETTINGS: Final = """\
SELECT set_config('lock_timeout', %s, false), set_config('idle_in_transaction_session_timeout', %s, false),
    set_config('client_min_messages', 'error', false),
    set_config('synchronous_commit', CASE current_setting('synchronous_commit')
        WHEN 'off' THEN 'on' ELSE current_setting('synchronous_commit') END, false)"""


class _Compiled(dict[Any, Any]):
    """Statements as they were compiled, for all engines of one kind; else each would compile them anew.

    A request opens the store for itself, and compiling would be a third of what most take.
    """

    def get(self, key: Any, default: Any = None) -> Any:
        return super().get(_alike(key), default)

    def __setitem__(self, key: Any, compiled: Any) -> None:
        if len(self) >= _STATEMENTS_MAX:
            self.clear()
        super().__setitem__(_alike(key), compiled)


def _alike(key: Any) -> Any:
    """Leave out which engine asks."""
    return tuple(part for part in key if not isinstance(part, Dialect))


@lru_cache(8)
def _compiled(_where: str) -> _Compiled:
    return _Compiled()


def engine_for(address: Address) -> Engine:
    """Return what makes connections to an address; none is made yet.

    Raises:
        InputError: STORE_DRIVER, where the driver of PostgreSQL is not installed.
    """
    if address.path is not None:
        options = {"check_same_thread": False, "timeout": BUSY_SECONDS}
        known = {"compiled_cache": _compiled("")}
        engine = sa.create_engine(address.url, connect_args=options, execution_options=known)
        event.listen(engine, "connect", _set_up_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
        return engine
    asked = {"connect_timeout": CONNECT_SECONDS, "application_name": "tocsin", **_ALIVE}
    given = {name: value for name, value in asked.items() if name not in address.url.query}
    known = {"compiled_cache": _compiled(address.where)}  # a server's version may matter
    try:
        engine = sa.create_engine(
            address.url, connect_args=given, pool_pre_ping=True, execution_options=known
        )
    except ImportError:
        raise InputError(
            "STORE_DRIVER",
            "The store is in PostgreSQL, whose driver is not installed here.",
            mend="Install it with: pip install 'tocsin[postgres]'",
            where=address.where,
        ) from None
    event.listen(engine, "connect", _set_up_postgresql)
    return engine


def to_read(engine: Engine) -> Connection:
    """Return a connection whose transactions see one state and change nothing."""
    connection = engine.connect()
    if engine.dialect.name == "sqlite":
        return connection
    return connection.execution_options(**_READING)


def to_write(engine: Engine) -> Connection:
    """Return a connection whose transactions write."""
    return engine.connect().execution_options(tocsin_write=True)


def _set_up_sqlite(raw: Any, _record: Any) -> None:
    raw.isolation_level = None  # the driver's own BEGIN comes too late: ours says IMMEDIATE
    cursor = raw.cursor()
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    options = connection.get_execution_options()
    if options.get("isolation_level") != "AUTOCOMMIT":
        connection.exec_driver_sql("BEGIN IMMEDIATE" if options.get("tocsin_write") else "BEGIN")


def _set_up_postgresql(raw: Any, _record: Any) -> None:
    with raw.cursor() as cursor:
        cursor.execute(_SETTINGS, (f"{int(BUSY_SECONDS * 1000)}", f"{_IDLE_SECONDS}s"))
    raw.commit()
