"""A socket that reads and writes in large pieces, in the place of the one that paho would use.

paho reads a packet's head byte by byte and sends packet by packet, a system call each. Between paho and the
system this keeps what was read ahead, and what is to be sent until :meth:`BufferedSocket.flush`.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
from typing import Any, Final

import paho.mqtt.client as mqtt
from paho.mqtt.properties import Properties

READ_BYTES: Final = 65_536
UNSENT_BYTES_MAX: Final = 1_048_576  # kept for a broker that does not read; then paho has to wait


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


class Client(mqtt.Client):
    """paho's client on a :class:`BufferedSocket`."""

    def _create_socket(self) -> Any:
        raw: Any = super()._create_socket()
        with contextlib.suppress(OSError):
            raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return BufferedSocket(raw)
