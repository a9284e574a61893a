"""Many rows at once: compiled once a table and engine, and handed to the driver as they are.

What SQLAlchemy does for each row of an ``executemany`` takes longer than SQLite takes to write it. All values
here are numbers, texts and bytes, which every driver takes as they are.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from operator import itemgetter
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection

_INSERTS: Final = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}
_DIALECTS: Final[Mapping[str, Callable[[], sa.Dialect]]] = {
    "sqlite": sqlite.dialect,
    "postgresql": postgresql.psycopg.dialect,
}

Rows = Sequence[Mapping[str, Any]]


def insert(connection: Connection, table: sa.Table, rows: Rows) -> None:
    """Add rows; all have a value for the same columns."""
    _run(connection, table, rows, replace=False)


def put(connection: Connection, table: sa.Table, rows: Rows) -> None:
    """Add rows, or write them over those with the same primary key."""
    _run(connection, table, rows, replace=True)


def _run(connection: Connection, table: sa.Table, rows: Rows, *, replace: bool) -> None:
    if rows:
        text, shape = _statement(connection.dialect.name, table, tuple(rows[0]), replace=replace)
        connection.exec_driver_sql(text, [shape(row) for row in rows])


@cache
def _statement(
    dialect: str, table: sa.Table, names: tuple[str, ...], *, replace: bool
) -> tuple[str, Callable[[Mapping[str, Any]], Any]]:
    """Return a statement in the engine's own words, and what makes a row fit it."""
    statement: Any = _INSERTS[dialect](table).inline()
    if replace:
        key = [column.name for column in table.primary_key]
        others = {name: statement.excluded[name] for name in names if name not in key}
        statement = statement.on_conflict_do_update(index_elements=key, set_=others)
    compiled = statement.compile(dialect=_DIALECTS[dialect](), column_keys=list(names))
    if compiled.positiontup is None:
        return compiled.string, dict
    return compiled.string, itemgetter(*compiled.positiontup)
