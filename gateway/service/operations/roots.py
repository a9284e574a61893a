"""``tocsin root``: who may say what. A draft collects signatures; publishing makes it the next root."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from gateway.service import files
from gateway.service.operations.signing import Approvals, Signed, approvals, missing_error, sign, verified
from gateway.service.trust import publish_root
from gateway.service.workspace import Workspace
from keys.cbor import decode
from keys.codec import dump, unpack
from keys.document import digest, peek, typ
from keys.errors import DamagedError, InputError, RefusedError
from keys.limits import ROOT_BYTES_MAX
from keys.root import DEFAULT_POLICY, PolicyRow, Root, RootKey, checked
from keys.signer import Passphrase
from keys.trusted import TrustedSet

DAYS_DEFAULT: Final = 365
DAY: Final = 86_400  # seconds


@dataclass(frozen=True, slots=True)
class RootView:
    """A root or a draft of one, as people look at it."""

    root: Root
    draft: bool
    digest: str
    """SHA-256 of the body: for root 1 the fleet's identity, to be compared at ceremonies in full."""
    approvals: Approvals


def _draft_body(workspace: Workspace) -> Path:
    return workspace.path / "roots" / "draft.cbor"


def _draft_document(workspace: Workspace) -> Path:
    return workspace.path / "roots" / "draft.cose"


def draft(
    workspace: Workspace,
    *,
    now: int,
    days: int = DAYS_DEFAULT,
    policy: Mapping[str, Mapping[str, int]] = DEFAULT_POLICY,
) -> RootView:
    """Draft the next root from all keys in ``keys.toml``; an older draft is replaced.

    Args:
        workspace: where.
        now: UTC seconds.
        days: how long it is valid, 1 to 366.
        policy: document type -> role -> holders.

    Raises:
        InputError: ROOT_INCOMPLETE, naming what is missing.
    """
    if not 1 <= days <= 366:
        raise InputError("BAD_VALUE", f"A root is valid for 1 to 366 days, not {days}.", mend="Mend --days.")
    with workspace.lock():
        documents = workspace.root_documents()
        keys = tuple(
            RootKey(key=entry.public, roles=entry.roles, holder=entry.holder)
            for entry in workspace.key_entries().values()
        )
        body = Root(
            type=Root.TYPE,
            fleet=workspace.fleet() if documents else b"",
            subject=(),
            version=len(documents) + 1,
            issued=now,
            expires=now + days * DAY,
            keys=keys,
            policy=tuple(PolicyRow(type=kind, demands=dict(row)) for kind, row in policy.items()),
            exercise=workspace.settings.exercise,
        )
        _require_complete(body)
        files.write_atomic(_draft_body(workspace), dump(body))
        _draft_document(workspace).unlink(missing_ok=True)
    return show(workspace)


def _require_complete(body: Root) -> None:
    """Refuse a draft whose policy its keys cannot meet, in terms of what to do about it."""
    lacking = sorted(
        {role for line in body.policy for role in body.missing(line.demands, body.by_kid)}, key=str
    )
    if lacking:
        raise InputError(
            "ROOT_INCOMPLETE",
            f"Holders are missing for: {', '.join(lacking)}.",
            mend=f"Make each with 'tocsin key new NAME --role {lacking[0]} --holder HOLDER'.",
        )
    try:
        checked(body)
    except RefusedError as error:
        mend = "Make one more with 'tocsin key new NAME --role root --holder HOLDER'."
        raise InputError("ROOT_INCOMPLETE", f"The root cannot be used: {error.detail}.", mend=mend) from None


def _read_draft(workspace: Workspace) -> tuple[bytes, bytes | None, Root]:
    """Return body bytes, the document once somebody signed, and the decoded body."""
    body_path, document_path = _draft_body(workspace), _draft_document(workspace)
    if not body_path.exists():
        raise InputError("NO_DRAFT", "There is no draft of a root.", mend="Make it with 'tocsin root new'.")
    body = files.read_stored(body_path, what="draft", mend="Make it again with 'tocsin root new'.")
    try:
        root = checked(unpack(Root, decode(body, size_max=ROOT_BYTES_MAX)))
        document = document_path.read_bytes() if document_path.exists() else None
        same = document is None or peek(document, Root) == root
    except RefusedError as error:
        raise _damaged_draft(body_path, error.detail or error.reason.means) from None
    if not same:
        raise _damaged_draft(body_path, "the signatures belong to another one")
    return body, document, root


