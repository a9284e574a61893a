"""The options of ``pytest``: declared, and read once."""

from __future__ import annotations

import argparse
import math
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest

WAIT_S: Final = 300.0
ARTIFACTS: Final = "build/hil"
SEED_BITS: Final = 32


@dataclass(frozen=True, slots=True)
class Options:
    """What was asked for on the command line."""

    file: Path | None
    """The board file, where one was named."""
    names: tuple[str, ...]
    require: bool
    artifacts: Path
    seed: int
    keep_power: bool
    wait_s: float
    raw: bool

    @property
    def chosen(self) -> bool:
        """Whether tests may use a board at all."""
        return self.file is not None or bool(self.names)


def declare(parser: pytest.Parser) -> None:
    """Declare the options."""
    group = parser.getgroup("hil", "boards on the bench (hil)")
    add = group.addoption
    add(
        "--hil-boards",
        metavar="FILE",
        help="Board file; any board of it that is free may be taken. "
        "Left out, with --hil-board: $HIL_BOARDS, or hil-boards.toml here or above.",
    )
    add("--hil-board", metavar="NAME", action="append", default=[], help="Take this board; may be repeated.")
    add(
        "--hil-require",
        action="store_true",
        help="Fail, instead of skipping, where a board or a capability is missing.",
    )
    add(
        "--hil-artifacts",
        metavar="DIR",
        help=f"Folder of the evidence; {ARTIFACTS} under the root if left out.",
    )
    add(
        "--hil-seed",
        metavar="N",
        type=_seed,
        help="Seed of the faults; a random one, which is told, if left out.",
    )
    add("--hil-keep-power", action="store_true", help="Leave the board's power on at the end.")
    add(
        "--hil-wait",
        metavar="SECONDS",
        type=_seconds,
        default=WAIT_S,
        help=f"Wait so long at most for a board that somebody else uses; {WAIT_S:g} if left out.",
    )
    add(
        "--hil-raw-evidence",
        action="store_true",
        help="Keep private keys and customers' texts in the evidence. Handle it as you would the keys.",
    )


def read(config: pytest.Config) -> Options:
    """Return the options of this process; a worker of xdist has its seed from the process that started it."""
    given = config.option
    here = config.invocation_params.dir
    named = given.hil_boards or (os.environ.get("HIL_BOARDS") if given.hil_board else None)
    seed = given.hil_seed
    if seed is None:
        worker: dict[str, Any] = getattr(config, "workerinput", {})
        seed = worker.get("hil_seed")
    if seed is None:
        seed = int.from_bytes(os.urandom(SEED_BITS // 8), "big")
    return Options(
        file=here / named if named else None,
        names=tuple(dict.fromkeys(given.hil_board)),
        require=given.hil_require,
        artifacts=here / given.hil_artifacts if given.hil_artifacts else config.rootpath / ARTIFACTS,
        seed=seed,
        keep_power=given.hil_keep_power,
        wait_s=given.hil_wait,
        raw=given.hil_raw_evidence,
    )


def _seed(text: str) -> int:
    try:
        number = int(text)
    except ValueError:
        number = -1
    if not 0 <= number < 1 << 63:
        raise argparse.ArgumentTypeError(f"'{text}' is no whole number from 0 to 2**63 - 1")
    return number


def _seconds(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not (math.isfinite(number) and number >= 0):
        raise argparse.ArgumentTypeError(f"'{text}' is no number of seconds")
    return number
