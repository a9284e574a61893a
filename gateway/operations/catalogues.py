"""The catalogue that the operator signs whenever something is published: what is current for a product."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from advisories.catalogue import Catalogue
from advisories.notice import Notice
from gateway.core.publication import build_catalogue
from gateway.store.engine import Session
from gateway.store.publication import publish_catalogue
from gateway.workspace.folder import Workspace
from keys.document import peek, seal
from keys.errors import InputError
from keys.signer import Signer

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


def listed(
    workspace: Workspace,
    fleet: bytes,
    products: Sequence[str],
    notice: tuple[str, int, bytes],
    operator: Signer,
    *,
    now: int,
) -> list[bytes]:
    """Return for each product the signed catalogue that lists one more notice.

    Args:
        workspace: where.
        fleet: digest of root 1.
        products: whose catalogues.
        notice: (advisory id, revision, header digest).
        operator: signs them.
        now: UTC seconds.

    Raises:
        InputError: CATALOGUE_FULL.
    """
    with workspace.store() as store, store.read() as session:
        bodies = [next_catalogue(session, fleet, product, now=now, notice=notice) for product in products]
    return [seal(body, [operator]) for body in bodies]


def renew(
    workspace: Workspace,
    operator: Signer,
    *,
    now: int,
    product: str | None = None,
    leave_behind: bool = False,
) -> list[Catalogue]:
    """Publish catalogues with the same entries and a full lifetime.

    Args:
        workspace: where.
        operator: signs them.
        now: UTC seconds.
        product: whose; None renews all that there are.
        leave_behind: renew although active devices could not verify it.

    Raises:
        InputError: NO_PRODUCT; NO_CATALOGUE, when nothing was published yet.
        RefusedError: whatever a device would refuse.
    """
    wanted = None if product is None else workspace.product(product).id
    renewed = []
    with workspace.lock():
        trusted = workspace.trusted()
        with workspace.store() as store:
            with store.read() as session:
                names = [name for name in session.document_names(Catalogue.TYPE) if wanted in {None, name}]
                bodies = [next_catalogue(session, trusted.fleet, name, now=now) for name in names]
            for body in bodies:
                document = seal(body, [operator])
                publish_catalogue(store, document, now, topics=workspace.topics, leave_behind=leave_behind)
                renewed.append(body)
    if not renewed:
        raise InputError(
            "NO_CATALOGUE",
            f"Nothing was published for {'any product' if product is None else product} yet.",
            mend="The first advisory or patch that is published makes the catalogue.",
        )
    return renewed


def _is_current(session: Session, advisory: str, now: int) -> bool:
    stored = session.document(Notice.TYPE, advisory)
    expires = peek(stored.bytes, Notice).expires if stored else None
    return stored is not None and (expires is None or now < expires)
