"""Devices brought back: a rollout of its own, made by the scheduler, with the version that a plan names."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final, NamedTuple

import sqlalchemy as sa

from gateway.core import rollout as core
from gateway.core.chain import canonical
from gateway.core.rollout import GroupEvent, GroupState, Outcome, Plan, RolloutState, Step
from gateway.core.rollout.plan import Gates, Success, Then, to_data
from gateway.core.rollout.table import OVER
from gateway.store import audit, schema
from gateway.store.engine import Session
from gateway.store.outcomes import cells, recount
from gateway.store.rolling import SCHEDULER, apply_steps, returning
from gateway.store.rollouts import Rollout, below_floor, sequence_of, state_of
from gateway.store.turns import may_become_proven, to_bring_back

_OF_RETURNS: Final = frozenset({GroupState.RETURNING, GroupState.RETURNED, GroupState.ERROR})
_STOPPED: Final = frozenset({RolloutState.STOPPING, RolloutState.STOPPED})


class Wave(NamedTuple):
    """A rollout that brings devices of another one back."""

    id: str
    state: RolloutState
    created: float


def waves_of(session: Session, rollout: Rollout) -> list[Wave]:
    """Return the rollouts that bring devices of this one back, oldest first."""
    r = schema.rollouts
    query = sa.select(r.c.id, r.c.state, r.c.created).where(r.c.parent == rollout.id)
    found = [Wave(row.id, RolloutState(row.state), row.created) for row in session.connection.execute(query)]
    return sorted(found, key=lambda wave: (wave.created, len(wave.id), wave.id))


def _free_name(session: Session, rollout: Rollout) -> str:
    number = 1
    while state_of(session, name := f"{rollout.id[:50]}-return{'' if number == 1 else number}") is not None:
        number += 1
    return name


@dataclass(frozen=True, slots=True)
class Due:
    """What comes next in bringing devices back: groups move, or devices join a wave."""

    steps: tuple[Step, ...] = ()
    said: str = ""
    """What is known of the return, besides why there is one."""
    wave: str = ""
    devices: tuple[str, ...] = ()


def due_return(session: Session, rollout: Rollout, limit: int) -> Due | None:
    """Return what is due in bringing the devices of a rollout back, at most ``limit`` of them; None: nothing.

    The deadline of a wave ends the waiting. A wave that a person stopped is the last one.
    """
    if rollout.plan.back is None or not _OF_RETURNS & set(rollout.groups):
        return None
    waves, groups = waves_of(session, rollout), returning(rollout)
    barred = below_floor(session, rollout.product, bytes.fromhex(rollout.plan.back))
    if late := _late(session, rollout, waves, barred):
        why = "devices of it have been heard of since"
        return Due(tuple(Step(GroupEvent.RETURN, index, why) for index in late))
    if not groups:
        return None
    if barred:
        return _ended(session, rollout, lambda _run, _may: f"nothing is brought back: {barred}")
    return _on(session, rollout, waves[-1] if waves else None, limit)


def _on(session: Session, rollout: Rollout, newest: Wave | None, limit: int) -> Due | None:
    """Return whom the newest wave takes in, or one after it, or that it was the last."""
    devices: list[str] = []
    if newest is None or newest.state not in _STOPPED:
        devices = to_bring_back(session, rollout, returning(rollout), limit)
    if newest is None or (devices and newest.state in OVER):
        return Due(wave=_free_name(session, rollout), devices=tuple(devices))
    if devices:
        return Due(wave=newest.id, devices=tuple(devices))
    if newest.state not in OVER:
        return None
    end = f"{newest.id} {'was stopped' if newest.state is RolloutState.STOPPED else 'has ended'}"
    return _ended(session, rollout, lambda run, may: f"{end}; {run} still run the patch, {may} may come to")


def _late(session: Session, rollout: Rollout, waves: Sequence[Wave], barred: str) -> list[int]:
    """Return groups whose return has ended and of which that is not true any more.

    Devices of it run the patch although it says RETURNED; or can be brought back although it failed, or have
    all gone over to something else.
    """
    if not waves:
        return []
    goes_on = waves[-1].state is RolloutState.FINISHED and not barred
    late = []
    for index, (state, since) in enumerate(zip(rollout.groups, rollout.since, strict=True)):
        run, may = _left(session, rollout, index)
        # A group that failed before anything was brought back failed by a gate that wanted something else.
        failed = state is GroupState.ERROR and since > waves[0].created and _returns(rollout, index)
        back = failed and run and goes_on and to_bring_back(session, rollout, [index], 1)
        if back or (failed and not run and not may) or (state is GroupState.RETURNED and run):
            late.append(index)
    return late


def _left(session: Session, rollout: Rollout, index: int) -> tuple[int, int]:
    """Return how many devices of a group run the patch, and how many may come to run it."""
    run = cells(session, rollout.id).get(index, {}).get(Outcome.PROVEN, 0)
    return run, may_become_proven(session, rollout, [index])


def _returns(rollout: Rollout, index: int) -> bool:
    gates = rollout.plan.gates_of(index)
    return any(gate.then is Then.RETURN for gate in (*gates.failure, gates.silence) if gate is not None)


def _ended(session: Session, rollout: Rollout, how: Callable[[int, int], str]) -> Due:
    """Say of every group that is being brought back what came of it, and how the return ended."""
    steps, running, open_ = [], 0, 0
    for index in returning(rollout):
        run, may = _left(session, rollout, index)
        running, open_ = running + run, open_ + may
        if run or may:
            steps.append(Step(GroupEvent.FAIL, index, how(run, may)))
        else:
            steps.append(Step(GroupEvent.RETURNED, index, "its devices have ended"))
    return Due(tuple(steps), said=how(running, open_) if running or open_ else "")


def carry_out(session: Session, rollout: Rollout, due: Due, now: float) -> None:
    """Do what :func:`due_return` found, in the same transaction."""
    if not due.steps:
        bring_back(session, rollout, due.wave, due.devices, now)
        return
    apply_steps(session, rollout, due.steps, now, by=SCHEDULER)
    r, tripped = schema.rollouts, rollout.why.split("; ", 1)[0]  # what a gate said has no semicolon
    why = "; ".join(each for each in (tripped, due.said) if each)
    session.connection.execute(r.update().where(r.c.id == rollout.id).values(why=why))


def bring_back(session: Session, parent: Rollout, id_: str, devices: Sequence[str], now: float) -> None:
    """Bring devices of a rollout back to the version that its plan names, by the rollout ``id_``.

    It goes at the parent's rate, within its windows and by its retries; no gate stops it.
    """
    assert parent.plan.back is not None
    digest = bytes.fromhex(parent.plan.back)
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
