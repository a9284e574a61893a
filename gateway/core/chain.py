"""The audit chain's arithmetic: each row's hash covers the row and the hash before it.

Decides what bytes are hashed, and which threads a row belongs to; where rows are kept is the business of
``gateway.store.audit``.

Form 1 hashes the head and the row. Form 2 hashes the head and the row's *digest*, so that a row can be shown
by its digest alone and the chain still be checked. A chain is of form 1 until the first row that says
otherwise (``chain.began`` as row 1 of a new store, ``chain.form`` in an older one); that row and all after it
are of form 2. What form 2 hashes is 64 bytes, what form 1 hashes is longer: neither passes for the other.

Rows about one matter make a *thread* and are numbered in it (``nth`` in their data): whoever shows only some
rows of a chain cannot leave out one of a thread unseen.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

GENESIS: Final = bytes(32)
"""The head of an empty chain."""
FORM: Final = 2
"""What chains are written in now."""
BEGAN: Final = "chain.began"
"""Kind of row 1 of a chain that was of form 2 from the first."""
FORM_CHANGED: Final = "chain.form"
"""Kind of the first row of form 2 in a chain that began in form 1."""
THREAD_LETTERS_MAX: Final = 80
NTH: Final = "nth"
"""Key in a row's data: thread -> the row's number in it, counted from 1."""


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


def row_bytes(index: int, time: float, kind: str, text: str) -> bytes:
    """Return a row as it is hashed; ``text`` is its data as canonical JSON."""
    return canonical({"data": text, "index": index, "kind": kind, "time": time}).encode()


def next_head(head: bytes, digest: bytes) -> bytes:
    """Return the hash of a row of form 2 from the hash before it and the row's SHA-256."""
    return hashlib.sha256(head + digest).digest()


def head_after(form: int, head: bytes, row: bytes) -> bytes:
    """Return the hash of a row from its form, the hash before it and its :func:`row_bytes`."""
    if form < FORM:
        return hashlib.sha256(head + row).digest()
    return next_head(head, hashlib.sha256(row).digest())


def form_after(form: int, index: int, kind: str) -> int:
    """Return the form of a row, from that of the row before it (1 before the first)."""
    named = kind == FORM_CHANGED or (kind == BEGAN and index == 1)
    return FORM if named else form


def link(
    head: bytes, index: int, time: float, kind: str, data: Mapping[str, Any], *, form: int = FORM
) -> Link:
    """Return the row that follows ``head``.

    Args:
        head: hash of the row before, :data:`GENESIS` for none.
        index: from 1.
        time: UTC seconds.
        kind: such as ``advisory.published``.
        data: JSON values.
        form: of the chain at this row.
    """
    text = canonical(data)
    return Link(index, time, kind, text, head_after(form, head, row_bytes(index, time, kind, text)))


def fault(rows: Iterable[Link]) -> str | None:
    """Return what is wrong with the chain from its first row on, or None when it is whole."""
    head, form = GENESIS, 1
    for expected, row in enumerate(rows, start=1):
        if row.index != expected:
            return f"row {expected} is missing"
        form = form_after(form, row.index, row.kind)
        if head_after(form, head, row_bytes(row.index, row.time, row.kind, row.data)) != row.hash:
            return f"row {row.index} ({row.kind}) was changed"
        head = row.hash
    return None


def threads(kind: str, data: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the threads that a row belongs to, sorted.

    Everything about an advisory, a patch, an incident, an account; a product's catalogues; roots; device
    records; erasures. A batch of reports belongs to what its ``about`` counts.
    """
    head, _, _ = kind.partition(".")
    keys = {**{name: name for name in _NAMED}, **_OWN.get(head, {})}
    found = {f"{name}:{data[key]}" for key, name in keys.items() if isinstance(data.get(key), str)}
    if head in _SHARED:
        found.add(_SHARED[head])
    about = data.get("about")
    if kind == COMMITTED and isinstance(about, Mapping):
        found.update(about)
    return tuple(sorted(name for name in found if len(name) <= THREAD_LETTERS_MAX and name[-1] != ":"))


COMMITTED: Final = "reports.committed"
"""Kind of a batch of reports' row: ``reports`` their digests, ``about`` thread -> how many speak of it."""
_NAMED: Final = ("advisory", "incident", "patch", "rollout", "account")  # keys whose value names a thread
_OWN: Final[Mapping[str, Mapping[str, str]]] = {  # first word of a kind -> key -> name of the thread
    "account": {"id": "account"},
    "advisory": {"id": "advisory"},
    "catalogue": {"product": "catalogue"},
    "patch": {"digest": "patch"},
    "rollout": {"digest": "patch", "id": "rollout"},
}
_SHARED: Final = {"root": "roots", "devices": "devices", "retention": "retention"}


def receipt_digest(salt: bytes, report: bytes) -> str:
    """Return what the chain says of a received report: SHA-256 over 16 random bytes and the report, in hex.

    Without salt and report, which are erased together, nobody can find out what it was.
    """
    return hashlib.sha256(salt + report).hexdigest()
