"""One MQTT 5 connection for one board: paho with its own thread, acknowledging by hand.

A :class:`Connection` never comes back by itself: the bridge opens the next one, so that nothing which paho
queued for a dead connection is sent past the core. paho's thread only drops what happened into a queue;
everything else runs in the caller's thread. (OASIS MQTT 5.0, sections 3.1, 4.4 and 4.6.)
"""

from __future__ import annotations

import contextlib
import itertools
import queue
import socket
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.subscribeoptions import SubscribeOptions

from hil.bridge.broker import Place, unreachable
from hil.bridge.effects import Acknowledge, Publish, Subscribe, Unsubscribe
from hil.bridge.queue import RECEIVE_MAXIMUM, Message
from hil.errors import BenchError

SESSION_S: Final = 3_600
"""So long the broker keeps what comes while the bridge is away, in seconds."""
KEEPALIVE_S: Final = 30
CONNECT_S: Final = 10.0
FAREWELL_S: Final = 2.0
PACKET_BYTES_MAX: Final = 1_048_576
_SESSION_TAKEN_OVER: Final = 0x8E


@dataclass(frozen=True, slots=True)
class Arrived:
    """A message came."""

    message: Message
    token: int


@dataclass(frozen=True, slots=True)
class Answered:
    """The broker answered a publish, subscribe or unsubscribe of this number."""

    number: int
    accepted: bool


@dataclass(frozen=True, slots=True)
class Lost:
    """The connection is gone."""

    why: str
    taken_over: bool = False
    """Another client connected with the same id."""
    stale: bool = False
    """The broker goes on with a session as MQTT does not: only a new one is of use."""


Happening = Arrived | Answered | Lost


@dataclass(frozen=True, slots=True)
class _Connected:
    refusal: str
    kept: bool


@dataclass(frozen=True, slots=True)
class _Acked:
    mid: int
    accepted: bool


