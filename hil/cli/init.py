"""``hil init``: from a port to a board file and a first passing test."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from hil.bench import boardfile, firstboard, lock
from hil.bench.firstlook import look, stable_name
from hil.bench.listen import ANSWER_S, BAUDS, LISTEN_S
from hil.cli.output import JsonOption, WaitOption, emit, example


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command(epilog=example("init /dev/ttyACM0 --name desk1"))(init)


def init(
    port: Annotated[str, typer.Argument(help="The board's port: /dev/ttyACM0, socket://HOST:PORT, ...")],
    *,
    name: Annotated[str | None, typer.Option("--name", help="The board's name; board1 if left out.")] = None,
    baud: Annotated[int | None, typer.Option("--baud", min=50, help="Try this rate and no other.")] = None,
    listen: Annotated[
        float, typer.Option("--listen", min=0.0, max=600.0, help="Seconds to listen at each rate.")
    ] = LISTEN_S,
    boards: Annotated[
        Path, typer.Option("--boards", help="Board file to write, or to add the board to.")
    ] = Path(boardfile.FILE_NAME),
    wait: WaitOption = 0.0,
    as_json: JsonOption = False,
) -> None:
    """Look at the board on a port, and write its board file and a first test that passes."""
    taken = firstboard.present(boards, os.environ)
    board = firstboard.unnamed("new", port)
    firstboard.check_port(taken, port)
    chosen = firstboard.name_for(name, taken)
    board = board.model_copy(update={"name": chosen})
    with lock.hold(board, lock.ports_of(board), purpose=f"hil init {port}", wait_s=wait):
        found = look(
            port,
            bauds=BAUDS if baud is None else (baud,),
            listen_s=listen,
            answer_s=ANSWER_S,
            tells=lambda text: sys.stderr.write(f"{text}\n"),
        )
    written = firstboard.write(boards, chosen, found, os.environ)
    beside = boards.parent / firstboard.TEST_NAME
    option = "" if boards.name == boardfile.FILE_NAME else f" --hil-boards {boards.name}"
    following = [f"pytest --hil-board {chosen}{option}", f"hil doctor {chosen}"]

    def human(out: Console) -> None:
        out.print(found.told())
        if found.info:
            out.print(found.info)
        out.print(f"Written: {', '.join(written)}.")
        if beside.name not in written:
            out.print(f"{beside.name} was there already and is as it was.")
        out.print("Next:")
        for line in following:
            out.print(f"  {line}")

    data = {
        "board": chosen,
        "file": str(boards),
        "url": stable_name(port),
        "baud": found.heard.baud,
        "smp": found.heard.smp,
        "capabilities": sorted(found.capabilities),
        "written": written,
        "next": following,
    }
    emit(as_json, data, human)
