"""Enrolment from a signing request (PKCS#10, RFC 2986): a device's key becomes its record and certificate.

A request proves that whoever made it holds the private key. Its subject may carry the device's id; whatever
else it asks for (extensions, other names) is ignored: a certificate says only what the operator decided.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, replace

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.x509.oid import NameOID

from advisories.catalogue import DeviceRecord
from gateway.operations import products
from gateway.operations.identity import certificates, devices
from gateway.workspace.entries import require_id
from gateway.workspace.folder import Workspace
from keys.algorithms import PublicKey
from keys.errors import InputError
from keys.signer import Signer

REQUEST_BYTES_MAX = 65_536
_AGAIN = "Make the request again on the device, as PKCS#10 in PEM or DER."


@dataclass(frozen=True, slots=True)
class Request:
    """What a signing request says that counts."""

    key: PublicKey
    id: str | None
    """The device's id, where its subject has one."""


@dataclass(frozen=True, slots=True)
class Planned:
    """The record that an enrolment comes to, and whether it stands in the store already."""

    record: DeviceRecord
    known: bool


def read_request(data: bytes, *, where: str) -> Request:
    """Read a signing request and check that whoever made it holds the key.

    Args:
        data: PEM or DER.
        where: the file, for messages.

    Raises:
        InputError: BAD_REQUEST, REQUEST_SIGNATURE, KEY_UNSUPPORTED, BAD_ID, ID_DIFFERS.
    """
    if len(data) > REQUEST_BYTES_MAX:
        message = f"This is no signing request: it has more than {REQUEST_BYTES_MAX} bytes."
        raise InputError("BAD_REQUEST", message, mend=_AGAIN, where=where)
    try:
        load = x509.load_pem_x509_csr if b"-----BEGIN" in data else x509.load_der_x509_csr
        request = load(data)
        subject = request.subject
        public = request.public_key()
    except UnsupportedAlgorithm:
        raise _unsupported(where) from None
    except ValueError:
        raise InputError("BAD_REQUEST", "This is no signing request.", mend=_AGAIN, where=where) from None
    try:
        key = certificates.from_library(public)
    except ValueError:
        raise _unsupported(where) from None
    try:
        proved = request.is_signature_valid
    except (ValueError, UnsupportedAlgorithm):
        proved = False
    if not proved:
        message = "The request is not signed by the key in it: nobody has proved to hold that key."
        raise InputError("REQUEST_SIGNATURE", message, mend=_AGAIN, where=where)
    oids = (NameOID.COMMON_NAME, NameOID.SERIAL_NUMBER)
    names = {str(name.value) for oid in oids for name in subject.get_attributes_for_oid(oid)}
    if len(names) > 1:
        message = "The request's subject names several ids."
        raise InputError("ID_DIFFERS", message, mend="Name the device once.", where=where)
    return Request(key, require_id(names.pop(), "a device id") if names else None)


def _unsupported(where: str) -> InputError:
    mend = "Make a key of one of these on the device."
    message = "The request's key is neither Ed25519 nor P-256."
    return InputError("KEY_UNSUPPORTED", message, mend=mend, where=where)


