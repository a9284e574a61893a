"""Brings a payload over HTTPS: a byte range at a time of one resource, in a thread of its own.

Pieces come to the event loop in order, a few at a time: a thread that is ahead of the disk waits. What an
address may be and when to try again is the core's business; here one attempt is made, and it ends with a
reason.
(RFC 9110, sections 13.1.5 and 14.)
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import socket
import ssl
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urljoin, urlsplit

from keys.reasons import Reason

if TYPE_CHECKING:
    import http.client

TRANSFERS_MAX: Final = 32
"""At a time in one process; further ones wait for their turn."""
PIECE_BYTES: Final = 524_288
"""Each piece wakes the event loop and the core: half as many take a quarter off the time of a download."""
PIECE_SECONDS: Final = 1.0
"""A slow payload is handed over in smaller pieces, so often at least."""
PIECES_AHEAD: Final = 2
"""Pieces that were read and not yet written."""
TIMEOUT_S: Final = 30.0
REDIRECTS_MAX: Final = 3
_READ_BYTES: Final = 16_384  # a record of TLS
_RANGE: Final = re.compile(r"bytes (\d+)-(\d+)/(\d+)")
_GONE: Final = frozenset({400, 401, 403, 404, 405, 410, 414, 451})


class _EndError(Exception):
    """The attempt is over."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


@lru_cache(maxsize=1)
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(TRANSFERS_MAX, thread_name_prefix="payload")


