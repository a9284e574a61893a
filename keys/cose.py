"""COSE_Sign and COSE_Sign1 (RFC 9052 section 4): structure and signature checks, no policy.

Attached or detached payload, protected headers only: what stands in an unprotected header is
ignored by every decision. The caller decides which keys count and which algorithms it allows.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from types import MappingProxyType
from typing import Any, Final, NamedTuple

import cbor2

from keys.algorithms import PublicKey
from keys.cbor import bstr, decode, encode, head, item_end, read_bytes
from keys.errors import RefusedError
from keys.limits import DOCUMENT_BYTES_MAX, SIGNATURES_MAX
from keys.reasons import Reason
from keys.signer import Signer

TAG_SIGN1: Final = 18
TAG_SIGN: Final = 98
ALG, CRIT, KID, TYP = 1, 2, 4, 16
"""Header labels: alg, crit, kid (RFC 9052) and typ (RFC 9596)."""

_PROTECTED_BYTES_MAX = 512
_EMPTY_MAP, _NULL = b"\xa0", b"\xf6"
_HEADERS_KEPT = 256  # decoded headers: the same few keys sign everything
_DETACHED = re.compile(rb"\xd2\x84\x58([\x18-\xff])(.{24,255})\xa0\xf6\x58\x40(.{64})", re.DOTALL)
"""What most COSE_Sign1 look like: nothing unprotected, no payload, a signature of 64 bytes."""
_UNDERSTOOD = frozenset({ALG, CRIT, KID, TYP})
_TAGS = {TAG_SIGN1: b"\xd2", TAG_SIGN: b"\xd8\x62"}
_SIGNER, _SIGNED = b"\x83\x58", b"\xa0\x58\x40"
"""What stands before a signer's header of 24 to 255 bytes, and between it and a signature of 64 bytes."""
_USUAL_BYTES_MIN = 3 + 24 + 3 + 64
_new = tuple.__new__  # all that the constructor of a NamedTuple does


Around = tuple[bytes, bytes]
"""Of a Sig_structure: the bytes before a signer's own header, and those after it."""


class Signature(NamedTuple):
    """One signature with its decoded protected header; nothing here comes from an unprotected one."""

    protected: bytes
    value: bytes
    header: Mapping[Any, Any]
    alg: int | None
    """The algorithm label."""
    kid: bytes | None
    """The key identifier."""


class Message(NamedTuple):
    """A decoded COSE_Sign or COSE_Sign1; ``payload`` is None when detached."""

    tag: int
    protected: bytes
    header: Mapping[Any, Any]
    payload: bytes | None
    signatures: tuple[Signature, ...]

    def to_be_signed(self, signature: Signature, payload: bytes, external_aad: bytes = b"") -> bytes:
        """Return the Sig_structure bytes (RFC 9052 section 4.4)."""
        if self.tag == TAG_SIGN1:
            return _sign1_tbs(_canonical(self.protected), external_aad, payload)
        return _signed(signature, self.around(payload, external_aad))

    def around(self, payload: bytes, external_aad: bytes = b"") -> Around:
        """Return what every signer of a COSE_Sign signs before and after its own header."""
        before = b"\x85\x69Signature" + bstr(_canonical(self.protected))
        return before, (bstr(external_aad) if external_aad else b"\x40") + bstr(payload)


def _canonical(protected: bytes) -> bytes:
    """An empty map stands for the empty string (RFC 9052 section 3)."""
    return b"" if protected == b"\xa0" else protected


def _sign1_tbs(body: bytes, external_aad: bytes, payload: bytes) -> bytes:
    aad = bstr(external_aad) if external_aad else b"\x40"
    return b"\x84\x6aSignature1" + bstr(body) + aad + bstr(payload)


def _signed(signature: Signature, around: Around) -> bytes:
    return around[0] + bstr(_canonical(signature.protected)) + around[1]


@lru_cache(maxsize=_HEADERS_KEPT)
def _header(protected: bytes) -> tuple[Mapping[Any, Any], int | None, bytes | None]:
    """Decode a protected header; also its alg and kid, where they are of the right type."""
    header = _read_header(protected)
    alg, kid = header.get(ALG), header.get(KID)
    return (
        MappingProxyType(header),
        alg if type(alg) is int else None,
        kid if type(kid) is bytes else None,
    )


