"""Publishing: verify what was signed elsewhere, then store it and what the broker has to hold, at once.

Each function is one transaction: afterwards everything is in the store or nothing is. Called again with
the same bytes it changes nothing. The runtime publishes the retained rows in the order written here
(header, drawn pages, texts, catalogue), and adds the timestamp that makes the catalogue current.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import sqlalchemy as sa

from advisories.abilities import format_algorithms
from advisories.catalogue import Catalogue, Devices
from advisories.notice import Notice
from advisories.topics import Topics, is_id
from gateway.core import publication as core
from gateway.core.ingest import NO_REPORT
from gateway.store import audit, cells, readers, schema
from gateway.store.engine import Session, Store, Stored
from gateway.store.trust import load_trusted, publish_root
from keys.algorithms import VERIFIED, Algorithm
from keys.cbor import encode
from keys.document import Genuine, open_document, peek
from keys.errors import InputError, RefusedError
from keys.reasons import Reason
from keys.root import Body, Root

B = TypeVar("B", bound=Body)


@dataclass(frozen=True, slots=True)
class Published:
    """What publishing did; ``changed`` is False when all of it was published before."""

    digest: bytes
    version: int
    changed: bool


@dataclass(frozen=True, slots=True)
class Trust:
    """The root, fleet and devices that everything published is held against."""

    session: Session
    root: Root
    fleet: bytes
    now: int
    leave_behind: bool
    """True publishes although active devices could not verify it."""

    @staticmethod
    def of(session: Session, store: Store, now: float, *, leave_behind: bool = False) -> Trust:
        """Read the roots of this store."""
        trusted = load_trusted(session, store.where)
        return Trust(session, trusted.root, trusted.fleet, int(now), leave_behind)

    def holders(self, signed: Iterable[bytes]) -> list[str]:
        """Return who holds these keys: the audit trail says who decided."""
        return sorted({self.root.by_kid[kid].holder for kid in signed})

    def open(self, document: bytes, cls: type[B], product: str, what: str) -> Genuine[B]:
        """Open a document about a product, which every active device of it can verify, or is left behind.

        Raises:
            RefusedError: with the reason of the first step that failed.
            InputError: DEVICES_CANNOT_VERIFY.
        """

        def open_with(algorithms: frozenset[Algorithm]) -> Genuine[B]:
            return open_document(
                document,
                cls,
                self.root,
                fleet=self.fleet,
                subject=product,
                now=self.now,
                algorithms=algorithms,
            )

        genuine = open_with(VERIFIED)
        if not self.leave_behind:
            mend = readers.MEND_WARNING
            readers.require(self.session, product, what, self.now, open_with, mend=mend)
        return genuine

    def catalogue(self, document: bytes) -> Genuine[Catalogue]:
        """Open a catalogue, which is about one product."""
        subject = peek(document, Catalogue).subject
        if len(subject) != 1 or not is_id(subject[0]):
            raise RefusedError(Reason.WRONG_SUBJECT, "a catalogue is about one product")
        return self.open(document, Catalogue, subject[0], "its catalogue")

    def notice(self, document: bytes) -> Genuine[Notice]:
        """Open a header under the row of each of its products: the strictest has to be met."""
        body = peek(document, Notice)
        core.check_names(body)
        for product in body.subject:
            genuine = self.open(document, Notice, product, f"{body.id} revision {body.revision}")
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
    leave_behind: bool = False,
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
        leave_behind: warn the others although active devices could not verify it.

    Raises:
        RefusedError: with the reason of the first check that failed; REPLAYED, EQUIVOCATION.
        InputError: TEXT_MISSING, NOT_LISTED, ROOT_MISSING; DEVICES_CANNOT_VERIFY unless they are left behind.
    """
    topics = topics or Topics()
    with store.write() as session:
        trust = Trust.of(session, store, now, leave_behind=leave_behind)
        genuine = trust.notice(header)
        notice = genuine.body
        core.check_texts(notice, texts)
        core.check_outputs(notice, outputs)
        pages = core.pages_of(notice, texts, outputs)
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
            cells.name_patches(session, notice)
            for product in notice.subject:
                session.retain(topics.notice(product, notice.id), header, notice.expires)
                _retain_pages(session, topics, product, notice, pages)
                for language, data in sorted(texts.items()):
                    session.retain(topics.text(product, language, notice.id), data, notice.expires)
        changed = [put_catalogue(trust, topics, document, c, now) for document, c in opened]
        if fresh:
            facts: dict[str, object] = {
                "digest": genuine.digest.hex(),
                "id": notice.id,
                "revision": notice.revision,
                "signed": trust.holders(genuine.signed),
            }
            if leave_behind:
                facts["left_behind"] = "who could not verify it"
            audit.append(session, "advisory.published", facts, now)
    return Published(genuine.digest, notice.version, fresh or any(changed))


