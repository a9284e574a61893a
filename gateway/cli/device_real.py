"""``tocsin device answer``, ``acknowledge``, ``status`` and ``reset``: what an owner says to a device.

With ``--home`` alone :mod:`device_sim.main` is run without all of this, for a device has no room for it.
"""

from __future__ import annotations

import asyncio
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from device_sim import main
from device_sim.home import Home
from device_sim.link import MqttLink
from device_sim.shell import DeviceShell
from gateway.cli import fleet
from gateway.cli.output import JsonOption, WorkspaceOption, emit, example, open_workspace
from gateway.cli.running import only_one
from keys.errors import InputError

_NOWHERE = "mqtt://127.0.0.1:9"  # discard: a link that is never connected


class AnswerName(StrEnum):
    """What an owner says to a question."""

    YES = "yes"
    LATER = "later"
    NO = "no"


HomeOption = Annotated[Path, typer.Option(help="Folder of the device, which runs.")]


def register(app: typer.Typer) -> None:
    """Add this module's commands to those of ``device``."""
    app.command("answer", epilog=example("device answer yes --home /var/lib/tocsin"))(answer)
    app.command("acknowledge", epilog=example("device acknowledge --home /var/lib/tocsin"))(acknowledge)
    app.command("status", epilog=example("device status --home /var/lib/tocsin"))(status)
    app.command("reset", epilog=example("device reset --home /var/lib/tocsin"))(reset)


def answer(
    word: Annotated[AnswerName, typer.Argument(metavar="yes|later|no", help="What the owner says.")],
    *,
    home: HomeOption,
    question: Annotated[
        str | None,
        typer.Option(
            metavar="DIGEST", help="Only if this is still what is asked, as 'device status' told it."
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Answer whether a real device may install a patch: what a button runs where there is no keyboard."""
    _told(main.answer(home, word.value, question), as_json=as_json)


def acknowledge(
    advisory: Annotated[
        str | None, typer.Argument(metavar="ID", help="Of a notice; all that are shown if left out.")
    ] = None,
    *,
    home: HomeOption,
    as_json: JsonOption = False,
) -> None:
    """Say to a real device that its notice was read."""
    _told(main.acknowledge(home, advisory), as_json=as_json)


def status(*, home: HomeOption, as_json: JsonOption = False) -> None:
    """Say what a real device shows and asks now."""
    _told(main.status(home), as_json=as_json)


def reset(
    device: Annotated[
        str | None, typer.Argument(metavar="ID", help="A simulated device; its first digits will do.")
    ] = None,
    *,
    home: Annotated[Path | None, typer.Option(help="Folder of a real device, instead of an id.")] = None,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Forget what an owner agreed to, wished and read, before a device is given away.

    What protects it stays: roots, floors against older documents and patches, and the journal.
    """
    if (device is None) is (home is None):
        raise InputError("USAGE", "Name a device, or its folder.", mend="Give an ID, or say --home DIR.")
    if home is not None:
        _told(main.reset(home), as_json=as_json)
        return
    opened = open_workspace(workspace)
    path = fleet.find(opened, device or "")
    with only_one(opened.path / "devices" / ".lock", "the devices of this workspace"):
        asyncio.run(_forget(Home.open(path)))
    _told({"reset": True}, as_json=as_json)


async def _forget(home: Home) -> None:
    """Start a simulated device that reaches nobody, and reset it."""
    shell = DeviceShell(home, MqttLink(_NOWHERE, home.profile.id))
    shell.boot()
    shell.ask(shell.agent, lambda agent, now: agent.factory_reset(now))
    await shell.stop()
    if shell.failure is not None:
        raise shell.failure


def _told(answered: dict[str, Any], *, as_json: bool) -> None:
    emit(as_json, answered, lambda out: out.print(main.spoken(answered), markup=False, highlight=False))
