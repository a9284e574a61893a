"""Rollouts as they stand in the store; ``rolling`` moves them, ``planning`` makes them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from advisories.catalogue import Catalogue
from gateway.core.rollout import Counts, GroupState, Plan, RolloutState, tally
from gateway.core.rollout.plan import from_data
from gateway.store import schema
from gateway.store.engine import Session
from gateway.store.outcomes import cells
from keys.document import peek
from keys.errors import InputError


@dataclass(frozen=True, slots=True)
class Rollout:
    """A rollout with its plan and groups; times are UTC seconds."""

    id: str
    product: str
    digest: bytes
    """Patch digest."""
    state: RolloutState
    plan: Plan
    created: float
    groups: tuple[GroupState, ...]
    since: tuple[float, ...]
    """When each group came into its state."""
    by: str
    """Who made the plan."""
    approved: str | None
    """Who else approved it, or refused to."""
    started: float
    changed: float
    """When it came into its state; who did that, and why:"""
    changed_by: str
    why: str
    parent: str | None
    """The rollout whose devices this one brings back."""


def current_catalogue(session: Session, product: str) -> Catalogue:
    """Return the newest catalogue of a product (verified when it was published).

    Raises:
        InputError: NOT_LISTED when there is none.
    """
    stored = session.document(Catalogue.TYPE, product)
    if stored is None:
        raise InputError(
            "NOT_LISTED", f"'{product}' has no catalogue yet.", mend="Publish a patch or advisory first."
        )
    return peek(stored.bytes, Catalogue)


def sequence_of(session: Session, digest: bytes) -> int:
    """Return the sequence number of a published patch."""
    p = schema.patches
    number: int = session.connection.execute(sa.select(p.c.sequence).where(p.c.digest == digest)).scalar_one()
    return number


def below_floor(session: Session, product: str, digest: bytes) -> str:
    """Say why devices of a product could not be brought back to a patch; empty: nothing speaks against it.

    The floor is the highest security counter among the product's published patches: who published that one
    meant no device to run older code again. It may have risen since the patch was made.
    """
    p = schema.patches
    query = sa.select(p.c.digest, p.c.version, p.c.counter).where(p.c.product == product)
    rows = {row.digest: row for row in session.connection.execute(query)}
    floor = max((row.counter for row in rows.values() if row.counter is not None), default=0)
    back = rows[digest]
    if back.counter is None:
        return (
            f"the security counter of {back.version} is not known, that of others is {floor}" if floor else ""
        )
    if back.counter >= floor:
        return ""
    return f"the security counter of {back.version} is {back.counter}, and the product is at {floor}"


def state_of(session: Session, id_: str) -> RolloutState | None:
    """Return the state of a rollout, None when there is none of that name."""
    r = schema.rollouts
    found = session.connection.execute(sa.select(r.c.state).where(r.c.id == id_)).scalar()
    return None if found is None else RolloutState(found)


def get_rollout(session: Session, id_: str, *, hold: bool = False) -> Rollout:
    """Return a rollout.

    Args:
        session: the transaction.
        id_: of the rollout.
        hold: let no other transaction change it before this one ends.

    Raises:
        InputError: ROLLOUT_UNKNOWN.
    """
    r = schema.rollouts
    query = sa.select(r).where(r.c.id == id_)
    row = session.connection.execute(query.with_for_update() if hold else query).first()
    if row is None:
        raise InputError(
            "ROLLOUT_UNKNOWN", f"There is no rollout '{id_}'.", mend="See 'tocsin rollout list'."
        )
    return _built(row, _groups(session, [id_])[id_])


def list_rollouts(session: Session, states: Sequence[RolloutState] = ()) -> list[Rollout]:
    """Return all rollouts, or those in some states, oldest first."""
    r = schema.rollouts
    query = sa.select(r).order_by(r.c.created, r.c.id)
    if states:
        query = query.where(r.c.state.in_([int(state) for state in states]))
    rows = session.connection.execute(query).all()
    groups = _groups(session, [row.id for row in rows])
    return [_built(row, groups[row.id]) for row in rows]


def _groups(session: Session, ids: Sequence[str]) -> dict[str, list[tuple[GroupState, float | None]]]:
    g = schema.rollout_groups
    found: dict[str, list[tuple[GroupState, float | None]]] = {id_: [] for id_ in ids}
    query = sa.select(g).where(g.c.rollout.in_(ids)).order_by(g.c.rollout, g.c.index)
    for row in session.connection.execute(query):
        found[row.rollout].append((GroupState(row.state), row.since))
    return found


def _built(row: Any, groups: Sequence[tuple[GroupState, float | None]]) -> Rollout:
    return Rollout(
        id=row.id,
        product=row.product,
        digest=row.digest,
        state=RolloutState(row.state),
        plan=from_data(json.loads(row.plan)),
        created=row.created,
        groups=tuple(state for state, _ in groups),
        since=tuple(row.created if since is None else since for _, since in groups),
        by=row.by or "",
        approved=row.approved,
        started=row.created if row.started is None else row.started,
        changed=row.created if row.changed is None else row.changed,
        changed_by=row.changed_by or "",
        why=row.why or "",
        parent=row.parent,
    )


def count_groups(session: Session, rollout: Rollout) -> list[Counts]:
    """Count each group, from the cells. A device that was revoked since is left out: no gate waits for it."""
    found = cells(session, rollout.id)
    return [tally(found.get(index, {})) for index in range(len(rollout.groups))]


def offers_since(session: Session, rollout: str, moment: float) -> int:
    """Return how many offers a rollout made since a moment (UTC seconds)."""
    d = schema.rollout_devices
    query = sa.select(sa.func.count()).where(d.c.rollout == rollout, d.c.sent > moment)
    return int(session.connection.execute(query).scalar_one())
