"""Cells hold what a count of everything gives, whatever happens, on each engine."""

from __future__ import annotations

import hashlib
import random
from itertools import chain, combinations
from typing import Any

import pytest
import sqlalchemy as sa

from gateway.service.committing import Committer, Item, Receipt
from gateway.store import cells, funnel, schema
from gateway.store.engine import Store
from gateway.store.publication import register_devices
from tests.gateway.funnel.world import IDS, World
from tests.gateway.peer import Peer
from tests.helpers import DEVICE, PRODUCT, device_record, devices


def contents(store: Store) -> dict[str, set[tuple[Any, ...]]]:
    kinds = ("_cells", "_sums", "_accounts", "_regions")
    tables = [t for name, t in schema.metadata.tables.items() if name.endswith(kinds)]
    with store.read() as session:
        return {
            t.name: {tuple(row) for row in session.connection.execute(sa.select(t))}
            for t in [*tables, schema.unheard, schema.named_patches]
        }


@pytest.mark.parametrize("seed", range(3))
def test_whatever_happens_cells_are_what_a_count_gives(any_store: Store, seed: int) -> None:
    world = World(any_store, random.Random(seed))
    for _ in range(30):
        world.rng.choice(world.steps())()
        assert world.faults() == []
    kept = contents(any_store)
    assert all(
        kept[name]
        for name in (
            "device_accounts",
            "device_cells",
            "device_regions",
            "notice_accounts",
            "notice_cells",
            "notice_regions",
            "patch_cells",
            "rollout_cells",
            "wait_cells",
            "wait_sums",
        )
    )
    uncounted = {"unheard", "named_patches"}
    assert not any(row[-1] <= 0 for name in kept.keys() - uncounted for row in kept[name])
    counts = [schema.metadata.tables[name] for name in kept]
    with any_store.write() as session:
        assert cells.recount(session) == {}
        for table in counts:
            session.connection.execute(table.delete())
        assert cells.recount(session) == {name: len(rows) for name, rows in kept.items() if rows}
    assert contents(any_store) == kept
    with any_store.read() as session:
        for account in (None, "north"):
            for name in world.revision:
                found = funnel.advisory_funnel(session, name, account=account, split=funnel.SPLITS)
                assert all(many > 0 for kept in found.parts.counts.values() for many in kept.values())
                for split in chain.from_iterable(combinations(funnel.SPLITS, n) for n in range(4)):
                    coarse = funnel.parts(session, found.notice, account=account, split=split)
                    assert coarse.by(*split) == found.by(*split)  # whichever table it was read from


def test_a_transaction_that_fails_counts_nothing(any_store: Store) -> None:
    world = World(any_store, random.Random(1))
    before = contents(any_store)

    def fail() -> None:
        with any_store.write() as session:
            with cells.counted(session, IDS):
                session.connection.execute(schema.devices.update().values(revoked=True))
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert contents(any_store) == before
    assert world.faults() == []


def test_cells_that_were_changed_are_found_and_counted_anew(any_store: Store) -> None:
    world = World(any_store, random.Random(2))
    world.publish()
    world.report()
    with any_store.write() as session:
        c, u, n = schema.device_sums, schema.unheard, schema.named_patches
        session.connection.execute(c.update().values(count=c.c["count"] + 1))
        session.connection.execute(u.insert().values(device="nobody", product=PRODUCT, kind=1))
        session.connection.execute(n.insert().values(advisory="EX-1", digest=bytes(32)))
    assert [fault.split(" ")[0] for fault in world.faults()][:2] == ["the", "the"]
    assert any("device_sums" in fault for fault in world.faults())
    with any_store.write() as session:
        many = session.connection.execute(sa.select(sa.func.count()).select_from(c)).scalar_one()
        found = cells.recount(session)
        assert found == {"named_patches": 1, "unheard": 1, "device_sums": many}
        assert cells.recount(session) == {}
    assert world.faults() == []


def test_a_report_is_kept_with_its_salt_and_the_row_that_vouches_for_it(any_store: Store) -> None:
    world = World(any_store, random.Random(3))
    register_devices(
        any_store,
        world.fleet.seal(devices(world.fleet, device_record(world.fleet), issued=int(world.now) + 9)),
        world.now + 9,
    )
    peer = Peer(world.fleet, DEVICE)
    data = peer.sign()
    drawn = b"nonce of the devsalt of a report"
    committer = Committer(any_store, world.fleet.id, clock=lambda: world.now + 9, entropy=lambda _: drawn)
    (outcome,) = committer.commit([Item("t", DEVICE, data, world.now, lambda _: None)])
    assert isinstance(outcome, Receipt)
    with any_store.read() as session:
        row = session.connection.execute(sa.select(schema.reports)).one()
        a = schema.audit
        vouched = session.connection.execute(
            sa.select(a.c.kind, a.c.data).where(a.c.index == row.entry)
        ).one()
    assert (row.bytes, row.salt) == (data, b"salt of a report")
    assert vouched.kind == "reports.committed"
    assert hashlib.sha256(row.salt + data).hexdigest() in vouched.data
