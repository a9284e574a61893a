"""Rollouts made: a plan over a published patch, or a look at who would get what and when."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import sqlalchemy as sa

from gateway.core.rollout import Counts, GroupState, Plan, RolloutState, by_percent
from gateway.core.rollout.schedule import next_window
from gateway.operations import patches
from gateway.operations.afar import operation
from gateway.operations.rollouts.views import GroupView, RolloutView, see, share
from gateway.store import schema
from gateway.store.engine import Session
from gateway.store.planning import Sorted, create_rollout, preview, require
from gateway.store.rollouts import state_of
from gateway.store.selecting import Found
from gateway.store.turns import zone_of
from gateway.workspace.folder import Workspace
from keys.errors import InputError

DEADLINE_DAYS: Final = 14  # within which an install has to begin, unless said otherwise
DAY: Final = 86_400  # seconds
MINUTE: Final = 60  # seconds


@dataclass(frozen=True, slots=True)
class GroupRehearsal:
    """Who of a group would get what, and when; times are UTC seconds."""

    share: str
    devices: int
    first: tuple[str, ...]
    """The first devices in the order of offers."""
    offered_first: int
    """When the first offer could be made, if every group before passed at once."""
    offered_last: int
    """When the last one could, at the plan's rate from then on; it may only grow."""


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """What a plan would do."""

    rollout: RolloutView
    groups: tuple[GroupRehearsal, ...]
    selected: Found
    window: tuple[int, int] | None
    """The window that the first offers would carry, before jitter."""
    approval: bool
    """Whether somebody other than the author has to approve it first."""


def needs_approval(workspace: Workspace) -> bool:
    """Say whether plans need the approval of another person: always, but in an exercise."""
    return not workspace.settings.exercise


def start(
    workspace: Workspace,
    reference: str,
    *,
    now: int,
    percents: Sequence[int],
    success: int,
    failure: int,
    days: int = DEADLINE_DAYS,
    ask: bool = False,
    name: str | None = None,
    dry_run: bool = False,
    by: str = "",
) -> RolloutView:
    """Roll a published patch out to all devices of its product; it starts unless it needs an approval.

    Args:
        workspace: where.
        reference: the patch: sequence number or ``PRODUCT@VERSION``.
        now: UTC seconds.
        percents: share of the devices in each group; together 100.
        success: per cent of a group that must run the patch before the next group opens.
        failure: per cent of a group that, having failed, stops the rollout.
        days: within which an install has to begin.
        ask: ask even owners who agreed beforehand.
        name: of the rollout; made of product and version if left out.
        dry_run: change nothing.
        by: who makes it.

    Raises:
        InputError: NO_PATCH, PATCH_UNPUBLISHED, ROLLOUT_PLAN, NO_DEVICES, ROLLOUT_EXISTS.
    """
    deadline = now + days * DAY
    plan = by_percent(percents, success=success, failure=failure, deadline=deadline, ask=ask)
    if dry_run:
        return rehearse(workspace, reference, plan, now=now, by=by, name=name).rollout
    return create(workspace, reference, plan, now=now, by=by, name=name, start=True)


@operation("POST", "/rollouts", right="rollout:write", creates=True)
def create(
    workspace: Workspace,
    reference: str,
    plan: Plan,
    *,
    now: int,
    by: str,
    name: str | None = None,
    back: str | None = None,
    start: bool = False,
    approval: bool = False,
) -> RolloutView:
    """Make a plan for a published patch; one whose making was interrupted is made anew under its name.

    Args:
        workspace: where.
        reference: the patch: sequence number or ``PRODUCT@VERSION``.
        plan: groups, gates and all.
        now: UTC seconds.
        by: who makes it.
        name: of the rollout; made of product and version if left out.
        back: the patch that gates return groups to, if one does: sequence number or ``PRODUCT@VERSION``.
        start: start it, unless it needs an approval first.
        approval: it needs one even in an exercise.

    Raises:
        InputError: NO_PATCH, PATCH_UNPUBLISHED, ROLLOUT_PLAN, NO_DEVICES, ROLLOUT_EXISTS, SELECTION.
    """
    found = patches.find(workspace, reference)
    plan = _with_return(workspace, plan, back)
    with workspace.lock(), workspace.store() as store:
        with store.read() as session:
            _require_published(session, found.patch.digest, reference)
            chosen = name or _free_name(session, found)
        approval = approval or needs_approval(workspace)
        create_rollout(
            store,
            chosen,
            digest=found.patch.digest,
            plan=plan,
            now=now,
            start=start,
            approval=approval,
            by=by,
        )
        with store.read() as session:
            return see(session, chosen)


@operation("POST", "/rollouts/rehearsal", right="rollout:write")
def rehearse(
    workspace: Workspace,
    reference: str,
    plan: Plan,
    *,
    now: int,
    by: str,
    name: str | None = None,
    back: str | None = None,
) -> Rehearsal:
    """Say who would get what and when, and change nothing. Arguments and errors: see :func:`create`."""
    found = patches.find(workspace, reference)
    plan = _with_return(workspace, plan, back)
    with workspace.store() as store, store.read() as session:
        _require_published(session, found.patch.digest, reference)
        chosen = name or _free_name(session, found)
        product = require(session, chosen, found.patch.digest, plan, now)
        who = preview(session, chosen, product, plan, now)
    begins = max(now, plan.starts or now)
    groups = tuple(
        GroupView(group.percent, share(group), GroupState.SCHEDULED, Counts(size, planned=size))
        for group, size in zip(plan.groups, who.sizes, strict=True)
    )
    return Rehearsal(
        rollout=RolloutView(
            chosen, product, found.patch.digest.hex(), RolloutState.READY, plan, groups, by=by, changed=now
        ),
        groups=_when(plan, who, begins),
        selected=who.found,
        window=next_window(plan, zone_of(plan), begins),
        approval=needs_approval(workspace),
    )


def _with_return(workspace: Workspace, plan: Plan, back: str | None) -> Plan:
    """Name what the plan returns to."""
    return plan if back is None else replace(plan, back=patches.find(workspace, back).patch.digest.hex())


def _when(plan: Plan, who: Sorted, begins: int) -> tuple[GroupRehearsal, ...]:
    """Say when each group's offers could be made at the soonest."""
    found, free = [], begins
    for group, size, first in zip(plan.groups, who.sizes, who.first, strict=True):
        opens = max(free, begins + group.opens)
        minutes = 0 if plan.rate is None or not size else (size - 1) // plan.rate.per_minute
        last = opens + minutes * MINUTE
        found.append(GroupRehearsal(share(group), size, first, opens, last))
        free = last + (group.gates or plan.gates).success.soak
    return tuple(found)


def _require_published(session: Session, digest: bytes, reference: str) -> None:
    t = schema.patches
    found = session.connection.execute(sa.select(t.c.digest).where(t.c.digest == digest)).first()
    if found is None:
        raise InputError(
            "PATCH_UNPUBLISHED",
            f"The patch '{reference}' is not published.",
            mend=f"Publish it with 'tocsin patch publish {reference}'.",
        )


def _free_name(session: Session, found: patches.PatchView) -> str:
    wish = f"{found.product}-{found.version}".replace("+", ".")
    number = 1
    while state_of(session, name := wish if number == 1 else f"{wish}-{number}") is not None:
        number += 1
    return name
