"""The device CA's list of revoked certificates (RFC 5280, section 5), made from the register.

A broker that was given the list lets nobody in whose certificate is on it, and nobody at all once the list
is over. Which certificates are on it follows from the store, so a lost or damaged list is made again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import serialization

from gateway import files
from gateway.core.publication import next_version
from gateway.operations.identity import certificates
from gateway.operations.identity.certificates import DeviceCa, Issued, date_of
from gateway.workspace.folder import Workspace

CRL_DAYS: Final = 30  # after that the broker lets nobody in until a new list is there


@dataclass(frozen=True, slots=True)
class Gone:
    """One certificate that must no longer be accepted."""

    name: str
    der: bytes
    since: int | None
    """UTC seconds at which the list before says that it was revoked; None: it is not on that list."""


@dataclass(frozen=True, slots=True)
class Due:
    """What the next list has to hold."""

    last: int | None
    """Number of the list before."""
    items: tuple[Gone, ...]
    """By name."""


def write(workspace: Workspace, ca: DeviceCa, *, now: int, days: int = CRL_DAYS) -> list[Issued]:
    """Write the list anew; call it with the workspace's lock held.

    Args:
        workspace: where.
        ca: opened.
        now: UTC seconds.
        days: after which it is over.

    Returns:
        What is on it, by name.
    """
    wanted = due(workspace, now=now)
    keep(workspace, signed(ca, wanted, now=now, days=days))
    return [Issued.of(one.name, one.der) for one in wanted.items]


def due(workspace: Workspace, *, now: int) -> Due:
    """Return what the next list has to hold."""
    before = read(workspace)
    with workspace.store() as store, store.read() as session:
        gone = [one for one in certificates.revoked(session) if one.end > now]
    found = []
    for one in gone:
        known = before.get_revoked_certificate_by_serial_number(one.serial) if before else None
        since = int(known.revocation_date_utc.timestamp()) if known else None
        found.append(Gone(one.name, one.der, since))
    return Due(number(before), tuple(found))


def signed(ca: DeviceCa, wanted: Due, *, now: int, days: int) -> x509.CertificateRevocationList:
    """Return the list, signed by the CA; arguments as of :func:`write`."""
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(ca.certificate.subject)
        .last_update(date_of(now))
        .next_update(date_of(now + days * 86_400))
        .add_extension(ca.authority, critical=False)
        .add_extension(x509.CRLNumber(next_version(wanted.last, now)), critical=False)
    )
    for one in wanted.items:
        serial = Issued.of(one.name, one.der).serial
        date = date_of(now if one.since is None else one.since)
        entry = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(date).build()
        builder = builder.add_revoked_certificate(entry)
    return builder.sign(ca.key, ca.hash)


def keep(workspace: Workspace, made: x509.CertificateRevocationList) -> None:
    """Put a list where brokers get it from; call it with the workspace's lock held."""
    files.write_atomic(workspace.path / "tls" / "crl.pem", made.public_bytes(serialization.Encoding.PEM))


def number(before: x509.CertificateRevocationList | None) -> int | None:
    """Return the number of a list; None where there is none."""
    if before is None:
        return None
    try:
        return before.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number
    except x509.ExtensionNotFound:
        return None


def read(workspace: Workspace) -> x509.CertificateRevocationList | None:
    """Return the newest list, None where there is none or it is not whole: it can be made again."""
    try:
        return x509.load_pem_x509_crl((workspace.path / "tls" / "crl.pem").read_bytes())
    except (OSError, ValueError):
        return None