class Connection:
    """A connection that is up; made by :meth:`open`, which says what the arguments mean."""

    def __init__(
        self, place: Place, client_id: str, *, tls: ssl.SSLContext | None, will: tuple[str, bytes] | None
    ) -> None:
        self._place = place
        self._will = will
        self._happened: queue.SimpleQueue[Happening | _Connected | _Acked] = queue.SimpleQueue()
        self._asked: dict[int, int] = {}
        self._unsubscribing: set[int] = set()
        self._came: dict[int, tuple[int, int]] = {}
        self._tokens = itertools.count(1)
        self._gone = False
        self.kept = False
        """The broker goes on with an earlier session."""
        self._client = client = mqtt.Client(
            CallbackAPIVersion.VERSION2,
            client_id=client_id,
            protocol=mqtt.MQTTv5,
            reconnect_on_failure=False,
            manual_ack=True,
        )
        if place.user is not None:
            client.username_pw_set(place.user, place.password)
        if tls is not None:
            client.tls_set_context(tls)
        if will is not None:
            client.will_set(*will, qos=1)
        client.on_connect, client.on_disconnect = self._did_connect, self._did_disconnect
        client.on_publish, client.on_message = self._did_publish, self._did_receive
        client.on_subscribe = client.on_unsubscribe = self._did_grant
        client.on_socket_open = _no_delay

    @classmethod
    def open(
        cls,
        place: Place,
        client_id: str,
        *,
        tls: ssl.SSLContext | None,
        will: tuple[str, bytes] | None,
        clean: bool = False,
    ) -> Connection:
        """Connect and wait for the broker's yes; its session of this client id is gone on with.

        Args:
            place: the broker.
            client_id: whose session it is: the device's id.
            tls: context for ``mqtts://``.
            will: (topic, payload) that the broker publishes when the bridge dies; said at a farewell, too.
            clean: forget the session that there is, and begin a new one.

        Raises:
            BenchError: BROKER_UNREACHABLE, BROKER_TLS or BROKER_REFUSED, naming host and port.
        """
        link = cls(place, client_id, tls=tls, will=will)
        try:
            link._connect(clean=clean)
        except BaseException:
            link._end()
            raise
        return link

    def _connect(self, *, clean: bool) -> None:
        properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call] # paho has no type there
        properties.SessionExpiryInterval = SESSION_S
        properties.ReceiveMaximum = RECEIVE_MAXIMUM
        properties.MaximumPacketSize = PACKET_BYTES_MAX
        place = self._place
        self._client.connect_timeout = CONNECT_S
        try:
            self._client.connect(
                place.host, place.port, KEEPALIVE_S, clean_start=clean, properties=properties
            )
        except (OSError, ValueError) as error:
            raise unreachable(place, error) from None
        self._client.loop_start()
        try:
            first = self._happened.get(timeout=CONNECT_S)
        except queue.Empty:
            raise unreachable(place, "no answer in time") from None
        if isinstance(first, Lost):
            more = ", and take the device's certificate" if place.tls else ""
            why = f"it closed the connection: {first.why}; it must speak MQTT 5{more}"
            raise unreachable(place, why)
        if isinstance(first, _Connected) and first.refusal:
            raise BenchError(
                "BROKER_REFUSED",
                f"The broker at {place} refused the connection ({first.refusal}).",
                mend="Check the device's id, user and password there.",
            )
        self.kept = isinstance(first, _Connected) and first.kept

    # What is asked of the broker.

    def acknowledge(self, effect: Acknowledge) -> None:
        """Send a PUBACK."""
        mid, qos = self._came.pop(effect.token)
        self._client.ack(mid, qos)

    def publish(self, effect: Publish) -> None:
        """Publish with QoS 1; :class:`Answered` follows, or :class:`Lost`."""
        self._expect(effect.number, lambda: self._client.publish(effect.topic, effect.payload, qos=1).mid)

    def subscribe(self, effect: Subscribe) -> None:
        """Subscribe with QoS 1; :class:`Answered` follows, or :class:`Lost`."""
        options = SubscribeOptions(qos=1, retainAsPublished=True)
        wanted = [(name, options) for name in effect.filters]
        self._expect(effect.number, lambda: self._client.subscribe(wanted)[1])

    def unsubscribe(self, effect: Unsubscribe) -> None:
        """Unsubscribe; :class:`Answered` follows, but not where the number is 0, or :class:`Lost`."""
        mid = self._expect(effect.number or None, lambda: self._client.unsubscribe(list(effect.filters))[1])
        if mid is not None and not effect.number:
            self._unsubscribing.add(mid)

    def _expect(self, number: int | None, ask: Callable[[], int | None]) -> int | None:
        try:
            mid = ask()
        except ValueError:  # a topic or filter that MQTT does not have: no broker would take it
            if number is not None:
                self._happened.put(Answered(number, accepted=False))
            return None
        if mid is not None and number is not None:  # no mid: the connection is gone, and Lost is on its way
            self._asked[mid] = number
        return mid

    # What happened.

    def take(self, timeout_s: float) -> Happening | None:
        """Return what happened next, waiting for it; None when nothing did."""
        end = time.monotonic() + timeout_s
        while True:
            try:
                happened = self._happened.get(timeout=max(0.0, end - time.monotonic()))
            except queue.Empty:
                return None
            if isinstance(happened, _Acked):
                if (found := self._answered(happened)) is not None:
                    return found
            elif isinstance(happened, Arrived | Answered):
                return happened
            elif isinstance(happened, Lost):
                self._gone = True
                return happened

    def _answered(self, ack: _Acked) -> Answered | Lost | None:
        self._unsubscribing.discard(ack.mid)
        number = self._asked.pop(ack.mid, None)
        if number == 0 and self._unsubscribing:
            # rumqttd, in a session of an earlier connection: it does not answer, nor send what it keeps.
            return Lost("the broker's old session is of no use: a new one begins", stale=True)
        return None if number is None else Answered(number, ack.accepted)

    def close(self, *, farewell: bool = False) -> None:
        """Disconnect; the broker keeps the session. Safe to call twice.

        Args:
            farewell: say first what the broker would say if the bridge had died.
        """
        if not self._gone:
            if farewell and self._will is not None:
                self._said(*self._will)
            self._client.disconnect()
        self._end()

    def _said(self, topic: str, payload: bytes) -> None:
        sent = self._client.publish(topic, payload, qos=1)
        with contextlib.suppress(RuntimeError, ValueError):  # the connection went meanwhile
            sent.wait_for_publish(FAREWELL_S)

    def _end(self) -> None:
        """Wait for paho's thread; a broker that reads nothing any more is cut off."""
        end = time.monotonic() + FAREWELL_S
        while not self._gone and self._client.is_connected() and (left := end - time.monotonic()) > 0:
            self.take(left)
        raw: Any = self._client.socket()
        if raw is not None:
            with contextlib.suppress(OSError):
                raw.shutdown(socket.SHUT_RDWR)
        self._client.loop_stop()
        if raw is not None:
            raw.close()  # paho's thread, told to stop, may end without closing it
        self._gone = True

    # Called by paho, in its thread.

    def _did_connect(self, _client: Any, _data: Any, flags: Any, reason: Any, _properties: Any) -> None:
        refusal = str(reason) if reason.is_failure else ""
        self._happened.put(_Connected(refusal, bool(flags.session_present)))

    def _did_disconnect(self, _client: Any, _data: Any, _flags: Any, reason: Any, _properties: Any) -> None:
        self._happened.put(Lost(str(reason), taken_over=reason.value == _SESSION_TAKEN_OVER))

    def _did_publish(self, _client: Any, _data: Any, mid: int, reason: Any, _properties: Any) -> None:
        self._happened.put(_Acked(mid, not reason.is_failure))

    def _did_grant(self, _client: Any, _data: Any, mid: int, reasons: Any, _properties: Any) -> None:
        self._happened.put(_Acked(mid, not any(reason.is_failure for reason in reasons)))

    def _did_receive(self, client: mqtt.Client, _data: Any, message: mqtt.MQTTMessage) -> None:
        try:
            topic = message.topic
        except UnicodeDecodeError:  # a topic that is not UTF-8 is none of ours
            client.ack(message.mid, message.qos)
            return
        token = next(self._tokens)
        self._came[token] = (message.mid, message.qos)
        self._happened.put(Arrived(Message(topic, bytes(message.payload), bool(message.retain)), token))


def _no_delay(_client: Any, _data: Any, raw: Any) -> None:
    with contextlib.suppress(OSError):
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # a PUBACK waits 40 ms otherwise
