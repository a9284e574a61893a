"""``tocsin doctor``: is this workspace, on this machine, as it has to be? One function a check."""

from __future__ import annotations

import importlib.util
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from gateway import files
from gateway.operations.afar import operation
from gateway.operations.trust import expiry
from gateway.operations.trust.choosing import Place, place
from gateway.operations.trust.expiry import Check, State
from gateway.operations.trust.unrecorded import unrecorded
from gateway.store import audit, events
from gateway.store.trust import load_trusted
from gateway.workspace.entries import KeyEntry
from gateway.workspace.folder import Workspace
from keys import signer
from keys.document import body_bytes
from keys.errors import InputError, TocsinError
from keys.root import Root

GATEWAY: Final = "gateway"
_PEM_BYTES: Final = 65_536  # of a key's file
_LIBRARIES: Final = ("PIL", "luma", "pyphen", "babel")
"""What draws screens and counts words; a trimmed installation lacks it."""


_TLS: Final = {"device-ca": "ca.pem", "tls-gateway": "gateway.pem", "tls-broker": "broker.pem"}
"""Private key in ``keys/`` -> its certificate in ``tls/``. No root lists these: they open a broker's door."""


@dataclass(frozen=True, slots=True)
class _Case:
    """What every check looks at."""

    workspace: Workspace
    now: int
    """UTC seconds."""


def _ok(name: str, message: str) -> Check:
    return Check(name, State.OK, message)


def _roots(case: _Case) -> Iterator[Check]:
    root = case.workspace.trusted().root
    yield from expiry.of_root(root, case.now) or [_ok("root", f"Root {root.version} is whole and not over.")]


def _clock(case: _Case) -> Iterator[Check]:
    root = case.workspace.trusted().root
    if case.now < root.issued:
        message = f"This machine's clock is before the time at which root {root.version} was issued."
        yield Check(
            "clock", State.FAIL, message, "CLOCK_BEHIND", "Set the clock: what is signed now is refused."
        )
    else:
        yield _ok("clock", "The clock is not before the newest root.")


def _store(case: _Case) -> Iterator[Check]:
    with case.workspace.store() as store:
        audit.verify_chain(store)
        with store.read() as session:
            events.verify(session)
        with store.read() as session:
            stored = [row.digest for row in session.documents(Root.TYPE)]
            if stored:
                load_trusted(session, store.where)
            dated = list(expiry.of_documents(session, case.now))
    yield _ok("store", "The store and its audit chain are whole.")
    kept = [Root.TYPE for _ in case.workspace.root_documents()]
    if len(kept) < len(stored):
        message = f"The folder holds {len(kept)} roots, the store {len(stored)}."
        yield Check("roots", State.FAIL, message, "ROOT_LOST", "Bring them back with 'tocsin root restore'.")
    elif len(kept) > len(stored):
        message = f"The folder holds {len(kept)} roots, the store only {len(stored)}."
        mend = "Restore the store from a newer copy: it lost what was published since."
        yield Check("roots", State.FAIL, message, "STORE_BEHIND", mend)
    yield from dated or [_ok("documents", "Catalogues and timestamps are not about to be over.")]


def _recorded(case: _Case) -> Iterator[Check]:
    """Hold the workspace's files against what the audit chain says was done to them."""
    if case.workspace.settings.exercise:
        return
    with case.workspace.store() as store, store.read() as session:
        found = list(unrecorded(case.workspace, session))
    if found:
        message = f"The audit chain does not say who made these: {', '.join(what for what, _ in found)}."
        commands = ", ".join(f"'{command}'" for command in dict.fromkeys(command for _, command in found))
        mend = f"If it was you, give the command again, as it was: {commands}. If nobody did: revoke the key."
        yield Check("chain", State.WARN, message, "UNRECORDED", mend)
    else:
        yield _ok("chain", "Every key and every signature here stands in the audit chain.")


