"""The SUIT envelope: who signed which manifest, and which members travel beside it.

Decides structure and signatures only; what a manifest says is :mod:`advisories.suit.manifest`, and
who must have signed is :mod:`advisories.suit.patch`. Checked on the draft's examples: the manifest
digest covers the manifest's byte string *including* its CBOR head, as do the digests of severed
members; a block's payload is nil, and the detached payload is the content of the digest's byte string.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import cbor2

from advisories.limits import PATCH_BYTES_MAX
from advisories.suit.numbers import SEVERABLE, SHA256, TAG_ENVELOPE, EnvelopeKey
from keys import cose
from keys.algorithms import PublicKey
from keys.cbor import decode as decode_cbor
from keys.cbor import encode as encode_cbor
from keys.errors import RefusedError
from keys.limits import SIGNATURES_MAX
from keys.reasons import Reason
from keys.signer import Signer

_DIGEST_BYTES: Final = 32


@dataclass(frozen=True, slots=True)
class Envelope:
    """A decoded envelope; nothing in it has been verified."""

    digest: bytes
    """The SHA-256 that the authentication wrapper states: 32 bytes."""
    blocks: tuple[bytes, ...]
    """Authentication blocks, each a COSE structure in its own bytes."""
    manifest: bytes
    """Content of the manifest's byte string."""
    severed: Mapping[int, bytes] = field(default_factory=dict)
    """Severable members that travel beside the manifest, by their number."""
    payloads: Mapping[str, bytes] = field(default_factory=dict)
    """Integrated payloads by name (``#name``)."""

    @property
    def signed_bytes(self) -> bytes:
        """What every block signs: the encoded SUIT_Digest."""
        return encode_cbor([SHA256, self.digest])


def digest_of(content: bytes) -> bytes:
    """Return the SHA-256 of a byte string with this content, its CBOR head included: 32 bytes."""
    return hashlib.sha256(encode_cbor(content)).digest()


def read_digest(value: Any) -> bytes:
    """Return the 32 bytes of a decoded SUIT_Digest.

    Raises:
        RefusedError: MALFORMED, or UNSUPPORTED for another algorithm than SHA-256.
    """
    match value:
        case [int() as algorithm, bytes() as digest]:
            if algorithm != SHA256:
                raise RefusedError(Reason.UNSUPPORTED, f"digest algorithm {algorithm}")
            if len(digest) == _DIGEST_BYTES:
                return digest
    raise RefusedError(Reason.MALFORMED, "not a SUIT_Digest")


def decode(data: bytes) -> Envelope:
    """Decode an envelope without verifying anything.

    Deterministic CBOR puts the authentication wrapper before the manifest, so the order needs no
    check of its own.

    Args:
        data: untrusted bytes, at most ``PATCH_BYTES_MAX``.

    Raises:
        RefusedError: TOO_BIG, MALFORMED, or UNSUPPORTED for a member or digest algorithm we do not know.
    """
    value = decode_cbor(data, size_max=PATCH_BYTES_MAX)
    if not isinstance(value, cbor2.CBORTag) or value.tag != TAG_ENVELOPE:
        raise RefusedError(Reason.MALFORMED, f"not tagged {TAG_ENVELOPE}")
    members = value.value
    if not isinstance(members, Mapping) or not all(type(v) is bytes for v in members.values()):
        raise RefusedError(Reason.MALFORMED, "an envelope is a map of byte strings")
    severed: dict[int, bytes] = {}
    payloads: dict[str, bytes] = {}
    for key, content in members.items():
        if type(key) is str:
            payloads[key] = content
        elif type(key) is int and key in SEVERABLE:
            severed[key] = content
        elif key not in {EnvelopeKey.AUTHENTICATION, EnvelopeKey.MANIFEST}:
            raise RefusedError(Reason.UNSUPPORTED, f"envelope member {key!r}")
    try:
        wrapper, manifest = members[EnvelopeKey.AUTHENTICATION], members[EnvelopeKey.MANIFEST]
    except KeyError:
        raise RefusedError(Reason.MALFORMED, "no authentication wrapper or no manifest") from None
    digest, blocks = _wrapper(wrapper)
    return Envelope(digest, blocks, manifest, severed, payloads)


def _wrapper(data: bytes) -> tuple[bytes, tuple[bytes, ...]]:
    value = decode_cbor(data, size_max=PATCH_BYTES_MAX)
    if not isinstance(value, list) or not value or not all(type(item) is bytes for item in value):
        raise RefusedError(Reason.MALFORMED, "the authentication wrapper is not a list of byte strings")
    digest, *blocks = value
    if len(blocks) > SIGNATURES_MAX:
        raise RefusedError(Reason.MALFORMED, f"{len(blocks)} signatures, at most {SIGNATURES_MAX}")
    return read_digest(decode_cbor(digest, size_max=PATCH_BYTES_MAX)), tuple(blocks)


