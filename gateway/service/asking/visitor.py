"""One MQTT 5 connection that keeps what it receives, for questions that are judged by delivery."""

from __future__ import annotations

import queue
import socket
import ssl
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Final, Self

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.subscribeoptions import SubscribeOptions

from gateway.service import tls as secure
from gateway.service.link import parse_url
from keys.errors import UnavailableError

PATIENCE_SECONDS: Final = 5.0  # for an answer that a broker owes
_PORTS: Final = {"mqtt": 1883, "mqtts": 8883}
_KEEPALIVE_SECONDS: Final = 30


@dataclass(frozen=True, slots=True)
class Door:
    """Where a broker is, and as whom it is visited."""

    url: str
    tls: ssl.SSLContext | None

    @property
    def where(self) -> str:
        """``host:port``."""
        parts = parse_url(self.url)
        return f"{parts.hostname}:{parts.port or _PORTS[parts.scheme]}"


@dataclass(frozen=True, slots=True)
class Message:
    """What arrived."""

    topic: str
    payload: bytes
    retained: bool
    expiry: int | None
    """Seconds that are left of it; None: no end was given."""
    mid: int
    qos: int


class NoAnswer(Exception):  # noqa: N818 - it is an answer, too
    """The broker did not do in time what it owes; the text says what."""


