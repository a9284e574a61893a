"""Shapes of the C device (``tn_shape``), made from Python, and what it says of bytes that are held against them.

taken(core, b"\\x81\\x05", Row("ARRAY SOME", 4, (Row("UINT", 9),)))
"""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from functools import cache
from typing import Any, ClassVar

from .build import Core, Source, enumerated


class _Entry(ctypes.Structure):
    """``tn_shape``: this is all that the tests know of how it is laid out."""

    _fields_: ClassVar[Any] = (
        ("key", ctypes.c_uint8),
        ("kind", ctypes.c_uint8),
        ("most", ctypes.c_uint16),
        ("of", ctypes.c_void_p),
    )


@dataclass(frozen=True)
class Row:
    """One shape: its kind in words ("ARRAY SOME" is ``TN_ARRAY | TN_SOME``), and of an entry the key's first byte."""

    kind: str
    most: int = 0
    of: tuple[Row, ...] = ()
    key: int = 0


END = Row("END")
ANY = Row("ANY")


@cache
def laid(*rows: Row) -> Any:
    """Lay shapes out one behind the other, as C reads them; they stay where they are."""
    kinds = enumerated("item.h", "TN_END")
    found = (_Entry * len(rows))()
    for entry, row in zip(found, rows, strict=True):
        entry.key = row.key
        entry.kind = sum(kinds[f"TN_{word}"] for word in row.kind.split())
        entry.most = row.most
        entry.of = ctypes.addressof(laid(*row.of)) if row.of else None
    return found


def taken(core: Core, data: bytes | Source, *rows: Row, own: tuple[Row, ...] = ()) -> bool:
    """Say whether bytes, which lie in memory or where a source says, fit a shape (``tn_fits``)."""
    where = core.in_memory(data) if isinstance(data, bytes) else data
    return bool(core.lib.tn_fits(where, laid(*rows), laid(*own) if own else None) & 1)


def beyond(core: Core) -> bool:
    """Say whether what did not fit last has a key that its shape does not know, or stands severed."""
    return bool(ctypes.c_bool.in_dll(core.lib, "tn_beyond").value)


ANYTHING = laid(*(Row("ANY OPTIONAL", key=key) for key in range(8, 64)), END)
"""The shape of entries of any kind behind the common ones."""
