"""What an engine says when something is wrong, as errors that say what is to be done.

A transaction that met one of them wrote nothing. Our own mistakes (a key twice, a value that has no room)
are not blamed on the surroundings: they go on as they are.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import exc

from keys.errors import DamagedError, TocsinError, UnavailableError

_BUSY: Final = ("STORE_BUSY", "Another process keeps the store locked.", "Let it finish, or stop it.")
_FULL: Final = ("STORE_FULL", "There is no room left for the store.", "Free some space on its disk.")
_READONLY: Final = (
    "STORE_READONLY",
    "The store cannot be written.",
    "Give this user the right to write there.",
)
_SHUT: Final = ("STORE_UNAVAILABLE", "The store cannot be opened.", "Check the folder and its rights.")
_NO_ENTRY: Final = (
    "STORE_UNAVAILABLE",
    "The database does not let this user in.",
    "Check the user, and the password in PGPASSFILE or PGPASSWORD.",
)
_DISK: Final = (
    "STORE_UNAVAILABLE",
    "The disk under the store fails.",
    "Check its mount and whether it is full.",
)
_CROWDED: Final = (
    "STORE_BUSY",
    "The database takes no more connections.",
    "Let it take more, or run fewer gateways.",
)
_NOWHERE: Final = ("STORE_MISSING", "There is no such database.", "Make it, or name another in tocsin.toml.")
_GONE: Final = (
    "STORE_UNAVAILABLE",
    "The database does not answer.",
    "Check that it runs and can be reached from here.",
)
_SQLITE: Final = (  # what SQLite says -> code, sentence, mend
    ("locked", _BUSY),
    ("disk is full", _FULL),
    ("readonly", _READONLY),
    ("unable to open", _SHUT),
    ("disk i/o", _DISK),
)
_POSTGRESQL: Final = (  # SQLSTATE or the beginning of it -> code, sentence, mend
    ("40", _BUSY),  # serialisation failed, deadlock: another transaction won
    ("55P03", _BUSY),  # the lock was not to be had in time
    ("57014", _BUSY),  # cancelled, by a timeout of the server's
    ("53100", _FULL),
    ("53", _CROWDED),
    ("25006", _READONLY),
    ("42501", _READONLY),
    ("28", _NO_ENTRY),
    ("3D000", _NOWHERE),
    ("57P", _GONE),
    ("08", _GONE),
    ("25P03", _GONE),  # it stood still in a transaction for too long
    ("58030", _DISK),
)
_TURNED_AWAY: Final = (  # what the driver says when it is not let in; there is no SQLSTATE then
    ('role "', _NO_ENTRY),
    ("does not exist", _NOWHERE),
    ("authentication failed", _NO_ENTRY),
    ("no password", _NO_ENTRY),
    ("pg_hba.conf", _NO_ENTRY),
    ("too many", _CROWDED),
    ("connection slots", _CROWDED),
)
_LOST: Final = (
    "STORE_LOST",
    "The connection to the database broke while it was told to keep a change.",
    "Look whether the change was kept before you make it again.",
)
_MISTAKES: Final = (exc.IntegrityError, exc.DataError)


def translate(error: exc.DBAPIError, where: str, *, committing: bool = False) -> TocsinError:
    """Return the error for people.

    Args:
        error: what the driver raised.
        where: path or address of the store.
        committing: the engine was told to commit; if the connection is gone, nobody knows whether it did.

    Raises:
        sqlalchemy.exc.DBAPIError: ``error`` itself, where the mistake is our own.
    """
    state = getattr(error.orig, "sqlstate", None)
    said = str(error.orig).lower()
    known = _of_state(error, state) if _is_postgresql(error) else _of_words(said)
    if known is _GONE and committing:
        known = _LOST
    if known is not None:
        code, sentence, mend = known
        return UnavailableError(code, sentence, mend=mend, where=where)
    if isinstance(error, _MISTAKES):
        raise error
    if isinstance(error, exc.OperationalError) and "no such" not in said:
        first = said.partition("\n")[0]
        return UnavailableError(
            "STORE_UNAVAILABLE", f"The store does not answer ({first}).", mend="Try again.", where=where
        )
    return damaged(where, said.partition("\n")[0])


def damaged(where: str, how: str) -> DamagedError:
    """Return the error for a store that is not whole, or none at all."""
    return DamagedError(
        "STORE_DAMAGED",
        f"This is not a whole store: {how}.",
        mend="Restore it from a copy, or begin a new workspace in another folder.",
        where=where,
    )


def _is_postgresql(error: exc.DBAPIError) -> bool:
    return type(error.orig).__module__.startswith("psycopg")


def _of_words(said: str) -> tuple[str, str, str] | None:
    return next((known for sign, known in _SQLITE if sign in said), None)


def _of_state(error: exc.DBAPIError, state: str | None) -> tuple[str, str, str] | None:
    if state is None:  # the driver found nobody, or lost it, or was turned away
        if not (error.connection_invalidated or isinstance(error, exc.OperationalError | exc.InterfaceError)):
            return None
        said = str(error.orig).lower()
        return next((known for sign, known in _TURNED_AWAY if sign in said), _GONE)
    return next((known for sign, known in _POSTGRESQL if state.startswith(sign)), None)
