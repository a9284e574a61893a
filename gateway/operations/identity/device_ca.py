"""The workspace's device CA: X.509 certificates by which devices, gateway and broker know each other in TLS.

    keys/device-ca.pem     its private key        tls/ca.pem        its certificate
    keys/tls-gateway.pem   the gateway's          tls/gateway.pem   name ``_gateway``, for clients
    keys/tls-broker.pem    the broker's           tls/broker.pem    its hosts, for servers
    tls/crl.pem            what the broker must no longer accept

A certificate only opens the door of a broker: what counts is signed inside (RFC 5280, RFC 8446). Every one
that was issued stands in the store, beside the documents; which of them are revoked follows from the
register, so the list can be made again at any time.
"""

from __future__ import annotations

import hashlib
import ipaddress
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Final

import sqlalchemy as sa
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from gateway import files
from gateway.core.publication import next_version
from gateway.operations.identity import certificates, revocation
from gateway.operations.identity.certificates import (
    BROKER,
    GATEWAY,
    TYPE,
    DeviceCa,
    Issued,
    Private,
    Public,
    date_of,
    hash_of,
)
from gateway.store import audit, schema
from gateway.store.engine import Session, Stored
from gateway.store.tallies import chunks
from gateway.workspace.folder import Workspace
from keys.algorithms import Algorithm
from keys.errors import DamagedError, InputError
from keys.signer import Passphrase, from_pem, generate

CA_DAYS: Final = 20 * 365
SERVER_DAYS: Final = 397  # of the broker's and the gateway's certificate: they are easily issued again
_BACKDATE: Final = 86_400  # seconds, for machines whose clock is behind
_RESTORE: Final = "Restore it from a copy, or make a new CA with 'tocsin device ca new'."


def key_path(workspace: Workspace) -> Path:
    """Return where the CA's private key lies."""
    return workspace.path / "keys" / "device-ca.pem"


def exists(workspace: Workspace) -> bool:
    """Say whether this workspace has a device CA."""
    return (workspace.path / "tls" / "ca.pem").is_file()


def require_none(workspace: Workspace) -> None:
    """Refuse to make a second CA (InputError: CA_EXISTS)."""
    if exists(workspace):
        where = str(workspace.path / "tls" / "ca.pem")
        mend = "Use it; to begin anew, move its files away and issue every certificate again."
        raise InputError("CA_EXISTS", "There is a device CA already.", mend=mend, where=where)


def new(workspace: Workspace, *, passphrase: bytes, algorithm: Algorithm, days: int, now: int) -> DeviceCa:
    """Make the CA; one whose making was interrupted is made again.

    Args:
        workspace: where.
        passphrase: encrypts the private key; empty leaves it unencrypted.
        algorithm: ESP256, or ED25519.
        days: how long it is valid.
        now: UTC seconds.

    Raises:
        InputError: CA_EXISTS.
    """
    with workspace.lock():
        require_none(workspace)
        _set_aside(key_path(workspace))
        signer = generate(algorithm)
        files.write_atomic(key_path(workspace), signer.to_pem(passphrase), mode=0o600)
        key = _private(signer.to_pem(b""))
        public = key.public_key()
        name = _name(f"tocsin device CA {signer.public.thumbprint.hex()[:16]}")
        builder = (
            _builder(name, name, public, now - _BACKDATE, now + days * 86_400)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_usage("key_cert_sign", "crl_sign"), critical=True)
        )
        ca = DeviceCa(_sign(builder, key), key)
        revocation.write(workspace, ca, now=now)
        files.write_atomic(  # last, for this file is what makes it exist
            workspace.path / "tls" / "ca.pem", ca.certificate.public_bytes(serialization.Encoding.PEM)
        )
    return ca


def _set_aside(path: Path) -> None:
    """Keep under another name a private key that no certificate goes with."""
    if path.exists():
        with files.os_errors(path, "moved"):
            aside = (path.with_name(f"{path.name}.unlisted-{number}") for number in count(1))
            path.rename(next(name for name in aside if not name.exists()))


def open_ca(workspace: Workspace, passphrase: Passphrase) -> DeviceCa:
    """Open the CA with its private key.

    Raises:
        InputError: NO_DEVICE_CA, CA_MISMATCH, or of opening the key.
        DamagedError: STORED_FILE, CA_DAMAGED.
    """
    certificate = read_ca(workspace)
    path = key_path(workspace)
    pem = files.read_stored(path, what="device CA's private key", mend=_RESTORE)
    secret = passphrase("device CA key") if b"ENCRYPTED" in pem else b""
    key = _private(from_pem(pem, secret, where=str(path)).to_pem(b""))
    if key.public_key() != certificate.public_key():
        message = "The private key is not the one of the device CA's certificate."
        raise InputError("CA_MISMATCH", message, mend=_RESTORE, where=str(path))
    return DeviceCa(certificate, key)