class Visitor:
    """A connection for the length of a block.

    Args:
        door: of the broker.
        client_id: of this visitor.
        session: seconds for which the broker keeps its session; 0 begins anew and leaves nothing.
        receive: unacknowledged messages that the broker may send; 0 leaves it out.
        hold: acknowledge nothing before :meth:`release`.
        will: (topic, payload) that the broker publishes when the connection breaks.
        five: speak MQTT 5, else 3.1.1.
        user: name that CONNECT gives.
    """

    def __init__(
        self,
        door: Door,
        client_id: str,
        *,
        session: int = 0,
        receive: int = 0,
        hold: bool = False,
        will: tuple[str, bytes] | None = None,
        five: bool = True,
        user: str | None = None,
    ) -> None:
        self.door, self.client_id = door, client_id
        self._session, self._receive = session, receive
        self._arrived: queue.Queue[Message] = queue.Queue()
        self._answered: dict[int, queue.Queue[list[Any]]] = {}
        self._lock = threading.Lock()
        self._welcome: queue.Queue[tuple[Any, bool, Any] | None] = queue.Queue()
        self.lost = threading.Event()
        """Set once the connection is gone, by whichever side."""
        self.session_present = False
        """Whether the broker had a session of this client."""
        self.announced: Any = None
        """Properties of the CONNACK."""
        self._five = five
        self._client = client = mqtt.Client(
            CallbackAPIVersion.VERSION2,
            client_id,
            clean_session=None if five else True,
            protocol=MQTTProtocolVersion.MQTTv5 if five else MQTTProtocolVersion.MQTTv311,
            reconnect_on_failure=False,
            manual_ack=hold,
        )
        parts = parse_url(door.url)
        if parts.username or user:
            client.username_pw_set(user or parts.username, parts.password)
        if door.tls is not None:
            client.tls_set_context(door.tls)
        if will is not None:
            client.will_set(*will, qos=1)
        client.on_connect = lambda _c, _d, flags, reason, found: self._welcome.put(
            (reason, flags.session_present, found)
        )
        client.on_disconnect = self._gone
        client.on_message = self._take
        client.on_publish = lambda _c, _d, mid, reason, _p: self._answer(mid, [reason])
        client.on_subscribe = lambda _c, _d, mid, reasons, _p: self._answer(mid, list(reasons))

    def __enter__(self) -> Self:
        """Connect.

        Raises:
            UnavailableError: BROKER_UNREACHABLE, BROKER_TLS, BROKER_REFUSED.
        """
        parts = parse_url(self.door.url)
        raw: Any = None
        properties = None
        if self._five:
            properties = properties_of(PacketTypes.CONNECT)
            properties.SessionExpiryInterval = self._session
            if self._receive:
                properties.ReceiveMaximum = self._receive
        try:
            self._client.connect(
                str(parts.hostname),
                parts.port or _PORTS[parts.scheme],
                _KEEPALIVE_SECONDS,
                clean_start=self._session == 0 if self._five else mqtt.MQTT_CLEAN_START_FIRST_ONLY,
                properties=properties,
            )
            raw = self._client.socket()
            self._client.loop_start()
            reason, self.session_present, self.announced = self._welcomed()
        except (OSError, ValueError, queue.Empty) as error:
            alert = error if isinstance(error, ssl.SSLError) else getattr(raw, "alert", None)
            self.close()
            why = getattr(error, "strerror", None) or "it closed the connection, or gave no answer"
            raise secure.refusal(self.door.where, alert) or UnavailableError(
                "BROKER_UNREACHABLE",
                f"No MQTT {'5' if self._five else '3.1.1'} broker answers at {self.door.where} ({why}).",
                mend="Start it, or give the right address.",
            ) from None
        if raw is not None:
            raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if reason.is_failure:
            self.close()
            message = f"The broker at {self.door.where} refused the connection ({reason})."
            raise UnavailableError("BROKER_REFUSED", message, mend="Check user, certificate and client id.")
        return self

    def _welcomed(self) -> tuple[Any, bool, Any]:
        found = self._welcome.get(timeout=PATIENCE_SECONDS)
        if found is None:
            raise ConnectionError
        return found

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Take leave."""
        self.close()

    def close(self) -> None:
        """Take leave; may be called twice."""
        self._client.disconnect()
        self._client.loop_stop()
        self._drop()

    def vanish(self) -> None:
        """Break the connection without a word, as a power cut does."""
        raw: Any = self._client.socket()
        if raw is not None:
            raw.shutdown(socket.SHUT_RDWR)
        self.lost.wait(PATIENCE_SECONDS)
        self._client.loop_stop()
        self._drop()

    def _drop(self) -> None:
        raw: Any = self._client.socket()
        if raw is not None:
            raw.close()

    def _gone(self, *_: Any) -> None:
        self.lost.set()
        self._welcome.put(None)
        with self._lock:
            for waiting in self._answered.values():
                waiting.put([])

    def _take(self, _client: Any, _data: Any, got: mqtt.MQTTMessage) -> None:
        expiry = getattr(got.properties, "MessageExpiryInterval", None)
        found = Message(got.topic, bytes(got.payload), got.retain, expiry, got.mid, got.qos)
        self._arrived.put(found)

    def _answer(self, mid: int, reasons: list[Any]) -> None:
        self._slot(mid).put(reasons)

    def _slot(self, mid: int) -> queue.Queue[list[Any]]:
        with self._lock:  # the answer may come before the call that asked has returned
            return self._answered.setdefault(mid, queue.Queue())

    def _await(self, mid: int | None, what: str) -> list[Any]:
        if mid is None:
            raise NoAnswer(f"{what} could not be sent: the connection is gone")
        try:
            found = self._slot(mid).get(timeout=PATIENCE_SECONDS)
        except queue.Empty:
            raise NoAnswer(f"no answer to {what}") from None
        finally:
            with self._lock:
                self._answered.pop(mid, None)
        if not found:
            raise NoAnswer(f"it ended the connection at {what}")
        return found

    def subscribe(self, *filters: str) -> bool:
        """Subscribe with QoS 1; return whether the broker says that it grants all of it."""
        _, mid = self._client.subscribe([(each, SubscribeOptions(qos=1)) for each in filters])
        return not any(reason.is_failure for reason in self._await(mid, "SUBSCRIBE"))

    def publish(
        self, topic: str, payload: bytes, *, retain: bool = False, expiry: int | None = None, alias: int = 0
    ) -> bool:
        """Publish with QoS 1; return whether the broker says that it takes it."""
        properties = properties_of(PacketTypes.PUBLISH)
        if expiry is not None:
            properties.MessageExpiryInterval = expiry
        if alias:
            properties.TopicAlias = alias
        sent = self._client.publish(topic, payload, 1, retain, properties)
        mid = sent.mid if sent.rc == mqtt.MQTT_ERR_SUCCESS else None
        return not any(reason.is_failure for reason in self._await(mid, "PUBLISH"))

    def release(self, messages: Iterable[Message]) -> None:
        """Acknowledge messages that were held, in the order in which they came."""
        for each in messages:
            self._client.ack(each.mid, each.qos)

    def receive(self, seconds: float | None = None) -> Message | None:
        """Return the next message, or None when none comes in time."""
        try:
            return self._arrived.get(timeout=PATIENCE_SECONDS if seconds is None else seconds)
        except queue.Empty:
            return None

    def take(self, count: int, seconds: float | None = None) -> list[Message]:
        """Return so many messages, or fewer when the next does not come in time."""
        found: list[Message] = []
        while len(found) < count and (got := self.receive(seconds)) is not None:
            found.append(got)
        return found

    def until(self, topic: str, seconds: float | None = None) -> list[Message]:
        """Return everything that comes before a message on a topic.

        Raises:
            NoAnswer: it does not come in time.
        """
        found: list[Message] = []
        while (got := self.receive(seconds)) is not None:
            if got.topic == topic:
                return found
            found.append(got)
        raise NoAnswer(f"nothing arrives on {topic}")


def properties_of(packet: int) -> Properties:
    """Return an empty set of properties for a kind of packet."""
    return Properties(packet)  # type: ignore[no-untyped-call] # paho leaves this one untyped
