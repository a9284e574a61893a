"""The catalogue that the operator signs whenever something is published: what is current for a product."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from advisories.catalogue import Catalogue
from advisories.notice import Notice
from gateway.core.publication import build_catalogue
from gateway.operations.afar import Server, operation
from gateway.operations.trust import public
from gateway.store.engine import Session
from gateway.store.publication import publish_catalogue
from gateway.workspace.folder import Workspace
from keys.codec import dump, load
from keys.document import open_document, peek, seal
from keys.errors import InputError, RefusedError
from keys.reasons import Reason
from keys.signer import Signer

PATCHES_KEPT: Final = 16  # newest patches that stay in a catalogue, so that a rollout can go on


@dataclass(frozen=True, slots=True)
class Prepared:
    """A catalogue that an operator elsewhere is to sign."""

    product: str
    body: bytes
    """Exactly what is to be signed."""
    before: bytes | None
    """The newest one, as it was signed."""


Entry = tuple[int, bytes] | tuple[str, int, bytes]
"""Of a catalogue: a patch, or a notice."""
Agree = Callable[[str, Sequence[str]], object]
"""Asked about a product's catalogue and entries of it that nobody vouches for here; raises to refuse."""


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


def prepared(session: Session, body: Catalogue) -> Prepared:
    """Return a catalogue as it is handed out to be signed elsewhere."""
    last = session.document(Catalogue.TYPE, body.subject[0])
    return Prepared(body.subject[0], dump(body), last.bytes if last else None)


def sealed(
    workspace: Workspace,
    given: Prepared,
    operator: Signer,
    agree: Agree,
    *,
    adds: Sequence[Entry] = (),
) -> bytes:
    """Sign a catalogue that a server handed out, once it says what was asked for and nothing else.

    Args:
        workspace: the server.
        given: untrusted.
        operator: signs it.
        agree: asked about entries that neither stood in the one before nor are meant to be added.
        adds: entries that are meant to be added, and have to be there.

    Raises:
        RefusedError: WRONG_TYPE, WRONG_FLEET, WRONG_SUBJECT, MALFORMED.
    """
    trusted = public.trusted(workspace)
    body = load(Catalogue, given.body, size_max=Catalogue.BYTES_MAX)
    if body.type != Catalogue.TYPE or body.author is not None:
        raise RefusedError(Reason.WRONG_TYPE, "the server handed out something else than a catalogue")
    if body.fleet != trusted.fleet:
        raise RefusedError(Reason.WRONG_FLEET, "the server handed out another fleet's catalogue")
    entries: set[Entry] = {*body.notices, *body.patches}
    if body.subject != (given.product,) or not set(adds) <= entries:
        raise RefusedError(Reason.WRONG_SUBJECT, "the server handed out another catalogue than was asked for")
    known: set[Entry] = set(adds)
    if given.before is not None:
        try:
            before = open_document(
                given.before, Catalogue, trusted.root, fleet=trusted.fleet, subject=given.product
            ).body
            known |= {*before.notices, *before.patches}
        except RefusedError:  # an operator of a former root signed it: nobody vouches for it now
            pass
    if strange := sorted(_said(entry) for entry in entries - known):
        agree(given.product, strange)
    return seal(body, [operator])


def _said(entry: Entry) -> str:
    if len(entry) == 2:
        return f"patch {entry[0]}, digest {entry[1].hex()}"
    return f"advisory {entry[0]} revision {entry[1]}, digest {entry[2].hex()}"


@operation("GET", "/catalogues/next", right="catalogue:read")
def prepare(workspace: Workspace, *, now: int, product: str | None = None) -> tuple[Prepared, ...]:
    """Return catalogues with the same entries and a full lifetime, for the operator to sign.

    Raises:
        InputError: NO_PRODUCT; NO_CATALOGUE, when nothing was published yet.
    """
    wanted = None if product is None else workspace.product(product).id
    fleet = workspace.trusted().fleet
    with workspace.store() as store, store.read() as session:
        names = [name for name in session.document_names(Catalogue.TYPE) if wanted in {None, name}]
        found = [prepared(session, next_catalogue(session, fleet, name, now=now)) for name in names]
    if not found:
        raise _none(product)
    return tuple(found)


@operation("POST", "/catalogues", right="catalogue:publish")
def submit(
    workspace: Workspace, documents: Sequence[bytes], *, now: int, leave_behind: bool = False
) -> tuple[str, ...]:
    """Publish catalogues that an operator signed; return the products.

    Raises:
        RefusedError: with the reason of the first check that failed; REPLAYED, EQUIVOCATION.
        InputError: DEVICES_CANNOT_VERIFY, unless they are left behind.
    """
    with workspace.lock(), workspace.store() as store:
        for document in documents:
            publish_catalogue(store, document, now, topics=workspace.topics, leave_behind=leave_behind)
    return tuple(peek(document, Catalogue).subject[0] for document in documents)


def never(product: str, _strange: Sequence[str]) -> object:
    """Agree to nothing (RefusedError: WRONG_SUBJECT)."""
    raise RefusedError(Reason.WRONG_SUBJECT, f"nobody vouches for entries of the catalogue of {product}")


def _none(product: str | None) -> InputError:
    return InputError(
        "NO_CATALOGUE",
        f"Nothing was published for {'any product' if product is None else product} yet.",
        mend="The first advisory or patch that is published makes the catalogue.",
    )


def renew(
    workspace: Workspace,
    operator: Signer,
    *,
    now: int,
    product: str | None = None,
    leave_behind: bool = False,
    agree: Agree = never,
) -> list[Catalogue]:
    """Publish catalogues with the same entries and a full lifetime.

    Args:
        workspace: where.
        operator: signs them.
        now: UTC seconds.
        product: whose; None renews all that there are.
        leave_behind: renew although active devices could not verify it.
        agree: see :func:`sealed`; for what a server hands out.

    Raises:
        InputError: NO_PRODUCT; NO_CATALOGUE, when nothing was published yet.
        RefusedError: whatever a device would refuse.
    """
    if isinstance(workspace, Server):
        given = prepare(workspace, now=now, product=product)
        documents = [sealed(workspace, each, operator, agree) for each in given]
        submit(workspace, documents, now=now, leave_behind=leave_behind)
        return [peek(document, Catalogue) for document in documents]
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
        raise _none(product)
    return renewed


def _is_current(session: Session, advisory: str, now: int) -> bool:
    stored = session.document(Notice.TYPE, advisory)
    expires = peek(stored.bytes, Notice).expires if stored else None
    return stored is not None and (expires is None or now < expires)
