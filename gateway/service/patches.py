"""Publishing a patch: the SUIT envelope is verified, its image is in place, a catalogue names it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

import sqlalchemy as sa

from advisories import limits
from advisories.mcuboot import parse as parse_image
from advisories.suit import Patch, judge_sequence, open_envelope
from advisories.topics import Topics, is_id
from advisories.versions import format_version
from gateway.service import audit, readers, schema
from gateway.service.publication import Published, Trust, put_catalogue
from gateway.service.store import Session, Store, Stored
from keys.errors import InputError, RefusedError, UnavailableError
from keys.reasons import Reason


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
        artefacts: folder with the image, under the hexadecimal SHA-256 of its bytes.
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
    if len(envelope) > limits.PATCH_BYTES_MAX:
        raise RefusedError(Reason.TOO_BIG, f"{len(envelope)} bytes, at most {limits.PATCH_BYTES_MAX}")
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
        version = _check_image(patch, artefacts)
        last = session.document("patch", product)
        newest = None if last is None else (last.version, last.digest)
        judge_sequence(newest, patch.sequence, patch.digest)
        fresh = newest != (patch.sequence, patch.digest)
        if fresh:
            stored = Stored(patch.sequence, patch.digest, envelope)
            session.add_document("patch", product, stored, now)
            _insert(session, patch, product=product, version=version, envelope=envelope, now=now)
        renewed = _retain(session, topics.patch(product, patch.sequence), patch, envelope)
        changed = [put_catalogue(session, topics, document, c, now) for document, c in opened]
        if fresh:
            facts = {"digest": patch.digest.hex(), "product": product, "sequence": patch.sequence}
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


def _insert(
    session: Session, patch: Patch, *, product: str, version: str, envelope: bytes, now: float
) -> None:
    t = schema.patches
    taken = session.connection.execute(sa.select(t.c.product).where(t.c.digest == patch.digest)).scalar()
    if taken is not None:
        raise RefusedError(Reason.WRONG_SUBJECT, f"this patch was published for '{taken}'")
    session.connection.execute(
        t.insert().values(
            digest=patch.digest,
            product=product,
            sequence=patch.sequence,
            version=version,
            envelope=envelope,
            payload=patch.image_digest,
            size=patch.image_size,
            published=now,
        )
    )


def _check_image(patch: Patch, artefacts: Path) -> str:
    """Compare the image in place with what the manifest promises; return its version."""
    path = artefacts / patch.image_digest.hex()
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UnavailableError(
            "IMAGE_MISSING",
            f"The image of this patch cannot be read ({error.strerror}).",
            mend="Add the patch again from its image file.",
            where=str(path),
        ) from None
    if len(data) != patch.image_size or hashlib.sha256(data).digest() != patch.image_digest:
        raise InputError(
            "IMAGE_DIFFERS",
            "The image in place is not the one that was signed.",
            mend="Put back the image from which the patch was made.",
            where=str(path),
        )
    return format_version(patch.version or parse_image(data).version)
