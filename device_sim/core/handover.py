"""From a verified payload to a confirmed version, or back, where the platform has an updater of its own.

It is told three things: install, confirm, revert. What it did is believed only when the version that runs has
been measured. Power may fail anywhere: whatever has not been answered is asked again.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from advisories.states import PatchState
from device_sim.core import effects as do
from device_sim.core import limits
from device_sim.core.install import failed, raise_counter, succeeded
from device_sim.core.patchbook import NO_RETURN, PatchBook
from device_sim.core.state import PatchTrack
from device_sim.core.survey import Found
from keys.reasons import Reason

_P = PatchState
Verb = Literal["install", "confirm", "revert"]


class Handover:
    """Works on the active patch of the book."""

    __slots__ = ("_asked", "_book", "_due", "_next", "_pause", "_session")

    def __init__(self, book: PatchBook) -> None:
        self._book = book
        self._session = book.session
        self._asked: Verb | None = None
        """What has been asked for and not been answered."""
        self._next: Verb | None = None
        """What is to be asked for."""
        self._due = 0.0
        self._pause = limits.INSTALLER_SECONDS_MIN

    def clock_back(self, seconds: float) -> None:
        """The clock went back: what is due is due as long from now as it was."""
        self._due -= seconds

    def install(self, track: PatchTrack, found: Found | Reason) -> None:
        """Hand the payload over, if what was read back is what was verified."""
        if isinstance(found, Reason):
            failed(self._book, track, found)
        elif self._asked is None and self._next is None:
            if track.was != self._session.installed:
                track = self._book.put(replace(track, was=self._session.installed))
            self._ask_for("install", track)

    def booted(self) -> bool:
        """Take up what was under way when the power went; True while a new version is on trial."""
        session, track = self._session, self._book.active
        if track is None or track.state not in NO_RETURN:
            if not session.trial:
                raise_counter(self._book, session.counter)
            return False
        assert track.facts is not None
        reverting = track.state is _P.TESTING and track.reason not in {Reason.OK, Reason.BUSY}
        if session.measured and session.installed == track.facts.version:
            for state in (_P.INSTALLED, _P.REBOOTING, _P.TESTING):
                if state > track.state or track.state is _P.CANCEL_REJECTED:
                    track = self._book.move(track, state)
            if reverting:
                self._revert(track, track.reason)
            else:
                session.emit(do.SelfTest())
            return True
        if track.state in {_P.REBOOTING, _P.TESTING, _P.INSTALLED}:
            if track.state is _P.INSTALLED:
                track = self._book.move(track, _P.REBOOTING)
            if not session.measured or session.installed != track.was:
                # Neither the promised version nor the one before it.
                self._revert(
                    self._book.move(track, _P.TESTING) if track.state is _P.REBOOTING else track, _why(track)
                )
                return True
            self._book.move(track, _P.ROLLED_BACK, _why(track))
        return False

    def step(self, track: PatchTrack) -> None:
        """Ask for what is due."""
        session = self._session
        if self._next is None:
            return
        if session.now >= self._due:
            assert track.facts is not None
            self._asked, self._next = self._next, None
            session.emit(do.RunInstaller(self._asked, track.facts.image_size))
        else:
            session.wake(self._due)

    def answered(self, verb: str, reason: Reason) -> bool:
        """Take an answer; True when the new version is confirmed."""
        track = self._book.active
        if verb != self._asked or track is None:
            return False
        asked, self._asked = self._asked, None
        if reason is Reason.BUSY:
            self._wait(track, asked)
            return False
        self._pause = limits.INSTALLER_SECONDS_MIN
        if asked == "install":
            self._installed(track, reason)
        elif asked == "revert":
            self._reverted(reason)
        elif reason is not Reason.OK:
            self._revert(track, Reason.BOOT_NOT_CONFIRMED)
        else:
            succeeded(self._book, track)
            self._session.state.patch_floor = (track.sequence, track.digest)
            raise_counter(self._book, self._session.counter)
            return True
        return False

    def tested(self, *, ok: bool) -> None:
        """Take the self-test's result."""
        track, session = self._book.active, self._session
        if track is None or track.facts is None or track.state is not _P.TESTING or self._asked or self._next:
            return
        if ok and session.measured and session.installed == track.facts.version:
            self._ask_for("confirm", track)
        else:
            self._revert(track, Reason.BOOT_NOT_CONFIRMED)

    def _ask_for(self, verb: Verb, track: PatchTrack) -> None:
        self._next, self._due = verb, self._session.now
        self.step(track)

    def _wait(self, track: PatchTrack, verb: Verb) -> None:
        """It is busy: ask again later, ever more slowly."""
        session = self._session
        self._next = verb
        self._due = session.now + self._pause * (0.75 + session.random(1)[0] / 512)
        self._pause = min(self._pause * 2, limits.INSTALLER_SECONDS_MAX)
        if track.reason is Reason.OK:
            self._book.put(replace(track, reason=Reason.BUSY))
            session.news = True
        session.wake(self._due)

    def _installed(self, track: PatchTrack, reason: Reason) -> None:
        if reason is not Reason.OK:
            failed(self._book, track, reason)
            return
        if track.state is not _P.INSTALLED:
            track = self._book.move(replace(track, attempts=0), _P.INSTALLED)
        self._book.move(track, _P.REBOOTING)
        self._session.rebooting = True

    def _revert(self, track: PatchTrack, reason: Reason) -> None:
        """Let the updater go back; why stands in the track, so that a restart goes on with it."""
        if track.reason is not reason:
            track = self._book.put(replace(track, reason=reason))
        if track.attempts >= limits.REVERTS_MAX:
            # It cannot, or does not: the report says what runs, and another patch may mend it.
            self._book.move(track, _P.ROLLED_BACK, Reason.UPDATE_FAILED)
            return
        self._ask_for("revert", self._book.put(replace(track, attempts=track.attempts + 1)))

    def _reverted(self, reason: Reason) -> None:
        session = self._session
        if reason is not Reason.OK:
            session.log(reason, "the installer did not go back")
        session.rebooting = True


def _why(track: PatchTrack) -> Reason:
    """Return why a trial is over: what was found in it, else that it never came up."""
    return track.reason if track.reason not in {Reason.OK, Reason.BUSY} else Reason.BOOT_NOT_CONFIRMED
