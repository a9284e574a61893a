"""One board in hand: powered, opened, ready; and left closed and dark however the test ends."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

from hil.bench.board import Board
from hil.bench.console import ConsoleLog
from hil.bench.hookup import POLL_S, Hookup
from hil.bench.line import Line
from hil.bench.power import Power, power_of
from hil.bench.probe import compare, probe_bench, probe_smp, speaks_smp
from hil.bench.reset import Pause, reset_board
from hil.bench.spawn import Spawned
from hil.errors import BenchError, DeviceGone, DeviceHung, DeviceRebooted, SmpFailure, SmpRefused, Timeout
from hil.smp.client import SmpClient
from hil.wire.record import Shaper, Tap

_HEALTH_S: Final = 3.0  # a board that is well answers long before
_PROBE_S: Final = 1.0  # a board that is well has answered by then; silence is an answer too
_RESET_GRACE_S: Final = 1.0  # between the answer to os.reset and the reset; Zephyr's is 0.25 s


class Session:
    """A board that this process holds the lock of, from power-on to power-off.

    Attributes:
        board: what its file says.
        line: where SMP is spoken.
        console: what it says on its console.
        console_line: where that comes from: ``line``, or a second port.
        smp: the client on ``line``.
        power: its power.
    """

    def __init__(
        self,
        board: Board,
        *,
        taps: Sequence[Tap] = (),
        shaper: Shaper | None = None,
        environ: Mapping[str, str] | None = None,
        pause: Pause = time.sleep,
    ) -> None:
        """Make ready without touching the board; :meth:`open` does the rest."""
        environment = os.environ if environ is None else environ
        self.board = board
        self._pause = pause
        self._spawned = Spawned(board, board.spawn, environment) if board.spawn else None
        self.power: Power = power_of(board, self._spawned, environment)
        self._hookup = Hookup(board, self._spawned, taps)
        self.line: Line = self._hookup.line
        self.line.shaper = shaper
        self.console_line: Line = self._hookup.lines[-1]
        self.console: ConsoleLog = self.console_line.console
        link = board.link
        self.smp = SmpClient(self.line, group=link.group, buffer_bytes=link.smp_buf, window=link.window)
        self._found: frozenset[str] | None = None
        self._started = True  # since the console's mark

    @staticmethod
    @contextlib.contextmanager
    def open(
        board: Board,
        *,
        taps: Sequence[Tap] = (),
        shaper: Shaper | None = None,
        environ: Mapping[str, str] | None = None,
        pause: Pause = time.sleep,
        ready: bool = True,
        keep_power: bool = False,
    ) -> Iterator[Session]:
        """Take a board into hand: power, ports, ready; whatever happens, all of it is left again in the end.

        Ports are opened before power is given where they are there without it, so that the first byte of the
        boot is not lost. The caller holds the board's lock.

        Args:
            board: the board.
            taps: who is told of every record.
            shaper: a faulty line.
            environ: environment of programs, and ``CI``; this process's if left out.
            pause: waits so many seconds, where the board file says so.
            ready: wait until the board is ready, and compare what it can do with what its file claims.
            keep_power: leave the power on in the end; a spawned board ends in any case.

        Raises:
            BenchError: PORT_*, TOOL_*, SPAWN_*, NO_*, CAPABILITIES.
            DeviceGone: the port went away while the board started.
            DeviceHung: the board did not become ready in time.
        """
        session = Session(board, taps=taps, shaper=shaper, environ=environ, pause=pause)
        with contextlib.ExitStack() as stack:
            stack.callback(session._leave, keep_power=keep_power)
            session._begin(ready=ready)
            if ready:
                session.wait_ready()
                session._learn()
                if board.capabilities is not None:
                    compare(board, session.probe())
            yield session

    def _begin(self, *, ready: bool) -> None:
        """Power the board and open its ports; where its banner is awaited, see to it that it starts now."""
        self._before_power()
        banner = ready and self.board.boot.ready == "banner"
        if self._spawned is not None and self.power.driver != "process":
            self._spawned.start()
        if banner and self._spawned is None and self.board.reset.by == "none" and self.power.cycle:
            self.cut()
            self._pause(self.board.power.off_s)
        if self.power.cycle:
            self.power_on()
        self.connect()
        if banner and self._spawned is None:
            if self.board.reset.by != "none":
                self._restart()
            else:  # it may have started long ago
                self._started = self.power.cycle

    def _before_power(self) -> None:
        """Open the ports that are there without power; what else is wrong with them is told at once."""
        if self._spawned is not None:
            return
        try:
            self._hookup.connect_once()
        except BenchError as error:
            if error.code != "PORT_MISSING" or not self.power.cycle:
                raise

    def _leave(self, *, keep_power: bool) -> None:
        with contextlib.ExitStack() as stack:  # each step happens, also after one that failed
            for line in self._hookup.lines:
                stack.callback(line.close)
            if self._spawned is not None:
                stack.callback(self._spawned.close)
            if self.power.cut and not keep_power and self.board.power.driver != "manual":
                stack.callback(self.power.off)
            stack.callback(self.power.settle, cancel=True)

    def connect(self, timeout_s: float | None = None) -> None:
        """Open each port that is not open, waiting for one that is not there yet.

        Args:
            timeout_s: seconds to wait; the board's boot time if left out.

        Raises:
            BenchError: PORT_*; SPAWN_ENDED, the program that is the board did not come up.
            DeviceGone: the program came up, and ended.
        """
        self._hookup.connect(self.board.boot.timeout_s if timeout_s is None else timeout_s)

    # -- ready

    def wait_ready(self, timeout_s: float | None = None) -> None:
        """Wait until the board is ready, as ``boot.ready`` says; a port that goes away is opened again.

        Args:
            timeout_s: seconds; ``boot.timeout_s`` if left out.

        Raises:
            DeviceHung: it did not get ready in time; says what the console said last.
            DeviceGone: its port is away.
            BenchError: SPAWN_ENDED, or the port came back and cannot be opened.
        """
        limit = self.board.boot.timeout_s if timeout_s is None else timeout_s
        deadline = time.monotonic() + limit
        while True:
            try:
                self.connect(max(0.0, deadline - time.monotonic()))
                if self._is_ready(deadline):
                    return
            except DeviceGone:
                if time.monotonic() >= deadline or self._hookup.ended():
                    raise
                threading.Event().wait(POLL_S)
            else:
                raise self._not_ready(limit)

    def _is_ready(self, deadline: float) -> bool:
        boot = self.board.boot
        if boot.ready == "banner" and boot.banner:
            return not self._started or self._banner(boot.banner, deadline)
        return boot.ready != "echo" or self._echoes(deadline)

    def _banner(self, banner: str, deadline: float) -> bool:
        try:
            self.console.expect(banner, timeout_s=max(0.0, deadline - time.monotonic()))
        except Timeout:
            return False
        return True

    def _learn(self) -> None:
        """Take over the size of the board's buffer, where it says one."""
        if self.board.boot.ready == "echo":
            asker = self._asker()
            with contextlib.suppress(Timeout):
                self.smp.buffer_bytes = asker.learn_buffer()

    def _echoes(self, deadline: float) -> bool:
        try:
            self.smp.wait_ready(max(0.0, deadline - time.monotonic()))
        except DeviceHung:
            return False
        return True

    def _not_ready(self, limit: float) -> DeviceHung:
        wanted = {"banner": "say its banner"}.get(self.board.boot.ready, "answer an SMP echo")
        lines = [line for line in self.console.text(self.console.marked).split("\n") if line.strip()]
        said = f"its console said last: {lines[-1][:120]}" if lines else "its console said nothing"
        message = f"The board {self.board.name} did not {wanted} within {limit:g} s; {said}."
        mend = "Check power, baud rate, boot.ready and boot.timeout_s; hil console shows what it says."
        return DeviceHung(message, mend=mend, where=self.board.place)

    def healthy(self) -> bool:
        """Say whether the board still works: it answers an echo; without SMP, it starts with its banner.

        A board that has neither is healthy while its port is there. Never raises.
        """
        boot = self.board.boot
        try:
            self.connect(0.0)
            if boot.ready == "echo" or (self._found and "os" in self._found):
                return self._echoes(time.monotonic() + _HEALTH_S)
            if boot.ready == "banner" and self.board.reset.by != "none":
                self.reset()
            elif boot.ready == "banner" and self.power.cycle:
                self.power_cycle()
        except (BenchError, SmpFailure, SmpRefused):
            return False
        return all(line.alive for line in self._hookup.lines)

    # -- what a test does to a board

    def reset(self) -> None:
        """Start the board anew, as ``reset.by`` says, and wait until it is ready.

        Raises:
            BenchError: NO_RESET, TOOL_*.
            DeviceHung: it did not come back.
            DeviceGone: its port did not come back.
        """
        self._restart()
        self.wait_ready()

    def _restart(self) -> None:
        since = self._mark("reset")
        reset_board(self.board, self.line, self._smp_reset, pause=self._pause)
        if self.board.reset.by == "smp":
            self._await_reboot(since)

    def _smp_reset(self) -> None:
        """Send os.reset; a board that is away or starts anew before its answer is out has obeyed too."""
        with contextlib.suppress(DeviceGone, DeviceRebooted):
            self.smp.os.reset()

    def _await_reboot(self, since: int) -> None:
        """Wait until a board that has answered os.reset does it: until then it still answers everything."""
        banner = self.board.boot.banner
        with contextlib.suppress(Timeout, DeviceGone):
            if banner and self.board.boot.ready == "echo":
                self.console.expect(banner, since=since, timeout_s=self.board.boot.timeout_s)
            elif not banner:
                self._pause(_RESET_GRACE_S)

    def power_cycle(self, off_s: float | None = None) -> None:
        """Take the power, give it back, and wait until the board is ready.

        Args:
            off_s: seconds without power; ``power.off_s`` if left out. A spawned board needs none.

        Raises:
            BenchError: NO_POWER, TOOL_*, PORT_*, SPAWN_*.
            DeviceHung: it did not come back.
        """
        self.cut()
        if self.power.driver != "process":
            self._pause(self.board.power.off_s if off_s is None else off_s)
        self.power_on()
        self.wait_ready()

    def cut(self, after_s: float | None = None, then: Callable[[], object] = int) -> None:
        """Take the power, now or in so many seconds; may be called by a tap.

        Raises:
            BenchError: NO_POWER, NO_TIMED_CUT, TOOL_*.
        """
        if after_s is not None:

            def told() -> None:
                self.line.event("power off")
                then()

            self.power.off_after(after_s, told)
            return
        self.power.off()
        self.line.event("power off")

    def power_on(self) -> None:
        """Give power and open the ports that come with it; :meth:`wait_ready` is the caller's.

        Raises:
            BenchError: NO_POWER, TOOL_*, PORT_*, SPAWN_*.
        """
        self._mark("power on")
        self.power.on()
        self._hookup.restarted()
        if self.power.driver != "process":
            self._pause(self.board.power.settle_s)
        self.connect()

    def _mark(self, what: str) -> int:
        for line in self._hookup.lines:
            line.console.mark()
        self._started = True
        self.line.event(what)
        return self.console.marked

    # -- what it can do

    @property
    def capabilities(self) -> frozenset[str]:
        """What the board can do; asked of it once."""
        return self.probe() if self._found is None else self._found

    def probe(self) -> frozenset[str]:
        """Ask the board what it can do, and return it."""
        found = probe_bench(self.board, self.power)
        if speaks_smp(self.board):
            found |= probe_smp(self._asker())
        self._found = found
        return found

    def _asker(self) -> SmpClient:
        """Return a client for questions that a board may have no answer to."""
        link = self.board.link
        return SmpClient(
            self.line, group=link.group, buffer_bytes=link.smp_buf, timeout_s=_PROBE_S, retries=1
        )