def _private(pem: bytes) -> Private:
    key = serialization.load_pem_private_key(pem, None)
    assert isinstance(key, ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey)
    return key


def read_ca(workspace: Workspace) -> x509.Certificate:
    """Read the CA's certificate.

    Raises:
        InputError: NO_DEVICE_CA.
        DamagedError: CA_DAMAGED.
    """
    path = workspace.path / "tls" / "ca.pem"
    if not path.is_file():
        raise InputError(
            "NO_DEVICE_CA",
            "This workspace has no device CA yet.",
            mend="Make one with 'tocsin device ca new'.",
            where=str(path),
        )
    try:
        return x509.load_pem_x509_certificate(files.read_stored(path, what="CA certificate", mend=_RESTORE))
    except ValueError:
        message = "This is not the certificate that was written."
        raise DamagedError("CA_DAMAGED", message, mend=_RESTORE, where=str(path)) from None


# Issuing


@dataclass(frozen=True, slots=True)
class Wanted:
    """A registered device, as its certificate needs it; times are UTC seconds."""

    id: str
    key: bytes
    """COSE_Key."""
    valid_from: int
    valid_to: int
    revoked: bool


def issue(
    workspace: Workspace,
    ca: DeviceCa,
    ids: Sequence[str],
    *,
    now: int,
    days: int | None = None,
    step: Callable[[], object] = lambda: None,
) -> list[Issued]:
    """Issue a certificate to registered devices, each for the key in its record; call it with no lock held.

    Args:
        workspace: where.
        ca: opened.
        ids: of the devices.
        now: UTC seconds.
        days: at most so many; None gives what is left of the record. Never beyond the CA's own end.
        step: called after each one.

    Raises:
        InputError: NO_DEVICE, DEVICE_REVOKED, DEVICE_OVER, CA_OVER.
    """
    made = []
    with workspace.lock(), workspace.store() as store, store.write() as session:
        t = schema.devices
        for id_ in ids:
            row = session.connection.execute(sa.select(t).where(t.c.id == id_)).first()
            if row is None:
                raise InputError(
                    "NO_DEVICE", f"There is no device '{id_}'.", mend="See 'tocsin device list'."
                )
            wanted = Wanted(id_, row.key, row.valid_from, row.valid_to, row.revoked)
            made.append(keep(session, certificate_for(ca, wanted, now=now, days=days), id_, now))
            step()
    return made


def certificate_for(ca: DeviceCa, wanted: Wanted, *, now: int, days: int | None) -> x509.Certificate:
    """Return a device's certificate; arguments and errors as of :func:`issue`."""
    id_ = wanted.id
    if wanted.revoked:
        mend = "Enrol another device, or give it another key with 'tocsin device replace'."
        raise InputError("DEVICE_REVOKED", f"The device '{id_}' is revoked.", mend=mend)
    if wanted.valid_to <= now:
        mend = "Give it a new record with 'tocsin device replace'."
        raise InputError("DEVICE_OVER", f"The record of '{id_}' is over.", mend=mend)
    begin = max(wanted.valid_from, now)
    until = wanted.valid_to if days is None else min(wanted.valid_to, begin + days * 86_400)
    builder = _leaf(ca, id_, certificates.public_of(wanted.key), wanted.valid_from, until, now=now)
    return _sign(builder.add_extension(_purpose(ExtendedKeyUsageOID.CLIENT_AUTH), critical=False), ca.key)


def issue_gateway(workspace: Workspace, ca: DeviceCa, *, now: int, days: int = SERVER_DAYS) -> Issued:
    """Make the gateway's own key and client certificate; its former certificate is revoked by that."""
    purpose = _purpose(ExtendedKeyUsageOID.CLIENT_AUTH)
    made = _issue_machine(workspace, ca, GATEWAY, "gateway", (purpose,), now=now, days=days)
    with workspace.lock():
        revocation.write(workspace, ca, now=now)
    return made


def issue_broker(
    workspace: Workspace, ca: DeviceCa, hosts: Sequence[str], *, now: int, days: int = SERVER_DAYS
) -> Issued:
    """Make the broker's key and server certificate for DNS names and IP addresses.

    Raises:
        InputError: BAD_HOST, CA_OVER.
    """
    names = x509.SubjectAlternativeName([_host(host) for host in hosts])
    purpose = _purpose(ExtendedKeyUsageOID.SERVER_AUTH)
    return _issue_machine(workspace, ca, BROKER, "broker", (names, purpose), now=now, days=days)