def _retain_pages(
    session: Session, topics: Topics, product: str, notice: Notice, pages: Mapping[str, bytes]
) -> None:
    """Retain drawn pages before the texts that name them; take away those of a text that names none now."""
    for language in sorted(notice.texts):
        topic = topics.pages(product, language, notice.id)
        before = session.retained(topic)
        if language in pages:
            session.retain(topic, pages[language], notice.expires)
        elif before is not None and before.payload:
            session.retain(topic, b"")


def _check_revision(session: Session, notice: Notice) -> None:
    t = schema.advisories
    last = session.connection.execute(
        sa.select(sa.func.max(t.c.revision)).where(t.c.id == notice.id)
    ).scalar()
    if last is not None and notice.revision <= last:
        detail = f"revision {notice.revision}, published {last}"
        raise RefusedError(Reason.REPLAYED, detail, where=notice.id)


def publish_catalogue(
    store: Store, document: bytes, now: float, *, topics: Topics | None = None, leave_behind: bool = False
) -> Published:
    """Publish a catalogue alone, such as the renewal of one that is about to expire.

    Raises:
        RefusedError: with the reason of the first check that failed; REPLAYED, EQUIVOCATION.
        InputError: DEVICES_CANNOT_VERIFY, unless ``leave_behind``.
    """
    with store.write() as session:
        trust = Trust.of(session, store, now, leave_behind=leave_behind)
        genuine = trust.catalogue(document)
        changed = put_catalogue(trust, topics or Topics(), document, genuine, now)
    return Published(genuine.digest, genuine.body.version, changed)


def put_catalogue(
    trust: Trust, topics: Topics, document: bytes, genuine: Genuine[Catalogue], now: float
) -> bool:
    """Store and retain an opened catalogue; False when this very one was published before."""
    session, body = trust.session, genuine.body
    product = body.subject[0]
    last = session.document(Catalogue.TYPE, product)
    newest = None if last is None else (last.version, last.digest)
    if not core.check_order("catalogue", product, newest, body.version, genuine.digest):
        return False
    session.add_document(Catalogue.TYPE, product, Stored(body.version, genuine.digest, document), now)
    session.retain(topics.catalogue(product), document, body.expires)
    facts = {
        "digest": genuine.digest.hex(),
        "product": product,
        "signed": trust.holders(genuine.signed),
        "version": body.version,
    }
    audit.append(session, "catalogue.published", facts, now)
    return True


def register_devices(store: Store, document: bytes, now: float) -> Published:
    """Take one document of device records into the register, see :func:`register_all`."""
    return register_all(store, [document], now)[0]


def register_all(
    store: Store,
    documents: Sequence[bytes],
    now: float,
    *,
    why: Mapping[str, object] | None = None,
    topics: Topics | None = None,
) -> list[Published]:
    """Take device records that the operator signed into the register, all documents or none.

    A newer document wins. A device keeps its id: another key for the same id replaces the former, whose
    reports are refused from then on. A revoked device's offer is taken from the broker.

    Args:
        store: where the register is.
        documents: signed documents of records, in the order of their versions.
        now: UTC seconds.
        why: what else the audit trail has to say of it, such as the reason of a revocation.
        topics: the prefix in use.

    Raises:
        RefusedError: with the reason of the first check that failed; REPLAYED, EQUIVOCATION.
        InputError: DEVICE_KEY_TAKEN when two devices would share a key; DEVICES_CANNOT_VERIFY when one
            could not read what its product's policy demands.
    """
    with store.write() as session:
        trust = Trust.of(session, store, now)
        return [
            _register(session, trust, document, why=why or {}, topics=topics or Topics())
            for document in documents
        ]


