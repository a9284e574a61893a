"""``tocsin serve``: the gateway between store and broker."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Annotated

import typer

from advisories.topics import is_id
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
from gateway.operations import stores
from gateway.operations.trust.choosing import signer_for
from gateway.service import logs, tls
from gateway.service.broker import DemoBroker
from gateway.service.chores import Chore
from gateway.service.election import SessionLock, keep_name, name_lock, name_taken
from gateway.service.runtime import WORKER, Gateway, settle
from gateway.store.engine import Store
from gateway.store.workers import NAME_MAX
from gateway.workspace.folder import Workspace
from keys.errors import InputError
from keys.signer import Signer


class LogFormat(Enum):
    """How the log is written."""

    TEXT = "text"
    JSON = "json"


def register(parent: typer.Typer) -> None:
    """Add this module's command to the application."""
    parent.command("serve", epilog=example("serve --broker mqtt://broker.example.com:1883"))(serve)


def _listen(address: str, port: int) -> socket.socket:
    from gateway.web.server import listen  # noqa: PLC0415 - a web framework takes long to import

    return listen(address, port)


async def _serve_http(gateway: Gateway, workspace: Workspace, way: _Way, over: asyncio.Event) -> None:
    from gateway.web.api.served import Served  # noqa: PLC0415 - the same
    from gateway.web.app import create_app  # noqa: PLC0415 - the same
    from gateway.web.server import is_loopback  # noqa: PLC0415 - the same
    from gateway.web.server import serve as serve_http  # noqa: PLC0415 - the same

    assert way.listener is not None
    rate = workspace.settings.http_payload_rate
    with workspace.store() as opened:  # of its own: what people ask does not wait for what devices report
        # A token must not cross a network where all can read it; what devices fetch is signed, and may.
        safe = way.https is not None or is_loopback(way.listener)
        served = Served(workspace.path, workspace.settings, opened) if safe else None
        app = create_app(gateway, workspace.artefacts, per_second=rate, served=served)
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
    worker: Annotated[
        str | None,
        typer.Option(help="Name of this worker, where several share one store and broker; each has its own."),
    ] = None,
    key: Annotated[
        str | None, typer.Option("--key", help="Name of the gateway key; needed where there are several.")
    ] = None,
    log_format: Annotated[
        LogFormat | None, typer.Option(help="How the log is written; as tocsin.toml says if left out.")
    ] = None,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Publish what is in the store, answer devices and take their reports in, until Ctrl-C.

    Any number of workers may share one store and one broker: give each a name. One of them leads, which
    publishes and moves rollouts on; where it ends, another one takes the lead within seconds.
    """
    opened = open_workspace(workspace)
    logs.setup(log_format.value if log_format else opened.settings.log_format, worker or WORKER)
    url = broker or opened.settings.broker
    if worker is not None:
        _require_worker(worker, url)
    opened.trusted()
    signer = signer_for(opened, "gateway", ask_passphrase, key)
    with contextlib.ExitStack() as stack:
        store = stack.enter_context(opened.store())
        stores.require_own(opened, store)
        lock, what = ".serve.lock", "'tocsin serve' for this workspace"
        if worker is not None:
            lock, what = f".serve-{worker}.lock", f"the worker '{worker}'"
        stack.enter_context(only_one(opened.path / lock, what))
        name = stack.enter_context(_one_of_a_name(store, worker or WORKER))
        if url is None:
            url = stack.enter_context(DemoBroker(port=port)).url
            kind = IN_PROCESS
        else:
            kind = "given broker"
        wanted = opened.settings.http if http is None else http
        listener = None if wanted is None else stack.enter_context(_listen(address, wanted))
        stack.enter_context(announced(opened, url))
        https = tls.server_context(opened) if listener is not None else None
        way = _Way(url, kind, listener, tls.context_for(opened, url), https, worker or WORKER, name)
        run(lambda stop: _serve(opened, store, signer, way, stop, as_json=as_json))


def _require_worker(name: str, url: str | None) -> None:
    """Refuse a worker that has no name to be told by, or no broker that others have too."""
    if not is_id(name) or len(name) > NAME_MAX or name == WORKER:
        raise InputError(
            "BAD_WORKER",
            f"'{name}' cannot be the name of a worker.",
            mend=f"Use 1 to {NAME_MAX} letters, digits, dots or hyphens, and not '{WORKER}'.",
        )
    if url is None:
        raise InputError(
            "WORKER_ALONE",
            "Workers share one broker, and none is given here.",
            mend="Say --broker URL, or set broker in tocsin.toml.",
        )


@contextlib.contextmanager
def _one_of_a_name(store: Store, name: str) -> Iterator[SessionLock | None]:
    """Hold a worker's name on this store: two of one name would cut each other off at the broker.

    Raises:
        UnavailableError: RUNNING_ALREADY.
    """
    lock = name_lock(store, name)
    if lock is None:
        yield None
        return
    if not lock.hold():
        raise name_taken(name, store.where)
    try:
        yield lock
    finally:
        lock.release()


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
    worker: str
    """Name of this worker."""
    name: SessionLock | None
    """Keeps others from that name; None: a file of the workspace does."""

    @property
    def http(self) -> str | None:
        """The address of the HTTP server."""
        if self.listener is None:
            return None
        host, port = self.listener.getsockname()[:2]
        scheme = "http" if self.https is None else "https"
        return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"


def _chores(workspace: Workspace, store: Store) -> list[Chore]:
    """Return what the worker that leads does beside: it tells others, and erases by rule."""
    from gateway.operations.alerts import Alerts  # noqa: PLC0415 - nobody else needs what it imports
    from gateway.service.deliveries import make  # noqa: PLC0415 - the same
    from gateway.web.api.served import Served  # noqa: PLC0415 - the same

    served = Served(workspace.path, workspace.settings, store)
    return [make(workspace, store), Alerts(served), stores.Expiry(store, lambda: stores.rules(workspace))]


async def _serve(
    workspace: Workspace, store: Store, signer: Signer, way: _Way, stop: asyncio.Event, *, as_json: bool
) -> None:
    """Run gateway and HTTP server until one ends or ``stop`` is set; say when both are ready."""
    trusted = workspace.trusted()
    gateway = Gateway(
        store,
        workspace.artefacts,
        workspace.topics,
        trusted.fleet,
        trusted,
        signer,
        worker=way.worker,
        standing=way.kind != IN_PROCESS,
        payload_rate=workspace.settings.mqtt_payload_rate,
        report_rate=workspace.settings.report_rate,
        chores=_chores(workspace, store),
    )

    async def tell() -> None:
        await gateway.ready.wait()
        also = f" and {way.http}" if way.http else ""
        named = "" if way.worker == WORKER else f" as worker '{way.worker}'"
        emit(
            as_json,
            {"serving": workspace.path, "broker": way.url, "http": way.http, "worker": way.worker},
            say(f"Serving {workspace.path} on {way.url}{also} ({way.kind}){named}. Ctrl-C ends."),
        )

    settle()
    over = asyncio.Event()
    parts = [asyncio.create_task(gateway.run(way.url, over, way.tls))]
    if way.listener is not None:
        parts.append(asyncio.create_task(_serve_http(gateway, workspace, way, over)))
    if way.name is not None:
        parts.append(asyncio.create_task(keep_name(way.name, way.worker, store.where, over)))
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
