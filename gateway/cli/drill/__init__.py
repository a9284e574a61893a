"""``tocsin drill``: a whole incident against a simulated fleet, timed, with its own report."""

from __future__ import annotations

import asyncio
import contextlib
import time
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from advisories.learning.drill import Drill, Finished, report
from gateway import files
from gateway.cli.demo.cast import DEVICES_MIN
from gateway.cli.demo.screen import Screen
from gateway.cli.demo.stage import Stage, prepare
from gateway.cli.demo.together import gateway_of, together
from gateway.cli.drill.play import Play, prepare_patches
from gateway.cli.output import JsonOption, emit, example, open_workspace
from gateway.cli.running import only_one, run
from gateway.service.broker import DemoBroker
from gateway.store import events
from keys.errors import InputError


def register(parent: typer.Typer) -> None:
    """Add this module's command to the application."""
    parent.command("drill", epilog=example("drill build/drill --devices 20"))(drill)


def drill(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="New folder: the drill's own workspace.")],
    *,
    devices: Annotated[int, typer.Option(min=DEVICES_MIN, max=10_000, help="How many devices.")] = 20,
    seed: Annotated[int, typer.Option(help="Decides who is who.")] = 1,
    people: Annotated[
        bool, typer.Option("--people", help="Wait for people to approve, at the desk or in a terminal.")
    ] = False,
    record_in: Annotated[
        Path | None,
        typer.Option("--record-in", help="Your own workspace, whose preparedness remembers the drill."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Run a whole incident on simulated devices, time each step, and write a report.

    Everything is signed under an exercise root, which no real device takes for its own. Nobody is warned.
    """
    remembering = open_workspace(record_in) if record_in is not None else None
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(
            "DRILL_FOLDER",
            "A drill begins in a new folder, and something lies here.",
            mend="Name another one.",
            where=str(folder),
        )
    screen = Screen(Console(highlight=False), quiet=as_json)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with only_one(folder.parent / f".{folder.name}.lock", "a drill in this folder"):
        stage = prepare(folder, devices, seed, int(time.time()))
        prepare_patches(stage, int(time.time()))
        screen.say(f"EXERCISE: {devices} simulated devices, workspace {folder}")
        played: list[Drill] = []
        with contextlib.ExitStack() as stack:
            url = stack.enter_context(DemoBroker()).url
            run(lambda stop: _play(stage, screen, url, stop, played, people=people))
        if not played:
            raise KeyboardInterrupt
    done = played[0]
    path = folder / "drill-report.md"
    files.write_atomic(path, report(done).encode())
    if remembering is not None:
        said = Finished(devices=devices, seconds=done.seconds, steps=done.steps, by_people=people)
        with remembering.store() as store, store.write() as session:
            events.record(session, said, by="tocsin drill", now=time.time())
    emit(as_json, _data(done, path), lambda out: _print(done, path, out))
    if done.missed:
        raise typer.Exit(1)


async def _play(
    stage: Stage, screen: Screen, url: str, stop: asyncio.Event, played: list[Drill], *, people: bool
) -> None:
    with stage.workspace.store() as store:
        play = Play(stage, store, screen, url, people=people)
        done = await together(gateway_of(stage, store, standing=False), play.fleet, url, play.play, stop)
        if done is not None:
            played.append(done)


def _data(done: Drill, path: Path) -> dict[str, Any]:
    return {
        "devices": done.devices,
        "seconds": round(done.seconds, 1),
        "steps": [{"name": step.name, "seconds": round(step.seconds, 1)} for step in done.steps],
        "by_people": done.by_people,
        "measures": done.measures,
        "clocks": [{"regime": c.regime, "step": c.step, "state": c.state.value} for c in done.clocks],
        "missed": len(done.missed),
        "report": path,
    }


def _print(done: Drill, path: Path, out: Console) -> None:
    out.print(f"The drill took {done.seconds:.1f} seconds; {len(done.missed)} deadlines were missed.")
    out.print(f"Report in {path}. Fill in its form with everybody who took part.", markup=False)
