"""A board's power: cut, given back, cut at a moment; by a program, a hub, a kill, or a person."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from hil.bench.board import Board
from hil.bench.spawn import Spawned
from hil.bench.tool import run_tool
from hil.errors import BenchError

Ask = Callable[[str], None]
"""Asks a person to do something and returns when it is done."""


@dataclass(frozen=True, slots=True)
class Ability:
    """What a driver can do."""

    cut: bool
    """Take the power."""
    cycle: bool
    """Take it and give it back."""
    timed_cut: bool
    """Take it after so many seconds."""


ABILITIES: Final[Mapping[str, Ability]] = {
    "none": Ability(cut=False, cycle=False, timed_cut=False),
    "command": Ability(cut=True, cycle=True, timed_cut=True),
    "uhubctl": Ability(cut=True, cycle=True, timed_cut=True),
    "process": Ability(cut=True, cycle=True, timed_cut=True),
    "manual": Ability(cut=True, cycle=True, timed_cut=False),  # nobody's hand keeps time
}


class Power:
    """The power of one board.

    Attributes:
        driver: its name in the board file.
        cut: it can be taken.
        cycle: it can be taken and given back.
        timed_cut: it can be taken after so many seconds.
    """

    def __init__(self, board: Board, turn: Callable[[bool], object] | None) -> None:
        self.driver = board.power.driver
        self._board, self._turn = board, turn
        ability = ABILITIES[self.driver]
        self.cut, self.cycle, self.timed_cut = ability.cut, ability.cycle, ability.timed_cut
        self._timer: threading.Timer | None = None
        self._failed: BenchError | None = None

    def on(self) -> None:
        """Give power; where there is power already, nothing changes.

        Raises:
            BenchError: NO_POWER, TOOL_*, SPAWN_FAILED, NOBODY_THERE.
        """
        self.settle()
        self._switch(on=True)

    def off(self) -> None:
        """Take the power; raises as :meth:`on`."""
        self._switch(on=False)

    def off_after(self, seconds: float, then: Callable[[], object] = int) -> None:
        """Take the power in so many seconds, and call ``then``; a failure is raised by :meth:`settle`.

        Raises:
            BenchError: NO_TIMED_CUT.
        """
        if not self.timed_cut:
            message = f"The power of {self._board.name} ({self.driver}) cannot be cut at a given time."
            mend = "Use a driver that can: command, uhubctl or process."
            raise BenchError("NO_TIMED_CUT", message, mend=mend, where=self._board.place)
        self.settle()
        self._timer = threading.Timer(seconds, self._late_off, (then,))
        self._timer.daemon = True
        self._timer.start()

    def settle(self, *, cancel: bool = False) -> None:
        """Wait for a timed cut that is under way, or take it back; raises what it met."""
        timer, self._timer = self._timer, None
        if timer is not None:
            if cancel:
                timer.cancel()
            timer.join()
        failed, self._failed = self._failed, None
        if failed is not None:
            raise failed

    def _late_off(self, then: Callable[[], object]) -> None:
        try:
            self._switch(on=False)
        except BenchError as error:
            self._failed = error
        then()

    def _switch(self, *, on: bool) -> None:
        if self._turn is None:
            message = f"The power of {self._board.name} cannot be switched."
            raise BenchError("NO_POWER", message, mend="Write a power driver.", where=self._board.place)
        self._turn(on)


def ask_person(environ: Mapping[str, str], terminal: Path = Path("/dev/tty")) -> Ask:
    """Return who asks on the terminal, also where pytest has taken standard input.

    It raises NOBODY_THERE where ``CI`` is ``true`` or there is no terminal.
    """

    def ask(what: str) -> None:
        try:
            if environ.get("CI") == "true":
                raise OSError  # noqa: TRY301 - one way to say it
            with terminal.open("r+b", buffering=0) as person:
                person.write(f"{what} and press Enter: ".encode())
                while person.read(1) not in (b"\n", b"\r", b""):
                    pass
        except OSError:
            message = f"Somebody would have to act ({what}), and nobody is there."
            mend = "Use a power driver that needs no hand, or run this on a terminal."
            raise BenchError("NOBODY_THERE", message, mend=mend) from None

    return ask


def power_of(
    board: Board, spawned: Spawned | None, environ: Mapping[str, str], ask: Ask | None = None
) -> Power:
    """Return a board's power as its file describes it.

    Args:
        board: the board.
        spawned: the program that is the board, if it is one.
        environ: environment of programs, and ``CI``.
        ask: who asks a person for the driver ``manual``; the terminal if left out.
    """
    power = board.power
    folder = board.folder if board.folder != Path() else None
    person = ask or ask_person(environ)

    def by_command(on: bool) -> None:  # noqa: FBT001 - the state of a switch
        command = power.on if on else power.off
        if command:
            run_tool(command, purpose=f"power {'on' if on else 'off'}", folder=folder, environ=environ)

    def by_hub(on: bool) -> None:  # noqa: FBT001 - the same
        action = "on" if on else "off"
        command = ["uhubctl", "-l", str(power.hub), "-p", str(power.port), "-a", action]
        run_tool(command, purpose=f"power {action}", environ=environ)

    def by_process(on: bool) -> None:  # noqa: FBT001 - the same
        if spawned is not None:
            (spawned.start if on else spawned.stop)()

    def by_hand(on: bool) -> None:  # noqa: FBT001 - the same
        person(f"Switch {board.name} {'on' if on else 'off'}")

    turns: Mapping[str, Callable[[bool], object]] = {
        "command": by_command,
        "uhubctl": by_hub,
        "process": by_process,
        "manual": by_hand,
    }
    return Power(board, turns.get(power.driver))
