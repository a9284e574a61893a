"""``hil power``: a board's power, on, off or cycled."""

from __future__ import annotations

import os
import time
from enum import StrEnum
from typing import Annotated

import typer
from rich.console import Console

from hil.bench.board import Board
from hil.bench.power import power_of
from hil.cli.held import BoardArgument, held
from hil.cli.output import BoardsOption, JsonOption, WaitOption, emit, example
from hil.errors import BenchError


class Turn(StrEnum):
    """What to do with the power."""

    ON = "on"
    OFF = "off"
    CYCLE = "cycle"


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command(epilog=example("power disco1 cycle"))(power)


def power(
    name: BoardArgument,
    turn: Annotated[Turn, typer.Argument(help="on, off, or off and on again.")],
    boards: BoardsOption = None,
    *,
    wait: WaitOption = 0.0,
    as_json: JsonOption = False,
) -> None:
    """Give a board power, or take it."""
    with held(name, boards, purpose=f"hil power {name} {turn.value}", wait_s=wait) as board:
        switch(board, turn)

    def human(out: Console) -> None:
        out.print(f"{name} is {'off' if turn is Turn.OFF else 'on'}.")

    emit(as_json, {"board": name, "power": "off" if turn is Turn.OFF else "on"}, human)


def switch(board: Board, turn: Turn) -> None:
    """Switch a board's power.

    Raises:
        BenchError: POWER_SPAWNED, NO_POWER, TOOL_*, NOBODY_THERE.
    """
    if board.spawn is not None and board.power.driver == "process":
        message = f"The board {board.name} is a program: it runs only while a test or command holds it."
        mend = f"Use hil console {board.name}, or hil_power in a test."
        raise BenchError("POWER_SPAWNED", message, mend=mend, where=board.place)
    supply = power_of(board, None, os.environ)
    if turn is not Turn.ON:
        supply.off()
    if turn is Turn.CYCLE:
        time.sleep(board.power.off_s)
    if turn is not Turn.OFF:
        supply.on()
