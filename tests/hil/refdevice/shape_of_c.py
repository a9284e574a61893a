"""Shapes of the C device, made from Python, and what it says of bytes that are held against them.

taken(core, b"\\x81\\x05", Row("ARRAY SOME", 4, (Row("UINT", 9),)))
"""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from functools import cache
from typing import Any

from .build import Core, Source, enumerated

_ALL = 0xFFFF
_LIMITLESS = ("ANY", "BOOL", "UINT32", "UINT53", "PAUSE")


@dataclass(frozen=True)
class Row:
    """One shape: its kind in words ("ARRAY SOME" is ``TN_ARRAY | TN_SOME``), and of an entry the key's first byte."""

    kind: str
    most: int = 0
    of: tuple[Row, ...] = ()
    key: int = 0


END = Row("END")
ANY = Row("ANY")


def _written(row: Row) -> bytes:
    """Return a shape as C reads it, below a key: this is all that the tests know of how it is laid out."""
    kinds = enumerated("item.h", "TN_UINT")
    words = row.kind.split()
    found = bytes((sum(kinds[f"TN_{word}"] for word in words),))
    if words[0] in {"OWN", *_LIMITLESS}:
        return found
    if words[0] == "RECORD" or row.most == _ALL:
        found += b"\xfe"
    elif row.most < 0xFE:
        found += bytes((row.most,))
    else:
        found += b"\xff" + row.most.to_bytes(2, "big")
    if kinds[f"TN_{words[0]}"] < kinds["TN_ARRAY"]:
        return found
    keyed = words[0] in {"RECORD", "STEPS"}
    within = b"".join((_entry if keyed else _written)(one) for one in row.of)
    return found + bytes((len(within),)) + within


def _entry(row: Row) -> bytes:
    kinds = enumerated("item.h", "TN_UINT")
    return (
        bytes((kinds[f"TN_{row.kind}"],)) if row.kind in {"OWN", "END"} else bytes((row.key,)) + _written(row)
    )


@cache
def laid(*rows: Row, entries: bool = False) -> Any:
    """Lay shapes, or the entries of a record, out one behind the other, as C reads them; they stay where they are."""
    return ctypes.create_string_buffer(b"".join(map(_entry if entries else _written, rows)))


def taken(core: Core, data: bytes | Source, *rows: Row, own: tuple[Row, ...] = ()) -> bool:
    """Say whether bytes, which lie in memory or where a source says, fit a shape (``tn_fits``)."""
    where = core.in_memory(data) if isinstance(data, bytes) else data
    return bool(core.lib.tn_fits(where, laid(*rows), laid(*own, entries=True) if own else None) & 1)


def beyond(core: Core) -> bool:
    """Say whether what did not fit last has a key that its shape does not know, or stands severed."""
    return bool(ctypes.c_bool.in_dll(core.lib, "tn_beyond").value)


ANYTHING = laid(*(Row("ANY OPTIONAL", key=key) for key in range(8, 64) if key != 31), END, entries=True)
"""The shape of entries of any kind behind the common ones."""
