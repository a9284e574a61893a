"""Publishing a patch: the SUIT envelope is verified, its files are in place, a catalogue names it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa

from advisories import limits
from advisories.mcuboot import Scan
from advisories.suit import Patch, judge_sequence, open_envelope
from advisories.suit.check import files_named
from advisories.topics import Topics, is_id
from advisories.versions import format_version
from gateway.store import audit, readers, schema
from gateway.store.engine import Session, Store, Stored
from gateway.store.publication import Published, Trust, put_catalogue
from keys.errors import InputError, RefusedError, UnavailableError
from keys.reasons import Reason

_PIECE_BYTES: Final = 1024 * 1024


def publish_patch(
    store: Store,
    envelope: bytes,
    catalogues: Iterable[bytes],
    *,
    product: str,
    artefacts: Path,
    now: float,
    topics: Topics | None = None,
) -> Published:
    """Publish a patch of one product with the catalogue that names it.

    Published again with other signatures, it stays the same patch: devices that fetch it get the new ones.

    Args:
        store: where it goes.
        envelope: the SUIT envelope, signed under the product's policy row.
        catalogues: signed catalogues; the product's own must name this patch.
        product: whose patch it is.
        artefacts: folder with its files, each under the hexadecimal SHA-256 of its bytes.
        now: UTC seconds.
        topics: the prefix in use.

    Raises:
        RefusedError: with the reason of the first check that failed; REPLAYED, EQUIVOCATION.
        InputError: NOT_LISTED, IMAGE_DIFFERS, DEVICES_CANNOT_VERIFY.
        UnavailableError: IMAGE_MISSING.
    """
    topics = topics or Topics()
    if not is_id(product):
        raise RefusedError(Reason.MALFORMED, f"'{product}' cannot be part of a topic")
    if len(envelope) > limits.ENVELOPE_BYTES_MAX:
        raise RefusedError(Reason.TOO_BIG, f"{len(envelope)} bytes, at most {limits.ENVELOPE_BYTES_MAX}")
    with store.write() as session:
        trust = Trust.of(session, store, now)
        patch = open_envelope(envelope, trust.root, product=product)
        readers.require(
            session,
            product,
            f"patch {patch.sequence}",
            now,
            lambda found: open_envelope(envelope, trust.root, product=product, algorithms=found),
        )
        opened = [(document, trust.catalogue(document)) for document in catalogues]
        if not any(
            (patch.sequence, patch.digest) in c.body.patches for _, c in opened if product in c.body.subject
        ):
            raise InputError(
                "NOT_LISTED",
                f"No catalogue for '{product}' lists the patch with sequence {patch.sequence}.",
                mend="Let the operator sign a catalogue that lists it.",
            )
        version, counter = _check_files(patch, artefacts)
        last = session.document("patch", product)
        newest = None if last is None else (last.version, last.digest)
        judge_sequence(newest, patch.sequence, patch.digest)
        fresh = newest != (patch.sequence, patch.digest)
        if fresh:
            stored = Stored(patch.sequence, patch.digest, envelope)
            session.add_document("patch", product, stored, now)
            values = {"version": version, "counter": counter, "envelope": envelope, "published": now}
            _insert(session, patch, product, values)
        elif counter is not None:
            t = schema.patches
            unknown = (t.c.digest == patch.digest, t.c.counter.is_(None))
            session.connection.execute(t.update().where(*unknown).values(counter=counter))
        renewed = _retain(session, topics.patch(product, patch.sequence), patch, envelope)
        changed = [put_catalogue(trust, topics, document, c, now) for document, c in opened]
        if fresh:
            facts = {
                "digest": patch.digest.hex(),
                "product": product,
                "sequence": patch.sequence,
                "signed": trust.holders(patch.signed),
            }
            audit.append(session, "patch.published", facts, now)
    return Published(patch.digest, patch.sequence, renewed or any(changed))


def _retain(session: Session, topic: str, patch: Patch, envelope: bytes) -> bool:
    """Retain an envelope; one with other signatures takes the former's place, as a newer root may need it."""
    before = session.retained(topic)
    if before is not None and before.payload == envelope:
        return False
    session.retain(topic, envelope)
    t = schema.patches
    session.connection.execute(t.update().where(t.c.digest == patch.digest).values(envelope=envelope))
    return True


def _insert(session: Session, patch: Patch, product: str, values: Mapping[str, Any]) -> None:
    t = schema.patches
    taken = session.connection.execute(sa.select(t.c.product).where(t.c.digest == patch.digest)).scalar()
    if taken is not None:
        raise RefusedError(Reason.WRONG_SUBJECT, f"this patch was published for '{taken}'")
    session.connection.execute(
        t.insert().values(
            digest=patch.digest,
            product=product,
            sequence=patch.sequence,
            payload=patch.image_digest,
            size=patch.image_size,
            **values,
        )
    )


def _check_files(patch: Patch, artefacts: Path) -> tuple[str, int | None]:
    """Compare every file in place with what the manifest promises; return version and security counter.

    Whole payloads, deltas, and images for the other slot; what travels in the envelope is bound by it.
    Version and counter are the first payload's: the counter 0 where it has none, None where it is not here.
    """
    boots: Scan | None = None
    for digest in files_named(patch):
        path = artefacts / digest.hex()
        scan = _scanned(path)
        if scan.whole.digest() != digest:
            raise _differs(path)
        for content in patch.payloads:
            if content.digest == digest and content.size != scan.size:
                raise _differs(path)
        if digest == patch.image_digest:
            boots = scan
    inside = patch.integrated.get(patch.uri)
    if inside is not None:
        boots = Scan()
        boots.update(inside)
    if patch.version is not None:
        return format_version(patch.version), _counter(boots)
    if boots is None:
        raise RefusedError(Reason.UNSUPPORTED, "neither the manifest nor an image states a version")
    image = boots.image()
    return format_version(image.version), image.security_counter or 0


def _counter(boots: Scan | None) -> int | None:
    if boots is None:
        return None
    try:
        return boots.image().security_counter or 0
    except RefusedError:  # it is for an installer that knows it, and has none
        return 0


def _scanned(path: Path) -> Scan:
    scan = Scan()
    try:
        with path.open("rb") as stream:
            while piece := stream.read(_PIECE_BYTES):
                scan.update(piece)
    except OSError as error:
        raise UnavailableError(
            "IMAGE_MISSING",
            f"A file of this patch cannot be read ({error.strerror}).",
            mend="Add the patch again from its files.",
            where=str(path),
        ) from None
    return scan


def _differs(path: Path) -> InputError:
    return InputError(
        "IMAGE_DIFFERS",
        "A file in place is not the one that was signed.",
        mend="Put back the file from which the patch was made.",
        where=str(path),
    )
