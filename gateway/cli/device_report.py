"""``tocsin device report``: what a device tells, in words, for the person in whose house it stands."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from rich.console import Console

from advisories.report import Report, Want, open_want
from device_sim.board import Board
from device_sim.core import effects as do
from device_sim.core.agent import Agent
from device_sim.core.measure import Running, running
from device_sim.core.profile import Platform
from device_sim.core.reporter import Reporter
from device_sim.core.session import Session
from device_sim.core.slots import select
from device_sim.core.state import State
from device_sim.core.telling import Group, groups
from device_sim.home import Home
from device_sim.installer import InstallerPlatform, NoticesOnly
from device_sim.platform import SlotPlatform
from gateway.cli import fleet
from gateway.cli.output import JsonOption, WorkspaceOption, emit, example, group, now, open_workspace
from gateway.cli.show import line
from keys.codec import dump
from keys.errors import InputError, TocsinError, UnavailableError
from keys.reasons import Reason

WANT_SECONDS: Final = 5  # after which a device that got nothing has asked for what it lacks

app = group("What a device tells.")


@app.command("show", epilog=example("device report show 3f9a"))
def show(
    device: Annotated[
        str | None, typer.Argument(metavar="ID", help="Device id; its first digits will do.")
    ] = None,
    *,
    home: Annotated[Path | None, typer.Option(help="Folder of a device, instead of an id.")] = None,
    cbor: Annotated[bool, typer.Option("--cbor", help="Print the report's bytes in hexadecimal.")] = False,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Tell in words what leaves a device: its report as it would be sent now, member by member.

    Nothing is sent, and nothing in the device changes. It works for a device that never ran, and offline.
    """
    if (device is None) is (home is None):
        raise InputError("USAGE", "Name a device, or its folder.", mend="Give an ID, or say --home DIR.")
    path = home if home is not None else fleet.find(open_workspace(workspace, quiet=True), device or "")
    opened = Home.open(path)
    at = float(now())
    try:
        report = report_of(opened, at)
        told = groups(report, opened.profile, wants_of(opened, at), _way(opened.board))
    except TocsinError as error:
        error.where = error.where or str(path)
        raise
    if cbor:
        sys.stdout.write(dump(report).hex() + "\n")
        return
    emit(
        as_json,
        {"device": opened.profile.id, "bytes": len(dump(report)), "report": report, "told": _plain(told)},
        lambda out: _print(out, opened, told, len(dump(report))),
    )


def report_of(home: Home, at: float) -> Report:
    """Return the report that a device would send in its present state.

    Raises:
        DamagedError: the folder, the boot record or the state is damaged.
    """
    _, found = _measured(home)
    state = home.read_state()
    restored = State.load(state, home.root_1) if state else State.new(home.root_1, home.profile.id)
    session = Session(home.profile, home.signer, restored, entropy=os.urandom(32), now=at)
    if isinstance(found, Running):
        session.installed, session.algorithms = found.version, found.algorithms or session.algorithms
    return Reporter(session).build()


def wants_of(home: Home, at: float) -> list[Want]:
    """Return what a device would ask for if it connected now and got nothing: tried on a copy in memory."""
    slot, found = _measured(home)
    agent = Agent(
        home.profile, home.signer, home.read_state(), root_1=home.root_1, entropy=os.urandom(32), now=at
    )
    effects = [*agent.booted(slot, found, at), *agent.connected(at)]
    for seconds in range(1, WANT_SECONDS + 1):
        effects += agent.tick(at + seconds)
    topic = home.profile.topics.device(home.profile.id, "want")
    return [open_want(e.payload) for e in effects if isinstance(e, do.Publish) and e.topic == topic]


def _measured(home: Home) -> tuple[int, Running | Reason]:
    """Return what runs, without booting anything: slot and measurement, or why there is none."""
    profile, board = home.profile, home.board
    try:
        if profile.platform is Platform.INSTALLER and board.installer is not None:
            seconds = float(board.installer_seconds)
            return InstallerPlatform(home, board.installer, install_s=seconds, tell=_quiet).boot()
        if profile.platform is Platform.NONE:
            return NoticesOnly(home, board, tell=_quiet).boot()
    except (InputError, UnavailableError):
        return 0, Reason.UNSUPPORTED
    slot, _ = select(home.read_boot())
    return slot, running(SlotPlatform(home).measure(slot, 0, profile.slot_bytes))


def _quiet(_line: str) -> None:
    """Leave what an installer says aside."""


def _way(board: Board) -> str:
    return board.gateway or board.broker or ""


def _plain(told: tuple[Group, ...]) -> list[dict[str, Any]]:
    return [
        {"title": each.title, "lines": [{"member": one.member, "text": one.text} for one in each.lines]}
        for each in told
    ]


def _print(out: Console, home: Home, told: tuple[Group, ...], size: int) -> None:
    line(out, f"What leaves device {home.profile.id}: a report of {size} bytes, which says the following.")
    for each in told:
        out.print()
        line(out, each.title)
        for one in each.lines:
            line(out, f"  {one.text}")
