"""The board that a command is about: found in the board file, and held while the command runs."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from hil.bench import boardfile
from hil.bench.board import Board
from hil.bench.lock import Holder, hold, ports_of

BoardArgument = Annotated[str, typer.Argument(metavar="BOARD", help="Name of the board in the board file.")]


@contextlib.contextmanager
def held(name: str, boards: Path | None, *, purpose: str, wait_s: float) -> Iterator[Board]:
    """Hold a board by its name.

    Args:
        name: its name in the board file.
        boards: the board file; ``hil-boards.toml`` here or above if left out.
        purpose: what others are told.
        wait_s: how long to wait for somebody else.

    Raises:
        InputError: there is no such file or board.
        BenchError: BOARD_BUSY.
    """
    found = boardfile.load(boards or boardfile.find(Path()), os.environ)
    board = boardfile.choose(found, name=name)[0]
    with hold(board, ports_of(board), purpose=purpose, wait_s=wait_s, waits=_tell):
        yield board


def _tell(holder: Holder | None) -> None:
    who = holder.told() if holder else "somebody"
    sys.stderr.write(f"Waiting for {who}.\n")
