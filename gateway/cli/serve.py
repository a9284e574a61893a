"""``tocsin serve``: the gateway between store and broker."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from dataclasses import dataclass
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
from gateway.operations.trust.keys import signer_for
from gateway.service import tls
from gateway.service.broker import DemoBroker
from gateway.service.runtime import Gateway
from gateway.workspace.folder import Workspace
from keys.signer import Signer


def register(parent: typer.Typer) -> None:
    """Add this module's command to the application."""
    parent.command("serve", epilog=example("serve --broker mqtt://broker.example.com:1883"))(serve)


def _listen(address: str, port: int) -> socket.socket:
    from gateway.web.server import listen  # noqa: PLC0415 - a web framework takes long to import

    return listen(address, port)


async def _serve_http(gateway: Gateway, workspace: Workspace, way: _Way, over: asyncio.Event) -> None:
    from gateway.web.app import create_app  # noqa: PLC0415 - the same
    from gateway.web.server import serve as serve_http  # noqa: PLC0415 - the same

    app = create_app(gateway, workspace.artefacts, per_second=workspace.settings.http_payload_rate)
    assert way.listener is not None
    await serve_http(app, way.listener, over, way.https)


def serve(
    *,
    broker: Annotated[
        str | None,
        typer.Option(help="URL of the MQTT broker; that of tocsin.toml or else one in process if left out."),
    ] = None,
    port: Annotated[
        int, typer.Option(min=0, max=65_535, help="TCP port of the broker in process; 0 takes a free one.")
    ] = 0,
    http: Annotated[
        int | None,
        typer.Option(
            min=0,
            max=65_535,
            help="Serve the same over HTTP on this TCP port, too (HTTPS: https_certificate in tocsin.toml).",
        ),
    ] = None,
    address: Annotated[str, typer.Option(help="Local address for --http.")] = "127.0.0.1",
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
            kind = IN_PROCESS
        else:
            kind = "given broker"
        wanted = opened.settings.http if http is None else http
        listener = None if wanted is None else stack.enter_context(_listen(address, wanted))
        stack.enter_context(announced(opened, url))
        https = tls.server_context(opened) if listener is not None else None
        way = _Way(url, kind, listener, tls.context_for(opened, url), https)
        run(lambda stop: _serve(opened, signer, way, stop, as_json=as_json))


IN_PROCESS = "broker in this process"
"""What serves when no broker is given; it does not bear shared subscriptions."""


@dataclass(frozen=True, slots=True)
class _Way:
    """How devices reach this gateway."""

    url: str
    kind: str
    listener: socket.socket | None
    tls: ssl.SSLContext | None
    https: ssl.SSLContext | None
    """With which HTTP is served; None: without TLS."""

    @property
    def http(self) -> str | None:
        """The address of the HTTP server."""
        if self.listener is None:
            return None
        host, port = self.listener.getsockname()[:2]
        scheme = "http" if self.https is None else "https"
        return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"


async def _serve(
    workspace: Workspace, signer: Signer, way: _Way, stop: asyncio.Event, *, as_json: bool
) -> None:
    """Run gateway and HTTP server until one ends or ``stop`` is set; say when both are ready."""
    with workspace.store() as store:
        trusted = workspace.trusted()
        gateway = Gateway(
            store,
            workspace.artefacts,
            workspace.topics,
            trusted.fleet,
            trusted,
            signer,
            share=way.kind != IN_PROCESS,
            payload_rate=workspace.settings.mqtt_payload_rate,
        )

        async def tell() -> None:
            await gateway.ready.wait()
            also = f" and {way.http}" if way.http else ""
            emit(
                as_json,
                {"serving": workspace.path, "broker": way.url, "http": way.http},
                say(f"Serving {workspace.path} on {way.url}{also} ({way.kind}). Ctrl-C ends."),
            )

        over = asyncio.Event()
        parts = [asyncio.create_task(gateway.run(way.url, over, way.tls))]
        if way.listener is not None:
            parts.append(asyncio.create_task(_serve_http(gateway, workspace, way, over)))
        stopping = asyncio.create_task(stop.wait())
        telling = asyncio.create_task(tell())
        try:
            done, _ = await asyncio.wait((*parts, stopping), return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            telling.cancel()
            stopping.cancel()
            over.set()
            await asyncio.gather(*parts, return_exceptions=True)
            await gateway.close()
