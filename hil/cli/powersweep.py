"""``hil powersweep``: one scenario, with the power cut at every point of it."""

from __future__ import annotations

import sys
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from hil.bench.board import Board
from hil.bench.session import Session
from hil.cli.held import BoardArgument, held
from hil.cli.output import BoardsOption, JsonOption, WaitOption, console, emit, example
from hil.errors import BenchError
from hil.plugin.redact import Redactor
from hil.sweep import points as places
from hil.sweep import scenario as scenarios
from hil.sweep.junit import junit_xml
from hil.sweep.points import Cut
from hil.sweep.scenario import Scenario
from hil.sweep.sweep import Result, Sweep, claim
from hil.wire.record import Tap
from hil.wire.trace import Trace
from keys.errors import InputError

IMAGE_BYTES_MAX = 64 << 20
FileOption = Path | None


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command(epilog=example("powersweep sim1 --image new.bin --cut writes"))(powersweep)


def powersweep(
    name: BoardArgument,
    boards: BoardsOption = None,
    *,
    scenario: Annotated[
        str, typer.Option("--scenario", help="upload, update, or module:function, called with the session.")
    ] = "upload",
    image: Annotated[FileOption, typer.Option("--image", help="upload: the new image.")] = None,
    back: Annotated[FileOption, typer.Option("--back", help="upload: the old image, to begin anew.")] = None,
    messages: Annotated[
        FileOption, typer.Option("--messages", help="update: a folder with messages.toml.")
    ] = None,
    cut: Annotated[Cut, typer.Option("--cut", help="What is counted.")] = Cut.FRAMES,
    points: Annotated[str, typer.Option("--points", help="all, or how many, evenly spread.")] = "all",
    at: Annotated[
        list[str] | None,
        typer.Option("--at", help="Only here: 7, 7:torn, 4096, 1.5, a regular expression. Repeat it."),
    ] = None,
    flash: Annotated[bool, typer.Option("--flash", help="Flash the board before each point.")] = False,
    trace: Annotated[FileOption, typer.Option("--trace", help="Write what is said here.")] = None,
    junit: Annotated[FileOption, typer.Option("--junitxml", help="Write a test case a point here.")] = None,
    wait: WaitOption = 0.0,
    as_json: JsonOption = False,
) -> None:
    """Cut a board's power at every point of a scenario, and hold invariants against what it is then.

    Exit status 1 if an invariant is broken, 3 if the bench could not do its part, or nothing was cut.
    """
    chosen = _scenario(scenario, image, back, messages)
    number = _number(points)
    named = [point for text in at or () for point in places.parse(cut, text)]
    told = _Told(chosen.name, name, as_json=as_json, junit=junit)
    told.write()
    purpose = f"hil powersweep {name} --scenario {scenario}"
    with held(name, boards, purpose=purpose, wait_s=wait) as board, ExitStack() as stack:
        require_destructive(board)
        taps = [_tap(stack.enter_context(Trace(trace)), board)] if trace else []
        session = stack.enter_context(Session.open(board, taps=taps))
        stack.callback(told.end)
        sweep = Sweep(session, chosen, flash=flash)
        calm = sweep.undisturbed()
        told.say(f"Undisturbed: {calm.frames} frames, {calm.writes} writes, {calm.seconds:.1f} s.")
        todo = named or sweep.points(cut, calm, number)
        told.begin(len(todo), claim(cut, exhaustive=number is None and not named))
        for result in sweep.run(todo, calm):
            told.take(result)
    if told.broken:
        raise typer.Exit(1)
    if told.idle:  # nothing was cut, and so nothing proved
        raise typer.Exit(BenchError.exit_status)


def require_destructive(board: Board) -> None:
    """Refuse a board whose file does not allow that its firmware is lost.

    Raises:
        BenchError: NOT_DESTRUCTIVE.
    """
    if not board.destructive:
        message = f"What is done here may leave the board {board.name} without firmware."
        mend = "Write destructive = true in its table if that is well."
        raise BenchError("NOT_DESTRUCTIVE", message, mend=mend, where=board.place)


def _tap(trace: Trace, board: Board) -> Tap:
    redact = Redactor(group=board.link.group)
    return lambda record: trace(redact(record))