def encode(envelope: Envelope) -> bytes:
    """Return the deterministic bytes of an envelope.

    Raises:
        RefusedError: TOO_BIG above ``PATCH_BYTES_MAX``.
    """
    members: dict[int | str, bytes] = {
        EnvelopeKey.AUTHENTICATION.value: encode_cbor([envelope.signed_bytes, *envelope.blocks]),
        EnvelopeKey.MANIFEST.value: envelope.manifest,
    }
    members.update(envelope.severed.items())
    members.update(envelope.payloads.items())
    data = encode_cbor(cbor2.CBORTag(TAG_ENVELOPE, members))
    if len(data) > PATCH_BYTES_MAX:
        raise RefusedError(Reason.TOO_BIG, f"{len(data)} bytes, at most {PATCH_BYTES_MAX}")
    return data


def check_digest(envelope: Envelope) -> None:
    """Compare the stated digest with the manifest.

    Raises:
        RefusedError: DIGEST_MISMATCH.
    """
    if digest_of(envelope.manifest) != envelope.digest:
        raise RefusedError(Reason.DIGEST_MISMATCH, "the signed digest is not the manifest's")


def manifest_digest(envelope: bytes) -> bytes:
    """Return the patch digest of an encoded envelope, 32 bytes, WITHOUT verifying any signature.

    Raises:
        RefusedError: TOO_BIG, MALFORMED, UNSUPPORTED or DIGEST_MISMATCH.
    """
    decoded = decode(envelope)
    check_digest(decoded)
    return decoded.digest


def read_block(block: bytes) -> cose.Message | None:
    """Return a block's COSE_Sign1, or None for one of another kind, which a recipient passes over.

    Raises:
        RefusedError: MALFORMED, or UNSUPPORTED for a critical header we do not know.
    """
    value = decode_cbor(block, size_max=PATCH_BYTES_MAX)
    if not isinstance(value, cbor2.CBORTag):
        raise RefusedError(Reason.MALFORMED, "a block is not a tagged COSE structure")
    return (
        cose.parse(block, cose.TAG_SIGN1, size_max=PATCH_BYTES_MAX) if value.tag == cose.TAG_SIGN1 else None
    )


def block_kids(envelope: Envelope) -> tuple[bytes, ...]:
    """Return the key identifiers that the blocks name WITHOUT verifying anything.

    Raises:
        RefusedError: of :func:`read_block`.
    """
    messages = (read_block(block) for block in envelope.blocks)
    kids = (message.signatures[0].kid for message in messages if message is not None)
    return tuple(kid for kid in kids if kid is not None)


def verify_blocks(
    envelope: Envelope, keys: Iterable[PublicKey], *, deprecated: bool = False, anonymous: bool = False
) -> tuple[bytes, ...]:
    """Return the thumbprints of those ``keys`` that signed the envelope's digest, each once.

    A block of another kind, or with a key identifier that is not among ``keys``, is passed over.

    Args:
        envelope: whose digest must have been signed.
        keys: the keys that count.
        deprecated: also accept the labels -7 and -8.
        anonymous: also try a block without a key identifier with each key, as other makers write them.

    Raises:
        RefusedError: BAD_SIGNATURE or ALGORITHM_MISMATCH when a block that names one of the keys is not
            right, MALFORMED when a block is not well formed or its payload is attached.
    """
    known = {key.thumbprint: key for key in keys}
    signed: list[bytes] = []
    for block in envelope.blocks:
        message = read_block(block)
        if message is None:
            continue
        kid = message.signatures[0].kid
        if kid in known:
            _check(message, block, known[kid], envelope, deprecated=deprecated)
        elif kid is None and anonymous:
            kid = _match(message, block, known.values(), envelope, deprecated=deprecated)
        if kid in known and kid not in signed:
            signed.append(kid)
    return tuple(signed)


def _check(
    message: cose.Message, block: bytes, key: PublicKey, envelope: Envelope, *, deprecated: bool
) -> None:
    if message.payload is not None:
        raise RefusedError(Reason.MALFORMED, "the payload is attached to a block")
    if decode_cbor(block).value[1]:
        raise RefusedError(Reason.MALFORMED, "a block has unprotected headers")
    cose.check(message, message.signatures[0], key, payload=envelope.signed_bytes, deprecated=deprecated)


def _match(
    message: cose.Message, block: bytes, keys: Iterable[PublicKey], envelope: Envelope, *, deprecated: bool
) -> bytes | None:
    for key in keys:
        try:
            _check(message, block, key, envelope, deprecated=deprecated)
        except RefusedError:
            continue
        return key.thumbprint
    return None


def add_block(envelope: Envelope, signer: Signer) -> Envelope:
    """Return ``envelope`` with one more block; a key that already signed changes nothing.

    Raises:
        RefusedError: BAD_SIGNATURE or ALGORITHM_MISMATCH when this key's block is there and wrong,
            MALFORMED when there are as many blocks as may be.
    """
    if verify_blocks(envelope, [signer.public]):
        return envelope
    if len(envelope.blocks) >= SIGNATURES_MAX:
        raise RefusedError(Reason.MALFORMED, f"{SIGNATURES_MAX} signatures are there already")
    block = cose.sign1(envelope.signed_bytes, signer, detached=True)
    return Envelope(
        envelope.digest, (*envelope.blocks, block), envelope.manifest, envelope.severed, envelope.payloads
    )