def _read_header(protected: bytes) -> dict[Any, Any]:
    if protected in {b"", b"\xa0"}:
        return {}
    header = decode(protected, size_max=_PROTECTED_BYTES_MAX)
    if type(header) is not dict:
        raise RefusedError(Reason.MALFORMED, "protected header is not a map")
    if not all(type(label) in (int, str) for label in header):
        raise RefusedError(Reason.MALFORMED, "a header label is neither a number nor a text")
    critical = header.get(CRIT, [])
    if CRIT in header and (not isinstance(critical, list | tuple) or not critical):
        raise RefusedError(Reason.MALFORMED, "crit is not a list of labels")
    for label in critical:
        if type(label) is not int or label not in _UNDERSTOOD or label not in header:
            raise RefusedError(Reason.UNSUPPORTED, f"critical header {label!r}")
    return header


def parse(
    data: bytes,
    tag: int,
    *,
    size_max: int = DOCUMENT_BYTES_MAX,
    tagged: bool = True,
    unprotected: bool = True,
) -> Message:
    """Decode a COSE_Sign (98) or COSE_Sign1 (18) message.

    Args:
        data: untrusted bytes.
        tag: the kind expected.
        size_max: largest accepted length in bytes.
        tagged: False where the context already says the kind and the tag is left out.
        unprotected: False refuses a message with anything in its unprotected headers.

    Raises:
        RefusedError: TOO_BIG, MALFORMED, or UNSUPPORTED for a critical header we do not know.
    """
    if len(data) > size_max:
        raise RefusedError(Reason.TOO_BIG, f"{len(data)} bytes, at most {size_max}")
    usual = _DETACHED.fullmatch(data) if tagged and tag == TAG_SIGN1 else None
    if usual is not None:
        length, protected, value = usual.groups()
        if length[0] == len(protected):
            header, alg, kid = _header(protected)
            signature = Signature(protected, value, header, alg, kid)
            return Message(tag, protected, header, None, (signature,))
    at = 0
    if tagged and data.startswith(_TAGS[tag]):
        at = len(_TAGS[tag])
    elif tagged:
        found, at = head(data, 0, 6)
        raise RefusedError(Reason.MALFORMED, f"tagged {found}, not {tag}")
    protected, at = _headers(data, at, 4, unprotected)
    if data[at : at + 1] == _NULL:
        payload, at = None, at + 1
    else:
        payload, at = read_bytes(data, at)
    if tag == TAG_SIGN1:
        value, at = read_bytes(data, at)
        header, alg, kid = _header(protected)
        signatures = [Signature(protected, value, header, alg, kid)]
    else:
        header = _header(protected)[0]
        signatures, at = _signatures(data, at, unprotected)
    if at != len(data):
        raise RefusedError(Reason.MALFORMED, f"{len(data) - at} bytes after the end")
    return _new(Message, (tag, protected, header, payload, tuple(signatures)))


def _signatures(data: bytes, at: int, unprotected: bool) -> tuple[list[Signature], int]:  # noqa: FBT001 - passed on
    count, at = head(data, at, 4)
    if not 1 <= count <= SIGNATURES_MAX:
        raise RefusedError(Reason.MALFORMED, f"expected 1 to {SIGNATURES_MAX} signatures")
    found = []
    whole = len(data)
    for _ in range(count):
        start, end = at + 3, 0
        if at + _USUAL_BYTES_MIN <= whole and data.startswith(_SIGNER, at):
            end = start + data[at + 2]
        if end >= start + 24 and end + 67 <= whole and data.startswith(_SIGNED, end):
            at = end + 67
            protected, value = data[start:end], data[end + 3 : at]
        else:
            protected, at = _headers(data, at, 3, unprotected)
            value, at = read_bytes(data, at)
        header, alg, kid = _header(protected)
        found.append(_new(Signature, (protected, value, header, alg, kid)))
    return found, at


def _headers(data: bytes, at: int, size: int, unprotected: bool) -> tuple[bytes, int]:  # noqa: FBT001 - passed on
    """Begin an array of ``size`` items: its protected header, and past the unprotected one.

    The latter decides nothing.
    """
    if data[at : at + 1] != bytes((0x80 | size,)):
        raise RefusedError(Reason.MALFORMED, f"expected an array of {size} at byte {at}")
    protected, at = read_bytes(data, at + 1)
    if data[at : at + 1] == _EMPTY_MAP:
        return protected, at + 1
    end = item_end(data, at)
    if not isinstance(decode(data[at:end]), dict):
        raise RefusedError(Reason.MALFORMED, "an unprotected header is not a map")
    if not unprotected:
        raise RefusedError(Reason.MALFORMED, "an unprotected header is not empty")
    return protected, end


