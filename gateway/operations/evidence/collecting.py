"""What belongs into an export, read from the store piece by piece: a fleet of any size fits."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Final

import sqlalchemy as sa

from advisories.catalogue import Catalogue, Devices, Timestamp
from advisories.notice import Notice
from advisories.offer import Offer
from advisories.report import Report
from gateway.core import chain
from gateway.core.evidence.about import subjects
from gateway.core.evidence.told import Stated
from gateway.store import audit, schema
from gateway.store.engine import Session
from keys import cose
from keys.cbor import decode
from keys.codec import unpack
from keys.document import peek
from keys.errors import InputError
from keys.root import Root

_PAGE: Final = 500
_FOR_ACCOUNTS: Final = frozenset(  # rows that name nobody else; an account sees the others by their digest
    {
        chain.BEGAN,
        chain.FORM_CHANGED,
        chain.COMMITTED,
        "advisory.published",
        "approval.given",
        "catalogue.published",
        "devices.registered",
        "patch.published",
        "root.published",
    }
)


@dataclass(frozen=True, slots=True)
class Scope:
    """What an export is about."""

    advisory: str
    account: str | None
    through: int
    """The last row that it covers."""
    notices: Mapping[int, bytes]
    """Revision -> header."""
    products: tuple[str, ...]
    patches: frozenset[bytes]
    old: int
    """Rows up to this one are of form 1: they can only be shown in full."""

    @property
    def about(self) -> frozenset[str]:
        """The threads of the advisory and its patches."""
        return frozenset({f"advisory:{self.advisory}", *(f"patch:{digest.hex()}" for digest in self.patches)})

    @property
    def fixed(self) -> frozenset[str]:
        """The threads that every export shows."""
        return frozenset({"roots", "devices", "retention", *(f"catalogue:{name}" for name in self.products)})


def scope(session: Session, advisory: str, account: str | None) -> Scope:
    """Find out what an export has to hold.

    Raises:
        InputError: ADVISORY_UNKNOWN, ACCOUNT_UNKNOWN, EVIDENCE_OLD_ROWS.
    """
    a, t = schema.advisories, schema.audit
    query = sa.select(a.c.revision, a.c.document).where(a.c.id == advisory).order_by(a.c.revision)
    notices: dict[int, bytes] = {row.revision: row.document for row in session.connection.execute(query)}
    if not notices:
        raise InputError(
            "ADVISORY_UNKNOWN",
            f"'{advisory}' was never published, so nobody was told.",
            mend="'tocsin status' lists what was published.",
        )
    bodies = [peek(document, Notice) for document in notices.values()]
    products = tuple(sorted({name for body in bodies for name in body.subject}))
    patches = {one for body in bodies for found in (body.patches or {}).values() for one in found}
    changed = sa.select(sa.func.min(t.c.index)).where(t.c.kind == chain.FORM_CHANGED)
    began = session.connection.execute(sa.select(t.c.kind).where(t.c.index == 1)).scalar()
    first: int | None = session.connection.execute(changed).scalar()
    through = audit.last(session)[0]
    old = 0 if began == chain.BEGAN else (through if first is None else first - 1)
    if account is not None:
        _require_account(session, account, old)
    return Scope(advisory, account, through, notices, products, frozenset(patches), old)


def _require_account(session: Session, account: str, old: int) -> None:
    t = schema.accounts
    if session.connection.execute(sa.select(t.c.id).where(t.c.id == account)).first() is None:
        raise InputError(
            "ACCOUNT_UNKNOWN",
            f"There is no account '{account}'.",
            mend="'tocsin account list' shows those that there are.",
        )
    if old:
        raise InputError(
            "EVIDENCE_OLD_ROWS",
            f"Rows 1 to {old} of the audit chain are of its first form, and can only be shown whole: "
            "they name other accounts' devices.",
            mend="Export without --account, for an auditor who may see all of it.",
        )


def shown_rows(session: Session, scope: Scope) -> tuple[set[int], frozenset[str]]:
    """Return the rows about the advisory and their threads; incidents and rollouts are found on the way."""
    t, a = schema.audit_threads, schema.audit
    done: set[str] = set()
    todo = set(scope.about | scope.fixed)
    found: set[int] = set(range(1, scope.old + 2)) if scope.old else {1}
    while todo:
        thread = min(todo)
        todo.discard(thread)
        done.add(thread)
        query = sa.select(t.c.row).where(t.c.thread == thread, t.c.row <= scope.through)
        found.update(session.connection.execute(query).scalars())
        if thread not in scope.about:
            continue
        same = sa.select(t.c.row).where(t.c.thread == thread, t.c.row <= scope.through)
        others = sa.select(t.c.thread).where(t.c.row.in_(same)).distinct()
        for other in session.connection.execute(others).scalars():
            if other.startswith(("incident:", "rollout:")) and other not in done:
                todo.add(other)
    if scope.account is not None:
        kinds = sa.select(a.c.index, a.c.kind).where(a.c.index <= scope.through)
        found -= {
            index
            for index, kind in session.connection.execute(kinds)
            if index in found and kind not in _FOR_ACCOUNTS and not kind.startswith("retention.")
        }
    return found, frozenset(done)


def documents(
    session: Session, type_: str, names: Iterable[str] | None = None
) -> Iterator[tuple[str, int, bytes]]:
    """Yield name, version and bytes of stored documents, in that order."""
    t = schema.documents
    query = sa.select(t.c.name, t.c.version, t.c.bytes).where(t.c.type == type_)
    if names is not None:
        query = query.where(t.c.name.in_(sorted(names)))
    query = query.order_by(t.c.name, t.c.version).execution_options(yield_per=_PAGE)
    for row in session.connection.execute(query):
        yield row.name, row.version, row.bytes


def roots(session: Session) -> Iterator[tuple[int, bytes]]:
    """Yield every root, 1 first."""
    for _, version, data in documents(session, Root.TYPE):
        yield version, data


def catalogues(session: Session, scope: Scope) -> Iterator[tuple[str, int, bytes]]:
    """Yield the catalogues of the advisory's products."""
    return documents(session, Catalogue.TYPE, scope.products)


