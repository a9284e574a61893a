"""The running gateway between a real broker and a real store."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import sqlalchemy as sa
from paho.mqtt import subscribe
from paho.mqtt.client import MQTTMessage
from paho.mqtt.enums import MQTTProtocolVersion

from advisories.catalogue import Timestamp
from advisories.report import Want, open_block
from advisories.states import NoticeState
from advisories.topics import Topics
from gateway.service.link import Link, Received
from gateway.service.runtime import Gateway
from gateway.store import audit, schema
from gateway.store.engine import Store
from keys.document import open_document
from keys.errors import DamagedError, InputError, UnavailableError
from keys.reasons import Reason
from tests.gateway.brokers import BROKERS, iotcore
from tests.gateway.peer import Peer, status, walked
from tests.gateway.scene import header, make_store, publish
from tests.helpers import PRODUCT, Fleet, device_record, make_fleet

TOPICS = Topics()
Make = Callable[[Path], AbstractContextManager[str]]


@pytest.fixture(params=BROKERS)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    make: Make = request.param
    with make(tmp_path) as address:
        yield address


@pytest.fixture
def demo_url(tmp_path: Path) -> Iterator[str]:
    with iotcore(tmp_path) as address:
        yield address


def scene(path: Path, devices: int = 1) -> tuple[Store, Fleet]:
    fleet = make_fleet(now=int(time.time()) - 10)
    return make_store(path, fleet, tuple(device_record(fleet, f"device-{i:04}") for i in range(devices)))


@contextlib.asynccontextmanager
async def serving(
    store: Store, fleet: Fleet, folder: Path, url: str, **options: Any
) -> AsyncIterator[Gateway]:
    gateway = Gateway(store, folder, TOPICS, fleet.id, fleet.root, fleet.signer("gateway"), **options)
    stop = asyncio.Event()
    task = asyncio.ensure_future(gateway.run(url, stop))
    ready = asyncio.ensure_future(gateway.ready.wait())
    try:
        async with asyncio.timeout(20):
            await asyncio.wait([task, ready], return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            task.result()
        yield gateway
    finally:
        stop.set()
        ready.cancel()
        await task
        await gateway.close()


def column(store: Store, table: sa.Table, name: str) -> list[Any]:
    with store.read() as session:
        return list(session.connection.execute(sa.select(table.c[name])).scalars())


async def test_a_report_is_committed_then_answered_with_a_receipt(url: str, tmp_path: Path) -> None:
    store, fleet = scene(tmp_path)
    done = publish(store, fleet, header(fleet), now=time.time())
    async with serving(store, fleet, tmp_path, url):
        peer = await Peer(fleet, "device-0000").connect(url)
        peer.journal += walked("EX-2026-0001", NoticeState.DELIVERED, NoticeState.VERIFIED, NoticeState.SHOWN)
        data = peer.sign(notices=(status("EX-2026-0001", done.digest, NoticeState.SHOWN),))
        await peer.send(data)
        answer = await peer.receipt((1, 1))
        assert column(store, schema.reports, "bytes") == [data]  # the receipt came after the commit
        assert answer.journal_count == 3
        assert answer.nonce == hashlib.sha256(b"device-0000 1").digest()[:16]
        assert column(store, schema.device_states, "next_nonce") == [answer.next_nonce]
        await peer.send(data)  # a device repeats what it had no receipt for
        assert (await peer.receipt((1, 1))).journal_count == 3
        peer.close()
    assert column(store, schema.reports, "bytes") == [data]
    assert column(store, schema.notice_states, "state") == [NoticeState.SHOWN]
    assert column(store, schema.anomalies, "kind") == []
    audit.verify_chain(store)
    store.close()


async def test_what_is_retained_arrives_and_the_timestamp_makes_it_current(url: str, tmp_path: Path) -> None:
    store, fleet = scene(tmp_path)
    seen: dict[str, bytes] = {}
    all_there = asyncio.Event()

    def on_message(message: Received) -> None:
        message.ack()
        seen[message.topic] = message.payload
        if len(seen) == 6:
            all_there.set()

    async with serving(store, fleet, tmp_path, url):
        link = await Link.open(url, "watcher", on_message)
        await link.subscribe([f"{TOPICS.prefix}/#"])
        other = Store.open(tmp_path / "store.sqlite")  # the command line is another process
        publish(other, fleet, header(fleet), now=time.time())
        other.close()
        async with asyncio.timeout(10):
            await all_there.wait()
        link.close()
    genuine = open_document(
        seen[TOPICS.timestamp(PRODUCT)], Timestamp, fleet.root, fleet=fleet.id, subject=PRODUCT
    )
    with store.read() as session:
        catalogue = session.document("catalogue", PRODUCT)
        assert catalogue is not None
        assert genuine.body.catalogue_digest == catalogue.digest
    order = list(seen)
    assert order.index(TOPICS.catalogue(PRODUCT)) < order.index(TOPICS.timestamp(PRODUCT))
    store.close()


def lifetime(url: str, topic: str) -> int | None:
    """How long the broker says that it keeps what it retains there, in seconds."""
    parts = urlsplit(url)
    message = subscribe.simple(
        topic, qos=1, hostname=parts.hostname, port=parts.port, protocol=MQTTProtocolVersion.MQTTv5
    )
    assert isinstance(message, MQTTMessage)
    assert message.properties is not None
    found: int | None = getattr(message.properties, "MessageExpiryInterval", None)
    return found


async def test_only_a_broker_that_counts_right_is_told_how_long_to_retain(
    url: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    """iotcore takes a message's age off anew for each subscriber: a fleet that starts made it forget."""
    store, fleet = scene(tmp_path)
    publish(store, fleet, header(fleet), now=time.time())
    standing = "mosquitto" in request.node.name
    async with serving(store, fleet, tmp_path, url, standing=standing):
        said = await asyncio.to_thread(lifetime, url, TOPICS.timestamp(PRODUCT))
    assert said is None or 0 < said <= 21_600
    assert (said is not None) is standing
    store.close()


