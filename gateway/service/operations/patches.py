"""``tocsin patch``: a firmware image becomes a SUIT manifest, approved by signatures over its digest."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from advisories import mcuboot, suit
from advisories.facts import Facts
from advisories.mcuboot import Image
from advisories.suit import Patch
from advisories.versions import format_version
from gateway.core.publication import next_version
from gateway.service import files
from gateway.service.operations.catalogues import next_catalogue
from gateway.service.operations.trust.signing import (
    Approvals,
    approvals,
    missing_error,
    require_role,
    require_say,
)
from gateway.service.patches import publish_patch
from gateway.service.workspace import Workspace, add_artefact
from keys.document import seal
from keys.errors import DamagedError, InputError, RefusedError
from keys.signer import Passphrase, Signer

POLICY_TYPE = "patch"
IMAGE_MAGIC = b"\x3d\xb8\xf3\x96"  # how every MCUboot image begins


@dataclass(frozen=True, slots=True)
class PatchView:
    """A patch in the workspace, as people look at it."""

    product: str
    patch: Patch
    envelope: bytes
    approvals: Approvals

    @property
    def version(self) -> str:
        """The promised version, or a question mark where the manifest states none."""
        return "?" if self.patch.version is None else format_version(self.patch.version)


def read_image(path: Path) -> tuple[bytes, Image]:
    """Read an MCUboot image.

    Raises:
        InputError: FILE_MISSING, IMAGE_UNREADABLE.
    """
    data = files.read_bytes(path, what="image", mend="Check the path.")
    try:
        return data, mcuboot.parse(data)
    except RefusedError as error:
        raise InputError(
            "IMAGE_UNREADABLE",
            f"This is not a whole MCUboot image ({error.detail or error.reason.means}).",
            mend="Build it again, or make one with imgtool.",
            where=str(path),
        ) from None


def add(
    workspace: Workspace,
    product: str,
    image: Path,
    *,
    now: int,
    texts: Mapping[str, str] | None = None,
    sequence: int | None = None,
) -> PatchView:
    """Make an unsigned patch of an image and keep both.

    Args:
        workspace: where.
        product: for whose devices.
        image: an MCUboot image; its header says the version.
        now: UTC seconds.
        texts: language -> what the patch does, for the owner.
        sequence: rises with every patch of a product; max(last + 1, ``now``) if left out.

    Raises:
        InputError: NO_PRODUCT, FILE_MISSING, IMAGE_UNREADABLE, IMAGE_TOO_BIG, PATCH_EXISTS, and of building.
    """
    entry = workspace.product(product)
    data, parsed = read_image(image)
    if len(data) > entry.slot_bytes:
        raise InputError(
            "IMAGE_TOO_BIG",
            f"The image has {len(data)} bytes, a slot of '{product}' has {entry.slot_bytes}.",
            mend="Make it smaller, or correct slot_bytes in products.toml.",
            where=str(image),
        )
    with workspace.lock():
        last = max((view.patch.sequence for view in every(workspace)), default=None)
        number = next_version(last, now) if sequence is None else sequence
        if last is not None and number <= last:
            raise InputError(
                "PATCH_EXISTS",
                f"The sequence number {number} is not above {last}, the newest one.",
                mend="Leave --sequence out, or choose a higher one.",
            )
        digest = add_artefact(workspace, data)
        envelope = suit.build(
            number,
            entry.vendor_id,
            entry.class_id,
            data,
            version=parsed.version,
            uri=f"artefact/{digest.hex()}",
            texts=texts,
        )
        files.write_atomic(_path(workspace, number), envelope)
    return view_of(workspace, envelope, _path(workspace, number))


def _path(workspace: Workspace, sequence: int) -> Path:
    return workspace.path / "patches" / f"{sequence}.suit"


def view_of(workspace: Workspace, envelope: bytes, where: Path) -> PatchView:
    """Return how an envelope stands: what it is and who signed it.

    Raises:
        DamagedError: PATCH_DAMAGED.
        InputError: NO_PRODUCT when no product of the workspace is meant.
    """
    try:
        patch = suit.peek(envelope)
        product = next((p.id for p in workspace.products().values() if p.class_id == patch.class_id), None)
        if product is None:
            raise InputError(
                "NO_PRODUCT",
                "The patch is for none of this workspace's products.",
                mend="Add the product with 'tocsin product add'.",
                where=str(where),
            )
        root = workspace.trusted().root if workspace.root_documents() else None
        kids = suit.verify_blocks(suit.decode(envelope), (k.key for k in root.keys)) if root else ()
    except RefusedError as error:
        raise DamagedError(
            "PATCH_DAMAGED",
            f"The patch cannot be read: {error.detail or error.reason.means}.",
            mend="Make it again with 'tocsin patch add', or restore it from a copy.",
            where=str(where),
        ) from None
    found = approvals(root, kids, root.demands(POLICY_TYPE, product)) if root else Approvals((), ())
    return PatchView(product, patch, envelope, found)


def every(workspace: Workspace) -> list[PatchView]:
    """Return all patches of the workspace, the newest last."""
    numbered = sorted(
        (int(path.stem), path) for path in (workspace.path / "patches").glob("*.suit") if path.stem.isdigit()
    )
    mend = "Restore it from a copy."
    return [
        view_of(workspace, files.read_stored(path, what="patch", mend=mend), path) for _, path in numbered
    ]


def find(workspace: Workspace, reference: str) -> PatchView:
    """Return the patch of a sequence number, or the newest one of ``PRODUCT@VERSION``.

    Raises:
        InputError: NO_PATCH.
    """
    found = every(workspace)
    for view in reversed(found):
        if reference in {str(view.patch.sequence), f"{view.product}@{view.version}"}:
            return view
    known = [f"{view.product}@{view.version}" for view in found]
    mend = files.near(reference, known) if known else "Make it with 'tocsin patch add'."
    raise InputError("NO_PATCH", f"There is no patch '{reference}'.", mend=mend)


def mending(workspace: Workspace, facts: Facts) -> dict[str, tuple[bytes, ...]] | None:
    """Return product -> digests of the workspace's patches that carry the fixed version."""
    found: dict[str, tuple[bytes, ...]] = {}
    for view in every(workspace):
        product = facts.products.get(view.product)
        if product is not None and product.fixed_version == view.patch.version is not None:
            found[view.product] = (*found.get(view.product, ()), view.patch.digest)
    return found or None


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
        files.write_atomic(_path(workspace, view.patch.sequence), envelope)
    return view_of(workspace, envelope, _path(workspace, view.patch.sequence))


def publish(
    workspace: Workspace, reference: str, operator: Signer, *, now: int, dry_run: bool = False
) -> PatchView:
    """Publish an approved patch with a catalogue that the operator signs.

    Raises:
        InputError: NO_PATCH.
        RefusedError: THRESHOLD_NOT_MET with the command that mends it, and whatever a device would refuse.
    """
    with workspace.lock():
        view = find(workspace, reference)
        sequence = view.patch.sequence
        if view.approvals.missing:
            raise missing_error(view.approvals, f"tocsin patch approve {reference}", workspace)
        trusted = workspace.trusted()
        suit.open_envelope(view.envelope, trusted.root, product=view.product)
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
