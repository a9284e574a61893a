"""Approving a patch by signatures over its digest, and publishing it."""

from __future__ import annotations

from advisories import suit
from gateway import files
from gateway.operations.catalogues import next_catalogue
from gateway.operations.patches.checking import check, refuse
from gateway.operations.patches.views import POLICY_TYPE, PatchView, find, path_of, view_of
from gateway.operations.trust.signing import missing_error, require_role, require_say
from gateway.store.patches import publish_patch
from gateway.workspace.folder import Workspace
from keys.document import seal
from keys.errors import InputError
from keys.signer import Passphrase, Signer


def approve(
    workspace: Workspace, reference: str, key: str, passphrase: Passphrase, *, digest: bytes
) -> PatchView:
    """Add one signature to a patch.

    Args:
        workspace: where.
        reference: sequence number or ``PRODUCT@VERSION``.
        key: name of the key that signs.
        passphrase: asked when the key is encrypted.
        digest: of the patch that the signer was shown.

    Raises:
        InputError: NO_PATCH, CHANGED_MEANWHILE, NO_KEY, KEY_NOT_IN_ROOT, WRONG_ROLE, or of opening the key.
    """
    view = find(workspace, reference)
    root = workspace.trusted().root
    require_role(workspace, root, key, set(root.demands(POLICY_TYPE, view.product)))
    signer = workspace.signer(key, passphrase)
    return add_signature(workspace, reference, signer, digest=digest)


def add_signature(workspace: Workspace, reference: str, signer: Signer, *, digest: bytes) -> PatchView:
    """Add a signer's signature to a patch of this digest; one that is there already changes nothing.

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
        files.write_atomic(path_of(workspace, view.patch.sequence), envelope)
    return view_of(workspace, envelope, path_of(workspace, view.patch.sequence))


def publish(
    workspace: Workspace, reference: str, operator: Signer, *, now: int, dry_run: bool = False
) -> PatchView:
    """Publish an approved patch with a catalogue that the operator signs.

    Raises:
        InputError: NO_PATCH; IMAGE_MISSING; or the code of what an image and its manifest disagree in.
        RefusedError: THRESHOLD_NOT_MET with the command that mends it, and whatever a device would refuse.
    """
    with workspace.lock():
        view = find(workspace, reference)
        sequence = view.patch.sequence
        if view.approvals.missing:
            raise missing_error(view.approvals, f"tocsin patch approve {reference}", workspace)
        trusted = workspace.trusted()
        suit.open_envelope(view.envelope, trusted.root, product=view.product)
        refuse(check(workspace, view.product, view.patch, None))
        row = (sequence, view.patch.digest)
        with workspace.store() as store:
            with store.read() as session:
                body = next_catalogue(session, trusted.fleet, view.product, now=now, patch=row)
            store.rehearsing = dry_run
            publish_patch(
                store,
                view.envelope,
                [seal(body, [operator])],
                product=view.product,
                artefacts=workspace.artefacts,
                now=now,
                topics=workspace.topics,
            )
    return view
