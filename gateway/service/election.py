"""Which worker leads: one at a time on a store, another one within seconds after it is gone.

On SQLite every worker is on one machine, and the lead is a lock on the file ``.leader.lock`` beside the
store. On PostgreSQL it is an advisory lock that belongs to a connection of its own: whoever loses that
connection has lost the lead. The system, or the server, lets go of either when the process dies.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import zlib
from pathlib import Path
from typing import IO, Any, Final, Protocol

import sqlalchemy as sa
from sqlalchemy import exc
from sqlalchemy.engine import Connection

from gateway.store.engine import Store
from keys.errors import UnavailableError

LOCK_FILE: Final = ".leader.lock"
_SPACE: Final = 0x746F6373  # "tocs": the first of the two numbers of our locks on PostgreSQL
_LEADER: Final = 0x6C656164  # "lead": the second one
_NAMES: Final = 0x6E616D65  # "name": the first one of locks on workers' names
NAME_SECONDS: Final = 2.0  # how often a worker makes sure of its name
_ALIVE: Final = (  # the server finds out about a machine that is gone within seconds, not hours
    "SET tcp_keepalives_idle = 5",
    "SET tcp_keepalives_interval = 2",
    "SET tcp_keepalives_count = 2",
    "SET idle_session_timeout = 0",
    "SET statement_timeout = '5s'",
)


class Lock(Protocol):
    """A lock that one process at a time has."""

    def hold(self) -> bool:
        """Take it if it is free; say whether it is ours now. Blocks for a moment; never raises."""
        ...

    def release(self) -> None:
        """Let it go."""
        ...


def leader_lock(store: Store) -> Lock:
    """Return the lock that whoever leads on this store holds."""
    if store.path is not None:
        return FileLock(store.path.parent / LOCK_FILE)
    return SessionLock(store, _SPACE, _LEADER)


def name_lock(store: Store, name: str) -> SessionLock | None:
    """Return the lock that the worker of a name holds; None on SQLite: there a file of the workspace does."""
    if store.path is not None:
        return None
    return SessionLock(store, _NAMES, zlib.crc32(name.encode()) & 0x7FFFFFFF)


async def keep_name(
    lock: SessionLock, name: str, where: str, over: asyncio.Event, *, seconds: float = NAME_SECONDS
) -> None:
    """Take a worker's name again whenever the database lost it, until ``over`` is set.

    Args:
        lock: of :func:`name_lock`, held.
        name: of the worker.
        where: the store lies.
        over: ends it.
        seconds: between looks.

    Raises:
        UnavailableError: RUNNING_ALREADY, where another process took the name meanwhile.
    """
    while not over.is_set():
        if not await asyncio.to_thread(lock.hold) and lock.taken:
            raise name_taken(name, where)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(over.wait(), seconds)


def name_taken(name: str, where: str) -> UnavailableError:
    """Return the error of a worker whose name another process has."""
    return UnavailableError(
        "RUNNING_ALREADY",
        f"Another process runs the worker '{name}' on this store, maybe on another machine.",
        mend="Give this one another name with --worker, or end that one first.",
        where=where,
    )


class FileLock:
    """``flock`` on a file; one that is deleted or replaced is lost."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._handle: IO[bytes] | None = None

    def hold(self) -> bool:
        """See :meth:`Lock.hold`."""
        if self._handle is not None and self._in_place(self._handle):
            return True
        self.release()
        try:
            handle = self._path.open("ab")
        except OSError:
            return False
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            handle.close()
            return False
        self._handle = handle
        if self._in_place(handle):
            return True
        self.release()
        return False

    def _in_place(self, handle: IO[bytes]) -> bool:
        try:
            return os.path.samestat(os.fstat(handle.fileno()), self._path.stat())
        except OSError:
            return False

    def release(self) -> None:
        """See :meth:`Lock.release`."""
        if self._handle is not None:
            self._handle.close()
            self._handle = None


class SessionLock:
    """An advisory lock of PostgreSQL on a connection that is used for nothing else."""

    def __init__(self, store: Store, space: int, number: int) -> None:
        self._store, self._space, self._number = store, space, number
        self._connection: Connection | None = None
        self._raw: Any = None  # the driver's connection: one that broke is closed by nobody else
        self._held = False

    @property
    def taken(self) -> bool:
        """Whether another process had it when it was asked for last."""
        return self._connection is not None and not self._held

    def hold(self) -> bool:
        """See :meth:`Lock.hold`."""
        try:
            if self._connection is None:
                self._connection = self._store.apart()
                self._raw = self._connection.connection.dbapi_connection
                for statement in _ALIVE:
                    self._connection.exec_driver_sql(statement)
            if self._held:
                self._connection.exec_driver_sql("SELECT 1")
                return True
            query = sa.select(sa.func.pg_try_advisory_lock(self._space, self._number))
            self._held = bool(self._connection.execute(query).scalar())
        except (exc.SQLAlchemyError, OSError):
            self.release()
        return self._held

    def release(self) -> None:
        """See :meth:`Lock.release`."""
        connection, held = self._connection, self._held
        self._connection, self._held = None, False
        if connection is not None:
            with contextlib.suppress(exc.SQLAlchemyError, OSError):
                if held:  # the server takes a moment to notice that a connection is closed
                    query = sa.select(sa.func.pg_advisory_unlock(self._space, self._number))
                    connection.execute(query)
            with contextlib.suppress(exc.SQLAlchemyError, OSError):
                connection.close()
            self._raw.close()
