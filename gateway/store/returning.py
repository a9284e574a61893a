"""Devices brought back: a rollout of its own, made by the scheduler, with the version that a plan names."""

from __future__ import annotations

from dataclasses import replace

import sqlalchemy as sa

from gateway.core import rollout as core
from gateway.core.chain import canonical
from gateway.core.rollout import GroupState, Plan, RolloutState
from gateway.core.rollout.plan import Gates, Success, to_data
from gateway.store import audit, schema
from gateway.store.engine import Session
from gateway.store.outcomes import recount
from gateway.store.rolling import SCHEDULER
from gateway.store.rollouts import Rollout, sequence_of, state_of


def child_of(session: Session, rollout: Rollout) -> str:
    """Return the name of the rollout that brings devices of another one back; a free one if none does yet."""
    r = schema.rollouts
    made = session.connection.execute(sa.select(r.c.id).where(r.c.parent == rollout.id)).scalar()
    if made is not None:
        return str(made)
    number = 1
    while state_of(session, name := f"{rollout.id[:50]}-return{'' if number == 1 else number}") is not None:
        number += 1
    return name


def bring_back(session: Session, parent: Rollout, devices: list[str], now: float) -> str:
    """Begin to bring devices of a rollout back to the version that its plan names; return the new rollout.

    It goes at the parent's rate, within its windows and by its retries; no gate stops it.
    """
    assert parent.plan.back is not None
    digest = bytes.fromhex(parent.plan.back)
    id_ = child_of(session, parent)
    lasts = parent.plan.deadline - parent.started
    plan = replace(
        parent.plan,
        groups=(core.Group(),),
        gates=Gates(success=Success(percent=0), failure=()),
        where=None,
        share=100,
        starts=None,
        back=None,
        deadline=int(now + min(lasts, core.DEADLINE_SECONDS_MAX)),
        window=None,
    )
    fresh = state_of(session, id_) is None
    if fresh:
        _insert_return(session, id_, parent, plan, now)
    if devices:
        session.connection.execute(
            schema.rollout_devices.insert(),
            [{"rollout": id_, "device": device, "group": 0} for device in devices],
        )
        session.serialise()
        recount(session, id_)
    if fresh:
        facts = {
            "by": SCHEDULER,
            "digest": digest.hex(),
            "id": id_,
            "parent": parent.id,
            "sequence": sequence_of(session, digest),
        }
        audit.append(session, "rollout.returning", facts, now)
    return id_


def _insert_return(session: Session, id_: str, parent: Rollout, plan: Plan, now: float) -> None:
    session.connection.execute(
        schema.rollouts.insert().values(
            id=id_,
            product=parent.product,
            digest=bytes.fromhex(parent.plan.back or ""),
            state=int(RolloutState.RUNNING),
            plan=canonical(to_data(plan)),
            created=now,
            started=now,
            changed=now,
            changed_by=SCHEDULER,
            by=parent.by,
            approved=parent.approved,
            why=f"a gate of {parent.id} tripped",
            parent=parent.id,
        )
    )
    session.connection.execute(
        schema.rollout_groups.insert().values(rollout=id_, index=0, state=int(GroupState.RUNNING), since=now)
    )
