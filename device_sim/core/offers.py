"""Offers: taken when they are genuine, turned into a patch's track once the catalogue is current.

A newer offer changes the terms of the patch under way, takes another patch's place, or takes a patch back:
all that before the install begins, and nothing of it afterwards.
"""

from __future__ import annotations

from dataclasses import replace

from advisories.offer import Consent, Offer
from advisories.report import Agreed, Track
from advisories.states import PATCH_ENDED, PatchState
from advisories.suit.patch import POLICY_TYPE
from device_sim.core.carrier import Carrier
from device_sim.core.currency import Currency
from device_sim.core.gates import last_second
from device_sim.core.patchbook import NO_RETURN, PatchBook
from device_sim.core.state import PatchFacts, PatchTrack
from keys.errors import RefusedError
from keys.reasons import Reason

_P = PatchState
_RENEWABLE = PATCH_ENDED - {_P.SUCCEEDED, _P.REMOVED}
_ON_TRIAL = frozenset({_P.INSTALLING, _P.INSTALLED})


class Offers:
    """What the gateway offers one device, one patch at a time."""

    __slots__ = ("_book", "_carrier", "_currency", "_session")

    def __init__(self, book: PatchBook, currency: Currency, carrier: Carrier) -> None:
        self._book = book
        self._session = book.session
        self._currency = currency
        self._carrier = carrier

    def take(self, payload: bytes) -> None:
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

    def settle(self) -> None:
        """Turn the newest offer into a track, or into a change of one, once that can be decided."""
        state = self._session.state
        offer, active = state.offer, self._book.active
        if offer is None:
            return
        track = state.patches.get(offer.digest)
        if offer.cancel:
            self._settled()
            if track is not None:
                self._cancel(track)
            return
        if active is not None and active.state in NO_RETURN:
            return
        if self._session.time >= last_second(offer):
            self._settled()
            self._open(offer, track, _P.TIMED_OUT, Reason.DEADLINE_PASSED)
            return
        self._session.wake(last_second(offer))
        catalogue = self._currency.current()
        if catalogue is None or catalogue.version < offer.catalogue_version:
            return  # stale metadata blocks installing; the missing pieces are being asked for
        self._settled()
        if (offer.sequence, offer.digest) not in catalogue.patches:
            self._open(offer, track, _P.REJECTED, Reason.NOT_IN_CATALOGUE)
        else:
            self._open(offer, track, _P.OFFERED, Reason.OK)

    def ends(self, track: PatchTrack) -> bool:
        """End a patch whose time is over, that is no longer current, or whose signers' keys were revoked."""
        last = last_second(track.offer)
        if self._session.time >= last:
            self.stop(track, _P.TIMED_OUT, Reason.DEADLINE_PASSED)
            return True
        self._session.wake(last)
        catalogue = self._currency.current()
        if catalogue is not None and (track.sequence, track.digest) not in catalogue.patches:
            self.stop(track, _P.REJECTED, Reason.NOT_IN_CATALOGUE)
            return True
        if track.facts is not None and not self._is_still_signed(track.facts):
            self.stop(track, _P.REJECTED, Reason.THRESHOLD_NOT_MET)
            return True
        return False

    def stop(self, track: PatchTrack, state: PatchState, reason: Reason) -> PatchTrack:
        """End the patch under way, and let go of what is being brought for it."""
        moved = self._book.move(track, state, reason)
        self._carrier.ended(moved)
        return moved

    def begin_again(self, track: PatchTrack, reason: Reason) -> None:
        """End the patch under way and take its offer up again, so that all is decided anew."""
        self.stop(track, _P.CANCELED, reason)
        self.renew(track)

    def renew(self, track: PatchTrack) -> None:
        """Take the offer of a patch up again, unless there is a newer one."""
        state = self._session.state
        newest = max((known.offer.version for known in state.patches.values()), default=0)
        if state.offer is None and track.offer.version == newest:
            state.offer = track.offer
            self._session.touch()

    def _settled(self) -> None:
        self._session.state.offer = None
        self._session.touch()

    def _open(self, offer: Offer, track: PatchTrack | None, state: PatchState, reason: Reason) -> None:
        """Begin, renew or change the track of an offer."""
        active = self._book.active
        if active is not None and active.digest != offer.digest:
            self.stop(active, _P.SUPERSEDED, Reason.SUPERSEDED)
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
            announced=track.announced if track is not None else None,
        )
        if track is None:
            self._book.move(fresh, state, reason)
        elif track.state in _RENEWABLE and state is _P.OFFERED:
            self._book.move(fresh, state)
        else:
            self._session.log(Reason.SUPERSEDED, f"patch {offer.sequence} stays {track.state.name}")

    def _change(self, offer: Offer, track: PatchTrack) -> PatchTrack | None:
        """Let a newer offer of the patch under way change its terms; return it if it must begin again."""
        agreed = track.consent
        if offer.consent is Consent.ASK and agreed is not None and agreed.how is not Agreed.ASKED:
            return self.stop(track, _P.CANCELED, Reason.SUPERSEDED)
        self._book.put(replace(track, offer=offer))
        return None

    def _cancel(self, track: PatchTrack) -> None:
        if track.state in _ON_TRIAL:
            self._book.move(track, _P.CANCEL_REJECTED, Reason.BUSY)
        elif track.state in NO_RETURN:
            self._session.record(Track.REFUSAL, "offer", Reason.BUSY, digest=track.digest)
        elif track.state not in PATCH_ENDED:
            self.stop(track, _P.CANCELED, Reason.CANCELED)

    def _is_still_signed(self, facts: PatchFacts) -> bool:
        """Say whether the present root, too, would take the patch from those who signed it."""
        root = self._session.state.trusted.root
        try:
            demands = root.demands(POLICY_TYPE, self._session.profile.product)
        except RefusedError:
            return False
        return facts.signed is None or not root.missing(demands, facts.signed)
