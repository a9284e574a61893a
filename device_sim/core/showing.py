"""What stands on the screen: draws a notice, hears what came of it, and tries again what failed.

A notice counts as shown only once the surface says that it shows it. Until then it is tried again after a
pause that doubles, and at the next boot.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from advisories.notice import Notice, check_code
from device_sim.core import effects as do
from device_sim.core import limits
from device_sim.core.currency import Currency
from device_sim.core.session import Session
from device_sim.core.state import NoticeTrack
from device_sim.core.wording import Wording
from keys.reasons import Reason


@dataclass(frozen=True, slots=True)
class Drawing:
    """A Show that was asked for."""

    advisory: str
    revision: int
    digest: bytes
    """Of the header."""
    confirmed: bool
    """Drawn as current."""
    reminders: int | None
    """Reminders that count as given once it is on the screen; None: it is none."""


@dataclass(slots=True)
class _Failure:
    reason: Reason
    due: float
    pause: float


class Showing:
    """The surface of one device, as far as this boot knows it."""

    __slots__ = ("_currency", "_failed", "_session", "_stands", "_under_way", "_wording")

    def __init__(self, session: Session, currency: Currency, wording: Wording) -> None:
        self._session = session
        self._currency = currency
        self._wording = wording
        self._under_way: list[Drawing] = []
        """Not answered yet, in the order in which they were asked for."""
        self._stands: dict[str, bool] = {}
        """Advisory id -> whether it was last drawn as confirmed."""
        self._failed: dict[str, _Failure] = {}

    def draw(self, track: NoticeTrack, reminders: int | None = None) -> None:
        """Ask for a notice to be drawn.

        Args:
            track: with its text in hand.
            reminders: how many count as given once it is on the screen; None: it is no reminder.
        """
        confirmed = self._currency.names(track.id, track.header.revision, track.digest)
        self._under_way.append(Drawing(track.id, track.header.revision, track.digest, confirmed, reminders))
        assert track.text is not None
        self._session.emit(
            do.Show(
                as_shown(self._session, track),
                track.text,
                check_code(track.digest),
                confirmed,
                self._wording.pages(track),
                self._wording.wanted(track),
            )
        )

    def answered(self, advisory: str, revision: int, reason: Reason) -> Drawing | None:
        """Take what came of a Show; None where none of that revision was asked for."""
        asked = (each for each in self._under_way if (each.advisory, each.revision) == (advisory, revision))
        drawing = next(asked, None)
        if drawing is None:
            return None
        self._under_way.remove(drawing)
        if reason is Reason.OK:
            self._stands[advisory] = drawing.confirmed
            self._failed.pop(advisory, None)
        else:
            former = self._failed.get(advisory)
            pause = limits.DISPLAY_SECONDS_MIN if former is None else former.pause * 2
            pause = min(pause, limits.DISPLAY_SECONDS_MAX)
            self._failed[advisory] = _Failure(reason, self._session.now + pause, pause)
            self._session.log(reason, f"{advisory} revision {revision} is not on the screen")
        return drawing

    def is_under_way(self, track: NoticeTrack) -> bool:
        """Say whether the surface has not yet said what came of drawing it."""
        return any(drawing.digest == track.digest for drawing in self._under_way)

    def failure(self, track: NoticeTrack) -> Reason | None:
        """Return why the last drawing of it failed; None: it did not."""
        failed = self._failed.get(track.id)
        return failed.reason if failed is not None else None

    def may_draw(self, track: NoticeTrack) -> bool:
        """Say whether it could be drawn now: nothing is under way, and no pause after a failure."""
        failed = self._failed.get(track.id)
        if failed is not None and self._session.now < failed.due:
            self._session.wake(failed.due)
            return False
        return not self.is_under_way(track)

    def differs(self, track: NoticeTrack, *, confirmed: bool) -> bool:
        """Say whether the screen says something else of it than is so now."""
        return track.id in self._failed or self._stands.get(track.id, confirmed) != confirmed

    def forget(self, advisory: str, *, keep_doubt: bool = False) -> None:
        """Another revision takes its place.

        Args:
            advisory: id.
            keep_doubt: the same words stay; where "not confirmed current" stands, it does until it is.
        """
        stands = self._stands.pop(advisory, None)
        self._failed.pop(advisory, None)
        if keep_doubt and stands is False:
            self._stands[advisory] = False

    def clock_back(self, seconds: float) -> None:
        """The clock went back: what is due is due as long from now as it was."""
        for failed in self._failed.values():
            failed.due -= seconds


def as_shown(session: Session, track: NoticeTrack) -> Notice:
    """Return the header; under an exercise root, where one person may sign for all, as an exercise."""
    return replace(track.header, exercise=track.header.exercise or session.state.trusted.root.exercise)
