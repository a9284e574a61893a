"""The audit chain's arithmetic: each row's hash covers the row and the hash before it.

Decides what bytes are hashed; where rows are kept is the business of ``gateway.store.audit``.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

GENESIS: Final = bytes(32)
"""The head of an empty chain."""


@dataclass(frozen=True, slots=True)
class Link:
    """One row: ``index`` counts from 1, ``time`` is UTC seconds, ``data`` is canonical JSON text."""

    index: int
    time: float
    kind: str
    data: str
    hash: bytes


def canonical(value: Any) -> str:
    """Return the one JSON text of ``value``: sorted keys, no spaces, UTF-8 as it is.

    >>> canonical({"b": 1, "a": [True]})
    '{"a":[true],"b":1}'
    """
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def link(head: bytes, index: int, time: float, kind: str, data: Mapping[str, Any]) -> Link:
    """Return the row that follows ``head``."""
    text = canonical(data)
    return Link(index, time, kind, text, _hash(head, index, time, kind, text))


def _hash(head: bytes, index: int, time: float, kind: str, text: str) -> bytes:
    row = canonical({"data": text, "index": index, "kind": kind, "time": time})
    return hashlib.sha256(head + row.encode()).digest()


def fault(rows: Iterable[Link]) -> str | None:
    """Return what is wrong with the chain from its first row on, or None when it is whole."""
    head = GENESIS
    for expected, row in enumerate(rows, start=1):
        if row.index != expected:
            return f"row {expected} is missing"
        if _hash(head, row.index, row.time, row.kind, row.data) != row.hash:
            return f"row {row.index} ({row.kind}) was changed"
        head = row.hash
    return None


def receipt_digest(salt: bytes, report: bytes) -> str:
    """Return what the chain says of a received report: SHA-256 over 16 random bytes and the report, in hex.

    Without salt and report, which are erased together, nobody can find out what it was.
    """
    return hashlib.sha256(salt + report).hexdigest()
