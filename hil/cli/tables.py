"""Plain tables for people."""

from __future__ import annotations

from collections.abc import Iterable

from rich.table import Table
from rich.text import Text


def table(columns: Iterable[str], rows: Iterable[Iterable[str]]) -> Table:
    """Make a plain table; every cell is text, and none of it can steer a terminal."""
    made = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        made.add_column(column, overflow="fold")
    for row in rows:
        made.add_row(*(Text("".join(c if c.isprintable() else "?" for c in cell)) for cell in row))
    return made