def _policy(case: _Case) -> Iterator[Check]:
    """Compare what the next root would say with what the newest says."""
    workspace = case.workspace
    rows, entries = workspace.policy(), list(workspace.key_entries().values())
    root = workspace.trusted().root
    wanted = {entry.public.thumbprint: entry for entry in entries if entry.revoked is None}
    lingering = [e.name for e in entries if e.revoked is not None and e.public.thumbprint in root.by_kid]
    if lingering:
        message = f"Root {root.version} still lists what was revoked: {', '.join(lingering)}."
        mend = "Publish one without: 'tocsin root rotate'."
        yield Check("revocations", State.FAIL, message, "REVOKED_IN_ROOT", mend)
    other_rows = sorted((row.type, row.product or "") for row in rows if row not in root.policy)
    gone_rows = [row for row in root.policy if row not in rows]
    marked = root.exercise != workspace.settings.exercise
    other_keys = [entry.name for kid, entry in wanted.items() if kid not in root.by_kid]
    if other_rows or gone_rows or other_keys or marked:
        what = [f"keys {', '.join(other_keys)}"] if other_keys else []
        what += ["policy.toml"] if other_rows or gone_rows else []
        what += ["exercise mark"] if marked else []
        message = f"Root {root.version} does not know the newest {' and '.join(what)}."
        mend = "If it should: 'tocsin root rotate'."
        yield Check("policy", State.WARN, message, "ROOT_BEHIND", mend)
    else:
        yield _ok("policy", f"Root {root.version} says what keys.toml and policy.toml say.")


def _key_folder(case: _Case) -> Iterator[Check]:
    folder = case.workspace.path / "keys"
    if folder.is_dir() and stat.S_IMODE(folder.stat().st_mode) & 0o077:
        message = "Others than the owner may look into the folder of keys."
        yield Check("keys/", State.FAIL, message, "KEYS_FOLDER_OPEN", f"chmod 700 {folder}")
    unknown = sorted(path.name for path in folder.glob("*") if path.resolve() not in _known(case.workspace))
    if unknown:
        message = f"keys.toml lists none of these: {', '.join(unknown)}."
        mend = "Move them away from this machine, or destroy them."
        yield Check("keys/", State.WARN, message, "KEY_FILE_UNKNOWN", mend)
    if not unknown:
        yield _ok("keys/", "Every file in it is a key that keys.toml lists, or one for TLS.")


def _known(workspace: Workspace) -> set[Path | None]:
    """Return where the private keys lie that belong to something here."""
    tls = {
        workspace.path / "keys" / f"{key}.pem"
        for key, certificate in _TLS.items()
        if (workspace.path / "tls" / certificate).is_file()
    }
    listed = {_path(workspace, entry) for entry in workspace.key_entries().values()}
    return listed | {path.resolve() for path in tls}


def _path(workspace: Workspace, entry: KeyEntry) -> Path | None:
    scheme, _, rest = (entry.uri or "").partition(":")
    return (workspace.path / rest).resolve() if scheme == "file" else None


def _key_files(case: _Case) -> Iterator[Check]:
    for entry in case.workspace.key_entries().values():
        path = _path(case.workspace, entry)
        if path is not None and entry.revoked is None:
            yield _key_file(case.workspace, entry, path)


def _key_file(workspace: Workspace, entry: KeyEntry, path: Path) -> Check:
    name = f"key {entry.name}"
    if place(workspace, entry) is Place.MISSING:
        mend = f"Restore it; if {entry.holder} keeps it, take 'uri' out of keys.toml."
        return Check(name, State.WARN, f"Its private key is not at {path}.", "KEY_MISSING", mend)
    if stat.S_IMODE(path.stat().st_mode) & 0o077:
        message = "Others than the owner may read its private key."
        return Check(name, State.FAIL, message, "KEY_FILE_OPEN", f"chmod 600 {path}")
    if b"ENCRYPTED" not in path.read_bytes()[:_PEM_BYTES]:
        workspace.signer(entry.name, _nobody_asks)
        if not workspace.settings.exercise and GATEWAY not in entry.roles:
            message = "Its private key lies here without a passphrase."
            mend = "Keep it offline ('tocsin key new --out'), on a token, or with a passphrase."
            return Check(name, State.WARN, message, "KEY_UNENCRYPTED", mend)
        return _ok(name, "The private key is the one that keys.toml lists.")
    return _ok(name, "The private key is encrypted; whether it is the right one shows when it is used.")


def _nobody_asks(_name: str) -> bytes:
    return b""


def _separation(case: _Case) -> Iterator[Check]:
    """No machine that can use the gateway's key may be able to use another role's, but in an exercise.

    An encrypted file counts: its passphrase is typed on this machine.
    """
    workspace = case.workspace
    root = workspace.newest_root()
    exercise = root.exercise if root is not None else workspace.settings.exercise
    able = [
        entry
        for entry in workspace.key_entries().values()
        if _counts(entry, root) and _reachable(workspace, entry)
    ]
    others = [
        f"{entry.name} ({', '.join(entry.roles)})" for entry in able if set(entry.roles) - {GATEWAY}
    ] + list(_strays(workspace))
    if not any(GATEWAY in entry.roles for entry in able):
        yield _ok("separation", "This machine cannot use the gateway's key.")
    elif not others:
        yield _ok("separation", "This machine can use the gateway's key and no other.")
    elif exercise:
        yield _ok("separation", "This machine can use several roles' keys: it is an exercise.")
    else:
        message = f"This machine can use the gateway's key, and these too: {', '.join(others)}."
        mend = "Move them to the machines of their holders, and take their 'uri' out of keys.toml."
        yield Check("separation", State.FAIL, message, "GATEWAY_NOT_ALONE", mend)


