import asyncio
import re
import socket
import ssl
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress

import pytest

from device_sim.link import MqttLink
from device_sim.outbox import OUTBOX_MAX
from keys.errors import UnavailableError
from tests.device_sim.conftest import RunningBroker, free_port

FAST = (0.02, 0.1)


class Inbox:
    """Collects what a link receives; a test awaits the n-th message."""

    def __init__(self, link: MqttLink) -> None:
        self.messages: asyncio.Queue[tuple[str, bytes]] = asyncio.Queue()
        link.on_message = lambda topic, payload: self.messages.put_nowait((topic, payload))

    async def next(self) -> tuple[str, bytes]:
        async with asyncio.timeout(10):
            return await self.messages.get()


@pytest.fixture
async def link(broker: RunningBroker) -> AsyncIterator[Callable[..., MqttLink]]:
    made: list[MqttLink] = []

    def make(name: str, **options: object) -> MqttLink:
        made.append(MqttLink(broker.url, name, backoff_s=FAST, **options))  # type: ignore[arg-type]
        return made[-1]

    yield make
    for one in made:
        await one.close()


async def test_a_message_arrives_and_its_puback_comes_back(link: Callable[..., MqttLink]) -> None:
    device, gateway = link("device"), link("gateway")
    inbox = Inbox(gateway)
    await device.connect()
    await gateway.connect()
    granted = gateway.subscribe("tocsin/v1/device/+/report")
    assert granted is not None
    assert await granted
    assert await device.publish_acked("tocsin/v1/device/d1/report", b"\x00\xff" * 4_000)
    assert await inbox.next() == ("tocsin/v1/device/d1/report", b"\x00\xff" * 4_000)


async def test_what_was_handed_over_before_connecting_is_sent_after_it(link: Callable[..., MqttLink]) -> None:
    device, gateway = link("device"), link("gateway")
    inbox = Inbox(gateway)
    gateway.subscribe("a/#")
    await gateway.connect()
    for n in range(50):
        assert device.publish("a/b", bytes([n]))
    await device.connect()
    assert [(await inbox.next())[1][0] for _ in range(50)] == list(range(50))


async def test_the_outbox_is_bounded_and_refuses_the_newest(link: Callable[..., MqttLink]) -> None:
    device = link("device")
    assert all(device.publish("a", b"") for _ in range(OUTBOX_MAX))
    assert not device.publish("a", b"")
    assert not await device.publish_acked("a", b"")
    assert device.waiting == OUTBOX_MAX


async def test_a_thousand_messages_in_a_burst_all_arrive_once(link: Callable[..., MqttLink]) -> None:
    device, gateway = link("device"), link("gateway")
    inbox = Inbox(gateway)
    await gateway.connect()
    await gateway.subscribe("a")
    await device.connect()
    for n in range(OUTBOX_MAX):
        assert device.publish("a", n.to_bytes(2, "big"))
    seen = [int.from_bytes((await inbox.next())[1], "big") for _ in range(OUTBOX_MAX)]
    assert seen == list(range(OUTBOX_MAX))


async def test_a_lost_link_comes_back_subscribes_again_and_sends_again(
    link: Callable[..., MqttLink], broker: RunningBroker
) -> None:
    device, gateway = link("device"), link("gateway")
    inbox = Inbox(gateway)
    lost, back = asyncio.Event(), asyncio.Event()
    gateway_back = asyncio.Event()
    device.on_disconnect = lambda _why: lost.set()
    await device.connect()
    await gateway.connect()
    gateway.subscribe("a")
    device.on_connect = lambda _kept: back.set()
    gateway.on_connect = lambda _kept: gateway_back.set()
    broker.stop()
    async with asyncio.timeout(10):
        await lost.wait()
    assert not device.connected
    broker.start()
    async with asyncio.timeout(20):
        await gateway_back.wait()
        await back.wait()
        probe = gateway.subscribe("ready")  # its SUBACK comes after the one of the renewed subscriptions
        assert probe is not None
        assert await probe
        assert await device.publish_acked("a", b"after")
    assert (await inbox.next())[1] == b"after"


async def test_a_dropped_link_leaves_its_will(link: Callable[..., MqttLink]) -> None:
    device, gateway = link("device", will=("online/d", b"0")), link("gateway")
    inbox = Inbox(gateway)
    await gateway.connect()
    await gateway.subscribe("online/+")
    await device.connect()
    back = asyncio.Event()
    device.on_connect = lambda _kept: back.set()
    device.drop(0.05)
    assert await inbox.next() == ("online/d", b"0")
    async with asyncio.timeout(10):
        await back.wait()


