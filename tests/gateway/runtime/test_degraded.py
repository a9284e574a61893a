"""What goes wrong around a running gateway: it says so, goes on with the rest, recovers, and loses nothing."""

from __future__ import annotations

import asyncio
import resource
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from advisories.offer import Answer
from advisories.report import Want
from advisories.topics import Topics
from gateway.service.broker.secret import found_secret
from gateway.service.runtime import Gateway
from gateway.store import audit, schema, workers
from gateway.store.engine import Store
from gateway.store.publication import publish_root, register_devices
from keys.errors import UnavailableError
from tests.gateway.brokers import mosquitto
from tests.gateway.databases import Server
from tests.gateway.peer import Peer
from tests.gateway.scene import header, publish
from tests.helpers import Fleet, device_record, devices, make_fleet

TOPICS = Topics()
IDS = ("device-0000", "device-0001")
pytestmark = pytest.mark.mosquitto


def filled(store: Store) -> Fleet:
    fleet = make_fleet(now=int(time.time()) - 10)
    publish_root(store, fleet.root_document, fleet.now)
    register_devices(
        store, fleet.seal(devices(fleet, *(device_record(fleet, id_) for id_ in IDS))), fleet.now
    )
    return fleet


@asynccontextmanager
async def serving(
    store: Store, fleet: Fleet, folder: Path, url: str, **options: Any
) -> AsyncIterator[Gateway]:
    signer = fleet.signer("gateway")
    gateway = Gateway(store, folder, TOPICS, fleet.id, fleet.root, signer, standing=True, **options)
    stop = asyncio.Event()
    task = asyncio.ensure_future(gateway.run(url, stop))
    try:
        async with asyncio.timeout(20):
            await gateway.ready.wait()
        yield gateway
        assert not task.done()
    finally:
        stop.set()
        await task
        await gateway.close()


async def asked(peer: Peer) -> Answer:
    """Ask until there is an answer, as a device does: a worker that left late took its share with it."""
    while True:
        await peer.want(Want(nonce=b"n" * 16, topics=(), blocks=None))
        with suppress(TimeoutError):
            async with asyncio.timeout(5):
                return await peer.receipt((1, 1))


async def until(true: Callable[[], object]) -> None:
    async with asyncio.timeout(40):
        while not true():
            await asyncio.sleep(0.01)


