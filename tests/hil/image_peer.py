"""A small SMP image server on a socket: enough of a board for uploads on a faulty line."""

from __future__ import annotations

import contextlib
import hashlib
import socket
import struct
import threading
from typing import Any, Self

import cbor2

from hil.smp.frames import Scanner, encode
from hil.wire.record import Kind

ECHO, RESET, STATE, UPLOAD, ERASE = (0, 0), (0, 5), (1, 0), (1, 1), (1, 5)


class ImagePeer:
    """Answers os.echo, os.reset and the img group; boots nothing."""

    def __init__(self, *, noise: bytes = b"") -> None:
        self.running = hashlib.sha256(b"running").digest()
        self.image = bytearray()
        self.wanted, self.sha = 0, b""
        self.pending = False
        self.shown: bytes | None = None
        self.broken = False
        self.acted: list[tuple[int, int, bytes]] = []
        self._noise = noise
        self._server = socket.create_server(("127.0.0.1", 0))
        self.url = f"socket://127.0.0.1:{self._server.getsockname()[1]}"
        self._stop = threading.Event()
        self.connected = threading.Event()
        self._client: socket.socket | None = None
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for end in (self._client, self._server):
            if end is not None:
                with contextlib.suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)
        self._thread.join(30)
        self._server.close()

    def hang_up(self) -> None:
        """Close the line, as a board does whose power is lost."""
        if self._client is not None:
            self._client.shutdown(socket.SHUT_RDWR)

    def _serve(self) -> None:
        while not self._stop.is_set():
            try:
                client, _ = self._server.accept()
            except OSError:
                return
            self._client = client
            self.connected.set()
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with client:
                try:
                    self._talk(client)
                except OSError:
                    continue

    def _talk(self, client: socket.socket) -> None:
        scanner = Scanner()
        while data := client.recv(65_536):
            for part in scanner.feed(data):
                if part.kind is Kind.MESSAGE and (answer := self._answer(part.data)):
                    client.sendall(self._noise + encode(answer))

    def _answer(self, message: bytes) -> bytes | None:
        first, _, _, group, sequence, number = struct.unpack_from(">BBHHBB", message)
        if first & 1:
            return None
        try:
            body = cbor2.loads(message[8:])
        except (cbor2.CBORDecodeError, ValueError):
            return None
        if (group, number) not in {UPLOAD, ECHO} and first & 2:
            self.acted.append((group, number, message[8:]))
        said = cbor2.dumps(self._do((group, number), body, write=bool(first & 2)))
        return struct.pack(">BBHHBB", first | 1, 0, len(said), group, sequence, number) + said

    def _do(self, command: tuple[int, int], body: dict[str, Any], *, write: bool) -> dict[str, Any]:
        if command == ECHO:
            return {"r": body["d"]}
        if command == UPLOAD:
            return self._upload(body)
        if command == STATE:
            if write and body.get("hash") == self.hash:
                self.pending = True
            return {"images": 7} if self.broken else {"images": self._images()}
        if command == ERASE:
            self.image.clear()
            self.wanted = 0
            return {}
        return {} if command == RESET else {"rc": 8}

    def _upload(self, body: dict[str, Any]) -> dict[str, Any]:
        if body["off"] == 0 and (body["sha"], body["len"]) != (self.sha, self.wanted):
            self.sha, self.wanted = body["sha"], body["len"]
            self.image.clear()
        if body["off"] == len(self.image):
            self.image += body["data"]
        off = len(self.image)
        return {"off": off, **({"match": self.hash == self.sha} if off == self.wanted else {})}

    @property
    def hash(self) -> bytes:
        return hashlib.sha256(self.image).digest()

    def _images(self) -> list[dict[str, Any]]:
        images: list[dict[str, Any]] = [
            {"slot": 0, "version": "1.0.0", "hash": self.running, "active": True, "confirmed": True}
        ]
        if self.wanted and len(self.image) == self.wanted:
            images.append(
                {"slot": 1, "version": "1.0.1", "hash": self.shown or self.hash, "pending": self.pending}
            )
        return images
