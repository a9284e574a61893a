"""``tocsin key``: who signs, where each private key is, and which keys are no longer trusted."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any, Final

from gateway import files, values
from gateway.operations.afar import operation
from gateway.operations.trust.choosing import Place, place
from gateway.operations.trust.recording import made_good, recorded
from gateway.workspace.entries import PUBLIC_KEY, KeyEntry, key_fields, public_values, require_id
from gateway.workspace.folder import Workspace
from keys.algorithms import EMITTED, Algorithm, PublicKey
from keys.errors import InputError
from keys.root import ROLES
from keys.signer import Passphrase, generate, open_signer

PUBLIC_FILE_BYTES_MAX: Final = 16_384
_LISTED: Final = ("trust.key-added", "trust.key-made")
_PUBLIC_HEAD = "# The public half of a key, to be handed over. The private half stays where it was made.\n"


@dataclass(frozen=True, slots=True)
class KeyState:
    """A key and how it stands."""

    key: KeyEntry
    in_root: bool
    """The newest root lists it: what it signs counts, revoked or not."""
    place: Place


@dataclass(frozen=True, slots=True)
class Revocation:
    """What revoking a key did."""

    key: KeyEntry
    in_root: bool
    changed: bool
    """False when it had been revoked before."""
    unmet: tuple[str, ...]
    """Roles for which the policy could no longer be met without it."""


@dataclass(frozen=True, slots=True)
class Offline:
    """A key made outside any workspace."""

    key: KeyEntry
    private: Path
    public: Path


def new(
    workspace: Workspace,
    name: str,
    *,
    roles: Iterable[str],
    holder: str,
    now: int,
    by: str,
    passphrase: bytes = b"",
    algorithm: Algorithm = Algorithm.ED25519,
) -> KeyEntry:
    """Make a key pair: the private half into ``keys/<name>.pem``, the public one into ``keys.toml``.

    Args:
        workspace: where.
        name: what commands call it.
        roles: what it may do once a root lists it.
        holder: the person or machine that uses it.
        now: UTC seconds.
        by: who makes it.
        passphrase: encrypts the private half; empty leaves it unencrypted.
        algorithm: one that Tocsin signs with.

    Raises:
        InputError: BAD_ID, BAD_VALUE, KEY_ALGORITHM, KEY_EXISTS.
    """
    require_id(name, "a key name")
    _require_emitted(algorithm)
    checked, holder = _checked(workspace.roles(), roles, holder)
    with workspace.lock():
        path = workspace.path / "keys" / f"{name}.pem"
        _require_new(workspace, name, now, by)
        _set_aside(path)
        signer = generate(algorithm)
        entry = KeyEntry(name, f"file:keys/{name}.pem", checked, holder, signer.public)
        with recorded(workspace, "trust.key-made", _facts(entry), now=now, by=by):
            files.write_atomic(path, signer.to_pem(passphrase), mode=0o600)
            workspace.append_key(entry)
    return entry


def new_at(
    workspace: Workspace,
    name: str,
    uri: str,
    *,
    roles: Iterable[str],
    holder: str,
    now: int,
    by: str,
    new_passphrase: Passphrase,
    passphrase: Passphrase,
    algorithm: Algorithm = Algorithm.ED25519,
) -> KeyEntry:
    """List a key whose private half lies behind a URI; it is made there unless it is there already.

    Args:
        workspace: where.
        name: what commands call it.
        uri: ``file:PATH``, ``env:NAME`` (which must hold it) or ``pkcs11:...``.
        roles: what it may do once a root lists it.
        holder: the person or machine that uses it.
        now: UTC seconds.
        by: who lists it.
        new_passphrase: asked for a key that is made.
        passphrase: asked for a key that is there, and for the PIN of a token.
        algorithm: of a key that is made.

    Raises:
        InputError: as :func:`new`; of opening or making the key.
    """
    require_id(name, "a key name")
    _require_emitted(algorithm)
    checked, holder = _checked(workspace.roles(), roles, holder)
    _require_new(workspace, name, now, by)
    _require_path(uri)
    asked = f"key {name}"
    scheme, _, rest = uri.partition(":")
    if scheme == "pkcs11":
        public = _on_token(uri, lambda _: passphrase(asked), algorithm)
    elif scheme == "file" and rest and not (workspace.path / rest).exists():
        secret = new_passphrase(f"new {asked}")
        with workspace.lock():
            signer = generate(algorithm)
            files.write_atomic(workspace.path / rest, signer.to_pem(secret), mode=0o600)
        public = signer.public
    else:
        where = f"file:{workspace.path / rest}" if scheme == "file" and rest else uri
        public = open_signer(where, lambda _: passphrase(asked)).public
    entry = KeyEntry(name, uri, checked, holder, public)
    with workspace.lock():
        _require_unlisted(workspace, entry, now, by)
        with recorded(workspace, "trust.key-added", _facts(entry), now=now, by=by):
            workspace.append_key(entry)
    return entry


def _facts(entry: KeyEntry) -> dict[str, Any]:
    """Return what the audit chain says of a key that is listed from now on."""
    return {
        "key": entry.name,
        "thumbprint": entry.public.thumbprint.hex(),
        "roles": list(entry.roles),
        "holder": entry.holder,
    }


def _require_path(uri: str) -> None:
    """Refuse a URI that is the key itself: it would stand in ``keys.toml``, and name a folder.

    Raises:
        InputError: KEY_URI, without repeating it.
    """
    if "PRIVATE KEY" in uri or not uri.isprintable():
        message = "This names no place for a key; it looks like a key itself."
        raise InputError("KEY_URI", message, mend="Write file:PATH, env:NAME or pkcs11:... with --uri.")


def _on_token(uri: str, passphrase: Passphrase, algorithm: Algorithm) -> PublicKey:
    from keys.pkcs11 import generate as made  # noqa: PLC0415 - its library may not be installed

    return made(uri, passphrase, algorithm)


def make_offline(
    folder: Path,
    name: str,
    *,
    roles: Iterable[str],
    holder: str,
    passphrase: bytes,
    algorithm: Algorithm = Algorithm.ED25519,
) -> Offline:
    """Make a key pair without a workspace: a private PEM, and a public file to be handed over.

    Any name passes as a role here: which roles there are is decided by the policy of the workspace that
    takes the public file.

    Raises:
        InputError: BAD_ID, BAD_VALUE, KEY_ALGORITHM; KEY_EXISTS, when one of the files is there.
        UnavailableError: FILE.
    """
    require_id(name, "a key name")
    _require_emitted(algorithm)
    wanted = tuple(roles)
    checked, holder = _checked((*ROLES, *wanted), wanted, holder)
    private, public = folder / f"{name}.pem", folder / f"{name}.pub.toml"
    for path in (private, public):
        if path.exists() or path.is_symlink():
            message = f"There is a file '{path.name}' already."
            raise InputError("KEY_EXISTS", message, mend="Choose another name or folder.", where=str(path))
    signer = generate(algorithm)
    entry = KeyEntry(name, None, checked, holder, signer.public)
    with files.os_errors(folder, "made"):
        folder.mkdir(parents=True, exist_ok=True)
    files.write_atomic(private, signer.to_pem(passphrase), mode=0o600)
    files.write_atomic(public, (_PUBLIC_HEAD + files.toml_table(name, public_values(entry))).encode())
    return Offline(entry, private, public)


def add(workspace: Workspace, path: Path, *, now: int, by: str) -> KeyEntry:
    """Take the public half of a key that was made elsewhere into ``keys.toml``.

    Args:
        workspace: where.
        path: of the public file.
        now: UTC seconds.
        by: who adds it.

    Raises:
        InputError: FILE_MISSING, PRIVATE_KEY_GIVEN, BAD_PUBLIC_FILE, KEY_EXISTS; of the file, with file:line.
    """
    data = files.read_bytes(path, what="public file", mend="Check the path.")
    if b"PRIVATE KEY" in data:  # it does not leave this machine
        raise _private_given(str(path))
    return take(workspace, data, where=str(path), now=now, by=by)


@operation("POST", "/keys", right="trust:write", creates=True, raw="data")
def take(workspace: Workspace, data: bytes, *, now: int, by: str, where: str = "") -> KeyEntry:
    """Take the public half of a key that was made elsewhere into ``keys.toml``; ``where`` is for messages."""
    path = Path(where or "key.pub.toml")
    if b"PRIVATE KEY" in data:
        raise _private_given(where)
    if len(data) > PUBLIC_FILE_BYTES_MAX:
        raise _bad_public_file(path, f"it has more than {PUBLIC_FILE_BYTES_MAX} bytes")
    table = files.parse_toml(path, data)
    if len(table.data) != 1:
        raise _bad_public_file(path, "it does not hold exactly one key")
    (name,) = table.data
    found = table.fields(name, PUBLIC_KEY)
    require_id(name, "a key name")
    roles, holder = _checked(
        workspace.roles(), found["roles"], found["holder"], where=table.where(name, "roles")
    )
    entry = KeyEntry(name, None, roles, holder, found["public"])
    with workspace.lock():
        listed = workspace.key_entries().get(name)
        if listed is not None and (listed.public, listed.roles, listed.holder) == (
            entry.public,
            roles,
            holder,
        ):
            made_good(workspace, _LISTED, _facts(listed), now=now, by=by)
            return listed
        _require_unlisted(workspace, entry, now, by)
        with recorded(workspace, "trust.key-added", _facts(entry), now=now, by=by):
            workspace.append_key(entry)
    return entry


def _private_given(where: str) -> InputError:
    mend = "Take it back to its owner, and add only the .pub.toml that was made beside it."
    return InputError("PRIVATE_KEY_GIVEN", "This file holds a private key.", mend=mend, where=where)


def _bad_public_file(path: Path, why: str) -> InputError:
    mend = "Name the .pub.toml that 'tocsin key new --out' wrote."
    return InputError(
        "BAD_PUBLIC_FILE", f"This is not the public file of a key: {why}.", mend=mend, where=str(path)
    )


def _require_unlisted(workspace: Workspace, entry: KeyEntry, now: int, by: str) -> None:
    _require_new(workspace, entry.name, now, by)
    same = next((e.name for e in workspace.key_entries().values() if e.public == entry.public), None)
    if same is not None:
        message = f"This very key is listed already, as '{same}'."
        raise InputError("KEY_EXISTS", message, mend="Use it under that name, or make another one.")


def _require_new(workspace: Workspace, name: str, now: int, by: str) -> None:
    listed = workspace.key_entries().get(name)
    if listed is not None:
        made_good(workspace, _LISTED, _facts(listed), now=now, by=by)
        raise InputError(
            "KEY_EXISTS",
            f"There is a key '{name}' already.",
            mend="Choose another name: a key is never replaced under its name.",
            where=str(workspace.path / "keys.toml"),
        )


def _require_emitted(algorithm: Algorithm) -> None:
    if algorithm not in EMITTED:
        known = ", ".join(sorted(a.name.lower() for a in EMITTED))
        raise InputError("KEY_ALGORITHM", f"{algorithm.name} is for verification only.", mend=f"Use {known}.")


def _checked(
    known: Iterable[str], roles: Iterable[str], holder: str, where: str = ""
) -> tuple[tuple[str, ...], str]:
    """Return roles and holder as a root may carry them.

    Raises:
        InputError: BAD_VALUE.
    """
    fields, found = key_fields(tuple(known)), []
    for field, value in (("roles", list(roles)), ("holder", holder)):
        try:
            found.append(fields[field].read(value))
        except ValueError as error:
            option = {"roles": "role"}.get(field, field)
            mend = f"Give another --{option}."
            raise InputError("BAD_VALUE", f"'{option}': {error}.", mend=mend, where=where) from None
    return found[0], found[1]


def _set_aside(path: Path) -> None:
    """Keep under another name a private key that keys.toml does not list: a killed ``key new`` leaves one."""
    if path.exists():
        with files.os_errors(path, "moved"):
            aside = (path.with_name(f"{path.name}.unlisted-{number}") for number in count(1))
            path.rename(next(name for name in aside if not name.exists()))


@operation("POST", "/keys/{name}/revoke", right="trust:approve")
def revoke(workspace: Workspace, name: str, reason: str, *, now: int, by: str) -> Revocation:
    """Mark a key as revoked: the next root leaves it out. It stays listed for good.

    Args:
        workspace: where.
        name: of the key.
        reason: for whoever reads ``keys.toml`` later.
        now: UTC seconds.
        by: who revokes it.

    Raises:
        InputError: NO_KEY, BAD_VALUE.
    """
    try:
        values.a_text(reason)
    except ValueError as error:
        raise InputError("BAD_VALUE", f"'reason': {error}.", mend="Give another --reason.") from None
    with workspace.lock():
        before = workspace.key(name)
        about = {"key": name, "thumbprint": before.public.thumbprint.hex(), "holder": before.holder}
        if before.revoked is not None:
            made_good(workspace, ("trust.key-revoked",), about, now=now, by=by)
        else:
            with recorded(workspace, "trust.key-revoked", about, now=now, by=by):
                workspace.revoke_key(name, reason, now)
        entry = workspace.key(name)
    root = workspace.newest_root()
    in_root = root is not None and entry.public.thumbprint in root.by_kid
    return Revocation(entry, in_root, before.revoked is None, _unmet(workspace))


def _unmet(workspace: Workspace) -> tuple[str, ...]:
    """Return the roles for which holders would be missing in a root of the keys that are left."""
    left = [entry for entry in workspace.key_entries().values() if entry.revoked is None]
    missing: list[str] = []
    for row in workspace.policy():
        for role, wanted in row.demands.items():
            # A root needs one root key more than its threshold: whoever loses one can still be replaced.
            least = wanted + (role == row.type == "root")
            if len({entry.holder for entry in left if role in entry.roles}) < least:
                missing.append(role)
    return tuple(dict.fromkeys(missing))


@operation("GET", "/keys", right="trust:read")
def states(workspace: Workspace) -> list[KeyState]:
    """Return every key and how it stands under the newest root."""
    known = workspace.trusted().root.by_kid if workspace.root_documents() else {}
    return [
        KeyState(entry, entry.public.thumbprint in known, place(workspace, entry))
        for entry in workspace.key_entries().values()
    ]
