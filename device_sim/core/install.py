"""From a written slot to a confirmed boot, or back: measure, put on trial, test, confirm or revert.

The order of effects carries the promise that a device always boots a whole image: the boot record is
stored only after the slot was read back and matched, and is made final only after the self-test.
"""

from __future__ import annotations

from dataclasses import replace

from advisories.states import PatchState
from advisories.versions import format_version
from device_sim.core import effects as do
from device_sim.core import limits, slots
from device_sim.core.download import Download
from device_sim.core.measure import Measurement
from device_sim.core.patchbook import NO_RETURN, PatchBook
from device_sim.core.state import PatchFacts, PatchTrack
from keys.reasons import Reason

_P = PatchState
_UNTRIED = frozenset({_P.INSTALLING, _P.INSTALLED, _P.CANCEL_REJECTED})
_WRITTEN = frozenset({_P.DOWNLOADING, _P.DOWNLOADED, _P.VERIFIED})


class Installer:
    """Works on the active patch of the book."""

    def __init__(self, book: PatchBook, download: Download) -> None:
        self._book = book
        self._session = book.session
        self._download = download
        self._measuring: bytes | None = None
        """Digest of the patch whose slot is being read back."""
        self._testing = False

    def measure(self, track: PatchTrack, facts: PatchFacts) -> None:
        """Ask once for the slot's bytes."""
        if self._measuring != track.digest:
            self._measuring = track.digest
            self._session.emit(do.MeasureSlot(track.slot, facts.image_size))

    def measured(self, slot: int, found: Measurement) -> None:
        """Take what was read back; nobody asked: nothing happens."""
        track = self._book.active
        wanted, self._measuring = self._measuring, None
        if track is None or track.facts is None or slot != track.slot or wanted != track.digest:
            return
        matches = found.digest == track.facts.image_digest
        if track.state is _P.DOWNLOADED:
            self._judge(track, track.facts, found, matches=matches)
        elif track.state in _UNTRIED:
            self._install(track, matches=matches)

    def booted(self) -> bool:
        """Take up what was under way when the power went; True while a new image is on trial."""
        session = self._session
        track = self._book.active
        if track is not None and track.state in NO_RETURN:
            return self._resume(track)
        if track is not None and track.state in _WRITTEN and track.slot == session.slot:
            self._book.move(track, _P.FAILED, Reason.UPDATE_FAILED)  # never write the slot that runs
        self._raise_counter(session.counter)
        return False

    def tested(self, *, ok: bool) -> bool:
        """Take the self-test's result; True when the new version is confirmed."""
        session, state = self._session, self._session.state
        track = self._book.active
        if track is None or track.facts is None or track.state is not _P.TESTING or not self._testing:
            return False
        self._testing = False
        if reason := self._fault(track.facts, ok=ok):
            self._book.put(replace(track, reason=reason))
            # The boot loader goes back by itself; said aloud for the case that it was confirmed before.
            session.emit(do.SaveBoot(slots.confirmed(1 - track.slot)))
            session.rebooting = True
            return False
        session.emit(do.SaveBoot(slots.confirmed(track.slot)))
        for old in list(state.patches.values()):
            if old.state is _P.SUCCEEDED:
                self._book.move(old, _P.REMOVED)
        self._book.move(track, _P.SUCCEEDED)
        state.patch_floor = (track.sequence, track.digest)
        self._raise_counter(track.counter)
        return True

    def _fault(self, facts: PatchFacts, *, ok: bool) -> Reason | None:
        """Say why what runs on trial may not stay: it must be the very image that was verified."""
        session = self._session
        if not ok:
            return Reason.BOOT_NOT_CONFIRMED
        if session.installed != facts.version:
            return Reason.WRONG_VERSION
        return Reason.DIGEST_MISMATCH if session.image != facts.image_digest else None

    def _raise_counter(self, counter: int) -> None:
        state = self._session.state
        if counter > state.security_counter:
            state.security_counter = counter
            self._session.touch()

    def _judge(self, track: PatchTrack, facts: PatchFacts, found: Measurement, *, matches: bool) -> None:
        """Decide whether what was downloaded is the promised image."""
        book = self._book
        if not matches:
            self._again(track)
            return
        image = found.image
        if image is None:
            book.move(track, _P.REJECTED, found.reason)
            return
        counter = image.security_counter or 0
        if facts.version is not None and image.version != facts.version:
            self._session.log(Reason.WRONG_VERSION, f"the image says {format_version(image.version)}")
            book.move(track, _P.REJECTED, Reason.WRONG_VERSION)
        elif counter < self._session.state.security_counter:
            book.move(track, _P.REJECTED, Reason.DOWNGRADE_REFUSED)
        else:
            promised = replace(facts, version=image.version)
            book.move(replace(track, facts=promised, counter=counter), _P.VERIFIED)

    def _again(self, track: PatchTrack) -> None:
        """Start the download over, or give up."""
        attempts = track.attempts + 1
        track = replace(track, attempts=attempts)
        if attempts >= limits.DOWNLOAD_ATTEMPTS_MAX:
            self._book.move(track, _P.FAILED, Reason.DIGEST_MISMATCH)
        else:
            self._download.begin(self._book.move(track, _P.DOWNLOADING, Reason.DIGEST_MISMATCH))

    def _install(self, track: PatchTrack, *, matches: bool) -> None:
        """Put the slot on trial and restart."""
        book, session = self._book, self._session
        if matches:
            session.emit(do.SaveBoot(slots.on_trial(session.slot, track.slot)))
        if track.state is not _P.INSTALLED:
            track = book.move(track, _P.INSTALLED)
        if matches:
            book.move(track, _P.REBOOTING)
            session.rebooting = True
        else:
            book.move(track, _P.FAILED, Reason.DIGEST_MISMATCH)

    def _resume(self, track: PatchTrack) -> bool:
        book = self._book
        if track.slot == self._session.slot:
            for state in (_P.INSTALLED, _P.REBOOTING, _P.TESTING):
                if state > track.state or track.state is _P.CANCEL_REJECTED:
                    track = book.move(track, state)
            self._testing = True
            if not self._session.measured:
                self.tested(ok=False)
            else:
                self._session.emit(do.SelfTest())
            return True
        if track.state not in _UNTRIED:
            reason = track.reason if track.reason is not Reason.OK else Reason.BOOT_NOT_CONFIRMED
            book.move(track, _P.ROLLED_BACK, reason)
        return False
