"""``tocsin status``: who was told, what is fixed, and what was refused; computed from the store only."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from advisories.notice import Notice, check_code
from advisories.report import Track
from advisories.states import PATCH_FAILED, PATCH_PROVEN, NoticeState, PatchState, Surface
from gateway.service import schema
from gateway.service.operations.rollouts import RolloutView
from gateway.service.operations.rollouts import status as rollout_status
from gateway.service.store import Session
from gateway.service.workspace import Workspace
from keys.document import peek
from keys.errors import InputError
from keys.reasons import Reason


@dataclass(frozen=True, slots=True)
class Funnel:
    """How far one advisory has come with one product's devices; every count includes those further on."""

    product: str
    devices: int
    """Registered and not revoked."""
    delivered: int
    verified: int
    shown: int
    """As text: a light counts in ``lit`` only."""
    lit: int
    acknowledged: int
    confirmed: int
    """Known to be current by catalogue and timestamp."""
    not_applicable: int
    """Do not run an affected version (any more)."""
    rejected: int


@dataclass(frozen=True, slots=True)
class AdvisoryStatus:
    """The newest published revision of an advisory."""

    id: str
    revision: int
    check_code: str
    exercise: bool
    published: float
    funnel: tuple[Funnel, ...]


@dataclass(frozen=True, slots=True)
class PatchStatus:
    """How far one published patch has come."""

    product: str
    sequence: int
    version: str
    states: dict[str, int]
    """State by lower-case name -> devices."""
    patched: int
    """Run it, measured and confirmed."""
    failed: int


@dataclass(frozen=True, slots=True)
class Status:
    """Everything that ``tocsin status`` shows."""

    devices: int
    reporting: int
    """Devices that have ever reported."""
    advisories: tuple[AdvisoryStatus, ...]
    patches: tuple[PatchStatus, ...]
    rollouts: tuple[RolloutView, ...]
    refused: dict[str, int]
    """Reason -> how often devices refused a document."""
    quarantined: dict[str, int]
    """Reason -> messages to the gateway that were no reports."""
    anomalies: dict[str, int]
    """Kind -> how often evidence did not fit together."""


def status(workspace: Workspace, advisory: str | None = None) -> Status:
    """Read the whole state, or that of one advisory.

    Raises:
        InputError: NO_ADVISORY, when it was never published.
    """
    with workspace.store() as store, store.read() as session:
        d, s = schema.devices, schema.device_states
        total = session.connection.execute(
            sa.select(sa.func.count()).select_from(d).where(d.c.revoked.is_(False))
        ).scalar()
        reporting = session.connection.execute(sa.select(sa.func.count()).select_from(s)).scalar()
        advisories = _advisories(session, advisory)
        patches = _patches(session)
        refused = _refused(session)
        quarantined = _by_reason(session, schema.quarantine)
        kinds = session.connection.execute(
            sa.select(schema.anomalies.c.kind, sa.func.count()).group_by(schema.anomalies.c.kind)
        )
        anomalies = {str(kind): int(count) for kind, count in kinds}
    return Status(
        devices=int(total or 0),
        reporting=int(reporting or 0),
        advisories=advisories,
        patches=patches,
        rollouts=tuple(rollout_status(workspace)),
        refused=refused,
        quarantined=quarantined,
        anomalies=anomalies,
    )


def _advisories(session: Session, wanted: str | None) -> tuple[AdvisoryStatus, ...]:
    t = schema.advisories
    query = sa.select(t.c.id, t.c.digest, t.c.document, t.c.published).order_by(t.c.id, t.c.revision)
    newest = {row.id: row for row in session.connection.execute(query)}
    if wanted is not None and wanted not in newest:
        raise InputError(
            "NO_ADVISORY",
            f"No advisory '{wanted}' is published.",
            mend=f"Published: {', '.join(newest) or 'none'}.",
        )
    found = []
    for row in newest.values():
        if wanted in {None, row.id}:
            notice = peek(row.document, Notice)
            funnel = tuple(_funnel(session, notice, product) for product in notice.subject)
            code = check_code(row.digest)
            found.append(
                AdvisoryStatus(notice.id, notice.revision, code, notice.exercise, row.published, funnel)
            )
    return tuple(found)


def _funnel(session: Session, notice: Notice, product: str) -> Funnel:
    d, n = schema.devices, schema.notice_states
    mine = sa.and_(n.c.device == d.c.id, n.c.advisory == notice.id, n.c.revision == notice.revision)
    rows = session.connection.execute(
        sa.select(n.c.state, n.c.surface, n.c.verified, n.c.shown, n.c.acknowledged, n.c.confirmed)
        .select_from(d.outerjoin(n, mine))
        .where(d.c.product == product, d.c.revoked.is_(False))
    ).all()
    told = [row for row in rows if row.state is not None]
    shown = [row for row in told if row.shown is not None]
    lit = sum(row.surface == Surface.LED for row in shown)
    return Funnel(
        product=product,
        devices=len(rows),
        delivered=len(told),
        verified=sum(row.verified is not None for row in told),
        shown=len(shown) - lit,
        lit=lit,
        acknowledged=sum(row.acknowledged is not None for row in told),
        confirmed=sum(row.confirmed is not None for row in told),
        not_applicable=sum(row.state == NoticeState.NOT_APPLICABLE for row in told),
        rejected=sum(row.state == NoticeState.REJECTED for row in told),
    )


def _patches(session: Session) -> tuple[PatchStatus, ...]:
    p, s = schema.patches, schema.patch_states
    found = []
    query = sa.select(p.c.digest, p.c.product, p.c.sequence, p.c.version).order_by(p.c.product, p.c.sequence)
    for digest, product, sequence, version in session.connection.execute(query).all():
        counts = session.connection.execute(
            sa.select(s.c.state, sa.func.count()).where(s.c.digest == digest).group_by(s.c.state)
        )
        states = {PatchState(state): int(count) for state, count in counts}
        found.append(
            PatchStatus(
                product=product,
                sequence=sequence,
                version=version,
                states={state.name.lower(): count for state, count in sorted(states.items())},
                patched=sum(count for state, count in states.items() if state in PATCH_PROVEN),
                failed=sum(count for state, count in states.items() if state in PATCH_FAILED),
            )
        )
    return tuple(found)


def _refused(session: Session) -> dict[str, int]:
    """Count what devices refused: notices that ended REJECTED, and documents refused before that."""
    j = schema.journal
    rejected = sa.and_(j.c.track == int(Track.NOTICE), j.c.new == int(NoticeState.REJECTED))
    query = (
        sa.select(j.c.reason, sa.func.count())
        .where(sa.or_(j.c.track == int(Track.REFUSAL), rejected))
        .group_by(j.c.reason)
    )
    return _names(session.connection.execute(query).all())


def _by_reason(session: Session, table: sa.Table) -> dict[str, int]:
    query = sa.select(table.c.reason, sa.func.count()).group_by(table.c.reason)
    return _names(session.connection.execute(query).all())


def _names(rows: Any) -> dict[str, int]:
    counted: Counter[str] = Counter()
    for reason, count in rows:
        counted[Reason(reason).name] += count
    return dict(sorted(counted.items()))
