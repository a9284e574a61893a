"""``tocsin device``: which devices exist. Homes are the simulator's, records the operator's."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import sqlalchemy as sa

from advisories.catalogue import DeviceRecord, Devices
from advisories.limits import DEVICE_RECORDS_MAX
from advisories.topics import is_id
from gateway import values
from gateway.core.publication import next_version
from gateway.operations.afar import Server, operation
from gateway.operations.identity import certificates
from gateway.operations.trust import public
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
BODY_BYTES_MAX: Final = 32 * 1024 * 1024  # of records that come from afar
_WHYS: Final = frozenset({"list", "key", "reason", "revoked"})
_LAST: Final = "\x7f"  # sorts behind every character of an id
_PAGE: Final = 1_000  # lines of the register asked for at once


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


@dataclass(frozen=True, slots=True)
class Registered:
    """What the register holds of a key and an id."""

    owner: DeviceRecord | None
    """The device that has this key."""
    named: DeviceRecord | None
    """The device of this id."""


@dataclass(frozen=True, slots=True)
class Listed:
    """One line of the register."""

    id: str
    product: str
    kid: bytes
    valid_from: int
    valid_to: int
    revoked: bool


@dataclass(frozen=True, slots=True)
class Register:
    """Lines of the register by id."""

    items: tuple[Listed, ...]
    next: str
    """To be given as ``after`` for the page that follows; empty at the end."""


@operation("GET", "/register", right="device:read")
def register_page(workspace: Workspace, *, limit: int = 100, after: str = "") -> Register:
    """Return lines of the register by id."""
    t = schema.devices
    query = _listed().where(t.c.id > after).order_by(t.c.id).limit(limit + 1)
    with workspace.store() as store, store.read() as session:
        found = [Listed(*row) for row in session.connection.execute(query)]
    return Register(tuple(found[:limit]), found[limit - 1].id if len(found) > limit else "")


def _listed() -> sa.Select[Any]:
    t = schema.devices
    return sa.select(t.c.id, t.c.product, t.c.kid, t.c.valid_from, t.c.valid_to, t.c.revoked)


def listed(workspace: Workspace) -> Iterator[Listed]:
    """Yield every line of the register."""
    if not isinstance(workspace, Server):
        with workspace.store() as store, store.read() as session:
            yield from [Listed(*row) for row in session.connection.execute(_listed())]
        return
    page = register_page(workspace, limit=_PAGE)
    yield from page.items
    while page.next:
        page = register_page(workspace, limit=_PAGE, after=page.next)
        yield from page.items


@operation("GET", "/register/lookup", right="device:read")
def look_up(workspace: Workspace, *, kid: bytes, device: str | None = None) -> Registered:
    """Return the records that count for a key's thumbprint, and for an id."""
    with workspace.store() as store, store.read() as session:
        owner = owner_of(session, kid)
        named = device is not None and exists(session, device)
        return Registered(
            None if owner is None else newest_record(session, owner),
            newest_record(session, device) if named and device is not None else None,
        )


@operation("GET", "/register/version", right="device:read")
def last_version(workspace: Workspace) -> int | None:
    """Return the version of the newest document of records; None before the first."""
    with workspace.store() as store, store.read() as session:
        last = session.document(Devices.TYPE, "")
    return last.version if last else None