def _strays(workspace: Workspace) -> Iterator[str]:
    """Name the private keys that lie in the folder of keys though ``keys.toml`` does not say so.

    A path taken out of ``keys.toml`` takes no key off the machine: ``sign-request sign`` needs only the file.
    An encrypted key does not tell whose it is, so it counts.
    """
    entries = {entry.public: entry for entry in workspace.key_entries().values()}
    known = _known(workspace)
    for path in sorted((workspace.path / "keys").rglob("*")):
        data = path.read_bytes()[:_PEM_BYTES] if path.is_file() and path.resolve() not in known else b""
        if b"PRIVATE KEY-----" not in data:
            continue
        name = str(path.relative_to(workspace.path))
        try:
            entry = entries.get(signer.from_pem(data, b"", where=name).public)
        except InputError:
            yield f"{name} (it does not tell whose)"
        else:
            if entry is not None and set(entry.roles) - {GATEWAY}:
                yield f"{name} ({', '.join(entry.roles)})"


def _counts(entry: KeyEntry, root: Root | None) -> bool:
    """Say whether a signature by this key is worth anything, now or after the next root."""
    return entry.revoked is None or (root is not None and entry.public.thumbprint in root.by_kid)


def _reachable(workspace: Workspace, entry: KeyEntry) -> bool:
    return entry.uri is not None and signer.reachable(workspace.key_uri(entry))


def _parts(case: _Case) -> Iterator[Check]:
    missing = [name for name in _LIBRARIES if importlib.util.find_spec(name) is None]
    if missing:
        message = f"Parts of the program are not installed: {', '.join(missing)}."
        yield Check("program", State.FAIL, message, "PART_MISSING", "Install tocsin again.")
    tokens = [e.name for e in case.workspace.key_entries().values() if (e.uri or "").startswith("pkcs11:")]
    if tokens and importlib.util.find_spec("pkcs11") is None:
        message = f"Keys are in a token ({', '.join(tokens)}), but what speaks to tokens is not installed."
        yield Check("program", State.FAIL, message, "PKCS11_MISSING", "pip install 'tocsin[pkcs11]'")
    elif not missing:
        yield _ok("program", "Everything that it needs is installed.")


def _draft(case: _Case) -> Iterator[Check]:
    path = case.workspace.path / "roots" / "draft.cbor"
    document = path.with_suffix(".cose")
    if document.exists() and path.exists():
        same = body_bytes(document.read_bytes()) == path.read_bytes()
        if not same:
            message = "The draft of a root and its signatures do not belong together."
            yield Check("draft", State.WARN, message, "DRAFT_DAMAGED", "Draft again with --restart.")
            return
    if path.exists():
        files.read_stored(path, what="draft", mend="Then draft again if you had one.")
        message = "A draft of a root waits to be signed and published."
        yield Check("draft", State.WARN, message, "DRAFT_WAITS", "See 'tocsin root show'.")


_CHECKS: Final[tuple[tuple[str, Callable[[_Case], Iterator[Check]]], ...]] = (
    ("root", _roots),
    ("draft", _draft),
    ("clock", _clock),
    ("policy", _policy),
    ("store", _store),
    ("chain", _recorded),
    ("keys/", _key_folder),
    ("keys", _key_files),
    ("separation", _separation),
    ("program", _parts),
)


@operation("GET", "/doctor", right="store:read")
def examine(workspace: Workspace, *, now: int) -> list[Check]:
    """Run every check; what keeps one from being made is its result.

    Args:
        workspace: where.
        now: UTC seconds.
    """
    case = _Case(workspace, now)
    found: list[Check] = []
    for name, check in _CHECKS:
        try:
            found += check(case)
        except TocsinError as error:
            # A workspace that has no root yet is not damaged, only unfinished.
            state = State.WARN if isinstance(error, InputError) and error.code == "NO_ROOT" else State.FAIL
            place_ = f"{error.where}: " if error.where else ""
            found.append(Check(name, state, f"{place_}{error.message}", error.code, error.mend))
        except OSError as error:
            message = f"{error.filename or ''}: {error.strerror}."
            mend = "Check the file and its rights."
            found.append(Check(name, State.FAIL, message, "FILE", mend))
    return found
