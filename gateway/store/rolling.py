"""Rollouts moved: what people decide and what gates do, each step with a row in the audit trail."""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final

import sqlalchemy as sa

from gateway.core import rollout as core
from gateway.core.chain import canonical
from gateway.core.rollout import GroupState, RolloutEvent, RolloutState, Step
from gateway.core.rollout.outcome import FAILED, FAILED_AS, Failure
from gateway.core.rollout.plan import to_data
from gateway.core.rollout.table import OVER
from gateway.store import audit, schema
from gateway.store.cells import counted_rollouts
from gateway.store.engine import Session, Store
from gateway.store.outcomes import IDS_MAX, in_outcome, recount
from gateway.store.rollouts import Rollout, below_floor, count_groups, get_rollout
from gateway.store.turns import open_offers
from keys.errors import InputError

NAME_MAX: Final = 64  # letters of a name that are kept
SCHEDULER: Final = "scheduler"
"""Who did what no person did."""


def _refused(rollout: Rollout, what: str, mend: str = "See 'tocsin rollout show'.") -> InputError:
    state = rollout.state.name.lower().replace("_", " ")
    return InputError("ROLLOUT_STATE", f"Rollout '{rollout.id}' is {state}: it cannot {what}.", mend=mend)


def change_rollout(
    store: Store, id_: str, event: RolloutEvent, now: float, *, by: str = "", why: str = ""
) -> Rollout:
    """Start, pause, resume or stop a rollout on a person's word. Resuming lets failed groups pass.

    Raises:
        InputError: ROLLOUT_UNKNOWN; ROLLOUT_STATE when this cannot happen now; DEADLINE_PASSED.
    """
    with store.write() as session:
        before = get_rollout(session, id_, hold=True)
        starts = before.plan.starts
        if event is RolloutEvent.START and starts is not None and now < starts:
            event = RolloutEvent.SCHEDULE
        if (before.state, event) not in core.ROLLOUT_TABLE:
            raise _refused(before, event.name.lower())
        if event in {RolloutEvent.START, RolloutEvent.SCHEDULE, RolloutEvent.RESUME}:
            _require_time(before, now)
        steps = [Step(event, why=why)]
        if event is RolloutEvent.RESUME:
            steps = [*core.override(before.groups), *steps]
        after = apply_steps(session, before, steps, now, by=by, why=why)
        if after.state is RolloutState.STOPPING and not open_offers(session, after, "", 1):
            after = apply_steps(session, after, [Step(RolloutEvent.EMPTIED, why=why)], now, by=by)
        return after


def _require_time(rollout: Rollout, now: float) -> None:
    if now >= rollout.plan.deadline:
        raise InputError(
            "DEADLINE_PASSED",
            f"The deadline of rollout '{rollout.id}' has passed.",
            mend="Make a new rollout with a later one.",
        )


def decide(
    store: Store, id_: str, *, approve: bool, plan: str | None, by: str, why: str, now: float
) -> Rollout:
    """Approve or deny a plan; its author cannot.

    Args:
        store: where.
        id_: of the rollout.
        approve: False denies.
        plan: the plan's digest, as it was read; None: whatever it is. A plan never changes.
        by: who decides.
        why: their reason.
        now: UTC seconds.

    Raises:
        InputError: ROLLOUT_UNKNOWN, ROLLOUT_STATE, APPROVED_BY_AUTHOR, PLAN_DIFFERS, NO_NAME.
    """
    event = RolloutEvent.APPROVE if approve else RolloutEvent.DENY
    with store.write() as session:
        before = get_rollout(session, id_, hold=True)
        if (before.state, event) not in core.ROLLOUT_TABLE:
            raise _refused(before, event.name.lower())
        require_name(by)
        if approve and _folded(by) == _folded(before.by):
            raise InputError(
                "APPROVED_BY_AUTHOR",
                f"{by} made this plan: somebody else has to approve it.",
                mend="Let another person read and approve it.",
            )
        if plan is not None and plan != plan_digest(before):
            raise InputError(
                "PLAN_DIFFERS", "This is not the plan that was read.", mend="Read it again, then decide."
            )
        r = schema.rollouts
        session.connection.execute(r.update().where(r.c.id == id_).values(approved=by[:NAME_MAX]))
        return apply_steps(session, before, [Step(event, why=why)], now, by=by, why=why)


