"""Asks for a payload in blocks over MQTT: a window at a time, in order, asked for again when it stalls."""

from __future__ import annotations

from advisories.limits import BLOCK_BYTES_MAX, BLOCK_WINDOW_MAX
from advisories.report import Block, Want
from device_sim.core import effects as do
from device_sim.core import limits
from device_sim.core.reporter import Reporter
from device_sim.core.session import Session
from keys.codec import dump


class Blocks:
    """The window that is under way; where the payload goes is the business of ``download``."""

    __slots__ = ("_asked", "_began", "_due", "_early", "_end", "_mending", "_pause", "_reporter", "_session")

    def __init__(self, session: Session, reporter: Reporter) -> None:
        self._session = session
        self._reporter = reporter
        self._end = 0
        """End of the window that was asked for."""
        self._early: dict[int, bytes] = {}
        """Blocks of this window that came before their turn."""
        self._due = 0.0
        self._pause = limits.BLOCK_SECONDS
        self._asked = 0
        """Offset of the last want."""
        self._began = 0.0
        """When this window was asked for first."""
        self._mending = False
        """This window stalled: its gaps are asked for one by one."""

    def start(self, offset: int) -> None:
        """Ask afresh, from this byte."""
        self._end = offset
        self._early = {}
        self._mending = False
        self._pause = limits.BLOCK_SECONDS
        self._due = self._session.now

    def clock_back(self, seconds: float) -> None:
        """The clock went back: what is due is due as long from now as it was."""
        self._due -= seconds
        self._began -= seconds

    def step(self, digest: bytes, offset: int, size: int) -> None:
        """Ask for what is missing from ``offset`` on, when that is due."""
        session = self._session
        if session.connected:
            if session.now >= self._due:
                self._ask(digest, offset, size)
            session.wake(self._due)

    def take(self, block: Block, offset: int, size: int) -> tuple[list[bytes], bool]:
        """Take a block of the payload; one that was not asked for is passed over.

        Returns:
            What now follows at ``offset``, in order; and whether the window is complete with it.
        """
        session = self._session
        if not offset <= block.offset < self._end or block.offset + len(block.data) > size:
            return [], False
        if block.offset != offset and len(self._early) >= BLOCK_WINDOW_MAX:
            return [], False
        self._early.setdefault(block.offset, block.data)
        found = []
        while offset in self._early:
            found.append(self._early.pop(offset))
            offset += len(found[-1])
        if not found:
            return [], False
        # What overlapped the bytes just taken is of no use, and must not be taken for a gap's end.
        self._early = {at: data for at, data in self._early.items() if at > offset}
        self._pause = limits.BLOCK_SECONDS
        self._due = session.now if self._mending else session.now + self._pause
        whole = offset >= self._end
        if whole:
            self._mending = False
            self._due = session.now
            if session.profile.rate is not None:
                self._due = max(
                    self._due, self._began + BLOCK_WINDOW_MAX * BLOCK_BYTES_MAX / session.profile.rate
                )
        return found, whole

    def _ask(self, digest: bytes, offset: int, size: int) -> None:
        """Want the next window; or, where this one stalled, no more than the gap at its beginning."""
        session = self._session
        self._due = session.now + self._pause
        if offset < self._end:
            if not self._mending or self._asked == offset:
                self._pause = min(self._pause * 2, limits.BLOCK_SECONDS_MAX)
            self._mending = True
            until = min(self._early, default=self._end)
        else:
            until = self._end = min(size, offset + BLOCK_WINDOW_MAX * BLOCK_BYTES_MAX)
            self._began = session.now
        self._asked = offset
        count = -((offset - until) // BLOCK_BYTES_MAX)
        want = Want(nonce=self._reporter.want_nonce(), topics=(), blocks=(digest, offset, count))
        session.emit(do.Publish(session.topics.device(session.profile.id, "want"), dump(want)))
