"""What is current: the accepted catalogue, and a timestamp that says it is still the one.

Both are believed only as long as the root that verified them stands behind them; either being
absent, over, or about another catalogue makes everything "not confirmed current".
"""

from __future__ import annotations

from advisories.catalogue import Catalogue, Timestamp
from device_sim.core.fetch import Missing
from device_sim.core.session import Session
from keys.codec import dump
from keys.document import Genuine


class Currency:
    """The device's idea of what is current."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def catalogue(self, payload: bytes) -> None:
        """Accept a catalogue.

        Raises:
            RefusedError: not genuine, over, or older than the last one.
        """
        genuine = self._accept(payload, Catalogue)
        self._session.news = True
        self._session.state.catalogue_body = dump(genuine.body)

    def timestamp(self, payload: bytes) -> None:
        """Accept a timestamp.

        Raises:
            RefusedError: not genuine, over, or older than the last one.
        """
        genuine = self._accept(payload, Timestamp)
        self._session.state.timestamp_body = dump(genuine.body)

    def _accept(self, payload: bytes, cls: type[Catalogue | Timestamp]) -> Genuine[Catalogue | Timestamp]:
        session = self._session
        product = session.profile.product
        genuine: Genuine[Catalogue | Timestamp] = session.state.trusted.accept(
            payload, cls, name=product, subject=product, now=int(session.now)
        )
        session.touch()
        return genuine

    def believed(self) -> tuple[Catalogue | None, Timestamp | None]:
        """Return catalogue and timestamp as far as the present root stands behind them, unexpired."""
        state, product, time = self._session.state, self._session.profile.product, self._session.time
        trusted = state.trusted
        catalogue, stamp = state.catalogue, state.timestamp
        if time >= (trusted.root.expires or 0):
            return None, None
        if trusted.floor("catalogue", product) is None or (catalogue and time >= (catalogue.expires or time)):
            catalogue = None
        if trusted.floor("timestamp", product) is None or (stamp and time >= (stamp.expires or time)):
            stamp = None
        return catalogue, stamp

    def current(self) -> Catalogue | None:
        """Return the catalogue, if a fresh timestamp says that it is the current one."""
        catalogue, stamp = self.believed()
        # A root that it names and that is not here yet may have taken away the very keys believed in.
        root = self._session.state.trusted.root
        if catalogue is None or stamp is None or stamp.root_version > root.version:
            return None
        return catalogue if self._is_named(catalogue, stamp) else None

    def _is_named(self, catalogue: Catalogue, stamp: Timestamp) -> bool:
        """Say whether the timestamp is about this very catalogue."""
        floor = self._session.state.trusted.floor("catalogue", self._session.profile.product)
        assert floor is not None
        return (stamp.catalogue_version, stamp.catalogue_digest) == (catalogue.version, floor.digest)

    def names(self, advisory: str, revision: int, digest: bytes) -> bool:
        """Say whether the current catalogue names this very header."""
        catalogue = self.current()
        return catalogue is not None and (advisory, revision, digest) in catalogue.notices

    def unseen(self) -> list[str]:
        """Return the advisories of which the catalogue names a revision newer than any verified here."""
        catalogue, _ = self.believed()
        state = self._session.state
        found = []
        for advisory, revision, digest in catalogue.notices if catalogue is not None else ():
            floor, track = state.trusted.floor("notice", advisory), state.notices.get(advisory)
            older = track is None or track.header.revision < revision
            if floor is None or (floor.digest != digest and older):
                found.append(advisory)
        return found

    def missing(self) -> list[Missing]:
        """Return the timestamp when there is no fresh one, and the catalogue when it names another."""
        session = self._session
        topics, product = session.topics, session.profile.product
        catalogue, stamp = self.believed()
        found = []
        if stamp is None:
            found.append(Missing(topics.timestamp(product), subscribe=False))
        if catalogue is None or (stamp is not None and not self._is_named(catalogue, stamp)):
            found.append(Missing(topics.catalogue(product), subscribe=False))
        return found

    def step(self) -> None:
        """Wake when something runs out."""
        for document in self.believed():
            if document is not None and document.expires is not None:
                self._session.wake(document.expires)
