"""The gateway killed without warning (SIGKILL): nothing that a device holds a receipt for is lost."""

from __future__ import annotations

import asyncio
import contextlib
import random
import sys
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
import sqlalchemy as sa

from gateway.store import audit, schema
from gateway.store.engine import Store
from tests.gateway.brokers import BROKERS
from tests.gateway.peer import Peer
from tests.gateway.scene import header, make_store, publish
from tests.helpers import device_record, make_fleet

ROOT = Path(__file__).parents[3]
PROGRAM = """
import asyncio, sys
from pathlib import Path
from advisories.topics import Topics
from gateway.service.runtime import Gateway
from gateway.store.engine import Store
from keys.signer import from_seed

async def main():
    folder, url, fleet, seed = Path(sys.argv[1]), sys.argv[2], bytes.fromhex(sys.argv[3]), bytes.fromhex(sys.argv[4])
    store = Store.open(folder / "store.sqlite")
    from gateway.store.trust import load_trusted
    with store.read() as session:
        trusted = load_trusted(session, store.where)
    await Gateway(store, folder, Topics(), fleet, trusted, from_seed(seed)).run(url, asyncio.Event())

asyncio.run(main())
"""


@pytest.fixture(params=BROKERS)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    make: type[AbstractContextManager[str]] = request.param
    with make(tmp_path) as address:
        yield address


async def live(peer: Peer, turns: int, receipted: set[tuple[str, int]]) -> None:
    """Report; repeat until receipted, as a device does."""
    for _ in range(turns):
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


@pytest.mark.slow
async def test_kill_minus_nine_loses_no_receipted_report(url: str, tmp_path: Path) -> None:
    import hashlib

    fleet = make_fleet(now=int(time.time()) - 10)
    ids = [f"device-{i:04}" for i in range(12)]
    store, _ = make_store(tmp_path, fleet, tuple(device_record(fleet, id_) for id_ in ids))
    publish(store, fleet, header(fleet), now=time.time())
    seed = hashlib.sha256(b"tocsin test key gateway-1").hexdigest()
    peers = [await Peer(fleet, id_).connect(url) for id_ in ids]
    receipted: set[tuple[str, int]] = set()
    work = asyncio.gather(*(live(peer, 12, receipted) for peer in peers))
    chance = random.Random(20261121)
    arguments = ["-c", PROGRAM, str(tmp_path), url, fleet.id.hex(), seed]
    for life in range(6):
        before = len(receipted)
        process = await asyncio.create_subprocess_exec(sys.executable, *arguments, cwd=ROOT)
        try:
            async with asyncio.timeout(60):
                if life == 5:
                    await work
                else:  # die at some moment of the work, not at a quiet one
                    while len(receipted) < min(before + chance.randint(1, 25), len(ids) * 12):
                        await asyncio.sleep(0)
        finally:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
    for peer in peers:
        peer.close()
    with store.read() as session:
        rows = session.connection.execute(sa.select(schema.reports.c.device, schema.reports.c.sequence))
        stored = {(row[0], row[1]) for row in rows}
    assert len(receipted) == len(ids) * 12
    assert receipted <= stored
    audit.verify_chain(store)
    store.close()
    Store.open(tmp_path / "store.sqlite").close()
