"""Serve the application with uvicorn inside a running event loop, until told to stop."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import socket
import ssl
from collections.abc import Iterator
from typing import Final

import uvicorn
from fastapi import FastAPI

from keys.errors import UnavailableError

CONNECTIONS_MAX: Final = 1_000
STALLED_SECONDS: Final = 60.0  # for which a peer may take nothing of what is sent to it
_CLOSE_SECONDS: Final = 3


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals to the command that runs us."""
        yield


def listen(host: str, port: int, *, stalled: float = STALLED_SECONDS) -> socket.socket:
    """Open the listening socket.

    Whoever reads no more, or is gone without a word, is dropped by the system, and its place is free again.
    One that is slow is not: each byte that it takes begins its time anew. (Linux; elsewhere the system's own
    times hold.)

    Args:
        host: address.
        port: 0 takes a free one.
        stalled: seconds for which a peer may take nothing of what is sent to it.

    Raises:
        UnavailableError: PORT_TAKEN.
    """
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if hasattr(socket, "TCP_USER_TIMEOUT"):  # what is accepted inherits it
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(stalled * 1_000))
        listener.bind((host, port))
        listener.listen(256)
    except OSError as error:
        listener.close()
        raise UnavailableError(
            "PORT_TAKEN",
            f"Port {port} on {host} is not to be had ({error.strerror}).",
            mend="Choose another port, or end the program that uses it.",
            where=f"{host}:{port}",
        ) from None
    return listener


def is_loopback(listener: socket.socket) -> bool:
    """Say whether only this machine reaches a listening socket."""
    return ipaddress.ip_address(listener.getsockname()[0]).is_loopback


async def serve(
    app: FastAPI, listener: socket.socket, stop: asyncio.Event, tls: ssl.SSLContext | None = None
) -> None:
    """Answer requests on ``listener`` until ``stop`` is set; the socket is closed at the end.

    Args:
        app: what answers.
        listener: see :func:`listen`.
        stop: ends it.
        tls: of the server, for ``https``; None: without TLS.
    """
    config = uvicorn.Config(
        app,
        log_config=None,  # what it logs leaves by our way (gateway.service.logs)
        log_level="warning",
        access_log=False,
        server_header=False,
        lifespan="off",
        limit_concurrency=CONNECTIONS_MAX,
        timeout_graceful_shutdown=_CLOSE_SECONDS,
        timeout_keep_alive=30,
        ssl_context_factory=None if tls is None else lambda _config, _default: tls,
    )
    server = _Server(config)
    task = asyncio.ensure_future(server.serve(sockets=[listener]))
    stopping = asyncio.ensure_future(stop.wait())
    try:
        await asyncio.wait([task, stopping], return_when=asyncio.FIRST_COMPLETED)
    finally:
        stopping.cancel()
        server.should_exit = True
        try:
            await asyncio.shield(task)
        finally:
            listener.close()
