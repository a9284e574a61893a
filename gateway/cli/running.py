"""Long-running commands: how they stop, how they find the broker, and that only one of a kind runs."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import json
import logging
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

from gateway import files
from gateway.workspace.folder import Workspace
from keys.errors import InputError, UnavailableError


def run(work: Callable[[asyncio.Event], Awaitable[None]]) -> None:
    """Run until the work ends or SIGINT or SIGTERM asks it to; both end it clean.

    A terminated process ends with exit status 0, an interrupted one with 130 (KeyboardInterrupt).
    """
    logging.basicConfig(level=logging.WARNING, format="tocsin: %(message)s", stream=sys.stderr)
    got: list[int] = []

    async def main() -> None:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()

        def ask(number: int) -> None:
            got.append(number)
            stop.set()

        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, ask, number)
        await work(stop)

    asyncio.run(main())
    if signal.SIGINT in got:
        raise KeyboardInterrupt


@contextlib.contextmanager
def only_one(path: Path, what: str) -> Iterator[None]:
    """Hold a lock for as long as the block lasts; the system lets go of it when the process dies.

    Raises:
        UnavailableError: RUNNING_ALREADY.
    """
    with files.os_errors(path, "locked"), path.open("wb") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UnavailableError(
                "RUNNING_ALREADY",
                f"Another process runs {what} already.",
                mend="Use that one, or end it first.",
                where=str(path.parent),
            ) from None
        yield


def _served(workspace: Workspace) -> Path:
    return workspace.path / "serve.json"


@contextlib.contextmanager
def announced(workspace: Workspace, url: str) -> Iterator[None]:
    """Let other commands of this workspace find the broker that ``serve`` uses; the last worker's counts."""
    path = _served(workspace)
    said = json.dumps({"broker": url, "pid": os.getpid()}).encode()
    files.write_atomic(path, said, mode=0o600)
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            if path.read_bytes() == said:
                path.unlink(missing_ok=True)


def broker_url(workspace: Workspace, given: str | None) -> str:
    """Return the broker's URL: the one given, of ``tocsin.toml``, or of the ``serve`` that runs here.

    Raises:
        InputError: NO_BROKER.
    """
    found = given or workspace.settings.broker
    if found is None:
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            found = str(json.loads(_served(workspace).read_bytes())["broker"])
    if found is None:
        raise InputError(
            "NO_BROKER",
            "No broker is known here.",
            mend="Run 'tocsin serve' meanwhile, say --broker URL, or set broker in tocsin.toml.",
            where=str(workspace.path / "tocsin.toml"),
        )
    return found
