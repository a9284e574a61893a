"""The device CA as others see it, and as it works through a server: its key stays with whoever holds it.

What the CA signed elsewhere, certificates and the list of revoked ones, is taken in once it is verified.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from gateway.operations.afar import Server, operation
from gateway.operations.identity import certificates, device_ca, devices, revocation
from gateway.operations.identity.certificates import DeviceCa, Issued
from gateway.operations.identity.revocation import CRL_DAYS, Due
from gateway.workspace.folder import Workspace
from keys.cbor import encode
from keys.errors import InputError

_DER = serialization.Encoding.DER


@dataclass(frozen=True, slots=True)
class Authority:
    """The CA, and what it issued."""

    subject: str
    valid_to: int
    """UTC seconds."""
    issued: int
    revoked: int
    machines: dict[str, int]
    """The gateway and the broker, where they have a certificate: until when, in UTC seconds."""
    crl_next_update: int | None
    """UTC seconds at which the list of revoked certificates is over; None: there is none."""


@operation("GET", "/device-ca", right="device:read")
def show(workspace: Workspace) -> Authority:
    """Return the device CA, how many certificates it issued, and until when its list is good.

    Raises:
        InputError: NO_DEVICE_CA.
        DamagedError: CA_DAMAGED.
    """
    found = device_ca.read_ca(workspace)
    crl = revocation.read(workspace)
    with workspace.store() as store, store.read() as session:
        issued = sum(1 for _ in certificates.issued(session))
        revoked = len(certificates.revoked(session))
        good = certificates.current(session)
    names = (certificates.GATEWAY, certificates.BROKER)
    return Authority(
        subject=found.subject.rfc4514_string(),
        valid_to=int(found.not_valid_after_utc.timestamp()),
        issued=issued,
        revoked=revoked,
        machines={name.strip("_"): good[name].end for name in names if name in good},
        crl_next_update=None
        if crl is None or crl.next_update_utc is None
        else int(crl.next_update_utc.timestamp()),
    )


@operation("GET", "/device-ca/exists", right="device:read")
def exists(workspace: Workspace) -> bool:
    """Say whether there is a device CA."""
    return device_ca.exists(workspace)


@operation("GET", "/device-ca/revocations", right="device:read")
def revocations(workspace: Workspace, *, now: int) -> Due:
    """Return what the next list of revoked certificates has to hold, for the CA to sign."""
    return revocation.due(workspace, now=now)


@operation("PUT", "/device-ca/crl", right="device:manage", raw="data")
def put_list(workspace: Workspace, data: bytes, *, now: int) -> int:
    """Take in a list of revoked certificates that the CA signed; return how many stand on it.

    Args:
        workspace: where.
        data: in PEM, untrusted.
        now: UTC seconds.

    Raises:
        InputError: NO_DEVICE_CA, BAD_CRL; CRL_INCOMPLETE, when one is missing on it or a newer list is here.
    """
    ca = device_ca.read_ca(workspace)
    try:
        made = x509.load_pem_x509_crl(data)
        genuine = made.is_signature_valid(ca.public_key())  # type: ignore[arg-type]
    except (ValueError, TypeError, InvalidSignature):
        genuine = False
    if not genuine:
        message = "This is no list of revoked certificates that this device CA signed."
        raise InputError("BAD_CRL", message, mend="Make it with 'tocsin device ca crl'.")
    with workspace.lock():
        wanted = revocation.due(workspace, now=now)
        missing = [
            one
            for one in wanted.items
            if made.get_revoked_certificate_by_serial_number(Issued.of(one.name, one.der).serial) is None
        ]
        number = revocation.number(made)
        if missing or number is None or number <= (wanted.last or 0):
            message = "This list lacks what was revoked meanwhile, or is not newer than the one here."
            raise InputError("CRL_INCOMPLETE", message, mend="Make it again with 'tocsin device ca crl'.")
        revocation.keep(workspace, made)
    return len(made)


def refresh(workspace: Workspace, ca: DeviceCa, *, now: int, days: int = CRL_DAYS) -> list[Issued]:
    """Write the list of revoked certificates anew, here or there; return what is on it, by name."""
    if not isinstance(workspace, Server):
        with workspace.lock():
            return revocation.write(workspace, ca, now=now, days=days)
    wanted = revocations(workspace, now=now)
    made = revocation.signed(ca, wanted, now=now, days=days)
    put_list(workspace, made.public_bytes(serialization.Encoding.PEM), now=now)
    return [Issued.of(one.name, one.der) for one in wanted.items]


@operation("POST", "/certificates", right="device:manage")
def take(workspace: Workspace, issued: Sequence[bytes], *, now: int) -> int:
    """Take in certificates of devices that the CA issued elsewhere, all of them or none; return how many.

    Args:
        workspace: where.
        issued: in DER, untrusted.
        now: UTC seconds.

    Raises:
        InputError: NO_DEVICE_CA, BAD_CERTIFICATE, NO_DEVICE, DEVICE_REVOKED.
    """
    ca = device_ca.read_ca(workspace)
    read = [_read(each, ca) for each in issued]
    with workspace.lock(), workspace.store() as store, store.write() as session:
        for certificate, name in read:
            record = devices.newest_record(session, name)
            if record.revoked:
                mend = "Give it another key with 'tocsin device replace'."
                raise InputError("DEVICE_REVOKED", f"The device '{name}' is revoked.", mend=mend)
            made = Issued.of(name, certificate.public_bytes(_DER))
            if made.thumbprint != record.key.thumbprint or made.end > record.valid_to:
                raise _bad("it is for another key, or beyond the end of the device's record")
            device_ca.keep(session, certificate, name, now)
    return len(read)


def _read(data: bytes, ca: x509.Certificate) -> tuple[x509.Certificate, str]:
    """Return a certificate that the CA issued to a device, and the device's id."""
    try:
        found = x509.load_der_x509_certificate(data)
        found.verify_directly_issued_by(ca)
        (name,) = found.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
        usage = found.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
        plain = not found.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
        certificates.from_library(found.public_key())
    except (ValueError, TypeError, InvalidSignature, x509.ExtensionNotFound):
        raise _bad("this device CA did not issue it to one device") from None
    if not plain or list(usage) != [ExtendedKeyUsageOID.CLIENT_AUTH] or str(name.value).startswith("_"):
        raise _bad("it is for something else than a device")
    return found, str(name.value)


def _bad(why: str) -> InputError:
    mend = "Issue it again with 'tocsin device certificate'."
    return InputError("BAD_CERTIFICATE", f"This certificate is not taken: {why}.", mend=mend)


def issue(
    workspace: Workspace, ca: DeviceCa, ids: Sequence[str], *, now: int, days: int | None = None
) -> list[Issued]:
    """Issue certificates to registered devices, see :func:`device_ca.issue`; a server keeps those made here.

    Raises:
        InputError: NO_DEVICE, DEVICE_REVOKED, DEVICE_OVER, CA_OVER.
    """
    if not isinstance(workspace, Server):
        return device_ca.issue(workspace, ca, ids, now=now, days=days)
    made = []
    for id_ in ids:
        record = devices.read_record(workspace, id_)
        wanted = device_ca.Wanted(
            id_, encode(record.key.to_cose()), record.valid_from, record.valid_to, record.revoked
        )
        made.append(device_ca.certificate_for(ca, wanted, now=now, days=days).public_bytes(_DER))
    take(workspace, made, now=now)
    return [Issued.of(id_, der) for id_, der in zip(ids, made, strict=True)]