async def test_a_clean_close_leaves_no_will_and_loses_nothing(link: Callable[..., MqttLink]) -> None:
    device, gateway = link("device", will=("a/will", b"0")), link("gateway")
    inbox = Inbox(gateway)
    await gateway.connect()
    await gateway.subscribe("a/#")
    await device.connect()
    for n in range(100):
        device.publish("a/x", bytes([n]))
    await device.close()
    await device.close()
    assert not device.publish("a/x", b"too late")
    assert [(await inbox.next())[1][0] for _ in range(100)] == list(range(100))
    last = link("last")
    await last.connect()
    await last.publish_acked("a/end", b"")
    assert (await inbox.next())[0] == "a/end"


async def test_an_unsubscribed_topic_is_not_received_any_more(link: Callable[..., MqttLink]) -> None:
    device = link("device")
    inbox = Inbox(device)
    await device.connect()
    await device.subscribe("a", "b")
    await device.unsubscribe("a", "never")
    await device.publish_acked("a", b"1")
    await device.publish_acked("b", b"2")
    assert await inbox.next() == ("b", b"2")


async def test_a_callback_that_raises_ends_this_link_and_no_other(link: Callable[..., MqttLink]) -> None:
    device, other = link("device"), link("other")
    failed: asyncio.Future[Exception] = asyncio.get_running_loop().create_future()
    device.on_failure = failed.set_result

    def full(_topic: str, _payload: bytes) -> None:
        raise OSError(28, "No space left on device")

    device.on_message = full
    await device.connect()
    await other.connect()
    await device.subscribe("a")
    await other.publish_acked("a", b"")
    async with asyncio.timeout(10):
        assert isinstance(await failed, OSError)
    assert await other.publish_acked("a", b"")
    assert not device.connected


async def test_a_link_connects_from_its_own_address(link: Callable[..., MqttLink]) -> None:
    device = link("device", bind_address="127.7.8.9")
    await device.connect()
    sock = device._client.socket()
    assert isinstance(sock, socket.socket)
    assert sock.getsockname()[0] == "127.7.8.9"


async def test_a_broker_that_is_not_there_is_named_with_host_and_port() -> None:
    port = free_port()
    link = MqttLink(f"mqtt://127.0.0.1:{port}", "d")
    with pytest.raises(UnavailableError) as caught:
        await link.connect()
    assert caught.value.code == "BROKER_UNREACHABLE"
    assert f"127.0.0.1:{port}" in str(caught.value)
    assert "refused" in str(caught.value)
    await link.close()


@pytest.mark.parametrize("host", ["nowhere.invalid", "no..where", "x" * 64])
async def test_a_host_that_does_not_exist_is_unreachable(host: str) -> None:
    link = MqttLink(f"mqtt://{host}:1883", "d")
    with pytest.raises(UnavailableError, match=re.escape(f"{host}:1883")):
        await link.connect()


Answer = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Coroutine[None, None, None]]


@asynccontextmanager
async def serving(answer: Answer, port: int = 0) -> AsyncIterator[int]:
    """A server that is no broker; every connection is over before the test goes on."""
    under_way: set[asyncio.Future[None]] = set()

    async def one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        under_way.add(over)
        try:
            await answer(reader, writer)
        finally:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()
            over.set_result(None)

    async with await asyncio.start_server(one, "127.0.0.1", port) as server:
        yield server.sockets[0].getsockname()[1]
        await asyncio.gather(*under_way)


@pytest.mark.parametrize(
    ("what", "says"),
    [
        (b"", "closed the connection"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "cannot be reached"),
        (b"\x20\x03\x00\x87\x00", "refused the connection"),
        (b"\x20\x09\x00\x00\x06\x99\x99\x99\x99\x99\x99", "cannot be reached"),
        (None, "no answer within 0.2 s"),
    ],
    ids=["hangs up", "speaks http", "refuses", "garbles properties", "is silent"],
)
async def test_something_else_than_a_broker_is_told_in_one_sentence(what: bytes | None, says: str) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        if what is None:
            await reader.read()
        else:
            writer.write(what)

    async with serving(answer) as port:
        link = MqttLink(f"mqtt://127.0.0.1:{port}", "d")
        with pytest.raises(UnavailableError) as caught:
            await link.connect(0.2 if what is None else 5)
        assert says in str(caught.value)
        await link.close()


