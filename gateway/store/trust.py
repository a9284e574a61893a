"""The fleet's roots as the store keeps them: every version, walked from root 1 each time they are read."""

from __future__ import annotations

from advisories.topics import Topics
from gateway.core.publication import check_order
from gateway.store import audit, readers
from gateway.store.engine import Session, Store, Stored
from keys.document import digest, open_document, peek
from keys.errors import DamagedError, InputError, RefusedError
from keys.root import Root
from keys.trusted import TrustedSet


def publish_root(
    store: Store, document: bytes, now: float, *, topics: Topics | None = None, by: str | None = None
) -> bool:
    """Verify a root as the successor of the newest one (or as root 1), store and retain it.

    Args:
        store: where.
        document: the root, signed.
        now: UTC seconds.
        topics: on which it is published.
        by: who publishes it, where that is a person.

    Returns:
        False when this very root was published before.

    Raises:
        RefusedError: of :meth:`keys.trusted.TrustedSet.enrol` and ``update_root``.
        InputError: DEVICES_CANNOT_VERIFY, when an active device could not follow, or read one of its rows.
    """
    topics = topics or Topics()
    with store.write() as session:
        known = session.documents(Root.TYPE)
        version = peek(document, Root).version
        same = next((row for row in known if row.version == version), None)
        if same is not None:
            return check_order(Root.TYPE, "", (same.version, same.digest), version, digest(document))
        if known:
            trusted = load_trusted(session, store.where)
            trusted.update_root(document, int(now))
        else:
            trusted = TrustedSet.enrol(document, int(now))
            session.set_meta("fleet", trusted.fleet.hex())
        readers.require_root(session, now, successor=document)
        session.add_document(Root.TYPE, "", Stored(version, digest(document), document), now)
        session.retain(topics.root(version), document)
        fleet = b"" if version == 1 else trusted.fleet
        signed = open_document(document, Root, trusted.root, fleet=fleet).signed
        facts = {
            "digest": digest(document).hex(),
            "signed": sorted({trusted.root.by_kid[kid].holder for kid in signed}),
            "version": version,
        }
        audit.append(session, "root.published", facts | ({} if by is None else {"by": by}), now)
    return True


def load_trusted(session: Session, where: str) -> TrustedSet:
    """Return the set that trusts the newest root, having verified every step from root 1.

    Raises:
        InputError: ROOT_MISSING.
        DamagedError: STORE_DAMAGED when a stored root does not verify.
    """
    known = session.documents(Root.TYPE)
    if not known:
        raise InputError(
            "ROOT_MISSING", "No root is published yet.", mend="Publish root 1 first.", where=where
        )
    try:
        fleet = session.meta("fleet")
        trusted = TrustedSet.enrol(known[0].bytes, None, pinned=bytes.fromhex(fleet) if fleet else None)
        for row in known[1:]:
            trusted.update_root(row.bytes, None)
    except RefusedError as error:
        raise DamagedError(
            "STORE_DAMAGED",
            f"A stored root does not verify ({error.reason.name}).",
            mend="Restore the store from a copy.",
            where=where,
        ) from None
    return trusted
