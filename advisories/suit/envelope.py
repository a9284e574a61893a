"""The SUIT envelope: who signed which manifest, and which members travel beside it.

Decides structure and signatures only; what a manifest says is :mod:`advisories.suit.manifest`, and
who must have signed is :mod:`advisories.suit.patch`. Checked on the draft's examples: the manifest
digest covers the manifest's byte string *including* its CBOR head, as do the digests of severed
members; a block's payload is nil, and the detached payload is the content of the digest's byte string.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Final, NamedTuple

import cbor2

from advisories.limits import ENVELOPE_BYTES_MAX, PATCH_BYTES_MAX
from advisories.suit import reading
from advisories.suit.numbers import TAG_ENVELOPE, EnvelopeKey
from advisories.suit.reading import ARRAY, DIGEST_HEAD, MAP, TEXT, WRAPPED_DIGEST_HEAD, refuse
from keys import cose
from keys.algorithms import PublicKey
from keys.cbor import bstr, read_bytes
from keys.cbor import decode as decode_cbor
from keys.cbor import encode as encode_cbor
from keys.errors import RefusedError
from keys.limits import SIGNATURES_MAX
from keys.reasons import Reason
from keys.signer import Signer

_TAG: Final = b"\xd8\x6b"  # 107
_SIGN1: Final = b"\xd2"  # tag 18
_EMPTY_MAP: Final = 0xA0


class Envelope(NamedTuple):
    """A decoded envelope; nothing in it has been verified."""

    digest: bytes
    """The SHA-256 that the authentication wrapper states: 32 bytes."""
    blocks: tuple[bytes, ...]
    """Authentication blocks, each a COSE structure in its own bytes."""
    manifest: bytes
    """Content of the manifest's byte string."""
    severed: Mapping[int, bytes] = MappingProxyType({})
    """Severable members that travel beside the manifest, by their number."""
    payloads: Mapping[str, bytes] = MappingProxyType({})
    """Integrated payloads by name (``#name``)."""

    @property
    def signed_bytes(self) -> bytes:
        """What every block signs: the encoded SUIT_Digest."""
        return DIGEST_HEAD + self.digest


def digest_of(content: bytes) -> bytes:
    """Return the SHA-256 of a byte string with this content, its CBOR head included: 32 bytes."""
    return hashlib.sha256(bstr(content)).digest()


def decode(data: bytes) -> Envelope:
    """Decode an envelope without verifying anything.

    The keys of its map rise, so the authentication wrapper comes before the manifest.

    Args:
        data: untrusted bytes, at most ``ENVELOPE_BYTES_MAX``, and ``PATCH_BYTES_MAX`` without the
            integrated payloads.

    Raises:
        RefusedError: TOO_BIG, MALFORMED, or UNSUPPORTED for a member or digest algorithm we do not know.
    """
    if len(data) > ENVELOPE_BYTES_MAX:
        raise RefusedError(Reason.TOO_BIG, f"{len(data)} bytes, at most {ENVELOPE_BYTES_MAX}")
    try:
        return _decode(data)
    except IndexError:
        refuse("the envelope is cut off")
    except UnicodeDecodeError:
        refuse("the name of a payload is not UTF-8")


def _decode(data: bytes) -> Envelope:
    if data[:2] != _TAG:
        refuse(f"not tagged {TAG_ENVELOPE}")
    members: dict[int, bytes] = {}
    payloads: dict[str, bytes] = {}
    beside = 0  # bytes of integrated payloads
    size, p = reading.count(data, 2, MAP, "an envelope is a map of byte strings")
    last = -1
    for _ in range(size):
        number = data[p]
        if number >= 24:
            beside -= p
            p = _payload(data, p, payloads)
            beside += p
            continue
        if number <= last or payloads:
            refuse("the envelope: keys twice or out of order")
        last = number
        if number not in _MEMBERS:
            raise RefusedError(Reason.UNSUPPORTED, f"envelope member {number}")
        members[number], p = read_bytes(data, p + 1)
    if p != len(data):
        refuse(f"{len(data) - p} bytes after the end")
    if len(data) - beside > PATCH_BYTES_MAX:
        raise RefusedError(Reason.TOO_BIG, f"{len(data) - beside} bytes, at most {PATCH_BYTES_MAX}")
    wrapper, manifest = members.pop(_AUTHENTICATION, None), members.pop(_MANIFEST, None)
    if wrapper is None or manifest is None:
        refuse("no authentication wrapper or no manifest")
    digest, blocks = _wrapper(wrapper)
    return Envelope(digest, blocks, manifest, members, payloads)


def _payload(data: bytes, p: int, payloads: dict[str, bytes]) -> int:
    """Read an integrated payload with its name; shorter names come first, then in their bytes' order."""
    if not TEXT <= data[p] < TEXT + 28:
        strange, _ = reading.anything(data, p)
        raise RefusedError(Reason.UNSUPPORTED, f"envelope member {strange!r}")
    name, p = reading.text(data, p)
    this, last = name.encode(), next(reversed(payloads), "").encode()
    if payloads and (len(this), this) <= (len(last), last):
        refuse("the envelope: keys twice or out of order")
    payloads[name], p = read_bytes(data, p)
    return p


_AUTHENTICATION: Final = EnvelopeKey.AUTHENTICATION.value
_MANIFEST: Final = EnvelopeKey.MANIFEST.value
_MEMBERS: Final = frozenset(key.value for key in EnvelopeKey)


