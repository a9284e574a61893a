"""``tocsin desk``: the approval desk of one approver, in a browser on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from gateway.cli.output import JsonOption, WorkspaceOption, example
from gateway.cli.sign_request import FleetOption


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
    from gateway.cli.desking import open_desk  # noqa: PLC0415 - a web framework takes long to import

    open_desk(
        key=key,
        role=role,
        request=request,
        key_uri=key_uri,
        out=out,
        fleet=fleet,
        port=port,
        open_=open_,
        workspace=workspace,
        as_json=as_json,
    )
