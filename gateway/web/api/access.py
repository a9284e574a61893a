"""Who asks: ``Authorization: Bearer``, held against the digests of the store.

Unknown, expired and revoked tokens look alike from outside (401); a token that lacks the right is told which
(403). An address that keeps failing is told to wait (429); whoever comes from there with a good token is not.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Final

import anyio
import anyio.to_thread
from fastapi import Request

from gateway.core.rate import Rates
from gateway.core.rights import Caller
from gateway.store import access
from gateway.store.engine import Store
from gateway.web.problems import Problem
from keys.errors import UnavailableError

THREADS: Final = 4  # tokens that are looked up at a time; the others wait
FAILURES_BURST: Final = 30  # bad tokens of one address at once
FAILURES_PER_SECOND: Final = 0.5
_TOKEN_LETTERS_MAX: Final = 256
_log = logging.getLogger(__name__)


class Access:
    """The door of the API: one a process.

    Args:
        store: of the workspace that is served.
        clock: UTC seconds.
        failures: how often an address may fail.
    """

    def __init__(
        self, store: Store, *, clock: Callable[[], float] = time.time, failures: Rates | None = None
    ) -> None:
        self._store, self.clock = store, clock
        self._failures = failures or Rates(FAILURES_BURST, FAILURES_PER_SECOND)
        self.threads = anyio.CapacityLimiter(THREADS)

    async def caller(self, request: Request, right: str | None) -> Caller:
        """Return who asks, when the token allows it; None asks for no right in particular.

        Raises:
            Problem: 401 UNAUTHENTICATED, 403 FORBIDDEN, 429 TOO_MANY_FAILURES.
        """
        token = _bearer(request)
        found = None
        if token is not None:
            found = await anyio.to_thread.run_sync(self._look_up, token, limiter=self.threads)
        if found is None:
            raise self._refused(request, named=token is not None)
        if right is not None and not found.may(right):
            held = 'Bearer error="insufficient_scope", scope="' + right + '"'
            raise Problem(
                HTTPStatus.FORBIDDEN,
                "FORBIDDEN",
                f"This token lacks the right {right}.",
                {"WWW-Authenticate": held},
                mend="Ask whoever manages tokens for one that has it.",
            )
        return found

    def _look_up(self, token: str) -> Caller | None:
        now = self.clock()
        with self._store.read() as session:
            found = access.find_caller(session, token, now)
            due = found is not None and access.unused_lately(session, found.token, now)
        if found is not None and due:
            try:
                with self._store.write() as session:
                    access.note_use(session, found.token, now)
            except UnavailableError as error:  # when it was last used is not worth refusing it
                _log.warning("the use of token %s was not written down: %s", found.token, error.code)
        return found

    def _refused(self, request: Request, *, named: bool) -> Problem:
        address = request.client.host if request.client is not None else ""
        if not self._failures.allow(address, self.clock()):
            return Problem(
                HTTPStatus.TOO_MANY_REQUESTS,
                "TOO_MANY_FAILURES",
                "Too many requests from this address came without a token that counts.",
                {"Retry-After": str(round(1 / FAILURES_PER_SECOND))},
                mend="Wait, and check the token.",
            )
        said = 'Bearer realm="tocsin"' + (', error="invalid_token"' if named else "")
        return Problem(
            HTTPStatus.UNAUTHORIZED,
            "UNAUTHENTICATED",
            "This token does not count: unknown, expired or revoked." if named else "A token is needed here.",
            {"WWW-Authenticate": said},
            mend="Send 'Authorization: Bearer' and a token of 'tocsin token new'.",
        )


def _bearer(request: Request) -> str | None:
    """Return the token of a request; None where there is none, or two headers that say it."""
    said = request.headers.getlist("authorization")
    scheme, _, token = said[0].partition(" ") if len(said) == 1 else ("", "", "")
    token = token.strip()
    if scheme.lower() != "bearer" or not token or len(token) > _TOKEN_LETTERS_MAX:
        return None
    return token


def caller(right: str | None) -> Callable[[Request], Awaitable[Caller]]:
    """Return the dependency of a FastAPI route that gives who asks, or ends the request with a problem.

    Args:
        right: such as ``status:read``; None: any token that counts.
    """

    async def depend(request: Request) -> Caller:
        door: Access = request.app.state.access
        return await door.caller(request, right)

    return depend
