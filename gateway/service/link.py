"""One MQTT 5 connection of the gateway: paho on asyncio socket callbacks, manual acknowledgement.

A :class:`Link` is one connection and never reconnects; the runtime opens the next one. So nothing that
paho queued for a dead connection is ever sent twice: what has to be published stands in the store.
"""

from __future__ import annotations

import asyncio
import ssl
import threading
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.subscribeoptions import SubscribeOptions

from gateway.service import tls as secure
from gateway.service.address import PORTS, parse_url
from gateway.service.buffered import BufferedSocket, Client, expiry_of, properties_of
from keys.errors import UnavailableError

__all__ = ["SESSION_SECONDS", "Link", "Received", "parse_url"]

SESSION_SECONDS: Final = 3_600  # the broker keeps what arrives while the gateway restarts
RECEIVE_MAXIMUM: Final = 1_600  # unacknowledged reports in hand: some batches, so that none waits for another
INFLIGHT_MAX: Final = 200  # publications without their PUBACK
KEEPALIVE_SECONDS: Final = 30
_CONNECT_SECONDS: Final = 10.0
_EXPIRY_MAX: Final = 2**32 - 1
_EXPIRIES_MAX: Final = 100  # properties that are kept to be used again
_READS_MAX: Final = 500  # packets taken before anything else has its turn


@dataclass(frozen=True, slots=True)
class Received:
    """A message that arrived; ``ack`` releases it, and does nothing once its connection is gone.

    PUBACKs leave in the order of the messages (MQTT 5, 4.6.0-2): rumqttd closes the connection otherwise.
    """

    topic: str
    payload: bytes
    ack: Callable[[], None]


