"""Carries out the operations of an update, one at a time, and stores how each of them went.

A failed operation is a failed condition of the manifest: where it knows another way, that one is gone; else
all is brought again after a pause, so many times and no more.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from advisories.states import PatchState
from advisories.suit import Fetch, Match, Operation, Patch
from advisories.suit.arguments import Rebuild, read_arguments
from advisories.suit.operations import Copy, Write
from device_sim.core import effects as do
from device_sim.core import limits, plan
from device_sim.core.download import Download, Payload
from device_sim.core.measure import Measurement
from device_sim.core.patchbook import PatchBook
from device_sim.core.profile import Platform
from device_sim.core.slots import STAGING
from device_sim.core.state import PatchTrack
from keys.errors import RefusedError
from keys.reasons import Reason

_P = PatchState
_WRITE_BYTES = 4_096


class Execution:
    """Works on the active patch of the book, from DOWNLOADING to DOWNLOADED."""

    __slots__ = (
        "_applying",
        "_asked",
        "_book",
        "_download",
        "_expected",
        "_planned",
        "_session",
        "_why",
        "found",
        "refused",
    )

    def __init__(self, book: PatchBook, download: Download) -> None:
        self._book = book
        self._session = book.session
        self._download = download
        self._planned: tuple[tuple[object, ...], tuple[Operation, ...]] = ((), ())
        """What it was planned for, and the plan."""
        self._asked: tuple[int, int] | None = None
        """Slot and component that are being read back."""
        self._expected: Match | None = None
        """What is compared with it; None: the staged delta."""
        self._applying = False
        self.found: dict[int, Measurement] = {}
        """Component -> what its new bank was found to hold, since it was last written in this boot."""
        self._why: Reason | None = None
        """Why the last failed operation did."""
        self.refused: bytes | None = None
        """SHA-256 of what the last failed Match found."""

    def forget(self) -> None:
        """Let go of what is under way; what is stored stays."""
        self._download.forget()
        self._planned = ((), ())
        self._asked = self._expected = None
        self._applying = False
        self.found = {}

    def begin(self, track: PatchTrack) -> PatchTrack:
        """Begin the procedure with nothing done yet."""
        self.forget()
        session = self._session
        return self._book.put(
            replace(
                track,
                slot=1 - session.slot,
                offset=0,
                prefix=None,
                outcomes=None,
                begun=session.time,
                done=None,
                retry_at=None,
            )
        )

    def operations(self, track: PatchTrack, patch: Patch) -> tuple[Operation, ...]:
        """Return the plan as it is now.

        Raises:
            RefusedError: there is no way on.
        """
        key = (track.digest, track.begun, track.outcomes, self._session.installed)
        if self._planned[0] != key:
            device = plan.facts(self._session, track.slot, track.begun or 0)
            self._planned = (key, plan.operations(patch, device, track.outcomes or ()))
        return self._planned[1]

    def step(self, track: PatchTrack, patch: Patch) -> None:
        """Carry out what is next, or wait for an answer."""
        session = self._session
        if self._asked is not None or self._applying:
            return
        if track.retry_at is not None:
            if session.now < track.retry_at:
                session.wake(track.retry_at)
                return
            track = self._book.put(replace(track, retry_at=None))
        done = track.outcomes or ()
        try:
            planned = self.operations(track, patch)
        except RefusedError as error:
            self._stuck(track, error)
            return
        ahead = planned[len(done) :]
        brings = any(not isinstance(operation, Match) for operation in ahead)
        if brings and track.state is _P.DOWNLOADED:
            track = self._book.move(track, _P.DOWNLOADING, Reason.DIGEST_MISMATCH)
        elif not brings and track.state is _P.DOWNLOADING:
            self._book.move(replace(track, done=100), _P.DOWNLOADED)
        elif ahead:
            self._carry_out(track, patch, planned)

    def is_done(self, track: PatchTrack, patch: Patch) -> bool:
        """Say whether every operation has been carried out, and nothing speaks against what came of it."""
        try:
            return len(self.operations(track, patch)) == len(track.outcomes or ())
        except RefusedError:
            return False

    def measured(self, slot: int, component: int, found: Measurement, track: PatchTrack) -> bool:
        """Take what was read back; False where this room did not ask for it."""
        if self._asked != (slot, component):
            return False
        self._asked, expected = None, self._expected
        if expected is None:
            self._apply(track, found)
            return True
        ok = found.digest == expected.digest and expected.size in {None, found.size}
        if plan.bank(self._session, component) == (slot, component):
            self.found[component] = found
        self._matched(track, ok=ok, found=found.digest)
        return True

    def applied(self, reason: Reason, track: PatchTrack) -> None:
        """Take the answer to an ApplyDelta."""
        if self._applying:
            self._applying = False
            self._ended(track, reason)

    def again(self, track: PatchTrack, reason: Reason) -> None:
        """Bring everything once more after a pause, or give up."""
        attempts = track.attempts + 1
        track = replace(track, attempts=attempts)
        if attempts >= limits.DOWNLOAD_ATTEMPTS_MAX:
            self._book.move(track, _P.FAILED, reason)
            return
        session = self._session
        pause = limits.ATTEMPT_SECONDS * 2 ** (attempts - 1) * (0.75 + session.random(1)[0] / 512)
        if track.state is _P.DOWNLOADED:
            track = self._book.move(track, _P.DOWNLOADING, reason)
        else:
            track = replace(track, reason=reason)
            session.news = True
        begun = self.begin(track)
        self._book.put(replace(begun, retry_at=int(session.now + pause) + 1))

    def _stuck(self, track: PatchTrack, error: RefusedError) -> None:
        """No way leads on: what failed may succeed another time, what does not fit never will."""
        if all(track.outcomes or ()):
            self._session.log(error.reason, error.message)
            self._book.move(track, _P.REJECTED, error.reason)
        else:
            self.again(track, self._why or error.reason)

    def _carry_out(self, track: PatchTrack, patch: Patch, planned: tuple[Operation, ...]) -> None:
        operation = planned[len(track.outcomes or ())]
        try:
            plan.require_able(self._session, operation, patch)
        except RefusedError as error:
            self._session.log(error.reason, error.message)
            self._ended(track, error.reason)
            return
        if isinstance(operation, Match):
            self._match(track, operation, planned)
        elif isinstance(operation, Fetch):
            self._fetch(track, operation, patch, planned)
        elif isinstance(operation, Write):
            self._write(operation.content, *self._emptied(operation))
            self._ended(track)
        else:
            assert isinstance(operation, Copy)
            self._copy(track, operation, planned)

    # One operation each.

    def _match(self, track: PatchTrack, match: Match, planned: tuple[Operation, ...]) -> None:
        session = self._session
        component = session.profile.components.index(match.component)
        outcomes = track.outcomes or ()
        if plan.is_stored(planned, outcomes, match.component):
            slot, place = plan.bank(session, component)
            known = self.found.get(component)
            if known is not None:
                ok = known.digest == match.digest and match.size in {None, known.size}
                self._matched(track, ok=ok, found=known.digest)
                return
        elif component == 0:
            ok = bool(session.image) and session.image == match.digest
            if not ok:
                session.log(Reason.WRONG_BASE, f"what runs is not {match.digest.hex()[:16]}")
            self._matched(track, ok=ok, found=session.image)
            return
        elif session.profile.platform is not Platform.SLOTS:
            self._matched(track, ok=False, found=b"")
            return
        else:
            slot, place = session.slot, component
        self._asked, self._expected = (slot, place), match
        session.emit(do.MeasureSlot(slot, match.size or session.profile.slot_bytes, place))

    def _fetch(self, track: PatchTrack, fetch: Fetch, patch: Patch, planned: tuple[Operation, ...]) -> None:
        rebuild = read_arguments(fetch.arguments) if fetch.arguments else None
        if rebuild is not None and track.attempts:
            self._ended(track, Reason.DIGEST_MISMATCH)  # what came of it was not the image
            return
        if fetch.uri.startswith("#") and rebuild is None:
            self._write(patch.integrated[fetch.uri], *self._emptied(fetch))
            self._ended(track)
            return
        payload = self._payload(fetch, rebuild, planned, track)
        if fetch.uri.startswith("#"):
            self._session.emit(do.EraseSlot(STAGING))
            self._write(patch.integrated[fetch.uri], STAGING, 0)
            reason: Reason | None = Reason.OK
        else:
            reason = self._download.step(track, payload)
        track = self._book.active or track
        if reason is Reason.OK and rebuild is not None:
            self._asked, self._expected = (STAGING, 0), None
            self._session.emit(do.MeasureSlot(STAGING, rebuild.size))
        elif reason is not None:
            self._ended(track, reason)

    def _payload(
        self, fetch: Fetch, rebuild: Rebuild | None, planned: tuple[Operation, ...], track: PatchTrack
    ) -> Payload:
        profile = self._session.profile
        uri = None if fetch.uri.startswith("#") else plan.address(profile, fetch.uri)
        done = len(track.outcomes or ())
        sizes = [_size(operation) for operation in planned]
        make = partial(Payload, uri=uri, before=sum(sizes[:done]), total=sum(sizes))
        if rebuild is not None:
            return make(digest=rebuild.digest, size=rebuild.size, slot=STAGING, component=0)
        slot, component = self._forgotten(fetch)
        assert fetch.digest is not None
        assert fetch.size is not None
        return make(digest=fetch.digest, size=fetch.size, slot=slot, component=component)

    def _apply(self, track: PatchTrack, found: Measurement) -> None:
        """The delta is staged: rebuild the image, if it is the right delta."""
        fetch = self._planned[1][len(track.outcomes or ())]
        assert isinstance(fetch, Fetch)
        assert fetch.arguments is not None
        rebuild = read_arguments(fetch.arguments)
        if (found.size, found.digest) != (rebuild.size, rebuild.digest):
            self._ended(track, Reason.DIGEST_MISMATCH)
            return
        slot, component = self._emptied(fetch)
        self._applying = True
        self._session.emit(do.ApplyDelta(self._session.slot, slot, component, fetch.size or 0))

    def _copy(self, track: PatchTrack, copy: Copy, planned: tuple[Operation, ...]) -> None:
        session = self._session
        source = session.profile.components.index(copy.source)
        outcomes = track.outcomes or ()
        bank = 1 - session.slot if plan.is_stored(planned, outcomes, copy.source) else session.slot
        slot, component = self._emptied(copy)
        session.emit(do.CopySlot(bank, source, slot, component, copy.size or 0))
        self._ended(track)

    def _write(self, content: bytes, slot: int, component: int) -> None:
        for offset in range(0, len(content), _WRITE_BYTES):
            data = content[offset : offset + _WRITE_BYTES]
            self._session.emit(do.WriteSlot(slot, offset, data, component))

    def _emptied(self, operation: Fetch | Copy | Write) -> tuple[int, int]:
        """Empty the bank that an operation writes, and return it."""
        slot, component = self._forgotten(operation)
        self._session.emit(do.EraseSlot(slot, component))
        return slot, component

    def _forgotten(self, operation: Fetch | Copy | Write) -> tuple[int, int]:
        """Return the bank that an operation writes; what was found there counts no longer."""
        component = self._session.profile.components.index(operation.component)
        self.found.pop(component, None)
        return plan.bank(self._session, component)

    # How it went.

    def _matched(self, track: PatchTrack, *, ok: bool, found: bytes) -> None:
        if not ok:
            self.refused = found or None
        self._ended(track, Reason.OK if ok else Reason.DIGEST_MISMATCH)

    def _ended(self, track: PatchTrack, reason: Reason = Reason.OK) -> None:
        """Store how an operation went."""
        ok = reason is Reason.OK
        if not ok:
            self._why = reason
            self._session.log(reason, f"operation {len(track.outcomes or ()) + 1} failed")
        self._download.forget()
        outcomes = (*(track.outcomes or ()), ok)
        self._book.put(replace(track, outcomes=outcomes, offset=0, prefix=None))


def _size(operation: Operation) -> int:
    """Return how much an operation brings."""
    if not isinstance(operation, Fetch) or operation.uri.startswith("#"):
        return 0
    if operation.arguments:
        return read_arguments(operation.arguments).size
    return operation.size or 0
