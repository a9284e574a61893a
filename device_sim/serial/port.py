"""Serial ports that a device is found at: a pseudo-terminal, or one TCP client at a time.

    pty              a new pseudo-terminal
    pty:LINK         the same, and LINK is a symbolic link to it for as long as the device runs
    tcp:PORT         127.0.0.1, or another address as tcp:HOST:PORT; port 0 takes any that is free

A pseudo-terminal keeps its far end open, so that a client may come and go. What is sent while nobody
reads waits in a short queue; the oldest goes first when that is full.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import tty
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Final, Protocol

from keys.errors import InputError, UnavailableError

QUEUE_BYTES_MAX: Final = 65_536
"""Bytes that wait for a reader."""
TAKEN: Final = b"tocsin: somebody else is on this line\r\n"
_READ_BYTES: Final = 4_096
_DIGITS_MAX: Final = 5
_HOST: Final = "127.0.0.1"
_MEND: Final = "Write pty, pty:LINK, tcp:PORT or tcp:HOST:PORT."


class Port(Protocol):
    """One serial line, seen from the board."""

    @property
    def url(self) -> str:
        """What pyserial opens, once the port is open."""
        ...

    async def open(self, take: Callable[[bytes], None]) -> None:
        """Open it; ``take`` gets what comes in (UnavailableError, InputError)."""
        ...

    async def attended(self) -> None:
        """Wait for somebody to whom the first line would be lost otherwise."""
        ...

    def write(self, data: bytes) -> None:
        """Send whole lines."""
        ...

    async def close(self) -> None:
        """Close it."""
        ...


def parse_port(text: str) -> Port:
    """Return the port that an option names, not opened yet.

    Raises:
        InputError: SERIAL_PORT.
    """
    kind, _, rest = text.partition(":")
    if kind == "pty" and (rest or ":" not in text):
        return PtyPort(Path(rest) if rest else None)
    host, _, number = rest.rpartition(":")
    digits = number.isascii() and number.isdigit() and len(number) <= _DIGITS_MAX
    if kind == "tcp" and digits and int(number) <= 65_535:
        return TcpPort(host.removeprefix("[").removesuffix("]") or _HOST, int(number))
    raise InputError("SERIAL_PORT", f"'{text}' is no serial port.", mend=_MEND)


class PtyPort:
    """A pseudo-terminal.

    Args:
        link: symbolic link to be made to it; one that is there already is replaced.
    """

    def __init__(self, link: Path | None = None) -> None:
        self._link = link
        self._master = self._slave = -1
        self._name = ""
        self._unsent: deque[bytes] = deque()
        self._waiting = 0

    @property
    def url(self) -> str:
        """The link, or the terminal's own name."""
        return str(self._link) if self._link is not None else self._name

    async def open(self, take: Callable[[bytes], None]) -> None:
        """Open it raw, and make the link (InputError: SERIAL_LINK; UnavailableError: SERIAL_PORT)."""
        try:
            self._master, self._slave = os.openpty()
        except OSError as error:
            raise _unavailable("A pseudo-terminal", error) from None
        tty.setraw(self._slave)
        os.set_blocking(self._master, False)
        self._name = os.ttyname(self._slave)
        try:
            self._make_link()
        except BaseException:
            os.close(self._master)
            os.close(self._slave)
            raise
        asyncio.get_running_loop().add_reader(self._master, self._read, take)

    async def attended(self) -> None:
        """Return at once: a terminal keeps the first lines for whoever comes."""

    def write(self, data: bytes) -> None:
        """Send whole lines; the oldest that nobody has read go when there are too many."""
        self._unsent.append(data)
        self._waiting += len(data)
        while self._waiting > QUEUE_BYTES_MAX and len(self._unsent) > 2:
            lost = self._unsent[1]  # the first one may be half sent
            del self._unsent[1]
            self._waiting -= len(lost)
        self._flush()

    async def close(self) -> None:
        """Close it, and take the link away unless somebody else's stands there by now."""
        loop = asyncio.get_running_loop()
        loop.remove_reader(self._master)
        loop.remove_writer(self._master)
        if self._link is not None:
            with contextlib.suppress(OSError):
                if str(self._link.readlink()) == self._name:
                    self._link.unlink()
        os.close(self._master)
        os.close(self._slave)

    def _read(self, take: Callable[[bytes], None]) -> None:
        with contextlib.suppress(BlockingIOError):
            take(os.read(self._master, _READ_BYTES))

    def _flush(self) -> None:
        loop = asyncio.get_running_loop()
        while self._unsent:
            try:
                sent = os.write(self._master, self._unsent[0])
            except BlockingIOError:
                loop.add_writer(self._master, self._flush)
                return
            self._waiting -= sent
            if sent < len(self._unsent[0]):
                self._unsent[0] = self._unsent[0][sent:]
            else:
                self._unsent.popleft()
        loop.remove_writer(self._master)

    def _make_link(self) -> None:
        """Put the link in place at once, so that whoever looks finds the old one or the new one."""
        link = self._link
        if link is None:
            return
        if os.path.lexists(link) and not link.is_symlink():
            message = "A file stands where the link to the serial port should be."
            raise InputError("SERIAL_LINK", message, mend="Name another link.", where=str(link))
        draft = link.with_name(f".{os.getpid()}.{id(self):x}")
        try:
            draft.unlink(missing_ok=True)
            draft.symlink_to(self._name)
            draft.replace(link)
        except OSError as error:
            with contextlib.suppress(OSError):
                draft.unlink(missing_ok=True)
            raise _unavailable(f"The link {link}", error) from None