def plan(
    workspace: Workspace,
    request: Request,
    *,
    product: str | None,
    id_: str | None,
    seconds: int,
    now: int,
    entropy: Callable[[int], bytes] = os.urandom,
) -> Planned:
    """Say which record a request comes to; one that a killed command registered is found again.

    Args:
        workspace: where.
        request: what was read.
        product: what the device is; may be left out where there is only one product.
        id_: its id; the request's, or else a random one, if left out.
        seconds: how long its reports are taken from now on.
        now: UTC seconds.
        entropy: where random ids come from.

    Raises:
        InputError: ID_DIFFERS, BAD_ID, WHICH_PRODUCT, NO_PRODUCT, DEVICE_EXISTS, DEVICE_KEY_TAKEN,
            DEVICE_REVOKED.
    """
    wanted = _agreed(request, None if id_ is None else require_id(id_, "a device id"))
    found = devices.look_up(workspace, kid=request.key.thumbprint, device=wanted)
    known, taken = found.owner, found.owner is None and found.named is not None
    if known is not None:
        if wanted not in {None, known.id} or product not in {None, known.product}:
            message = f"This key is that of the device '{known.id}' ({known.product}) already."
            raise InputError("DEVICE_KEY_TAKEN", message, mend="Give each device a key of its own.")
        if known.revoked:
            mend = "Make a new key on the device, and register it with 'tocsin device replace'."
            raise InputError(
                "DEVICE_REVOKED", f"The device '{known.id}' with this key is revoked.", mend=mend
            )
        return Planned(known, known=True)
    if taken:
        mend = f"To give it this key, say 'tocsin device replace {wanted}'; else choose another --id."
        message = f"There is a device '{wanted}' already, with another key."
        raise InputError("DEVICE_EXISTS", message, mend=mend)
    chosen = _product(workspace, product)
    return Planned(
        DeviceRecord(
            id=wanted or entropy(8).hex(),
            product=chosen,
            key=request.key,
            valid_from=now - devices.BACKDATE_SECONDS,
            valid_to=now + seconds,
            revoked=False,
        ),
        known=False,
    )


def _agreed(request: Request, id_: str | None) -> str | None:
    if request.id is not None and id_ not in {None, request.id}:
        message = f"The request is of '{request.id}', not of '{id_}'."
        raise InputError("ID_DIFFERS", message, mend="Leave --id out, or make another request.")
    return id_ or request.id


def _product(workspace: Workspace, product: str | None) -> str:
    if product is not None:
        return products.show(workspace, product).id
    known = [each.id for each in products.list_(workspace)]
    if len(known) != 1:
        mend = f"Name one with --product: {', '.join(known)}." if known else "Add one: 'tocsin product add'."
        raise InputError("WHICH_PRODUCT", "It is not clear what the device is.", mend=mend)
    return known[0]


def plan_replacement(
    workspace: Workspace, id_: str, key: PublicKey, *, seconds: int | None, now: int
) -> Planned:
    """Say which record gives a device another key; one that a killed command registered is found again.

    Args:
        workspace: where.
        id_: the device.
        key: its new key.
        seconds: how long its reports are taken from now on; None keeps the end it has.
        now: UTC seconds.

    Raises:
        InputError: NO_DEVICE, DEVICE_KEY_TAKEN, DEVICE_REVOKED.
    """
    found = devices.look_up(workspace, kid=key.thumbprint, device=id_)
    known = found.named or devices.read_record(workspace, id_)
    owner = None if found.owner is None else found.owner.id
    if owner not in {None, id_}:
        message = f"This key is that of the device '{owner}' already."
        raise InputError("DEVICE_KEY_TAKEN", message, mend="Give each device a key of its own.")
    if owner == id_:
        if known.revoked:
            mend = "Make a new key on the device."
            raise InputError("DEVICE_REVOKED", f"'{id_}' is revoked with this very key.", mend=mend)
        return Planned(known, known=True)
    end = known.valid_to if seconds is None else now + seconds
    if end <= now:
        mend = "Say with --valid-days how long it shall be valid."
        raise InputError("DEVICE_OVER", f"The record of '{id_}' is over.", mend=mend)
    start = min(known.valid_from, now - devices.BACKDATE_SECONDS)
    return Planned(replace(known, key=key, valid_from=start, valid_to=end, revoked=False), known=False)


def carry_out(workspace: Workspace, planned: Planned, operator: Signer, *, now: int) -> DeviceRecord:
    """Register what was planned; nothing is done twice (errors of :func:`devices.register`)."""
    record = planned.record
    if not planned.known:
        devices.register(workspace, [record], operator, now=now, why={"key": record.key.thumbprint.hex()})
    return record
