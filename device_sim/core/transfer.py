"""Asks for a payload by HTTPS: one transfer at a time, and again where it broke off, ever more slowly."""

from __future__ import annotations

from device_sim.core import effects as do
from device_sim.core import limits
from device_sim.core.session import Session
from keys.reasons import Reason


class Transfer:
    """The transfer that is under way; where the payload goes is the business of ``download``."""

    __slots__ = ("_came", "_due", "_pause", "_session", "_since", "_uri")

    def __init__(self, session: Session) -> None:
        self._session = session
        self._uri = ""
        """What is being fetched; empty: nothing."""
        self._due = 0.0
        self._pause = limits.TRANSFER_SECONDS_MIN
        self._came = 0
        """Bytes since ``_since``."""
        self._since = 0.0

    def start(self) -> None:
        """Begin afresh."""
        self.stop()
        self._pause = limits.TRANSFER_SECONDS_MIN
        self._due = self._session.now

    def stop(self) -> None:
        """Give up what is under way."""
        if self._uri:
            self._uri = ""
            self._session.emit(do.StopFetch())

    def clock_back(self, seconds: float) -> None:
        """The clock went back: what is due is due as long from now as it was."""
        self._due -= seconds
        self._since -= seconds

    def step(self, uri: str, offset: int, size: int) -> None:
        """Ask for what is missing from ``offset`` on, when that is due; lose what is too slow."""
        session = self._session
        if self._uri and session.now >= self._since + limits.SLOW_SECONDS:
            if self._came < limits.SLOW_BYTES:
                session.log(Reason.CONNECTION_LOST, f"{self._came} bytes in {limits.SLOW_SECONDS:g} s")
                self.stop()
                self._put_off()
            self._came, self._since = 0, session.now
        if self._uri:
            session.wake(self._since + limits.SLOW_SECONDS)
        elif session.now >= self._due:
            self._uri, self._came, self._since = uri, 0, session.now
            session.emit(do.Fetch(uri, offset, size))
            session.wake(self._since + limits.SLOW_SECONDS)
        else:
            session.wake(self._due)

    def took(self, uri: str, count: int) -> bool:
        """Count what came; False where it belongs to nothing that is under way."""
        if uri != self._uri or not uri:
            return False
        self._came += count
        if self._came >= limits.SLOW_BYTES:
            self._pause = limits.TRANSFER_SECONDS_MIN
        return True

    def ended(self, uri: str, reason: Reason) -> Reason | None:
        """Take the end of a transfer; return why it is not worth another attempt, or None."""
        if uri != self._uri or not uri:
            return None
        self._uri = ""
        self._session.log(reason, f"transfer of {uri} ended")
        if reason in {Reason.OK, Reason.CONNECTION_LOST, Reason.BUSY}:
            self._put_off()  # OK with bytes missing is a loss, too; else nothing is asked for any more
            return None
        return reason

    def _put_off(self) -> None:
        session = self._session
        self._due = session.now + self._pause * (0.75 + session.random(1)[0] / 512)
        self._pause = min(self._pause * 2, limits.TRANSFER_SECONDS_MAX)