class TcpPort:
    """One TCP client at a time; what is sent while nobody is there is lost, as on a wire.

    The board may speak as soon as the first client is there. pyserial empties its buffer at the end of
    ``open()``; whoever wants the first line through it has to keep it from that, as ``hil`` does.

    Args:
        host: address to listen at.
        port: number; 0 takes any that is free.
    """

    def __init__(self, host: str, port: int) -> None:
        self._host = host
        self._port = port
        self._server: asyncio.Server | None = None
        self._client: asyncio.Transport | None = None
        self._attended = asyncio.Event()
        self._take: Callable[[bytes], None] = lambda _: None

    @property
    def url(self) -> str:
        """The address, for pyserial."""
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"socket://{host}:{self._port}"

    async def open(self, take: Callable[[bytes], None]) -> None:
        """Listen (UnavailableError: SERIAL_PORT)."""
        self._take = take
        loop = asyncio.get_running_loop()
        try:
            self._server = await loop.create_server(lambda: _Client(self), self._host, self._port)
        except (OSError, UnicodeError) as error:  # a name that cannot be looked up may be either
            raise _unavailable(f"The port {self._port} of {self._host}", error) from None
        self._port = self._server.sockets[0].getsockname()[1]

    async def attended(self) -> None:
        """Wait for the first client."""
        await self._attended.wait()

    def write(self, data: bytes) -> None:
        """Send whole lines to the client, unless it has not read for long."""
        client = self._client
        if client is None or client.is_closing():  # cut off in the middle of what it asked for
            return
        if client.get_write_buffer_size() <= QUEUE_BYTES_MAX:
            client.write(data)

    async def close(self) -> None:
        """Send what waits, and hang up."""
        if self._server is not None:
            self._server.close()
        if self._client is not None:
            self._client.close()

    def come(self, client: asyncio.Transport) -> bool:
        """Take a client; False when there is one already."""
        if self._client is not None:
            return False
        sock = client.get_extra_info("socket")
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._client = client
        self._attended.set()
        return True

    def gone(self, client: asyncio.Transport) -> None:
        """Let the next one come."""
        if self._client is client:
            self._client = None

    def heard(self, client: asyncio.Transport, data: bytes) -> None:
        """Take what the client sent."""
        if self._client is client:
            self._take(data)


class _Client(asyncio.Protocol):
    """One connection."""

    def __init__(self, port: TcpPort) -> None:
        self._port = port
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        if not self._port.come(transport):
            transport.write(TAKEN)
            transport.close()

    def data_received(self, data: bytes) -> None:
        assert self._transport is not None
        self._port.heard(self._transport, data)

    def connection_lost(self, _error: Exception | None) -> None:
        assert self._transport is not None
        self._port.gone(self._transport)


def _unavailable(what: str, error: Exception) -> UnavailableError:
    why = getattr(error, "strerror", None) or "no such name"
    return UnavailableError("SERIAL_PORT", f"{what} cannot be opened ({why}).", mend="Choose another one.")