@operation("POST", "/register", right="device:manage", body_max=BODY_BYTES_MAX)
def take(
    workspace: Workspace,
    documents: Sequence[bytes],
    *,
    now: int,
    by: str,
    why: Mapping[str, str] | None = None,
    rehearse: bool = False,
) -> int:
    """Take in device records that an operator signed, all documents or none; return how many devices.

    Args:
        workspace: where.
        documents: signed, in the order of their versions; untrusted.
        now: UTC seconds.
        by: who sends them.
        why: what else the audit trail has to say of it: ``list``, ``key``, ``reason`` and ``revoked``.
        rehearse: go through every check and change nothing.

    Raises:
        InputError: BAD_VALUE, NO_PRODUCT, DEVICE_KEY_TAKEN.
        RefusedError: with the reason of the first check that failed; REPLAYED, EQUIVOCATION.
    """
    said = dict(why or {})
    if said.keys() - _WHYS or any(len(text.encode()) > REASON_BYTES_MAX for text in said.values()):
        message = "What is said about these records is not as it has to be."
        raise InputError("BAD_VALUE", message, mend=f"Say {', '.join(sorted(_WHYS))}, in few words.")
    records = [record for each in documents for record in peek(each, Devices).records]
    known = workspace.products()
    for product in {record.product for record in records} - known.keys():
        workspace.product(product)
    with workspace.lock(), workspace.store() as store:
        store.rehearsing = rehearse
        publication.register_all(store, documents, now, why={**said, "by": by}, topics=workspace.topics)
    return len(records)


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
    if isinstance(workspace, Server):
        said = {name: str(value) for name, value in (why or {}).items()}
        fleet, last = public.trusted(workspace).fleet, last_version(workspace)
        documents = _signed(records, operator, fleet=fleet, version=last, now=now, step=step)
        return take(workspace, documents, now=now, by="", why=said, rehearse=rehearse)
    known = workspace.products()
    for product in {record.product for record in records} - known.keys():
        workspace.product(product)
    fleet = workspace.trusted().fleet
    with workspace.lock(), workspace.store() as store:
        store.rehearsing = rehearse
        with store.read() as session:
            stored = session.document(Devices.TYPE, "")
        last = stored.version if stored else None
        documents = _signed(records, operator, fleet=fleet, version=last, now=now, step=step)
        publication.register_all(store, documents, now, why=why, topics=workspace.topics)
    return len(records)


def _signed(
    records: Sequence[DeviceRecord],
    operator: Signer,
    *,
    fleet: bytes,
    version: int | None,
    now: int,
    step: Callable[[int], object],
) -> list[bytes]:
    """Return signed documents of the records; ``version`` is that of the newest one before."""
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
    return documents


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


def named(session: Session, beginning: str) -> DeviceRow:
    """Return the registered device of an id, or the only one whose id begins so.

    Raises:
        InputError: NO_DEVICE.
    """
    d = schema.devices
    own = _rows(session, _devices().where(d.c.id == beginning)) if is_id(beginning) else []
    if own:
        return own[0]
    among = sa.and_(d.c.id >= beginning, d.c.id < f"{beginning}{_LAST}")
    counted = sa.select(sa.func.count()).select_from(d).where(among)
    many = session.connection.execute(counted).scalar_one() if is_id(beginning) else 0
    if many == 1:
        return _rows(session, _devices().where(among))[0]
    message = f"{many} devices begin with '{beginning}'." if many else f"There is no device '{beginning}'."
    mend = "Type more digits." if many else "See 'tocsin device list'."
    raise InputError("NO_DEVICE", message, mend=mend)


def _devices() -> sa.Select[Any]:
    d, s = schema.devices, schema.device_states
    return sa.select(
        *(d.c.id, d.c.product, d.c.revoked, d.c.valid_from, d.c.valid_to, d.c.kid),
        *(s.c.installed, s.c.language, s.c.seen),
    ).select_from(d.outerjoin(s, d.c.id == s.c.device))


def _rows(session: Session, query: sa.Select[Any]) -> list[DeviceRow]:
    found = [DeviceRow(*each) for each in session.connection.execute(query)]
    have = certificates.newest(session, {row.id: row.thumbprint for row in found if not row.revoked})
    return [
        replace(row, certificate_end=have[row.id].end, certificate_serial=f"{have[row.id].serial:x}")
        if row.id in have
        else row
        for row in found
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


@operation("GET", "/devices/{device}/record", right="device:read")
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