class Link:
    """A connection that is up; made by :meth:`open`."""

    def __init__(
        self,
        url: str,
        client_id: str,
        on_message: Callable[[Received], None],
        tls: ssl.SSLContext | None = None,
    ) -> None:
        parts = parse_url(url)
        self._host, self._port = str(parts.hostname), parts.port or PORTS[parts.scheme]
        self._loop = asyncio.get_running_loop()
        self._on_message = on_message
        self._connected: asyncio.Future[None] = self._loop.create_future()
        self._published: dict[int, asyncio.Future[None]] = {}
        self._subscribed: dict[int, asyncio.Future[None]] = {}
        self._unacked: deque[list[int]] = deque()
        self._posted: set[int] = set()
        self._window = asyncio.Semaphore(INFLIGHT_MAX)
        self._expiries: dict[int, Properties] = {}
        self._thread = threading.get_ident()
        self.closed = asyncio.Event()
        """Set when the connection is gone, for whatever reason."""
        self._client = client = Client(
            self._did_receive,
            CallbackAPIVersion.VERSION2,
            client_id=client_id,
            protocol=mqtt.MQTTv5,
            manual_ack=True,
        )
        if parts.username:
            client.username_pw_set(parts.username, parts.password)
        if parts.scheme == "mqtts":
            client.tls_set_context(tls or secure.client_context(secure.TlsFiles()))
        self._raw: BufferedSocket | None = None
        self._waits = False
        client.max_inflight_messages_set(INFLIGHT_MAX)
        client.on_connect, client.on_disconnect = self._did_connect, self._did_disconnect
        client.on_publish, client.on_subscribe = self._did_publish, self._did_subscribe
        client.on_unsubscribe = self._did_subscribe
        client.on_message = lambda *found: self._did_receive(
            found[2].topic, bytes(found[2].payload), found[2].mid, found[2].qos
        )
        client.on_socket_open = self._socket_open
        client.on_socket_close = lambda *found: self._forget(found[2])
        client.on_socket_register_write = self._write_on
        self._ticker: asyncio.Task[None] | None = None

    @classmethod
    async def open(
        cls,
        url: str,
        client_id: str,
        on_message: Callable[[Received], None],
        tls: ssl.SSLContext | None = None,
        session_seconds: int = SESSION_SECONDS,
    ) -> Link:
        """Connect, keeping the session of ``client_id`` that the broker may have.

        Args:
            url: of the broker.
            client_id: whose session it is.
            on_message: called with what arrives.
            tls: for ``mqtts``; TLS 1.3 with the system's CAs and no certificate if left out.
            session_seconds: how long the broker keeps the session after the connection.

        Raises:
            InputError: BROKER_URL.
            UnavailableError: BROKER_UNREACHABLE, BROKER_TLS or BROKER_REFUSED, naming host and port.
        """
        link = cls(url, client_id, on_message, tls)
        properties = properties_of(PacketTypes.CONNECT)
        properties.SessionExpiryInterval = session_seconds
        properties.ReceiveMaximum = RECEIVE_MAXIMUM
        try:
            await asyncio.to_thread(
                link._client.connect,
                link._host,
                link._port,
                KEEPALIVE_SECONDS,
                clean_start=False,
                properties=properties,
            )
            link._ticker = link._loop.create_task(link._tick())
            async with asyncio.timeout(_CONNECT_SECONDS):
                await link._connected
        except (OSError, TimeoutError, ValueError) as error:
            link.close()
            alert = error if isinstance(error, ssl.SSLError) else getattr(link._raw, "alert", None)
            raise secure.refusal(link.where, alert) or UnavailableError(
                "BROKER_UNREACHABLE",
                f"No MQTT 5 broker answers at {link.where} ({_why(error)}).",
                mend="Start it, or give the right address with --broker.",
            ) from None
        except BaseException:
            link.close()
            raise
        return link

    @property
    def where(self) -> str:
        """``host:port``."""
        return f"{self._host}:{self._port}"

    async def subscribe(self, filters: list[str]) -> None:
        """Subscribe with QoS 1 and wait for the broker to grant it.

        Raises:
            UnavailableError: BROKER_LOST, BROKER_REFUSED.
        """
        if self.closed.is_set():
            raise self._lost()
        code, mid = self._client.subscribe([(f, SubscribeOptions(qos=1)) for f in filters])
        if code != mqtt.MQTT_ERR_SUCCESS or mid is None:
            raise self._lost()
        await self._await(self._subscribed, mid)

    async def unsubscribe(self, filters: list[str]) -> None:
        """Take filters back, so that others get what comes from now on.

        Raises:
            UnavailableError: BROKER_LOST, BROKER_REFUSED.
        """
        code, mid = self._client.unsubscribe(filters)
        if code != mqtt.MQTT_ERR_SUCCESS or mid is None:
            raise self._lost()
        await self._await(self._subscribed, mid)

    async def publish(
        self, topic: str, payload: bytes, *, retain: bool = False, expiry: int | None = None
    ) -> None:
        """Send a message with QoS 1 and wait for its PUBACK.

        Args:
            topic: where.
            payload: what; empty and retained clears the topic.
            retain: the broker keeps it.
            expiry: seconds after which the broker forgets it.

        Raises:
            UnavailableError: BROKER_LOST when the connection went before the PUBACK came.
        """
        async with self._window:
            await self._await(self._published, self._start(topic, payload, retain, expiry))

    async def post(
        self, topic: str, payload: bytes, *, retain: bool = False, expiry: int | None = None
    ) -> None:
        """Send a message with QoS 1; wait only for room, not for its PUBACK.

        For what nobody relies on: it is said again where it was lost.

        Raises:
            UnavailableError: BROKER_LOST.
        """
        await self._window.acquire()
        try:
            self._posted.add(self._start(topic, payload, retain, expiry))
        except BaseException:
            self._window.release()
            raise

    def _start(self, topic: str, payload: bytes, retain: bool, expiry: int | None) -> int:  # noqa: FBT001 - as paho
        """Hand a message to paho; return its id."""
        if self.closed.is_set():
            raise self._lost()
        properties = None
        if expiry is not None:
            expiry = min(max(expiry, 1), _EXPIRY_MAX)
            properties = self._expiries.get(expiry)
            if properties is None:  # made once: it takes longer than the rest of a message
                if len(self._expiries) > _EXPIRIES_MAX:
                    self._expiries.clear()
                properties = self._expiries[expiry] = expiry_of(expiry)
        sent = self._client.publish(topic, payload, 1, retain, properties)
        if sent.rc != mqtt.MQTT_ERR_SUCCESS:
            raise self._lost()
        return sent.mid

    def close(self) -> None:
        """End the connection; the broker keeps the session."""
        if not self.closed.is_set():
            self._client.disconnect()
            self._client.loop_write()  # the goodbye, and what was acknowledged before it
            self._gone()
        if self._ticker is not None:
            self._ticker.cancel()

    def _await(self, table: dict[int, asyncio.Future[None]], mid: int) -> Awaitable[None]:
        future = table[mid] = self._loop.create_future()
        future.add_done_callback(lambda _: table.pop(mid, None))
        return future

    def _lost(self) -> UnavailableError:
        return UnavailableError(
            "BROKER_LOST",
            f"The connection to the broker at {self.where} is gone.",
            mend="Nothing is lost: it is made again by itself.",
        )

    def _gone(self) -> None:
        self.closed.set()
        for future in [*self._published.values(), *self._subscribed.values()]:
            if not future.done():
                future.set_exception(self._lost())
                future.exception()  # whoever waited may be gone too
        # paho closes its socket when it is collected, maybe after the loop: part them here.
        client: Any = self._client
        raw = client.socket()
        client.on_socket_open = client.on_socket_close = client.on_disconnect = None
        client.on_socket_register_write = None
        if raw is not None:
            self._forget(raw)
            raw.close()

    async def _tick(self) -> None:
        while not self.closed.is_set():
            if self._client.loop_misc() != mqtt.MQTT_ERR_SUCCESS:
                self._gone()
            await asyncio.sleep(1)

    # What paho calls. All but the socket callbacks come from the loop's own thread.

    def _did_connect(self, _client: Any, _data: Any, _flags: Any, reason: Any, _properties: Any) -> None:
        if self._connected.done():
            return
        if reason.is_failure:
            error = UnavailableError(
                "BROKER_REFUSED",
                f"The broker at {self.where} refused the gateway ({reason}).",
                mend="Check the user, the password and that it speaks MQTT 5.",
            )
            self._connected.set_exception(error)
        else:
            self._connected.set_result(None)

    def _did_disconnect(self, _client: Any, _data: Any, _flags: Any, reason: Any, _properties: Any) -> None:
        self._loop.call_soon_threadsafe(self._ended, str(reason))

    def _ended(self, reason: str) -> None:
        if not self._connected.done():
            self._connected.set_exception(ConnectionError(reason))
        self._gone()

    def _did_publish(self, _client: Any, _data: Any, mid: int, reason: Any, _properties: Any) -> None:
        if mid in self._posted:
            self._posted.discard(mid)
            self._window.release()
            return
        future = self._published.get(mid)
        if future is None or future.done():
            return
        if reason is not None and reason.is_failure:
            future.set_exception(
                UnavailableError(
                    "BROKER_REFUSED",
                    f"The broker at {self.where} refused a publication ({reason}).",
                    mend="Give the gateway the right to publish below the prefix.",
                )
            )
        else:
            future.set_result(None)

    def _did_subscribe(
        self, _client: Any, _data: Any, mid: int, reasons: list[Any], _properties: Any
    ) -> None:
        future = self._subscribed.get(mid)
        if future is None or future.done():
            return
        failed = [reason for reason in reasons if reason.is_failure]
        if failed:
            future.set_exception(
                UnavailableError(
                    "BROKER_REFUSED",
                    f"The broker at {self.where} refused a subscription ({failed[0]}).",
                    mend="Give the gateway the right to read reports, also shared ones.",
                )
            )
        else:
            future.set_result(None)

    def _did_receive(self, topic: str, payload: bytes, mid: int, qos: int = 1) -> None:
        entry = [mid, qos, False]

        def ack() -> None:
            entry[2] = True
            while self._unacked and self._unacked[0][2] and not self.closed.is_set():
                mid, qos, _ = self._unacked.popleft()
                self._client.ack(mid, qos)

        self._unacked.append(entry)
        self._on_message(Received(topic, payload, ack))

    def _socket_open(self, _client: Any, _data: Any, raw: Any) -> None:
        self._raw = raw
        self._loop.call_soon_threadsafe(self._read_on, raw)

    def _read_on(self, raw: BufferedSocket) -> None:
        if self.closed.is_set():  # given up while the connection was being made
            raw.close()
        elif raw.fileno() >= 0:
            self._loop.add_reader(raw, self._readable)

    def _readable(self) -> None:
        for _ in range(_READS_MAX):
            if self._client.loop_read() != mqtt.MQTT_ERR_SUCCESS:
                self._ended("connection lost")
                return
            if self._raw is None or not self._raw.pending():
                return
        self._loop.call_soon(self._readable)  # what was read ahead would not wake the loop again

    def _write_on(self, _client: Any, _data: Any, _raw: Any) -> None:
        """Send once whatever else is to be sent now has been said, too."""
        here = threading.get_ident() == self._thread  # the first packet comes from the thread that connects
        (self._loop.call_soon if here else self._loop.call_soon_threadsafe)(self._writable)

    def _writable(self) -> None:
        raw = self._raw
        if self.closed.is_set() or raw is None:
            return
        rc = self._client.loop_write()
        try:
            waits = raw.fileno() >= 0 and (not raw.flush() or self._client.want_write())
        except OSError:
            rc, waits = mqtt.MQTT_ERR_CONN_LOST, False
        if rc != mqtt.MQTT_ERR_SUCCESS:
            self._ended("connection lost")
        elif waits != self._waits and raw.fileno() >= 0:
            self._waits = waits
            if waits:
                self._loop.add_writer(raw, self._writable)
            else:
                self._loop.remove_writer(raw)

    def _forget(self, raw: BufferedSocket) -> None:
        if raw.fileno() >= 0:
            self._loop.remove_reader(raw)
            self._loop.remove_writer(raw)


def _why(error: BaseException) -> str:
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error) or type(error).__name__
