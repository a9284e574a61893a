"""Brings one payload into a slot, in order, whichever way it comes; goes on where it was after a restart.

What is certainly in the slot stands in the track: how many bytes, and their SHA-256. After a restart they are
read back and compared before anything is written behind them.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import Any

from advisories.report import open_block
from device_sim.core import effects as do
from device_sim.core import limits
from device_sim.core.blocks import Blocks
from device_sim.core.measure import Measurement
from device_sim.core.patchbook import PatchBook
from device_sim.core.reporter import Reporter
from device_sim.core.state import PatchTrack
from device_sim.core.transfer import Transfer
from keys.reasons import Reason


@dataclass(frozen=True, slots=True)
class Payload:
    """What is brought, and where to."""

    digest: bytes
    """SHA-256, 32 bytes."""
    size: int
    uri: str | None
    """Where it is fetched by HTTPS; None: it is asked for in blocks."""
    slot: int
    component: int
    before: int = 0
    """Bytes of the payloads before it, and of all of them: for the progress."""
    total: int = 0


class Download:
    """The download of the active patch."""

    __slots__ = (
        "_blocks",
        "_book",
        "_failed",
        "_hash",
        "_next",
        "_payload",
        "_session",
        "_stored",
        "_told",
        "_transfer",
    )

    def __init__(self, book: PatchBook, reporter: Reporter) -> None:
        self._book = book
        self._session = book.session
        self._blocks = Blocks(self._session, reporter)
        self._transfer = Transfer(self._session)
        self._payload: Payload | None = None
        """What the fields below are about; None: nothing has begun in this boot."""
        self._next = 0
        """First byte that is missing."""
        self._hash: Any = None
        """SHA-256 of what is before it; None while that is read back."""
        self._stored = (0, 0.0)
        """Offset that was stored last, and when."""
        self._told = 0.0
        """When a report of the progress was asked for last."""
        self._failed: Reason | None = None

    def forget(self) -> None:
        """Let go of what is under way; what is stored stays."""
        self._transfer.stop()
        self._payload = None
        self._hash = None

    def reconnected(self) -> None:
        """The link is up: blocks that were asked for before may be lost."""
        self._blocks.start(self._next)

    def clock_back(self, seconds: float) -> None:
        """The clock went back: what is due is due as long from now as it was."""
        self._blocks.clock_back(seconds)
        self._transfer.clock_back(seconds)
        self._stored = (self._stored[0], self._stored[1] - seconds)
        self._told -= seconds

    def step(self, track: PatchTrack, payload: Payload) -> Reason | None:
        """Ask for what is missing; OK when all is there, None while it comes, else why it does not."""
        if self._payload != payload:
            self._begin(track, payload)
        if self._hash is None:
            return None
        if self._next >= payload.size:
            return Reason.OK
        if self._failed is not None:
            return self._failed
        if payload.uri is None:
            self._blocks.step(payload.digest, self._next, payload.size)
        else:
            self._transfer.step(payload.uri, self._next, payload.size)
        return None

    def measured(self, slot: int, component: int, found: Measurement, track: PatchTrack) -> None:
        """Take what was read back of an unfinished download; nobody asked: nothing happens."""
        payload = self._payload
        if (
            payload is None
            or self._hash is not None
            or (payload.slot, payload.component) != (slot, component)
        ):
            return
        if found.hash is not None and (found.size, found.digest) == (track.offset, track.prefix):
            self._go_on(track.offset, found.hash.copy())
        else:
            self._session.log(Reason.DIGEST_MISMATCH, f"the first {track.offset} bytes are not what came")
            self._from_zero(self._book.put(replace(track, offset=0, prefix=None)), payload)

    def block(self, data: bytes, track: PatchTrack) -> None:
        """Take a block.

        Raises:
            RefusedError: TOO_BIG or MALFORMED.
        """
        block = open_block(data)
        payload = self._payload
        if payload is None or payload.uri is not None or self._hash is None or block.digest != payload.digest:
            return
        pieces, whole = self._blocks.take(block, self._next, payload.size)
        for piece in pieces:
            self._write(payload, piece)
        if whole:
            self._checkpoint(track, payload)

    def fetched(self, uri: str, offset: int, data: bytes, track: PatchTrack) -> None:
        """Take a piece of a transfer; one that is not the next is passed over."""
        payload = self._payload
        if payload is None or payload.uri != uri or self._hash is None or offset != self._next or not data:
            return
        if not self._transfer.took(uri, len(data)):
            return
        if offset + len(data) > payload.size:
            self._transfer.stop()
            self._failed = Reason.TOO_BIG
            return
        self._write(payload, data)
        since, at = self._stored
        came, pause = self._next - since, self._session.now - at
        slow = came >= limits.CHECKPOINT_BYTES and pause >= limits.CHECKPOINT_SECONDS
        if slow or came >= limits.CHECKPOINT_BYTES_MAX or self._next >= payload.size:
            self._checkpoint(track, payload)

    def fetch_ended(self, uri: str, reason: Reason) -> None:
        """Take the end of a transfer."""
        self._failed = self._transfer.ended(uri, reason) or self._failed

    def _begin(self, track: PatchTrack, payload: Payload) -> None:
        self.forget()
        self._payload = payload
        if track.offset == 0 or track.prefix is None:
            self._from_zero(track, payload)
        else:
            self._session.emit(do.MeasureSlot(payload.slot, track.offset, payload.component))

    def _from_zero(self, track: PatchTrack, payload: Payload) -> None:
        if track.offset:
            self._book.put(replace(track, offset=0, prefix=None))
        self._session.emit(do.EraseSlot(payload.slot, payload.component))
        self._go_on(0, hashlib.sha256())

    def _go_on(self, offset: int, before: Any) -> None:
        self._next = offset
        self._hash = before
        self._failed = None
        self._stored = (offset, self._session.now)
        self._told = self._session.now
        self._blocks.start(offset)
        self._transfer.start()

    def _write(self, payload: Payload, data: bytes) -> None:
        self._session.emit(do.WriteSlot(payload.slot, self._next, data, payload.component))
        self._hash.update(data)
        self._next += len(data)

    def _checkpoint(self, track: PatchTrack, payload: Payload) -> None:
        """Remember what is certainly here; say so from time to time."""
        session = self._session
        self._stored = (self._next, session.now)
        done = (payload.before + self._next) * 100 // max(1, payload.total)
        if done != track.done and session.now >= self._told + limits.PROGRESS_SECONDS:
            self._told = session.now
            session.news = True
        self._book.put(replace(track, offset=self._next, prefix=self._hash.digest(), done=min(done, 100)))
