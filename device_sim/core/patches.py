"""The patch track: from a signed offer through consent and window to the download, and its end.

An offer counts only for a patch that the current catalogue names, and that is asked again right
before installing. Bringing the image and booting it are the business of ``download`` and ``install``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Literal

from advisories.offer import Consent, Offer
from advisories.report import Agreed, Consented, Track, question
from advisories.states import PATCH_ENDED, PatchState
from advisories.suit import open_envelope
from advisories.suit.patch import POLICY_TYPE
from advisories.versions import format_version
from device_sim.core import effects as do
from device_sim.core.carrier import Carrier
from device_sim.core.currency import Currency
from device_sim.core.fetch import Missing
from device_sim.core.notices import Notices
from device_sim.core.patchbook import NO_RETURN, PatchBook
from device_sim.core.profile import AutoConsent
from device_sim.core.reporter import Reporter
from device_sim.core.session import Session
from device_sim.core.state import PatchFacts, PatchTrack
from keys.errors import RefusedError
from keys.limits import VERSION_MAX
from keys.reasons import Reason

Answer = Literal["yes", "defer", "no"]
"""What an owner can say."""

_P = PatchState
_RENEWABLE = PATCH_ENDED - {_P.SUCCEEDED, _P.SUPERSEDED, _P.REMOVED}
_CONSENTED = frozenset({_P.WAITING_FOR_WINDOW, _P.DOWNLOADING, _P.DOWNLOADED, _P.VERIFIED})


class Patches:
    """All patches of one device, at most one of them under way."""

    def __init__(self, session: Session, currency: Currency, notices: Notices, reporter: Reporter) -> None:
        self._session = session
        self._currency = currency
        self._notices = notices
        self._book = PatchBook(session)
        self.carrier = Carrier(self._book, reporter)
        """Brings, writes and boots what is decided here."""
        self._asked: bytes | None = None
        """Digest of the patch that the owner was asked about, in this boot; None: ask (again)."""
        self._steps: dict[PatchState, Callable[[PatchTrack], None]] = {
            _P.OFFERED: self._consider,
            _P.WAITING_FOR_CONFIRMATION: self._ask,
            _P.DEFERRED: self._remind,
            _P.WAITING_FOR_WINDOW: self._wait_for_window,
            _P.DOWNLOADING: self.carrier.step,
            _P.DOWNLOADED: self.carrier.step,
            _P.VERIFIED: self._begin_install,
            _P.INSTALLING: self.carrier.step,
            _P.INSTALLED: self.carrier.step,
            _P.CANCEL_REJECTED: self.carrier.step,
        }

    # What arrives.

    def offer(self, payload: bytes) -> None:
        """Take an offer; it is judged as soon as the catalogue is current.

        Raises:
            RefusedError: not genuine, not for this device or product, over, or older than the last one.
        """
        session = self._session
        device, trusted = session.profile.id, session.state.trusted
        before = trusted.floor("offer", device)
        product = session.profile.product
        genuine = trusted.accept(
            payload, Offer, name=device, subject=device, product=product, now=int(session.now)
        )
        if before is not None and before.digest == genuine.digest:
            return
        session.touch()
        if genuine.body.product != product:
            raise RefusedError(Reason.WRONG_SUBJECT, f"an offer for {genuine.body.product}")
        session.state.offer = genuine.body

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
            self._book.move(track, _P.NOT_APPLICABLE if wrong_model else _P.REJECTED, error.reason)
            return
        self._book.put(replace(track, facts=facts))

    def consent(self, answer: Answer, asked: bytes | None = None) -> None:
        """Take the owner's answer; nobody asked, or something else: nothing happens.

        Args:
            answer: what the owner said.
            asked: the question that was answered; None: the one asked last.
        """
        track = self._book.active
        if track is None or track.state is not _P.WAITING_FOR_CONFIRMATION:
            return
        if asked is not None and asked != question(track.digest, None, None, None):
            return
        if answer == "yes":
            self._schedule(replace(track, consent=self._consented(track)))
        elif answer == "no":
            self._book.move(track, _P.DECLINED, Reason.DECLINED)
        elif track.deferrals >= self._session.profile.defer_max:
            self._asked = None  # it cannot be put off any further: ask again
        else:
            # A gateway's key may have moved the time to its very end; the state must still be read back.
            until = min(self._session.time + self._session.profile.defer_seconds, VERSION_MAX)
            later = replace(track, deferrals=track.deferrals + 1, defer_until=until)
            self._book.move(later, _P.DEFERRED, Reason.DEFERRED)

    def booted(self) -> bool:
        """Resume after a restart; True while a new image is on trial."""
        return self.carrier.booted()

    def connected(self) -> None:
        """The link is up: whatever was asked before may be lost."""
        self.carrier.connected()

    def clock_back(self, seconds: float) -> None:
        """The clock went back: what is due is due as long from now as it was."""
        self.carrier.clock_back(seconds)

    def reset(self) -> None:
        """Forget what the former owner agreed to and refused."""

    # What time brings.

    def step(self) -> None:
        """Go on as far as possible."""
        self._take_offer()
        track = self._book.active
        while track is not None:
            if track.state not in NO_RETURN and self._ends(track):
                return
            before = track.state
            if before in self._steps:
                self._steps[before](track)
            track = self._book.active
            if track is not None and track.state is before:
                return

    def missing(self) -> list[Missing]:
        """Return the envelope that an offer waits for."""
        track, session = self._book.active, self._session
        if track is None or track.state is not _P.OFFERED or track.facts is not None:
            return []
        return [Missing(session.topics.patch(session.profile.product, track.sequence), subscribe=True)]

    def _take_offer(self) -> None:
        """Turn the newest offer into a track, or into a change of one, once that can be decided."""
        state = self._session.state
        offer, active = state.offer, self._book.active
        if offer is None:
            return
        track = state.patches.get(offer.digest)
        if offer.cancel:
            self._settle()
            if track is not None:
                self._cancel(track)
            return
        if active is not None and active.state in NO_RETURN:
            return
        if self._session.time >= _last_second(offer):
            self._settle()
            self._open(offer, track, _P.TIMED_OUT, Reason.DEADLINE_PASSED)
            return
        self._session.wake(_last_second(offer))
        catalogue = self._currency.current()
        if catalogue is None or catalogue.version < offer.catalogue_version:
            return  # stale metadata blocks installing; the missing pieces are being asked for
        self._settle()
        if (offer.sequence, offer.digest) not in catalogue.patches:
            self._open(offer, track, _P.REJECTED, Reason.NOT_IN_CATALOGUE)
        else:
            self._open(offer, track, _P.OFFERED, Reason.OK)

    def _settle(self) -> None:
        self._session.state.offer = None
        self._session.touch()

    def _open(self, offer: Offer, track: PatchTrack | None, state: PatchState, reason: Reason) -> None:
        """Begin, renew or change the track of an offer."""
        active = self._book.active
        if active is not None and active.digest != offer.digest:
            self._book.move(active, _P.SUPERSEDED, Reason.SUPERSEDED)
        if track is not None and track.state not in PATCH_ENDED:
            track = self._change(offer, track)
            if track is None:
                return
        fresh = PatchTrack(
            digest=offer.digest,
            sequence=offer.sequence,
            state=track.state if track is not None else _P.QUEUED,
            time=self._session.time,
            reason=Reason.OK,
            offer=offer,
            facts=None,
            slot=0,
            offset=0,
            attempts=0,
            counter=0,
            deferrals=track.deferrals if track is not None else 0,
        )
        if track is None:
            self._book.move(fresh, state, reason)
        elif track.state in _RENEWABLE and state is _P.OFFERED:
            self._book.move(fresh, state)
        else:
            self._session.log(Reason.SUPERSEDED, f"patch {offer.sequence} stays {track.state.name}")

    def _change(self, offer: Offer, track: PatchTrack) -> PatchTrack | None:
        """Let a newer offer of the patch under way change its terms; return it if it must begin again."""
        asked = track.consent is not None and track.consent.how is Agreed.ASKED
        if offer.consent is Consent.ASK and not asked and track.state in _CONSENTED:
            return self._book.move(track, _P.CANCELED, Reason.SUPERSEDED)
        self._book.put(replace(track, offer=offer))
        return None

    def _cancel(self, track: PatchTrack) -> None:
        if track.state in {_P.INSTALLING, _P.INSTALLED}:
            self._book.move(track, _P.CANCEL_REJECTED, Reason.BUSY)
        elif track.state in NO_RETURN:
            self._session.record(Track.REFUSAL, "offer", Reason.BUSY, digest=track.digest)
        elif track.state not in PATCH_ENDED:
            self._book.move(track, _P.CANCELED, Reason.CANCELED)

    def _ends(self, track: PatchTrack) -> bool:
        """End a patch whose time is over, that is no longer current, or whose signers' keys were revoked."""
        last = _last_second(track.offer)
        if self._session.time >= last:
            self._book.move(track, _P.TIMED_OUT, Reason.DEADLINE_PASSED)
            return True
        self._session.wake(last)
        catalogue = self._currency.current()
        if catalogue is not None and (track.sequence, track.digest) not in catalogue.patches:
            self._book.move(track, _P.REJECTED, Reason.NOT_IN_CATALOGUE)
            return True
        if track.facts is not None and not self._is_still_signed(track.facts):
            self._book.move(track, _P.REJECTED, Reason.THRESHOLD_NOT_MET)
            return True
        return False

    def _is_still_signed(self, facts: PatchFacts) -> bool:
        """Say whether the present root, too, would take the patch from those who signed it."""
        root = self._session.state.trusted.root
        try:
            demands = root.demands(POLICY_TYPE, self._session.profile.product)
        except RefusedError:
            return False
        return facts.signed is None or not root.missing(demands, facts.signed)

    # One step a state.

    def _consider(self, track: PatchTrack) -> None:
        if track.facts is None:
            return
        if track.facts.version == self._session.installed:
            self._book.move(track, _P.ALREADY_INSTALLED)
        elif (
            track.offer.consent is Consent.ASK or self._session.profile.auto_consent is not AutoConsent.ALWAYS
        ):
            self._asked = None  # whatever was answered before, this offer has not been
            self._book.move(track, _P.WAITING_FOR_CONFIRMATION)
        else:
            self._schedule(track)

    def _ask(self, track: PatchTrack) -> None:
        if self._asked == track.digest:
            return
        self._asked = track.digest
        version = track.facts.version if track.facts is not None else None
        final = track.deferrals >= self._session.profile.defer_max
        shown = format_version(version) if version is not None else ""
        self._session.emit(do.AskConsent(shown, self._notices.mended_by(track.digest), final))

    def _consented(self, track: PatchTrack) -> Consented:
        shown = question(track.digest, None, None, None)
        return Consented(how=Agreed.ASKED, time=self._session.time, question=shown)

    def _remind(self, track: PatchTrack) -> None:
        until = track.defer_until or 0
        if self._session.time >= until:
            self._asked = None
            self._book.move(track, _P.WAITING_FOR_CONFIRMATION)
        else:
            self._session.wake(until)

    def _schedule(self, track: PatchTrack) -> None:
        """Install may go on: now, or when its window opens."""
        window = track.offer.window
        if window is not None and self._session.time < window[0]:
            self._book.move(track, _P.WAITING_FOR_WINDOW)
        else:
            self.carrier.begin(self._book.move(track, _P.DOWNLOADING))

    def _wait_for_window(self, track: PatchTrack) -> None:
        opens = track.offer.window[0] if track.offer.window is not None else 0
        if self._session.time >= opens:
            self.carrier.begin(self._book.move(track, _P.DOWNLOADING))
        else:
            self._session.wake(opens)

    def _begin_install(self, track: PatchTrack) -> None:
        """The last gate: only what is current now, and inside the window, is installed."""
        opens = track.offer.window[0] if track.offer.window is not None else 0
        if self._session.time < opens:
            self._session.wake(opens)
        elif self._currency.current() is not None:
            self._book.move(track, _P.INSTALLING)
        elif track.reason is not Reason.STALE:
            self._book.put(replace(track, reason=Reason.STALE))
            self._session.news = True


def _last_second(offer: Offer) -> int:
    """Return the second from which on an install must not begin."""
    ends = [offer.deadline]
    ends += [offer.expires] if offer.expires is not None else []
    ends += [offer.window[1]] if offer.window is not None else []
    return min(ends)
