"""Devices whose owners were not told by them: one by one, in pages, for those who write and call.

Candidates are read in the order of an index, some hundred at a time, and judged as the funnel counts them
(``gateway.core.followup``). So a page costs what it shows, whatever the size of the fleet.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa

from advisories.notice import Notice
from advisories.states import NoticeState, Surface
from gateway.core.followup import Why, why_untold
from gateway.core.funnel import Kind, Reached, Stands, Told
from gateway.store import funnel, schema
from gateway.store.engine import Session
from gateway.store.tallies import TEXTUAL
from keys.document import peek

_CHUNK: Final = 120  # candidates read at once first: a page and some more; then ever more, up to:
_CHUNK_MAX: Final = 480


@dataclass(frozen=True, slots=True)
class Untold:
    """A device whose owner was not told by it."""

    device: str
    product: str
    account: str
    """Empty: nobody's in particular, as far as the inventory says; likewise below."""
    region: str
    language: str
    version: str
    """As reported, or else as the inventory says."""
    external: str
    """Its name in the inventory."""
    seen: float | None
    """UTC seconds of its newest report."""
    why: Why
    sure: bool
    """False: possibly affected, for nobody knows its version."""


@dataclass(frozen=True, slots=True)
class Matter:
    """An advisory's newest revision, and when it was published (UTC seconds)."""

    notice: Notice
    published: float

    @staticmethod
    def of(session: Session, advisory: str) -> Matter:
        """Return that of an advisory.

        Raises:
            InputError: ADVISORY_UNKNOWN.
        """
        row = funnel.newest(session, advisory)
        return Matter(peek(row.document, Notice), row.published)


def silent(session: Session, matter: Matter, after: str) -> Iterator[tuple[str, Untold]]:
    """Yield affected devices that have not reported since publication: first those that never did.

    Yields:
        A place, which ``after`` takes up again behind it; and the device.
    """
    stage, _, rest = after.partition("/")
    if stage in {"", "0"}:
        place, _, device = rest.partition("/")
        for product in sorted(matter.notice.subject):
            if product >= place:
                start = device if product == place else ""
                for found in _never_heard(session, matter, product, start):
                    yield f"0/{product}/{found.device}", found
        stage, rest = "1", ""
    if stage == "1":
        seen, _, device = rest.partition("/")
        for found in _gone_silent(session, matter, (float(seen or "-inf"), device)):
            yield f"1/{found.seen!r}/{found.device}", found


def _never_heard(session: Session, matter: Matter, product: str, after: str) -> Iterator[Untold]:
    u, d, i = schema.unheard, schema.devices, schema.inventory
    source = u.outerjoin(d, d.c.id == u.c.device).outerjoin(i, i.c.id == u.c.device)
    query = _all_of(matter, u.c.device, source)
    query = query.where(u.c.product == product, u.c.kind == int(Kind.NEVER_REPORTED))
    yield from _paged(session, matter, u.c.device, query, after)


def _gone_silent(session: Session, matter: Matter, after: tuple[float, str]) -> Iterator[Untold]:
    s, d, i = schema.device_states, schema.devices, schema.inventory
    source = s.outerjoin(d, d.c.id == s.c.device).outerjoin(i, i.c.id == s.c.device)
    query = _all_of(matter, s.c.device, source).where(s.c.seen < matter.published)
    query = query.order_by(s.c.seen, s.c.device)
    for size in _sizes():
        seen, device = after
        behind = sa.or_(s.c.seen > seen, sa.and_(s.c.seen == seen, s.c.device > device))
        where = [s.c.seen >= seen, behind] if device else []
        rows = session.connection.execute(query.where(*where).limit(size)).all()
        yield from _judged(matter, rows)
        if len(rows) < size:
            return
        after = (rows[-1].seen, rows[-1].id)


def untold(
    session: Session, matter: Matter, accounts: Iterable[str], after: str
) -> Iterator[tuple[str, Untold]]:
    """Yield every device whose owner was not told by it, account by account.

    Args:
        session: which reads.
        matter: about what.
        accounts: whose devices, in order; "" means those that are nobody's in particular.
        after: the place behind which to go on.

    Yields:
        A place, and the device.
    """
    at, _, rest = after.partition("/")
    for account in accounts:
        if account < at:
            continue
        part, _, device = (rest if account == at else "").partition("/")
        for number, (column, query) in enumerate(_owned(matter, account)):
            if number < int(part or 0):
                continue
            start = device if number == int(part or 0) else ""
            for found in _paged(session, matter, column, query.where(_unsettled(matter)), start):
                yield f"{account}/{number}/{found.device}", found


