"""Rollouts as people look at them: group by group, and device by device."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import sqlalchemy as sa

from advisories.states import PatchState
from gateway.core.rollout import Counts, Group, GroupState, Outcome, Plan, RolloutState
from gateway.core.selection import describe
from gateway.operations.afar import operation
from gateway.store import members, schema
from gateway.store.engine import Session
from gateway.store.outcomes import OUTCOME, SOURCE
from gateway.store.rolling import plan_digest
from gateway.store.rollouts import Rollout, count_groups, get_rollout, list_rollouts
from gateway.workspace.folder import Workspace
from keys.errors import InputError
from keys.reasons import Reason

LIMIT_MAX: Final = 1_000  # of a page


@dataclass(frozen=True, slots=True)
class GroupView:
    """One group of a rollout, as people look at it."""

    percent: int | None
    """Where the plan says so."""
    share: str
    """What the plan says of its devices, in words."""
    state: GroupState
    counts: Counts


@dataclass(frozen=True, slots=True)
class RolloutView:
    """A rollout, as people look at it; times are UTC seconds."""

    id: str
    product: str
    patch: str
    """Hexadecimal digest."""
    state: RolloutState
    plan: Plan
    groups: tuple[GroupView, ...]
    digest: str = ""
    """Of the plan: what is approved."""
    by: str = ""
    """Who made the plan."""
    approved: str | None = None
    """Who else approved it, or refused to."""
    changed: float = 0.0
    """When it came into its state; who did that, and why:"""
    changed_by: str = ""
    why: str = ""
    parent: str | None = None
    """The rollout whose devices this one brings back."""


@dataclass(frozen=True, slots=True)
class RolloutPage:
    """Rollouts, oldest first, and where the next page begins."""

    items: tuple[RolloutView, ...]
    next: str


@dataclass(frozen=True, slots=True)
class DeviceView:
    """A device of a rollout; times are UTC seconds by the gateway's clock."""

    device: str
    group: int
    """Counted from 1."""
    outcome: Outcome
    state: PatchState | None
    """Of the patch, by its newest report."""
    reason: Reason
    offered: float | None
    tries: int
    """How often it was offered the patch again after a failure."""
    changed: float | None


@dataclass(frozen=True, slots=True)
class DevicePage:
    """Devices in order of their ids, and where the next page begins."""

    items: tuple[DeviceView, ...]
    next: str


def share(group: Group) -> str:
    """Say in words which devices a group takes."""
    if group.where is not None:
        return describe(group.where)
    if group.percent is not None:
        return f"{group.percent} %"
    return "the rest" if group.count is None else f"{group.count} devices"


def view(rollout: Rollout, counts: Sequence[Counts]) -> RolloutView:
    """Return a rollout as people look at it."""
    rows = zip(rollout.plan.groups, rollout.groups, counts, strict=True)
    return RolloutView(
        id=rollout.id,
        product=rollout.product,
        patch=rollout.digest.hex(),
        state=rollout.state,
        plan=rollout.plan,
        groups=tuple(GroupView(group.percent, share(group), state, seen) for group, state, seen in rows),
        digest=plan_digest(rollout),
        by=rollout.by,
        approved=rollout.approved,
        changed=rollout.changed,
        changed_by=rollout.changed_by,
        why=rollout.why,
        parent=rollout.parent,
    )


def see(session: Session, name: str) -> RolloutView:
    """Return a rollout as people look at it.

    Raises:
        InputError: ROLLOUT_UNKNOWN.
    """
    rollout = get_rollout(session, name)
    return view(rollout, count_groups(session, rollout))


def status(workspace: Workspace, name: str | None = None) -> list[RolloutView]:
    """Return one rollout, or all of them in order of creation.

    Raises:
        InputError: ROLLOUT_UNKNOWN.
    """
    if name:
        return [show(workspace, name)]
    page = list_(workspace, limit=LIMIT_MAX)
    found = list(page.items)
    while page.next:
        page = list_(workspace, limit=LIMIT_MAX, after=page.next)
        found += page.items
    return found


