"""``tocsin desk``: the approval desk of one approver, in a browser on this machine."""

from __future__ import annotations

import contextlib
import re
import tempfile
import webbrowser
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from gateway.cli.output import JsonOption, WorkspaceOption, emit, example, now, open_workspace, say
from gateway.cli.running import run
from gateway.cli.sign_request import FleetOption, open_request
from gateway.service import files
from gateway.web.desk import Door, RequestDesk, WorkspaceDesk, create_app
from gateway.web.desk.desk import Desk
from gateway.web.server import listen, serve
from keys.errors import InputError

ADDRESS = "127.0.0.1"


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
    """Read, approve or reject in a browser on this machine, until Ctrl-C; the key never leaves it."""
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
        app = create_app(made, door)
        emit(
            as_json,
            {"url": door.url, "role": made.role, "holder": made.who},
            say(f"Open this once, on this machine: {door.url}\nCtrl-C ends."),
        )
        if open_:
            stack.enter_context(_shown(door.url))
        run(lambda stop: serve(app, listener, stop))


def _carried(request: Path, key_uri: str, role: str | None, out: Path | None, fleet: str | None) -> Desk:
    judged = open_request(request, fleet)
    answer = out or request.with_suffix(".answer")
    files.require_replaceable(answer)
    return RequestDesk(judged, key_uri, role or "approver", answer, now)


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