def require_name(by: str) -> None:
    """Refuse who gives no name: of nobody it could be said whether they are somebody else.

    Raises:
        InputError: NO_NAME.
    """
    if not _folded(by):
        raise InputError("NO_NAME", "Who says so gives no name.", mend="Name a person.")


def _folded(name: str) -> str:
    """Return what makes a name: no case, no width, no spaces, no dots, nothing that is not seen."""
    plain = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name[:NAME_MAX]).casefold())
    return "".join(each for each in plain if unicodedata.category(each)[0] not in "CPZ")


def plan_digest(rollout: Rollout) -> str:
    """Return what is approved, as 32 hexadecimal digits over patch, product and plan."""
    facts = {"patch": rollout.digest.hex(), "plan": to_data(rollout.plan), "product": rollout.product}
    return hashlib.sha256(canonical(facts).encode()).hexdigest()[:32]


def open_next(store: Store, id_: str, now: float, *, by: str = "", why: str = "") -> Rollout:
    """Open the next group at once on a person's word, whatever the groups before have proven.

    Raises:
        InputError: ROLLOUT_UNKNOWN, ROLLOUT_STATE.
    """
    with store.write() as session:
        before = get_rollout(session, id_, hold=True)
        steps = core.open_next(before.groups)
        if before.state is not RolloutState.RUNNING or not steps:
            raise _refused(before, "open another group", "Resume it first, or see 'tocsin rollout show'.")
        return apply_steps(session, before, steps, now, by=by, why=why)


def retry(
    store: Store, id_: str, failures: Sequence[Failure], now: float, *, by: str = "", why: str = ""
) -> int:
    """Let devices whose failure was final be offered the patch once more; return how many.

    Args:
        store: where.
        id_: of the rollout.
        failures: which; none: all.
        now: UTC seconds.
        by: who says so.
        why: their reason.

    Raises:
        InputError: ROLLOUT_UNKNOWN, ROLLOUT_STATE.
    """
    wanted = [FAILED_AS[each] for each in failures] or sorted(FAILED)
    many = 0
    while True:
        with store.write() as session:
            rollout = get_rollout(session, id_, hold=True)
            if rollout.state in OVER or rollout.state is RolloutState.STOPPING:
                raise _refused(rollout, "offer anything again", "Make a new rollout for these devices.")
            devices = in_outcome(session, id_, wanted, IDS_MAX)
            with moving(session, devices):
                set_rows(session, id_, devices, failed=None, tries=0, retry=now)
            many += len(devices)
            if len(devices) < IDS_MAX or store.rehearsing:
                facts = {"by": by, "devices": many, "id": id_, "what": sorted(failures), "why": why}
                audit.append(session, "rollout.retried", facts, now)
                return many


@contextmanager
def moving(session: Session, devices: Iterable[str]) -> Iterator[None]:
    """Hold devices whose rows in rollouts change, and keep the cells of rollouts: nothing else changes."""
    d, ids = schema.devices, sorted(set(devices))
    for start in range(0, len(ids), IDS_MAX):
        query = sa.select(d.c.id).where(d.c.id.in_(ids[start : start + IDS_MAX])).order_by(d.c.id)
        session.connection.execute(query.with_for_update()).all()
    session.serialise()
    with counted_rollouts(session, ids):
        yield


