"""Follow-ups in the store: who sees to a device whose owner was not told, and what came of it.

Each change is a row of the audit chain; notes, in which people may write about people, are not in it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import sqlalchemy as sa

from gateway.core.followup import Outcome
from gateway.store import audit, schema
from gateway.store.engine import Session


@dataclass(frozen=True, slots=True)
class Followup:
    """One device to follow up."""

    advisory: str
    device: str
    owner: str
    """Who sees to it."""
    outcome: Outcome | None
    """None: still open."""
    note: str
    at: float
    """UTC seconds of the last change."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which follow-ups are asked for; None: whichever."""

    advisory: str | None = None
    owner: str | None = None
    account: str | None = None
    is_open: bool | None = None


def put(session: Session, followups: Iterable[Followup], *, by: str) -> None:
    """Write follow-ups anew, and what happened into the audit chain."""
    f = schema.followups
    for each in sorted(followups, key=lambda found: (found.advisory, found.device)):
        facts = {"advisory": each.advisory, "by": by, "device": each.device, "owner": each.owner}
        session.connection.execute(f.delete().where(f.c.advisory == each.advisory, f.c.device == each.device))
        session.connection.execute(
            f.insert().values(
                advisory=each.advisory,
                device=each.device,
                owner=each.owner,
                outcome=None if each.outcome is None else each.outcome.value,
                note=each.note,
                at=each.at,
            )
        )
        if each.outcome is None:
            audit.append(session, "followup.taken", facts, each.at)
        else:
            audit.append(session, "followup.done", facts | {"outcome": each.outcome.value}, each.at)


def found(session: Session, pairs: Iterable[tuple[str, str]]) -> Mapping[tuple[str, str], Followup]:
    """Return what is known of these (advisory, device)."""
    f = schema.followups
    wanted: dict[str, list[str]] = {}
    for advisory, device in pairs:
        wanted.setdefault(advisory, []).append(device)
    return {
        (row.advisory, row.device): _followup(row)
        for advisory, devices in sorted(wanted.items())
        for row in session.connection.execute(
            sa.select(f).where(f.c.advisory == advisory, f.c.device.in_(devices))
        )
    }


def listed(session: Session, wanted: Wanted, *, limit: int, after: tuple[str, str]) -> list[Followup]:
    """Return follow-ups by advisory and device, behind ``after``."""
    f, i = schema.followups, schema.inventory
    query = sa.select(f).where(
        sa.or_(f.c.advisory > after[0], sa.and_(f.c.advisory == after[0], f.c.device > after[1]))
    )
    if wanted.advisory is not None:
        query = query.where(f.c.advisory == wanted.advisory)
    if wanted.owner is not None:
        query = query.where(f.c.owner == wanted.owner)
    if wanted.account is not None:
        query = query.join(i, i.c.id == f.c.device).where(i.c.account == wanted.account)
    if wanted.is_open is not None:
        query = query.where(f.c.outcome.is_(None) if wanted.is_open else f.c.outcome.is_not(None))
    query = query.order_by(f.c.advisory, f.c.device).limit(limit)
    return [_followup(row) for row in session.connection.execute(query)]


def _followup(row: sa.Row[tuple[object, ...]]) -> Followup:
    outcome = None if row.outcome is None else Outcome(row.outcome)
    return Followup(row.advisory, row.device, row.owner, outcome, row.note, row.at)
