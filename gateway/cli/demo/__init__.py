"""``tocsin demo``: ring the bell once, with every part real, and prove the outcome from the store."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from device_sim.displays.small import lacking
from gateway.cli.demo.cast import DEVICES_MIN, FIXED_VERSION, demanded
from gateway.cli.demo.measure import Measured, publish_to_shown
from gateway.cli.demo.scenario import Scenario
from gateway.cli.demo.screen import Screen, to_json
from gateway.cli.demo.stage import Stage, finish, prepare
from gateway.cli.demo.together import gateway_of, together
from gateway.cli.output import JsonOption, example
from gateway.cli.running import only_one, run
from gateway.service.broker import DemoBroker
from keys.errors import UnavailableError

if TYPE_CHECKING:
    from gateway.cli.demo.wired import Wired

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
    hil: Annotated[
        bool,
        typer.Option(
            "--hil",
            help="Reach two devices over serial lines only, one of them in C: a bench is their modem.",
        ),
    ] = False,
    as_json: JsonOption = False,
) -> int:
    """Ring the bell: a whole incident on simulated devices, with every part real.

    A notice is checked, approved, published, verified, shown and acknowledged; a patch goes out in two
    groups; scripted trouble is refused. Ends with 0 only if the store says what the scenario demands.
    """
    if hil:
        _need_the_bench()
    screen = Screen(Console(highlight=False), quiet=as_json)
    started = time.monotonic()
    elf, lacks = _device_in_c(screen) if hil else (None, "")
    workspace.parent.mkdir(parents=True, exist_ok=True)
    with only_one(workspace.parent / f".{workspace.name}.lock", "a demo in this folder"):
        stage = prepare(workspace, devices, seed, int(time.time()), board=elf is not None)
        played: list[Measured] = []
        with contextlib.ExitStack() as stack:
            url = broker or stack.enter_context(DemoBroker()).url
            screen.title(len(stage.cast), url, str(workspace))
            if stage.resumed:
                screen.say("an interrupted run lies here: going on from its store")
                lacks = lacks or ("" if stage.board else "the interrupted run began without it")
            for sentence in _remarks(stage, lacks):
                screen.say(sentence)
            wired = stack.enter_context(_wired(stage, url, elf)) if hil else ()
            standing = broker is not None
            run(lambda stop: _play(stage, screen, url, stop, played, standing=standing, wired=wired))
        if not played:  # asked to end (SIGTERM): not finished, so that the next run goes on
            raise KeyboardInterrupt
        return _close(stage, screen, played[0], started, wired=wired, lacks=lacks, as_json=as_json)


def _need_the_bench() -> None:
    """Refuse before anything starts.

    Raises:
        UnavailableError: BENCH_PARTS.
    """
    if importlib.util.find_spec("serial") is None:
        message = "A serial line needs pyserial, which is not installed."
        raise UnavailableError("BENCH_PARTS", message, mend="Run: pip install 'tocsin[hil]'")


def _device_in_c(screen: Screen) -> tuple[Path | None, str]:
    """Return the program of the device in C; without it, why there is none."""
    from gateway.cli.demo import refdevice  # noqa: PLC0415 - needs what only a bench installs

    screen.say("the device in C is looked for, and built once from its sources")
    try:
        return refdevice.build(), ""
    except UnavailableError as error:
        return None, error.message


def _remarks(stage: Stage, lacks: str) -> Iterator[str]:
    """Say what is not as it might be with the device in C."""
    if lacks:
        yield f"the device in C is left out: {lacks}"
    if stage.board is not None:
        font = lacking((stage.board.language,))
        if font is not None:
            yield f"the device in C shows the notice in English: no pages could be drawn for it. {font}"


@contextlib.contextmanager
def _wired(stage: Stage, url: str, elf: Path | None) -> Iterator[Sequence[Wired]]:
    """Run the boards on their serial lines for as long as the block lasts."""
    from gateway.cli.demo.refdevice import Refdevice  # noqa: PLC0415 - needs what only a bench installs
    from gateway.cli.demo.wired import Simulated, Wired, chosen  # noqa: PLC0415 - the same

    wired = [Wired(Simulated(chosen(stage.cast), stage.workspace.path), url)]
    if stage.board is not None and elf is not None:
        wired.append(Wired(Refdevice(stage.board, stage.workspace, elf), url))
    try:
        yield wired
    finally:
        _dark(wired)


def _dark(wired: Sequence[Wired]) -> None:
    """Take the boards' power, all at once, and wait until they are gone."""
    for board in wired:
        board.leave()
    for board in wired:
        board.stop()


async def _play(
    stage: Stage,
    screen: Screen,
    url: str,
    stop: asyncio.Event,
    played: list[Measured],
    *,
    standing: bool,
    wired: Sequence[Wired],
) -> None:
    """Run gateway and fleet beside the scenario until it has been played, or ``stop`` is set."""
    with stage.workspace.store() as store:
        scenario = Scenario(stage, store, screen, url, wired)
        for board in wired:
            board.start()
        measured = await together(
            gateway_of(stage, store, standing=standing),
            scenario.fleet,
            url,
            scenario.play,
            stop,
            farewell=lambda: _dark(wired),
        )
        if measured is not None:
            played.append(measured)


def _close(
    stage: Stage,
    screen: Screen,
    played: Measured,
    started: float,
    *,
    wired: Sequence[Wired] = (),
    lacks: str = "",
    as_json: bool,
) -> int:
    measured = played.outcome()
    with stage.workspace.store() as store:
        seconds = {**publish_to_shown(store), "total": round(time.monotonic() - started, 2)}
    wanted = demanded(stage.cast)
    told = {"refdevice" if board.member.board else "serial": board.summary() for board in wired}
    summary = to_json(measured, seconds, {**told, **({"refdevice": {"left_out": lacks}} if lacks else {})})
    path = finish(stage, summary)
    boards = [(board.program.name, FIXED_VERSION[board.member.product], board.told.runs) for board in wired]
    screen.closing(wanted, measured, seconds, boards)
    if lacks:
        screen.say(f"the device in C was left out: {lacks}")
    screen.say(f"summary in {path}, screens in {stage.workspace.path / 'screens'}")
    if as_json:
        sys.stdout.write(summary)
    good = all(board.shown and board.patched for board in wired)
    return 0 if measured == wanted and good else 1
