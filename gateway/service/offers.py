"""What the gateway itself signs and retains: timestamps for products, offers for devices.

Each is stored and retained in the transaction that decided on it; the runtime publishes it afterwards.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import sqlalchemy as sa

from advisories.catalogue import Catalogue, Timestamp
from advisories.offer import Offer
from advisories.states import PATCH_ENDED
from advisories.topics import Topics
from gateway.core.publication import build_timestamp, timestamp_is_due
from gateway.core.rollout import OPENED, RolloutState, advance
from gateway.core.speech import build_offer
from gateway.store import audit, schema
from gateway.store.engine import Session, Store, Stored
from gateway.store.rollouts import Rollout, count_groups, current_catalogue, list_rollouts, move_on
from keys.document import digest, peek, seal
from keys.root import Body, Root
from keys.signer import Signer

OFFERS_MAX: Final = 200  # signed in one transaction


class Speaker:
    """Signs for the gateway's store with the gateway's key."""

    def __init__(
        self, store: Store, topics: Topics, fleet: bytes, signer: Signer, clock: Callable[[], float]
    ) -> None:
        self._store, self._topics, self._fleet, self._signer = store, topics, fleet, signer
        self._clock = clock

    def tend(self) -> bool:
        """Do what is due: timestamps, gates of rollouts, offers. Return True when more is left to do.

        Raises:
            UnavailableError: the store is locked or full; nothing is lost.
        """
        now = self._clock()
        with self._store.read() as session:
            due = self._due(session, now)
            rollouts = list_rollouts(session, RolloutState.RUNNING, RolloutState.STOPPED)
        if due:
            with self._store.write() as session:
                for product in self._due(session, now):
                    self._timestamp(session, product, now)
        more = False
        for rollout in rollouts:
            more = self._tend(rollout, now) or more
        return more

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

    def _timestamp(self, session: Session, product: str, now: float) -> None:
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
        self._issue(session, body, product, self._topics.timestamp(product), now)

    def _issue(self, session: Session, body: Body, name: str, topic: str, now: float) -> None:
        document = seal(body, [self._signer])
        session.add_document(body.type, name, Stored(body.version, digest(document), document), now)
        session.retain(topic, document, body.expires)

    def _tend(self, rollout: Rollout, now: float) -> bool:
        with self._store.read() as session:
            moved = rollout.state is RolloutState.RUNNING and _would_move(session, rollout, now)
            waiting = _waiting(session, rollout)
        if not moved and not waiting:
            return False
        with self._store.write() as session:
            if moved:
                rollout = move_on(session, rollout, now)
            waiting = _waiting(session, rollout)
            for device in waiting:
                self._offer(session, rollout, device, now)
        return moved or len(waiting) == OFFERS_MAX

    def _offer(self, session: Session, rollout: Rollout, device: str, now: float) -> None:
        cancel = rollout.state is RolloutState.STOPPED
        before = session.document(Offer.TYPE, device)
        if not cancel or _is_about(before, rollout.digest):
            p = schema.patches
            sequence: int = session.connection.execute(
                sa.select(p.c.sequence).where(p.c.digest == rollout.digest)
            ).scalar_one()
            body = build_offer(
                self._fleet,
                device,
                rollout.product,
                (sequence, rollout.digest),
                catalogue_version=current_catalogue(session, rollout.product).version,
                deadline=rollout.plan.deadline,
                window=rollout.plan.window,
                ask=rollout.plan.ask,
                cancel=cancel,
                last=None if before is None else before.version,
                now=now,
            )
            self._issue(session, body, device, self._topics.device(device, "offer"), now)
        t = schema.rollout_devices
        session.connection.execute(
            t.update()
            .where(t.c.rollout == rollout.id, t.c.device == device)
            .values({"cancelled" if cancel else "offered": now})
        )


def _is_about(offer: Stored | None, patch: bytes) -> bool:
    """Say whether the newest offer is still about this patch: a later one is not taken back with it."""
    return offer is not None and peek(offer.bytes, Offer).digest == patch


def _root_version(session: Session) -> int:
    stored = session.document(Root.TYPE, "")
    return 0 if stored is None else stored.version


def _would_move(session: Session, rollout: Rollout, now: float) -> bool:
    return bool(advance(rollout.plan, rollout.groups, count_groups(session, rollout), now))


def _waiting(session: Session, rollout: Rollout) -> list[str]:
    """Return devices of opened groups without an offer; of a stopped rollout, offers to take back."""
    d, g, p = schema.rollout_devices, schema.rollout_groups, schema.patch_states
    revoked = sa.select(schema.devices.c.id).where(schema.devices.c.revoked.is_(True))
    query = sa.select(d.c.device).where(d.c.rollout == rollout.id, d.c.device.not_in(revoked))
    query = query.order_by(d.c.device).limit(OFFERS_MAX)
    if rollout.state is RolloutState.STOPPED:
        ended = sa.select(p.c.device).where(
            p.c.digest == rollout.digest, p.c.state.in_([int(state) for state in PATCH_ENDED])
        )
        query = query.where(d.c.offered.is_not(None), d.c.cancelled.is_(None), d.c.device.not_in(ended))
    else:
        opened = sa.select(g.c.index).where(
            g.c.rollout == rollout.id, g.c.state.in_([int(state) for state in OPENED])
        )
        query = query.where(d.c.offered.is_(None), d.c.group.in_(opened))
    if rollout.state not in {RolloutState.STOPPED, RolloutState.RUNNING}:
        return []
    return list(session.connection.execute(query).scalars())
