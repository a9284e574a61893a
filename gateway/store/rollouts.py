"""Rollouts in the store: made, started, paused, resumed and stopped by commands; moved on by the runtime."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass

import sqlalchemy as sa

from advisories.catalogue import Catalogue
from advisories.states import PATCH_PROVEN, PatchState
from advisories.topics import is_id
from gateway.core import rollout as core
from gateway.core.chain import canonical
from gateway.core.rollout import Counts, GroupState, Plan, RolloutEvent, RolloutState
from gateway.store import audit, schema
from gateway.store.engine import Session, Store
from gateway.store.outcomes import outcomes
from keys.document import peek
from keys.errors import InputError

__all__ = [
    "Rollout",
    "apply_steps",
    "change_rollout",
    "count_groups",
    "create_rollout",
    "current_catalogue",
    "get_rollout",
    "list_rollouts",
    "move_on",
    "outcomes",
]


@dataclass(frozen=True, slots=True)
class Rollout:
    """A rollout with its plan and groups."""

    id: str
    product: str
    digest: bytes
    """Patch digest."""
    state: RolloutState
    plan: Plan
    created: float
    groups: tuple[GroupState, ...]


def create_rollout(
    store: Store,
    id_: str,
    *,
    digest: bytes,
    plan: Plan,
    now: float,
    devices: Iterable[str] | None = None,
    start: bool = False,
) -> Rollout:
    """Make a rollout of a published patch to its product's devices.

    Args:
        store: where.
        id_: a name of letters, digits, dot, underscore and hyphen.
        digest: patch digest.
        plan: groups and gates.
        now: UTC seconds.
        devices: device ids; None takes every device of the product that is valid and not revoked.
        start: True starts it at once.

    Raises:
        InputError: ROLLOUT_ID, ROLLOUT_EXISTS, PATCH_UNKNOWN, NOT_LISTED, DEVICE_UNKNOWN, NO_DEVICES,
            ROLLOUT_PLAN.
    """
    if not is_id(id_):
        raise InputError("ROLLOUT_ID", f"'{id_}' is no name for a rollout.", mend="Use letters and digits.")
    if not now < plan.deadline <= now + core.DEADLINE_SECONDS_MAX:
        raise InputError(
            "ROLLOUT_PLAN", "The plan cannot work: its deadline is not within a year.", mend="Change it."
        )
    with store.write() as session:
        product = _product(session, id_, digest)
        chosen = _devices(session, product, now, None if devices is None else set(devices))
        state = RolloutState.RUNNING if start else RolloutState.READY
        session.connection.execute(
            schema.rollouts.insert().values(
                id=id_,
                product=product,
                digest=digest,
                state=int(state),
                plan=canonical(asdict(plan)),
                created=now,
            )
        )
        session.connection.execute(
            schema.rollout_groups.insert(),
            [
                {"rollout": id_, "index": index, "state": int(GroupState.SCHEDULED)}
                for index in range(len(plan.percents))
            ],
        )
        groups = core.assign(id_, chosen, plan.percents)
        session.connection.execute(
            schema.rollout_devices.insert(),
            [{"rollout": id_, "device": device, "group": group} for device, group in groups.items()],
        )
        facts = {"devices": len(groups), "digest": digest.hex(), "id": id_, "plan": asdict(plan)}
        audit.append(session, "rollout.started" if start else "rollout.created", facts, now)
        return get_rollout(session, id_)


def _product(session: Session, id_: str, digest: bytes) -> str:
    r, p = schema.rollouts, schema.patches
    if session.connection.execute(sa.select(r.c.id).where(r.c.id == id_)).first() is not None:
        raise InputError(
            "ROLLOUT_EXISTS", f"There is a rollout '{id_}' already.", mend="Choose another name."
        )
    row = session.connection.execute(sa.select(p.c.product, p.c.sequence).where(p.c.digest == digest)).first()
    if row is None:
        raise InputError(
            "PATCH_UNKNOWN", f"No patch {digest.hex()[:16]} is published.", mend="Publish the patch first."
        )
    if (row.sequence, digest) not in current_catalogue(session, row.product).patches:
        raise InputError(
            "NOT_LISTED",
            f"The current catalogue for '{row.product}' does not list this patch.",
            mend="Roll out a patch that is current: devices refuse any other.",
        )
    return str(row.product)


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


def _devices(session: Session, product: str, now: float, wanted: set[str] | None) -> list[str]:
    t = schema.devices
    query = sa.select(t.c.id).where(
        t.c.product == product, t.c.revoked.is_(False), t.c.valid_from <= now, t.c.valid_to > now
    )
    known = set(session.connection.execute(query).scalars())
    for device in sorted((wanted or set()) - known):
        raise InputError(
            "DEVICE_UNKNOWN",
            f"'{device}' is no valid device of '{product}'.",
            mend="Check the id, or register the device.",
        )
    chosen = known if wanted is None else wanted
    if not chosen:
        raise InputError("NO_DEVICES", f"'{product}' has no devices.", mend="Register devices first.")
    return sorted(chosen)


def get_rollout(session: Session, id_: str) -> Rollout:
    """Return a rollout.

    Raises:
        InputError: ROLLOUT_UNKNOWN.
    """
    r, g = schema.rollouts, schema.rollout_groups
    row = session.connection.execute(sa.select(r).where(r.c.id == id_)).first()
    if row is None:
        raise InputError("ROLLOUT_UNKNOWN", f"There is no rollout '{id_}'.", mend="See 'tocsin status'.")
    states = session.connection.execute(
        sa.select(g.c.state).where(g.c.rollout == id_).order_by(g.c.index)
    ).scalars()
    plan = json.loads(row.plan)
    plan["percents"] = tuple(plan["percents"])
    plan["window"] = tuple(plan["window"]) if plan["window"] else None
    return Rollout(
        row.id,
        row.product,
        row.digest,
        RolloutState(row.state),
        Plan(**plan),
        row.created,
        tuple(GroupState(state) for state in states),
    )


def list_rollouts(session: Session, *states: RolloutState) -> list[Rollout]:
    """Return all rollouts, or those in some states, oldest first."""
    r = schema.rollouts
    query = sa.select(r.c.id).order_by(r.c.created, r.c.id)
    if states:
        query = query.where(r.c.state.in_([int(state) for state in states]))
    return [get_rollout(session, id_) for id_ in list(session.connection.execute(query).scalars())]


def change_rollout(store: Store, id_: str, event: RolloutEvent, now: float, *, why: str = "") -> Rollout:
    """Start, pause, resume or stop a rollout. Resuming lets groups pass whose gate failed.

    Raises:
        InputError: ROLLOUT_UNKNOWN; ROLLOUT_STATE when this cannot happen now.
    """
    with store.write() as session:
        before = get_rollout(session, id_)
        if (before.state, event) not in core.ROLLOUT_TABLE:
            raise InputError(
                "ROLLOUT_STATE",
                f"Rollout '{id_}' is {before.state.name.lower()}: it cannot {event.name.lower()}.",
                mend="See 'tocsin status'.",
            )
        steps: list[core.Step] = [event]
        if event is RolloutEvent.RESUME:
            steps = [*core.override(before.groups), event]
        return apply_steps(session, before, steps, now, why=why)


def apply_steps(
    session: Session, rollout: Rollout, steps: Iterable[core.Step], now: float, *, why: str = ""
) -> Rollout:
    """Write what happens to a rollout and its groups, each in the audit trail."""
    state, groups = rollout.state, list(rollout.groups)
    for step in steps:
        facts: dict[str, object] = {"id": rollout.id, "why": why}
        if isinstance(step, RolloutEvent):
            state = core.ROLLOUT_TABLE[state, step]
            facts |= {"event": step.name, "state": state.name}
        else:
            index, event = step
            groups[index] = core.GROUP_TABLE[groups[index], event]
            facts |= {"event": event.name, "group": index, "state": groups[index].name}
        audit.append(session, "rollout.changed", facts, now)
    r, g = schema.rollouts, schema.rollout_groups
    session.connection.execute(r.update().where(r.c.id == rollout.id).values(state=int(state)))
    for index, (before, after) in enumerate(zip(rollout.groups, groups, strict=True)):
        if before is not after:
            session.connection.execute(
                g.update().where(g.c.rollout == rollout.id, g.c.index == index).values(state=int(after))
            )
    return get_rollout(session, rollout.id)


def count_groups(session: Session, rollout: Rollout) -> list[Counts]:
    """Count each group: an end from before the offer does not count, but a proven version does.

    A device that was revoked since is left out: no gate waits for it.
    """
    d, p = schema.rollout_devices, schema.patch_states
    revoked = sa.select(schema.devices.c.id).where(schema.devices.c.revoked.is_(True))
    query = (
        sa.select(d.c.group, d.c.offered, p.c.state, p.c.changed)
        .select_from(
            d.outerjoin(p, sa.and_(p.c.device == d.c.device, p.c.digest == rollout.digest)),
        )
        .where(d.c.rollout == rollout.id, d.c.device.not_in(revoked))
    )
    totals = [0] * len(rollout.groups)
    states: list[list[PatchState]] = [[] for _ in rollout.groups]
    for group, offered, number, changed in session.connection.execute(query):
        totals[group] += 1
        if number is None:
            continue
        state = PatchState(number)
        if state in PATCH_PROVEN or (offered is not None and changed >= offered):
            states[group].append(state)
    return [core.count(total, found) for total, found in zip(totals, states, strict=True)]


def move_on(session: Session, rollout: Rollout, now: float) -> Rollout:
    """Carry a RUNNING rollout as far as its gates allow."""
    counts = count_groups(session, rollout)
    while rollout.state is RolloutState.RUNNING:
        steps = core.advance(rollout.plan, rollout.groups, counts, now)
        if not steps:
            break
        rollout = apply_steps(session, rollout, steps, now, why="gate")
    return rollout