async def test_a_link_told_to_keep_trying_outlives_an_absent_broker() -> None:
    port = free_port()
    link = MqttLink(f"mqtt://127.0.0.1:{port}", "d", backoff_s=(0.01, 0.02))
    arrived = asyncio.Event()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        arrived.set()

    link.connect_later()
    link.connect_later()
    while not link._failures:
        await asyncio.wait({link._attempt} if link._attempt else {asyncio.create_task(_turn())})
    async with serving(answer, port), asyncio.timeout(10):
        await arrived.wait()
        await link.close()


async def _turn() -> None:
    loop = asyncio.get_running_loop()
    passed = loop.create_future()
    loop.call_later(0.01, passed.set_result, None)
    await passed


async def test_another_process_with_the_same_id_ends_the_link(
    link: Callable[..., MqttLink], broker: RunningBroker
) -> None:
    first, second = link("same"), link("same")
    ended = asyncio.Event()
    first.on_failure = lambda _error: ended.set()
    first.on_disconnect = lambda _why: ended.set()
    await first.connect()
    await second.connect()
    async with asyncio.timeout(10):
        await ended.wait()
    await first.close()


async def test_a_connect_waits_for_the_gate(link: Callable[..., MqttLink]) -> None:
    gate = asyncio.Semaphore(1)
    device = link("device", gate=gate)
    async with gate:
        waiting = asyncio.ensure_future(device.connect())
        done, _ = await asyncio.wait(
            {waiting, asyncio.ensure_future(_turn())}, return_when=asyncio.FIRST_COMPLETED
        )
        assert waiting not in done
    await waiting
    assert device.connected


async def test_tls_is_spoken_when_the_address_says_so() -> None:
    hello = asyncio.get_running_loop().create_future()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        hello.set_result(await reader.read(3))

    async with serving(answer) as port:
        link = MqttLink(f"mqtts://127.0.0.1:{port}", "d", tls=ssl.create_default_context())
        with pytest.raises(UnavailableError):
            await link.connect()
    assert await hello == b"\x16\x03\x01"


async def test_the_device_that_runs_twice_is_told_and_gives_up() -> None:
    over = asyncio.Event()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(b"\x20\x03\x00\x00\x00")
        await over.wait()
        writer.write(b"\xe0\x02\x8e\x00")  # DISCONNECT, session taken over

    async with serving(answer) as port:
        link = MqttLink(f"mqtt://127.0.0.1:{port}", "d", backoff_s=FAST)
        told: asyncio.Future[Exception] = asyncio.get_running_loop().create_future()
        link.on_failure = told.set_result
        await link.connect()
        over.set()
        async with asyncio.timeout(10):
            error = await told
        assert isinstance(error, UnavailableError)
        assert error.code == "SESSION_TAKEN_OVER"
        await link.close()
    assert not link.connected


async def test_a_link_that_is_thrown_out_again_and_again_comes_back_ever_more_slowly() -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(b"\x20\x03\x00\x00\x00")

    async with serving(answer) as port:
        link = MqttLink(f"mqtt://127.0.0.1:{port}", "d", backoff_s=(0.001, 0.01))
        third: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        lost: list[str] = []

        def count(why: str) -> None:
            lost.append(why)
            if len(lost) == 3:
                third.set_result(None)

        link.on_disconnect = count
        await link.connect()
        async with asyncio.timeout(10):
            await third
        assert link._failures == 3
        await link.close()


async def test_a_broker_that_answers_connect_and_nothing_else_is_found_dead_by_its_keepalive() -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(b"\x20\x03\x00\x00\x00")
        while await reader.read(1_000):
            pass

    async with serving(answer) as port:
        link = MqttLink(f"mqtt://127.0.0.1:{port}", "d", keepalive=1)
        lost: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        link.on_disconnect = lost.set_result
        await link.connect()
        async with asyncio.timeout(20):
            assert "eep" in await lost
        await link.close()


async def test_nonsense_on_an_open_connection_costs_only_the_connection() -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(b"\x20\x03\x00\x00\x00")
        writer.write(b"\x30\x02\xff\xff")  # PUBLISH whose topic is longer than the packet

    async with serving(answer) as port:
        link = MqttLink(f"mqtt://127.0.0.1:{port}", "d", backoff_s=(5.0, 5.0))
        lost: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        link.on_disconnect = lost.set_result
        await link.connect()
        async with asyncio.timeout(10):
            await lost
        assert not link.connected
        await link.close()
