"""The audit chain of an export: rows in full or by their digest; hashes, threads and erasures. Pure."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from gateway.core import chain
from gateway.core.evidence.archive import refused
from gateway.core.evidence.verdict import Fault, Verdict
from gateway.core.retention import ERASED, RULED, not_allowed

EXPORTED: Final = "evidence.exported"
"""Kind of the row with which an export ends: what it holds, and through which row."""
HASH_BYTES: Final = 32
FACTS_MAX: Final = 2_000_000  # rows in full, beside batches of reports
THREADS_MAX: Final = 500_000


@dataclass(frozen=True, slots=True)
class Row:
    """A row that is shown in full."""

    index: int
    time: float
    kind: str
    data: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Shown:
    """One item of ``audit.seq``: the row's hash, and the row or only its digest."""

    hash: bytes
    digest: bytes
    row: Row | None
    body: bytes


def item_of(link: chain.Link, *, full: bool) -> bytes:
    """Return a row as ``audit.seq`` holds it."""
    body = chain.row_bytes(link.index, link.time, link.kind, link.data)
    return link.hash + (body if full else hashlib.sha256(body).digest())


def read(items: Iterable[bytes]) -> Iterator[Shown]:
    """Yield the rows of ``audit.seq``; what is no row of ours is refused.

    Raises:
        InputError: NOT_EVIDENCE.
    """
    for index, item in enumerate(items, start=1):
        hash_, body = item[:HASH_BYTES], item[HASH_BYTES:]
        if len(body) < HASH_BYTES:
            raise refused(f"row {index} is cut off")
        if len(body) == HASH_BYTES:
            yield Shown(hash_, body, None, b"")
        else:
            yield Shown(hash_, hashlib.sha256(body).digest(), _row(index, body), body)


def _row(index: int, body: bytes) -> Row:
    """Read a row, holding it to the one way in which it can be written."""
    try:
        said = json.loads(body)
        data = json.loads(said["data"])
        time, kind = said["time"], said["kind"]
        whole = (
            isinstance(data, dict)
            and type(said["index"]) is int  # True would be a number too
            and isinstance(time, float)
            and math.isfinite(time)
            and isinstance(kind, str)
            and chain.canonical(data) == said["data"]
            and chain.row_bytes(said["index"], time, kind, said["data"]) == body
        )
    except (ValueError, KeyError, TypeError, RecursionError):
        whole = False
    if not whole:
        raise refused(f"row {index} is not written as rows are")
    return Row(said["index"], time, kind, data)


@dataclass(slots=True)
class Trail:
    """What the chain shows."""

    rows: int = 0
    head: bytes = chain.GENESIS
    shown: int = 0
    facts: list[Row] = field(default_factory=list)
    """Rows in full, without batches of reports."""
    erased: dict[str, float] = field(default_factory=dict)
    """Digest of a report that a rule erased -> it took only what was committed before then, UTC seconds."""
    rules: dict[str, int] = field(default_factory=dict)
    """Rule -> how much it erased."""
    in_force: Mapping[str, Any] = field(default_factory=dict)
    """Rule -> days, by the last row that says so."""
    counted: dict[str, int] = field(default_factory=dict)
    """Thread -> number of its last row that is shown."""
    gaps: dict[str, list[tuple[int, int]]] = field(default_factory=dict)
    """Thread -> (row that is shown, how many before it are not)."""
    heads: dict[bytes, int] = field(default_factory=dict)
    """Those that were asked for -> the row whose hash it is."""
    exported: Row | None = None
    """The last row, when it is the one that an export ends with."""


def walk(shown: Iterable[Shown], wanted: frozenset[bytes], verdict: Verdict) -> Trail:
    """Check every hash from the first row on, and gather what the rows in full say.

    Args:
        shown: of :func:`read`.
        wanted: heads from timestamps and devices.
        verdict: gets what is wrong.
    """
    trail = Trail()
    if chain.GENESIS in wanted:
        trail.heads[chain.GENESIS] = 0
    form, broken, shift = 1, False, 0
    for index, one in enumerate(shown, start=1):
        kind = one.row.kind if one.row is not None else ""
        form = chain.form_after(form, index, kind)
        if one.row is None and form < chain.FORM:
            raise refused(f"row {index} is older than digests, and is not shown")
        good = (
            chain.next_head(trail.head, one.digest)
            if one.row is None
            else chain.head_after(form, trail.head, one.body)
        )
        if good != one.hash and not broken:
            broken = True  # those behind it hang from another hash: one finding says it all
            verdict.find(Fault.CHANGED, f"row {index}", f"{kind or 'it'} or the row before it was changed")
        if one.row is not None and one.row.index - index != shift:
            shift = one.row.index - index
            verdict.find(Fault.REMOVED, f"row {index}", f"row {one.row.index} stands in its place")
        trail.rows, trail.head = index, one.hash
        if one.hash in wanted:
            trail.heads[one.hash] = index
        if one.row is not None:
            _gather(trail, one.row, verdict)
    last = trail.facts[-1] if trail.facts else None
    if last is not None and last.kind == EXPORTED and last.index == trail.rows:
        trail.exported = last
    return trail


def _gather(trail: Trail, row: Row, verdict: Verdict) -> None:
    trail.shown += 1
    numbers = row.data.get(chain.NTH)
    for thread, nth in numbers.items() if isinstance(numbers, dict) else ():
        if not isinstance(nth, int) or len(trail.counted) >= THREADS_MAX:
            raise refused(f"row {row.index} is numbered as no row is")
        before = trail.counted.get(thread, 0)
        if nth != before + 1:
            trail.gaps.setdefault(thread, []).append((row.index, nth - before - 1))
        trail.counted[thread] = nth
    if row.kind == chain.COMMITTED:
        return
    if len(trail.facts) >= FACTS_MAX:
        raise refused(f"it shows more than {FACTS_MAX} rows")
    trail.facts.append(row)
    if row.kind == RULED:
        trail.in_force = row.data
    if row.kind == ERASED:
        gone = [one for one in _list(row.data.get("reports")) if isinstance(one, str)]
        why = not_allowed(row.data, row.time, trail.in_force, (0, -math.inf)) if gone else None
        if why is not None:
            verdict.find(Fault.REMOVED, f"row {row.index}", why)
            return
        rule = str(row.data.get("rule"))
        until = row.data.get("before") if rule == "reports" else None
        trail.erased.update(dict.fromkeys(gone, until if isinstance(until, int | float) else math.inf))
        if gone:
            trail.rules[rule] = trail.rules.get(rule, 0) + len(gone)


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
