"""``tocsin demo``: ring the bell once, with every part real, and prove the outcome from the store."""

from __future__ import annotations

import asyncio
import contextlib
import sys
import time
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from gateway.cli.demo.cast import DEVICES_MIN, demanded
from gateway.cli.demo.measure import Measured, publish_to_shown
from gateway.cli.demo.scenario import Scenario
from gateway.cli.demo.screen import Screen, to_json
from gateway.cli.demo.stage import Stage, finish, prepare
from gateway.cli.output import JsonOption, example
from gateway.cli.running import only_one, run
from gateway.service.broker import DemoBroker
from gateway.service.runtime import Gateway

FOLDER = Path("tocsin-demo")


def register(parent: typer.Typer) -> None:
    """Add this module's command to the application."""
    parent.command("demo", epilog=example("demo --devices 100"))(demo)


def demo(
    *,
    devices: Annotated[
        int, typer.Option(min=DEVICES_MIN, max=10_000, help="How many simulated devices.")
    ] = 100,
    seed: Annotated[int, typer.Option(help="Decides who is who and who gets into trouble.")] = 1,
    broker: Annotated[
        str | None, typer.Option(help="URL of an MQTT 5 broker; one in process if left out.")
    ] = None,
    workspace: Annotated[
        Path, typer.Option("--workspace", "-w", help="Folder of the demo: made, gone on with, or made anew.")
    ] = FOLDER,
    as_json: JsonOption = False,
) -> int:
    """Ring the bell: a whole incident on simulated devices, with every part real.

    A notice is checked, approved, published, verified, shown and acknowledged; a patch goes out in two
    groups; scripted trouble is refused. Ends with 0 only if the store says what the scenario demands.
    """
    screen = Screen(Console(highlight=False), quiet=as_json)
    started = time.monotonic()
    workspace.parent.mkdir(parents=True, exist_ok=True)
    with only_one(workspace.parent / f".{workspace.name}.lock", "a demo in this folder"):
        stage = prepare(workspace, devices, seed, int(time.time()))
        played: list[Measured] = []
        with contextlib.ExitStack() as stack:
            url = broker or stack.enter_context(DemoBroker()).url
            screen.title(devices, url, str(workspace))
            if stage.resumed:
                screen.say("an interrupted run lies here: going on from its store")
            run(lambda stop: _play(stage, screen, url, stop, played, shared=broker is not None))
        if not played:  # asked to end (SIGTERM): not finished, so that the next run goes on
            raise KeyboardInterrupt
        return _close(stage, screen, played[0], started, as_json=as_json)


async def _play(
    stage: Stage, screen: Screen, url: str, stop: asyncio.Event, played: list[Measured], *, shared: bool
) -> None:
    """Run gateway and fleet beside the scenario until it has been played, or ``stop`` is set."""
    with stage.workspace.store() as store:
        trusted = stage.workspace.trusted()
        gateway = Gateway(
            store,
            stage.workspace.artefacts,
            stage.workspace.topics,
            trusted.fleet,
            trusted,
            stage.signer("gateway"),
            share=shared,
        )
        scenario = Scenario(stage, store, screen, url)
        over = asyncio.Event()
        serving = asyncio.create_task(gateway.run(url, over))
        living = asyncio.create_task(scenario.fleet.run(over))
        playing = asyncio.create_task(scenario.play(gateway))
        stopping = asyncio.create_task(stop.wait())
        try:
            done, _ = await asyncio.wait(
                (serving, living, playing, stopping), return_when=asyncio.FIRST_COMPLETED
            )
            for task in done:
                task.result()
            if playing in done:
                played.append(playing.result())
        finally:
            for task in (playing, stopping):
                task.cancel()
            await asyncio.gather(playing, stopping, return_exceptions=True)
            over.set()
            await asyncio.gather(living, return_exceptions=True)
            await asyncio.gather(serving, return_exceptions=True)
            await gateway.close()


def _close(stage: Stage, screen: Screen, played: Measured, started: float, *, as_json: bool) -> int:
    measured = played.outcome()
    with stage.workspace.store() as store:
        seconds = {**publish_to_shown(store), "total": round(time.monotonic() - started, 2)}
    wanted = demanded(stage.cast)
    summary = to_json(measured, seconds)
    path = finish(stage, summary)
    screen.closing(wanted, measured, seconds)
    screen.say(f"summary in {path}, screens in {stage.workspace.path / 'screens'}")
    if as_json:
        sys.stdout.write(summary)
    return 0 if measured == wanted else 1