@operation("GET", "/rollouts", right="rollout:read")
def list_(workspace: Workspace, *, limit: int = 100, after: str = "") -> RolloutPage:
    """Return rollouts, oldest first.

    Args:
        workspace: where.
        limit: rollouts at most, 1 to 1,000.
        after: name behind which to begin.

    Raises:
        InputError: BAD_VALUE.
    """
    _require_page(limit)
    with workspace.store() as store, store.read() as session:
        found = list_rollouts(session)
        ids = [rollout.id for rollout in found]
        first = ids.index(after) + 1 if after in ids else 0
        page = found[first : first + limit]
        items = tuple(view(rollout, count_groups(session, rollout)) for rollout in page)
    return RolloutPage(items, items[-1].id if first + limit < len(found) else "")


@operation("GET", "/rollouts/{rollout}", right="rollout:read")
def show(workspace: Workspace, rollout: str) -> RolloutView:
    """Return one rollout.

    Raises:
        InputError: ROLLOUT_UNKNOWN.
    """
    with workspace.store() as store, store.read() as session:
        return see(session, rollout)


@operation("GET", "/rollouts/{rollout}/devices", right="rollout:read")
def devices(
    workspace: Workspace,
    rollout: str,
    *,
    state: str = "",
    group: int | None = None,
    limit: int = 100,
    after: str = "",
) -> DevicePage:
    """Return devices of a rollout.

    Args:
        workspace: where.
        rollout: its name.
        state: an outcome, or the beginning of several such as ``failed``; empty: any.
        group: counted from 1; None: any.
        limit: devices at most, 1 to 1,000.
        after: id behind which to begin.

    Raises:
        InputError: ROLLOUT_UNKNOWN, OUTCOME_UNKNOWN, GROUP_UNKNOWN, BAD_VALUE.
    """
    _require_page(limit)
    d, p = schema.rollout_devices, schema.patch_states
    query = sa.select(
        d.c.device, d.c.group, OUTCOME, p.c.state, p.c.reason, d.c.offered, d.c.tries, p.c.changed
    ).select_from(SOURCE)
    query = query.where(d.c.rollout == rollout, d.c.device > after).order_by(d.c.device).limit(limit + 1)
    wanted = _outcomes(state) if state else []
    if group is not None:
        query = query.where(d.c.group == group - 1)
    with workspace.store() as store, store.read() as session:
        groups = len(get_rollout(session, rollout).groups)
        if group is not None and not 1 <= group <= groups:
            raise InputError(
                "GROUP_UNKNOWN", f"'{rollout}' has no group {group}.", mend=f"It has {groups}, from 1 on."
            )
        where = members.standing(session, rollout, wanted) if wanted else []
        rows = []
        if where is not None:
            rows = [tuple(row) for row in session.connection.execute(query.where(*where))]
    items = tuple(
        DeviceView(
            device=row[0],
            group=row[1] + 1,
            outcome=Outcome(row[2]),
            state=None if row[3] is None else PatchState(row[3]),
            reason=Reason(row[4] or 0),
            offered=row[5],
            tries=row[6] or 0,
            changed=row[7],
        )
        for row in rows[:limit]
    )
    return DevicePage(items, items[-1].device if len(rows) > limit else "")


def _require_page(limit: int) -> None:
    if not 1 <= limit <= LIMIT_MAX:
        raise InputError("BAD_VALUE", f"{limit} cannot be listed.", mend=f"Say 1 to {LIMIT_MAX}.")


def _outcomes(text: str) -> list[Outcome]:
    wanted = text.strip().lower().replace("-", "_").replace(" ", "_")
    found = [each for each in Outcome if each.name.lower() == wanted]
    found = found or [each for each in Outcome if each.name.lower().startswith(f"{wanted}_")]
    if not found:
        names = ", ".join(each.name.lower() for each in Outcome)
        raise InputError("OUTCOME_UNKNOWN", f"No device stands '{text}'.", mend=f"Use failed, {names}.")
    return found
