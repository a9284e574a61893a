"""``tocsin rollout``: a published patch goes out in groups, each behind a gate."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import sqlalchemy as sa

from gateway.core.rollout import Counts, GroupState, Plan, RolloutEvent, RolloutState, assign
from gateway.operations import patches
from gateway.store import schema
from gateway.store.engine import Session
from gateway.store.rollouts import (
    Rollout,
    change_rollout,
    count_groups,
    create_rollout,
    get_rollout,
    list_rollouts,
)
from gateway.workspace.folder import Workspace
from keys.errors import InputError

DEADLINE_DAYS: Final = 14  # within which an install has to begin, unless said otherwise
DAY: Final = 86_400  # seconds


@dataclass(frozen=True, slots=True)
class GroupView:
    """One group of a rollout, as people look at it."""

    percent: int
    state: GroupState
    counts: Counts


@dataclass(frozen=True, slots=True)
class RolloutView:
    """A rollout, as people look at it."""

    id: str
    product: str
    patch: str
    """Hexadecimal digest."""
    state: RolloutState
    plan: Plan
    groups: tuple[GroupView, ...]


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
) -> RolloutView:
    """Start to roll a published patch out to all devices of its product.

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

    Raises:
        InputError: NO_PATCH, PATCH_UNPUBLISHED, ROLLOUT_PLAN, NO_DEVICES, ROLLOUT_EXISTS.
    """
    view = patches.find(workspace, reference)
    plan = Plan(
        percents=tuple(percents),
        success_percent=success,
        failure_percent=failure,
        deadline=now + days * DAY,
        ask=ask,
    )
    digest = view.patch.digest
    with workspace.lock(), workspace.store() as store:
        with store.read() as session:
            _require_published(session, digest, reference)
            chosen = name or _free_name(session, f"{view.product}-{view.version}".replace("+", "."))
            planned = _planned(session, chosen, view, plan, now)
        store.rehearsing = dry_run
        create_rollout(store, chosen, digest=digest, plan=plan, now=now, start=True)
        if dry_run:
            return planned
    return status(workspace, chosen)[0]


def _require_published(session: Session, digest: bytes, reference: str) -> None:
    t = schema.patches
    found = session.connection.execute(sa.select(t.c.digest).where(t.c.digest == digest)).first()
    if found is None:
        raise InputError(
            "PATCH_UNPUBLISHED",
            f"The patch '{reference}' is not published.",
            mend=f"Publish it with 'tocsin patch publish {reference}'.",
        )


def _free_name(session: Session, wish: str) -> str:
    taken = {rollout.id for rollout in list_rollouts(session)}
    number = 1
    while (name := wish if number == 1 else f"{wish}-{number}") in taken:
        number += 1
    return name


def _planned(session: Session, name: str, view: patches.PatchView, plan: Plan, now: int) -> RolloutView:
    product = view.product
    d = schema.devices
    query = sa.select(d.c.id).where(
        d.c.product == product, d.c.revoked.is_(False), d.c.valid_from <= now, d.c.valid_to > now
    )
    devices = list(session.connection.execute(query).scalars())
    if not devices:
        mend = f"Register some with 'tocsin device add --product {product}'."
        raise InputError("NO_DEVICES", f"The product '{product}' has no devices.", mend=mend)
    sizes = Counter(assign(name, devices, plan.percents).values())
    groups = tuple(
        GroupView(percent, GroupState.SCHEDULED, Counts(sizes[index]))
        for index, percent in enumerate(plan.percents)
    )
    return RolloutView(name, product, view.patch.digest.hex(), RolloutState.READY, plan, groups)


def status(workspace: Workspace, name: str | None = None) -> list[RolloutView]:
    """Return one rollout, or all of them in order of creation.

    Raises:
        InputError: ROLLOUT_UNKNOWN.
    """
    with workspace.store() as store, store.read() as session:
        found = [get_rollout(session, name)] if name else list_rollouts(session)
        return [_view(rollout, count_groups(session, rollout)) for rollout in found]


def _view(rollout: Rollout, counts: Sequence[Counts]) -> RolloutView:
    rows = zip(rollout.plan.percents, rollout.groups, counts, strict=True)
    groups = tuple(GroupView(*row) for row in rows)
    return RolloutView(rollout.id, rollout.product, rollout.digest.hex(), rollout.state, rollout.plan, groups)


def change(
    workspace: Workspace, name: str, event: RolloutEvent, *, now: int, dry_run: bool = False
) -> RolloutView:
    """Pause, resume or stop a rollout; stopping takes back every offer not yet acted on.

    Raises:
        InputError: ROLLOUT_UNKNOWN, ROLLOUT_STATE.
    """
    with workspace.lock(), workspace.store() as store:
        store.rehearsing = dry_run
        change_rollout(store, name, event, now)
    return status(workspace, name)[0]
