"""``tocsin key``: who signs."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import count
from pathlib import Path

from gateway.service import files
from gateway.service.entries import KEY, KeyEntry, require_id
from gateway.service.workspace import Workspace
from keys.algorithms import EMITTED, Algorithm
from keys.errors import InputError
from keys.signer import Passphrase, Signer, generate


def new(
    workspace: Workspace,
    name: str,
    *,
    roles: Iterable[str],
    holder: str,
    passphrase: bytes,
    algorithm: Algorithm = Algorithm.ED25519,
) -> KeyEntry:
    """Make a key pair: the private half into ``keys/<name>.pem``, the public one into ``keys.toml``.

    Args:
        workspace: where.
        name: what commands call it.
        roles: what it may do once a root lists it.
        holder: the person or machine that uses it.
        passphrase: encrypts the private half; empty leaves it unencrypted.
        algorithm: one that Tocsin signs with.

    Raises:
        InputError: BAD_ID, BAD_VALUE, KEY_ALGORITHM, KEY_EXISTS.
    """
    require_id(name, "a key name")
    if algorithm not in EMITTED:
        known = ", ".join(sorted(a.name.lower() for a in EMITTED))
        raise InputError("KEY_ALGORITHM", f"{algorithm.name} is for verification only.", mend=f"Use {known}.")
    for field, value in (("roles", list(roles)), ("holder", holder)):
        try:
            KEY[field].read(value)
        except ValueError as error:
            option = {"roles": "role"}.get(field, field)
            raise InputError("BAD_VALUE", f"'{option}': {error}.", mend=f"Give another --{option}.") from None
    with workspace.lock():
        path = workspace.path / "keys" / f"{name}.pem"
        if name in workspace.key_entries():
            raise InputError(
                "KEY_EXISTS",
                f"There is a key '{name}' already.",
                mend="Choose another name.",
                where=str(path),
            )
        _set_aside(path)
        signer = generate(algorithm)
        entry = KeyEntry(name, f"file:keys/{name}.pem", tuple(roles), holder, signer.public)
        files.write_atomic(path, signer.to_pem(passphrase), mode=0o600)
        workspace.append_key(entry)
    return entry


def _set_aside(path: Path) -> None:
    """Keep under another name a private key that keys.toml does not list: a killed ``key new`` leaves one."""
    if path.exists():
        with files.os_errors(path, "moved"):
            aside = (path.with_name(f"{path.name}.unlisted-{number}") for number in count(1))
            path.rename(next(name for name in aside if not name.exists()))


def names_for(workspace: Workspace, role: str) -> list[str]:
    """Return the names of the keys that have a role, in the order of the file."""
    return [name for name, entry in workspace.key_entries().items() if role in entry.roles]


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
