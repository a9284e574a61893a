"""``tocsin fleet run`` and ``tocsin device run``: simulated devices, live."""

from __future__ import annotations

import asyncio
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from device_sim import main as real
from device_sim.display import open_display
from device_sim.fleet import DEVICES_MAX, Fleet
from device_sim.home import Home
from device_sim.owner import ConsoleOwner
from device_sim.shell import Event
from gateway import files
from gateway.cli import device_serial
from gateway.cli.device_serial import (
    OwnerName,
    OwnerOption,
    SerialOption,
    TestBuildOption,
    WithoutNotifierOption,
)
from gateway.cli.homes import recover
from gateway.cli.output import JsonOption, WorkspaceOption, console, emit, example, group, open_workspace
from gateway.cli.run import EXIT_INTERRUPTED
from gateway.cli.running import broker_url, only_one, run
from gateway.workspace.folder import Workspace
from keys.errors import InputError

app = group("All simulated devices at once.")
BrokerOption = Annotated[
    str | None, typer.Option(help="URL of the MQTT broker; that of tocsin.toml or of 'serve' if left out.")
]
IDLE_SECONDS = 3.0  # without any event: nothing more is going to happen
_TOLD = ("booted", "shown", "acknowledged", "answered", "tested", "failed", "log")


def register(parent: typer.Typer) -> None:
    """Add this module's commands to the application; ``device run`` joins the others of ``device``."""
    parent.add_typer(app, name="fleet")


def homes(workspace: Workspace, count: int | None = None) -> list[Home]:
    """Open the homes of the workspace's simulated devices, in the order of their ids.

    Raises:
        InputError: NO_DEVICES, TOO_MANY.
        DamagedError: HOME_DAMAGED, naming the file.
    """
    recover(workspace)
    folder = workspace.path / "devices"
    found = sorted(path for path in folder.glob("*") if path.is_dir() and not path.name.startswith("."))
    if count is not None and count > len(found):
        message = f"There are {len(found)} devices, not {count}."
        raise InputError("NO_DEVICES", message, mend="Make more with 'tocsin device add'.")
    chosen = found[:count]
    if not chosen:
        raise InputError(
            "NO_DEVICES", "There are no simulated devices.", mend="Make some with 'tocsin device add'."
        )
    if len(chosen) > DEVICES_MAX:
        message = f"{len(chosen)} devices are more than the {DEVICES_MAX} that one process runs."
        raise InputError("TOO_MANY", message, mend="Say --count.")
    return [Home.open(path, durable=False) for path in chosen]