def set_rows(session: Session, id_: str, devices: Sequence[str], **values: Any) -> None:
    """Write the same into the rows of some devices of a rollout; within :func:`moving`."""
    d = schema.rollout_devices
    for start in range(0, len(devices), IDS_MAX):
        part = devices[start : start + IDS_MAX]
        where = (d.c.rollout == id_, d.c.device.in_(part))
        session.connection.execute(d.update().where(*where).values(**values))


def set_each(session: Session, id_: str, rows: Sequence[tuple[str, Mapping[str, Any]]]) -> None:
    """Write into the row of each device what belongs there; within :func:`moving`."""
    d = schema.rollout_devices
    same: dict[tuple[str, ...], list[dict[str, Any]]] = {}
    for device, values in rows:
        same.setdefault(tuple(sorted(values)), []).append({"of": device, **values})
    for names, many in same.items():
        where = (d.c.rollout == id_, d.c.device == sa.bindparam("of"))
        values = {name: sa.bindparam(name) for name in names}
        session.connection.execute(d.update().where(*where).values(**values), many)


def apply_steps(
    session: Session, rollout: Rollout, steps: Sequence[Step], now: float, *, by: str, why: str = ""
) -> Rollout:
    """Write what happens to a rollout and its groups, each in the audit trail."""
    r, g = schema.rollouts, schema.rollout_groups
    state, groups = rollout.state, list(rollout.groups)
    for step in steps:
        facts: dict[str, object] = {"by": by, "id": rollout.id, "why": step.why or why}
        if isinstance(step.event, RolloutEvent):
            state = core.ROLLOUT_TABLE[state, step.event]
            facts |= {"event": step.event.name, "state": state.name}
            values = {
                "changed": now,
                "changed_by": by[:NAME_MAX],
                "state": int(state),
                "why": step.why or why,
            }
            if step.event is RolloutEvent.START:
                values["started"] = now
            session.connection.execute(r.update().where(r.c.id == rollout.id).values(**values))
            if state in OVER:  # what would have been tried again has failed for good
                session.serialise()
                recount(session, rollout.id)
        else:
            assert step.group is not None
            groups[step.group] = core.GROUP_TABLE[groups[step.group], step.event]
            facts |= {"event": step.event.name, "group": step.group, "state": groups[step.group].name}
            where = (g.c.rollout == rollout.id, g.c.index == step.group)
            values = {"since": now, "state": int(groups[step.group])}
            session.connection.execute(g.update().where(*where).values(**values))
        audit.append(session, "rollout.changed", facts, now)
    return get_rollout(session, rollout.id)


def due_steps(session: Session, rollout: Rollout, now: float) -> list[Step]:
    """Return what time and gates demand of a rollout now."""
    plan = rollout.plan
    if rollout.parent and rollout.state is RolloutState.RUNNING:
        why = below_floor(session, rollout.product, rollout.digest)
        if why:
            return [Step(RolloutEvent.STOP, why=why)]
    if rollout.state is RolloutState.SCHEDULED:
        due = now >= (plan.starts or 0)
        return [Step(RolloutEvent.START, why="its time has come")] if due else []
    if rollout.state is RolloutState.PAUSED:
        over = now >= plan.deadline
        return [Step(RolloutEvent.END, why="the deadline has passed")] if over else []
    if rollout.state is not RolloutState.RUNNING:
        return []
    groups = list(zip(rollout.groups, rollout.since, strict=True))
    counts = count_groups(session, rollout)
    started = min(rollout.started, now)  # a clock that ran ahead may have been set right since
    return core.advance(plan, groups, counts, now, started=started)


def move_on(session: Session, rollout: Rollout, now: float) -> Rollout:
    """Carry a rollout as far as time and its gates allow."""
    while steps := due_steps(session, rollout, now):
        rollout = apply_steps(session, rollout, steps, now, by=SCHEDULER)
    return rollout


def returning(rollout: Rollout) -> list[int]:
    """Return the groups whose devices are being brought back."""
    return [index for index, state in enumerate(rollout.groups) if state is GroupState.RETURNING]