def check(
    message: Message,
    signature: Signature,
    key: PublicKey,
    *,
    payload: bytes,
    external_aad: bytes = b"",
    deprecated: bool = False,
) -> None:
    """Check one signature against one key.

    Raises:
        RefusedError: ALGORITHM_MISMATCH when the label is not the key's, BAD_SIGNATURE otherwise.
    """
    _check(signature, key, message.to_be_signed(signature, payload, external_aad), deprecated=deprecated)


def check_around(signature: Signature, key: PublicKey, around: Around) -> None:
    """Check one signature of a COSE_Sign: :func:`check`, but what all its signers sign is made once.

    Args:
        signature: one of the message's.
        key: what to check it with.
        around: of :meth:`Message.around`.

    Raises:
        RefusedError: as :func:`check`.
    """
    _check(signature, key, _signed(signature, around))


def _check(signature: Signature, key: PublicKey, data: bytes, *, deprecated: bool = False) -> None:
    alg = signature.alg
    if alg != key.algorithm and (alg is None or not key.accepts(alg, deprecated=deprecated)):
        raise RefusedError(Reason.ALGORITHM_MISMATCH, f"label {alg}, key {key.algorithm.value}")
    if not key.verify(signature.value, data):
        raise RefusedError(Reason.BAD_SIGNATURE, f"key {key.thumbprint.hex()[:16]}")


def _protected(signer: Signer, typ: str | None = None) -> bytes:
    header: dict[int, Any] = {ALG: signer.public.algorithm.value, KID: signer.public.thumbprint}
    if typ is not None:
        header[TYP] = typ
    return encode(header)


def sign1(
    payload: bytes,
    signer: Signer,
    *,
    typ: str | None = None,
    external_aad: bytes = b"",
    detached: bool = False,
) -> bytes:
    """Return a tagged COSE_Sign1; ``typ`` goes into the protected header when given."""
    protected = _protected(signer, typ)
    value = signer.sign(_sign1_tbs(protected, external_aad, payload))
    return encode(cbor2.CBORTag(TAG_SIGN1, [protected, {}, None if detached else payload, value]))


def sign(payload: bytes, signers: Sequence[Signer], *, typ: str) -> bytes:
    """Return a tagged COSE_Sign with one signature for each signer, in that order."""
    body = encode({TYP: typ})
    signatures = [_sign_one(body, payload, signer) for signer in signers]
    return encode(cbor2.CBORTag(TAG_SIGN, [body, {}, payload, signatures]))


def add_signature(data: bytes, signer: Signer) -> bytes:
    """Return the COSE_Sign ``data`` with one more signature; a key that already signed changes nothing.

    A wrong signature that stands under the signer's own key id gives way: else anybody could keep a
    signer out by putting rubbish there.

    Raises:
        RefusedError: TOO_BIG or MALFORMED; LIMIT_REACHED when it holds SIGNATURES_MAX signatures already.
    """
    message = parse(data, TAG_SIGN)
    if message.payload is None:
        raise RefusedError(Reason.MALFORMED, "payload is detached")
    kid = signer.public.thumbprint
    kept = [s for s in message.signatures if s.kid != kid or _is_good(message, s, signer.public)]
    signatures: list[Any] = [[s.protected, {}, s.value] for s in kept]
    if kid not in {s.kid for s in kept}:
        if len(kept) >= SIGNATURES_MAX:
            raise RefusedError(Reason.LIMIT_REACHED, f"{SIGNATURES_MAX} signatures")
        signatures.append(_sign_one(message.protected, message.payload, signer))
    return encode(cbor2.CBORTag(TAG_SIGN, [message.protected, {}, message.payload, signatures]))


def _is_good(message: Message, signature: Signature, key: PublicKey) -> bool:
    try:
        check(message, signature, key, payload=message.payload or b"")
    except RefusedError:
        return False
    return True


def _sign_one(body: bytes, payload: bytes, signer: Signer) -> list[Any]:
    protected = _protected(signer)
    made = Signature(protected, b"", {}, None, None)
    message = Message(TAG_SIGN, body, {}, payload, (made,))
    return [protected, {}, signer.sign(message.to_be_signed(made, payload))]
