"""Signed documents: a body in COSE_Sign, genuine when the root's policy says so.

:func:`open_document` is the only way from bytes to a body that may be believed. Its steps are
numbered; each fails closed. Versions, freshness and what was accepted before are the business of
:mod:`keys.trusted`.

The *digest* of a document is the SHA-256 of its body bytes: it does not change as signatures are
added, so approvals, catalogues and check codes can name it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from keys import cose
from keys.algorithms import VERIFIED, Algorithm
from keys.codec import dump, load
from keys.errors import RefusedError
from keys.limits import DOCUMENT_BYTES_MAX, SIGNATURES_BYTES_MAX
from keys.reasons import Reason
from keys.root import Body, Root
from keys.signer import Signer

B = TypeVar("B", bound=Body)


@dataclass(frozen=True, slots=True)
class Genuine(Generic[B]):
    """A body that its root's policy authorised."""

    body: B
    digest: bytes
    """SHA-256 of the body bytes."""
    signed: tuple[bytes, ...]
    """Thumbprints of the root's keys whose signatures were verified."""
    demands: dict[str, int]
    """Role -> threshold: what the root demands of it, and those signatures meet."""


def typ(type_: str) -> str:
    """Return the ``typ`` header value of a document type."""
    return f"tocsin/{type_}"


def seal(body: Body, signers: Sequence[Signer]) -> bytes:
    """Return the document: ``body`` signed by each signer."""
    return cose.sign(dump(body), signers, typ=typ(body.type))


def body_bytes(document: bytes) -> bytes:
    """Return the body bytes of a document WITHOUT verifying anything.

    Raises:
        RefusedError: TOO_BIG or MALFORMED.
    """
    payload = cose.parse(document, cose.TAG_SIGN, size_max=DOCUMENT_BYTES_MAX).payload
    if payload is None:
        raise RefusedError(Reason.MALFORMED, "payload is detached")
    return payload


def digest(document: bytes) -> bytes:
    """Return the digest of a document (SHA-256 of its body bytes) WITHOUT verifying anything."""
    return hashlib.sha256(body_bytes(document)).digest()


def peek(document: bytes, cls: type[B]) -> B:
    """Decode a document's body WITHOUT verifying it; for showing and signing, never for believing."""
    return load(cls, body_bytes(document), size_max=cls.BYTES_MAX)


def size_max(cls: type[Body]) -> int:
    """Return how many bytes a document of this type may have: its body and all signatures."""
    return min(cls.BYTES_MAX + SIGNATURES_BYTES_MAX, DOCUMENT_BYTES_MAX)


def open_document(
    document: bytes,
    cls: type[B],
    root: Root,
    *,
    fleet: bytes,
    subject: str | None = None,
    product: str | None = None,
    now: int | None = None,
    algorithms: Container[Algorithm] = VERIFIED,
) -> Genuine[B]:
    """Verify a document against a root and return its body.

    Args:
        document: untrusted bytes.
        cls: the body type that belongs here.
        root: the trusted root.
        fleet: digest of root 1 of this fleet (empty while opening root 1 itself).
        subject: a product or device id that the document must be about; None compares nothing.
        product: whose policy row to use, where that is not ``subject`` itself. With neither, the rows of
            all the body's subjects must be met.
        now: UTC seconds; None skips the expiry (a device without any idea of time).
        algorithms: what this reader can verify with; other signatures are passed over.

    Raises:
        RefusedError: with the reason of the first step that failed.
    """
    # 1. Size, before anything is decoded.
    # 2. Structure: one tagged COSE_Sign in deterministic CBOR, payload attached.
    #    Nothing unsigned: what the unprotected headers could carry would be anybody's words.
    message = cose.parse(document, cose.TAG_SIGN, size_max=size_max(cls), unprotected=False)
    if message.payload is None:
        raise RefusedError(Reason.MALFORMED, "payload is detached")
    # 3. Type, from the protected header: keeps one type's signature from serving another.
    if message.header.get(cose.TYP) != typ(cls.TYPE):
        raise RefusedError(Reason.WRONG_TYPE, f"expected {typ(cls.TYPE)}")
    # 4. Signatures: at least one by a key of the root, and none of those may be wrong.
    signed, passed = _verified(message, message.payload, root, algorithms)
    # 5. Meaning: only now is the body decoded, and every statement in it compared.
    body = load(cls, message.payload, size_max=cls.BYTES_MAX)
    _compare(body, cls, fleet, subject)
    # 6. Policy: enough different holders for every role of the row.
    demands = root.demanded(body, product or subject)
    require_met(root, demands, signed, passed, body.author)
    # 7. Time.
    if now is not None and body.expires is not None and now >= body.expires:
        raise RefusedError(Reason.EXPIRED, f"at {body.expires}, now {now}")
    return Genuine(body, hashlib.sha256(message.payload).digest(), signed, demands)


def require_met(
    root: Root,
    demands: Mapping[str, int],
    signed: Sequence[bytes],
    passed: Sequence[bytes],
    author: tuple[str, str] | None = None,
) -> None:
    """Refuse signatures that do not meet a row.

    Args:
        root: whose keys count.
        demands: role -> threshold.
        signed: thumbprints of keys whose signatures have been verified.
        passed: thumbprints of keys named beside a signature that this reader has no algorithm for.
        author: of :meth:`keys.root.Root.missing`.

    Raises:
        RefusedError: UNSUPPORTED when the signatures passed over, if right, would meet the row;
            THRESHOLD_NOT_MET otherwise.
    """
    missing = root.missing(demands, signed, author)
    if missing:
        unread = passed and not root.missing(demands, [*signed, *passed], author)
        reason = Reason.UNSUPPORTED if unread else Reason.THRESHOLD_NOT_MET
        why = "no algorithm to check the signature" if unread else "no signature"
        raise RefusedError(reason, f"{why} for {', '.join(missing)}")


def _verified(
    message: cose.Message, payload: bytes, root: Root, algorithms: Container[Algorithm]
) -> tuple[tuple[bytes, ...], tuple[bytes, ...]]:
    """Return the thumbprints of root keys that signed, and of those that this reader cannot check.

    A signature by an unknown key is passed over, not refused.
    """
    signed: list[bytes] = []
    passed: list[bytes] = []
    around = message.around(payload)
    for signature in message.signatures:
        kid = signature.kid or b""
        entry = root.by_kid.get(kid)
        if entry is None or kid in signed:
            continue
        if entry.key.algorithm not in algorithms:
            passed.append(kid)
            continue
        cose.check_around(signature, entry.key, around)
        signed.append(kid)
    if not signed:
        raise RefusedError(Reason.UNSUPPORTED if passed else Reason.UNKNOWN_KEY)
    return tuple(signed), tuple(passed)


def _compare(body: Body, cls: type[Any], fleet: bytes, subject: str | None) -> None:
    if body.type != cls.TYPE:
        raise RefusedError(Reason.WRONG_TYPE, f"body says {body.type}, expected {cls.TYPE}")
    if body.fleet != fleet:
        raise RefusedError(Reason.WRONG_FLEET, f"expected {fleet.hex()[:16]}, got {body.fleet.hex()[:16]}")
    if subject is not None and subject not in body.subject:
        raise RefusedError(Reason.WRONG_SUBJECT, f"expected {subject}, got {', '.join(body.subject)}")
