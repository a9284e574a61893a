"""``tocsin serve``: the gateway between store and broker."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Annotated

import typer

from gateway.cli.output import (
    JsonOption,
    WorkspaceOption,
    ask_passphrase,
    emit,
    example,
    open_workspace,
    say,
)
from gateway.cli.running import announced, only_one, run
from gateway.service.broker import DemoBroker
from gateway.service.operations.keys import signer_for
from gateway.service.runtime import Gateway
from gateway.service.workspace import Workspace
from keys.signer import Signer


def register(parent: typer.Typer) -> None:
    """Add this module's command to the application."""
    parent.command("serve", epilog=example("serve --broker mqtt://broker.example.com:1883"))(serve)


def serve(
    *,
    broker: Annotated[
        str | None,
        typer.Option(help="URL of the MQTT broker; that of tocsin.toml or else one in process if left out."),
    ] = None,
    port: Annotated[
        int, typer.Option(min=0, max=65_535, help="TCP port of the broker in process; 0 takes a free one.")
    ] = 0,
    key: Annotated[
        str | None, typer.Option("--key", help="Name of the gateway key; needed where there are several.")
    ] = None,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Publish what is in the store, answer devices and take their reports in, until Ctrl-C."""
    opened = open_workspace(workspace)
    opened.trusted()
    signer = signer_for(opened, "gateway", ask_passphrase, key)
    url = broker or opened.settings.broker
    with contextlib.ExitStack() as stack:
        stack.enter_context(only_one(opened.path / ".serve.lock", "'tocsin serve' for this workspace"))
        if url is None:
            url = stack.enter_context(DemoBroker(port=port)).url
            kind = "broker in this process"
        else:
            kind = "given broker"
        stack.enter_context(announced(opened, url))
        run(lambda stop: _serve(opened, signer, url, stop, (kind, as_json)))


async def _serve(
    workspace: Workspace, signer: Signer, url: str, stop: asyncio.Event, told: tuple[str, bool]
) -> None:
    kind, as_json = told
    with workspace.store() as store:
        trusted = workspace.trusted()
        gateway = Gateway(store, workspace.artefacts, workspace.topics, trusted.fleet, trusted, signer)

        async def tell() -> None:
            await gateway.ready.wait()
            emit(
                as_json,
                {"serving": workspace.path, "broker": url},
                say(f"Serving {workspace.path} on {url} ({kind}). Ctrl-C ends."),
            )

        telling = asyncio.create_task(tell())
        try:
            await gateway.run(url, stop)
        finally:
            telling.cancel()
            await gateway.close()
