"""Signature algorithms and public keys: COSE_Key in, verdict out.

A key is bound to one algorithm for signing. Deprecated polymorphic identifiers
(EdDSA -8, ES256 -7; RFC 9864) are accepted for verification only where the caller asks.
Private keys live in :mod:`keys.signer`.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from enum import IntEnum
from functools import cached_property
from typing import Any, Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from keys.cbor import encode
from keys.errors import RefusedError
from keys.reasons import Reason


class Algorithm(IntEnum):
    """COSE algorithm numbers (IANA registry; RFC 9053, RFC 9864)."""

    ED25519 = -19
    ESP256 = -9
    EDDSA = -8
    ES256 = -7


EMITTED: Final = frozenset({Algorithm.ED25519, Algorithm.ESP256})
"""What we sign with; the other two are only ever verified."""

_OKP, _EC2 = 1, 2  # COSE key types
_CURVE_P256, _CURVE_ED25519 = 1, 6  # COSE elliptic curves
_ED25519_BYTES, _P256_BYTES = 32, 32
_SIGNATURE_BYTES = 64

_P25519 = 2**255 - 19
_P256 = 2**256 - 2**224 + 2**192 + 2**96 - 1  # FIPS 186-4, D.1.2.3
_ORDER_8 = 0x7A03AC9277FDC74EC6CC392CFA53202A0F67100D760B3CBA4FD84D3D706A17C7
_LOW_ORDER = frozenset({0, 1, _P25519 - 1, _ORDER_8, _P25519 - _ORDER_8})
"""The y coordinates of Ed25519's eight points of low order: anybody can sign for those."""


@dataclass(frozen=True)
class PublicKey:
    """A public key with the algorithm it signs with.

    ``x`` and ``y`` are the COSE_Key coordinates; ``y`` is empty for Ed25519.
    """

    algorithm: Algorithm
    x: bytes
    y: bytes = b""

    @cached_property
    def thumbprint(self) -> bytes:
        """SHA-256 over the required members of the COSE_Key (RFC 9679): 32 bytes, our ``kid``."""
        return hashlib.sha256(encode(self.to_cose())).digest()

    @cached_property
    def _key(self) -> ed25519.Ed25519PublicKey | ec.EllipticCurvePublicKey:
        if self.algorithm is Algorithm.ED25519:
            return ed25519.Ed25519PublicKey.from_public_bytes(self.x)
        numbers = ec.EllipticCurvePublicNumbers(
            int.from_bytes(self.x, "big"), int.from_bytes(self.y, "big"), ec.SECP256R1()
        )
        return numbers.public_key()

    def to_cose(self) -> dict[int, Any]:
        """Return the COSE_Key map with only its required members (RFC 9052 section 7)."""
        if self.algorithm is Algorithm.ED25519:
            return {1: _OKP, -1: _CURVE_ED25519, -2: self.x}
        return {1: _EC2, -1: _CURVE_P256, -2: self.x, -3: self.y}

    @staticmethod
    def from_cose(value: Any) -> PublicKey:
        """Rebuild a key from a COSE_Key map that holds only the required members.

        Raises:
            RefusedError: UNSUPPORTED for another type or curve, MALFORMED otherwise.
        """
        if not isinstance(value, dict):
            raise RefusedError(Reason.MALFORMED, "COSE_Key is not a map")
        match (value.get(1), value.get(-1)):
            case (1, 6):
                key = PublicKey(Algorithm.ED25519, value.get(-2, b""))
            case (2, 1):
                key = PublicKey(Algorithm.ESP256, value.get(-2, b""), value.get(-3, b""))
            case pair:
                raise RefusedError(Reason.UNSUPPORTED, f"COSE key type and curve {pair}")
        # Compared by type too: in Python True equals 1, on the wire it does not.
        same = key.to_cose() == value and all(type(k) is int for k in value)
        if not same or not all(type(value[k]) is int for k in (1, -1)) or not key._is_well_formed():
            raise RefusedError(Reason.MALFORMED, "COSE_Key members")
        return key

    def _is_well_formed(self) -> bool:
        """Say whether the coordinates are of the right length, and a point that only its owner signs for."""
        sizes = (32, 0) if self.algorithm is Algorithm.ED25519 else (32, 32)
        if type(self.x) is not bytes or type(self.y) is not bytes or (len(self.x), len(self.y)) != sizes:
            return False
        if self.algorithm is Algorithm.ED25519:
            # The same point written otherwise would be a second key; a point of low order has no owner.
            y = int.from_bytes(self.x, "little") & (2**255 - 1)
            return y < _P25519 and y not in _LOW_ORDER
        # OpenSSL takes x and x + p for the same point; here that would be a second key, too.
        if any(int.from_bytes(coordinate, "big") >= _P256 for coordinate in (self.x, self.y)):
            return False
        try:
            _ = self._key
        except ValueError:
            return False
        return True

    def verify(self, signature: bytes, data: bytes) -> bool:
        """Say whether ``signature`` (64 raw bytes; r and s for P-256) is this key's over ``data``."""
        if len(signature) != _SIGNATURE_BYTES:
            return False
        key = self._key
        try:
            if isinstance(key, ed25519.Ed25519PublicKey):
                key.verify(signature, data)
            else:
                r, s = (int.from_bytes(half, "big") for half in (signature[:32], signature[32:]))
                key.verify(encode_dss_signature(r, s), data, ec.ECDSA(hashes.SHA256()))
        except InvalidSignature:
            return False
        return True

    def accepts(self, algorithm: int, *, deprecated: bool = False) -> bool:
        """Say whether a signature labelled ``algorithm`` may be this key's.

        Args:
            algorithm: the label in the protected header.
            deprecated: also accept -8 for Ed25519 and -7 for P-256.
        """
        if algorithm == self.algorithm:
            return True
        older = {Algorithm.ED25519: Algorithm.EDDSA, Algorithm.ESP256: Algorithm.ES256}
        return deprecated and algorithm == older[self.algorithm]
