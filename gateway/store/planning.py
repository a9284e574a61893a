"""Rollouts made: which devices go into which group, worked out and written page by page."""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, Final

import sqlalchemy as sa

from advisories.topics import is_id
from gateway.core import rollout as core
from gateway.core.chain import canonical
from gateway.core.rollout import GroupState, Plan, RolloutEvent, RolloutState, Step
from gateway.core.rollout.grouping import Cut, cut, keep, rank
from gateway.core.rollout.plan import to_data
from gateway.core.rollout.schedule import next_window
from gateway.store import audit, schema
from gateway.store.engine import Session, Store
from gateway.store.outcomes import recount
from gateway.store.rolling import NAME_MAX, apply_steps, require_name
from gateway.store.rollouts import (
    Rollout,
    below_floor,
    count_groups,
    current_catalogue,
    get_rollout,
    state_of,
)
from gateway.store.selecting import PAGE, Found, Pages, count
from gateway.store.turns import zone_of
from keys.errors import InputError

FIRST_IDS: Final = 5  # shown of each group


@dataclass(frozen=True, slots=True)
class Sorted:
    """Who would be where: of each group, how many devices, and the first of them in the order of offers."""

    sizes: tuple[int, ...]
    first: tuple[tuple[str, ...], ...]
    found: Found
    """What the plan's selection means; more than the sum of the groups where a share is left out."""


class Sorting:
    """Sorts the devices of a plan into its groups, twice the same way: to count and to write."""

    def __init__(self, session: Session, id_: str, product: str, plan: Plan, now: float) -> None:
        self._id = id_
        self._pages = Pages(session, product, plan.where, [group.where for group in plan.groups], now)
        ranks, free = array("Q"), array("Q")
        for device, group in self._pages.every(session):
            at = rank(id_, device)
            ranks.append(at)
            if group is None:
                free.append(at)
        self._end = keep(plan.share, ranks)
        self._cut: Cut = cut(plan, array("Q", (at for at in free if at < self._end)))
        if not ranks:
            raise InputError(
                "NO_DEVICES",
                f"The selection means no valid device of '{product}'.",
                mend=f"Change it, or register devices with 'tocsin device add --product {product}'.",
            )

    def page(self, session: Session, after: str) -> tuple[list[tuple[str, int]], str]:
        """Return the next (device, group) behind ``after``, and the id to go on behind; "": all.

        Devices that are in no group are left out.
        """
        found = []
        page = self._pages.page(session, after)
        for device, named in page:
            at = rank(self._id, device)
            group = named if named is not None else self._cut.group(at)
            if group is not None and at < self._end:
                found.append((device, group))
        return found, page[-1][0] if len(page) == PAGE else ""


def preview(session: Session, id_: str, product: str, plan: Plan, now: float) -> Sorted:
    """Return who would be where.

    Raises:
        InputError: SELECTION, FILTER_UNKNOWN, FILTER_NESTED, NO_DEVICES.
    """
    sizes = [0] * len(plan.groups)
    first: list[list[str]] = [[] for _ in plan.groups]
    sorting, last = Sorting(session, id_, product, plan, now), ""
    while True:
        page, last = sorting.page(session, last)
        for device, group in page:
            sizes[group] += 1
            if len(first[group]) < FIRST_IDS:
                first[group].append(device)
        if not last:
            break
    found = count(session, product, plan.where, now)
    return Sorted(tuple(sizes), tuple(map(tuple, first)), found)


