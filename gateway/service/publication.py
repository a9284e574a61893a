"""Publishing: verify what was signed elsewhere, then store it and what the broker has to hold, at once.

Each function is one transaction: afterwards everything is in the store or nothing is. Called again with
the same bytes it changes nothing. The runtime publishes the retained rows in the order written here
(header, texts, catalogue), and adds the timestamp that makes the catalogue current.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import sqlalchemy as sa

from advisories.catalogue import Catalogue, Devices
from advisories.notice import Notice
from advisories.topics import Topics, is_id
from gateway.core import publication as core
from gateway.service import audit, schema
from gateway.service.store import Session, Store, Stored
from gateway.service.trust import load_trusted, publish_root
from keys.cbor import encode
from keys.document import Genuine, open_document, peek
from keys.errors import InputError, RefusedError
from keys.reasons import Reason
from keys.root import Root


@dataclass(frozen=True, slots=True)
class Published:
    """What publishing did; ``changed`` is False when all of it was published before."""

    digest: bytes
    version: int
    changed: bool


@dataclass(frozen=True, slots=True)
class Trust:
    """The root and fleet that everything published is held against."""

    root: Root
    fleet: bytes
    now: int

    @staticmethod
    def of(session: Session, store: Store, now: float) -> Trust:
        """Read the roots of this store."""
        trusted = load_trusted(session, store.where)
        return Trust(trusted.root, trusted.fleet, int(now))

    def catalogue(self, document: bytes) -> Genuine[Catalogue]:
        """Open a catalogue, which is about one product."""
        subject = peek(document, Catalogue).subject
        if len(subject) != 1 or not is_id(subject[0]):
            raise RefusedError(Reason.WRONG_SUBJECT, "a catalogue is about one product")
        return open_document(
            document, Catalogue, self.root, fleet=self.fleet, subject=subject[0], now=self.now
        )

    def notice(self, document: bytes) -> Genuine[Notice]:
        """Open a header under the row of each of its products: the strictest has to be met."""
        body = peek(document, Notice)
        core.check_names(body)
        for product in body.subject:
            genuine = open_document(
                document, Notice, self.root, fleet=self.fleet, subject=product, now=self.now
            )
        return genuine


def publish_advisory(
    store: Store,
    header: bytes,
    texts: Mapping[str, bytes],
    outputs: Mapping[str, bytes],
    catalogues: Iterable[bytes],
    *,
    now: float,
    topics: Topics | None = None,
) -> Published:
    """Publish one revision of an advisory with its texts and the catalogues that list it.

    Args:
        store: where it goes.
        header: the notice, signed under its policy row.
        texts: language -> bytes of its text, exactly those the header names.
        outputs: name -> bytes of every customer-facing output, exactly those on the release list.
        catalogues: for each product of the notice one signed catalogue that lists this revision.
        now: UTC seconds.
        topics: the prefix in use.

    Raises:
        RefusedError: with the reason of the first check that failed; REPLAYED, EQUIVOCATION.
        InputError: TEXT_MISSING, NOT_LISTED, ROOT_MISSING.
    """
    topics = topics or Topics()
    with store.write() as session:
        trust = Trust.of(session, store, now)
        genuine = trust.notice(header)
        notice = genuine.body
        core.check_texts(notice, texts)
        core.check_outputs(notice, outputs)
        opened = [(document, trust.catalogue(document)) for document in catalogues]
        core.check_listed(notice, genuine.digest, {c.body.subject[0]: c.body for _, c in opened})
        last = session.document(Notice.TYPE, notice.id)
        newest = None if last is None else (last.version, last.digest)
        fresh = core.check_order("notice", notice.id, newest, notice.version, genuine.digest)
        if fresh:
            _check_revision(session, notice)
            stored = Stored(notice.version, genuine.digest, header)
            session.add_document(Notice.TYPE, notice.id, stored, now)
            session.connection.execute(
                schema.advisories.insert().values(
                    id=notice.id,
                    revision=notice.revision,
                    digest=genuine.digest,
                    document=header,
                    published=now,
                )
            )
            for product in notice.subject:
                session.retain(topics.notice(product, notice.id), header, notice.expires)
                for language, data in sorted(texts.items()):
                    session.retain(topics.text(product, language, notice.id), data, notice.expires)
        changed = [put_catalogue(session, topics, document, c, now) for document, c in opened]
        if fresh:
            facts = {"digest": genuine.digest.hex(), "id": notice.id, "revision": notice.revision}
            audit.append(session, "advisory.published", facts, now)
    return Published(genuine.digest, notice.version, fresh or any(changed))


def _check_revision(session: Session, notice: Notice) -> None:
    t = schema.advisories
    last = session.connection.execute(
        sa.select(sa.func.max(t.c.revision)).where(t.c.id == notice.id)
    ).scalar()
    if last is not None and notice.revision <= last:
        detail = f"revision {notice.revision}, published {last}"
        raise RefusedError(Reason.REPLAYED, detail, where=notice.id)


def publish_catalogue(
    store: Store, document: bytes, now: float, *, topics: Topics | None = None
) -> Published:
    """Publish a catalogue alone, such as the renewal of one that is about to expire.

    Raises:
        RefusedError: with the reason of the first check that failed; REPLAYED, EQUIVOCATION.
    """
    with store.write() as session:
        genuine = Trust.of(session, store, now).catalogue(document)
        changed = put_catalogue(session, topics or Topics(), document, genuine, now)
    return Published(genuine.digest, genuine.body.version, changed)


def put_catalogue(
    session: Session, topics: Topics, document: bytes, genuine: Genuine[Catalogue], now: float
) -> bool:
    """Store and retain an opened catalogue; False when this very one was published before."""
    body = genuine.body
    product = body.subject[0]
    last = session.document(Catalogue.TYPE, product)
    newest = None if last is None else (last.version, last.digest)
    if not core.check_order("catalogue", product, newest, body.version, genuine.digest):
        return False
    session.add_document(Catalogue.TYPE, product, Stored(body.version, genuine.digest, document), now)
    session.retain(topics.catalogue(product), document, body.expires)
    facts = {"digest": genuine.digest.hex(), "product": product, "version": body.version}
    audit.append(session, "catalogue.published", facts, now)
    return True


def register_devices(store: Store, document: bytes, now: float) -> Published:
    """Take device records that the operator signed into the register; a newer document wins.

    A device keeps its id: another key for the same id replaces the former, and is written in the audit
    trail with the whole document's digest.

    Raises:
        RefusedError: with the reason of the first check that failed; EQUIVOCATION.
        InputError: DEVICE_KEY_TAKEN when two devices would share a key.
    """
    with store.write() as session:
        trust = Trust.of(session, store, now)
        genuine = open_document(document, Devices, trust.root, fleet=trust.fleet, now=trust.now)
        body = genuine.body
        same = session.document(Devices.TYPE, "", body.version)
        if same is not None:
            newest = (same.version, same.digest)
            core.check_order("devices", "", newest, body.version, genuine.digest)
            return Published(genuine.digest, body.version, changed=False)
        last = session.document(Devices.TYPE, "")
        if last is not None:
            core.check_order("devices", "", (last.version, last.digest), body.version, genuine.digest)
        session.add_document(Devices.TYPE, "", Stored(body.version, genuine.digest, document), now)
        _put_devices(session, body)
        facts = {"count": len(body.records), "digest": genuine.digest.hex(), "version": body.version}
        audit.append(session, "devices.registered", facts, now)
    return Published(genuine.digest, body.version, changed=True)


def _put_devices(session: Session, body: Devices) -> None:
    t = schema.devices
    wanted = [record.id for record in body.records]
    known = set(session.connection.execute(sa.select(t.c.id).where(t.c.id.in_(wanted))).scalars())
    for record in body.records:
        if not is_id(record.id) or not is_id(record.product):
            raise RefusedError(Reason.MALFORMED, f"'{record.id}' cannot be part of a topic")
        kid = record.key.thumbprint
        owner = session.connection.execute(sa.select(t.c.id).where(t.c.kid == kid)).scalar()
        if owner not in {None, record.id}:
            raise InputError(
                "DEVICE_KEY_TAKEN",
                f"Devices '{owner}' and '{record.id}' would share one key.",
                mend="Give each device a key of its own.",
            )
        values = {
            "product": record.product,
            "key": encode(record.key.to_cose()),
            "kid": kid,
            "valid_from": record.valid_from,
            "valid_to": record.valid_to,
            "revoked": record.revoked,
        }
        if record.id in known:
            session.connection.execute(t.update().where(t.c.id == record.id).values(**values))
        else:
            session.connection.execute(t.insert().values(id=record.id, **values))
            known.add(record.id)


__all__ = [
    "Published",
    "publish_advisory",
    "publish_catalogue",
    "publish_root",
    "register_devices",
]
