"""Two workers on one store and one broker: kill -9 of the one that leads, and everything goes on."""

from __future__ import annotations

import asyncio
import hashlib
import json
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy as sa

from gateway.core.chain import COMMITTED
from gateway.store import audit, schema, workers
from gateway.store.engine import Store
from gateway.store.publication import publish_root, register_devices
from tests.gateway.brokers import mosquitto
from tests.gateway.databases import ENGINES, fresh_place
from tests.gateway.peer import Peer
from tests.gateway.runtime.worker import spawn
from tests.gateway.scene import header, publish
from tests.helpers import device_record, devices, make_fleet

DEVICES, TURNS = 12, 10
SEED = hashlib.sha256(b"tocsin test key gateway-1").digest()


async def live(peer: Peer, receipted: set[tuple[str, int]]) -> None:
    """Report; repeat until receipted, as a device does."""
    for _ in range(TURNS):
        data = peer.sign()
        while True:
            await peer.send(data)
            try:
                async with asyncio.timeout(1):
                    await peer.receipt((1, peer.sequence))
            except TimeoutError:
                continue
            receipted.add((peer.id, peer.sequence))
            break


def leader(store: Store) -> str | None:
    with store.read() as session:
        return next((worker.name for worker in workers.workers(session) if worker.leads), None)


async def until(true: Callable[[], bool], processes: list[asyncio.subprocess.Process]) -> None:
    """Wait for something; a worker that ends by itself ends the waiting, too."""
    async with asyncio.timeout(60):
        while not true():
            assert all(process.returncode is None for process in processes)
            await asyncio.sleep(0.02)


@pytest.mark.mosquitto
@pytest.mark.parametrize("engine", ENGINES)
async def test_the_leader_is_killed_and_each_report_is_committed_once(engine: str, tmp_path: Path) -> None:
    fleet = make_fleet(now=int(time.time()) - 10)
    ids = [f"device-{number:04}" for number in range(DEVICES)]
    place = str(fresh_place(engine, tmp_path))
    store = Store.open(place)
    publish_root(store, fleet.root_document, fleet.now)
    register_devices(
        store, fleet.seal(devices(fleet, *(device_record(fleet, id_) for id_ in ids))), fleet.now
    )
    publish(store, fleet, header(fleet), now=time.time())
    receipted: set[tuple[str, int]] = set()
    with mosquitto(tmp_path) as url:
        running = {name: await spawn(name, place, url, SEED) for name in ("a", "b")}
        try:
            peers = [await Peer(fleet, id_).connect(url) for id_ in ids]
            work = asyncio.gather(*(live(peer, receipted) for peer in peers))
            await until(
                lambda: len(receipted) > DEVICES and leader(store) is not None, list(running.values())
            )
            first = leader(store)
            assert first is not None
            killed = running.pop(first)
            killed.kill()
            await killed.wait()
            (other,) = running
            await until(lambda: leader(store) == other, list(running.values()))
            running[first] = await spawn(first, place, url, SEED)
            async with asyncio.timeout(60):
                await work
            for peer in peers:
                peer.close()
        finally:
            for process in running.values():
                process.kill()
                await process.wait()
    assert len(receipted) == DEVICES * TURNS
    with store.read() as session:
        rows = session.connection.execute(sa.select(schema.reports.c.device, schema.reports.c.sequence)).all()
        vouched = [
            digest
            for row in audit.rows(session)
            if row.kind == COMMITTED
            for digest in json.loads(row.data)["reports"]
        ]
    assert receipted == {(row.device, row.sequence) for row in rows}
    assert len(vouched) == len(rows)  # none is counted twice
    audit.verify_chain(store)
    store.close()
