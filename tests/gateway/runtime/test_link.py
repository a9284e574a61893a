"""The gateway's connection and the broker for demonstrations: limits, order, and clear refusals."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.service.broker import DemoBroker
from gateway.service.link import Link, Received, parse_url
from keys.errors import InputError, UnavailableError
from keys.limits import DOCUMENT_BYTES_MAX
from tests.gateway.brokers import BROKERS


@pytest.fixture(params=BROKERS)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    with request.param(tmp_path) as address:
        yield address


@pytest.mark.parametrize(
    "address", ["", "127.0.0.1", "http://127.0.0.1", "mqtt://", "mqtt://host:port", "mqtt://host:99999"]
)
def test_what_is_no_address_of_a_broker_is_refused(address: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_url(address)
    assert caught.value.code == "BROKER_URL"


def test_a_password_never_shows_in_a_message(tmp_path: Path) -> None:
    with pytest.raises(UnavailableError) as caught:
        asyncio.run(Link.open("mqtt://user:secret@127.0.0.1:1", "id", lambda _: None))
    assert "secret" not in str(caught.value)
    assert "127.0.0.1:1" in str(caught.value)


async def test_the_largest_document_arrives_retained_and_goes_when_cleared(url: str) -> None:
    got: asyncio.Queue[Received] = asyncio.Queue()
    link = await Link.open(url, "writer", got.put_nowait)
    document = bytes(range(250)) * (DOCUMENT_BYTES_MAX // 250)
    await link.publish("tocsin/v1/root/1", document, retain=True, expiry=3_600)
    reader = await Link.open(url, "reader", got.put_nowait)
    await reader.subscribe(["tocsin/v1/root/1"])
    async with asyncio.timeout(10):
        message = await got.get()
    message.ack()
    assert message.payload == document
    await link.publish("tocsin/v1/root/1", b"", retain=True)
    reader.close()
    late = await Link.open(url, "late", got.put_nowait)
    await late.subscribe(["tocsin/v1/root/1", "tocsin/v1/end"])
    await link.publish("tocsin/v1/end", b"end")
    async with asyncio.timeout(10):
        while (message := await got.get()).topic != "tocsin/v1/end":
            assert message.payload == b""
    late.close()
    link.close()


async def test_acknowledgements_leave_in_order_whatever_order_they_are_given_in(url: str) -> None:
    got: list[Received] = []
    all_there = asyncio.Event()

    def on_message(message: Received) -> None:
        got.append(message)
        if len(got) == 20:
            all_there.set()

    reader = await Link.open(url, "reader", on_message)
    await reader.subscribe(["a/+"])
    writer = await Link.open(url, "writer", on_message)
    await asyncio.gather(*(writer.publish(f"a/{i}", b"x") for i in range(20)))
    async with asyncio.timeout(10):
        await all_there.wait()
    for message in reversed(got):
        message.ack()
    all_there.clear()
    got.clear()
    await asyncio.gather(*(writer.publish(f"a/{i}", b"x") for i in range(20)))
    async with asyncio.timeout(10):
        await all_there.wait()
    assert not reader.closed.is_set()
    reader.close()
    writer.close()
    got[0].ack()  # too late, and harmless


async def test_what_was_not_acknowledged_comes_again_on_the_next_connection(url: str) -> None:
    got: asyncio.Queue[Received] = asyncio.Queue()
    first = await Link.open(url, "gateway", got.put_nowait)
    await first.subscribe(["a"])
    writer = await Link.open(url, "writer", got.put_nowait)
    await writer.publish("a", b"1")
    async with asyncio.timeout(10):
        await got.get()
    first.close()
    second = await Link.open(url, "gateway", got.put_nowait)
    async with asyncio.timeout(10):
        message = await got.get()
    assert message.payload == b"1"
    message.ack()
    second.close()
    writer.close()


async def test_a_closed_link_says_so(url: str) -> None:
    link = await Link.open(url, "x", lambda _: None)
    link.close()
    link.close()
    for attempt in (link.publish("a", b"x"), link.subscribe(["a"])):
        with pytest.raises(UnavailableError) as caught:
            await attempt
        assert caught.value.code == "BROKER_LOST"


async def test_a_server_that_speaks_something_else_is_no_broker() -> None:
    async def talk(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    with pytest.raises(UnavailableError) as caught:
        await Link.open(f"mqtt://127.0.0.1:{port}", "x", lambda _: None)
    assert caught.value.code == "BROKER_UNREACHABLE"
    server.close()
    await server.wait_closed()


def test_the_last_words_of_a_broker_go_to_a_file_and_ours_do_not(tmp_path: Path) -> None:
    with DemoBroker(tmp_path):
        os.write(2, b"")  # ours is open, and is not the file
        assert not os.path.samestat(os.fstat(2), (tmp_path / "broker.log").stat())


async def test_two_thousand_retained_topics_are_held(tmp_path: Path) -> None:
    with DemoBroker() as broker:
        seen: set[str] = set()
        enough = asyncio.Event()

        def on_message(message: Received) -> None:
            seen.add(message.topic)
            message.ack()
            if len(seen) == 2_000:
                enough.set()

        link = await Link.open(broker.url, "writer", on_message)
        topics = [f"tocsin/v1/device/d{i}/offer" for i in range(2_000)]
        await asyncio.gather(*(link.publish(topic, b"x" * 300, retain=True) for topic in topics))
        for start in range(0, 2_000, 50):
            await link.subscribe(topics[start : start + 50])
        async with asyncio.timeout(20):
            await enough.wait()
        link.close()


def test_a_taken_port_is_named_with_its_mend(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(UnavailableError) as caught, DemoBroker(tmp_path, port):
            pass
    assert caught.value.code == "PORT_TAKEN"
    assert str(port) in caught.value.message
    assert caught.value.mend
