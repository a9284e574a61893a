"""What is known of devices from elsewhere: product, owner, place, version, labels. Cells count with it.

A row with the id of a registered device adds to what the device says of itself. A row of its own is a device
that runs nothing of ours: it counts as not reachable by us, and its owner is told by letter.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

import sqlalchemy as sa

from gateway.store import schema
from gateway.store.cells import counted, hold
from gateway.store.engine import Session
from gateway.store.tallies import chunks

OPERATOR: Final = "operator"
"""The source of what a person said here."""
_I, _L, _D = schema.inventory, schema.labels, schema.devices


@dataclass(frozen=True, slots=True)
class Entry:
    """What a list says of one device; None and missing labels: it says nothing, and what was known stays."""

    id: str
    product: str
    source: str
    external: str | None = None
    """Its name there."""
    account: str | None = None
    region: str | None = None
    version: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    """An empty value takes a label away."""


@dataclass(frozen=True, slots=True)
class Put:
    """What a list changed."""

    fresh: int
    changed: int
    same: int


def known_entries(session: Session, ids: Iterable[str]) -> dict[str, Entry]:
    """Return what is known of some devices, with their labels."""
    found: dict[str, Entry] = {}
    labels: dict[str, dict[str, str]] = {}
    for chunk in chunks(sorted(set(ids))):
        query = sa.select(
            *(_I.c.id, _I.c.product, _I.c.source, _I.c.external, _I.c.account, _I.c.region, _I.c.version)
        ).where(_I.c.id.in_(chunk))
        for row in session.connection.execute(query):
            found[row.id] = Entry(*row)
        said = sa.select(_L.c.device, _L.c.name, _L.c.value).where(_L.c.device.in_(chunk))
        for each in session.connection.execute(said):
            labels.setdefault(each.device, {})[each.name] = each.value
    return {id_: replace(entry, labels=labels.get(id_, {})) for id_, entry in found.items()}


def put(session: Session, entries: Sequence[Entry], now: float) -> Put:
    """Write what a list says, each id once; rows that say nothing new are left as they are."""
    known, moved = _moved(session, entries)
    if moved:
        hold(session, moved)
        # Again: until now somebody else could change them.
        known, moved = _moved(session, [entry for entry in entries if entry.id in moved])
        with counted(session, moved):
            _write(session, known, moved, now)
    fresh = sum(id_ not in known for id_ in moved)
    return Put(fresh, len(moved) - fresh, len(entries) - len(moved))


def _moved(session: Session, entries: Sequence[Entry]) -> tuple[dict[str, Entry], dict[str, Entry]]:
    """Return what is known of some devices, and what will be of those of which a list says something new."""
    known = known_entries(session, (entry.id for entry in entries))
    merged = {entry.id: _merged(known.get(entry.id), entry) for entry in entries}
    return known, {id_: entry for id_, entry in merged.items() if entry != known.get(id_)}


def _merged(old: Entry | None, new: Entry) -> Entry:
    """Return what is known once a list was heard."""
    before = old or Entry(new.id, new.product, new.source)
    labels = {**before.labels, **new.labels}
    return Entry(
        new.id,
        new.product,
        before.source if new.source == OPERATOR else new.source,
        new.external or before.external,
        _said(new.account, before.account),
        _said(new.region, before.region),
        _said(new.version, before.version),
        {name: value for name, value in labels.items() if value},
    )


def _said(new: str | None, old: str | None) -> str | None:
    """Return what stands: an empty word takes away what was there."""
    return old if new is None else new or None


def _write(session: Session, known: Mapping[str, Entry], moved: Mapping[str, Entry], now: float) -> None:
    run = session.connection.execute
    fresh = [_values(entry, now) for id_, entry in moved.items() if id_ not in known]
    changed = [_values(entry, now, "at_") for id_, entry in moved.items() if id_ in known]
    if fresh:
        run(_I.insert(), fresh)
    if changed:
        columns = [column.name for column in _I.c if column.name != "id"]
        put_at: dict[str, Any] = {name: sa.bindparam(f"at_{name}") for name in columns}
        run(_I.update().where(_I.c.id == sa.bindparam("at_id")).values(put_at), changed)
    nothing: Mapping[str, str] = {}
    pairs = [
        (id_, known[id_].labels if id_ in known else nothing, entry.labels) for id_, entry in moved.items()
    ]
    gone = [
        {"d": id_, "n": name}
        for id_, old, new in pairs
        for name, value in old.items()
        if new.get(name) != value
    ]
    come = [
        {"device": id_, "name": name, "value": value}
        for id_, old, new in pairs
        for name, value in new.items()
        if old.get(name) != value
    ]
    if gone:
        run(_L.delete().where(_L.c.device == sa.bindparam("d"), _L.c.name == sa.bindparam("n")), gone)
    if come:
        run(_L.insert(), come)


def _values(entry: Entry, now: float, prefix: str = "") -> dict[str, Any]:
    columns = {
        "id": entry.id,
        "product": entry.product,
        "account": entry.account,
        "region": entry.region,
        "version": entry.version,
        "source": entry.source,
        "external": entry.external,
        "updated": float(now),
    }
    return {f"{prefix}{name}": value for name, value in columns.items()}


def registered_products(session: Session, ids: Iterable[str]) -> dict[str, str]:
    """Return id -> product of those that are registered."""
    found: dict[str, str] = {}
    for chunk in chunks(sorted(set(ids))):
        query = sa.select(_D.c.id, _D.c.product).where(_D.c.id.in_(chunk))
        found.update({row.id: row.product for row in session.connection.execute(query)})
    return found
