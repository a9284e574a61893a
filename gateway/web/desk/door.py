"""Who may come in: one browser on this machine, and nothing that another page makes it send.

The address that the command prints holds a token that counts once. It is changed for a cookie that scripts
cannot read, that goes to the desk's own secret path only (so that another port of this machine never gets
it), and that no other site's page makes the browser send. Every request must name this very host and port,
which a name that an attacker points at 127.0.0.1 cannot; every form must come from our own page.
"""

from __future__ import annotations

import hmac
import re
import secrets
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

COOKIE: Final = "tocsin-desk"
POLICY: Final = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; frame-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
OUTPUT_POLICY: Final = (
    "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'self'"
)
"""Of an output shown in a frame: it may be styled by itself, and nothing else."""
IDLE_SECONDS: Final = 1_800
"""So long without a request, the desk ends: whoever left it open need not have locked the machine."""
FORM: Final = "application/x-www-form-urlencoded"
_HEADERS: Final = {
    "Cache-Control": "no-store",
    # Not "no-referrer": with that, browsers send "Origin: null" along with our own forms.
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}
_CLOSED: Final = "This desk does not know your browser. Start the desk again: its address opens once."


def _secret() -> str:
    return secrets.token_urlsafe(32)


@dataclass(slots=True)
class Door:
    """The secrets of one running desk.

    Args:
        host: ``127.0.0.1:PORT``, as the browser must name it.
    """

    host: str
    token: str = field(default_factory=_secret, repr=False)
    """In the address; counts once."""
    room: str = field(default_factory=_secret, repr=False)
    """First part of every path."""
    session: str = field(default_factory=_secret, repr=False)
    """The cookie's value."""
    form: str = field(default_factory=_secret, repr=False)
    """Stands in every form of ours."""
    used: bool = False
    last: float = 0.0
    """UTC seconds at which somebody came in last."""

    @property
    def url(self) -> str:
        """The address to open."""
        return f"http://{self.host}/open/{self.token}"

    @property
    def home(self) -> str:
        """Path of the first page."""
        return f"/{self.room}/"

    @property
    def cookie(self) -> str:
        """The header that lets the browser in."""
        return f"{COOKIE}={self.session}; Path={self.home}; HttpOnly; SameSite=Strict"

    def opened(self, token: str) -> bool:
        """Take the token; True once."""
        right = _same(token, self.token) and not self.used
        self.used = self.used or right
        return right

    def refuses(
        self, method: str, path: str, headers: Iterable[tuple[bytes, bytes]]
    ) -> tuple[int, str] | None:
        """Return status and words of a refusal, or None to let a request in.

        Args:
            method: of the request.
            path: without its query.
            headers: names in lower case.
        """
        found: dict[str, list[str]] = {}
        for name, value in headers:
            found.setdefault(name.decode("latin-1").lower(), []).append(value.decode("latin-1"))
        if found.get("host") != [self.host]:
            return HTTPStatus.MISDIRECTED_REQUEST, "This is not the address of the desk."
        if method not in {"GET", "POST"}:
            return HTTPStatus.METHOD_NOT_ALLOWED, "This is not done here."
        if method == "GET" and re.fullmatch(r"/open/[\w-]+", path):
            return None
        if not self._is_inside(path, found) or not self._is_own(method, found):
            return HTTPStatus.FORBIDDEN, _CLOSED
        return None

    def _is_inside(self, path: str, headers: dict[str, list[str]]) -> bool:
        """Say whether a request knows both secrets: the path and the cookie."""
        if not _same(path.partition("/")[2].partition("/")[0], self.room):
            return False
        return any(_same(value, self.session) for value in _cookies(headers.get("cookie", [])))

    def _is_own(self, method: str, headers: dict[str, list[str]]) -> bool:
        """Say whether our own page or the person asked for it, not a page of another site."""
        if headers.get("sec-fetch-site", ["none"]) not in (["none"], ["same-origin"]):
            return False
        if method == "GET":
            return True
        kind = headers.get("content-type", [""])[0].partition(";")[0].strip().lower()
        return headers.get("origin") == [f"http://{self.host}"] and kind == FORM

    def came(self, now: float) -> None:
        """Note that somebody who may do so asked for something, or that the desk opened."""
        self.last = now

    def idle(self, now: float) -> bool:
        """Say whether nobody has asked for anything for so long that the desk closes.

        Args:
            now: UTC seconds.
        """
        return not 0 <= now - self.last < IDLE_SECONDS

    def is_form(self, given: str) -> bool:
        """Say whether a form carries what ours carry."""
        return _same(given, self.form)


def _same(given: str, secret: str) -> bool:
    return hmac.compare_digest(given.encode(), secret.encode())


def _cookies(headers: list[str]) -> list[str]:
    pairs = (part.strip().partition("=") for header in headers for part in header.split(";"))
    return [value for name, _, value in pairs if name == COOKIE]


class Guard:
    """Stands before the application: refuses, and puts the headers on every answer."""

    def __init__(self, app: ASGIApp, door: Door, now: Callable[[], float]) -> None:
        self._app, self._door, self._now = app, door, now

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                own = {name for name, _ in message.setdefault("headers", [])}
                wanted = {"Content-Security-Policy": POLICY, **_HEADERS}
                message["headers"] += [
                    (name.lower().encode(), value.encode())
                    for name, value in wanted.items()
                    if name.lower().encode() not in own
                ]
            await send(message)

        refusal = self._door.refuses(scope["method"], scope["path"], scope["headers"])
        if refusal is None:
            # Any page of any site may knock at the outer door.
            inside = not scope["path"].startswith("/open/")
            if inside:
                self._door.came(self._now())
            await self._app(scope, receive, guarded)
            if inside:  # a token may have waited long for a finger
                self._door.came(self._now())
            return
        status, words = refusal
        body = f"{words}\n".encode()
        headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", b"%d" % len(body))]
        await guarded({"type": "http.response.start", "status": int(status), "headers": headers})
        await guarded({"type": "http.response.body", "body": body})
