"""``tocsin device``: which devices exist. Homes are the simulator's, records the operator's."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import sqlalchemy as sa

from advisories.catalogue import DeviceRecord, Devices
from advisories.limits import DEVICE_RECORDS_MAX
from gateway import values
from gateway.core.publication import next_version
from gateway.operations.identity import certificates
from gateway.store import publication, schema
from gateway.store.engine import Session
from gateway.workspace.folder import Workspace
from keys.codec import dump
from keys.document import peek, seal, size_max
from keys.errors import InputError
from keys.signer import Signer

VALID_SECONDS: Final = 20 * 365 * 86_400  # of a device's key: as long as a device lives
DOCUMENT_SECONDS: Final = 30 * 86_400  # within which the gateway must have taken the records in
BACKDATE_SECONDS: Final = 86_400  # for a device whose clock is behind
_BESIDES_BYTES: Final = (
    4_096  # of a document beside its records: the longest signature, and what is said first
)
REASON_BYTES_MAX: Final = 1_024  # of why a device is revoked


@dataclass(frozen=True, slots=True)
class DeviceRow:
    """One registered device and what its newest report says; None before the first."""

    id: str
    product: str
    revoked: bool
    valid_from: int
    valid_to: int
    """UTC seconds between which its reports are taken."""
    thumbprint: bytes
    installed: str | None
    language: str | None
    seen: float | None
    """UTC seconds of the newest report."""
    certificate_end: int | None = None
    """UTC seconds at which its newest certificate ends; None: it has none that is not revoked."""
    certificate_serial: str | None = None
    """Of that certificate, in hexadecimal."""


def register(
    workspace: Workspace,
    records: Sequence[DeviceRecord],
    operator: Signer,
    *,
    now: int,
    why: Mapping[str, object] | None = None,
    rehearse: bool = False,
    step: Callable[[int], object] = lambda _: None,
) -> int:
    """Sign device records as the operator and put them into the store, all or none; return how many.

    Args:
        workspace: where.
        records: what is registered.
        operator: the operator's key.
        now: UTC seconds.
        why: what else the audit trail has to say of it.
        rehearse: go through every check and change nothing.
        step: called with how many records the document holds that was signed just now.

    Raises:
        InputError: NO_ROOT, NO_PRODUCT, DEVICE_KEY_TAKEN.
        RefusedError: when the operator's key does not satisfy the root's policy.
    """
    known = workspace.products()
    for product in {record.product for record in records} - known.keys():
        workspace.product(product)
    fleet = workspace.trusted().fleet
    with workspace.lock(), workspace.store() as store:
        store.rehearsing = rehearse
        with store.read() as session:
            last = session.document(Devices.TYPE, "")
        version = last.version if last else None
        documents = []
        for chosen in _shares(records):
            version = next_version(version, now)
            body = Devices(
                type=Devices.TYPE,
                fleet=fleet,
                subject=(),
                version=version,
                issued=now,
                expires=now + DOCUMENT_SECONDS,
                records=chosen,
            )
            documents.append(seal(body, [operator]))
            step(len(chosen))
        publication.register_all(store, documents, now, why=why, topics=workspace.topics)
    return len(records)


def _shares(records: Sequence[DeviceRecord]) -> Iterator[tuple[DeviceRecord, ...]]:
    """Yield the records in their order, as many at a time as one document holds: keys differ much in size."""
    share: list[DeviceRecord] = []
    room = most = size_max(Devices) - _BESIDES_BYTES
    for record in records:
        size = len(dump(record))
        if share and (size > room or len(share) == DEVICE_RECORDS_MAX):
            yield tuple(share)
            share, room = [], most
        share.append(record)
        room -= size
    if share:
        yield tuple(share)


def rows(workspace: Workspace) -> list[DeviceRow]:
    """Return all registered devices, by product and id."""
    d = schema.devices
    with workspace.store() as store, store.read() as session:
        return _rows(session, _devices().order_by(d.c.product, d.c.id))


def _devices() -> sa.Select[Any]:
    d, s = schema.devices, schema.device_states
    return sa.select(
        *(d.c.id, d.c.product, d.c.revoked, d.c.valid_from, d.c.valid_to, d.c.kid),
        *(s.c.installed, s.c.language, s.c.seen),
    ).select_from(d.outerjoin(s, d.c.id == s.c.device))


def _rows(session: Session, query: sa.Select[Any]) -> list[DeviceRow]:
    have = certificates.current(session)
    return [
        replace(row, certificate_end=have[row.id].end, certificate_serial=f"{have[row.id].serial:x}")
        if row.id in have
        else row
        for row in (DeviceRow(*each) for each in session.connection.execute(query))
    ]


def newest_record(session: Session, device: str) -> DeviceRecord:
    """Return the record that counts for a device, as the operator signed it.

    Raises:
        InputError: NO_DEVICE.
    """
    if exists(session, device):
        for stored in reversed(session.documents(Devices.TYPE)):
            for record in reversed(peek(stored.bytes, Devices).records):
                if record.id == device:
                    return record
    raise InputError("NO_DEVICE", f"There is no device '{device}'.", mend="See 'tocsin device list'.")


def exists(session: Session, device: str) -> bool:
    """Say whether a device is registered, revoked or not."""
    t = schema.devices
    return session.connection.execute(sa.select(t.c.id).where(t.c.id == device)).first() is not None


def owner_of(session: Session, kid: bytes) -> str | None:
    """Return the id of the device whose key has this thumbprint."""
    t = schema.devices
    found: str | None = session.connection.execute(sa.select(t.c.id).where(t.c.kid == kid)).scalar()
    return found


def read_record(workspace: Workspace, device: str) -> DeviceRecord:
    """Return the record that counts for a device (InputError: NO_DEVICE)."""
    with workspace.store() as store, store.read() as session:
        return newest_record(session, device)


def revoke(workspace: Workspace, device: str, reason: str, operator: Signer, *, now: int) -> DeviceRecord:
    """Register that a device is no longer one of ours; one that is revoked already stays so.

    From then on its reports are refused and it gets no offers. What it did stays in the evidence.

    Raises:
        InputError: NO_DEVICE, BAD_VALUE, or of :func:`register`.
    """
    try:
        values.a_text(reason)
    except ValueError as error:
        raise InputError("BAD_VALUE", f"The reason: {error}.", mend="Give another --reason.") from None
    if len(reason.encode()) > REASON_BYTES_MAX:
        message = f"The reason has more than {REASON_BYTES_MAX} bytes."
        raise InputError("BAD_VALUE", message, mend="Give another --reason.")
    record = read_record(workspace, device)
    if record.revoked:
        return record
    gone = replace(record, revoked=True)
    register(workspace, [gone], operator, now=now, why={"reason": reason, "revoked": device})
    return gone
