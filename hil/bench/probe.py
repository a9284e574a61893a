"""What a board can do: asked of the board, and compared with what its file claims."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from advisories.smp import COMMANDS, IMG_STATE, OS_ECHO, STAT_LIST, Command
from hil.bench.board import Board
from hil.bench.power import Power
from hil.errors import BenchError, DeviceGone, DeviceHung, DeviceRebooted, SmpFailure, SmpRefused
from hil.smp.client import SmpClient, supports

_GROUPS: Final[Mapping[str, Command]] = {"img": IMG_STATE, "stat": STAT_LIST}
"""Capability -> a command that reads and changes nothing."""


def speaks_smp(board: Board) -> bool:
    """Say whether SMP is tried on a board.

    It is not where the file waits for no echo and claims capabilities without ``os``: a shell would take
    frames for commands.
    """
    claimed = board.capabilities
    return board.boot.ready == "echo" or claimed is None or "os" in claimed


def probe_bench(board: Board, power: Power) -> frozenset[str]:
    """Return what the bench itself can do with a board: its console, reset and power."""
    found = {"console"}
    if board.reset.by != "none":
        found.add("reset")
    if power.cut:
        found.add("power.cut")
    if power.cycle:
        found.add("power.cycle")
    return frozenset(found)


def probe_smp(client: SmpClient) -> frozenset[str]:
    """Return what the firmware answers to; empty where it speaks no SMP.

    ``os``, ``img``, ``stat``, ``group.notifier``, and ``notifier.NAME`` for each command that the device
    itself names. A group whose answer is missing, while the board answers echo, counts as absent: some
    firmware is silent instead of refusing.
    """
    if not answers(client, OS_ECHO):
        return frozenset()
    found = {"os"}
    found.update(name for name, command in _GROUPS.items() if answers(client, command))
    try:
        named = client.notifier.info().caps
    except (DeviceGone, DeviceRebooted):
        raise
    except (SmpRefused, SmpFailure):
        return frozenset(found)
    found.update({"group.notifier", "notifier.info"})
    found.update(f"notifier.{name}" for name in named if f"notifier.{name}" in COMMANDS)
    return frozenset(found)


def answers(client: SmpClient, command: Command) -> bool:
    """Say whether a board knows a command; silence counts as no.

    Raises:
        DeviceGone, DeviceRebooted: the board itself went away meanwhile.
    """
    try:
        return supports(client, command)
    except DeviceHung:
        return False


def compare(board: Board, found: frozenset[str]) -> None:
    """Refuse a board that is not what its file claims.

    Raises:
        BenchError: CAPABILITIES, names what is claimed and missing, and what is there and not claimed.
    """
    if board.capabilities is None:
        return
    claimed = frozenset(board.capabilities)
    missing, more = sorted(claimed - found), sorted(found - claimed)
    if not missing and not more:
        return
    sides = [f"claimed and not found: {', '.join(missing)}"] * bool(missing)
    sides += [f"found and not claimed: {', '.join(more)}"] * bool(more)
    message = f"The board {board.name} is not what its file says; {'; '.join(sides)}."
    mend = f"Mend capabilities, or look at the firmware: hil probe {board.name}"
    raise BenchError("CAPABILITIES", message, mend=mend, where=board.place)
