"""The funnel from the store: what the status command, the demonstration and the dashboard show.

Seconds from publishing to shown are on the gateway's clock on both ends: from the commit of the
publication to the receipt of the report that first said SHOWN. So they are upper bounds, finer than the
journal's whole seconds, and a device with a wrong clock cannot colour them.
"""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa

from advisories.notice import Notice
from advisories.report import Agreed
from advisories.states import PATCH_PROVEN, Surface
from advisories.versions import parse_version
from gateway.core import funnel as core
from gateway.core.funnel import Funnel, Told
from gateway.store import schema
from gateway.store.engine import Session
from gateway.store.standings import notice_row
from keys.document import peek
from keys.errors import InputError
from keys.reasons import Reason


@dataclass(frozen=True, slots=True)
class AdvisoryFunnel:
    """How far one published revision has come."""

    notice: Notice
    digest: bytes
    published: float
    """UTC seconds."""
    cells: dict[tuple[str, str | None], Funnel]
    """By (product, language)."""
    seconds_p50: float | None
    """From publishing to shown, half of the devices that were shown it; None when none was."""
    seconds_p99: float | None

    @property
    def total(self) -> Funnel:
        """All products and languages together."""
        return core.total(self.cells.values())


def advisory_funnel(session: Session, advisory: str) -> AdvisoryFunnel:
    """Return the funnel of an advisory's newest revision.

    Raises:
        InputError: ADVISORY_UNKNOWN.
    """
    a = schema.advisories
    row = session.connection.execute(
        sa.select(a.c.document, a.c.digest, a.c.published)
        .where(a.c.id == advisory)
        .order_by(a.c.revision.desc())
        .limit(1)
    ).first()
    if row is None:
        raise InputError("ADVISORY_UNKNOWN", f"'{advisory}' is not published.", mend="Publish it first.")
    notice = peek(row.document, Notice)
    devices = _told(session, notice)
    waits = [
        told.row.shown_received - row.published
        for told in devices
        if told.row is not None
        and told.row.shown_received is not None
        and told.row.revision == notice.revision
        and told.row.surface not in {Surface.LED, Surface.NONE}
    ]
    return AdvisoryFunnel(
        notice,
        row.digest,
        row.published,
        core.fold(notice, devices),
        core.percentile(waits, 0.5),
        core.percentile(waits, 0.99),
    )


def advisory_funnels(session: Session) -> list[AdvisoryFunnel]:
    """Return the funnel of every published advisory, by id."""
    a = schema.advisories
    ids = session.connection.execute(sa.select(a.c.id).distinct().order_by(a.c.id)).scalars()
    return [advisory_funnel(session, id_) for id_ in list(ids)]


def _told(session: Session, notice: Notice) -> list[Told]:
    d, s, n = schema.devices, schema.device_states, schema.notice_states
    query = (
        sa.select(d.c.product, s.c.language.label("speaks"), s.c.installed, n)
        .select_from(
            d.outerjoin(s, s.c.device == d.c.id).outerjoin(
                n, sa.and_(n.c.device == d.c.id, n.c.advisory == notice.id)
            )
        )
        .where(d.c.product.in_(notice.subject), d.c.revoked.is_(False))
    )
    return [
        Told(
            product=row.product,
            language=(row.language if row.state is not None else None) or row.speaks,
            installed=None if row.installed is None else parse_version(row.installed),
            row=None if row.state is None else notice_row(row),
        )
        for row in session.connection.execute(query)
    ]


def patch_funnel(session: Session, digest: bytes) -> dict[str, int]:
    """Return state name -> devices of one patch."""
    p = schema.patch_states
    query = sa.select(p.c.state, sa.func.count()).where(p.c.digest == digest).group_by(p.c.state)
    return core.patch_counts({row[0]: row[1] for row in session.connection.execute(query)})


def patched_by_language(session: Session, digest: bytes) -> dict[str, int]:
    """Return language -> devices that run one patch, measured and confirmed."""
    p, d = schema.patch_states, schema.device_states
    query = (
        sa.select(d.c.language, sa.func.count())
        .select_from(p.join(d, d.c.device == p.c.device))
        .where(p.c.digest == digest, p.c.state.in_([int(state) for state in PATCH_PROVEN]))
        .group_by(d.c.language)
        .order_by(d.c.language)
    )
    return {row[0]: row[1] for row in session.connection.execute(query)}


def agreed(session: Session, digest: bytes) -> dict[str, int]:
    """Return how owners agreed to a patch -> how many devices, and how many put it off so far."""
    p = schema.patch_states
    query = (
        sa.select(p.c.consent_how, sa.func.count())
        .where(p.c.digest == digest, p.c.consent_how.is_not(None))
        .group_by(p.c.consent_how)
        .order_by(p.c.consent_how)
    )
    found = {Agreed(how).name: many for how, many in session.connection.execute(query)}
    deferred = sa.select(sa.func.count()).where(p.c.digest == digest, p.c.deferrals.is_not(None))
    many = session.connection.execute(deferred).scalar_one()
    return found | ({"DEFERRED": many} if many else {})


def refusals(session: Session) -> dict[str, int]:
    """Return reason name -> how often devices refused something, from their journals."""
    j = schema.journal
    query = sa.select(j.c.track, j.c.new, j.c.reason, sa.func.count()).group_by(
        j.c.track, j.c.new, j.c.reason
    )
    return core.refusals(tuple(row) for row in session.connection.execute(query))


def anomalies(session: Session) -> dict[str, int]:
    """Return kind -> how many anomalies were kept."""
    a = schema.anomalies
    query = sa.select(a.c.kind, sa.func.count()).group_by(a.c.kind).order_by(a.c.kind)
    return {row[0]: row[1] for row in session.connection.execute(query)}


def quarantined(session: Session) -> dict[str, int]:
    """Return reason name -> messages that were no reports."""
    q = schema.quarantine
    query = sa.select(q.c.reason, sa.func.count()).group_by(q.c.reason).order_by(q.c.reason)
    return {Reason(reason).name: many for reason, many in session.connection.execute(query)}
