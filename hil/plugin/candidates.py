"""The boards of which a run takes one."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from hil.bench import boardfile
from hil.bench.board import Board
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