@contextmanager
def no_room(path: Path) -> Iterator[None]:
    """Let no file of this process grow beyond what the store's log has now, as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    size = path.with_name(f"{path.name}-wal").stat().st_size
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def stored(store: Store) -> list[tuple[str, int]]:
    r = schema.reports
    with store.read() as session:
        rows = session.connection.execute(
            sa.select(r.c.device, r.c.sequence).order_by(r.c.device, r.c.sequence)
        )
        return [(row.device, row.sequence) for row in rows]


async def test_a_full_disk_holds_the_reports_back_and_loses_none(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store = Store.create(tmp_path / "store.sqlite")
    fleet = filled(store)
    with mosquitto(tmp_path) as url:
        async with serving(store, fleet, tmp_path, url) as gateway:
            peer = await Peer(fleet, IDS[0]).connect(url)
            await peer.send(peer.sign())
            await peer.receipt((1, 1))
            with no_room(tmp_path / "store.sqlite"):
                await peer.send(peer.sign())
                await until(lambda: gateway.counts.get("retries", 0) > 1)
                assert any(code.startswith("STORE_") for code in gateway.degraded)
                assert peer.answers.empty()
            await peer.receipt((1, 2))
            await until(lambda: not gateway.degraded)
            peer.close()
    said = [record.message for record in caplog.records if "nothing is acknowledged" in record.message]
    assert len(said) == 1  # once, however often it was tried
    assert stored(store) == [(IDS[0], 1), (IDS[0], 2)]
    audit.verify_chain(store)
    store.close()


async def test_a_database_that_is_killed_comes_back_and_nothing_is_lost(tmp_path: Path) -> None:
    server = Server()
    try:
        server.start()
        store = Store.open(server.database(server.template))
        fleet = filled(store)
        with mosquitto(tmp_path) as url:
            async with serving(store, fleet, tmp_path, url) as gateway:
                peers = [await Peer(fleet, id_).connect(url) for id_ in IDS]
                for peer in peers:
                    await peer.send(peer.sign())
                    await peer.receipt((1, 1))
                assert gateway.leads
                server.kill()
                await peers[0].send(peers[0].sign())
                await until(lambda: gateway.counts.get("retries") and not gateway.leads)
                assert gateway.degraded
                server.start()
                await peers[0].receipt((1, 2))
                await peers[1].send(peers[1].sign())
                await peers[1].receipt((1, 2))
                await until(lambda: gateway.leads and not gateway.degraded)
                publish(store, fleet, header(fleet), now=time.time())  # and it is published, too
                link = peers[0].link
                assert link is not None
                await link.subscribe([TOPICS.notice(fleet.products[0])])
                async with asyncio.timeout(20):
                    assert (await peers[0].messages.get())[0].startswith(TOPICS.notice(fleet.products[0], ""))
                for peer in peers:
                    peer.close()
        assert stored(store) == [(id_, number) for id_ in IDS for number in (1, 2)]
        audit.verify_chain(store)
        store.close()
    finally:
        server.close()


async def test_of_two_workers_that_are_the_first_both_take_the_same_secret(tmp_path: Path) -> None:
    """What is made before there is a broker is kept once there is one; the second finds what the first kept."""
    store = Store.create(tmp_path / "store.sqlite")
    fleet = filled(store)
    make = partial(
        Gateway, store, tmp_path, TOPICS, fleet.id, fleet.root, fleet.signer("gateway"), standing=True
    )
    one, other = make(worker="one"), make(worker="other")
    assert one.filters != other.filters
    assert found_secret(store) is None
    with mosquitto(tmp_path) as url:
        stop = asyncio.Event()
        tasks = [asyncio.ensure_future(gateway.run(url, stop)) for gateway in (one, other)]
        async with asyncio.timeout(20):
            await asyncio.gather(one.ready.wait(), other.ready.wait())
        assert one.filters == other.filters
        assert str(found_secret(store)) in one.filters[0]
        peer = await Peer(fleet, IDS[0]).connect(url)
        for turn in range(1, 5):
            await peer.send(peer.sign())
            await peer.receipt((1, turn))
        peer.close()
        assert [gateway.counts.get("committed", 0) for gateway in (one, other)] == [2, 2]
        stop.set()
        await asyncio.gather(*tasks)
    for gateway in (one, other):
        await gateway.close()
    store.close()


async def test_a_broker_that_is_gone_is_said_by_the_status_and_comes_back(tmp_path: Path) -> None:
    store = Store.create(tmp_path / "store.sqlite")
    fleet = filled(store)
    with mosquitto(tmp_path) as url:
        stop = asyncio.Event()
        signer = fleet.signer("gateway")
        gateway = Gateway(store, tmp_path, TOPICS, fleet.id, fleet.root, signer, standing=True, worker="a")
        task = asyncio.ensure_future(gateway.run(url, stop))
        async with asyncio.timeout(20):
            await gateway.ready.wait()

    def degraded() -> list[str]:
        with store.read() as session:
            return workers.degraded(workers.workers(session), time.time())

    await until(lambda: any(code.startswith("BROKER_") for code in degraded()))
    assert await gateway.report(IDS[0], Peer(fleet, IDS[0]).sign())  # the other way goes on
    with mosquitto(tmp_path, port=int(url.rpartition(":")[2])):
        await until(lambda: not degraded())
        stop.set()
        await task
    await gateway.close()
    with store.read() as session:
        (worker,) = workers.workers(session)
    assert (worker.name, worker.ended, worker.leads) == ("a", True, False)
    assert worker.counts["degraded_BROKER_LOST"] == 1
    store.close()


async def test_a_device_that_floods_is_held_to_its_rate_and_the_others_are_not(tmp_path: Path) -> None:
    store = Store.create(tmp_path / "store.sqlite")
    fleet = filled(store)
    with mosquitto(tmp_path) as url:
        async with serving(store, fleet, tmp_path, url, report_rate=2) as gateway:
            wild, calm = [await Peer(fleet, id_).connect(url) for id_ in IDS]
            for _ in range(5):
                await wild.send(wild.sign())
            await until(lambda: gateway.counts.get("report_rate") == 3)
            await wild.receipt((1, 2))
            await calm.send(calm.sign())
            await calm.receipt((1, 1))
            with pytest.raises(UnavailableError) as caught:
                await gateway.report(wild.id, wild.sign())
            assert caught.value.code == "REPORT_RATE"
            for peer in (wild, calm):
                peer.close()
    assert stored(store) == [(IDS[0], 1), (IDS[0], 2), (IDS[1], 1)]
    store.close()


async def test_a_receipt_that_was_lost_is_made_anew_from_the_store(tmp_path: Path) -> None:
    """Nothing that was not sent has to be kept: what a device asks is answered from what is committed."""
    store = Store.create(tmp_path / "store.sqlite")
    fleet = filled(store)
    peer = Peer(fleet, IDS[0])
    with mosquitto(tmp_path) as url:
        async with serving(store, fleet, tmp_path, url, worker="one"):
            await peer.connect(url)
            await peer.send(peer.sign())
            first = await peer.receipt((1, 1))
        async with serving(store, fleet, tmp_path, url, worker="another"):
            again = await asked(peer)
        peer.close()
    assert again.nonce == b"n" * 16
    assert (again.receipt, again.journal_count, again.next_nonce) == (
        first.receipt,
        first.journal_count,
        first.next_nonce,
    )
    store.close()