class Transfer:
    """One attempt to bring the rest of a payload. Made in the event loop, and its callbacks run there.

    Args:
        uri: ``https://`` or ``http://`` address.
        offset: first byte wanted.
        size: bytes of the whole payload.
        on_piece: called with offset and bytes, in order; call :meth:`taken` when they are written.
        on_end: called once, unless stopped: OK when all has come, else why not, and a word on it.
            CONNECTION_LOST is worth another attempt; BAD_URI: it is not there; DIGEST_MISMATCH: it is another
            one, or of another size; TOO_BIG: it does not end; UNSUPPORTED_PROTOCOL: ranges cannot bring it.
        tls: context for ``https://``.
        tag: entity tag that an earlier attempt found; another one now is a DIGEST_MISMATCH.
        rate: bytes a second at most; None: no limit.
    """

    def __init__(
        self,
        uri: str,
        offset: int,
        size: int,
        on_piece: Callable[[int, bytes], None],
        on_end: Callable[[Reason, str], None],
        *,
        tls: ssl.SSLContext | None = None,
        tag: str | None = None,
        rate: int | None = None,
    ) -> None:
        self.uri = uri
        self.tag = tag
        """Entity tag of the resource, once known."""
        self._offset = offset
        self._size = size
        self._on_piece = on_piece
        self._on_end = on_end
        self._tls = tls
        self._rate = rate
        self._loop = asyncio.get_running_loop()
        self._room = threading.Semaphore(PIECES_AHEAD)
        self._stopped = threading.Event()
        self._connection: http.client.HTTPConnection | None = None
        self._socket: socket.socket | None = None
        """Of the connection, which forgets it as soon as an answer says that it is the last one."""
        self._work: Future[None] = _pool().submit(self._run)

    def taken(self) -> None:
        """Say that one more piece has been dealt with."""
        self._room.release()

    def stop(self) -> None:
        """Give up; nothing is called back any more."""
        self._stopped.set()
        self._work.cancel()
        self._room.release()
        if self._socket is not None:
            with contextlib.suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)  # wakes a thread that waits for bytes

    # In the thread.

    def _run(self) -> None:
        import http.client  # noqa: PLC0415 - a device that never downloads this way saves its memory

        try:
            self._bring()
        except _EndError as error:
            self._tell(self._ended, error.reason, str(error))
        except ssl.SSLCertVerificationError as error:
            self._tell(
                self._ended, Reason.CONNECTION_LOST, f"the server's certificate: {error.verify_message}"
            )
        except (OSError, http.client.HTTPException, ValueError) as error:
            self._tell(self._ended, Reason.CONNECTION_LOST, str(error) or type(error).__name__)
        else:
            self._tell(self._ended, Reason.OK, "")
        finally:
            if self._connection is not None:
                self._connection.close()

    def _tell(self, what: Callable[..., None], *arguments: Any) -> None:
        with contextlib.suppress(RuntimeError):  # the loop has ended
            self._loop.call_soon_threadsafe(what, *arguments)

    def _ended(self, reason: Reason, detail: str) -> None:
        if not self._stopped.is_set():
            self._on_end(reason, detail)

    def _piece(self, offset: int, data: bytes) -> None:
        if not self._stopped.is_set():
            self._on_piece(offset, data)

    def _bring(self) -> None:
        response, offset = self._answer(), self._offset
        self._skip(response, self._begin(response))
        while offset < self._size:
            began = time.monotonic()
            data = self._read(response, self._size - offset)
            self._room.acquire()
            if self._stopped.is_set():
                return
            self._tell(self._piece, offset, data)
            offset += len(data)
            if self._rate is not None:
                self._stopped.wait(len(data) / self._rate - (time.monotonic() - began))
        if response.read(1):
            raise _EndError(Reason.TOO_BIG, f"more than {self._size} bytes")

    def _answer(self) -> http.client.HTTPResponse:
        """Ask, and follow to where the answer is."""
        uri = self.uri
        for _ in range(REDIRECTS_MAX + 1):
            response = self._ask(uri)
            where = response.getheader("Location")
            if response.status not in {301, 302, 303, 307, 308} or where is None:
                return response
            response.close()
            secure = uri.startswith("https:")
            uri = urljoin(uri, where)
            if secure and not uri.startswith("https:"):
                raise _EndError(Reason.BAD_URI, "it leads away from HTTPS")
        raise _EndError(Reason.BAD_URI, f"more than {REDIRECTS_MAX} redirections")

    def _ask(self, uri: str) -> http.client.HTTPResponse:
        import http.client  # noqa: PLC0415 - see _run

        try:
            parts = urlsplit(uri)
            _ = parts.port
        except ValueError:
            raise _EndError(Reason.BAD_URI, "it is no address") from None
        if parts.scheme not in {"https", "http"} or not parts.hostname or parts.username:
            raise _EndError(Reason.BAD_URI, "it is not https://HOST/PATH")
        if self._connection is not None:
            self._connection.close()
        if parts.scheme == "https":
            context = self._tls or ssl.create_default_context()
            self._connection = http.client.HTTPSConnection(parts.netloc, timeout=TIMEOUT_S, context=context)
        else:
            self._connection = http.client.HTTPConnection(parts.netloc, timeout=TIMEOUT_S)
        self._connection.connect()
        self._socket = self._connection.sock
        if self._stopped.is_set():
            raise _EndError(Reason.CONNECTION_LOST, "stopped")
        headers = {"Accept-Encoding": "identity"}
        if self._offset:
            headers["Range"] = f"bytes={self._offset}-{self._size - 1}"
        path = parts.path or "/"
        self._connection.request("GET", f"{path}?{parts.query}" if parts.query else path, headers=headers)
        return self._connection.getresponse()

    def _begin(self, response: http.client.HTTPResponse) -> int:
        """Judge the head of an answer; return how many bytes precede those that are wanted."""
        status, tag = response.status, response.getheader("ETag")
        if status in _GONE:
            raise _EndError(Reason.BAD_URI, f"status {status}")
        if status == 416:
            raise _EndError(Reason.DIGEST_MISMATCH, f"it has no byte {self._offset}")
        if status not in {200, 206}:
            raise _EndError(Reason.CONNECTION_LOST, f"status {status}")
        if response.getheader("Content-Encoding", "identity") != "identity":
            raise _EndError(Reason.UNSUPPORTED_PROTOCOL, "it is encoded, and has no byte ranges of its own")
        if self.tag is not None and tag is not None and tag != self.tag:
            raise _EndError(Reason.DIGEST_MISMATCH, "it has changed since the download began")
        self.tag = tag
        total, first = response.length, 0
        if status == 206:
            found = _RANGE.fullmatch(response.getheader("Content-Range", ""))
            if found is None:
                raise _EndError(Reason.UNSUPPORTED_PROTOCOL, "a part of it that is not said to be which")
            first, total = int(found[1]), int(found[3])
            if first != self._offset:
                raise _EndError(Reason.UNSUPPORTED_PROTOCOL, f"the part from byte {first}")
        if total is not None and total != self._size:
            raise _EndError(Reason.DIGEST_MISMATCH, f"it has {total} bytes, not {self._size}")
        return self._offset - first

    def _skip(self, response: http.client.HTTPResponse, count: int) -> None:
        """Pass over what is here already: the server knows no ranges."""
        while count:
            count -= len(self._read(response, count))

    def _read(self, response: http.client.HTTPResponse, room: int) -> bytes:
        """Return the next piece: a whole one, or as much as comes in a second."""
        wanted, until = min(room, PIECE_BYTES), time.monotonic() + PIECE_SECONDS
        parts: list[bytes] = []
        while wanted and not self._stopped.is_set():
            came = response.read1(min(wanted, _READ_BYTES))  # as it comes: no record is read in two turns
            if not came and not parts:
                raise _EndError(Reason.CONNECTION_LOST, "it ended too early")
            if not came:
                break  # what has come is kept
            parts.append(came)
            wanted -= len(came)
            if time.monotonic() > until:
                break
        return b"".join(parts)
