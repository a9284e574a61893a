"""Brings a payload in blocks: a window at a time, written in order, asked for again when it stalls."""

from __future__ import annotations

from dataclasses import replace

from advisories.limits import BLOCK_BYTES_MAX, BLOCK_WINDOW_MAX
from advisories.report import Want, open_block
from device_sim.core import effects as do
from device_sim.core import limits
from device_sim.core.patchbook import PatchBook
from device_sim.core.reporter import Reporter
from device_sim.core.state import PatchFacts, PatchTrack
from keys.codec import dump


class Download:
    """The download of the active patch. What is in the slot for certain stands in the track."""

    def __init__(self, book: PatchBook, reporter: Reporter) -> None:
        self._book = book
        self._session = book.session
        self._reporter = reporter
        self._digest: bytes | None = None
        """Payload that the fields below are about; None before it has begun in this boot."""
        self._next = 0
        self._end = 0
        """First byte that is missing, and end of the window that was asked for."""
        self._early: dict[int, bytes] = {}
        """Blocks of this window that came before their turn."""
        self._due = 0.0
        self._pause = limits.BLOCK_SECONDS
        self._asked = 0
        """Offset of the last want."""
        self._mending = False
        """This window stalled: its gaps are asked for one by one."""

    def restart(self) -> None:
        """Ask afresh at the next step, from the last offset stored."""
        self._digest = None

    def clock_back(self, seconds: float) -> None:
        """The clock went back: what is due is due as long from now as it was."""
        self._due -= seconds

    def begin(self, track: PatchTrack) -> PatchTrack:
        """Empty the inactive slot for a download from the first byte."""
        slot = 1 - self._session.slot
        self.restart()
        self._session.emit(do.EraseSlot(slot))
        return self._book.put(replace(track, slot=slot, offset=0))

    def step(self, track: PatchTrack, facts: PatchFacts) -> bool:
        """Ask for what is missing; True when every byte has been written."""
        session = self._session
        if self._digest != facts.image_digest:
            self._digest = facts.image_digest
            self._next = self._end = track.offset
            self._early.clear()
            self._mending = False
            self._pause = limits.BLOCK_SECONDS
            self._due = session.now
        if self._next >= facts.image_size:
            return True
        if session.connected:
            if session.now >= self._due:
                self._ask(facts)
            session.wake(self._due)
        return False

    def block(self, payload: bytes, track: PatchTrack, facts: PatchFacts) -> None:
        """Take a block; one that was not asked for is passed over.

        Raises:
            RefusedError: TOO_BIG or MALFORMED.
        """
        block = open_block(payload)
        if block.digest != self._digest or not self._next <= block.offset < self._end:
            return
        if block.offset + len(block.data) > facts.image_size:
            return
        if block.offset != self._next and len(self._early) >= BLOCK_WINDOW_MAX:
            return
        self._early.setdefault(block.offset, block.data)
        if self._next not in self._early:
            return
        while self._next in self._early:
            data = self._early.pop(self._next)
            self._session.emit(do.WriteSlot(track.slot, self._next, data))
            self._next += len(data)
        # What overlapped the bytes just written is of no use, and must not be taken for a gap's end.
        self._early = {at: data for at, data in self._early.items() if at > self._next}
        self._pause = limits.BLOCK_SECONDS
        self._due = self._session.now if self._mending else self._session.now + self._pause
        if self._next >= self._end:
            self._book.put(replace(track, offset=self._next))
            self._mending = False
            self._due = self._session.now

    def _ask(self, facts: PatchFacts) -> None:
        """Want the next window; or, where this one stalled, no more than the gap at its beginning."""
        session = self._session
        self._due = session.now + self._pause
        if self._next < self._end:
            if not self._mending or self._asked == self._next:
                self._pause = min(self._pause * 2, limits.BLOCK_SECONDS_MAX)
            self._mending = True
            until = min(self._early, default=self._end)
        else:
            until = self._end = min(facts.image_size, self._next + BLOCK_WINDOW_MAX * BLOCK_BYTES_MAX)
        self._asked = self._next
        count = -((self._next - until) // BLOCK_BYTES_MAX)
        want = Want(
            nonce=self._reporter.want_nonce(), topics=(), blocks=(facts.image_digest, self._next, count)
        )
        session.emit(do.Publish(session.topics.device(session.profile.id, "want"), dump(want)))
