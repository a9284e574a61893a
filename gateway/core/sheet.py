"""Tables for spreadsheets: CSV in which no cell is taken for a formula. Pure."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from typing import Final

_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")  # a cell that begins so is computed, or worse


def harmless(cell: object) -> str:
    """Return a cell that a spreadsheet shows as text, whatever others wrote into it.

    >>> harmless("=cmd|' /C calc'!A0"), harmless(None), harmless(3)
    ("'=cmd|' /C calc'!A0", '', '3')
    """
    text = "" if cell is None else str(cell)
    return f"'{text}" if text.startswith(_FORMULA) else text


def sheet(columns: Sequence[str], rows: Iterable[Iterable[object]]) -> str:
    """Return CSV text (RFC 4180): a line of names, then one line a row."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(columns)
    writer.writerows([harmless(cell) for cell in row] for row in rows)
    return out.getvalue()