@app.command("run", epilog=example("fleet run --until-idle"))
def fleet_run(
    *,
    broker: BrokerOption = None,
    count: Annotated[int | None, typer.Option(min=1, help="How many; all of them if left out.")] = None,
    for_: Annotated[float | None, typer.Option("--for", min=0.0, help="End after this many seconds.")] = None,
    until_idle: Annotated[
        bool, typer.Option("--until-idle", help="End when nothing has happened for a few seconds.")
    ] = False,
    seed: Annotated[int, typer.Option(help="Decides how long each owner takes to react.")] = 0,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Run the simulated devices, with owners who read, acknowledge and agree; until Ctrl-C."""
    opened = open_workspace(workspace)
    url = broker_url(opened, broker)
    with only_one(opened.path / "devices" / ".lock", "the devices of this workspace"):
        found = homes(opened, count)
        watch = _Watch()
        fleet = Fleet(found, url, seed=seed, on_event=watch)
        started = time.monotonic()
        interrupted = False
        try:
            run(lambda stop: _run(fleet, stop, watch, for_, until_idle=until_idle))
        except KeyboardInterrupt:
            interrupted = True
        _summary(as_json, len(found), watch.counts, time.monotonic() - started)
    if interrupted:
        raise typer.Exit(EXIT_INTERRUPTED) if as_json else KeyboardInterrupt


class _Watch:
    """Counts events and knows when the last one was."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.last = time.monotonic()

    def __call__(self, event: Event) -> None:
        self.counts[event.kind] += 1
        self.last = time.monotonic()


async def _run(
    fleet: Fleet, stop: asyncio.Event, watch: _Watch, seconds: float | None, *, until_idle: bool
) -> None:
    """Run the fleet beside what may end it, and pass on what ends it badly."""
    end = asyncio.get_running_loop().time() + seconds if seconds is not None else None

    async def ender() -> None:
        while True:
            quiet = time.monotonic() - watch.last
            if (
                until_idle
                and quiet >= IDLE_SECONDS
                and fleet.online + len(fleet.failures) == len(fleet.shells)
            ):
                break
            if end is not None and asyncio.get_running_loop().time() >= end:
                break
            await asyncio.sleep(0.1)
        stop.set()

    ending = asyncio.create_task(ender())
    try:
        await fleet.run(stop)
    finally:
        ending.cancel()
    for failure in fleet.failures.values():
        raise failure


def _summary(as_json: bool, devices: int, counts: Counter[str], seconds: float) -> None:  # noqa: FBT001 - the flag of every command
    kinds = {kind: counts[kind] for kind in _TOLD}
    told = ", ".join(f"{kind} {count}" for kind, count in kinds.items() if count)
    emit(
        as_json,
        {"devices": devices, "events": kinds, "seconds": round(seconds, 1)},
        lambda out: out.print(f"{devices} devices ran: {told or 'nothing happened'}.", markup=False),
    )


def device_run(
    device: Annotated[
        str | None, typer.Argument(metavar="ID", help="Device id; its first digits will do.")
    ] = None,
    *,
    home: Annotated[
        Path | None, typer.Option(help="Folder of a real device, instead of an id; see run-on-linux.md.")
    ] = None,
    broker: BrokerOption = None,
    gateway: Annotated[
        str | None, typer.Option(metavar="URL", help="With --home: https:// address to poll, and no broker.")
    ] = None,
    display: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="console, ascii, png, led, none, fb:NAME, lamp:NAME, gpio:CHIP:LINE, or a luma.oled driver.",
        ),
    ] = None,
    for_: Annotated[float | None, typer.Option("--for", min=0.0, help="End after this many seconds.")] = None,
    serial: SerialOption = None,
    test_build: TestBuildOption = False,
    owner_name: OwnerOption = None,
    without_notifier: WithoutNotifierOption = False,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Be the owner of one simulated device: see its screen, press its button, answer its questions.

    With --home be a real device instead, as a service does: its folder's device.toml says what it has.

    With --json the screen goes to a file in the device's folder, questions to stderr, and what happened is
    counted in one object at the end.

    With --serial it is a board on a serial line instead: SMP (MCUmgr) and console log on one line, and no
    broker. A script learns the port from the first line of stdout, "serial port: URL" (with --json from that
    of stderr), or names it itself: pty:LINK makes LINK a symbolic link to the terminal. Over TCP it boots
    when the first client has come. The exit status after a power cut that a test asked for is 9.
    """
    if (device is None) is (home is None):
        raise InputError("USAGE", "Name a device, or its folder.", mend="Give an ID, or say --home DIR.")
    if home is not None:
        real.run(home, broker=broker, gateway=gateway, display=display, seconds=for_, as_json=as_json)
        return
    device, display = device or "", display or "console"
    opened = open_workspace(workspace)
    if serial is not None:
        if broker is not None:
            raise InputError(
                "BAD_VALUE", "A board on a serial line has no broker.", mend="Leave out --broker."
            )
        device_serial.run_serial(
            opened,
            find(opened, device),
            serial,
            display=display,
            seconds=for_,
            test_build=test_build,
            owner_name=owner_name or OwnerName.TERMINAL,
            without_notifier=without_notifier,
            as_json=as_json,
        )
        return
    if test_build or without_notifier or owner_name is not None:
        message = "Only a board on a serial line has builds and chosen owners."
        raise InputError("BAD_VALUE", message, mend="Say --serial too, or leave the option out.")
    _live_with(opened, device, broker, display, for_, as_json=as_json)


def _live_with(
    opened: Workspace,
    device: str,
    broker: str | None,
    display: str,
    seconds: float | None,
    *,
    as_json: bool,
) -> None:
    """Run one simulated device with a person for its owner."""
    url = broker_url(opened, broker)
    home = Home.open(find(opened, device))
    out = console()
    with only_one(opened.path / "devices" / ".lock", "the devices of this workspace"):
        owner = ConsoleOwner(sys.stderr if as_json else sys.stdout)
        to_terminal = display == "console" and not as_json
        screen = open_display(
            display,
            home.path,
            languages=home.profile.languages,
            out=sys.stdout if to_terminal else None,
        )
        watch = _Watch()

        def told(event: Event) -> None:
            watch(event)
            if not as_json:
                _tell(out, event)

        fleet = Fleet([home], url, display=lambda _: screen, on_event=told)
        fleet.shells[home.profile.id].owner = owner
        started = time.monotonic()
        interrupted = False
        try:
            run(lambda stop: _live(fleet, owner, stop, seconds))
        except KeyboardInterrupt:
            interrupted = True
        if as_json:
            _summary(as_json, 1, watch.counts, time.monotonic() - started)
    if interrupted:
        raise typer.Exit(EXIT_INTERRUPTED) if as_json else KeyboardInterrupt


def find(workspace: Workspace, device: str) -> Path:
    """Return the folder of the device whose id begins like this (InputError: NO_DEVICE)."""
    folder = workspace.path / "devices"
    with files.os_errors(folder, "read"):
        names = sorted(path.name for path in folder.iterdir() if path.is_dir() and path.name[0] != ".")
    found = [name for name in names if name.startswith(device)]
    if device in names:
        found = [device]
    if len(found) != 1:
        message = (
            f"{len(found)} devices begin with '{device}'." if found else f"There is no device '{device}'."
        )
        mend = "Type more digits." if found else "See 'tocsin device list'."
        raise InputError("NO_DEVICE", message, mend=mend, where=str(folder))
    return folder / found[0]


def _tell(out: Console, event: Event) -> None:
    if event.kind not in {"shown", "asked"}:
        out.print(f"[{event.kind}] {event.detail}".rstrip(), markup=False)


async def _live(fleet: Fleet, owner: ConsoleOwner, stop: asyncio.Event, seconds: float | None) -> None:
    """Pass lines from the terminal to the owner while the device runs."""
    device_serial.listen_to(owner)
    if seconds is not None:
        asyncio.get_running_loop().call_later(seconds, stop.set)
    await fleet.run(stop)
    for failure in fleet.failures.values():
        raise failure
