"""When an install may begin: inside the windows of gateway and owner, with power, idle, and while current.

Everything before may happen at any time. What is held up here says why.
"""

from __future__ import annotations

from advisories.offer import Offer
from device_sim.core import limits
from device_sim.core.currency import Currency
from device_sim.core.profile import Conditions
from device_sim.core.session import Session
from device_sim.core.state import PatchTrack
from device_sim.core.windows import next_open
from keys.reasons import Reason


def last_second(offer: Offer) -> int:
    """Return the second (UTC) from which on an install must not begin."""
    ends = [offer.deadline]
    ends += [offer.expires] if offer.expires is not None else []
    ends += [offer.window[1]] if offer.window is not None else []
    return min(ends)


def starts(offer: Offer) -> int:
    """Return the second (UTC) from which on the gateway lets it be brought and installed."""
    return offer.window[0] if offer.window is not None else 0


class Gates:
    """What stands between a verified image and its install."""

    __slots__ = ("_changed", "_closed", "_currency", "_session")

    def __init__(self, session: Session, currency: Currency) -> None:
        self._session = session
        self._currency = currency
        self._closed = (0, 0)
        """(from, to): the owner's windows are closed from the one second until before the other."""
        self._changed = float("-inf")
        """When the reason for holding up changed last."""

    def clock_back(self, seconds: float) -> None:
        """The clock went back: what is due is due as long from now as it was."""
        self._changed -= seconds

    def opens(self, offer: Offer) -> int | None:
        """Return the second (UTC) from which on both windows are open; None: never before it is too late."""
        first = max(self._session.time, starts(offer))
        at = self._owner_opens(first)
        return at if at is not None and at < last_second(offer) else None

    def hold(self, track: PatchTrack) -> Reason | None:
        """Return why an install may not begin now, or None.

        The reason stays the one given before as long as it holds, and changes at most once a minute: a
        battery at its limit shall wear out neither flash nor gateway.
        """
        session = self._session
        reasons = self._reasons(track.offer)
        if not reasons or track.reason in reasons:
            return track.reason if reasons else None
        pause = self._changed + limits.HOLD_SECONDS
        if track.reason is not Reason.OK and session.now < pause:
            session.wake(pause)
            return track.reason
        self._changed = session.now
        return reasons[0]

    def _reasons(self, offer: Offer) -> list[Reason]:
        session, found = self._session, []
        opens = self.opens(offer)
        if opens is None or opens > session.time:
            found.append(Reason.OUT_OF_WINDOW)
            session.wake(opens if opens is not None else last_second(offer))
        conditions = session.conditions or Conditions()
        if conditions.battery is not None and conditions.battery < session.profile.battery_min:
            found.append(Reason.LOW_BATTERY)
        if conditions.busy:
            found.append(Reason.BUSY)
        if self._currency.current() is None:
            found.append(Reason.STALE)
        return found

    def _owner_opens(self, first: int) -> int | None:
        """Return when the owner's windows are open first, not before ``first``."""
        begin, end = self._closed
        if begin <= first < end:
            return end
        profile = self._session.profile
        at = next_open(profile.zone, profile.windows, first)
        if at is not None:
            self._closed = (first, at)
        return at
