"""Devices whose owners were not told by them: one by one, in pages, for those who write and call.

Candidates are read in the order of an index, some hundred at a time, and judged as the funnel counts them
(``gateway.core.followup``). So a page costs what it shows, whatever the size of the fleet.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
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
    u = schema.unheard
    query = sa.select(u.c.device).where(u.c.product == product, u.c.kind == int(Kind.NEVER_REPORTED))
    yield from _paged(session, matter, u.c.device, query, after)


def _gone_silent(session: Session, matter: Matter, after: tuple[float, str]) -> Iterator[Untold]:
    s = schema.device_states
    query = sa.select(s.c.seen, s.c.device).where(s.c.seen < matter.published)
    query = query.order_by(s.c.seen, s.c.device)
    for size in _sizes():
        seen, device = after
        behind = sa.or_(s.c.seen > seen, sa.and_(s.c.seen == seen, s.c.device > device))
        where = [s.c.seen >= seen, behind] if device else []
        rows = session.connection.execute(query.where(*where).limit(size)).all()
        yield from judged(session, matter, [row.device for row in rows])
        if len(rows) < size:
            return
        after = (rows[-1].seen, rows[-1].device)


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
        for number, (column, query) in enumerate(_owned(account, matter.notice.subject)):
            if number < int(part or 0):
                continue
            start = device if number == int(part or 0) else ""
            for found in _paged(session, matter, column, query.where(~_settled(matter, column)), start):
                yield f"{account}/{number}/{found.device}", found


def _owned(account: str, products: Collection[str]) -> Sequence[tuple[sa.ColumnElement[str], sa.Select[Any]]]:
    """Return queries for the devices of an account, each with the column that it goes on behind."""
    d, i = schema.devices, schema.inventory
    known = i.outerjoin(d, d.c.id == i.c.id)
    ours = sa.func.coalesce(d.c.product, i.c.product).in_(sorted(products))
    if account:
        return [(i.c.id, sa.select(i.c.id).select_from(known).where(i.c.account == account, ours))]
    loose = sa.or_(i.c.account.is_(None), i.c.account == "")
    registered = sa.select(d.c.id).select_from(d.outerjoin(i, i.c.id == d.c.id))
    return [
        (d.c.id, registered.where(d.c.product.in_(sorted(products)), loose)),
        (i.c.id, sa.select(i.c.id).select_from(known).where(loose, ours, d.c.id.is_(None))),
    ]


def _settled(matter: Matter, device: sa.ColumnElement[str]) -> sa.ColumnElement[bool]:
    """Say that a device has shown the text, or does not need to: most are so, and need not be read."""
    n = schema.notice_states
    as_text = sa.and_(n.c.shown.is_not(None), n.c.surface.in_(sorted(map(int, TEXTUAL))))
    return sa.exists().where(
        n.c.device == device,
        n.c.advisory == matter.notice.id,
        n.c.revision == matter.notice.revision,
        sa.or_(
            sa.and_(as_text, n.c.state != int(NoticeState.REJECTED)),
            sa.and_(n.c.shown.is_(None), n.c.state == int(NoticeState.NOT_APPLICABLE)),
        ),
    )


def _paged(
    session: Session, matter: Matter, column: sa.ColumnElement[str], chosen: sa.Select[Any], after: str
) -> Iterator[Untold]:
    chosen = chosen.order_by(column)
    for size in _sizes():
        ids = session.connection.execute(chosen.where(column > after).limit(size)).scalars().all()
        yield from judged(session, matter, ids)
        if len(ids) < size:
            return
        after = ids[-1]


def _sizes() -> Iterator[int]:
    size = _CHUNK
    while True:
        yield size
        size = min(2 * size, _CHUNK_MAX)


def judged(session: Session, matter: Matter, ids: Sequence[str]) -> list[Untold]:
    """Return those of these devices whose owners were not told, in the order that was given."""
    if not ids:
        return []
    d, i, s, n = schema.devices, schema.inventory, schema.device_states, schema.notice_states

    def read(*columns: sa.Column[Any], where: Sequence[sa.ColumnElement[bool]] = ()) -> dict[str, Any]:
        found = session.connection.execute(sa.select(*columns).where(columns[0].in_(ids), *where))
        return {row[0]: row for row in found.all()}

    said = (n.c.device, n.c.revision, n.c.state, n.c.surface, n.c.verified, n.c.shown)
    rows = (
        read(d.c.id, d.c.product, d.c.revoked),
        read(i.c.id, i.c.product, i.c.account, i.c.region, i.c.version, i.c.external),
        read(s.c.device, s.c.installed, s.c.language, s.c.seen),
        read(*said, where=[n.c.advisory == matter.notice.id]),
    )
    found = (_judge(matter, [table.get(id_) for table in rows]) for id_ in ids)
    return [each for each in found if each is not None]


def _judge(matter: Matter, rows: Sequence[Any]) -> Untold | None:
    device, place, state, said = rows
    if device is not None and device.revoked:
        return None
    product = device.product if device is not None else place.product
    version = (state.installed if state is not None else place and place.version) or ""
    told = Told(
        product=product,
        installed=funnel.version_of(version),
        kind=Kind.UNREACHABLE
        if device is None
        else Kind.REPORTS
        if state is not None
        else Kind.NEVER_REPORTED,
        stands=_stands(said) if said is not None and said.revision == matter.notice.revision else None,
    )
    since = state is not None and state.seen >= matter.published
    if product not in matter.notice.subject or (why := why_untold(matter.notice, told, since=since)) is None:
        return None
    return Untold(
        device=device.id if device is not None else place.id,
        product=product,
        account=(place and place.account) or "",
        region=(place and place.region) or "",
        language=state.language if state is not None else "",
        version=version,
        external=(place and place.external) or "",
        seen=state.seen if state is not None else None,
        why=why,
        sure=told.installed is not None,
    )


def _stands(row: Any) -> Stands:
    reached = Reached.VERIFIED if row.verified is not None else Reached(0)
    if row.shown is not None:
        reached |= Reached.SHOWN
    return Stands(state=NoticeState(row.state), surface=Surface(row.surface), reached=reached)
