"""Opening a TCP or TLS connection to a broker without ever blocking the event loop."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from device_sim.engine import mqtt
from keys.errors import InputError

PACKET_BYTES_MAX: Final = 128 * 1024
"""Told to the broker: nothing of ours is bigger than 100 KB."""
_PORTS: Final = {"mqtt": 1883, "mqtts": 8883}
_IP_BIND_ADDRESS_NO_PORT: Final = 24  # Linux: choose the source port at connect, not at bind


@dataclass(frozen=True, slots=True)
class BrokerUrl:
    """Where the broker listens; never printed with its password."""

    host: str
    port: int
    tls: bool = False
    user: str | None = None
    password: str | None = None

    def __repr__(self) -> str:
        return f"BrokerUrl({self})"

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


def parse_url(url: str) -> BrokerUrl:
    """Read ``mqtt://[user:password@]host[:port]`` or ``mqtts://``.

    Raises:
        InputError: BROKER_URL.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        parts, port = urlsplit(""), None
    if parts.scheme not in _PORTS or not parts.hostname or parts.path.strip("/") or parts.query:
        shown = f"{parts.scheme}://{parts.hostname}" if parts.hostname else _without_secret(url)
        raise InputError(
            "BROKER_URL",
            f"'{shown}' is not a broker's address.",
            mend="Write it as mqtt://HOST:PORT or mqtts://HOST:PORT.",
        )
    return BrokerUrl(
        parts.hostname,
        port or _PORTS[parts.scheme],
        parts.scheme == "mqtts",
        unquote(parts.username) if parts.username else None,
        unquote(parts.password) if parts.password else None,
    )


def _without_secret(url: str) -> str:
    """Return what may be shown of an address that cannot be read: nothing before an at sign."""
    before, at, after = url.rpartition("@")
    scheme, slashes, _ = before.partition("://")
    return f"{scheme}://...@{after}" if slashes else f"...@{after}" if at else url


async def open_socket(where: BrokerUrl, tls: ssl.SSLContext | None, bind_address: str = "") -> socket.socket:
    """Return a connected, non-blocking socket, TLS done.

    Args:
        where: the broker.
        tls: context for TLS, or None for plain TCP.
        bind_address: local address to connect from; empty lets the system choose.

    Raises:
        OSError: whatever stood in the way (ssl.SSLError is one).
    """
    loop = asyncio.get_running_loop()
    family = socket.AF_INET if bind_address else socket.AF_UNSPEC
    try:
        found = await loop.getaddrinfo(where.host, where.port, family=family, type=socket.SOCK_STREAM)
    except UnicodeError:  # an empty or overlong label
        raise socket.gaierror(socket.EAI_NONAME, "this is no host's name") from None
    for place in found[:-1]:
        with contextlib.suppress(OSError):  # the last one tells why
            return await _open_one(place, where, tls, bind_address)
    return await _open_one(found[-1], where, tls, bind_address)


async def _open_one(
    place: tuple[Any, ...], where: BrokerUrl, tls: ssl.SSLContext | None, bind_address: str
) -> socket.socket:
    family, kind, protocol, _, address = place
    sock = socket.socket(family, kind, protocol)
    try:
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # reports wait 40 ms otherwise
        if bind_address:
            with contextlib.suppress(OSError):
                sock.setsockopt(socket.IPPROTO_IP, _IP_BIND_ADDRESS_NO_PORT, 1)
            sock.bind((bind_address, 0))
        await asyncio.get_running_loop().sock_connect(sock, address)
        return await _start_tls(sock, tls, where.host) if tls else sock
    except BaseException:
        sock.close()
        raise


async def _start_tls(sock: socket.socket, context: ssl.SSLContext, host: str) -> ssl.SSLSocket:
    """Shake hands without blocking the loop."""
    wrapped = context.wrap_socket(sock, server_hostname=host, do_handshake_on_connect=False)
    loop = asyncio.get_running_loop()
    try:
        while True:
            try:
                wrapped.do_handshake()
            except ssl.SSLWantReadError:
                await _ready(loop.add_reader, loop.remove_reader, wrapped)
            except ssl.SSLWantWriteError:
                await _ready(loop.add_writer, loop.remove_writer, wrapped)
            else:
                return wrapped
    except BaseException:
        wrapped.close()
        raise


async def _ready(add: Callable[..., Any], remove: Callable[..., Any], sock: socket.socket) -> None:
    ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def tell() -> None:
        if not ready.done():
            ready.set_result(None)

    add(sock, tell)
    try:
        await ready
    finally:
        remove(sock)


class ReadyClient(mqtt.Client):
    """paho's client on a socket that is connected already."""

    ready: socket.socket | None = None

    def _create_socket(self) -> Any:  # paho's one seam for its socket; a test holds it
        sock, self.ready = self.ready, None
        assert sock is not None
        return sock

    def hang_up(self) -> None:
        """Close the socket without DISCONNECT, so that the broker publishes the will."""
        self._sock_close()


def make_client(
    where: BrokerUrl,
    client_id: str,
    *,
    will: tuple[str, bytes] | None,
    keepalive: int,
    session_expiry_s: int,
    receive_maximum: int,
) -> ReadyClient:
    """Return paho's client with all that CONNECT says (OASIS MQTT 5.0, section 3.1)."""
    client = ReadyClient(CallbackAPIVersion.VERSION2, client_id, protocol=mqtt.MQTTv5)
    properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call] # paho has no type there
    properties.MaximumPacketSize = PACKET_BYTES_MAX
    properties.ReceiveMaximum = receive_maximum
    if session_expiry_s:
        properties.SessionExpiryInterval = session_expiry_s
    clean = not session_expiry_s
    client.connect_async(where.host, where.port, keepalive, clean_start=clean, properties=properties)
    if where.user is not None:
        client.username_pw_set(where.user, where.password)
    if will is not None:
        client.will_set(will[0], will[1], qos=1)
    return client
