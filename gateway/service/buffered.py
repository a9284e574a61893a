"""A socket that reads and writes in large pieces, in the place of the one that paho would use.

paho reads a packet's head byte by byte and sends packet by packet, a system call each. Between paho and the
system this keeps what was read ahead, and what is to be sent until :meth:`BufferedSocket.flush`.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
from collections.abc import Callable
from typing import Any, Final, Literal

import paho.mqtt.client as mqtt
from paho.mqtt.enums import MQTTErrorCode
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

READ_BYTES: Final = 65_536
UNSENT_BYTES_MAX: Final = 1_048_576  # kept for a broker that does not read; then paho has to wait
_QOS: Final = 0x06  # bits of a PUBLISH packet's first byte
_QOS_1: Final = 0x02
_PUBACK_BYTES: Final = 2  # behind its head, where it says no more than that all is well


class BufferedSocket:
    """A non-blocking socket, with TLS or without, behind two buffers."""

    def __init__(self, raw: socket.socket) -> None:
        self._raw = raw
        self._in, self._at = b"", 0
        self._out = bytearray()

    def recv(self, size: int) -> bytes:
        """Return up to ``size`` bytes; none at the end of the connection.

        Raises:
            BlockingIOError: there is nothing now (or of ``ssl``, what TLS waits for).
        """
        if self._at == len(self._in):
            self._in, self._at = self._raw.recv(READ_BYTES), 0
        data = self._in[self._at : self._at + size]
        self._at += len(data)
        return data

    def send(self, data: bytes | bytearray) -> int:
        """Keep bytes for :meth:`flush`; return how many.

        Raises:
            BlockingIOError: too much waits already.
        """
        if len(self._out) > UNSENT_BYTES_MAX:
            self.flush()
            if len(self._out) > UNSENT_BYTES_MAX:
                raise BlockingIOError
        self._out += data
        return len(data)

    def flush(self) -> bool:
        """Send what waits; False when some of it has to wait until the socket takes more.

        Raises:
            OSError: the connection is gone.
        """
        while self._out:
            try:
                with memoryview(self._out) as view:
                    sent = self._raw.send(view[:READ_BYTES])
            except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
                return False
            del self._out[:sent]
        return True

    def pending(self) -> int:
        """Return how many bytes can be read without asking the system."""
        ahead = len(self._in) - self._at
        return ahead + self._raw.pending() if isinstance(self._raw, ssl.SSLSocket) else ahead

    @property
    def alert(self) -> ssl.SSLError | None:
        """The alert of TLS that ended the connection, see :class:`gateway.service.tls.Witness`."""
        return getattr(self._raw, "alert", None)

    def fileno(self) -> int:
        """Return the descriptor; -1 once closed."""
        return self._raw.fileno()

    def setblocking(self, flag: bool) -> None:  # noqa: FBT001 - a socket's own signature
        """See :meth:`socket.socket.setblocking`."""
        self._raw.setblocking(flag)

    def close(self) -> None:
        """Send what can be sent at once, such as the goodbye, and close."""
        with contextlib.suppress(OSError):
            self.flush()
        self._raw.close()


def properties_of(packet: int) -> Properties:
    """Return empty properties for a kind of packet."""
    return Properties(packet)  # type: ignore[no-untyped-call] # paho leaves this one untyped


_DONE: Final = ReasonCode(PacketTypes.PUBACK)
_NOTHING: Final = properties_of(PacketTypes.PUBACK)


class _Expiry(Properties):
    """The lifetime of a message, which is put into bytes once."""

    def __init__(self, seconds: int) -> None:
        super().__init__(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call] # as above
        self.MessageExpiryInterval = seconds
        object.__setattr__(self, "_packed", super().pack())  # type: ignore[no-untyped-call] # as above

    def pack(self) -> bytes:
        """Return it as it is sent."""
        packed: bytes = object.__getattribute__(self, "_packed")
        return packed


def expiry_of(seconds: int) -> Properties:
    """Return the properties of a message that the broker forgets after so many seconds."""
    return _Expiry(seconds)


class Client(mqtt.Client):
    """paho's client on a :class:`BufferedSocket`; what comes by the thousand takes a short way.

    paho makes some objects for each property that a packet may have. Messages of QoS 1 and PUBACKs seldom
    have any; whatever is unusual is read by paho itself.

    Args:
        on_plain: called with topic, payload and packet identifier of a message of QoS 1 that has no
            properties; ``on_message`` is called with all others.
        given: for paho.
    """

    def __init__(self, on_plain: Callable[[str, bytes, int], None], *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self._on_plain = on_plain

    def _create_socket(self) -> Any:
        raw: Any = super()._create_socket()
        with contextlib.suppress(OSError):
            raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return BufferedSocket(raw)

    def _handle_publish(self) -> MQTTErrorCode:
        plain = _plain(self._in_packet["command"], self._in_packet["packet"])
        if plain is None:
            return super()._handle_publish()
        with self._in_callback_mutex:  # held so by paho, too: nothing is sent from inside
            self._on_plain(*plain)
        return MQTTErrorCode.MQTT_ERR_SUCCESS

    def _handle_pubackcomp(self, cmd: Literal["PUBACK", "PUBCOMP"]) -> MQTTErrorCode:
        packet = self._in_packet["packet"]
        if cmd != "PUBACK" or len(packet) != _PUBACK_BYTES:
            return super()._handle_pubackcomp(cmd)
        mid = int.from_bytes(packet, "big")
        with self._out_message_mutex:
            if mid in self._out_messages:
                return self._do_on_publish(mid, _DONE, _NOTHING)
        return MQTTErrorCode.MQTT_ERR_SUCCESS


def _plain(head: int, packet: bytes | bytearray) -> tuple[str, bytes, int] | None:
    """Read a PUBLISH packet of QoS 1 without properties (MQTT 5, 3.3); None: it is another, or none."""
    topic = 2 + int.from_bytes(packet[:2], "big")
    if head & _QOS != _QOS_1 or len(packet) < topic + 3 or packet[topic + 2]:
        return None
    try:
        name = packet[2:topic].decode()
    except UnicodeDecodeError:
        return None
    return name, bytes(packet[topic + 3 :]), int.from_bytes(packet[topic : topic + 2], "big")
