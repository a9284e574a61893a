"""The catalogue that the operator signs whenever something is published: what is current for a product."""

from __future__ import annotations

from typing import Final

from advisories.catalogue import Catalogue
from advisories.notice import Notice
from gateway.core.publication import build_catalogue
from gateway.service.store import Session
from keys.document import peek

PATCHES_KEPT: Final = 16  # newest patches that stay in a catalogue, so that a rollout can go on


def next_catalogue(
    session: Session,
    fleet: bytes,
    product: str,
    *,
    now: int,
    notice: tuple[str, int, bytes] | None = None,
    patch: tuple[int, bytes] | None = None,
) -> Catalogue:
    """Return the body that follows a product's newest catalogue, with one more notice or patch.

    Notices that have expired and earlier revisions of the same notice are left out; absence never hides
    a notice on a device, it only frees the room.

    Args:
        session: to read what was published.
        fleet: digest of root 1.
        product: whose catalogue.
        now: UTC seconds.
        notice: (advisory id, revision, header digest) to add.
        patch: (sequence, manifest digest) to add.

    Raises:
        InputError: CATALOGUE_FULL.
    """
    last = session.document(Catalogue.TYPE, product)
    before = peek(last.bytes, Catalogue) if last else None
    notices = {row[0]: row for row in (before.notices if before else ()) if _is_current(session, row[0], now)}
    patches = dict(before.patches if before else ())
    if notice is not None:
        notices[notice[0]] = notice
    if patch is not None:
        patches[patch[0]] = patch[1]
    return build_catalogue(
        fleet,
        product,
        notices.values(),
        sorted(patches.items())[-PATCHES_KEPT:],
        last=last.version if last else None,
        now=now,
    )


def _is_current(session: Session, advisory: str, now: int) -> bool:
    stored = session.document(Notice.TYPE, advisory)
    expires = peek(stored.bytes, Notice).expires if stored else None
    return stored is not None and (expires is None or now < expires)
