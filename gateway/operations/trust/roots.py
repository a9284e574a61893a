"""``tocsin root``: who may say what. A draft collects signatures; publishing makes it the next root."""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import sqlalchemy as sa

from gateway import files
from gateway.operations.afar import operation
from gateway.operations.trust.changes import Change, compare, with_consequences
from gateway.operations.trust.drafting import body_path, document_path, read_draft, write_draft
from gateway.operations.trust.recording import made_good, recorded
from gateway.operations.trust.signing import (
    Approvals,
    Signed,
    approvals,
    missing_error,
    sign,
    verified,
)
from gateway.store import schema
from gateway.store.trust import load_trusted, publish_root
from gateway.workspace.folder import Workspace
from keys.document import digest, peek, typ
from keys.errors import DamagedError, InputError, RefusedError
from keys.root import Root
from keys.signer import Passphrase, Signer
from keys.trusted import TrustedSet

DAYS_DEFAULT: Final = 365


@dataclass(frozen=True, slots=True)
class RootView:
    """A root or a draft of one, as people look at it."""

    root: Root
    draft: bool
    digest: str
    """SHA-256 of the body: for root 1 the fleet's identity, to be compared at ceremonies in full."""
    approvals: Approvals
    change: Change | None = None
    """For a draft: what it changes."""
    trusted_by: dict[int, int] | None = None
    """For the newest root: version -> devices that report to trust it."""


@operation("POST", "/root/draft", right="trust:write")
def draft(
    workspace: Workspace, *, now: int, by: str, days: int = DAYS_DEFAULT, restart: bool = False
) -> RootView:
    """Draft root 1 from ``keys.toml`` and ``policy.toml``.

    Args:
        workspace: where.
        now: UTC seconds.
        by: who drafts it.
        days: how long it is valid, 1 to 366.
        restart: leave aside a draft that has signatures already.

    Raises:
        InputError: ROOT_EXISTS; ROOT_INCOMPLETE, naming what is missing; DRAFT_SIGNED.
    """
    with workspace.lock():
        if workspace.root_documents():
            newest = workspace.trusted().root.version
            message = f"There is root {newest} already."
            raise InputError("ROOT_EXISTS", message, mend="Draft its successor with 'tocsin root rotate'.")
        _require_all(workspace, 1)
        write_draft(workspace, b"", 1, now=now, by=by, days=days, restart=restart)
    return show(workspace, now=now)


@operation("POST", "/root/rotation", right="trust:write")
def rotate(
    workspace: Workspace, *, now: int, by: str, days: int = DAYS_DEFAULT, restart: bool = False
) -> RootView:
    """Draft the successor of the newest root from ``keys.toml``, without revoked keys, and ``policy.toml``.

    Arguments and errors as :func:`draft`.

    Raises:
        InputError: NO_ROOT; ROOT_INCOMPLETE, naming what is missing; DRAFT_SIGNED.
        DamagedError: ROOT_LOST, when the store holds a newer root than the folder.
    """
    with workspace.lock():
        trusted = workspace.trusted()
        version = trusted.root.version + 1
        _require_all(workspace, version)
        write_draft(workspace, trusted.fleet, version, now=now, by=by, days=days, restart=restart)
    return show(workspace, now=now)


def _require_all(workspace: Workspace, version: int, digest_: bytes | None = None) -> None:
    """Refuse to make a root that the store has already: the folder has lost it.

    Raises:
        DamagedError: ROOT_LOST.
    """
    with workspace.store() as store, store.read() as session:
        stored = session.document(Root.TYPE, "", version)
    if stored is not None and stored.digest != digest_:
        raise DamagedError(
            "ROOT_LOST",
            f"Root {version} was published, but is not in the folder.",
            mend="Bring it back from the store with 'tocsin root restore'.",
            where=str(workspace.path / "roots"),
        )


@operation("POST", "/root/restoration", right="trust:manage")
def restore(workspace: Workspace, *, now: int, by: str) -> list[int]:
    """Write the roots that the folder lacks, or holds damaged, from the store; return their versions.

    A file that gives way is kept beside it. Nothing is taken from the store unless every step from root 1
    verifies.

    Args:
        workspace: where.
        now: UTC seconds.
        by: who restores them.

    Raises:
        InputError: ROOT_MISSING, when the store holds none.
        DamagedError: STORE_DAMAGED.
    """
    with workspace.lock():
        with workspace.store() as store, store.read() as session:
            load_trusted(session, store.where)
            known = session.documents(Root.TYPE)
        folder = workspace.path / "roots"
        lost = [each for each in known if not _is_root(folder / f"{each.version}.cose", each.digest)]
        versions = [each.version for each in lost]
        if lost:
            with recorded(workspace, "trust.root-restored", {"versions": versions}, now=now, by=by):
                for each in lost:
                    _put_root(folder / f"{each.version}.cose", each.bytes)
    return versions


def _put_root(path: Path, document: bytes) -> None:
    if path.exists():
        with files.os_errors(path, "moved"):
            path.replace(path.with_name(f"{path.name}.damaged"))
    files.write_atomic(path, document)


def _is_root(path: Path, wanted: bytes) -> bool:
    try:
        return path.is_file() and digest(path.read_bytes()) == wanted
    except RefusedError:
        return False


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


