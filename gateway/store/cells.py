"""Cells: how many devices stand where, kept with every change, so that no page has to read all devices.

Whoever changes what devices, inventory or reports say does it inside :func:`counted`; ingest knows the rows
before and after, and hands in what moved (:func:`move`). Cells are written behind :meth:`Session.serialise`:
what a transaction counts is then what everybody sees when it ends.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from advisories.notice import Notice
from gateway.store import schema, tallies
from gateway.store.engine import Session
from gateway.store.tallies import PROVEN, TABLES, Key, among, chunks, tally
from keys.document import peek

_INSERTS: Final = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}


@contextmanager
def counted(session: Session, device_ids: Iterable[str]) -> Iterator[None]:
    """Count devices before and after a block that changes what is known of them, and keep the cells.

    Blocks must not lie inside each other. When an exception leaves the block, nothing is written.

    Args:
        session: a transaction that writes.
        device_ids: every device that the block may touch, registered or of the inventory, there or not yet.
    """
    ids = sorted(set(device_ids))
    hold(session, ids)
    before = tally(session, ids)
    yield
    after = tally(session, ids)
    for table, counts in after.items():
        counts.subtract(before[table])
    move(session, after)
    _mark_unheard(session, ids)


@contextmanager
def counted_rollouts(session: Session, device_ids: Iterable[str]) -> Iterator[None]:
    """Count as :func:`counted` does, but what these devices mean to rollouts only; they are held already."""
    ids = sorted(device_ids)
    before = tallies.in_rollouts(session, ids)
    yield
    after = tallies.in_rollouts(session, ids)
    after.subtract(before)
    if any(after.values()):
        move(session, {schema.rollout_cells: after})


def hold(session: Session, device_ids: Iterable[str]) -> None:
    """Let no other transaction change these devices before this one ends."""
    d = schema.devices
    for chunk in chunks(sorted(device_ids)):
        query = sa.select(d.c.id).where(d.c.id.in_(chunk)).order_by(d.c.id).with_for_update()
        session.connection.execute(query).all()
    session.serialise()


def move(session: Session, moved: Mapping[sa.Table, Mapping[Key, int]]) -> None:
    """Add differences to the cells; those that come to nothing are removed."""
    session.serialise()
    for table, counts in (*moved.items(), *tallies.summed(moved).items()):
        found = sorted((key, many) for key, many in counts.items() if many)
        if not found:
            continue
        add, remove = _statements(table, session.connection.dialect.name)
        session.connection.execute(add, [_values(table, key) | {"count": many} for key, many in found])
        if fewer := [_values(table, key, "old_") for key, many in found if many < 0]:
            session.connection.execute(remove, fewer)


@cache
def _statements(table: sa.Table, dialect: str) -> tuple[Any, Any]:
    insert: Any = _INSERTS[dialect](table)
    count = table.c["count"]
    names = [column.name for column in table.primary_key]
    add = insert.on_conflict_do_update(index_elements=names, set_={"count": count + insert.excluded["count"]})
    same = [table.c[name] == sa.bindparam(f"old_{name}") for name in names]
    return add, table.delete().where(*same, count == 0)


def _values(table: sa.Table, key: Key, prefix: str = "") -> dict[str, Any]:
    return {f"{prefix}{column.name}": part for column, part in zip(table.primary_key, key, strict=True)}


def recount(session: Session) -> dict[str, int]:
    """Count everything anew; where that differs, cells, sums and named patches are replaced.

    From here to its end the transaction is alone in the store.

    Returns:
        What :func:`differences` would have said before, once named patches were right.
    """
    session.serialise()
    names = _names_wrong(session)
    if names:
        session.connection.execute(schema.named_patches.delete())
        if values := [{"advisory": name, "digest": digest} for name, digest in sorted(_named(session))]:
            session.connection.execute(schema.named_patches.insert(), values)
    anew = tally(session)
    found = _found({schema.named_patches.name: names, **_counts_wrong(session, anew)})
    if found:
        for table in (*TABLES, *(sums for kinds in tallies.SUMS.values() for sums in kinds)):
            session.connection.execute(table.delete())
        move(session, anew)
        _mark_unheard(session)
    return found


def differences(session: Session) -> dict[str, int]:
    """Return table -> rows that a count of everything gives otherwise; empty when all fits."""
    return _found(
        {schema.named_patches.name: _names_wrong(session), **_counts_wrong(session, tally(session))}
    )


def faults(session: Session) -> list[str]:
    """Return what in the cells is not as a count of everything says, a sentence each; empty when all fits."""
    said = {
        schema.named_patches.name: "the patches that advisories name are not those of their notices",
        schema.unheard.name: "the devices without a report are others",
    }
    return [
        said.get(name, f"{wrong} rows of {name} are not what a new count gives")
        for name, wrong in differences(session).items()
    ]


def _found(wrong: Mapping[str, int]) -> dict[str, int]:
    return {name: many for name, many in wrong.items() if many}


def _names_wrong(session: Session) -> int:
    n = schema.named_patches
    names = session.connection.execute(sa.select(n.c.advisory, n.c.digest))
    return len({tuple(row) for row in names} ^ _named(session))


def _counts_wrong(session: Session, anew: tallies.Tally) -> dict[str, int]:
    """Hold cells, sums and the devices without a report against a count of everything."""
    u = schema.unheard
    silent = session.connection.execute(sa.select(u.c.device, u.c.product, u.c.kind))
    queries = tallies.unheard(None)
    counted_silent = {tuple(row) for query in queries for row in session.connection.execute(query)}
    found = {u.name: len({tuple(row) for row in silent} ^ counted_silent)}
    for table, counts in (*anew.items(), *tallies.summed(anew).items()):
        rows = session.connection.execute(sa.select(*table.primary_key, table.c["count"]))
        stored = {tuple(key): many for *key, many in rows}
        found[table.name] = sum(stored.get(key, 0) != counts[key] for key in stored.keys() | counts.keys())
    return found


def _named(session: Session) -> set[tuple[str, bytes]]:
    a = schema.advisories
    newest = (
        sa.select(a.c.id, sa.func.max(a.c.revision).label("revision")).group_by(a.c.id).subquery("newest")
    )
    query = sa.select(a.c.document).join(
        newest, sa.and_(a.c.id == newest.c.id, a.c.revision == newest.c.revision)
    )
    notices = (peek(document, Notice) for document in session.connection.execute(query).scalars())
    return {(notice.id, digest) for notice in notices for digest in _digests(notice)}


def _digests(notice: Notice) -> set[bytes]:
    return {digest for digests in (notice.patches or {}).values() for digest in digests}


def name_patches(session: Session, notice: Notice) -> None:
    """Take the patches that a new revision names for the advisory's, and count who runs one of them."""
    session.serialise()
    n, p, cells = schema.named_patches, schema.patch_states, schema.notice_cells
    query = sa.select(n.c.digest).where(n.c.advisory == notice.id)
    before, after = set(session.connection.execute(query).scalars()), _digests(notice)
    if before == after:
        return
    session.connection.execute(n.delete().where(n.c.advisory == notice.id))
    if after:
        values = [{"advisory": notice.id, "digest": digest} for digest in sorted(after)]
        session.connection.execute(n.insert(), values)
    proven = sa.select(p.c.device).where(p.c.digest.in_(sorted(before ^ after)), p.c.state.in_(PROVEN))
    if session.connection.execute(proven.limit(1)).first() is None:
        return
    for table in (cells, *tallies.SUMS[cells]):
        session.connection.execute(table.delete().where(table.c.advisory == notice.id))
    counts: Counter[Key] = Counter()
    for pairs in (tallies.notices(None, notice.id), tallies.patched_only(None, notice.id)):
        counts += tallies.count(session, pairs)
    move(session, {cells: counts})


def heard(session: Session, ids: Iterable[str]) -> None:
    """Note that these devices have reported for the first time."""
    u = schema.unheard
    for chunk in chunks(sorted(ids)):
        session.connection.execute(u.delete().where(u.c.device.in_(chunk)))


def _mark_unheard(session: Session, ids: list[str] | None = None) -> None:
    u = schema.unheard
    for chunk in [None] if ids is None else chunks(ids):
        session.connection.execute(u.delete().where(among(u.c.device, chunk)))
        for query in tallies.unheard(chunk):
            session.connection.execute(u.insert().from_select(["device", "product", "kind"], query))