def create_rollout(
    store: Store,
    id_: str,
    *,
    digest: bytes,
    plan: Plan,
    now: float,
    devices: Iterable[str] | None = None,
    start: bool = False,
    approval: bool = False,
    by: str = "",
) -> Rollout:
    """Make a rollout of a published patch to its product's devices.

    One whose making was interrupted is made anew under its name: nothing of it has come about yet.

    Args:
        store: where.
        id_: a name of letters, digits, dot, underscore and hyphen.
        digest: patch digest.
        plan: groups, gates and all.
        now: UTC seconds.
        devices: device ids, each a valid one; None takes those that the plan selects.
        start: True starts it, at once or when the plan says, unless it needs an approval.
        approval: True: nobody can start it before somebody other than ``by`` approved the plan.
        by: who made the plan.

    Raises:
        InputError: ROLLOUT_ID, ROLLOUT_EXISTS, PATCH_UNKNOWN, NOT_LISTED, DEVICE_UNKNOWN, NO_DEVICES,
            ROLLOUT_PLAN, SELECTION, FILTER_UNKNOWN, FILTER_NESTED, NO_NAME.
    """
    if approval:
        require_name(by)
    if devices is not None:
        plan = replace(plan, where=["devices", *sorted(set(devices))])
    with store.write() as session:
        product = require(session, id_, digest, plan, now)
        if devices is not None:
            _require_known(session, product, plan.where or [], now)
        sorting = Sorting(session, id_, product, plan, now)
        created = max(now, _clear(session, id_))
        _insert(session, id_, product, digest, plan, now=created, by=by)
        last = _write(session, id_, sorting, "")
        if not last:
            return _finish(session, id_, created, now, start=start, approval=approval)
    while last:  # in transactions of their own: others write meanwhile
        with store.write() as session:
            _hold(session, id_, created)
            last = _write(session, id_, sorting, last)
    with store.write() as session:
        return _finish(session, id_, created, now, start=start, approval=approval)


def _clear(session: Session, id_: str) -> float:
    """Remove what an interrupted making left behind; return from when on the next one may be dated.

    Whoever might still be at it notices by the date that it is another one now.
    """
    if state_of(session, id_) is None:
        return 0.0
    left = get_rollout(session, id_, hold=True)
    _require_free(id_, left.state)
    for table in (schema.rollout_devices, schema.rollout_groups):
        session.connection.execute(table.delete().where(table.c.rollout == id_))
    session.connection.execute(schema.rollouts.delete().where(schema.rollouts.c.id == id_))
    return math.nextafter(left.created, math.inf)


def _write(session: Session, id_: str, sorting: Sorting, after: str) -> str:
    """Write the next page of devices; return the id behind which to go on."""
    page, last = sorting.page(session, after)
    if page:
        rows = [{"rollout": id_, "device": device, "group": group} for device, group in page]
        session.connection.execute(schema.rollout_devices.insert(), rows)
    return last


def _hold(session: Session, id_: str, created: float) -> Rollout:
    """Hold a rollout that is being made, as long as nobody has stopped it or begun it anew."""
    rollout = get_rollout(session, id_, hold=True)
    if rollout.created != created:
        raise InputError(
            "ROLLOUT_STATE", f"Somebody has begun rollout '{id_}' anew.", mend="Choose another name."
        )
    if rollout.state is not RolloutState.CREATING:
        raise InputError("ROLLOUT_STATE", f"Rollout '{id_}' was stopped.", mend="Make another one.")
    return rollout


def _finish(
    session: Session, id_: str, created: float, now: float, *, start: bool, approval: bool
) -> Rollout:
    rollout = _hold(session, id_, created)
    session.serialise()  # only now: whoever holds a device's row may be waiting for this lock
    recount(session, id_)
    facts = {
        "by": rollout.by,
        "devices": sum(seen.total for seen in count_groups(session, rollout)),
        "digest": rollout.digest.hex(),
        "id": id_,
        "plan": to_data(rollout.plan),
    }
    audit.append(session, "rollout.created", facts, now)
    steps = [Step(RolloutEvent.SUBMIT if approval else RolloutEvent.MADE)]
    if start and not approval:
        later = rollout.plan.starts is not None and now < rollout.plan.starts
        steps.append(Step(RolloutEvent.SCHEDULE if later else RolloutEvent.START))
    return apply_steps(session, rollout, steps, now, by=rollout.by)


