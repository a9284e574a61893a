"""``hil doctor``: why does my board not answer?"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from hil.bench import boardfile, doctor, facts
from hil.bench.board import Board
from hil.bench.doctor import Check, State
from hil.bench.firstboard import unnamed
from hil.bench.listen import ANSWER_S, LISTEN_S
from hil.cli.output import BoardsOption, JsonOption, emit, example
from hil.cli.tables import table
from keys.errors import InputError


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("doctor", epilog=example("doctor desk1"))(doctor_)


def doctor_(
    name: Annotated[
        str | None, typer.Argument(metavar="[BOARD]", help="A board, or a port; every board if left out.")
    ] = None,
    boards: BoardsOption = None,
    *,
    as_json: JsonOption = False,
) -> None:
    """Look at board file, programs, ports and boards, and say how to mend each fault.

    The exit status is 1 if there is one, else 0.
    """
    checks = list(_checks(name, boards))
    failed = sum(check.state is State.FAIL for check in checks)
    warned = sum(check.state is State.WARN for check in checks)

    def human(out: Console) -> None:
        rows = [
            (c.name, c.state.value, f"{c.message}{f' {c.mend}' if c.mend else ''}", c.code) for c in checks
        ]
        out.print(table(("board", "", "", "code"), rows))
        out.print(f"{failed} failed, {warned} warnings.")

    emit(
        as_json, {"checks": [asdict(check) for check in checks], "failed": failed, "warnings": warned}, human
    )
    if failed:
        raise typer.Exit(1)


def _checks(name: str | None, path: Path | None) -> Iterator[Check]:
    if name is not None and "/" in name:
        yield from _of(unnamed(Path(name).name, name))
        return
    try:
        path = path or boardfile.find(Path())
    except InputError:
        yield doctor.of_none(facts.ports_there())
        return
    try:
        mistakes = boardfile.mistakes(path, os.environ)
    except InputError as error:
        mistakes = [error]
    if mistakes:
        yield from doctor.of_file(str(path), mistakes, 0)
        return
    known = boardfile.load(path, os.environ)
    yield from doctor.of_file(str(path), (), len(known))
    for board in boardfile.choose(known, name=name):
        yield from _of(board)


def _of(board: Board) -> list[Check]:
    gathered = facts.of_board(
        board,
        os.environ,
        listen_s=LISTEN_S,
        answer_s=ANSWER_S,
        tells=lambda text: sys.stderr.write(f"{text}\n"),
    )
    found = doctor.examine(gathered)
    return found or [Check(board.name, State.OK, "Its program and files are there.")]
