"""From a whole bank to a confirmed boot, or back, where we write banks ourselves.

The order of effects carries the promise that a device always boots a whole image: the boot record is
stored only after the bank was read back and matched, and is made final only after the self-test.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from advisories.states import PatchState
from device_sim.core import effects as do
from device_sim.core import slots
from device_sim.core.patchbook import NO_RETURN, PatchBook
from device_sim.core.plan import Bank
from device_sim.core.state import PatchFacts, PatchTrack
from device_sim.core.survey import Found, Survey
from keys.reasons import Reason

_P = PatchState
UNTRIED: Final = frozenset({_P.INSTALLING, _P.INSTALLED, _P.CANCEL_REJECTED})
_WRITTEN: Final = frozenset({_P.DOWNLOADING, _P.DOWNLOADED, _P.VERIFIED})


class Installer:
    """Works on the active patch of the book."""

    __slots__ = ("_book", "_over", "_session", "_survey", "_testing")

    def __init__(self, book: PatchBook, survey: Survey) -> None:
        self._book = book
        self._session = book.session
        self._survey = survey
        self._testing = False
        """A self-test has been asked for."""
        self._over = False
        """The trial has failed; the restart is all that is left to do."""

    def install(self, track: PatchTrack, found: Found | Reason) -> None:
        """Put the bank on trial and restart, if all that was read back belongs there."""
        book, session = self._book, self._session
        if isinstance(found, Reason):
            failed(self._book, track, found)
            return
        if len(session.profile.components) > 1:
            held = tuple((one.size, one.digest) for _, one in sorted(found.items()))
            track = book.put(replace(track, banks=held))
        session.emit(do.SaveBoot(slots.on_trial(session.slot, track.slot)))
        if track.state is not _P.INSTALLED:
            track = book.move(track, _P.INSTALLED)
        book.move(track, _P.REBOOTING)
        session.rebooting = True

    def booted(self) -> bool:
        """Take up what was under way when the power went; True while a new image is on trial."""
        session, track = self._session, self._book.active
        if track is not None and track.state in NO_RETURN:
            return self._resume(track)
        if track is not None and track.state in _WRITTEN and track.slot == session.slot:
            self._book.move(track, _P.FAILED, Reason.UPDATE_FAILED)  # never write the slot that runs
        if not session.trial:
            raise_counter(self._book, session.counter)
        return False

    def step(self, track: PatchTrack) -> None:
        """Go on with a trial: what runs beside the image is compared, then it tests itself."""
        if track.state is not _P.TESTING or self._testing or self._over:
            return
        if track.banks is not None and len(track.banks) == len(self._session.profile.components):
            banks = tuple(Bank(index, held[1], held[0]) for index, held in enumerate(track.banks))[1:]
            found = self._survey.step(("trial", track.digest), self._session.slot, banks)
            if found is None:
                return
            if isinstance(found, Reason):
                self._go_back(track, found)
                return
        self._testing = True
        self._session.emit(do.SelfTest())

    def tested(self, *, ok: bool) -> bool:
        """Take the self-test's result; True when the new version is confirmed."""
        session, state, track = self._session, self._session.state, self._book.active
        if track is None or track.facts is None or track.state is not _P.TESTING or not self._testing:
            return False
        self._testing = False
        if reason := self._fault(track.facts, ok=ok):
            self._go_back(track, reason)
            return False
        session.emit(do.SaveBoot(slots.confirmed(track.slot)))
        succeeded(self._book, track)
        state.patch_floor = (track.sequence, track.digest)
        raise_counter(self._book, track.counter)
        return True

    def _go_back(self, track: PatchTrack, reason: Reason) -> None:
        self._over = True
        self._book.put(replace(track, reason=reason))
        # The boot loader goes back by itself; said aloud for the case that it was confirmed before.
        self._session.emit(do.SaveBoot(slots.confirmed(1 - track.slot)))
        self._session.rebooting = True

    def _fault(self, facts: PatchFacts, *, ok: bool) -> Reason | None:
        """Say why what runs on trial may not stay: it must be the very image that was verified."""
        session = self._session
        if not ok or not session.measured:
            return Reason.BOOT_NOT_CONFIRMED
        if facts.version is not None and session.installed != facts.version:
            return Reason.WRONG_VERSION
        return Reason.DIGEST_MISMATCH if session.image != facts.image_digest else None

    def _resume(self, track: PatchTrack) -> bool:
        book, session = self._book, self._session
        if track.slot == session.slot:
            for state in (_P.INSTALLED, _P.REBOOTING, _P.TESTING):
                if state > track.state or track.state is _P.CANCEL_REJECTED:
                    track = book.move(track, state)
            if not session.measured:
                self._go_back(track, Reason.BOOT_NOT_CONFIRMED)
            return True
        if track.state not in UNTRIED:
            reason = track.reason if track.reason is not Reason.OK else Reason.BOOT_NOT_CONFIRMED
            book.move(track, _P.ROLLED_BACK, reason)
        return False


def failed(book: PatchBook, track: PatchTrack, reason: Reason) -> None:
    """End an install of which nothing has been booted."""
    book.move(track, _P.FAILED, reason)


def succeeded(book: PatchBook, track: PatchTrack) -> None:
    """End a patch whose image runs, confirmed; what was installed before it is no more."""
    for old in list(book.session.state.patches.values()):
        if old.state is _P.SUCCEEDED:
            book.move(old, _P.REMOVED)
    book.move(track, _P.SUCCEEDED)


def raise_counter(book: PatchBook, counter: int) -> None:
    """Raise the anti-rollback floor to that of a confirmed image; it never falls."""
    state = book.session.state
    if counter > state.security_counter:
        state.security_counter = counter
        book.session.touch()
