"""Signature algorithms and public keys: COSE_Key in, verdict out.

A key is bound to one algorithm for signing: Ed25519, ECDSA on P-256 (ESP256), ML-DSA-44 or -65.
Deprecated polymorphic identifiers (EdDSA -8, ES256 -7; RFC 9864) are accepted for verification
only where the caller asks.
Private keys live in :mod:`keys.signer`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from functools import cached_property
from typing import Any, Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, mldsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from keys.cbor import encode
from keys.errors import RefusedError
from keys.reasons import Reason


class Algorithm(IntEnum):
    """COSE algorithm numbers (IANA registry; RFC 9053, RFC 9864, RFC 9964)."""

    ML_DSA_65 = -49
    ML_DSA_44 = -48
    ED25519 = -19
    ESP256 = -9
    EDDSA = -8
    ES256 = -7

    # An enumeration hashes by name: slowly, and unlike the equal number.
    __hash__ = int.__hash__


EMITTED: Final = frozenset(set(Algorithm) - {Algorithm.EDDSA, Algorithm.ES256})
"""What we sign with; the other two are only ever verified."""

VERIFIED: Final = EMITTED
"""The algorithms of keys that this code can verify with."""

UNDECLARED: Final = frozenset({Algorithm.ED25519})
"""What a device can verify with that never said (the constrained profile)."""

_OKP, _EC2, _AKP = 1, 2, 7  # COSE key types
_CURVE_P256, _CURVE_ED25519 = 1, 6  # COSE elliptic curves
_KEY_BYTES: Final = {
    Algorithm.ED25519: (32, 0),
    Algorithm.ESP256: (32, 32),
    Algorithm.ML_DSA_44: (1_312, 0),  # FIPS 204, table 2
    Algorithm.ML_DSA_65: (1_952, 0),
}
SIGNATURE_BYTES: Final = {
    Algorithm.ED25519: 64,
    Algorithm.ESP256: 64,
    Algorithm.ML_DSA_44: 2_420,
    Algorithm.ML_DSA_65: 3_309,
}
"""Algorithm -> length of a raw signature."""

_OLDER: Final = {Algorithm.ED25519: Algorithm.EDDSA, Algorithm.ESP256: Algorithm.ES256}
_ML_DSA: Final = frozenset({Algorithm.ML_DSA_44, Algorithm.ML_DSA_65})

_Raw = ed25519.Ed25519PublicKey | mldsa.MLDSA44PublicKey | mldsa.MLDSA65PublicKey
_FROM_BYTES: Final[dict[Algorithm, Callable[[bytes], _Raw]]] = {
    Algorithm.ED25519: ed25519.Ed25519PublicKey.from_public_bytes,
    Algorithm.ML_DSA_44: mldsa.MLDSA44PublicKey.from_public_bytes,
    Algorithm.ML_DSA_65: mldsa.MLDSA65PublicKey.from_public_bytes,
}

_P25519 = 2**255 - 19
_P256 = 2**256 - 2**224 + 2**192 + 2**96 - 1  # FIPS 186-4, D.1.2.3
_ORDER_8 = 0x7A03AC9277FDC74EC6CC392CFA53202A0F67100D760B3CBA4FD84D3D706A17C7
_LOW_ORDER = frozenset({0, 1, _P25519 - 1, _ORDER_8, _P25519 - _ORDER_8})
"""The y coordinates of Ed25519's eight points of low order: anybody can sign for those."""


