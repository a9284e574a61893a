"""The audit trail: decisions and receipts in one append-only hash chain (``gateway.core.chain``).

A row is appended in the same transaction as what it records; the head goes into every timestamp, so the
fleet itself holds on to it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

import sqlalchemy as sa

from advisories.catalogue import Timestamp
from advisories.report import Report
from gateway.core import chain
from gateway.core.evidence.about import subjects
from gateway.store import schema
from gateway.store.engine import Session, Store
from keys.document import peek
from keys.errors import DamagedError

_FORM: Final = (
    "audit_form"  # single value: the form in which the chain goes on; not set before it was looked at
)
_NAMES_MAX: Final = 500  # names in one query
_PAGE: Final = 2_000  # rows read at once, so that a chain of any length needs no more memory than that


def head(session: Session) -> bytes:
    """Return the hash of the newest row (32 bytes; zeros for an empty chain)."""
    return last(session)[1]


def last(session: Session) -> tuple[int, bytes]:
    """Return index and hash of the newest row."""
    t = schema.audit
    row = session.connection.execute(
        sa.select(t.c.index, t.c.hash).order_by(t.c.index.desc()).limit(1)
    ).first()
    return (0, chain.GENESIS) if row is None else (row[0], row[1])


def append(session: Session, kind: str, data: Mapping[str, Any], now: float) -> chain.Link:
    """Append a row to the chain and return it; its hash is the new head.

    From here to its end the transaction is alone in the store: append late.

    Args:
        session: the transaction that also writes what is recorded.
        kind: such as ``advisory.published``; its first word and some keys of the data decide to which threads
            it belongs (:func:`gateway.core.chain.threads`).
        data: JSON values; bytes are given in hexadecimal. The key ``nth`` is the chain's own.
        now: UTC seconds.
    """
    session.serialise()
    before = last(session)
    if session.meta(_FORM) is None:
        kind_of_it = chain.FORM_CHANGED if before[0] else chain.BEGAN
        row = _put(session, before, kind_of_it, {"form": chain.FORM}, now)
        before = row.index, row.hash
        session.set_meta(_FORM, str(chain.FORM))
    return _put(session, before, kind, data, now)


def _put(
    session: Session, before: tuple[int, bytes], kind: str, data: Mapping[str, Any], now: float
) -> chain.Link:
    a, t = schema.audit, schema.audit_threads
    nth = {name: length(session, name) + 1 for name in chain.threads(kind, data)}
    facts = {**data, chain.NTH: nth} if nth else data
    row = chain.link(before[1], before[0] + 1, float(now), kind, facts)
    session.connection.execute(
        a.insert().values(index=row.index, time=row.time, kind=row.kind, data=row.data, hash=row.hash)
    )
    if nth:
        values = [{"thread": name, "nth": number, "row": row.index} for name, number in nth.items()]
        session.connection.execute(t.insert(), values)
    return row


def length(session: Session, thread: str, through: int | None = None) -> int:
    """Return how many rows a thread has, or had at row ``through``."""
    t = schema.audit_threads
    query = sa.select(t.c.nth).where(t.c.thread == thread).order_by(t.c.nth.desc()).limit(1)
    if through is not None:
        query = query.where(t.c.row <= through)
    return session.connection.execute(query).scalar() or 0


def commit_reports(session: Session, reports: Iterable[tuple[str, Report]], now: float) -> chain.Link:
    """Append the row of a batch of reports, which counts how many of them speak about what was published.

    Whoever shows the reports about an advisory cannot leave one out: the number of them is in the chain.

    Args:
        session: the transaction that writes the reports.
        reports: the :func:`gateway.core.chain.receipt_digest` of each, in its order, and what it says.
        now: UTC seconds.
    """
    found = list(reports)
    about = Counter(name for _, report in found for name in subjects(report))
    known = _published(session, about)
    facts = {
        "about": {name: count for name, count in about.items() if name in known},
        "reports": [digest for digest, _ in found],
    }
    return append(session, chain.COMMITTED, facts, now)


def _published(session: Session, names: Iterable[str]) -> set[str]:
    """Return those threads that are about something published: a device may name whatever it likes."""
    ids = [name.removeprefix("advisory:") for name in names if name.startswith("advisory:")]
    digests = [bytes.fromhex(name.removeprefix("patch:")) for name in names if name.startswith("patch:")]
    a, p = schema.advisories, schema.patches
    found = set()
    if ids:
        query = sa.select(a.c.id).where(a.c.id.in_(sorted(ids)[:_NAMES_MAX])).distinct()
        found |= {f"advisory:{name}" for name in session.connection.execute(query).scalars()}
    if digests:
        chosen = sa.select(p.c.digest).where(p.c.digest.in_(sorted(digests)[:_NAMES_MAX]))
        found |= {f"patch:{digest.hex()}" for digest in session.connection.execute(chosen).scalars()}
    return found


def rows(session: Session, *, after: int = 0) -> Iterator[chain.Link]:
    """Yield the chain from its first row on, or from the one after ``after``, a page at a time."""
    t = schema.audit
    query = sa.select(t.c.index, t.c.time, t.c.kind, t.c.data, t.c.hash).order_by(t.c.index).limit(_PAGE)
    while page := session.connection.execute(query.where(t.c.index > after)).all():
        for row in page:
            yield chain.Link(*row)
        after = page[-1][0]


def find(
    session: Session,
    *,
    limit: int,
    after: int = 0,
    since: float | None = None,
    kind: str = "",
    thread: str = "",
) -> list[chain.Link]:
    """Return rows in their order.

    Args:
        session: a reading transaction.
        limit: at most so many.
        after: only those behind this index.
        since: only those of this time or later, UTC seconds.
        kind: only kinds that begin so.
        thread: only those of this thread, such as ``advisory:<id>``.
    """
    t, about = schema.audit, schema.audit_threads
    query = sa.select(t.c.index, t.c.time, t.c.kind, t.c.data, t.c.hash).where(t.c.index > after)
    if since is not None:
        query = query.where(t.c.time >= since)
    if kind:
        query = query.where(t.c.kind.startswith(kind, autoescape=True))
    if thread:
        query = query.join(about, about.c.row == t.c.index).where(about.c.thread == thread)
    found = session.connection.execute(query.order_by(t.c.index).limit(limit))
    return [chain.Link(*row) for row in found]


def knows(session: Session, hash_: bytes) -> bool:
    """Say whether the chain ever had this head."""
    if hash_ == chain.GENESIS:
        return True
    t = schema.audit
    return session.connection.execute(sa.select(t.c.index).where(t.c.hash == hash_)).first() is not None


def _cut_off(session: Session) -> str | None:
    """Say whether rows at the end are gone: a head that a timestamp carries must still be in the chain."""
    for product in session.document_names(Timestamp.TYPE):
        for stored in session.documents(Timestamp.TYPE, product):
            if not knows(session, peek(stored.bytes, Timestamp).audit_head):
                return f"rows that timestamp {stored.version} of '{product}' vouches for are missing"
    return None


def verify_chain(store: Store) -> bytes:
    """Check the whole chain and return its head.

    Raises:
        DamagedError: AUDIT_DAMAGED, naming the first row that does not fit.
    """
    with store.read() as session:
        fault = chain.fault(rows(session)) or _cut_off(session)
        if fault is not None:
            raise DamagedError(
                "AUDIT_DAMAGED",
                f"The audit chain is broken: {fault}.",
                mend="Restore the store from a copy and find out who changed it.",
                where=store.where,
            )
        return head(session)
