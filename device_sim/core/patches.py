"""The patch track: what is decided at each of its states, from a signed offer to the install and its end.

The rooms beside it decide: ``offers`` what is taken up, ``consent`` what the owner agrees to, ``gates`` when
an install may begin. Bringing the image and booting it are the business of ``carrier``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import ClassVar

from advisories.states import PatchState
from advisories.suit import open_envelope
from device_sim.core import limits
from device_sim.core.carrier import Carrier
from device_sim.core.consent import Answer, Consents
from device_sim.core.currency import Currency
from device_sim.core.fetch import Missing
from device_sim.core.gates import Gates, starts
from device_sim.core.mending import Mending
from device_sim.core.offers import Offers
from device_sim.core.patchbook import NO_RETURN, PatchBook
from device_sim.core.profile import Platform
from device_sim.core.reporter import Reporter
from device_sim.core.session import Session
from device_sim.core.state import PatchTrack
from keys.errors import RefusedError
from keys.reasons import Reason

__all__ = ["Answer", "Patches"]

_P = PatchState
_AGREED = frozenset({_P.WAITING_FOR_WINDOW, _P.VERIFIED})
"""Where it is asked once more whether the owner's consent still holds."""

_OVERTAKEN = _AGREED | {_P.WAITING_FOR_CONFIRMATION, _P.DEFERRED, _P.DOWNLOADING, _P.DOWNLOADED}
"""Where it is of no use any more once the promised version runs."""


