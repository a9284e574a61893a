"""Devices, registered or only known of: what they say, what is known from elsewhere; facts by hand."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

import sqlalchemy as sa

from gateway.core.rights import Caller
from gateway.core.selection import parse
from gateway.operations.afar import operation
from gateway.operations.identity import certificates
from gateway.operations.inventory import facts
from gateway.store import audit, schema
from gateway.store.engine import Session
from gateway.store.inventory import OPERATOR, Entry, known_entries, put, registered_products
from gateway.store.selecting import UNREACHED, Selector
from gateway.store.tallies import chunks
from gateway.workspace.folder import Workspace
from keys.errors import InputError

LIMIT_MAX: Final = 10_000  # devices of one page
_D, _I, _S, _U = schema.devices, schema.inventory, schema.device_states, schema.unheard


class Reach(StrEnum):
    """How a device can be told."""

    REPORTS = "reports"
    NEVER = "never"
    """Registered, and never heard of."""
    NONE = "none"
    """It runs nothing of ours: its owner is told by letter."""


@dataclass(frozen=True, slots=True)
class DeviceFacts:
    """One device; None where nothing is known."""

    id: str
    product: str
    reach: Reach
    revoked: bool
    valid_from: int | None
    valid_to: int | None
    """UTC seconds between which its reports are taken."""
    thumbprint: bytes | None
    installed: str | None
    """By its newest report, else by the inventory."""
    language: str | None
    seen: float | None
    """UTC seconds of the newest report."""
    account: str | None
    region: str | None
    labels: dict[str, str]
    source: str | None
    external: str | None
    """Its name there."""
    certificate_end: int | None = None
    """UTC seconds at which its newest certificate ends; None: it has none that is not revoked."""
    certificate_serial: str | None = None
    """Of that certificate, in hexadecimal."""


@dataclass(frozen=True, slots=True)
class DevicePage:
    """Devices by id."""

    items: tuple[DeviceFacts, ...]
    next: str
    """To be given as ``after`` for the page that follows; empty at the end."""


@operation("GET", "/devices", right="device:read")
def list_(
    workspace: Workspace, *, where: str = "", account: str | None = None, limit: int = 100, after: str = ""
) -> DevicePage:
    """Return devices by id, those of the inventory only among them.

    Args:
        workspace: where.
        where: a selection such as ``product = thermostat and region = DE``; empty for all.
        account: only whose they are.
        limit: how many at most.
        after: the ``next`` of the page before.

    Raises:
        InputError: SELECTION, FILTER_UNKNOWN, BAD_VALUE.
    """
    if not 1 <= limit <= LIMIT_MAX:
        message = f"A page has 1 to {LIMIT_MAX} devices."
        raise InputError("BAD_VALUE", message, mend="Give another --limit.")
    with workspace.store() as store, store.read() as session:
        found = _found(session, where, account, limit + 1, after)
        page = found[:limit]
        return DevicePage(_complete(session, page), page[-1][0] if len(found) > limit else "")


@operation("GET", "/devices/{device}", right="device:read")
def show(workspace: Workspace, device: str, *, account: str | None = None) -> DeviceFacts:
    """Return one device.

    Raises:
        InputError: NO_DEVICE; also for one of another account than is asked for.
    """
    with workspace.store() as store, store.read() as session:
        rows = [row for query in _queries(Selector(session), "") for row in _one(session, query, device)]
        if not rows or (account is not None and rows[0].account != account):
            raise _none(device)
        return _complete(session, [tuple(rows[0])])[0]


@operation("PUT", "/devices/{device}/facts", right="device:write")
def set_facts(
    workspace: Workspace,
    device: str,
    *,
    now: int,
    by: str = OPERATOR,
    region: str | None = None,
    account: str | None = None,
    version: str | None = None,
    labels: Mapping[str, str] | None = None,
    asker: Caller | None = None,
) -> DeviceFacts:
    """Note what is known of a device; None leaves a fact as it is, an empty one takes it away.

    Args:
        workspace: where.
        device: its whole id.
        now: UTC seconds.
        by: who says so.
        region: where it stands.
        account: whose it is.
        version: what runs on a device that does not say so itself.
        labels: name -> value.
        asker: whose token asks; one of an account reaches its own devices only, and makes none its own.

    Raises:
        InputError: NO_DEVICE, BAD_VALUE, BAD_LABEL.
    """
    told = {
        name: _read(name, value)
        for name, value in (("region", region), ("account", account), ("version", version))
        if value is not None
    }
    wanted = facts.read_labels([f"{name}={value}" for name, value in (labels or {}).items()])
    with workspace.lock(), workspace.store() as store, store.write() as session:
        known = known_entries(session, [device]).get(device)
        product = known.product if known else registered_products(session, [device]).get(device)
        if product is None or not _reaches(asker, known):
            raise _none(device)
        kept = {**(known.labels if known else {}), **wanted}
        if sum(1 for value in kept.values() if value) > facts.LABELS_MAX:
            message = f"A device has {facts.LABELS_MAX} labels at most."
            raise InputError("BAD_LABEL", message, mend="Take one away with NAME=.")
        entry = Entry(device, product, OPERATOR, labels=wanted, **told)
        if not put(session, [entry], now).same:
            said = {**told, **({"labels": wanted} if wanted else {})}
            audit.append(session, "device.facts", {"by": by, "device": device, "set": said}, now)
    return show(workspace, device)


def _reaches(asker: Caller | None, known: Entry | None) -> bool:
    """Say whether a token may change what is known of a device."""
    if asker is None or asker.account is None:
        return True
    return known is not None and known.account == asker.account


def _read(name: str, value: str) -> str:
    try:
        return facts.READ[name](value) if value else ""
    except ValueError as error:
        message = f"The {name} is wrong: {error}."
        raise InputError("BAD_VALUE", message, mend=facts.MEND[name]) from None


def _none(device: str) -> InputError:
    return InputError("NO_DEVICE", f"There is no device '{device[:64]}'.", mend="See 'tocsin device list'.")


def _queries(selector: Selector, where: str) -> tuple[sa.Select[Any], sa.Select[Any]]:
    """Return the queries for the registered and for the others; their columns are alike."""
    query = parse(where) if where else None
    known = (_I.c.account, _I.c.region, _I.c.source, _I.c.external)
    said = (_S.c.language, _S.c.seen)
    here = (
        sa.select(
            *(_D.c.id, _D.c.product, _D.c.revoked, _D.c.valid_from, _D.c.valid_to, _D.c.kid),
            sa.func.coalesce(_S.c.installed, _I.c.version).label("installed"),
            *said,
            *known,
        )
        .select_from(_D.outerjoin(_I, _I.c.id == _D.c.id).outerjoin(_S, _S.c.device == _D.c.id))
        .where(selector.reached(query))
    )
    nothing = [sa.null().label(name) for name in ("valid_from", "valid_to", "kid")]
    elsewhere = (
        sa.select(
            *(_I.c.id, _I.c.product, sa.false().label("revoked"), *nothing, _I.c.version.label("installed")),
            *(sa.null().label(column.name) for column in said),
            *known,
        )
        .select_from(UNREACHED)
        .where(selector.unreached(query))
    )
    return here, elsewhere


def _one(session: Session, query: sa.Select[Any], device: str) -> Iterable[Any]:
    return session.connection.execute(query.where(query.selected_columns[0] == device))


def _found(session: Session, where: str, account: str | None, limit: int, after: str) -> list[Any]:
    found: list[Any] = []
    for query, own in zip(_queries(Selector(session), where), (_D.c.id, _U.c.device), strict=True):
        if account is None:
            page = query.where(own > after).order_by(own)
        else:  # the id from the index that holds both
            page = query.where(_I.c.account == account, _I.c.id > after).order_by(_I.c.id)
        found += [tuple(row) for row in session.connection.execute(page.limit(limit))]
    return sorted(found)[:limit]


def _complete(session: Session, rows: list[Any]) -> tuple[DeviceFacts, ...]:
    """Add labels and certificates to rows."""
    labels = _labels(session, [row[0] for row in rows])
    have = certificates.newest(session, {row[0]: row[5] for row in rows if row[5] and not row[2]})
    found = []
    for id_, product, revoked, *rest in rows:
        record, said, known = rest[:3], rest[3:6], rest[6:8]
        reach = Reach.NONE if record[2] is None else Reach.NEVER if said[2] is None else Reach.REPORTS
        one = have.get(id_)
        lets_in = (one.end, f"{one.serial:x}") if one else (None, None)
        facts_ = (*record, *said, *known, labels.get(id_, {}), *rest[8:], *lets_in)
        found.append(DeviceFacts(id_, product, reach, bool(revoked), *facts_))
    return tuple(found)


def _labels(session: Session, ids: list[str]) -> dict[str, dict[str, str]]:
    t = schema.labels
    found: dict[str, dict[str, str]] = {}
    for chunk in chunks(ids):
        query = sa.select(t.c.device, t.c.name, t.c.value).where(t.c.device.in_(chunk)).order_by(t.c.name)
        for row in session.connection.execute(query):
            found.setdefault(row.device, {})[row.name] = row.value
    return found
