"""Which notice a patch mends on this device, and whether that makes the patch urgent."""

from __future__ import annotations

from collections.abc import Iterator

from advisories.notice import Phase, Severity
from advisories.states import NoticeState
from device_sim.core.currency import Currency
from device_sim.core.session import Session
from device_sim.core.state import NoticeTrack

_IN_FORCE = frozenset(
    {NoticeState.DELIVERED, NoticeState.VERIFIED, NoticeState.SHOWN, NoticeState.ACKNOWLEDGED}
)
"""Of notices that concern this owner; DELIVERED is the end where there is nothing to show one on."""


class Mending:
    """Finds the notices that name a patch."""

    __slots__ = ("_currency", "_session")

    def __init__(self, session: Session, currency: Currency) -> None:
        self._session = session
        self._currency = currency

    def about(self, digest: bytes) -> NoticeTrack | None:
        """Return the notice in force that names a patch, the gravest and newest one of several."""
        return max(
            self._naming(digest), key=lambda t: (t.header.severity, t.header.issued, t.id), default=None
        )

    def urges(self, digest: bytes) -> bool:
        """Say whether a notice that is genuine, current and grave makes a patch urgent for this device."""
        return any(self._urges(track) for track in self._naming(digest))

    def _naming(self, digest: bytes) -> Iterator[NoticeTrack]:
        product = self._session.profile.product
        for track in self._session.state.notices.values():
            if track.state in _IN_FORCE and digest in (track.header.patches or {}).get(product, ()):
                yield track

    def _urges(self, track: NoticeTrack) -> bool:
        header, trusted = track.header, self._session.state.trusted
        floor = trusted.floor("notice", track.id)
        return (
            header.severity >= Severity.HIGH
            and header.phase is not Phase.WITHDRAWN
            # An exercise installs nothing by itself, but where all is exercise.
            and (trusted.root.exercise or not header.exercise)
            # The present root still stands behind it, and what is current names it.
            and floor is not None
            and floor.digest == track.digest
            and self._currency.names(track.id, header.revision, track.digest)
        )