def timestamps(session: Session, scope: Scope) -> Iterator[bytes]:
    """Yield the timestamps of the advisory's products."""
    for _, _, data in documents(session, Timestamp.TYPE, scope.products):
        yield data


def patches(session: Session, scope: Scope) -> Iterator[tuple[bytes, bytes]]:
    """Yield digest and envelope of the advisory's patches that were published."""
    t = schema.patches
    query = sa.select(t.c.digest, t.c.envelope).where(t.c.digest.in_(sorted(scope.patches)))
    for row in session.connection.execute(query.order_by(t.c.digest)):
        yield row.digest, row.envelope


def device_records(session: Session, mine: Mapping[str, Stated] | None) -> Iterator[tuple[int, bytes]]:
    """Yield documents of device records; with ``mine`` only those that name one of these devices."""
    for _, version, data in documents(session, Devices.TYPE):
        if mine is None or any(record.id in mine for record in peek(data, Devices).records):
            yield version, data


def offers(session: Session, scope: Scope, mine: Mapping[str, Stated] | None) -> Iterator[bytes]:
    """Yield the offers of the advisory's patches."""
    if scope.patches:
        for device, _, data in documents(session, Offer.TYPE):
            if (mine is None or device in mine) and peek(data, Offer).digest in scope.patches:
                yield data


def stated(session: Session, scope: Scope) -> dict[str, Stated]:
    """Return what the operator states about devices of the advisory's products, and of follow-ups."""
    i, f = schema.inventory, schema.followups
    query = (
        sa.select(i.c.id, i.c.product, i.c.account, i.c.region, f.c.owner, f.c.outcome)
        .select_from(i.outerjoin(f, (f.c.device == i.c.id) & (f.c.advisory == scope.advisory)))
        .where(i.c.product.in_(scope.products))
    )
    if scope.account is not None:
        query = query.where(i.c.account == scope.account)
    found = {
        row.id: Stated(row.product, row.account or "", row.region or "", row.owner or "", row.outcome or "")
        for row in session.connection.execute(query)
    }
    if scope.account is None:  # a follow-up of a device that no inventory knows
        alone = sa.select(f.c.device, f.c.owner, f.c.outcome).where(f.c.advisory == scope.advisory)
        for device, owner, came in session.connection.execute(alone):
            found.setdefault(device, Stated("", "", "", owner, came or ""))
    return found


def words(session: Session, rows: Iterable[chain.Link]) -> Iterator[dict[str, Any]]:
    """Yield the events that rows recorded, in the order of the rows."""
    t = schema.events
    for row in rows:
        data = json.loads(row.data)
        if not {"seq", "digest"} <= data.keys():
            continue
        event = session.connection.execute(sa.select(t).where(t.c.seq == data["seq"])).first()
        if event is not None:
            yield dict(event._mapping)  # noqa: SLF001 - the public name of a row's mapping


def reports(
    session: Session, scope: Scope, mine: Mapping[str, Stated] | None
) -> Iterator[tuple[int, bytes | None, bytes]]:
    """Yield row, salt and bytes of reports: of each device from the first that speaks of the advisory on."""
    began: set[str] = set()
    for device, entry, salt, data in _each(session, scope):
        if mine is not None and device not in mine:
            continue
        if device not in began:
            report = unpack(Report, decode(cose.parse(data, cose.TAG_SIGN1).payload or b""))
            if not subjects(report) & scope.about:
                continue
            began.add(device)
        yield entry, salt, data


def _each(session: Session, scope: Scope) -> Iterator[tuple[str, int, bytes | None, bytes]]:
    if scope.old:
        yield from _old(session, scope)
    r, d = schema.reports, schema.devices
    query = (
        sa.select(r.c.device, r.c.entry, r.c.salt, r.c.bytes)
        .select_from(r.join(d, d.c.id == r.c.device))
        .where(d.c.product.in_(scope.products), r.c.entry <= scope.through)
        .order_by(r.c.entry, r.c.device, r.c.epoch, r.c.sequence)
        .execution_options(yield_per=_PAGE)
    )
    # Sorted once more, for databases differ in what comes before what.
    for _, rows in groupby(session.connection.execute(query), key=lambda row: row.entry):
        for row in sorted(rows, key=lambda row: row.device):
            yield row.device, row.entry, row.salt, row.bytes


def _old(session: Session, scope: Scope) -> Iterator[tuple[str, int, bytes | None, bytes]]:
    """Yield the reports from before there were salts, in the order of the rows that list them."""
    r, d = schema.reports, schema.devices
    query = sa.select(d.c.id).where(d.c.product.in_(scope.products))
    products = set(session.connection.execute(query).scalars())
    for row in audit.rows(session):
        if row.index > scope.old:
            return
        if row.kind != chain.COMMITTED:
            continue
        for device, _, sequence, digest in sorted(json.loads(row.data)["reports"]):
            if device not in products:
                continue
            same = sa.select(r.c.bytes).where(
                r.c.device == device, r.c.sequence == sequence, r.c.salt.is_(None)
            )
            for data in session.connection.execute(same).scalars():
                if hashlib.sha256(data).hexdigest() == digest:
                    yield device, row.index, None, data
