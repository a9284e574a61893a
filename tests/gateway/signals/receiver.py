"""A receiver of webhooks: a real server, which answers as a test tells it to."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import hmac
import json
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from fastapi import FastAPI, Request, Response

from gateway.web.server import listen, serve
from gateway.workspace.folder import Workspace

HOST = "127.0.0.1"
Reply = int | tuple[int, dict[str, str]]


@dataclass
class Receiver:
    """What came, and what is answered; ``replies`` are used up before ``always``."""

    url: str = ""
    port: int = 0
    came: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    replies: list[Reply] = field(default_factory=list)
    always: Reply = 204
    refused: dict[str, Reply] = field(default_factory=dict)
    """By the ``id`` in their data: messages that are always answered so."""
    hold: asyncio.Event = field(default_factory=asyncio.Event)
    """Answers wait for it."""
    some: asyncio.Event = field(default_factory=asyncio.Event)
    """Set whenever something came."""

    @property
    def ids(self) -> list[str]:
        return [headers["webhook-id"] for headers, _ in self.came]


def subject(body: bytes) -> str:
    """Return what a message is about, if it says so."""
    try:
        return str(json.loads(body)["data"]["id"])
    except (ValueError, KeyError, TypeError):
        return ""


def verified(secret: str, headers: dict[str, str], body: bytes) -> bool:
    """Check a message as the specification of Standard Webhooks tells receivers to."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    said = b".".join((headers["webhook-id"].encode(), headers["webhook-timestamp"].encode(), body))
    want = base64.b64encode(hmac.new(key, said, hashlib.sha256).digest()).decode()
    return f"v1,{want}" in headers["webhook-signature"].split(" ")


@contextlib.asynccontextmanager
async def receiving(tls: ssl.SSLContext | None = None) -> AsyncIterator[Receiver]:
    app, found = FastAPI(), Receiver()
    found.hold.set()

    @app.post("/hook")
    async def take(request: Request) -> Response:
        body = await request.body()
        found.came.append((dict(request.headers), body))
        found.some.set()
        await found.hold.wait()
        reply = found.refused.get(subject(body))
        if reply is None:
            reply = found.replies.pop(0) if found.replies else found.always
        status, headers = (reply, {}) if isinstance(reply, int) else reply
        return Response(status_code=status, headers=headers)

    stop, listener = asyncio.Event(), listen(HOST, 0)
    found.port = listener.getsockname()[1]
    found.url = f"{'http' if tls is None else 'https'}://{HOST}:{found.port}/hook"
    serving = asyncio.ensure_future(serve(app, listener, stop, tls))
    try:
        yield found
    finally:
        found.hold.set()
        stop.set()
        await serving


def workspace_in(folder: Path, **settings: object) -> Workspace:
    """A workspace whose webhooks may go to this machine."""
    made = Workspace.create(folder / "fleet", exercise=True)
    opened = {"webhook_networks": ("127.0.0.0/8",), **settings}
    return Workspace(made.path, replace(made.settings, **opened))  # type: ignore[arg-type]