class Patches:
    """All patches of one device, at most one of them under way."""

    def __init__(self, session: Session, currency: Currency, reporter: Reporter) -> None:
        self._session = session
        self._currency = currency
        self._book = PatchBook(session)
        self.carrier = Carrier(self._book, reporter)
        """Brings, writes and boots what is decided here."""
        self._gates = Gates(session, currency)
        self._offers = Offers(self._book, currency, self.carrier)
        self._consents = Consents(self._book, Mending(session, currency))
        self.offer = self._offers.take
        self._resumed: tuple[bytes, float] = (b"", 0.0)
        """The patch that was here at boot, and until when the shell may say how the surroundings are."""

    # What arrives.

    def envelope(self, payload: bytes) -> None:
        """Take a SUIT envelope; one that no offer waits for is passed over.

        Raises:
            RefusedError: not genuine, or not the patch that was offered.
        """
        session, track = self._session, self._book.active
        if track is None or track.state is not _P.OFFERED or track.facts is not None:
            return
        patch = open_envelope(
            payload,
            session.state.trusted.root,
            product=session.profile.product,
            algorithms=session.algorithms,
        )
        if patch.digest != track.digest:
            raise RefusedError(Reason.DIGEST_MISMATCH, "not the patch that was offered")
        try:
            facts = self.carrier.judge(track, patch)
        except RefusedError as error:
            session.log(error.reason, error.message)
            wrong_model = error.reason is Reason.WRONG_MODEL
            state = _P.NOT_APPLICABLE if wrong_model else _P.REJECTED
            self._offers.stop(track, state, error.reason)
            return
        session.state.envelope = payload
        self._consents.described(patch)
        self._book.put(replace(track, facts=facts))

    def consent(self, answer: Answer, asked: bytes | None = None) -> None:
        """Take the owner's answer; nobody asked, or something else: nothing happens.

        Args:
            answer: what the owner said.
            asked: the question that was answered; None: the one asked last.
        """
        agreed = self._consents.answer(answer, asked)
        if agreed is not None:
            self._schedule(agreed)

    # What happens to the device.

    def booted(self) -> bool:
        """Resume after a restart; True while a new image is on trial."""
        if self.carrier.booted():
            return True
        active = self._book.active
        if active is not None and active.state in {_P.DOWNLOADED, _P.VERIFIED}:
            self._resumed = (active.digest, self._session.now + limits.SENSING_SECONDS)
        for track in list(self._session.state.patches.values()):
            self._look_at_version(track)
        return False

    def connected(self) -> None:
        """The link is up: whatever was asked before may be lost."""
        self.carrier.connected()

    def clock_back(self, seconds: float) -> None:
        """The clock went back: what is due is due as long from now as it was."""
        self.carrier.clock_back(seconds)
        self._resumed = (self._resumed[0], self._resumed[1] - seconds)
        self._gates.clock_back(seconds)

    @property
    def is_installing(self) -> bool:
        """True from the point of no return until the new image has booted or been reverted."""
        active = self._book.active
        return active is not None and active.state in NO_RETURN

    def reset(self) -> None:
        """Forget what the former owner agreed to and refused; the next one is asked."""
        self._consents.ask_again()
        for track in list(self._session.state.patches.values()):
            forgotten = replace(track, consent=None, deferrals=0, defer_until=None, announced=None)
            if forgotten != track:
                self._book.put(forgotten)
        active = self._book.active
        if active is not None and active.state not in NO_RETURN:
            self._offers.begin_again(active, Reason.RESET)
        for track in self._session.state.patches.values():
            if track.state is _P.DECLINED:
                self._offers.renew(track)
        self.carrier.reset()

    def _look_at_version(self, track: PatchTrack) -> None:
        """See whether somebody else has brought the very version that a patch promises."""
        session, facts = self._session, track.facts
        if facts is None or facts.version is None or not session.measured:
            return
        if facts.version != session.installed:
            return
        if track.state in _OVERTAKEN:
            self._offers.begin_again(track, Reason.SUPERSEDED)
        elif track.state is _P.NOT_APPLICABLE:
            self._offers.renew(track)

    # What time brings.

    def step(self) -> None:
        """Go on as far as possible."""
        while True:
            self._offers.settle()
            track = self._book.active
            if track is None:
                break
            if track.state in NO_RETURN or not (self._offers.ends(track) or self._lapses(track)):
                if track.state in self._STEPS:
                    self._STEPS[track.state](self, track)
                after = self._book.active
                if after is not None and (after.digest, after.state) == (track.digest, track.state):
                    break
        if self._book.active is None and self._session.state.envelope is not None:
            self._session.state.envelope = None
            self._session.touch()

    def missing(self) -> list[Missing]:
        """Return the envelope that an offer waits for."""
        track, session = self._book.active, self._session
        if track is None or track.state is not _P.OFFERED or track.facts is not None:
            return []
        return [Missing(session.topics.patch(session.profile.product, track.sequence), subscribe=True)]

    def _lapses(self, track: PatchTrack) -> bool:
        """Begin again with a patch for which the owner's consent no longer holds."""
        if track.state not in _AGREED or self._currency.current() is None or self._consents.stands(track):
            return False
        self._offers.begin_again(track, Reason.SUPERSEDED)
        return True

    # One step a state.

    def _consider(self, track: PatchTrack) -> None:
        if track.facts is None:
            return
        if track.facts.version == self._session.installed:
            self._offers.stop(track, _P.ALREADY_INSTALLED, Reason.OK)
        elif self._session.profile.platform is Platform.NONE:
            self._offers.stop(track, _P.NOT_APPLICABLE, Reason.UNSUPPORTED)
        elif how := self._consents.beforehand(track):
            self._schedule(self._consents.take(track, how))
        else:
            self._consents.ask_again()  # whatever was answered before, this offer has not been
            self._book.move(track, _P.WAITING_FOR_CONFIRMATION)

    def _ask(self, track: PatchTrack) -> None:
        if how := self._consents.beforehand(track):
            self._schedule(self._consents.take(track, how))
        else:
            self._consents.ask(track)

    def _schedule(self, track: PatchTrack) -> None:
        """The owner agrees: bring it now, or when that makes sense."""
        if not self._bring(track):
            self._book.move(track, _P.WAITING_FOR_WINDOW, self._awaits(track))

    def _wait_for_window(self, track: PatchTrack) -> None:
        if not self._bring(track):
            self._session.wake(starts(track.offer))
            self._because(track, self._awaits(track))

    def _bring(self, track: PatchTrack) -> bool:
        """Begin to bring a patch, unless it is too early, or too late for any of the owner's windows."""
        opens = self._gates.opens(track.offer)
        if opens is None or self._session.time < starts(track.offer):
            return False
        told = self._consents.announce(track, opens)
        self.carrier.begin(self._book.move(told, _P.DOWNLOADING))
        return True

    def _awaits(self, track: PatchTrack) -> Reason:
        """Return OUT_OF_WINDOW where the owner's windows never meet the offer's."""
        return Reason.OK if self._gates.opens(track.offer) is not None else Reason.OUT_OF_WINDOW

    def _begin_install(self, track: PatchTrack) -> None:
        """The last gate: only what is current now, inside the windows, with power, and idle."""
        patch, until = self._resumed
        if self._session.conditions is None and track.digest == patch and self._session.now < until:
            self._session.wake(until)
        elif reason := self._gates.hold(track):
            self._because(track, reason)
        else:
            self._book.move(track, _P.INSTALLING)

    def _because(self, track: PatchTrack, reason: Reason) -> None:
        """Say why a patch stays where it is."""
        if track.reason is not reason:
            self._book.put(replace(track, reason=reason))
            self._session.news = True

    def _remind(self, track: PatchTrack) -> None:
        self._consents.remind(track)

    def _carry(self, track: PatchTrack) -> None:
        self.carrier.step(track)

    # One table for all devices of a process.
    _STEPS: ClassVar[dict[PatchState, Callable[[Patches, PatchTrack], None]]] = {
        _P.OFFERED: _consider,
        _P.WAITING_FOR_CONFIRMATION: _ask,
        _P.DEFERRED: _remind,
        _P.WAITING_FOR_WINDOW: _wait_for_window,
        _P.DOWNLOADING: _carry,
        _P.DOWNLOADED: _carry,
        _P.VERIFIED: _begin_install,
        _P.INSTALLING: _carry,
        _P.INSTALLED: _carry,
        _P.CANCEL_REJECTED: _carry,
        _P.TESTING: _carry,
    }
