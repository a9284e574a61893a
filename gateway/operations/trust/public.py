"""What anybody may know of a fleet's trust, here or through a server: its roots, walked by their reader."""

from __future__ import annotations

from gateway.operations import products
from gateway.operations.afar import Server, operation
from gateway.workspace.folder import Workspace
from keys.document import digest
from keys.errors import InputError
from keys.trusted import TrustedSet


@operation("GET", "/roots", right="trust:read")
def roots(workspace: Workspace) -> tuple[bytes, ...]:
    """Return every published root, 1 first, as it was signed: who reads them verifies the steps."""
    return tuple(workspace.root_documents())


def trusted(workspace: Workspace) -> TrustedSet:
    """Walk the roots 1 -> n; a server's are walked here, and nothing that it says of them is believed.

    Raises:
        InputError: NO_ROOT.
        DamagedError: ROOT_DAMAGED.
        RefusedError: of a server's root that does not verify.
    """
    found = walked(workspace)
    if found is None:
        mend = "Make one with 'tocsin root new', 'root sign' and 'root publish'."
        raise InputError("NO_ROOT", "This workspace has no root yet.", mend=mend, where="roots")
    return found


def walked(workspace: Workspace) -> TrustedSet | None:
    """Return the same; None before the first root is published."""
    if not isinstance(workspace, Server):
        return workspace.trusted() if workspace.root_documents() else None
    documents = roots(workspace)
    if not documents:
        return None
    found = TrustedSet.enrol(documents[0], None)
    for document in documents[1:]:
        found.update_root(document, None)
    return found


def fleet(workspace: Workspace) -> bytes:
    """Return the fleet's digest, that of root 1 (InputError: NO_ROOT)."""
    if not isinstance(workspace, Server):
        return workspace.fleet()
    documents = roots(workspace)
    return digest(documents[0]) if documents else trusted(workspace).fleet


def classes(workspace: Workspace) -> dict[bytes, str]:
    """Return class id -> product."""
    return {product.class_id: product.id for product in products.list_(workspace)}