async def test_garbage_and_strangers_go_to_the_quarantine_and_block_nobody(url: str, tmp_path: Path) -> None:
    store, fleet = scene(tmp_path)
    async with serving(store, fleet, tmp_path, url):
        peer = await Peer(fleet, "device-0000").connect(url)
        stranger = Peer(fleet, "device-9999")
        await peer.send(b"\x00garbage")
        await peer.send(b"x" * 20_000)
        await peer.send(b"not cbor", "want")
        stranger.link = peer.link
        await stranger.send(stranger.sign())
        await peer.send(peer.sign())
        await peer.receipt((1, 1))
        peer.close()
    reasons = sorted(column(store, schema.quarantine, "reason"))
    assert reasons == sorted([Reason.MALFORMED, Reason.TOO_BIG, Reason.UNKNOWN_DEVICE])
    assert max(map(len, column(store, schema.quarantine, "bytes"))) == 4_096
    store.close()


async def test_three_hundred_devices_are_all_receipted(url: str, tmp_path: Path) -> None:
    store, fleet = scene(tmp_path, 300)
    gate = asyncio.Semaphore(32)
    async with serving(store, fleet, tmp_path, url) as gateway:

        async def live(index: int) -> None:
            peer = Peer(fleet, f"device-{index:04}")
            async with gate:
                await peer.connect(url)
            for turn in (1, 2):
                await peer.send(peer.sign())
                await peer.receipt((1, turn))
            peer.close()

        await asyncio.gather(*(live(index) for index in range(300)))
        assert gateway.counts["committed"] == 600
    assert len(column(store, schema.reports, "device")) == 600
    audit.verify_chain(store)
    store.close()


async def test_wants_bring_blocks_missing_topics_and_the_time(url: str, tmp_path: Path) -> None:
    store, fleet = scene(tmp_path)
    image = bytes(range(256)) * 40
    digest = hashlib.sha256(image).digest()
    (tmp_path / digest.hex()).write_bytes(image)
    async with serving(store, fleet, tmp_path, url) as gateway:
        peer = await Peer(fleet, "device-0000").connect(url)
        assert peer.link is not None
        await peer.want(Want(nonce=bytes(16), topics=(), blocks=(digest, 0, 16)))
        blocks = []
        async with asyncio.timeout(10):
            while sum(len(block.data) for block in blocks) < len(image):
                blocks.append(open_block((await peer.messages.get())[1]))
        assert b"".join(block.data for block in sorted(blocks, key=lambda b: b.offset)) == image
        await peer.want(Want(nonce=b"n" * 16, topics=(), blocks=None))
        async with asyncio.timeout(10):
            assert (await peer.answers.get()).nonce == b"n" * 16
        await peer.link.subscribe([TOPICS.root(1)])
        async with asyncio.timeout(10):
            assert (await peer.messages.get())[0] == TOPICS.root(1)  # as retained
        await peer.want(Want(nonce=bytes(16), topics=("root/1",), blocks=(bytes(32), 0, 1)))
        async with asyncio.timeout(10):
            assert (await peer.messages.get())[0] == TOPICS.root(1)  # once more
        assert gateway.counts["unknown"] == 1
        peer.close()
    store.close()


