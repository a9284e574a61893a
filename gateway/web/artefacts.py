"""Payloads over HTTP: whole, in ranges, and again from where they broke off.

    GET  /artefact/<sha256>      a firmware image, a delta, any payload

An address names its content, so an answer may be kept for ever, and its entity tag is the digest. Many
who download at a time share one rate, and more than so many are asked to come again: what a device must
be told goes before what it must be sent.
"""

from __future__ import annotations

import asyncio
import os
import re
import secrets
import stat
import time
from collections.abc import AsyncIterator, Callable, Iterator
from functools import partial
from http import HTTPStatus
from pathlib import Path
from typing import Final

import anyio
import anyio.to_thread
from fastapi import FastAPI, Request, Response
from starlette.responses import StreamingResponse
from starlette.types import Message, Receive, Scope, Send

from gateway.core.ranges import Part, judge
from gateway.core.rate import HTTP_BYTES_PER_SECOND, Pace
from gateway.web.problems import Problem

TRANSFERS_MAX: Final = 256  # at a time; others are told to come again
RETRY_SECONDS: Final = 5
STALLED_SECONDS: Final = 60.0  # who took nothing for so long gives way to the next where there is no place
PIECE_BYTES: Final = 256 * 1024
_KIND: Final = "application/octet-stream"
_SHA256: Final = re.compile(r"[0-9a-f]{64}")
_PART_HEAD: Final = (
    "--{boundary}\r\nContent-Type: {kind}\r\nContent-Range: bytes {first}-{last}/{size}\r\n\r\n"
)


class Artefacts:
    """The folder of payloads, and those who are being sent some.

    Args:
        folder: of payloads by hexadecimal SHA-256.
        per_second: bytes to all together; None: as fast as it goes.
    """

    def __init__(self, folder: Path, *, per_second: int | None = HTTP_BYTES_PER_SECOND) -> None:
        self._folder = folder
        self._pace = None if per_second is None else Pace(per_second)
        self._under_way: set[_Sending] = set()

    async def answer(self, digest: str, request: Request) -> Response:
        """Return what a request for a payload gets.

        Raises:
            Problem: 404 where there is none, 412, 416, or 503 when too many are being sent already.
        """
        if _SHA256.fullmatch(digest) is None:
            raise _unknown()
        handle, size = await anyio.to_thread.run_sync(_open, self._folder / digest)
        try:
            tag = f'"{digest}"'
            headers = {
                "Accept-Ranges": "bytes",
                "Cache-Control": "public, max-age=31536000, immutable",
                "ETag": tag,
            }
            found = judge(request.method, request.headers, tag, size)
            if found.status in {HTTPStatus.OK, HTTPStatus.PARTIAL_CONTENT}:
                response = self._sent(request.method, handle, found.parts, size, headers)
                if isinstance(response, _Sending):
                    handle = -1  # it closes the file itself
                return response
            if found.status is HTTPStatus.NOT_MODIFIED:
                return Response(status_code=found.status, headers=headers)
            if found.status is HTTPStatus.PRECONDITION_FAILED:
                raise Problem(found.status, "PRECONDITION_FAILED", "It is not what you have a tag of.")
            about = {"Content-Range": f"bytes */{size}", "Accept-Ranges": "bytes"}
            raise Problem(found.status, "NO_SUCH_RANGE", f"It has {size} bytes.", about)
        finally:
            if handle >= 0:
                os.close(handle)

    def _sent(
        self, method: str, handle: int, parts: tuple[Part, ...], size: int, headers: dict[str, str]
    ) -> Response:
        """Return the answer that brings the parts, or the whole."""
        status, kind = HTTPStatus.OK, _KIND
        plan: list[bytes | Part] = [(0, size)] if size else []
        if len(parts) == 1:
            status, plan = HTTPStatus.PARTIAL_CONTENT, [parts[0]]
            headers["Content-Range"] = f"bytes {parts[0][0]}-{parts[0][1] - 1}/{size}"
        elif parts:
            boundary = secrets.token_hex(16)
            status, kind = HTTPStatus.PARTIAL_CONTENT, f"multipart/byteranges; boundary={boundary}"
            plan = list(_multipart(parts, size, boundary))
        length = sum(len(step) if isinstance(step, bytes) else step[1] - step[0] for step in plan)
        headers |= {"Content-Length": str(length), "Content-Type": kind}
        if method == "HEAD":
            return Response(status_code=status, headers=headers)
        if len(self._under_way) >= TRANSFERS_MAX and not self._drop_stalled():
            again = {"Retry-After": str(RETRY_SECONDS)}
            raise Problem(HTTPStatus.SERVICE_UNAVAILABLE, "TOO_MANY_DOWNLOADS", "Too many at a time.", again)
        sending = _Sending(self._pieces(handle, plan), status, headers, partial(self._over, handle))
        self._under_way.add(sending)
        return sending

    def _drop_stalled(self) -> bool:
        """End the transfer whose client has taken nothing for the longest time; say whether there was one."""
        waiting = [sending for sending in self._under_way if sending.stalled() >= STALLED_SECONDS]
        if not waiting:
            return False
        longest = max(waiting, key=_Sending.stalled)
        self._under_way.remove(longest)
        longest.scope.cancel()
        return True

    def _over(self, handle: int, sending: _Sending) -> None:
        self._under_way.discard(sending)
        os.close(handle)

    async def _pieces(self, handle: int, plan: list[bytes | Part]) -> AsyncIterator[bytes]:
        for step in plan:
            if isinstance(step, bytes):
                yield step
                continue
            offset, end = step
            while offset < end:
                count = min(PIECE_BYTES, end - offset)
                if self._pace is not None and (pause := self._pace.wait(time.monotonic(), count)) > 0:
                    await asyncio.sleep(pause)
                data = await anyio.to_thread.run_sync(os.pread, handle, count, offset)
                if not data:
                    return  # somebody cut the file off; the length that was promised says so
                offset += len(data)
                yield data


