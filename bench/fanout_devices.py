"""Ten thousand receivers in a process of their own, on our device's link or on bare paho.

python -m bench.fanout_devices (ours|bare) URL COUNT MESSAGES

It prints ``ready`` when all have subscribed, and a line each time every one has got MESSAGES more messages.
"""

from __future__ import annotations

import asyncio
import resource
import sys
from collections.abc import Callable
from typing import Any

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.properties import Properties
from paho.mqtt.subscribeoptions import SubscribeOptions

from bench.gateway_load import TOPICS, address
from device_sim.link import MqttLink
from tests.helpers import PRODUCT

_A_GROUP = 5_000  # connections from one address: ports are few
_AT_ONCE = 64  # connections that are being made


class Bare:
    """As little as paho on asyncio can do: read, and acknowledge by itself."""

    def __init__(self, url: str, name: str, source: str, got: Callable[[], None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._where, self._source = address(url), source
        self._subscribed = self._loop.create_future()
        self._client = client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id=name, protocol=mqtt.MQTTv5)
        filters = [(f, SubscribeOptions(qos=1)) for f in TOPICS.device_filters(PRODUCT, "en", name)]
        client.on_connect = lambda *_: client.subscribe(filters)
        client.on_subscribe = lambda *_: self._subscribed.set_result(None)
        client.on_message = lambda *_: got()
        client.on_socket_open = lambda _c, _u, sock: self._loop.add_reader(sock, client.loop_read)
        client.on_socket_close = lambda _c, _u, sock: self._loop.remove_reader(sock)
        client.on_socket_register_write = lambda _c, _u, sock: self._loop.add_writer(sock, client.loop_write)
        client.on_socket_unregister_write = lambda _c, _u, sock: self._loop.remove_writer(sock)

    async def begin(self) -> None:
        """Connect and subscribe."""
        nothing: Properties | None = None
        self._client.connect(*self._where, keepalive=600, bind_address=self._source, properties=nothing)
        await self._subscribed


class Ours:
    """The link of a simulated device, with its seven filters."""

    def __init__(self, url: str, name: str, source: str, got: Callable[[], None]) -> None:
        self._link = MqttLink(url, name, bind_address=source, keepalive=600)
        self._link.on_message = lambda *_: got()
        self._filters = TOPICS.device_filters(PRODUCT, "en", name)

    async def begin(self) -> None:
        """Connect and subscribe."""
        await self._link.connect()
        ack = self._link.subscribe(*self._filters)
        if ack is not None:
            await ack


async def _run(kind: Any, url: str, count: int, messages: int) -> None:
    left = wanted = count * messages
    enough = asyncio.Event()

    def got() -> None:
        nonlocal left
        left -= 1
        if left == 0:
            left = wanted
            enough.set()

    turn = asyncio.Semaphore(_AT_ONCE)

    async def begin(number: int) -> Any:
        source = f"127.0.{1 + number // _A_GROUP}.1"
        async with turn:
            one = kind(url, f"bench-{number:05}", source, got)
            await one.begin()
            return one

    kept = await asyncio.gather(*map(begin, range(count)))
    print("ready", flush=True)
    while kept:
        await enough.wait()
        enough.clear()
        print("got", flush=True)


def main() -> None:
    """Run until killed."""
    kind, url, count, messages = sys.argv[1:]
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    asyncio.run(_run({"ours": Ours, "bare": Bare}[kind], url, int(count), int(messages)))


if __name__ == "__main__":
    main()
