"""A store with rows in every table, and what stands in it."""

from __future__ import annotations

import hashlib
from typing import Any

import sqlalchemy as sa

from gateway.store import backup, schema
from gateway.store.engine import Session, Store

_TEXTS = ("b", "B", "ä", "a-1", "A_1", "Ω", "a.1", "10", "9", "é")


def value(column: sa.Column[Any], number: int) -> Any:
    """A value of the column's kind, another for every number."""
    if column.foreign_keys:
        (key,) = column.foreign_keys
        return value(key.column, number)
    kind = column.type
    if isinstance(kind, sa.Boolean):
        return number % 2 == 1
    if isinstance(kind, sa.Float):
        return 1_700_000_000 + number / 7
    if isinstance(kind, sa.BigInteger):
        return number + 1 if column.primary_key else 2**53 - 1 - number
    if isinstance(kind, sa.Integer):
        return number
    if isinstance(kind, sa.LargeBinary):
        return hashlib.sha256(f"{column.name} {number}".encode()).digest()[: kind.length or 32]
    text = f"{_TEXTS[number % len(_TEXTS)]}{number}"
    longest = getattr(kind, "length", None)
    return text if longest is None else (text + "ß" * longest)[:longest]


def fill(session: Session, count: int = 12) -> None:
    """Put ``count`` rows into every table but that of single values."""
    for table in schema.metadata.sorted_tables:
        if table is not schema.meta:
            rows = [{column.name: value(column, n) for column in table.columns} for n in range(count)]
            if table.autoincrement_column is not None:
                for number, row in enumerate(rows, 1):
                    row[table.autoincrement_column.name] = number
            session.connection.execute(table.insert(), rows)


def contents(store: Store) -> dict[str, list[bytes]]:
    """Every row of every table that a backup holds."""
    with store.read() as session:
        return {table.name: list(backup.encoded(session, table)) for table in backup.tables()}
