"""Requests that are sent twice are carried out once: answers are kept under their Idempotency-Key for a day.

A key is claimed in the store before anything is done, and its answer kept after. Where a process died between
the two, nobody knows whether it was done: that is said, and it is never done again under that key.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final
from weakref import WeakValueDictionary

import anyio
import anyio.to_thread
from fastapi import Request, Response

from gateway.core.rights import Caller
from gateway.store import access
from gateway.store.access import Answered
from gateway.store.engine import Store
from gateway.web.api.binding import KEY_PATTERN
from gateway.web.problems import Problem
from keys.errors import UnavailableError

UNDER_WAY_SECONDS: Final = 60.0  # a request that was begun longer ago has died
_THREADS: Final = 2  # a connection each: the operations need theirs
_KEPT_HEADERS: Final = ("content-type", "location", "link", "etag")
_UNKEPT: Final = "x-answer-not-kept"  # stands in the store where an answer held a secret
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Repeat:
    """A request that may come twice."""

    caller: Caller
    key: str
    digest: bytes
    secret: bool
    """Its answer is kept nowhere."""


def repeat_of(request: Request, caller: Caller, body: bytes, *, secret: bool) -> Repeat | None:
    """Return what tells a repeated request; None without an Idempotency-Key.

    Raises:
        Problem: 400 BAD_KEY.
    """
    said = request.headers.getlist("idempotency-key")
    if not said:
        return None
    if len(said) > 1 or re.fullmatch(KEY_PATTERN, said[0]) is None:
        detail = "An Idempotency-Key is one text of 1 to 128 printable ASCII characters."
        raise Problem(HTTPStatus.BAD_REQUEST, "BAD_KEY", detail)
    parts = (
        *(request.method, request.url.path, request.url.query, request.headers.get("if-match", "")),
        hashlib.sha256(body).hexdigest(),
    )
    return Repeat(caller, said[0], hashlib.sha256("\n".join(parts).encode()).digest(), secret)


class Repeats:
    """What was asked lately, in the store.

    Args:
        store: in which it is kept.
        clock: UTC seconds.
    """

    def __init__(self, store: Store, clock: Callable[[], float]) -> None:
        self._store, self._clock = store, clock
        self._threads = anyio.CapacityLimiter(_THREADS)
        self._turns: WeakValueDictionary[tuple[str, str], asyncio.Lock] = WeakValueDictionary()

    async def once(self, repeat: Repeat, work: Callable[[], Awaitable[Response]]) -> Response:
        """Return the answer to a request that was answered before, or carry it out.

        Raises:
            Problem: 422 KEY_USED, 409 REQUEST_RUNNING, REQUEST_UNFINISHED, ANSWER_NOT_KEPT.
        """
        turn = self._turns.setdefault((repeat.caller.token, repeat.key), asyncio.Lock())
        async with turn:  # of one process; between processes it is the row that tells
            known = await anyio.to_thread.run_sync(self._begin, repeat, limiter=self._threads)
            if known is not None:
                return self._again(repeat, known)
            response = await work()
            try:
                await anyio.to_thread.run_sync(self._end, repeat, response, limiter=self._threads)
            except UnavailableError as error:  # it was done, and this asker hears so; a repeat does not
                _log.warning("the answer to a request was not kept: %s", error.code)
            return response

    def _begin(self, repeat: Repeat) -> Answered | None:
        with self._store.write() as session:
            return access.begin_request(
                session, repeat.caller.token, repeat.key, repeat.digest, self._clock()
            )

    def _end(self, repeat: Repeat, response: Response) -> None:
        with self._store.write() as session:
            if response.status_code == HTTPStatus.SERVICE_UNAVAILABLE:  # nothing was done
                access.drop_request(session, repeat.caller.token, repeat.key)
                return
            head = {name: value for name, value in response.headers.items() if name in _KEPT_HEADERS}
            body = bytes(response.body)
            if repeat.secret and response.status_code < HTTPStatus.BAD_REQUEST:
                head, body = {_UNKEPT: "1"}, b""
            status = response.status_code
            access.end_request(session, repeat.caller.token, repeat.key, status=status, head=head, body=body)

    def _again(self, repeat: Repeat, known: Answered) -> Response:
        if known.digest != repeat.digest:
            detail = "This Idempotency-Key was used for another request."
            mend = "Give each request a key of its own."
            raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, "KEY_USED", detail, mend=mend)
        if known.status == 0 and self._clock() < known.at + UNDER_WAY_SECONDS:
            detail = "This very request is being carried out."
            raise Problem(HTTPStatus.CONFLICT, "REQUEST_RUNNING", detail, {"Retry-After": "1"})
        if known.status == 0:
            detail = "This very request was begun and broke off: nobody knows whether it was carried out."
            mend = "Look what was done; then ask again with another key."
            raise Problem(HTTPStatus.CONFLICT, "REQUEST_UNFINISHED", detail, mend=mend)
        if _UNKEPT in known.head:
            detail = "This very request was carried out, and its answer, which held a secret, was not kept."
            mend = "Take back what it made, and ask again with another key."
            raise Problem(HTTPStatus.CONFLICT, "ANSWER_NOT_KEPT", detail, mend=mend)
        return Response(known.body, known.status, {**known.head, "Idempotent-Replayed": "true"})
