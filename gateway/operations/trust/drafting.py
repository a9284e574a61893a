"""The draft of a root as it lies in the workspace: its body, and the document once somebody signed it."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Final

from gateway import files
from gateway.operations.trust.expiry import DAY
from gateway.operations.trust.recording import recorded
from gateway.workspace.folder import Workspace
from keys.cbor import decode
from keys.codec import dump, load, unpack
from keys.document import peek
from keys.errors import DamagedError, InputError, RefusedError
from keys.limits import ROOT_BYTES_MAX
from keys.root import ROLES, Root, RootKey, checked

_MAKE: Final = "'tocsin root new' (the first) or 'tocsin root rotate'"


def body_path(workspace: Workspace) -> Path:
    """Return where the exact bytes lie that are signed."""
    return workspace.path / "roots" / "draft.cbor"


def document_path(workspace: Workspace) -> Path:
    """Return where they lie with the signatures so far."""
    return workspace.path / "roots" / "draft.cose"


def write_draft(
    workspace: Workspace, fleet: bytes, version: int, *, now: int, by: str, days: int, restart: bool
) -> None:
    """Draft a root from the keys that are not revoked and the policy; call it with the lock held.

    Args:
        workspace: where.
        fleet: digest of root 1; empty for root 1 itself.
        version: of the root.
        now: UTC seconds.
        by: who drafts it.
        days: how long it is valid, 1 to 366.
        restart: leave aside a draft that has signatures already.

    Raises:
        InputError: BAD_VALUE, DRAFT_SIGNED, ROOT_INCOMPLETE.
    """
    if not 1 <= days <= 366:
        raise InputError("BAD_VALUE", f"A root is valid for 1 to 366 days, not {days}.", mend="Mend --days.")
    # Signatures without their draft are what a killed 'root publish' leaves.
    signed = document_path(workspace).exists() and body_path(workspace).exists()
    if signed and not restart:
        raise InputError(
            "DRAFT_SIGNED",
            "There is a draft that somebody signed.",
            mend="See it with 'tocsin root show'; to begin another one say --restart.",
            where=str(document_path(workspace)),
        )
    entries = [entry for entry in workspace.key_entries().values() if entry.revoked is None]
    body = Root(
        type=Root.TYPE,
        fleet=fleet,
        subject=(),
        version=version,
        issued=now,
        expires=now + days * DAY,
        keys=tuple(RootKey(key=e.public, roles=e.roles, holder=e.holder) for e in entries),
        policy=workspace.policy(),
        exercise=workspace.settings.exercise,
    )
    _require_complete(body)
    data = dump(body)
    about = {"version": version, "digest": hashlib.sha256(data).hexdigest()}
    with recorded(workspace, "trust.root-drafted", about, now=now, by=by):
        document_path(workspace).unlink(missing_ok=True)
        files.write_atomic(body_path(workspace), data)


def _require_complete(body: Root) -> None:
    """Refuse a draft whose policy its keys cannot meet, in terms of what to do about it."""
    if not body.keys:
        mend = "Make them with 'tocsin key new NAME --role ROLE --holder HOLDER'."
        raise InputError("ROOT_INCOMPLETE", "There are no keys yet.", mend=mend)
    lacking = sorted(
        {role for line in body.policy for role in body.missing(line.demands, body.by_kid)}, key=str
    )
    if lacking:
        role = lacking[0]
        known = sorted({role for entry in body.keys for role in entry.roles} - set(lacking))
        meant = files.near(role, known) if role not in ROLES else ""
        hint = f" {meant}" if meant.startswith("Did you") else ""
        raise InputError(
            "ROOT_INCOMPLETE",
            f"Holders are missing for: {', '.join(lacking)}.{hint}",
            mend=f"Make each with 'tocsin key new NAME --role {role} --holder HOLDER'.",
        )
    try:
        checked(body)
        load(Root, dump(body), size_max=ROOT_BYTES_MAX)
    except RefusedError as error:
        mend = "Mend policy.toml or keys.toml."
        if "fewer root keys" in error.detail:
            mend = "Make one more with 'tocsin key new NAME --role root --holder HOLDER'."
        raise InputError("ROOT_INCOMPLETE", f"The root cannot be used: {error.detail}.", mend=mend) from None


def read_draft(workspace: Workspace) -> tuple[bytes, bytes | None, Root]:
    """Return body bytes, the document once somebody signed, and the decoded body.

    Raises:
        InputError: NO_DRAFT.
        DamagedError: DRAFT_DAMAGED.
    """
    path, signed_path = body_path(workspace), document_path(workspace)
    if not path.exists():
        raise InputError("NO_DRAFT", "There is no draft of a root.", mend=f"Make it with {_MAKE}.")
    body = files.read_stored(path, what="draft", mend=f"Make it again with {_MAKE}.")
    try:
        root = checked(unpack(Root, decode(body, size_max=ROOT_BYTES_MAX)))
        document = signed_path.read_bytes() if signed_path.exists() else None
        same = document is None or peek(document, Root) == root
    except RefusedError as error:
        raise _damaged_draft(path, error.detail or error.reason.means) from None
    if not same:
        raise _damaged_draft(path, "the signatures belong to another one")
    return body, document, root


def _damaged_draft(path: Path, why: str) -> DamagedError:
    mend = f"Make it again with {_MAKE}."
    return DamagedError("DRAFT_DAMAGED", f"The draft cannot be used: {why}.", mend=mend, where=str(path))