@dataclass(frozen=True)
class PublicKey:
    """A public key with the algorithm it signs with.

    ``x`` and ``y`` are the COSE_Key coordinates; ``y`` is empty but for P-256, and ``x`` is the whole
    public key of ML-DSA.
    """

    algorithm: Algorithm
    x: bytes
    y: bytes = b""

    def __reduce__(self) -> tuple[type[PublicKey], tuple[Algorithm, bytes, bytes]]:
        """Copies and pickles hold the key only: what is worked out of it is no value."""
        return PublicKey, (self.algorithm, self.x, self.y)

    @cached_property
    def thumbprint(self) -> bytes:
        """SHA-256 over the required members of the COSE_Key (RFC 9679, RFC 9964): 32 bytes, our ``kid``."""
        return hashlib.sha256(encode(self.to_cose())).digest()

    @cached_property
    def _check(self) -> Callable[[bytes, bytes], None]:
        """Raises InvalidSignature, or ValueError at the first use when the coordinates are no point."""
        if self.algorithm in _FROM_BYTES:
            return _FROM_BYTES[self.algorithm](self.x).verify
        numbers = ec.EllipticCurvePublicNumbers(
            int.from_bytes(self.x, "big"), int.from_bytes(self.y, "big"), ec.SECP256R1()
        )
        key, hashed = numbers.public_key(), ec.ECDSA(hashes.SHA256())

        def check(signature: bytes, data: bytes) -> None:
            r, s = (int.from_bytes(half, "big") for half in (signature[:32], signature[32:]))
            key.verify(encode_dss_signature(r, s), data, hashed)

        return check

    def to_cose(self) -> dict[int, Any]:
        """Return the COSE_Key map with only its required members (RFC 9052 section 7, RFC 9964)."""
        if self.algorithm in _ML_DSA:
            return {1: _AKP, 3: self.algorithm.value, -1: self.x}
        if self.algorithm is Algorithm.ED25519:
            return {1: _OKP, -1: _CURVE_ED25519, -2: self.x}
        return {1: _EC2, -1: _CURVE_P256, -2: self.x, -3: self.y}

    @staticmethod
    def from_cose(value: Any) -> PublicKey:
        """Rebuild a key from a COSE_Key map that holds only the required members.

        Raises:
            RefusedError: UNSUPPORTED for another type, curve or algorithm, MALFORMED otherwise.
        """
        if not isinstance(value, dict):
            raise RefusedError(Reason.MALFORMED, "COSE_Key is not a map")
        # In Python True equals 1; on the wire it is another kind of key.
        told = [None if isinstance(one, bool) else one for one in map(value.get, (1, 3, -1))]
        match told:
            case (1, _, 6):
                key = PublicKey(Algorithm.ED25519, value.get(-2, b""))
            case (2, _, 1):
                key = PublicKey(Algorithm.ESP256, value.get(-2, b""), value.get(-3, b""))
            case (7, (-48 | -49) as number, bytes(public)):
                key = PublicKey(Algorithm(number), public)
            case (kind, number, curve):
                raise RefusedError(Reason.UNSUPPORTED, f"COSE key type {kind}, alg {number}, curve {curve}")
        # Compared by type too: in Python True equals 1, on the wire it does not.
        same = key.to_cose() == value and all(type(k) is int for k in value)
        same = same and all(type(value[k]) is type(v) for k, v in key.to_cose().items())
        if not same or not key._is_well_formed():
            raise RefusedError(Reason.MALFORMED, "COSE_Key members")
        return key

    def _is_well_formed(self) -> bool:
        """Say whether the coordinates are of the right length, and a point that only its owner signs for."""
        if (type(self.x), type(self.y)) != (bytes, bytes):
            return False
        if (len(self.x), len(self.y)) != _KEY_BYTES[self.algorithm]:
            return False
        if self.algorithm is Algorithm.ED25519:
            # The same point written otherwise would be a second key; a point of low order has no owner.
            y = int.from_bytes(self.x, "little") & (2**255 - 1)
            return y < _P25519 and y not in _LOW_ORDER
        return self.algorithm is not Algorithm.ESP256 or self._is_one_point()

    def _is_one_point(self) -> bool:
        # OpenSSL takes x and x + p for the same point; here that would be a second key, too.
        if any(int.from_bytes(coordinate, "big") >= _P256 for coordinate in (self.x, self.y)):
            return False
        try:
            _ = self._check
        except ValueError:
            return False
        return True

    def verify(self, signature: bytes, data: bytes) -> bool:
        """Say whether ``signature`` (raw; r and s for P-256) is this key's over ``data``."""
        if len(signature) != SIGNATURE_BYTES[self.algorithm]:
            return False
        try:
            self._check(signature, data)
        except InvalidSignature:
            return False
        return True

    def accepts(self, algorithm: int, *, deprecated: bool = False) -> bool:
        """Say whether a signature labelled ``algorithm`` may be this key's.

        Args:
            algorithm: the label in the protected header.
            deprecated: also accept -8 for Ed25519 and -7 for P-256.
        """
        return algorithm == self.algorithm or (deprecated and algorithm == _OLDER.get(self.algorithm))
