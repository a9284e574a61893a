"""What cells count, as queries over what is known of devices; the cells themselves are not looked at."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from operator import itemgetter
from typing import Any, Final

import sqlalchemy as sa

from advisories.report import Track
from advisories.states import PATCH_PROVEN, NoticeState, Surface
from gateway.core.funnel import Kind, Reached, bucket, is_refusal
from gateway.store import schema
from gateway.store.engine import Session
from gateway.store.outcomes import all_outcomes, outcomes

Key = tuple[Any, ...]
Tally = dict[sa.Table, Counter[Key]]
"""Table of cells -> what identifies a cell, in the order of its columns -> devices."""

TABLES: Final = (
    schema.device_cells,
    schema.notice_cells,
    schema.wait_cells,
    schema.patch_cells,
    schema.refusal_cells,
    schema.rollout_cells,
)
SUMS: Final = {
    schema.device_cells: (schema.device_sums, schema.device_accounts, schema.device_regions),
    schema.notice_cells: (schema.notice_sums, schema.notice_accounts, schema.notice_regions),
    schema.wait_cells: (schema.wait_sums,),
    schema.patch_cells: (schema.patch_sums,),
}
"""Cells -> the same with some things together."""
NO_REVISION: Final = -1  # a device that runs a named patch and never spoke of the notice
TEXTUAL: Final = frozenset(surface for surface in Surface if surface not in {Surface.NONE, Surface.LED})
PROVEN: Final = tuple(sorted(int(state) for state in PATCH_PROVEN))
_IDS_MAX: Final = 500  # devices in one query
_NOTHING: Final[Any] = sa.literal_column("''")


def chunks(ids: list[str]) -> Iterator[list[str]]:
    """Cut a list of devices into pieces that one query can name."""
    return (ids[start : start + _IDS_MAX] for start in range(0, len(ids), _IDS_MAX))


def summed(cells: Mapping[sa.Table, Mapping[Key, int]]) -> Tally:
    """Return what counts of cells come to in the tables of sums."""
    found: Tally = {}
    for table, kinds in SUMS.items():
        counts = cells.get(table, {})
        for sums in kinds:
            pick, counter = _pick(table, sums), Counter[Key]()
            for key, many in counts.items():
                counter[pick(key)] += many
            found[sums] = counter
    return found


@cache
def _pick(table: sa.Table, sums: sa.Table) -> Callable[[Key], Key]:
    names = [column.name for column in table.primary_key]
    return itemgetter(*(names.index(column.name) for column in sums.primary_key))


def count(session: Session, query: sa.Select[Any]) -> Counter[Key]:
    """Return how many rows of a query are alike."""
    rows = query.subquery()
    grouped = sa.select(*rows.c, sa.func.count()).group_by(*rows.c)
    return Counter({tuple(key): many for *key, many in session.connection.execute(grouped)})


def tally(session: Session, ids: list[str] | None = None) -> Tally:
    """Count devices from what is known of them, all or some; the cells themselves are not looked at."""
    found: Tally = {table: Counter() for table in TABLES}
    for chunk in [None] if ids is None else chunks(ids):
        for table, query in (
            (schema.device_cells, _devices(chunk)),
            (schema.device_cells, _inventory(chunk)),
            (schema.notice_cells, notices(chunk)),
            (schema.notice_cells, patched_only(chunk)),
            (schema.patch_cells, _patches(chunk)),
        ):
            found[table] += count(session, query)
        _add_waits(session, found[schema.wait_cells], chunk)
        _add_refusals(session, found[schema.refusal_cells], chunk)
    found[schema.rollout_cells] = in_rollouts(session, ids)
    return found


def in_rollouts(session: Session, ids: list[str] | None) -> Counter[Key]:
    """Count what devices mean to rollouts."""
    counts: Counter[Key] = Counter()
    for rollout, group, outcome, many in all_outcomes(session) if ids is None else outcomes(session, ids):
        counts[rollout, group, int(outcome)] += many
    return counts


def _account() -> sa.ColumnElement[str]:
    return sa.func.coalesce(schema.inventory.c.account, _NOTHING).label("account")


def _region() -> sa.ColumnElement[str]:
    return sa.func.coalesce(schema.inventory.c.region, _NOTHING).label("region")


def _language() -> sa.ColumnElement[str]:
    return sa.func.coalesce(schema.device_states.c.language, _NOTHING).label("language")


def among(column: sa.ColumnElement[str], ids: list[str] | None) -> sa.ColumnElement[bool]:
    """Hold a column to these ids; None: to none in particular."""
    return sa.true() if ids is None else column.in_(ids)


def _devices(ids: list[str] | None) -> sa.Select[Any]:
    d, i, s = schema.devices, schema.inventory, schema.device_states
    kind = sa.case((s.c.device.is_(None), int(Kind.NEVER_REPORTED)), else_=int(Kind.REPORTS))
    installed = sa.func.coalesce(s.c.installed, i.c.version, _NOTHING)
    return (
        sa.select(
            _account(), d.c.product, _region(), _language(), installed.label("installed"), kind.label("kind")
        )
        .select_from(d.outerjoin(s, s.c.device == d.c.id).outerjoin(i, i.c.id == d.c.id))
        .where(d.c.revoked.is_(False), among(d.c.id, ids))
    )


def _inventory(ids: list[str] | None) -> sa.Select[Any]:
    i, d = schema.inventory, schema.devices
    return (
        sa.select(
            _account(),
            i.c.product,
            _region(),
            _NOTHING.label("language"),
            sa.func.coalesce(i.c.version, _NOTHING).label("installed"),
            sa.literal_column(str(int(Kind.UNREACHABLE))).label("kind"),
        )
        .select_from(i.outerjoin(d, d.c.id == i.c.id))
        .where(d.c.id.is_(None), among(i.c.id, ids))
    )


def notices(ids: list[str] | None, advisory: str | None = None) -> sa.Select[Any]:
    """Return those that spoke of an advisory, of any of them or of one."""
    d, i, s, n = schema.devices, schema.inventory, schema.device_states, schema.notice_states
    p, q = schema.patch_states, schema.named_patches
    patched = (
        sa.exists()
        .where(q.c.advisory == n.c.advisory, p.c.digest == q.c.digest)
        .where(p.c.device == n.c.device, p.c.state.in_(PROVEN))
    )
    reached: Any = sa.literal_column("0")
    for bit, is_so in (
        (Reached.VERIFIED, n.c.verified.is_not(None)),
        (Reached.SHOWN, n.c.shown.is_not(None)),
        (Reached.ACKNOWLEDGED, n.c.acknowledged.is_not(None)),
        (Reached.CONFIRMED, n.c.confirmed.is_not(None)),
        (Reached.PATCHED, patched),
    ):
        reached += sa.case((is_so, int(bit)), else_=0)
    return (
        sa.select(
            n.c.advisory,
            _account(),
            n.c.revision,
            d.c.product,
            _region(),
            _language(),
            s.c.installed,
            n.c.state,
            n.c.surface,
            reached.label("reached"),
        )
        .select_from(
            n.join(d, d.c.id == n.c.device)
            .join(s, s.c.device == n.c.device)
            .outerjoin(i, i.c.id == n.c.device)
        )
        .where(d.c.revoked.is_(False), among(n.c.device, ids))
        .where(sa.true() if advisory is None else n.c.advisory == advisory)
    )


def patched_only(ids: list[str] | None, advisory: str | None = None) -> sa.Select[Any]:
    """Return those that run a patch that an advisory names, and never spoke of it."""
    d, i, s, n = schema.devices, schema.inventory, schema.device_states, schema.notice_states
    p, q = schema.patch_states, schema.named_patches
    spoke = sa.exists().where(n.c.device == p.c.device, n.c.advisory == q.c.advisory)
    pairs = (
        sa.select(p.c.device, q.c.advisory)
        .select_from(p.join(q, q.c.digest == p.c.digest))
        .where(p.c.state.in_(PROVEN), ~spoke, among(p.c.device, ids))
        .where(sa.true() if advisory is None else q.c.advisory == advisory)
        .distinct()
        .subquery("pairs")
    )
    return (
        sa.select(
            pairs.c.advisory,
            _account(),
            sa.literal_column(str(NO_REVISION)).label("revision"),
            d.c.product,
            _region(),
            _language(),
            s.c.installed,
            sa.literal_column("0").label("state"),
            sa.literal_column("0").label("surface"),
            sa.literal_column(str(int(Reached.PATCHED))).label("reached"),
        )
        .select_from(
            pairs.join(d, d.c.id == pairs.c.device)
            .join(s, s.c.device == pairs.c.device)
            .outerjoin(i, i.c.id == pairs.c.device)
        )
        .where(d.c.revoked.is_(False))
    )


def _patches(ids: list[str] | None) -> sa.Select[Any]:
    d, i, s, p = schema.devices, schema.inventory, schema.device_states, schema.patch_states
    return (
        sa.select(
            _account(),
            p.c.digest,
            _language(),
            p.c.state,
            sa.func.coalesce(p.c.consent_how, sa.literal_column("-1")).label("agreed"),
            sa.case((p.c.deferrals.is_(None), 0), else_=1).label("deferred"),
        )
        .select_from(
            p.join(d, d.c.id == p.c.device)
            .outerjoin(s, s.c.device == p.c.device)
            .outerjoin(i, i.c.id == p.c.device)
        )
        .where(d.c.revoked.is_(False), among(p.c.device, ids))
    )


def _add_waits(session: Session, counts: Counter[Key], ids: list[str] | None) -> None:
    a, d, i, n = schema.advisories, schema.devices, schema.inventory, schema.notice_states
    query = (
        sa.select(
            n.c.advisory,
            _account(),
            n.c.revision,
            n.c.shown_received - a.c.published,
        )
        .select_from(
            n.join(d, d.c.id == n.c.device)
            .join(a, sa.and_(a.c.id == n.c.advisory, a.c.revision == n.c.revision))
            .outerjoin(i, i.c.id == n.c.device)
        )
        .where(d.c.revoked.is_(False), among(n.c.device, ids))
        .where(n.c.shown_received.is_not(None), n.c.surface.in_(sorted(map(int, TEXTUAL))))
    )
    for advisory, account, revision, seconds in session.connection.execute(query):
        counts[advisory, account, revision, bucket(seconds)] += 1


def _add_refusals(session: Session, counts: Counter[Key], ids: list[str] | None) -> None:
    d, i, j = schema.devices, schema.inventory, schema.journal
    rows = (
        sa.select(sa.func.coalesce(i.c.account, _NOTHING).label("account"), j.c.track, j.c.new, j.c.reason)
        .select_from(j.join(d, d.c.id == j.c.device).outerjoin(i, i.c.id == j.c.device))
        .where(d.c.revoked.is_(False), among(j.c.device, ids))
        .where(sa.or_(j.c.track == int(Track.REFUSAL), j.c.new == int(NoticeState.REJECTED)))
        .subquery()
    )
    grouped = sa.select(*rows.c, sa.func.count().label("many")).group_by(*rows.c)
    for row in session.connection.execute(grouped):
        if is_refusal(row.track, row.new):
            counts[row.account, row.reason] += row.many


def unheard(ids: list[str] | None) -> tuple[sa.Select[Any], sa.Select[Any]]:
    """Return id, product and kind of those that never reported: registered ones, and others."""
    d, i, s = schema.devices, schema.inventory, schema.device_states
    return (
        sa.select(d.c.id, d.c.product, sa.literal_column(str(int(Kind.NEVER_REPORTED))))
        .select_from(d.outerjoin(s, s.c.device == d.c.id))
        .where(d.c.revoked.is_(False), s.c.device.is_(None), among(d.c.id, ids)),
        sa.select(i.c.id, i.c.product, sa.literal_column(str(int(Kind.UNREACHABLE))))
        .select_from(i.outerjoin(d, d.c.id == i.c.id))
        .where(d.c.id.is_(None), among(i.c.id, ids)),
    )