class _Sending(StreamingResponse):
    """Pieces of a file; whatever becomes of the client, ``over`` is called once."""

    def __init__(
        self,
        pieces: AsyncIterator[bytes],
        status: int,
        headers: dict[str, str],
        over: Callable[[_Sending], None],
    ) -> None:
        super().__init__(pieces, status, headers)
        self._over = over
        self._offered: float | None = None
        self.scope = anyio.CancelScope()
        """Cancelled, it ends the connection."""

    def stalled(self) -> float:
        """Return for how many seconds the client has not taken what it was offered."""
        return 0.0 if self._offered is None else time.monotonic() - self._offered

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def offer(message: Message) -> None:
            self._offered = time.monotonic()
            await send(message)
            self._offered = None

        try:
            with self.scope:
                await super().__call__(scope, receive, offer)
        finally:
            self._over(self)


def add(app: FastAPI, artefacts: Artefacts) -> None:
    """Add the address of payloads to an application."""

    @app.head("/artefact/{digest}", include_in_schema=False)
    @app.get("/artefact/{digest}", summary="A payload by the SHA-256 of its bytes, whole or in ranges")
    async def artefact(digest: str, request: Request) -> Response:
        return await artefacts.answer(digest, request)


def _open(path: Path) -> tuple[int, int]:
    """Open a payload; return its handle and size."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError:
        raise _unknown() from None
    about = os.fstat(handle)
    if not stat.S_ISREG(about.st_mode):
        os.close(handle)
        raise _unknown()
    return handle, about.st_size


def _unknown() -> Problem:
    return Problem(HTTPStatus.NOT_FOUND, "NOT_FOUND", "There is no such payload.")


def _multipart(parts: tuple[Part, ...], size: int, boundary: str) -> Iterator[bytes | Part]:
    for place, (start, end) in enumerate(parts):
        head = _PART_HEAD.format(boundary=boundary, kind=_KIND, first=start, last=end - 1, size=size)
        yield ("\r\n" * (place > 0) + head).encode()
        yield start, end
    yield f"\r\n--{boundary}--\r\n".encode()
