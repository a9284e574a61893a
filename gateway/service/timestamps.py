"""Timestamps for products: what is current, and the head of the audit chain, signed for hours at a time."""

from __future__ import annotations

from advisories.catalogue import Catalogue, Timestamp
from advisories.topics import Topics
from gateway.core.publication import build_timestamp, timestamp_is_due
from gateway.service.issuing import issue
from gateway.store import audit
from gateway.store.engine import Session, Store
from keys.document import peek
from keys.root import Root
from keys.signer import Signer


class Timestamps:
    """Signs timestamps with the gateway's key as they become due."""

    def __init__(self, store: Store, topics: Topics, signer: Signer) -> None:
        self._store, self._topics, self._signer = store, topics, signer

    def tend(self, now: float) -> None:
        """Sign what is due.

        Raises:
            UnavailableError: the store is locked or full; nothing is lost.
        """
        with self._store.read() as session:
            due = self._due(session, now)
        if due:
            with self._store.write() as session:
                session.serialise()
                for product in self._due(session, now):
                    self._sign(session, product, now)

    def _due(self, session: Session, now: float) -> list[str]:
        return [
            product
            for product in session.document_names(Catalogue.TYPE)
            if self._is_due(session, product, now)
        ]

    def _is_due(self, session: Session, product: str, now: float) -> bool:
        catalogue = session.document(Catalogue.TYPE, product)
        stored = session.document(Timestamp.TYPE, product)
        newest = None if stored is None else peek(stored.bytes, Timestamp)
        assert catalogue is not None
        root = _root_version(session)
        return timestamp_is_due(newest, catalogue.digest, root_version=root, now=now)

    def _sign(self, session: Session, product: str, now: float) -> None:
        stored = session.document(Catalogue.TYPE, product)
        before = session.document(Timestamp.TYPE, product)
        assert stored is not None
        body = build_timestamp(
            peek(stored.bytes, Catalogue),
            stored.digest,
            root_version=_root_version(session),
            audit_head=audit.head(session),
            last=None if before is None else before.version,
            now=now,
        )
        issue(session, [(body, product, self._topics.timestamp(product))], self._signer, now)


def _root_version(session: Session) -> int:
    stored = session.document(Root.TYPE, "")
    return 0 if stored is None else stored.version
