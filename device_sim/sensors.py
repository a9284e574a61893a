"""What a board feels: its battery, and whether it must not be interrupted.

(Linux, Documentation/ABI/testing/sysfs-class-power.)
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from device_sim.board import Board
from device_sim.core.profile import Conditions
from device_sim.programs import Tell, ask

EVERY_S: Final = 30.0
"""How often they are looked at, in seconds."""
BUSY_S: Final = 5.0
"""How long the program that knows whether the device is busy may think, in seconds."""
_DIGITS_MAX: Final = 9
_SUPPLIES: Final = Path("/sys/class/power_supply")


def conditions(board: Board, tell: Tell, *, supplies: Path = _SUPPLIES) -> Conditions:
    """Look around once; it takes as long as the board's ``busy_command``.

    Args:
        board: what there is to look at.
        tell: takes lines for the log.
        supplies: where Linux lists power supplies.
    """
    return Conditions(battery(supplies, board.battery), _is_busy(board, tell))


def battery(supplies: Path, name: str = "") -> int | None:
    """Return the charge of a battery in percent; None on mains, without one, or where it does not tell."""
    try:
        found = [supplies / name] if name else sorted(supplies.iterdir())
    except OSError:
        return None
    for folder in found:
        if _said(folder / "type") != "Battery" or _said(folder / "scope") == "Device":
            continue  # a mains adapter, or the battery of a mouse
        if _said(folder / "status") in {"Charging", "Full", "Not charging"}:
            return None  # all of them say that the mains are there
        charge = _said(folder / "capacity")
        return min(100, int(charge)) if charge.isdecimal() and len(charge) <= _DIGITS_MAX else None
    return None


def _is_busy(board: Board, tell: Tell) -> bool:
    """Say whether the device must not be interrupted; a program that fails to say is one that says no."""
    if board.busy_file is not None and _may_be_there(board.busy_file):
        return True
    return bool(board.busy_command) and ask(board.busy_command, tell, seconds=BUSY_S)[0] == 0


def _may_be_there(path: Path) -> bool:
    """Say whether a file is there; one that we may not look for may be, and then the report says BUSY."""
    try:
        path.stat()
    except PermissionError:
        return True
    except OSError:
        return False
    return True


def _said(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii", errors="replace").strip()
    except OSError:
        return ""