def _wrapper(data: bytes) -> tuple[bytes, tuple[bytes, ...]]:
    what = "the authentication wrapper is not a list of byte strings"
    size, p = reading.count(data, 0, ARRAY, what)
    if not size:
        refuse(what)
    if size - 1 > SIGNATURES_MAX:
        refuse(f"{size - 1} signatures, at most {SIGNATURES_MAX}")
    if data[p : p + 6] == WRAPPED_DIGEST_HEAD and p + 38 <= len(data):
        digest, p = data[p + 6 : p + 38], p + 38
    else:
        start, p = reading.inside(data, p, what)
        digest, end = reading.digest(data[:p], start)
        if end != p:
            refuse("not a SUIT_Digest")
    blocks = []
    for _ in range(size - 1):
        block, p = read_bytes(data, p)
        blocks.append(block)
    if p != len(data):
        refuse(what)
    return digest, tuple(blocks)


def encode(envelope: Envelope) -> bytes:
    """Return the deterministic bytes of an envelope.

    Raises:
        RefusedError: TOO_BIG above ``ENVELOPE_BYTES_MAX``, or ``PATCH_BYTES_MAX`` without the payloads.
    """
    members: dict[int | str, bytes] = {
        EnvelopeKey.AUTHENTICATION.value: encode_cbor([envelope.signed_bytes, *envelope.blocks]),
        EnvelopeKey.MANIFEST.value: envelope.manifest,
    }
    members.update(envelope.severed.items())
    members.update(envelope.payloads.items())
    data = encode_cbor(cbor2.CBORTag(TAG_ENVELOPE, members))
    payloads = sum(len(encode_cbor(name)) + len(bstr(item)) for name, item in envelope.payloads.items())
    for size, limit in ((len(data) - payloads, PATCH_BYTES_MAX), (len(data), ENVELOPE_BYTES_MAX)):
        if size > limit:
            raise RefusedError(Reason.TOO_BIG, f"{size} bytes, at most {limit}")
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
    if block[:1] == _SIGN1:
        return cose.parse(block, cose.TAG_SIGN1, size_max=PATCH_BYTES_MAX)
    value = decode_cbor(block, size_max=PATCH_BYTES_MAX)
    if not isinstance(value, cbor2.CBORTag):
        refuse("a block is not a tagged COSE structure")
    return None


def verify_blocks(
    envelope: Envelope, keys: Iterable[PublicKey], *, deprecated: bool = False, anonymous: bool = False
) -> tuple[bytes, ...]:
    """Return the thumbprints of the keys that signed the stated digest, each once.

    Blocks of other kinds or by keys not among ``keys`` are passed over.

    Args:
        envelope: what :func:`decode` returned.
        keys: whose signatures count.
        deprecated: also accept the deprecated labels -7 and -8.
        anonymous: also try every key on a block that names none; only for showing foreign envelopes.

    Raises:
        RefusedError: BAD_SIGNATURE or ALGORITHM_MISMATCH when a block that names one of the keys is not
            right, MALFORMED when a block is not well formed or its payload is attached.
    """
    known = {key.thumbprint: key for key in keys}
    tried = tuple(known.values()) if anonymous else ()
    return signers(envelope, known.get, tried, deprecated=deprecated)[0]


def signers(
    envelope: Envelope,
    find: Callable[[bytes], PublicKey | None],
    anonymous: Iterable[PublicKey] = (),
    *,
    deprecated: bool = False,
) -> tuple[tuple[bytes, ...], tuple[bytes, ...]]:
    """Return the thumbprints of the keys that signed the stated digest, and the other names on blocks.

    Args:
        envelope: what :func:`decode` returned.
        find: the key of this thumbprint, or None where it does not count.
        anonymous: keys to be tried on blocks that name none.
        deprecated: also accept the deprecated labels -7 and -8.

    Raises:
        RefusedError: as :func:`verify_blocks`.
    """
    signed: list[bytes] = []
    others: list[bytes] = []
    payload = envelope.signed_bytes
    for block in envelope.blocks:
        message = read_block(block)
        if message is None:
            continue
        kid = message.signatures[0].kid
        if kid is None:
            kid = _match(message, block, anonymous, payload, deprecated=deprecated)
        elif (key := find(kid)) is None:
            others.append(kid)
            continue
        else:
            _check(message, block, key, payload, deprecated=deprecated)
        if kid is not None and kid not in signed:
            signed.append(kid)
    return tuple(signed), tuple(others)


def _check(message: cose.Message, block: bytes, key: PublicKey, payload: bytes, *, deprecated: bool) -> None:
    if message.payload is not None:
        refuse("the payload is attached to a block")
    # Behind the tag, the head of the array and the protected header stands the unprotected one.
    size = len(message.protected)
    if block[2 + size + (1 if size < 24 else 2 if size < 256 else 3)] != _EMPTY_MAP:
        refuse("a block has unprotected headers")
    cose.check(message, message.signatures[0], key, payload=payload, deprecated=deprecated)


def _match(
    message: cose.Message, block: bytes, keys: Iterable[PublicKey], payload: bytes, *, deprecated: bool
) -> bytes | None:
    for key in keys:
        try:
            _check(message, block, key, payload, deprecated=deprecated)
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