def require(session: Session, id_: str, digest: bytes, plan: Plan, now: float) -> str:
    """Refuse a rollout that could not be made; return the product of its patch.

    Raises:
        InputError: ROLLOUT_ID, ROLLOUT_EXISTS, PATCH_UNKNOWN, NOT_LISTED, ROLLOUT_PLAN.
    """
    if not is_id(id_):
        raise InputError("ROLLOUT_ID", f"'{id_}' is no name for a rollout.", mend="Use letters and digits.")
    if not now < plan.deadline <= now + core.DEADLINE_SECONDS_MAX:
        raise InputError(
            "ROLLOUT_PLAN", "The plan cannot work: its deadline is not within a year.", mend="Change it."
        )
    _require_window(plan, now)
    _require_free(id_, state_of(session, id_))
    product, sequence = _listed(session, digest)
    if plan.returns and plan.back is None:
        raise InputError(
            "ROLLOUT_PLAN",
            "The plan cannot work: a gate returns a group, and no version is named.",
            mend="Name a published patch that carries the older code under a higher sequence.",
        )
    if plan.back is not None:
        wanted = bytes.fromhex(plan.back)
        other, back = _listed(session, wanted)
        if other != product or back <= sequence:
            raise InputError(
                "ROLLOUT_PLAN",
                "The plan cannot work: what it returns to is no patch of a higher sequence for this product.",
                mend="Publish the older code under a higher sequence, then name that patch.",
            )
        if low := below_floor(session, product, wanted):
            raise InputError(
                "ROLLOUT_PLAN",
                f"The plan cannot work: nothing can be brought back, for {low}.",
                mend="Publish the older code with a security counter as high, then name that patch.",
            )
    return product


def _require_free(id_: str, state: RolloutState | None) -> None:
    if state not in {None, RolloutState.CREATING}:
        raise InputError(
            "ROLLOUT_EXISTS", f"There is a rollout '{id_}' already.", mend="Choose another name."
        )


def _require_window(plan: Plan, now: float) -> None:
    """Refuse a plan whose devices could never install, or whose window no offer can carry."""
    zone = zone_of(plan)
    if plan.window is None and not plan.windows:
        return
    found = next_window(plan, zone, max(now, plan.starts or 0))
    if found is None or found[0] >= plan.deadline:
        what = "none of its windows opens between its start and its deadline"
    elif found[1] > now + 2 * core.DEADLINE_SECONDS_MAX:
        what = "its window is longer than two years"
    else:
        return
    raise InputError("ROLLOUT_PLAN", f"The plan cannot work: {what}.", mend="Change the plan.")


def _listed(session: Session, digest: bytes) -> tuple[str, int]:
    p = schema.patches
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
    return str(row.product), int(row.sequence)


def _require_known(session: Session, product: str, wanted: list[Any], now: float) -> None:
    known = {device for device, _ in Pages(session, product, wanted, (), now).every(session)}
    for device in sorted(set(wanted[1:]) - known):
        raise InputError(
            "DEVICE_UNKNOWN",
            f"'{device}' is no valid device of '{product}'.",
            mend="Check the id, or register the device.",
        )


def _insert(
    session: Session, id_: str, product: str, digest: bytes, plan: Plan, *, now: float, by: str
) -> None:
    session.connection.execute(
        schema.rollouts.insert().values(
            id=id_,
            product=product,
            digest=digest,
            state=int(RolloutState.CREATING),
            plan=canonical(to_data(plan)),
            created=now,
            by=by[:NAME_MAX],
            changed=now,
            changed_by=by[:NAME_MAX],
        )
    )
    session.connection.execute(
        schema.rollout_groups.insert(),
        [
            {"rollout": id_, "index": index, "state": int(GroupState.SCHEDULED), "since": now}
            for index in range(len(plan.groups))
        ],
    )