def _register(
    session: Session, trust: Trust, document: bytes, *, why: Mapping[str, object], topics: Topics
) -> Published:
    genuine = open_document(document, Devices, trust.root, fleet=trust.fleet, now=trust.now)
    body = genuine.body
    # A document that was taken before changes nothing when it comes again, however old it is.
    known = session.document(Devices.TYPE, "", body.version) or session.document(Devices.TYPE, "")
    newest = None if known is None else (known.version, known.digest)
    if not core.check_order("devices", "", newest, body.version, genuine.digest):
        return Published(genuine.digest, body.version, changed=False)
    session.add_document(Devices.TYPE, "", Stored(body.version, genuine.digest, document), trust.now)
    with cells.counted(session, [record.id for record in body.records]):
        _put_devices(session, body, topics)
    readers.require_root(session, trust.now, devices=[record.id for record in body.records])
    facts = {
        "count": len(body.records),
        "digest": genuine.digest.hex(),
        "signed": trust.holders(genuine.signed),
        "version": body.version,
        **why,
    }
    audit.append(session, "devices.registered", facts, trust.now)
    return Published(genuine.digest, body.version, changed=True)


def _put_devices(session: Session, body: Devices, topics: Topics) -> None:
    t = schema.devices
    kids = {record.key.thumbprint: record.id for record in body.records}
    query = sa.select(t.c.id, t.c.kid).where(
        t.c.id.in_([record.id for record in body.records]) | t.c.kid.in_(list(kids))
    )
    known = {row.id: row.kid for row in session.connection.execute(query)}
    owners = {kid: id_ for id_, kid in known.items()}
    new = {}
    for record in body.records:
        if not is_id(record.id) or not is_id(record.product):
            raise RefusedError(Reason.MALFORMED, f"'{record.id}' cannot be part of a topic")
        kid = record.key.thumbprint
        owner = owners.setdefault(kid, record.id)
        if owner != record.id:
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
            "algorithms": format_algorithms(record.algorithms) if record.algorithms else None,
        }
        if record.id not in known:
            new[record.id] = {"id": record.id, **values}  # of two records of one device the later one wins
            continue
        session.connection.execute(t.update().where(t.c.id == record.id).values(**values))
        if kid != known[record.id]:
            _begin_new_life(session, record.id)
        if record.revoked and session.retained(topics.device(record.id, "offer")) is not None:
            session.retain(topics.device(record.id, "offer"), b"")
    if new:
        session.connection.execute(t.insert(), list(new.values()))


def _begin_new_life(session: Session, device: str) -> None:
    """Make room for the reports of a device's new key: its memory may be new, and begin at boot 1 again.

    The reports under the former key stay byte for byte. They are moved to boot epochs below zero, in
    their order; the bytes say which they were.
    """
    r, s = schema.reports, schema.device_states
    execute = session.connection.execute
    lowest = execute(sa.select(sa.func.min(r.c.epoch)).where(r.c.device == device)).scalar() or 0
    query = sa.select(r.c.epoch).where(r.c.device == device, r.c.epoch >= 0).distinct()
    epochs = sorted(execute(query).scalars())
    for place, epoch in enumerate(epochs):
        below = min(lowest, 0) - len(epochs) + place
        execute(r.update().where(r.c.device == device, r.c.epoch == epoch).values(epoch=below))
    unknown = {"epoch": NO_REPORT[0], "sequence": NO_REPORT[1], "algorithms": None}
    execute(s.update().where(s.c.device == device).values(**unknown))


__all__ = [
    "Published",
    "publish_advisory",
    "publish_catalogue",
    "publish_root",
    "register_all",
    "register_devices",
]
