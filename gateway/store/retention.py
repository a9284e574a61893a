"""What is kept for how long: what a rule lets go is erased, a batch a transaction, and the chain says so.

Nothing goes without a rule. What is current stays whatever its age: the newest report of a device, where its
notices and patches stand, transitions about anything that is still open. What was decided stays: documents,
events, the audit chain.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import sqlalchemy as sa

from advisories.catalogue import Devices
from advisories.limits import REPORT_JOURNAL_MAX
from advisories.report import Track
from advisories.states import NOTICE_DONE, PATCH_ENDED
from gateway.core import retention as core
from gateway.core.retention import DAY, RULES, Finding
from gateway.store import audit, cells, schema
from gateway.store.engine import Session, Store
from keys.document import peek

BATCH: Final = 500  # rows, or devices, of one rule in one transaction
_SHARED_FROM: Final = 2_000_000  # reports: more are held against the chain in sixteen parts
_AT_ONCE: Final = 5_000
_JOURNAL_KEPT: Final = 2 * REPORT_JOURNAL_MAX  # newest entries, which a report may carry or refer to again
_RULED: Final = "retention_rules"  # single value: the rules as the chain has them


@dataclass(frozen=True, slots=True)
class Erased:
    """What one rule took, or would take."""

    rule: str
    days: int
    rows: Mapping[str, int]
    """Table -> rows; for ``accounts`` and ``deliveries`` that stay, rows of which the personal part went."""


@dataclass(slots=True)
class _Batch:
    """One rule at work: which rows it may take, and what it took."""

    session: Session
    before: float
    """UTC seconds."""
    limit: int | None
    """None: only count."""
    rows: dict[str, int] = field(default_factory=dict)
    reports: list[str] = field(default_factory=list)
    """Digests of reports that went."""

    def ids(self, query: sa.Select[Any]) -> list[Any]:
        if self.limit is not None:
            query = query.limit(self.limit)
        return list(self.session.connection.execute(query))

    def count(self, name: str, many: int) -> None:
        if many:
            self.rows[name] = self.rows.get(name, 0) + many

    def take(self, table: sa.Table, chosen: sa.Select[Any]) -> None:
        """Erase the rows whose whole primary keys are chosen."""
        if self.limit is None:
            many = self.session.connection.execute(
                sa.select(sa.func.count()).select_from(chosen.subquery())
            ).scalar_one()
            self.count(table.name, many)
            return
        self.drop(table, self.ids(chosen))

    def drop(self, table: sa.Table, keys: list[Any]) -> None:
        if keys and self.limit is not None:
            same = [column == sa.bindparam(f"key_{column.name}") for column in table.primary_key]
            names = [f"key_{column.name}" for column in table.primary_key]
            values = [dict(zip(names, key, strict=True)) for key in keys]
            self.session.connection.execute(table.delete().where(*same), values)
        self.count(table.name, len(keys))


def _reports(batch: _Batch) -> None:
    """Reports that were committed long enough ago, but for the newest of each device."""
    r, s, a = schema.reports, schema.device_states, schema.audit
    newest = sa.and_(s.c.device == r.c.device, s.c.epoch == r.c.epoch, s.c.sequence == r.c.sequence)
    # Without an entry nobody knows when exactly it was committed: soon after it was received.
    old = sa.or_(a.c.time < batch.before, sa.and_(r.c.entry.is_(None), r.c.received < batch.before - DAY))
    query = (
        sa.select(*r.primary_key.columns)
        .select_from(r.outerjoin(s, newest).outerjoin(a, a.c.index == r.c.entry))
        .where(r.c.received < batch.before, s.c.device.is_(None), old)
    )
    if batch.limit is None:
        batch.take(r, query)
    else:
        _drop_reports(batch, batch.ids(query))


def _drop_reports(batch: _Batch, keys: list[Any]) -> None:
    r = schema.reports
    query = sa.select(r.c.salt, r.c.bytes).where(
        *(column == sa.bindparam(f"key_{column.name}") for column in r.primary_key)
    )
    there = []
    for key in keys:
        values = {f"key_{column.name}": part for column, part in zip(r.primary_key, key, strict=True)}
        row = batch.session.connection.execute(query.with_for_update(), values).first()
        if row is not None:  # or somebody else erased it just now, and said so
            batch.reports.append(core.digest_of(*row))
            there.append(key)
    batch.drop(r, there)


def _journal(batch: _Batch) -> None:
    """Transitions that came long enough ago and are about nothing open; the newest of each device stay."""
    j, s, n, p = schema.journal, schema.device_states, schema.notice_states, schema.patch_states
    behind = sa.or_(j.c.life < s.c.journal_life, j.c.index < s.c.journal_count - _JOURNAL_KEPT)
    notices = (
        sa.exists()
        .where(n.c.device == j.c.device, n.c.advisory == j.c.name)
        .where(n.c.state.not_in(sorted(map(int, NOTICE_DONE))))
    )
    patches = sa.exists().where(p.c.device == j.c.device, p.c.state.not_in(sorted(map(int, PATCH_ENDED))))
    query = (
        sa.select(*j.primary_key.columns)
        .select_from(j.join(s, s.c.device == j.c.device))
        .where(sa.func.coalesce(j.c.received, j.c.time) < batch.before, behind)
        .where(~notices, ~sa.and_(j.c.track == int(Track.PATCH), patches))
    )
    if batch.limit is None:
        batch.take(j, query)
        return
    keys = batch.ids(query)
    with cells.counted(batch.session, {key[0] for key in keys}):
        batch.drop(j, keys)


def _timed(table: sa.Table, *, name: str = "time") -> Callable[[_Batch], None]:
    def rule(batch: _Batch) -> None:
        query = sa.select(*table.primary_key.columns).where(table.c[name] < batch.before)
        batch.take(table, query)

    return rule


def _deliveries(batch: _Batch) -> None:
    """Webhooks that were sent go; of a mail its name stays, so that it is never sent a second time."""
    d = schema.deliveries
    old = sa.func.coalesce(d.c.done, d.c.failed) < batch.before
    batch.take(d, sa.select(d.c.id).where(old, d.c.channel == "webhook"))
    mails = batch.ids(sa.select(d.c.id).where(old, d.c.channel != "webhook", d.c.body != ""))
    batch.count(d.name, len(mails))
    if mails and batch.limit is not None:
        chosen = d.c.id.in_([key[0] for key in mails])
        batch.session.connection.execute(d.update().where(chosen).values(body="", target="", answer=None))


def _closed_accounts(batch: _Batch) -> None:
    """Closed accounts keep their ids; who they were, and how to reach them, goes."""
    a = schema.accounts
    query = sa.select(a.c.id).where(a.c.closed < batch.before, a.c.contact != "{}")
    found = batch.ids(query)
    batch.count(a.name, len(found))
    if found and batch.limit is not None:
        chosen = a.c.id.in_([key[0] for key in found])
        batch.session.connection.execute(a.update().where(chosen).values(name="", contact="{}"))


_OF_A_DEVICE: Final = (  # what is known of a device beside its record, and the column that names it
    (schema.journal, "device"),
    (schema.notice_states, "device"),
    (schema.patch_states, "device"),
    (schema.device_states, "device"),
    (schema.anomalies, "device"),
    (schema.labels, "device"),
    (schema.followups, "device"),
    (schema.inventory, "id"),
)


def _revoked_devices(batch: _Batch) -> None:
    """Of a device that was revoked long enough ago only its record stays: it says that it is revoked."""
    d = schema.devices
    known = [
        sa.exists().where(table.c[name] == d.c.id)
        for table, name in ((schema.reports, "device"), *_OF_A_DEVICE)
    ]
    query = sa.select(d.c.id).where(d.c.revoked.is_(True), sa.or_(*known)).order_by(d.c.id)
    candidates = {id_ for (id_,) in batch.session.connection.execute(query)}
    ids = sorted(_revoked_before(batch.session, candidates, batch.before))[: batch.limit]
    with cells.counted(batch.session, ids if batch.limit is not None else ()):
        for id_ in ids:
            r = schema.reports
            keys = list(
                batch.session.connection.execute(sa.select(*r.primary_key.columns).where(r.c.device == id_))
            )
            if batch.limit is None:
                batch.count(r.name, len(keys))
            else:
                _drop_reports(batch, keys)
            for table, name in _OF_A_DEVICE:
                chosen = sa.select(*table.primary_key.columns).where(table.c[name] == id_)
                batch.drop(table, list(batch.session.connection.execute(chosen)))


def _revoked_before(session: Session, candidates: set[str], before: float) -> set[str]:
    """Return those that have been revoked since before then, without a break, as the signed records say."""
    t = schema.documents
    since: dict[str, float] = {}
    if candidates:
        query = sa.select(t.c.bytes, t.c.created).where(t.c.type == Devices.TYPE).order_by(t.c.version)
        for document, created in session.connection.execute(query):
            for record in peek(document, Devices).records:
                if record.id in candidates and record.revoked:
                    since.setdefault(record.id, created)
                elif record.id in candidates:
                    since.pop(record.id, None)
    return {id_ for id_, at in since.items() if at < before}


_WORK: Final[Mapping[str, Callable[[_Batch], None]]] = {
    "reports": _reports,
    "journal": _journal,
    "anomalies": _timed(schema.anomalies),
    "quarantine": _timed(schema.quarantine),
    "deliveries": _deliveries,
    "closed_accounts": _closed_accounts,
    "revoked_devices": _revoked_devices,
}
assert _WORK.keys() == RULES.keys()


def due(store: Store, keep: Mapping[str, int], now: float) -> list[Erased]:
    """Count what the rules would take now; nothing is changed.

    Args:
        store: where to look.
        keep: rule -> days.
        now: UTC seconds.
    """
    with store.read() as session:
        return [_run(session, rule, keep[rule], now, None)[0] for rule in RULES if rule in keep]


def _run(session: Session, rule: str, days: int, now: float, limit: int | None) -> tuple[Erased, _Batch]:
    batch = _Batch(session, now - days * DAY, limit)
    _WORK[rule](batch)
    return Erased(rule, days, dict(sorted(batch.rows.items()))), batch


def expire(
    store: Store, keep: Mapping[str, int], now: float, *, limit: int = BATCH
) -> tuple[list[Erased], bool]:
    """Erase what the rules let go, at most ``limit`` rows or devices of each, a transaction each.

    Returns:
        What went, and whether there may be more.
    """
    found, more = [], False
    for rule in RULES:
        if rule not in keep:
            continue
        with store.write() as session:
            erased, batch = _run(session, rule, keep[rule], now, limit)
            if not batch.rows:
                continue
            _declare(session, keep, now)
            facts = {"rule": rule, "days": keep[rule], "before": batch.before, "rows": dict(erased.rows)}
            audit.append(session, core.ERASED, {**facts, "reports": batch.reports}, now)
        found.append(erased)
        more = more or max(erased.rows.values()) >= limit
    return found, more


def _declare(session: Session, keep: Mapping[str, int], now: float) -> None:
    """Let the chain say which rules are in force, before one of them takes anything."""
    session.serialise()  # another process may obey other rules just now
    said = ",".join(f"{rule}={keep[rule]}" for rule in RULES if rule in keep)
    if session.meta(_RULED) != said:
        audit.append(session, core.RULED, dict(keep), now)
        session.set_meta(_RULED, said)


def unexplained(session: Session) -> list[Finding]:
    """Return the reports for which audit chain and store do not agree, and no rule explains it."""
    many = session.connection.execute(sa.select(sa.func.count()).select_from(schema.reports)).scalar_one()
    shares: list[int | None] = [None] if many <= _SHARED_FROM else list(range(16))
    found = [
        finding
        for share in shares
        for finding in core.unexplained(audit.rows(session), _digests(session), share=share)
    ]
    return sorted(found)


def _digests(session: Session) -> Iterator[str]:
    r = schema.reports
    query = sa.select(r.c.salt, r.c.bytes)
    for salt, data in session.connection.execute(query, execution_options={"yield_per": _AT_ONCE}):
        yield core.digest_of(salt, data)