def _damaged_draft(path: Path, why: str) -> DamagedError:
    mend = "Make it again with 'tocsin root new'."
    return DamagedError("DRAFT_DAMAGED", f"The draft cannot be used: {why}.", mend=mend, where=str(path))


def _approvals(workspace: Workspace, root: Root, document: bytes | None) -> Approvals:
    """Count signatures under the new policy and, for a successor, under the old one too."""
    kids = verified(document, root) if document else ()
    found = approvals(root, kids, root.demands(Root.TYPE, None))
    if root.version == 1:
        return found
    old = workspace.trusted().root
    old_kids = verified(document, old) if document else ()
    before = approvals(old, old_kids, old.demands(Root.TYPE, None))
    signed = tuple(dict.fromkeys((*found.signed, *before.signed)))
    # One signature may count under both: what is missing is the larger need of the two.
    missing = Counter(found.missing) | Counter(before.missing)
    return Approvals(signed, tuple(missing.elements()))


def sign_draft(workspace: Workspace, key: str, passphrase: Passphrase) -> RootView:
    """Add one signature to the draft.

    Raises:
        InputError: NO_DRAFT, NO_KEY, NOT_A_ROOT_KEY, or of opening the key.
    """
    if "root" not in workspace.key(key).roles:
        raise InputError(
            "NOT_A_ROOT_KEY", f"The key '{key}' does not have the role root.", mend="Name a root key."
        )
    signer = workspace.signer(key, passphrase)
    with workspace.lock():
        body, document, _ = _read_draft(workspace)
        files.write_atomic(_draft_document(workspace), sign(document, body, typ(Root.TYPE), signer))
    return show(workspace)


def show(workspace: Workspace, version: int | None = None) -> RootView:
    """Return the draft if there is one, else the newest root; or the root of a version.

    Raises:
        InputError: NO_ROOT.
    """
    if version is None and _draft_body(workspace).exists():
        body, document, root = _read_draft(workspace)
        found = _approvals(workspace, root, document)
        return RootView(root, draft=True, digest=hashlib.sha256(body).hexdigest(), approvals=found)
    trusted = workspace.trusted()
    document = trusted.root_document
    if version is not None and version != trusted.root.version:
        documents = workspace.root_documents()
        if not 1 <= version <= len(documents):
            message = f"There is no root {version}."
            raise InputError("NO_ROOT", message, mend=f"Name one from 1 to {len(documents)}.")
        document = documents[version - 1]
    root = peek(document, Root)
    kids = verified(document, root)
    return RootView(
        root,
        draft=False,
        digest=digest(document).hex(),
        approvals=approvals(root, kids, root.demands("root", None)),
    )


def publish(workspace: Workspace, *, now: int, dry_run: bool = False) -> RootView:
    """Make the draft the next root, and hand it to the store for the broker.

    Raises:
        InputError: NO_DRAFT.
        RefusedError: THRESHOLD_NOT_MET and whatever a device would refuse it for.
    """
    with workspace.lock():
        _, document, root = _read_draft(workspace)
        view = show(workspace)
        missing = view.approvals.missing
        if document is None or missing:
            raise missing_error(view.approvals, "tocsin root sign", workspace)
        if root.version == 1:
            TrustedSet.enrol(document, now)
        else:
            workspace.trusted().update_root(document, now)
        # The store first: it refuses what does not verify, and takes the very same root twice.
        with workspace.store() as store:
            store.rehearsing = dry_run
            publish_root(store, document, now, topics=workspace.topics)
        if not dry_run:
            files.write_atomic(workspace.path / "roots" / f"{root.version}.cose", document)
            _draft_body(workspace).unlink()
            _draft_document(workspace).unlink(missing_ok=True)
    signed = view.approvals.signed
    return RootView(root, draft=dry_run, digest=view.digest, approvals=Approvals(signed, ()))


__all__ = ["RootView", "Signed", "draft", "publish", "show", "sign_draft"]