async def test_a_stopped_and_restarted_gateway_loses_no_receipted_report(
    url: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    store, fleet = scene(tmp_path, 20)
    peers = [await Peer(fleet, f"device-{i:04}").connect(url) for i in range(20)]
    receipted: set[tuple[str, int]] = set()

    async def live(peer: Peer) -> None:
        for _ in range(6):
            data = peer.sign()
            while True:
                await peer.send(data)
                try:
                    async with asyncio.timeout(1.5):
                        await peer.receipt((1, peer.sequence))
                except TimeoutError:
                    continue
                receipted.add((peer.id, peer.sequence))
                break

    work = asyncio.gather(*(live(peer) for peer in peers))
    for turn in range(4):
        standing = {"standing": "mosquitto" in request.node.name}
        gateway = Gateway(store, tmp_path, TOPICS, fleet.id, fleet.root, fleet.signer("gateway"), **standing)
        task = asyncio.ensure_future(gateway.run(url, asyncio.Event()))
        if turn == 3:
            async with asyncio.timeout(60):
                await work
        else:
            async with asyncio.timeout(20):
                before = len(receipted)
                while len(receipted) < before + 15:
                    await asyncio.sleep(0.01)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        await gateway.close()
    with store.read() as session:
        rows = session.connection.execute(sa.select(schema.reports.c.device, schema.reports.c.sequence))
        stored = {(row[0], row[1]) for row in rows}
    assert receipted <= stored
    assert len(receipted) == 120
    for peer in peers:
        peer.close()
    store.close()


async def test_a_locked_store_holds_the_reports_back_and_loses_none(demo_url: str, tmp_path: Path) -> None:
    store, fleet = scene(tmp_path)
    async with serving(store, fleet, tmp_path, demo_url) as gateway:
        peer = await Peer(fleet, "device-0000").connect(demo_url)
        other = Store.open(tmp_path / "store.sqlite")
        with other.write():
            await peer.send(peer.sign())
            async with asyncio.timeout(20):
                while not gateway.counts.get("retries"):
                    await asyncio.sleep(0.02)
            assert peer.answers.empty()
        other.close()
        await peer.receipt((1, 1))
        peer.close()
    store.close()


async def test_a_broker_that_is_not_there_is_named_at_once(tmp_path: Path) -> None:
    store, fleet = scene(tmp_path)
    gateway = Gateway(store, tmp_path, TOPICS, fleet.id, fleet.trusted(), fleet.signer("gateway"))
    with pytest.raises(UnavailableError) as caught:
        await gateway.run("mqtt://127.0.0.1:1", asyncio.Event())
    assert caught.value.code == "BROKER_UNREACHABLE"
    assert "127.0.0.1:1" in caught.value.message
    await gateway.close()
    store.close()


async def test_a_lost_broker_is_connected_again_and_gets_everything_retained(tmp_path: Path) -> None:
    from gateway.service.broker import DemoBroker

    store, fleet = scene(tmp_path)
    publish(store, fleet, header(fleet), now=time.time())
    broker = DemoBroker(tmp_path)
    with broker:
        port, url = broker.port, broker.url
        gateway = Gateway(store, tmp_path, TOPICS, fleet.id, fleet.root, fleet.signer("gateway"))
        stop = asyncio.Event()
        task = asyncio.ensure_future(gateway.run(url, stop))
        async with asyncio.timeout(20):
            await gateway.ready.wait()
    async with asyncio.timeout(20):
        while gateway.ready.is_set():
            await asyncio.sleep(0.01)
    with DemoBroker(tmp_path, port):
        async with asyncio.timeout(30):
            await gateway.ready.wait()
        seen: set[str] = set()
        enough = asyncio.Event()

        def on_message(message: Received) -> None:
            seen.add(message.topic)
            if len(seen) == 6:
                enough.set()

        link = await Link.open(url, "watcher", on_message)
        await link.subscribe([f"{TOPICS.prefix}/#"])
        async with asyncio.timeout(10):
            await enough.wait()
        link.close()
        stop.set()
        await task
    await gateway.close()
    store.close()


def test_a_key_without_the_gateway_role_is_refused_before_anything_runs(tmp_path: Path) -> None:
    store, fleet = scene(tmp_path)
    with pytest.raises(InputError) as caught:
        Gateway(store, tmp_path, TOPICS, fleet.id, fleet.root, fleet.signer("legal"))
    assert caught.value.code == "KEY_NOT_GATEWAY"
    store.close()


async def test_a_timestamp_that_somebody_overwrote_comes_back(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.service.publishing.REASSERT_SECONDS", 0.2)
    store, fleet = scene(tmp_path)
    publish(store, fleet, header(fleet), now=time.time())
    back = asyncio.Event()
    overwritten = False

    def on_message(message: Received) -> None:
        nonlocal overwritten
        message.ack()
        if message.payload == b"garbage":
            overwritten = True
        elif overwritten:
            back.set()

    async with serving(store, fleet, tmp_path, url):
        link = await Link.open(url, "attacker", on_message)
        await link.subscribe([TOPICS.timestamp(PRODUCT)])
        await link.publish(TOPICS.timestamp(PRODUCT), b"garbage", retain=True)
        async with asyncio.timeout(20):
            await back.wait()
        link.close()
    with store.read() as session:
        genuine = session.document(Timestamp.TYPE, PRODUCT)
    assert genuine is not None
    assert open_document(genuine.bytes, Timestamp, fleet.root, fleet=fleet.id, subject=PRODUCT)
    assert audit.verify_chain(store)
    a = schema.audit
    with store.write() as session:  # the end of the trail cut off: the timestamp has seen more
        last = session.connection.execute(sa.select(sa.func.max(a.c.index))).scalar()
        session.connection.execute(a.delete().where(a.c.index > 1))
    assert last is not None
    assert last > 1
    with pytest.raises(DamagedError) as caught:
        audit.verify_chain(store)
    assert "are missing" in caught.value.message
    store.close()
