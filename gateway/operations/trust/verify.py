"""``tocsin verify``: is this file genuine? Offline: the roots and the file's own bytes are all it takes."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Final

import cbor2

from advisories import suit
from advisories.catalogue import Catalogue, Devices, Timestamp
from advisories.notice import Notice, check_code
from advisories.offer import Answer, Offer
from gateway.operations.trust.signing import Signed
from keys import cose
from keys.cbor import decode
from keys.codec import unpack
from keys.document import open_document, peek, typ
from keys.errors import InputError, RefusedError
from keys.reasons import Reason
from keys.root import Body, Root, RootKey
from keys.trusted import TrustedSet

_SUIT_TAG: Final = 107
_TYPES: Final[Mapping[str, type[Body]]] = {
    typ(cls.TYPE): cls for cls in (Root, Notice, Devices, Catalogue, Timestamp, Offer, Answer)
}


class Verdict(StrEnum):
    """What a file turned out to be."""

    GENUINE = "genuine"
    ALTERED = "altered"
    UNKNOWN_SIGNER = "unknown signer"
    NOT_ENOUGH = "not enough signatures"
    EXPIRED = "expired"
    REFUSED = "refused"


_VERDICTS: Final = {
    Reason.BAD_SIGNATURE: Verdict.ALTERED,
    Reason.DIGEST_MISMATCH: Verdict.ALTERED,
    Reason.UNKNOWN_KEY: Verdict.UNKNOWN_SIGNER,
    Reason.THRESHOLD_NOT_MET: Verdict.NOT_ENOUGH,
    Reason.EXPIRED: Verdict.EXPIRED,
}


@dataclass(frozen=True, slots=True)
class Verified:
    """The verdict on a file, and what it says about itself; only GENUINE makes that worth believing."""

    verdict: Verdict
    reason: Reason
    detail: str
    type: str
    signed: tuple[Signed, ...] = ()
    """Whose signatures are right."""
    digest: str = ""
    check_code: str = ""
    """For a notice: what people compare."""
    subject: tuple[str, ...] = ()
    name: str = ""
    """Advisory id and revision of a notice, sequence of a patch."""
    version: int | None = None
    issued: int | None = None
    """UTC seconds; the signers signed this time together with everything else."""
    expires: int | None = None
    """UTC seconds."""


def verify(
    data: bytes, trusted: TrustedSet, *, now: int, classes: Mapping[bytes, str] | None = None, where: str = ""
) -> Verified:
    """Judge a signed document or a SUIT envelope.

    Args:
        data: untrusted bytes.
        trusted: the fleet's roots.
        now: UTC seconds.
        classes: SUIT class id -> product, where known; decides whose policy row counts.
        where: the file's name, for messages.

    Raises:
        InputError: NOT_A_DOCUMENT, when it is none of the things that Tocsin signs.
    """
    try:
        value = decode(data)
    except RefusedError:
        value = None
    if isinstance(value, cbor2.CBORTag) and value.tag == _SUIT_TAG:
        return _patch(data, trusted.root, classes or {})
    try:
        message = cose.parse(data, cose.TAG_SIGN)
        cls = _TYPES[message.header[cose.TYP]]
    except (RefusedError, KeyError, TypeError):
        raise InputError(
            "NOT_A_DOCUMENT",
            "This is not a document that Tocsin signs, or it is cut off or altered beyond reading.",
            mend="Name a .cose or .suit file.",
            where=where,
        ) from None
    return _document(data, message, cls, trusted, now)


def _document(data: bytes, message: cose.Message, cls: type[Body], trusted: TrustedSet, now: int) -> Verified:
    payload = message.payload or b""
    digest = hashlib.sha256(payload).digest()
    found = Verified(Verdict.GENUINE, Reason.OK, "", cls.TYPE, digest=digest.hex())
    try:
        body = unpack(cls, decode(payload))
    except RefusedError as error:
        return _refused(found, error)
    code = check_code(digest) if cls is Notice else ""
    name = f"{body.id} revision {body.revision}" if isinstance(body, Notice) else ""
    found = replace(
        found,
        check_code=code,
        name=name,
        subject=body.subject,
        version=body.version,
        issued=body.issued,
        expires=body.expires,
        signed=_signers(message, payload, trusted.root),
    )
    try:
        if isinstance(body, Root):
            _judge_root(data, body, trusted, now)
        else:
            product = getattr(body, "product", None)
            for subject in body.subject or (None,):
                open_document(
                    data, cls, trusted.root, fleet=trusted.fleet, subject=subject, product=product, now=now
                )
    except RefusedError as error:
        return _refused(found, error)
    return found


def _judge_root(data: bytes, body: Root, trusted: TrustedSet, now: int) -> None:
    """Accept a root that is trusted, or that follows the trusted one."""
    if body.version == trusted.root.version:
        if peek(data, Root) != peek(trusted.root_document, Root):
            raise RefusedError(Reason.EQUIVOCATION, f"another root {body.version} is trusted")
        fleet = b"" if body.version == 1 else trusted.fleet
        open_document(data, Root, trusted.root, fleet=fleet, now=now)
        return
    TrustedSet.load(trusted.dump()).update_root(data, now)


def _signers(message: cose.Message, payload: bytes, root: Root) -> tuple[Signed, ...]:
    """Return whose signatures are right, passing over those that are not."""
    found = []
    for signature in message.signatures:
        entry = root.by_kid.get(signature.kid or b"")
        if entry is not None and _is_right(message, signature, entry, payload):
            found.append(Signed.by(entry))
    return tuple(dict.fromkeys(found))


def _is_right(message: cose.Message, signature: cose.Signature, entry: RootKey, payload: bytes) -> bool:
    try:
        cose.check(message, signature, entry.key, payload=payload)
    except RefusedError:
        return False
    return True


def _patch(data: bytes, root: Root, classes: Mapping[bytes, str]) -> Verified:
    found = Verified(Verdict.GENUINE, Reason.OK, "", "patch")
    try:
        patch = suit.peek(data)
        product = classes.get(patch.class_id, "")
        found = replace(
            found,
            digest=patch.digest.hex(),
            name=f"sequence {patch.sequence}",
            version=patch.sequence,
            subject=(product,) if product else (),
        )
        opened = suit.open_envelope(data, root, product=product)
    except RefusedError as error:
        return _refused(found, error)
    return replace(found, signed=tuple(Signed.by(root.by_kid[kid]) for kid in opened.signed))


def _refused(found: Verified, error: RefusedError) -> Verified:
    verdict: Any = _VERDICTS.get(error.reason, Verdict.REFUSED)
    return replace(found, verdict=verdict, reason=error.reason, detail=error.detail or error.reason.means)