def draft_bytes(workspace: Workspace) -> tuple[bytes, Root]:
    """Return the draft's body: its exact bytes, and what they say.

    Raises:
        InputError: NO_DRAFT.
        DamagedError: DRAFT_DAMAGED.
    """
    body, _, root = read_draft(workspace)
    return body, root


def sign_draft(workspace: Workspace, key: str, passphrase: Passphrase, *, now: int, by: str) -> RootView:
    """Add one signature to the draft.

    Raises:
        InputError: NO_DRAFT, NO_KEY, NOT_A_ROOT_KEY, or of opening the key.
    """
    entry = workspace.key(key)
    if "root" not in entry.roles:
        raise InputError(
            "NOT_A_ROOT_KEY", f"The key '{key}' does not have the role root.", mend="Name a root key."
        )
    _require_say(workspace, read_draft(workspace)[2], entry.public.thumbprint, key)
    return add_signature(workspace, workspace.signer(key, passphrase), now=now, by=by)


def add_signature(workspace: Workspace, signer: Signer, *, now: int, by: str) -> RootView:
    """Add a signer's signature to the draft; one that is there already changes nothing.

    Args:
        workspace: where.
        signer: of a root key.
        now: UTC seconds.
        by: who brings it.

    Raises:
        InputError: NO_DRAFT; NOT_A_ROOT_KEY, when neither the draft nor the root before it lets it sign.
    """
    with workspace.lock():
        body, document, root = read_draft(workspace)
        kid = signer.public.thumbprint
        _require_say(workspace, root, kid, kid.hex()[:16])
        signed = sign(document, body, typ(Root.TYPE), signer)
        about = {"version": root.version, "digest": hashlib.sha256(body).hexdigest(), "key": kid.hex()}
        if signed == document:
            made_good(workspace, ("trust.root-signed",), about, now=now, by=by)
        else:
            with recorded(workspace, "trust.root-signed", about, now=now, by=by):
                files.write_atomic(document_path(workspace), signed)
    return show(workspace)


def _require_say(workspace: Workspace, root: Root, kid: bytes, name: str) -> None:
    judges = [root] if root.version == 1 else [root, workspace.trusted().root]
    if not any(kid in judge.by_kid and "root" in judge.by_kid[kid].roles for judge in judges):
        raise InputError(
            "NOT_A_ROOT_KEY",
            f"The key '{name}' is a root key neither of the draft nor of the root before it.",
            mend="Draft again with 'tocsin root rotate' if it should be.",
        )


@operation("GET", "/root", right="trust:read")
def show(workspace: Workspace, version: int | None = None, *, now: int | None = None) -> RootView:
    """Return the draft if there is one, else the newest root; or the root of a version.

    Args:
        workspace: where.
        version: None: the draft or the newest.
        now: UTC seconds, to say what a draft does to documents that are valid now; None leaves that out.

    Raises:
        InputError: NO_ROOT.
    """
    if version is None and body_path(workspace).exists():
        body, document, root = read_draft(workspace)
        found = _approvals(workspace, root, document)
        change = _change(workspace, root, now)
        return RootView(root, True, hashlib.sha256(body).hexdigest(), found, change)
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
        trusted_by=_trusted_by(workspace) if version is None else None,
    )


def _trusted_by(workspace: Workspace) -> dict[int, int]:
    t = schema.device_states
    query = sa.select(t.c.root_version, sa.func.count()).group_by(t.c.root_version).order_by(t.c.root_version)
    with workspace.store() as store, store.read() as session:
        return {row[0]: row[1] for row in session.connection.execute(query)}


def _change(workspace: Workspace, root: Root, now: int | None) -> Change:
    old = workspace.trusted().root if workspace.root_documents() else None
    change = compare(old, root)
    if old is None or now is None:
        return change
    with workspace.store() as store, store.read() as session:
        return with_consequences(change, session, old, root, now=now)


@operation("POST", "/root/publication", right="trust:publish")
def publish(workspace: Workspace, *, now: int, by: str, dry_run: bool = False) -> RootView:
    """Make the draft the next root, and hand it to the store for the broker.

    Args:
        workspace: where.
        now: UTC seconds.
        by: who publishes it.
        dry_run: check everything and change nothing.

    Raises:
        InputError: NO_DRAFT.
        DamagedError: ROOT_LOST, when another root of this version was published from here.
        RefusedError: THRESHOLD_NOT_MET and whatever a device would refuse it for.
    """
    with workspace.lock():
        _, document, root = read_draft(workspace)
        view = show(workspace)
        _require_all(workspace, root.version, bytes.fromhex(view.digest))
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
            publish_root(store, document, now, topics=workspace.topics, by=by)
        if not dry_run:
            files.write_atomic(workspace.path / "roots" / f"{root.version}.cose", document)
            body_path(workspace).unlink()
            document_path(workspace).unlink(missing_ok=True)
    signed = view.approvals.signed
    return RootView(root, draft=dry_run, digest=view.digest, approvals=Approvals(signed, ()))


__all__ = [
    "RootView",
    "Signed",
    "add_signature",
    "draft",
    "draft_bytes",
    "publish",
    "restore",
    "rotate",
    "show",
    "sign_draft",
]
