"""What root, advisory and patch have in common: whose signatures are on it, and who is missing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from gateway.workspace.folder import Workspace
from keys import cose
from keys.algorithms import PublicKey
from keys.document import body_bytes
from keys.errors import InputError, RefusedError
from keys.reasons import Reason
from keys.root import Root, RootKey
from keys.signer import Signer


@dataclass(frozen=True, slots=True)
class Signed:
    """One verified signature: whose, and what the holder may do by the root."""

    kid: str
    """First 16 hex digits of the key's thumbprint."""
    holder: str
    roles: tuple[str, ...]

    @staticmethod
    def by(entry: RootKey) -> Signed:
        """Describe the holder of a root's key."""
        return Signed(entry.key.thumbprint.hex()[:16], entry.holder, entry.roles)


@dataclass(frozen=True, slots=True)
class GivenSigner:
    """Stands in for a signer who has signed elsewhere: whoever uses it verifies what it gives."""

    public: PublicKey
    value: bytes

    def sign(self, _data: bytes) -> bytes:
        """Return the signature that was given."""
        return self.value


@dataclass(frozen=True, slots=True)
class Approvals:
    """Who signed, and for which roles holders are still missing."""

    signed: tuple[Signed, ...]
    missing: tuple[str, ...]


def verified(document: bytes, root: Root) -> tuple[bytes, ...]:
    """Return the thumbprints of the root's keys whose signatures on a COSE_Sign are right.

    Raises:
        RefusedError: MALFORMED; BAD_SIGNATURE or ALGORITHM_MISMATCH when one of the root's keys is
            named beside a wrong signature.
    """
    message = cose.parse(document, cose.TAG_SIGN)
    found = []
    for signature in message.signatures:
        entry = root.by_kid.get(signature.kid or b"")
        if entry is not None:
            cose.check(message, signature, entry.key, payload=body_bytes(document))
            found.append(entry.key.thumbprint)
    return tuple(dict.fromkeys(found))


def approvals(root: Root, kids: tuple[bytes, ...], demands: Mapping[str, int]) -> Approvals:
    """Sum up verified signatures under a policy row."""
    signed = tuple(Signed.by(root.by_kid[kid]) for kid in kids)
    return Approvals(signed, tuple(root.missing(demands, kids)))


def sign(document: bytes | None, body: bytes, typ: str, signer: Signer) -> bytes:
    """Return the document with one more signature, or the first one over ``body``."""
    return cose.sign(body, [signer], typ=typ) if document is None else cose.add_signature(document, signer)


def missing_error(found: Approvals, command: str, workspace: Workspace) -> RefusedError:
    """Return the refusal for signatures that are missing, with the command that brings each.

    Args:
        found: who signed and who is missing.
        command: e.g. ``tocsin patch approve 7``, to which ``--key NAME`` is added.
        workspace: whose keys are named.
    """
    done = {signed.kid for signed in found.signed}
    hints = []
    for role in dict.fromkeys(found.missing):
        able = (e.name for e in workspace.key_entries().values() if role in e.roles and e.kid not in done)
        hints.append(f"'{command} --key {next(able, 'NAME')}'")
    error = RefusedError(Reason.THRESHOLD_NOT_MET, f"no signature for {', '.join(found.missing)}")
    error.mend = f"Get it with {' and '.join(hints)}."
    return error


def require_role(workspace: Workspace, root: Root, key: str, roles: set[str]) -> None:
    """Refuse a key that could not help, before its passphrase is asked.

    Raises:
        InputError: NO_KEY, KEY_NOT_IN_ROOT, WRONG_ROLE.
    """
    require_say(root, workspace.key(key).public, roles, name=key)


def require_say(root: Root, public: PublicKey, roles: set[str], *, name: str = "") -> None:
    """Refuse a key that a root lets say nothing in this.

    Args:
        root: the root that counts.
        public: the key.
        roles: those of which it must have one.
        name: what people call the key; its thumbprint if left out.

    Raises:
        InputError: KEY_NOT_IN_ROOT, WRONG_ROLE.
    """
    name = name or public.thumbprint.hex()[:16]
    known = root.by_kid.get(public.thumbprint)
    if known is None:
        raise InputError(
            "KEY_NOT_IN_ROOT",
            f"Root {root.version} does not list the key '{name}'.",
            mend="Publish a root that does: 'tocsin root rotate', 'root sign', 'root publish'.",
        )
    if not roles & set(known.roles):
        raise InputError(
            "WRONG_ROLE",
            f"The key '{name}' ({', '.join(known.roles)}) has no say in this.",
            mend=f"A key of {' or '.join(sorted(roles))} is needed.",
        )
