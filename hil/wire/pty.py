"""A faulty line for any tool: a PTY that stands for a port, with faults between the two."""

from __future__ import annotations

import contextlib
import os
import select
import threading
import time
import tty
from collections import Counter, deque
from collections.abc import Callable
from pathlib import Path
from typing import Final, Protocol

from hil.errors import BenchError
from hil.wire.record import Direction, Shaped, Shaper

QUIET_S: Final = 0.2
"""What waits for the end of its frame is let out when nothing has come for so long."""
UNREAD_S: Final = 0.2
"""Nobody reads the PTY when it has been full for so long: what comes is lost, as on a port."""
_READ_BYTES: Final = 65_536


class Port(Protocol):
    """The port behind the PTY, open."""

    def read(self, wake: int, wait_s: float) -> bytes:
        """Return what came, or nothing after a while or when a byte lies in ``wake``; raises OSError."""

    def write(self, data: bytes) -> None:
        """Write all of it; raises OSError."""


Heard = Callable[[Direction, bytes], None]
"""Told of the bytes that the tool wrote, before the faults, and of those that it gets, after them."""


def _nobody(_: Direction, __: bytes) -> None:
    """Hear nothing."""


class FaultyPty:
    """Carries bytes both ways between a PTY and a port from :meth:`start` to :meth:`close`.

    Attributes:
        name: the PTY's name for the tool, as ``/dev/pts/7``.
        counts: ``to_board`` and ``from_board``: bytes that came; ``unread``: lost since nobody read the PTY.
    """

    def __init__(
        self, port: Port, shaper: Shaper, *, link: Path | None = None, heard: Heard = _nobody
    ) -> None:
        """Make the PTY; it is raw, and stays when a tool closes it.

        Args:
            port: the port.
            shaper: what goes wrong.
            link: a symbolic link to the PTY is made here; one that is there is replaced.
            heard: who is told of the bytes.

        Raises:
            BenchError: PTY_LINK, where something else stands in its place.
        """
        self._port, self._shaper, self._heard = port, shaper, heard
        self.counts: Counter[str] = Counter()
        self._master, self._slave = os.openpty()
        self._wakes: list[tuple[int, int]] = []
        self.name = os.ttyname(self._slave)
        self._link = link
        self._stopping = threading.Event()
        self._lost = ""
        try:
            tty.setraw(self._slave)
            os.set_blocking(self._master, False)
            self._wakes = [os.pipe(), os.pipe()]
            self._make_link()
        except BaseException:
            self._free()
            raise
        ways = (
            (Direction.TO_BOARD, self._read_pty, self._port.write),
            (Direction.FROM_BOARD, self._port.read, self._write_pty),
        )
        self._threads = [
            threading.Thread(target=self._carry, args=(*way, wake), name=f"hil wire {way[0].value}")
            for way, (wake, _) in zip(ways, self._wakes, strict=True)
        ]

    def start(self) -> None:
        """Begin to carry."""
        for thread in self._threads:
            thread.daemon = True
            thread.start()

    def wait(self, timeout_s: float | None = None) -> str:
        """Wait until the port goes away, and return why; empty when the time is over before."""
        self._stopping.wait(timeout_s)
        return self._lost

    def close(self) -> None:
        """Stop carrying, remove the PTY and the link; the port stays open."""
        self._stopping.set()
        for _, waker in self._wakes:
            os.write(waker, b".")
        for thread in self._threads:
            if thread.ident is not None:
                thread.join()
        self._free()

    def _free(self) -> None:
        if self._link is not None and self._link.is_symlink() and str(self._link.readlink()) == self.name:
            self._link.unlink()
        for end in (self._master, self._slave, *(end for pipe in self._wakes for end in pipe)):
            os.close(end)
        self._wakes = []

    def _make_link(self) -> None:
        if self._link is None:
            return
        try:
            if self._link.is_symlink():
                self._link.unlink()
            self._link.symlink_to(self.name)
        except OSError as error:
            message = f"The link cannot be made: {error.strerror}."
            raise BenchError("PTY_LINK", message, mend="Give another name.", where=str(self._link)) from None

    def _carry(
        self,
        direction: Direction,
        read: Callable[[int, float], bytes],
        write: Callable[[bytes], None],
        wake: int,
    ) -> None:
        queue: deque[Shaped] = deque()
        try:
            while not self._stopping.is_set():
                wait = min(QUIET_S, queue[0].at - time.monotonic()) if queue else QUIET_S
                data = read(wake, max(0.0, wait))
                now = time.monotonic()
                self.counts[direction.value.replace("-", "_")] += len(data)
                if data and direction is Direction.TO_BOARD:
                    self._heard(direction, data)
                if data or not queue:
                    queue.extend(self._shaper(direction, data, now))
                while queue and queue[0].at <= now:
                    piece = queue.popleft().data
                    if direction is Direction.FROM_BOARD:
                        self._heard(direction, piece)
                    write(piece)
        except OSError as error:
            self._lost = self._lost or f"{error.strerror or error}"
        finally:
            self._lost = self._lost or ("" if self._stopping.is_set() else "its thread ended")
            self._stopping.set()

    def _read_pty(self, wake: int, wait_s: float) -> bytes:
        ready, _, _ = select.select([self._master, wake], [], [], wait_s)
        return os.read(self._master, _READ_BYTES) if self._master in ready else b""

    def _write_pty(self, data: bytes) -> None:
        while data:
            with contextlib.suppress(BlockingIOError):
                data = data[os.write(self._master, data) :]
                continue
            _, ready, _ = select.select([], [self._master], [], UNREAD_S)
            if not ready:
                self.counts["unread"] += len(data)
                return
