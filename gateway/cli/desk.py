"""``tocsin desk``: the approval desk of one approver, in a browser on this machine."""

from __future__ import annotations

import asyncio
import contextlib
import re
import socket
import tempfile
import webbrowser
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer
from fastapi import FastAPI

from gateway.cli.output import JsonOption, WorkspaceOption, emit, example, now, open_workspace, say
from gateway.cli.running import run
from gateway.cli.sign_request import FleetOption, open_request
from gateway.service import files
from gateway.web.desk import Door, RequestDesk, WorkspaceDesk, create_app
from gateway.web.desk.desk import Desk
from gateway.web.desk.door import IDLE_SECONDS
from gateway.web.server import listen, serve
from keys.errors import InputError

ADDRESS = "127.0.0.1"
_LOOK_SECONDS = 15


def register(parent: typer.Typer) -> None:
    """Add this module's command to the application."""
    parent.command("desk", epilog=example("desk --key legal-1 --open"))(desk)


def desk(
    *,
    key: Annotated[
        str | None, typer.Option("--key", help="Name of the approver's key, from keys.toml.")
    ] = None,
    role: Annotated[
        str | None,
        typer.Option("--role", help="The role in which answers are given, if the key has several."),
    ] = None,
    request: Annotated[
        Path | None,
        typer.Option("--request", metavar="FILE", help="Open this signing request; no workspace is needed."),
    ] = None,
    key_uri: Annotated[
        str | None,
        typer.Option(
            "--key-uri", metavar="URI", help="With --request, the private key: file:PATH or pkcs11:..."
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="With --request, where the answer goes; beside it if left out."),
    ] = None,
    fleet: FleetOption = None,
    port: Annotated[int, typer.Option(min=0, max=65_535, help="TCP port; 0 takes a free one.")] = 0,
    open_: Annotated[bool, typer.Option("--open", help="Open the page in the browser.")] = False,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Read, approve or reject in a browser on this machine; the key never leaves it.

    It ends with Ctrl-C, or when nobody has asked it for anything for 30 minutes.
    """
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
