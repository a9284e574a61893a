"""Where private keys are, and which one signs for a role."""

from __future__ import annotations

from enum import StrEnum

from gateway.workspace.entries import KeyEntry
from gateway.workspace.folder import Workspace
from keys.errors import InputError
from keys.root import Root
from keys.signer import Passphrase, Signer


class Place(StrEnum):
    """Where a private key is."""

    HERE = "here"
    TOKEN = "token"  # noqa: S105 - a word, no secret
    ENVIRONMENT = "environment"
    ELSEWHERE = "elsewhere"
    MISSING = "missing"


def place(workspace: Workspace, entry: KeyEntry) -> Place:
    """Say where a private key is, without opening it."""
    if entry.uri is None:
        return Place.ELSEWHERE
    scheme, _, rest = entry.uri.partition(":")
    if scheme == "file":
        return Place.HERE if (workspace.path / rest).is_file() else Place.MISSING
    return Place.TOKEN if scheme == "pkcs11" else Place.ENVIRONMENT


def names_for(workspace: Workspace, role: str) -> list[str]:
    """Return the names of the keys that can act for a role, in the order of the file.

    Keys of the newest root before others, and among those the ones not revoked: as long as a root lists
    a revoked key, and no other, it is the only one that counts.
    """
    able = [entry for entry in workspace.key_entries().values() if role in entry.roles]
    root = workspace.newest_root()
    ranks = {entry.name: _rank(entry, root) for entry in able}
    return [name for name, rank in ranks.items() if rank == min(ranks.values())]


def _rank(entry: KeyEntry, root: Root | None) -> int:
    in_root = root is not None and entry.public.thumbprint in root.by_kid
    return (0 if entry.revoked is None else 1) if in_root else (2 if entry.revoked is None else 3)


def signer_for(workspace: Workspace, role: str, passphrase: Passphrase, name: str | None = None) -> Signer:
    """Open the key that acts for a role: the one named, or the only one there is.

    Raises:
        InputError: NO_KEY_FOR_ROLE, WHICH_KEY, or of opening the key.
    """
    if name is None:
        names = names_for(workspace, role)
        if not names:
            mend = f"Make it with 'tocsin key new NAME --role {role} --holder HOLDER'."
            raise InputError("NO_KEY_FOR_ROLE", f"No key in this workspace has the role {role}.", mend=mend)
        if len(names) > 1:
            message = f"Several keys have the role {role}: {', '.join(names)}."
            raise InputError("WHICH_KEY", message, mend="Name one with --key.")
        name = names[0]
    if role not in workspace.key(name).roles:
        raise InputError(
            "NO_KEY_FOR_ROLE", f"The key '{name}' does not have the role {role}.", mend="Name another one."
        )
    return workspace.signer(name, passphrase)
