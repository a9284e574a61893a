"""``tocsin device run --serial``: a simulated device as a board on a serial line."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import random
import sys
import time
from collections import Counter
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from device_sim.display import open_display
from device_sim.home import Home
from device_sim.owner import ConsoleOwner, Owner, SimulatedOwner
from device_sim.serial.board import GROUPS, Board
from device_sim.serial.port import Port, parse_port
from device_sim.shell import Event
from gateway import files
from gateway.cli.output import emit
from gateway.cli.run import EXIT_INTERRUPTED
from gateway.cli.running import only_one, run
from gateway.workspace.folder import Workspace
from keys.errors import UnavailableError


class OwnerName(StrEnum):
    """Who looks at a board."""

    TERMINAL = "terminal"
    AUTO = "auto"


SerialOption = Annotated[
    str | None,
    typer.Option(
        metavar="PORT",
        help="Be a board on a serial line: pty, pty:LINK, tcp:PORT or tcp:HOST:PORT (0: any free port).",
    ),
]
TestBuildOption = Annotated[
    bool,
    typer.Option(
        "--test-build",
        help="With --serial: firmware with commands for tests, such as pressing buttons and cutting power.",
    ),
]
OwnerOption = Annotated[
    OwnerName | None,
    typer.Option(
        "--owner", help="With --serial: who reads and agrees; 'auto' is a simulated owner, as in a fleet."
    ),
]
WithoutNotifierOption = Annotated[
    bool, typer.Option("--without-notifier", hidden=True, help="Firmware that lacks Tocsin's own commands.")
]


def listen_to(owner: ConsoleOwner) -> None:
    """Pass lines from the terminal to the owner while the event loop runs."""
    loop = asyncio.get_running_loop()

    def typed() -> None:
        line = sys.stdin.readline()
        if line:
            owner.typed(line)
        else:
            loop.remove_reader(sys.stdin)

    with contextlib.suppress(PermissionError, OSError):  # a plain file or /dev/null has nobody typing
        loop.add_reader(sys.stdin, typed)


def run_serial(
    workspace: Workspace,
    folder: Path,
    port_name: str,
    *,
    display: str,
    seconds: float | None,
    test_build: bool,
    owner_name: OwnerName,
    without_notifier: bool,
    as_json: bool,
) -> None:
    """Run one device on a serial line until it is stopped, or its power is cut.

    Args:
        workspace: that it belongs to.
        folder: the device's.
        port_name: see :func:`device_sim.serial.port.parse_port`.
        display: where notices are drawn, besides being readable over the line.
        seconds: how long; None until stopped.
        test_build: with the commands that are for tests.
        owner_name: who reads and agrees.
        without_notifier: without Tocsin's own commands.
        as_json: one object at the end.

    Raises:
        InputError: SERIAL_PORT, SERIAL_LINK, DISPLAY_UNKNOWN.
        UnavailableError: SERIAL_PORT, RUNNING_ALREADY.
    """
    port = parse_port(port_name)
    with _beside_others(workspace.path / "devices" / ".lock"), only_one(folder / ".lock", "this device"):
        home = Home.open(folder)
        person = sys.stdin.isatty() and owner_name is OwnerName.TERMINAL
        typing = ConsoleOwner(sys.stderr if as_json else sys.stdout) if person else None
        # A harness reads the first line of stdout and perhaps no more: a full pipe must not stop the board.
        out = sys.stdout if person and not as_json else None
        screen = open_display(display, home.path, languages=home.profile.languages, out=out)
        dice = random.Random(home.profile.id)  # noqa: S311 - a simulated person, not a secret
        owner: Owner | None = SimulatedOwner(dice) if owner_name is OwnerName.AUTO else typing
        counts: Counter[str] = Counter()
        stop_now: list[asyncio.Event] = []

        def told(event: Event) -> None:
            counts[event.kind] += 1
            if event.kind == "failed":
                stop_now[0].set()

        board = Board(
            home,
            port.write,
            test_build=test_build,
            groups=GROUPS - {"notifier"} if without_notifier else GROUPS,
            owner=owner,
            display=screen,
            on_event=told,
        )

        async def live(stop: asyncio.Event) -> None:
            stop_now.append(stop)
            await _live(board, port, typing, stop, seconds, as_json=as_json)

        started = time.monotonic()
        interrupted = False
        try:
            run(live)
        except KeyboardInterrupt:
            interrupted = True
        if as_json:
            spent = round(time.monotonic() - started, 1)
            told_of = {
                "device": home.profile.id,
                "serial": port.url,
                "events": dict(counts),
                "seconds": spent,
            }
            emit(as_json, told_of, lambda _: None)
    if interrupted:
        raise typer.Exit(EXIT_INTERRUPTED) if as_json else KeyboardInterrupt


async def _live(
    board: Board,
    port: Port,
    typing: ConsoleOwner | None,
    stop: asyncio.Event,
    seconds: float | None,
    *,
    as_json: bool,
) -> None:
    """Open the port, boot when somebody is there, and stay until stopped."""
    await port.open(board.receive)
    waits = {asyncio.create_task(one) for one in (port.attended(), stop.wait())}
    try:
        told = sys.stderr if as_json else sys.stdout
        told.write(f"serial port: {port.url}\n")
        told.flush()
        if typing is not None:
            listen_to(typing)
        if seconds is not None:
            asyncio.get_running_loop().call_later(seconds, stop.set)
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        if not stop.is_set():
            board.power_on()
            await stop.wait()
    finally:
        for wait in waits:
            wait.cancel()
        await board.stop()
        await port.close()
    if board.failure is not None:
        raise board.failure


@contextlib.contextmanager
def _beside_others(path: Path) -> Iterator[None]:
    """Hold the lock of the workspace's devices together with other boards, but not with a fleet.

    Raises:
        UnavailableError: RUNNING_ALREADY.
    """
    with files.os_errors(path, "locked"), path.open("ab") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UnavailableError(
                "RUNNING_ALREADY",
                "Another process runs the devices of this workspace already.",
                mend="End it first.",
                where=str(path.parent),
            ) from None
        yield
