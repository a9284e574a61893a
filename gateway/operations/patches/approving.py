"""Approving a patch by signatures over its digest, and publishing it."""

from __future__ import annotations

from typing import Any

from advisories import suit
from advisories.catalogue import Catalogue
from gateway import files
from gateway.operations import catalogues
from gateway.operations.afar import Server, operation
from gateway.operations.patches.checking import check, refuse
from gateway.operations.patches.views import POLICY_TYPE, Kept, PatchView, find, kept, path_of, view_of
from gateway.operations.trust.recording import made_good, recorded
from gateway.operations.trust.signing import missing_error, require_role, require_say
from gateway.store.patches import publish_patch
from gateway.workspace.folder import Workspace
from keys.document import seal
from keys.errors import InputError, RefusedError
from keys.reasons import Reason
from keys.signer import Passphrase, Signer


def approve(
    workspace: Workspace,
    reference: str,
    key: str,
    passphrase: Passphrase,
    *,
    digest: bytes,
    now: int,
    by: str,
) -> PatchView:
    """Add one signature to a patch.

    Args:
        workspace: where.
        reference: sequence number or ``PRODUCT@VERSION``.
        key: name of the key that signs.
        passphrase: asked when the key is encrypted.
        digest: of the patch that the signer was shown.
        now: UTC seconds.
        by: who signs.

    Raises:
        InputError: NO_PATCH, CHANGED_MEANWHILE, NO_KEY, KEY_NOT_IN_ROOT, WRONG_ROLE, or of opening the key.
    """
    view = find(workspace, reference)
    root = workspace.trusted().root
    require_role(workspace, root, key, set(root.demands(POLICY_TYPE, view.product)))
    signer = workspace.signer(key, passphrase)
    return add_signature(workspace, reference, signer, digest=digest, now=now, by=by)


def add_signature(
    workspace: Workspace, reference: str, signer: Signer, *, digest: bytes, now: int, by: str
) -> PatchView:
    """Add a signer's signature to a patch of this digest; one that is there already changes nothing.

    Where a kill kept its row from the audit chain, that is written.

    Args:
        workspace: where.
        reference: sequence number or ``PRODUCT@VERSION``.
        signer: of a key that has a say in it.
        digest: of the patch that the signer was shown.
        now: UTC seconds.
        by: who brings it.

    Raises:
        InputError: NO_PATCH, CHANGED_MEANWHILE, KEY_NOT_IN_ROOT, WRONG_ROLE.
    """
    root = workspace.trusted().root
    with workspace.lock():
        view = find(workspace, reference)
        require_say(root, signer.public, set(root.demands(POLICY_TYPE, view.product)))
        if view.patch.digest != digest:
            raise InputError(
                "CHANGED_MEANWHILE", "This is no longer the patch you saw.", mend="Look at it again."
            )
        envelope = suit.authenticate(view.envelope, signer)
        if suit.decode(envelope).blocks != suit.decode(view.envelope).blocks:
            with recorded(workspace, "patch.signed", _facts(view, signer), now=now, by=by):
                files.write_atomic(path_of(workspace, view.patch.sequence), envelope)
        else:
            made_good(workspace, ("patch.signed",), _facts(view, signer), now=now, by=by)
    return view_of(workspace, envelope, path_of(workspace, view.patch.sequence))


def _facts(view: PatchView, signer: Signer) -> dict[str, Any]:
    return {
        "digest": view.patch.digest.hex(),
        "key": signer.public.thumbprint.hex(),
        "product": view.product,
        "sequence": view.patch.sequence,
    }


def publish(
    workspace: Workspace,
    reference: str,
    operator: Signer,
    *,
    now: int,
    dry_run: bool = False,
    agree: catalogues.Agree = catalogues.never,
) -> PatchView:
    """Publish an approved patch with a catalogue that the operator signs.

    Args:
        workspace: where.
        reference: sequence number or ``PRODUCT@VERSION``.
        operator: signs.
        now: UTC seconds.
        dry_run: check everything and change nothing.
        agree: see :func:`catalogues.sealed`; for what a server hands out.

    Raises:
        InputError: NO_PATCH; IMAGE_MISSING; or the code of what an image and its manifest disagree in.
        RefusedError: THRESHOLD_NOT_MET with the command that mends it, and whatever a device would refuse.
    """
    if isinstance(workspace, Server):
        view = find(workspace, reference)
        given = prepare(workspace, reference, now=now)
        if given.product != view.product:
            raise RefusedError(Reason.WRONG_SUBJECT, "the server handed out another product's catalogue")
        row = (view.patch.sequence, view.patch.digest)
        document = catalogues.sealed(workspace, given, operator, agree, adds=[row])
        submit(workspace, reference, catalogue=document, now=now, dry_run=dry_run)
        return view
    with workspace.lock():
        view, body = _ready(workspace, reference, now)
        _put(workspace, view, seal(body, [operator]), now, dry_run=dry_run)
    return view


def _ready(workspace: Workspace, reference: str, now: int) -> tuple[PatchView, Catalogue]:
    """Return a patch that nothing is missing of, and the catalogue that would list it."""
    view = find(workspace, reference)
    if view.approvals.missing:
        raise missing_error(view.approvals, f"tocsin patch approve {reference}", workspace)
    trusted = workspace.trusted()
    suit.open_envelope(view.envelope, trusted.root, product=view.product)
    refuse(check(workspace, view.product, view.patch, None))
    row = (view.patch.sequence, view.patch.digest)
    with workspace.store() as store, store.read() as session:
        return view, catalogues.next_catalogue(session, trusted.fleet, view.product, now=now, patch=row)


def _put(workspace: Workspace, view: PatchView, catalogue: bytes, now: int, *, dry_run: bool) -> None:
    with workspace.store() as store:
        store.rehearsing = dry_run
        publish_patch(
            store,
            view.envelope,
            [catalogue],
            product=view.product,
            artefacts=workspace.artefacts,
            now=now,
            topics=workspace.topics,
        )


@operation("GET", "/patches/{patch}/catalogue", right="patch:read")
def prepare(workspace: Workspace, patch: str, *, now: int) -> catalogues.Prepared:
    """Return the catalogue that publishes an approved patch, for the operator to sign.

    Raises:
        InputError, RefusedError: of :func:`publish`.
    """
    _, body = _ready(workspace, patch, now)
    with workspace.store() as store, store.read() as session:
        return catalogues.prepared(session, body)


@operation("POST", "/patches/{patch}/publication", right="patch:publish")
def submit(workspace: Workspace, patch: str, *, catalogue: bytes, now: int, dry_run: bool = False) -> Kept:
    """Publish an approved patch with a catalogue that an operator signed.

    Raises:
        InputError, RefusedError: of :func:`publish`.
    """
    with workspace.lock():
        view, _ = _ready(workspace, patch, now)
        _put(workspace, view, catalogue, now, dry_run=dry_run)
    return kept(view)
