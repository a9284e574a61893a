"""The boards of which a run takes one."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from hil.bench import boardfile
from hil.bench.board import Board
from hil.plugin.demands import Demands
from hil.plugin.options import Options
from keys.errors import InputError


def candidates(given: Options, here: Path) -> tuple[Options, list[Board]]:
    """Return the boards that were named, in that order, or all of the file; and the options with that file.

    Raises:
        pytest.UsageError: the file or a name is wrong.
    """
    try:
        file = given.file or boardfile.find(here)
        known = boardfile.load(file, os.environ)
        names = given.names or tuple(known)
        found = [board for name in names for board in boardfile.choose(known, name=name)]
    except InputError as error:
        raise pytest.UsageError(str(error)) from None
    return replace(given, file=file), found


def fits(board: Board, demands: Demands) -> bool:
    """Say whether a board has the tags, the class and the leave to be destroyed that a test demands."""
    return (
        set(demands.tags) <= set(board.tags)
        and set(demands.classes) <= {board.class_}
        and (board.destructive or not demands.destructive)
    )


def preferred(boards: Sequence[Board], wanted: Sequence[Demands]) -> list[Board]:
    """Return the boards that some test may use, those of most tests first, else in their order.

    Where no test may use any, all of them: each test then says why it cannot.
    """
    counts = {board.name: sum(fits(board, demands) for demands in wanted) for board in boards}
    useful = [board for board in boards if counts[board.name]]
    return sorted(useful, key=lambda board: -counts[board.name]) or list(boards)