def _owned(matter: Matter, account: str) -> Sequence[tuple[sa.ColumnElement[str], sa.Select[Any]]]:
    """Return queries for the devices of an account, each with the column that it goes on behind."""
    d, i, u = schema.devices, schema.inventory, schema.unheard
    products = sorted(matter.notice.subject)
    if account:
        query = _all_of(matter, i.c.id, i.outerjoin(d, d.c.id == i.c.id))
        ours = sa.func.coalesce(d.c.product, i.c.product).in_(products)
        return [(i.c.id, query.where(i.c.account == account, ours))]
    loose = sa.func.coalesce(i.c.account, "") == ""
    registered = _all_of(matter, d.c.id, d.outerjoin(i, i.c.id == d.c.id))
    elsewhere = _all_of(
        matter, u.c.device, u.outerjoin(i, i.c.id == u.c.device).outerjoin(d, d.c.id == u.c.device)
    )
    return [
        (d.c.id, registered.where(d.c.product.in_(products), loose)),
        (u.c.device, elsewhere.where(u.c.kind == int(Kind.UNREACHABLE), loose)),
    ]


def _all_of(matter: Matter, id_: sa.ColumnElement[str], source: sa.FromClause) -> sa.Select[Any]:
    """Return a query for everything that is known of devices.

    Args:
        matter: about what they spoke.
        id_: their ids, by which they are read.
        source: joins their ids, ``devices`` and ``inventory``.
    """
    d, i, s, n = schema.devices, schema.inventory, schema.device_states, schema.notice_states
    source = source.outerjoin(n, sa.and_(n.c.device == id_, n.c.advisory == matter.notice.id))
    if id_.table is not s:  # last: whom the others rule out needs no more reading
        source = source.outerjoin(s, s.c.device == id_)
    return sa.select(
        *(id_.label("id"), d.c.id.label("registered"), d.c.revoked, d.c.product, i.c.product.label("listed")),
        *(i.c.account, i.c.region, i.c.version, i.c.external, s.c.installed, s.c.language, s.c.seen),
        *(n.c.revision, n.c.state, n.c.surface, n.c.verified, n.c.shown),
    ).select_from(source)


def _unsettled(matter: Matter) -> sa.ColumnElement[bool]:
    """Leave out devices that have shown the text, or do not need to: most are so, and need not be read."""
    n = schema.notice_states
    as_text = sa.and_(n.c.shown.is_not(None), n.c.surface.in_(sorted(map(int, TEXTUAL))))
    settled = sa.or_(
        sa.and_(as_text, n.c.state != int(NoticeState.REJECTED)),
        sa.and_(n.c.shown.is_(None), n.c.state == int(NoticeState.NOT_APPLICABLE)),
    )
    return sa.or_(n.c.device.is_(None), n.c.revision != matter.notice.revision, ~settled)


def _paged(
    session: Session, matter: Matter, column: sa.ColumnElement[str], chosen: sa.Select[Any], after: str
) -> Iterator[Untold]:
    chosen = chosen.order_by(column)
    for size in _sizes():
        rows = session.connection.execute(chosen.where(column > after).limit(size)).all()
        yield from _judged(matter, rows)
        if len(rows) < size:
            return
        after = rows[-1].id


def _sizes() -> Iterator[int]:
    size = _CHUNK
    while True:
        yield size
        size = min(2 * size, _CHUNK_MAX)


def _judged(matter: Matter, rows: Sequence[Any]) -> Iterator[Untold]:
    return (found for row in rows if (found := _judge(matter, row)) is not None)


def _judge(matter: Matter, row: Any) -> Untold | None:
    """Return a device whose owner was not told; None for others."""
    if row.revoked:
        return None
    product = row.product if row.registered is not None else row.listed
    version = (row.installed if row.seen is not None else row.version) or ""
    kind = Kind.REPORTS if row.seen is not None else Kind.NEVER_REPORTED
    told = Told(
        product=product,
        installed=funnel.version_of(version),
        kind=kind if row.registered is not None else Kind.UNREACHABLE,
        stands=_stands(row) if row.revision == matter.notice.revision else None,
    )
    since = row.seen is not None and row.seen >= matter.published
    if product not in matter.notice.subject or (why := why_untold(matter.notice, told, since=since)) is None:
        return None
    return Untold(
        device=row.id,
        product=product,
        account=row.account or "",
        region=row.region or "",
        language=row.language or "",
        version=version,
        external=row.external or "",
        seen=row.seen,
        why=why,
        sure=told.installed is not None,
    )


def _stands(row: Any) -> Stands:
    reached = Reached.VERIFIED if row.verified is not None else Reached(0)
    if row.shown is not None:
        reached |= Reached.SHOWN
    return Stands(state=NoticeState(row.state), surface=Surface(row.surface), reached=reached)
