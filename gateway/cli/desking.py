"""The desk at work: what ``tocsin desk`` does once its options are read."""

from __future__ import annotations

import asyncio
import contextlib
import re
import socket
import tempfile
import webbrowser
from collections.abc import Iterator
from pathlib import Path

import typer
from fastapi import FastAPI

from gateway import files
from gateway.cli.output import emit, now, open_workspace, say
from gateway.cli.running import run
from gateway.cli.sign_request import open_request
from gateway.web.desk import Door, RequestDesk, WorkspaceDesk, create_app
from gateway.web.desk.desk import Desk
from gateway.web.desk.door import IDLE_SECONDS
from gateway.web.server import listen, serve
from keys.errors import InputError

ADDRESS = "127.0.0.1"
_LOOK_SECONDS = 15


def open_desk(
    *,
    key: str | None,
    role: str | None,
    request: Path | None,
    key_uri: str | None,
    out: Path | None,
    fleet: str | None,
    port: int,
    open_: bool,
    workspace: Path | None,
    as_json: bool,
) -> None:
    """Serve one desk until it is ended, or until nobody has come for long."""
    made: Desk
    if key is not None and request is None and key_uri is None:
        made = WorkspaceDesk(open_workspace(workspace), key, role, now)
    elif key is None and request is not None and key_uri is not None:
        made = _carried(request, key_uri, role, out, fleet)
    else:
        message = "Say either --key NAME, or --request FILE with --key-uri URI."
        raise InputError("USAGE", message, mend="See 'tocsin desk --help'.")
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(listen(ADDRESS, port))
        door = Door(f"{ADDRESS}:{listener.getsockname()[1]}")
        door.came(now())
        app = create_app(made, door, now)
        emit(
            as_json,
            {"url": door.url, "role": made.role, "holder": made.who},
            say(f"Open this once, on this machine: {door.url}\nCtrl-C ends."),
        )
        if open_:
            stack.enter_context(_shown(door.url))
        run(lambda stop: _serve(app, listener, stop, door))
    if door.idle(now()):
        typer.echo(f"Nobody came for {IDLE_SECONDS // 60} minutes: the desk is closed.", err=True)


async def _serve(app: FastAPI, listener: socket.socket, stop: asyncio.Event, door: Door) -> None:
    """Answer requests until told to stop, or until nobody has come for long."""

    async def watch() -> None:
        while not stop.is_set() and not door.idle(now()):
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), _LOOK_SECONDS)
        stop.set()

    watching = asyncio.ensure_future(watch())
    try:
        await serve(app, listener, stop)
    finally:
        watching.cancel()


def _carried(request: Path, key_uri: str, role: str | None, out: Path | None, fleet: str | None) -> Desk:
    judged = open_request(request, fleet)
    if out is not None:
        files.require_replaceable(out)
    if role is not None and role not in judged.roles():
        known = ", ".join(sorted(judged.roles()))
        raise InputError("WRONG_ROLE", f"'{role}' does not sign this.", mend=f"Known: {known}.")
    named = fleet is not None
    return RequestDesk(judged, key_uri, role or "approver", request.parent, now, out=out, named=named)


@contextlib.contextmanager
def _shown(url: str) -> Iterator[None]:
    """Open the page by a file that only this user reads: arguments of programs everybody can see."""
    assert re.fullmatch(r"[\w:/.-]+", url)
    with tempfile.TemporaryDirectory(prefix="tocsin-desk-") as folder:
        page = Path(folder) / "open.html"
        text = f'<!doctype html><meta charset="utf-8"><meta http-equiv="refresh" content="0; url={url}">'
        files.write_atomic(page, text.encode(), mode=0o600)
        webbrowser.open(page.as_uri())
        yield
