"""Starting a board anew without taking its power: a table of what DTR and RTS do, a program, or SMP."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final, Protocol

from hil.bench.board import Board, Reset
from hil.bench.tool import run_tool
from hil.errors import BenchError

Pause = Callable[[float], object]

HOLD: Final = "hold"
STEPS: Final[Mapping[str, tuple[tuple[str, bool], ...]]] = {
    "dtr": (("dtr", True), (HOLD, True), ("dtr", False)),
    "rts": (("rts", True), (HOLD, True), ("rts", False)),
    # Espressif's two transistors: RTS asserted pulls EN low, DTR asserted pulls IO0 low. IO0 stays high,
    # for a chip that finds it low when EN rises waits for a download instead of running its firmware.
    "esp32": (("dtr", False), ("rts", True), (HOLD, True), ("rts", False)),
}
"""How a line resets a board: (line, asserted) in order; ``hold`` waits for ``hold_s``."""


class Controlled(Protocol):
    """What has DTR and RTS."""

    def control(self, *, dtr: bool | None = None, rts: bool | None = None) -> None:
        """Set the state of one or both."""


def by_line(reset: Reset) -> bool:
    """Say whether a reset needs DTR or RTS."""
    return reset.by in STEPS


def idle(reset: Reset) -> dict[str, bool]:
    """Return the levels of DTR and RTS at which the board runs; empty where they do not matter."""
    turned = reset.by != "esp32" and not reset.active_low
    return {name: level != turned for name, level in STEPS.get(reset.by, ()) if name != HOLD}


def pull(line: Controlled, reset: Reset, pause: Pause = time.sleep) -> None:
    """Reset a board by its lines, as the table says.

    Raises:
        DeviceGone: the port went away.
    """
    turned = reset.by != "esp32" and not reset.active_low
    for name, asserted in STEPS[reset.by]:
        if name == HOLD:
            pause(reset.hold_s)
        else:
            line.control(**{name: asserted != turned})


def reset_board(
    board: Board, line: Controlled, smp_reset: Callable[[], object], *, pause: Pause = time.sleep
) -> None:
    """Start a board anew as its file says.

    Args:
        board: the board.
        line: its line, for DTR and RTS.
        smp_reset: sends os.reset.
        pause: waits so many seconds.

    Raises:
        BenchError: NO_RESET, the file says none; TOOL_*, the program failed.
        SmpFailure: the board did not take os.reset.
    """
    reset = board.reset
    if by_line(reset):
        pull(line, reset, pause)
    elif reset.by == "command" and reset.command:
        run_tool(reset.command, purpose="reset", folder=_folder(board))
    elif reset.by == "smp":
        smp_reset()
    else:
        message = f"The board {board.name} has no reset."
        raise BenchError("NO_RESET", message, mend="Write reset.by into the board file.", where=board.place)


def _folder(board: Board) -> Path | None:
    return board.folder if board.folder != Path() else None
