"""More reports than there is room for: the link ends, comes back, and none of them is lost."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest
import sqlalchemy as sa

from gateway.service import ingest
from gateway.service.runtime import RECONNECT_SECONDS
from gateway.store import schema
from tests.gateway.brokers import mosquitto
from tests.gateway.peer import Peer
from tests.gateway.runtime.test_runtime import serving
from tests.gateway.scene import make_store
from tests.helpers import device_record, make_fleet

DEVICES = 12


async def insist(peer: Peer, data: bytes) -> None:
    """Repeat a report until it is receipted, as a device does."""
    while True:
        await peer.send(data)
        try:
            async with asyncio.timeout(2 * RECONNECT_SECONDS[0] + 1):
                await peer.receipt((1, peer.sequence))
        except TimeoutError:
            continue
        return


@pytest.mark.mosquitto
@pytest.mark.parametrize("limit", ["QUEUE_MAX", "QUEUE_BYTES_MAX"])
async def test_a_full_queue_costs_the_connection_and_no_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: str
) -> None:
    fleet = make_fleet(now=int(time.time()) - 10)
    ids = [f"device-{number:04}" for number in range(DEVICES)]
    store, _ = make_store(tmp_path, fleet, tuple(device_record(fleet, id_) for id_ in ids))
    monkeypatch.setattr(ingest, limit, 4 if limit == "QUEUE_MAX" else 1_200)
    with mosquitto(tmp_path) as url:
        async with serving(store, fleet, tmp_path, url, standing=True) as gateway:
            peers = [await Peer(fleet, id_).connect(url) for id_ in ids]
            async with asyncio.timeout(60):
                await asyncio.gather(*(insist(peer, peer.sign()) for peer in peers))
            assert gateway.counts["dropped"] > 0
            assert gateway.counts["lost"] > 0
            for peer in peers:
                peer.close()
    with store.read() as session:
        rows = session.connection.execute(sa.select(schema.reports.c.device)).scalars()
        assert sorted(rows) == ids
    store.close()