def _issue_machine(
    workspace: Workspace,
    ca: DeviceCa,
    name: str,
    file: str,
    extensions: Sequence[x509.ExtensionType],
    *,
    now: int,
    days: int,
) -> Issued:
    """Make key and certificate of a machine that is no device; the key stays unencrypted, as servers need."""
    with workspace.lock(), workspace.store() as store:
        signer = generate(Algorithm.ESP256)
        key = _private(signer.to_pem(b""))
        builder = _leaf(ca, name, key.public_key(), now - _BACKDATE, now + days * 86_400, now=now)
        for extension in extensions:
            builder = builder.add_extension(extension, critical=False)
        certificate = _sign(builder, ca.key)
        with store.write() as session:
            made = keep(session, certificate, name, now)
        # A kill between the two leaves a pair that does not match, and TLS says so; a rerun mends it.
        files.write_atomic(workspace.path / "keys" / f"tls-{file}.pem", signer.to_pem(b""), mode=0o600)
        files.write_atomic(workspace.path / "tls" / f"{file}.pem", made.pem)
    return made


def _host(text: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(text))
    except ValueError:
        pass
    labels = text.removeprefix("*.").split(".")
    good = all(
        0 < len(label) <= 63 and label.isascii() and label.replace("-", "a").isalnum() for label in labels
    )
    if not good or len(text) > 253:
        mend = "Write names like broker.example.com, or addresses like 192.0.2.1, without scheme or port."
        raise InputError("BAD_HOST", f"'{text}' is not the name or address of a host.", mend=mend)
    return x509.DNSName(text)


def _leaf(
    ca: DeviceCa, name: str, public: Public, start: int, end: int, *, now: int
) -> x509.CertificateBuilder:
    last = int(ca.certificate.not_valid_after_utc.timestamp())
    first = int(ca.certificate.not_valid_before_utc.timestamp())
    if last <= max(start, now):
        mend = "Move tls/ca.pem away, make a new CA and issue every certificate again."
        raise InputError(
            "CA_OVER", "The device CA's certificate is over, or will be before this one begins.", mend=mend
        )
    return (
        _builder(ca.certificate.subject, _name(name), public, max(start, first), min(end, last))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage("digital_signature"), critical=True)
        .add_extension(ca.authority, critical=False)
    )


def _builder(
    issuer: x509.Name, subject: x509.Name, public: Public, start: int, end: int
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .issuer_name(issuer)
        .subject_name(subject)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(date_of(start))
        .not_valid_after(date_of(end))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
    )


def _sign(builder: x509.CertificateBuilder, key: Private) -> x509.Certificate:
    return builder.sign(key, hash_of(key))


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _purpose(oid: x509.ObjectIdentifier) -> x509.ExtendedKeyUsage:
    return x509.ExtendedKeyUsage([oid])


_USAGES: Final = (
    "digital_signature",
    "content_commitment",
    "key_encipherment",
    "data_encipherment",
    "key_agreement",
    "key_cert_sign",
    "crl_sign",
    "encipher_only",
    "decipher_only",
)


def _usage(*chosen: str) -> x509.KeyUsage:
    return x509.KeyUsage(**{name: name in chosen for name in _USAGES})


def keep(session: Session, certificate: x509.Certificate, name: str, now: int) -> Issued:
    """Keep a certificate beside the documents, and record that it was issued."""
    der = certificate.public_bytes(serialization.Encoding.DER)
    last = session.document(TYPE, name)
    version = next_version(last.version if last else None, now)
    session.add_document(TYPE, name, Stored(version, hashlib.sha256(der).digest(), der), now)
    issued = Issued.of(name, der)
    facts = {"digest": issued.digest.hex(), "name": name, "serial": f"{issued.serial:x}"}
    audit.append(session, "certificate.issued", facts, now)
    return issued


def without_certificate(workspace: Workspace, ids: Sequence[str], now: int) -> list[str]:
    """Return those of some devices that have no valid certificate for the key in their record."""
    d = schema.devices
    with workspace.store() as store, store.read() as session:
        kids: dict[str, bytes] = {}
        for chunk in chunks(sorted(ids)):
            query = sa.select(d.c.id, d.c.kid).where(d.c.id.in_(chunk), d.c.revoked.is_(False))
            kids.update({row.id: row.kid for row in session.connection.execute(query)})
        have = certificates.newest(session, kids)
    return [id_ for id_ in ids if id_ not in have or have[id_].end <= now]
