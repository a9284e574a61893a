"""The ports of one board: opened when they are there, and again when they come back under another name."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from typing import Final

from hil.bench.board import Board
from hil.bench.line import Line
from hil.bench.reset import by_line, idle
from hil.bench.spawn import Spawned
from hil.errors import BenchError, DeviceGone
from hil.wire.record import Tap

POLL_S: Final = 0.02
"""Between looks at a port that is not there yet."""


class Hookup:
    """The lines of a board, closed at first.

    Attributes:
        line: where SMP is spoken.
        lines: all of them; the last one is the console's.
    """

    def __init__(self, board: Board, spawned: Spawned | None, taps: Sequence[Tap]) -> None:
        self._board, self._spawned = board, spawned
        self._connected = False  # since power was given
        link, banner, levels = board.link, board.boot.banner, idle(board.reset)
        self.line = Line(
            link.url or "",
            baud=link.baud,
            dtr=link.dtr if link.dtr is not None else levels.get("dtr"),
            rts=link.rts if link.rts is not None else levels.get("rts"),
            line_bytes=link.smp_line,
            banner=banner,
            taps=taps,
        )
        self.lines = [self.line]
        if board.console.url != "same" or (board.spawn is not None and len(board.spawn.serial) > 1):
            console = Line(
                board.console.url,
                baud=board.console.baud,
                dtr=None,
                rts=None,
                line_bytes=link.smp_line,
                banner=banner,
                taps=taps,
            )
            self.lines.append(console)

    def restarted(self) -> None:
        """Note that the board gets power; a program's lines are of one that was killed, and are closed."""
        self._connected = False
        if self._spawned is not None:
            for line in self.lines:
                line.close()

    def ended(self) -> str:
        """Return how the program that is the board ended; empty while it runs, or is none."""
        return self._spawned.ended() if self._spawned is not None else ""

    def connect(self, timeout_s: float) -> None:
        """Open each port that is not open, waiting for one that is not there yet.

        Raises:
            BenchError: PORT_*; SPAWN_ENDED, the program that is the board did not come up.
            DeviceGone: the program came up, and ended.
        """
        deadline = time.monotonic() + timeout_s
        while True:
            try:
                self.connect_once()
            except BenchError as error:
                if error.code != "PORT_MISSING" or time.monotonic() >= deadline:
                    raise
            else:
                return
            threading.Event().wait(POLL_S)

    def connect_once(self) -> None:
        """Open each port that is not open; raises as :meth:`connect`."""
        for number, line in enumerate(self.lines):
            if line.alive:
                continue
            # A PTY's number is free for anybody as soon as its program has ended: looking there would be
            # looking at somebody else's board.
            self._still_runs()
            if self._spawned is not None and (number or not self._board.link.url):
                line.url = self._spawned.url(number)
            line.reopen()
            if line is self.line and by_line(self._board.reset):
                line.need_control()
        self._connected = True

    def _still_runs(self) -> None:
        ended = self.ended()
        if not ended:
            return
        message = f"The program that is the board {self._board.name} is not there: {ended}."
        mend = "Run spawn.command by hand."
        if self._connected:  # it did come up: that is the firmware's own doing
            raise DeviceGone(message, mend=mend, where=self._board.place)
        raise BenchError("SPAWN_ENDED", message, mend=mend, where=self._board.place)
