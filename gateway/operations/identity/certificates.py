"""Certificates that the device CA issued, as the store keeps them beside the documents: whose, until when."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final

import sqlalchemy as sa
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from gateway.store import schema
from gateway.store.engine import Session
from gateway.store.tallies import chunks
from keys.algorithms import Algorithm, PublicKey
from keys.cbor import decode
from keys.errors import InputError, RefusedError

TYPE: Final = "certificate"  # among the stored documents; the name is the subject's common name
GATEWAY: Final = "_gateway"  # no device's id begins with an underscore: the broker can tell them apart
BROKER: Final = "_broker"
TIME_MAX: Final = int(dt.datetime(9999, 12, 31, 23, 59, 59, tzinfo=dt.UTC).timestamp())


Private = ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey
Public = ed25519.Ed25519PublicKey | ec.EllipticCurvePublicKey


@dataclass(frozen=True, slots=True)
class DeviceCa:
    """The CA, opened; its private key is in memory."""

    certificate: x509.Certificate
    key: Private = field(repr=False)

    @property
    def hash(self) -> hashes.SHA256 | None:
        """What a signature by this key hashes with; None: the key's own way."""
        return hash_of(self.key)

    @property
    def authority(self) -> x509.AuthorityKeyIdentifier:
        """How what it signs names it."""
        identifier = self.certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier)
        return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier.value)


def hash_of(key: Private) -> hashes.SHA256 | None:
    """Return what a signature by a key hashes with; None: the key's own way."""
    return None if isinstance(key, ed25519.Ed25519PrivateKey) else hashes.SHA256()


def date_of(seconds: float) -> dt.datetime:
    """Return UTC seconds as certificates have them."""
    return dt.datetime.fromtimestamp(min(seconds, TIME_MAX), dt.UTC)


@dataclass(frozen=True)
class Issued:
    """One certificate; times are UTC seconds."""

    name: str
    """Device id, ``_gateway`` or ``_broker``."""
    serial: int
    start: int
    end: int
    thumbprint: bytes
    """Of its public key: the ``kid`` of the device's record."""
    digest: bytes
    """SHA-256 of its DER."""
    der: bytes = field(repr=False)

    @staticmethod
    def of(name: str, der: bytes) -> Issued:
        """Read a certificate that was issued here."""
        read = x509.load_der_x509_certificate(der)
        return Issued(
            name,
            read.serial_number,
            int(read.not_valid_before_utc.timestamp()),
            int(read.not_valid_after_utc.timestamp()),
            from_library(read.public_key()).thumbprint,
            hashlib.sha256(der).digest(),
            der,
        )

    @cached_property
    def pem(self) -> bytes:
        """The certificate as a file holds it."""
        return x509.load_der_x509_certificate(self.der).public_bytes(serialization.Encoding.PEM)


def from_library(key: object) -> PublicKey:
    """Return a public key of the cryptography library as ours.

    Raises:
        ValueError: it is neither Ed25519 nor P-256, or a point that has no owner.
    """
    match key:
        case ed25519.Ed25519PublicKey():
            found = PublicKey(Algorithm.ED25519, key.public_bytes_raw())
        case ec.EllipticCurvePublicKey(curve=ec.SECP256R1()):
            numbers = key.public_numbers()
            found = PublicKey(Algorithm.ESP256, numbers.x.to_bytes(32, "big"), numbers.y.to_bytes(32, "big"))
        case _:
            raise ValueError("the key is neither Ed25519 nor P-256")
    try:
        return PublicKey.from_cose(found.to_cose())
    except RefusedError:
        raise ValueError("the key is a point that anybody can sign for") from None


def public_of(cose: bytes) -> Public:
    """Return the key of a stored COSE_Key for the cryptography library.

    Raises:
        InputError: KEY_UNSUPPORTED, for a key that TLS has no certificates for.
    """
    key = PublicKey.from_cose(decode(cose))
    if key.algorithm not in {Algorithm.ED25519, Algorithm.ESP256}:
        message = "The device's key is neither Ed25519 nor P-256: it can have no certificate."
        raise InputError("KEY_UNSUPPORTED", message, mend="Let it connect without TLS client certificates.")
    if key.algorithm is Algorithm.ED25519:
        return ed25519.Ed25519PublicKey.from_public_bytes(key.x)
    point = b"\x04" + key.x + key.y
    return ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), point)


def issued(session: Session) -> Iterator[Issued]:
    """Yield every certificate that was issued, by name, the oldest first."""
    t = schema.documents
    query = sa.select(t.c.name, t.c.bytes).where(t.c.type == TYPE).order_by(t.c.name, t.c.version)
    for row in session.connection.execute(query):
        yield Issued.of(row.name, row.bytes)


def newest(session: Session, kids: Mapping[str, bytes]) -> dict[str, Issued]:
    """Return the newest certificate of each of these devices for the key that it has now.

    Args:
        session: which reads.
        kids: id -> thumbprint of its key; devices that are not revoked.
    """
    t = schema.documents
    found: dict[str, Issued] = {}
    for chunk in chunks(sorted(kids)):
        query = sa.select(t.c.name, t.c.bytes).where(t.c.type == TYPE, t.c.name.in_(chunk))
        for row in session.connection.execute(query.order_by(t.c.name, t.c.version.desc())):
            if row.name not in found:  # the others need not be read
                one = Issued.of(row.name, row.bytes)
                if one.thumbprint == kids[row.name]:
                    found[row.name] = one
    return found


def current(session: Session) -> dict[str, Issued]:
    """Return name -> the newest certificate that is not revoked."""
    gone = {one.serial for one in revoked(session)}
    return {one.name: one for one in issued(session) if one.serial not in gone}


def revoked(session: Session) -> list[Issued]:
    """Return the certificates that must no longer be accepted.

    Those of devices that are revoked, of keys that were replaced, and the gateway's former ones.
    """
    t = schema.devices
    query = sa.select(t.c.id, t.c.kid).where(t.c.revoked.is_(False))
    good = {row.id: row.kid for row in session.connection.execute(query)}
    newest = session.document(TYPE, GATEWAY)
    if newest is not None:
        good[GATEWAY] = Issued.of(GATEWAY, newest.bytes).thumbprint
    return [one for one in issued(session) if one.name != BROKER and good.get(one.name) != one.thumbprint]
