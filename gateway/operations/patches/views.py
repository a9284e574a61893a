"""Patches of a workspace as people look at them: found by number or version, with who signed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from advisories import suit
from advisories.facts import Facts
from advisories.suit import Patch
from advisories.versions import format_version
from gateway import files
from gateway.operations import products
from gateway.operations.afar import Server, operation
from gateway.operations.trust import public
from gateway.operations.trust.signing import Approvals, approvals
from gateway.workspace.folder import Workspace
from keys.errors import DamagedError, InputError, RefusedError

POLICY_TYPE = "patch"


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


@dataclass(frozen=True, slots=True)
class Kept:
    """A patch as it is told to others."""

    sequence: int
    product: str
    version: str
    """A question mark where the manifest states none."""
    digest: str
    """Hexadecimal SHA-256 of the manifest."""
    approvals: Approvals
    envelope: bytes
    """The SUIT envelope, with its signatures so far."""


@dataclass(frozen=True, slots=True)
class Patches:
    """Patches by number."""

    items: tuple[Kept, ...]
    next: str
    """To be given as ``after`` for the page that follows; empty at the end."""


def path_of(workspace: Workspace, sequence: int) -> Path:
    """Return where the patch of a sequence number lies."""
    return workspace.path / "patches" / f"{sequence}.suit"


def view_of(workspace: Workspace, envelope: bytes, where: Path) -> PatchView:
    """Return how an envelope stands: what it is and who signed it.

    Raises:
        DamagedError: PATCH_DAMAGED.
        InputError: NO_PRODUCT when no product of the workspace is meant.
    """
    try:
        patch = suit.peek(envelope)
        product = public.classes(workspace).get(patch.class_id)
        if product is None:
            raise InputError(
                "NO_PRODUCT",
                "The patch is for none of this workspace's products.",
                mend="Add the product with 'tocsin product add'.",
                where=str(where),
            )
        walked = public.walked(workspace)
        root = None if walked is None else walked.root
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
    """Return all patches of the workspace, the newest last.

    Raises:
        DamagedError: PATCH_DAMAGED; PATCH_MISNAMED for a copy, whose signatures would be kept elsewhere.
        InputError: NO_PRODUCT.
    """
    numbered = sorted(
        (int(path.stem), path)
        for path in files.listed(workspace.path / "patches", ".suit")
        if path.stem.isdecimal()
    )
    found = []
    for number, path in numbered:
        stored = files.read_stored(path, what="patch", mend="Restore it from a copy.")
        view = view_of(workspace, stored, path)
        if path != path_of(workspace, view.patch.sequence):
            raise DamagedError(
                "PATCH_MISNAMED",
                f"The file is named {number}, the patch in it has the number {view.patch.sequence}.",
                mend="Move it out of this folder, or give it its name back.",
                where=str(path),
            )
        found.append(view)
    return found


def find(workspace: Workspace, reference: str) -> PatchView:
    """Return the patch of a sequence number, or the newest one of ``PRODUCT@VERSION``.

    Raises:
        InputError: NO_PATCH.
    """
    if isinstance(workspace, Server):  # what it says is read and verified here
        envelope = show(workspace, reference).envelope
        return view_of(workspace, envelope, Path(f"{reference}.suit"))
    found = every(workspace)
    for view in reversed(found):
        if reference in {str(view.patch.sequence), f"{view.product}@{view.version}"}:
            return view
    known = [f"{view.product}@{view.version}" for view in found]
    mend = files.near(reference, known) if known else "Make it with 'tocsin patch add'."
    raise InputError("NO_PATCH", f"There is no patch '{reference}'.", mend=mend)


def kept(view: PatchView) -> Kept:
    """Tell a patch to others."""
    patch = view.patch
    return Kept(patch.sequence, view.product, view.version, patch.digest.hex(), view.approvals, view.envelope)


@operation("GET", "/patches/{patch}", right="patch:read")
def show(workspace: Workspace, patch: str) -> Kept:
    """Return the patch of a sequence number, or the newest one of ``PRODUCT@VERSION``.

    Raises:
        InputError: NO_PATCH.
    """
    return kept(find(workspace, patch))


@operation("GET", "/patches", right="patch:read")
def list_(workspace: Workspace, *, limit: int = 100, after: str = "") -> Patches:
    """Return patches by number (InputError: BAD_VALUE)."""
    if after and not (after.isascii() and after.isdecimal()):
        raise InputError("BAD_VALUE", "This is no number of a patch.", mend="Give the 'next' of a page.")
    found = [view for view in every(workspace) if view.patch.sequence > int(after or -1)]
    page = tuple(kept(view) for view in found[:limit])
    return Patches(page, str(page[-1].sequence) if len(found) > limit else "")


def mending(workspace: Workspace, facts: Facts) -> dict[str, tuple[bytes, ...]] | None:
    """Return product -> digests of the workspace's patches that carry the fixed version."""
    found: dict[str, tuple[bytes, ...]] = {}
    for view in every(workspace):
        product = facts.products.get(view.product)
        if product is not None and product.fixed_version == view.patch.version is not None:
            found[view.product] = (*found.get(view.product, ()), view.patch.digest)
    return found or None


def names(workspace: Workspace) -> dict[bytes, str]:
    """Return whose a key, vendor or class identifier is that an envelope may name."""
    found: dict[bytes, str] = {}
    for product in products.list_(workspace):
        found[product.vendor_id] = product.vendor
        found[product.class_id] = product.id
    if isinstance(workspace, Server):
        walked = public.walked(workspace)
        root = None if walked is None else walked.root
    else:
        root = workspace.newest_root()
    for entry in root.keys if root else ():
        found[entry.key.thumbprint] = f"{entry.holder}: {', '.join(entry.roles)}"
    return found