def _scenario(name: str, image: FileOption, back: FileOption, messages: FileOption) -> Scenario:
    if name == "upload":
        if image is None:
            raise InputError("SCENARIO", "The scenario upload needs an image.", mend="Give --image FILE.")
        return scenarios.upload(_image(image), _image(back) if back else None)
    if name == "update":
        if messages is None:
            raise InputError("SCENARIO", "The scenario update needs messages.", mend="Give --messages DIR.")
        return scenarios.update(messages)
    return scenarios.named(name)


def _image(path: Path) -> bytes:
    try:
        data = path.read_bytes()
    except OSError as error:
        message = f"The image cannot be read: {error.strerror or type(error).__name__}."
        raise InputError("FILE", message, mend="Check the path.", where=str(path)) from None
    if not 0 < len(data) <= IMAGE_BYTES_MAX:
        message = f"An image of {len(data)} bytes is none."
        raise InputError("IMAGE_SIZE", message, mend="Give 1 byte to 64 MiB.", where=str(path))
    return data


def _number(points: str) -> int | None:
    if points == "all":
        return None
    if not points.isascii() or not points.isdigit() or not 1 <= int(points[:9]) <= places.POINTS_MAX:
        message = f"'{points[:40]}' is no number of points."
        raise InputError("BAD_POINT", message, mend=f"Write all, or 1 to {places.POINTS_MAX}.")
    return int(points)


class _Told:
    """What is said of a sweep: a line a point as it goes, and all of it in the end, however it ends."""

    def __init__(self, scenario: str, board: str, *, as_json: bool, junit: FileOption) -> None:
        self._scenario, self._board, self._as_json, self._junit = scenario, board, as_json, junit
        self._results: list[Result] = []
        self._planned, self._claim = 0, ""

    @property
    def broken(self) -> bool:
        return any(result.broken for result in self._results)

    @property
    def idle(self) -> bool:
        return not any(result.reached for result in self._results)

    def say(self, line: str) -> None:
        if not self._as_json:
            console().print(line)
            sys.stdout.flush()

    def begin(self, planned: int, claim: str) -> None:
        self._planned, self._claim = planned, claim
        self.say(f"{planned} points. {claim}")
        self.say(f"{'point':<22} {'outcome':<8} {'ready':>7}  invariants")

    def take(self, result: Result) -> None:
        self._results.append(result)
        held = "; ".join(f"BROKEN {name}: {why}" for name, why in result.broken.items()) or "hold"
        ready = f"{result.seconds:.2f} s" if result.seconds else "-"
        reached = "" if result.reached else " (not reached)"
        self.say(f"{result.point!s:<22} {result.outcome:<8} {ready:>7}  {held}{reached}")

    def write(self) -> None:
        """Write the JUnit file: once before anything is cut, to find out whether that can be done."""
        if self._junit is None:
            return
        try:
            self._junit.write_text(junit_xml(self._board, self._scenario, self._results), encoding="utf-8")
        except OSError as error:
            message = f"The JUnit file cannot be written: {error.strerror or type(error).__name__}."
            raise BenchError("FILE", message, mend="Give another name.", where=str(self._junit)) from None

    def end(self) -> None:
        done, outcomes = len(self._results), Counter(result.outcome for result in self._results)
        missed = sum(not result.reached for result in self._results)
        broken = sum(bool(result.broken) for result in self._results)
        data: dict[str, Any] = {
            "board": self._board,
            "scenario": self._scenario,
            "planned": self._planned,
            "done": done,
            "complete": done == self._planned > 0,
            "outcomes": dict(outcomes),
            "not_reached": missed,
            "broken": broken,
            "claim": self._claim,
            "points": [result.as_json() for result in self._results],
        }

        def human(out: Console) -> None:
            summary = ", ".join(f"{count} {name}" for name, count in sorted(outcomes.items())) or "none"
            cut_short = "" if data["complete"] else " The sweep was cut short."
            late = f" {missed} came too late to cut anything." if missed else ""
            out.print(
                f"{done} of {self._planned} points: {summary}; {broken} broke an invariant.{late}{cut_short}"
            )

        if self._planned:
            emit(self._as_json, data, human)
        self.write()
