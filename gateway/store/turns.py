"""Whose turn it is in a rollout: to be offered, looked at, tried again, taken back or brought back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import tzinfo
from typing import Any, Final
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from advisories.states import PATCH_ENDED, PATCH_FAILED, PatchState
from gateway.core.rollout import OPENED, GroupState, Outcome, Plan, RolloutState
from gateway.core.rollout.outcome import LEFT_OUT, OPEN, Failure, failure
from gateway.core.rollout.schedule import again_at, due, is_silent, next_window, per_minute, turn
from gateway.store import schema
from gateway.store.engine import Session
from gateway.store.outcomes import OUTCOME, SOURCE, cells
from gateway.store.rollouts import Rollout, count_groups, offers_since
from gateway.store.selecting import valid
from keys.errors import InputError
from keys.reasons import Reason

MINUTE: Final = 60.0  # seconds
_D, _P, _DEVICES = schema.rollout_devices, schema.patch_states, schema.devices
_FAILED: Final = tuple(int(state) for state in PATCH_FAILED)
_ENDED: Final = tuple(int(state) for state in PATCH_ENDED)


def zone_of(plan: Plan) -> tzinfo:
    """Return the time zone of a plan's windows.

    Raises:
        InputError: ROLLOUT_PLAN when there is none of that name.
    """
    try:
        return ZoneInfo(plan.zone)
    except (ValueError, OSError, KeyError):
        raise InputError(
            "ROLLOUT_PLAN",
            f"The plan cannot work: there is no time zone '{plan.zone}'.",
            mend="Name one such as Europe/Berlin.",
        ) from None


def has_window(plan: Plan, now: float) -> bool:
    """Say whether an offer made now could still be acted on."""
    return now < plan.deadline and (
        not (plan.window or plan.windows) or next_window(plan, zone_of(plan), now) is not None
    )


def tended(session: Session) -> list[str]:
    """Return the rollouts that time, gates or reports may move, oldest first.

    One of which devices were brought back is among them for as long as what its groups say may become wrong:
    any runs the patch, or not all were brought back.
    """
    r, g, c = schema.rollouts, schema.rollout_groups, schema.rollout_cells
    moving = [RolloutState.SCHEDULED, RolloutState.RUNNING, RolloutState.PAUSED, RolloutState.STOPPING]
    back = sa.select(g.c.rollout).where(g.c.state == int(GroupState.RETURNING))
    wave = r.alias("wave")
    runs = sa.exists().where(
        c.c.rollout == g.c.rollout,
        c.c.group == g.c.index,
        c.c.outcome == int(Outcome.PROVEN),
        c.c.count > 0,
    )
    returned = sa.and_(g.c.state == int(GroupState.RETURNED), runs)
    late = (
        sa.select(g.c.rollout)
        .where(sa.or_(g.c.state == int(GroupState.ERROR), returned))
        .where(sa.exists().where(wave.c.parent == g.c.rollout))
    )
    wanted = sa.or_(r.c.state.in_([int(state) for state in moving]), r.c.id.in_(back), r.c.id.in_(late))
    return list(
        session.connection.execute(sa.select(r.c.id).where(wanted).order_by(r.c.created, r.c.id)).scalars()
    )


@dataclass(frozen=True, slots=True)
class Failed:
    """A device whose failure is to be judged, or whose time to be tried again has come."""

    device: str
    group: int
    tries: int
    state: PatchState
    reason: Reason

    @property
    def counts(self) -> bool:
        """Whether trying again counts as another try: a window that passed does not."""
        return failure(self.state, self.reason) is not Failure.TIME


def failing(session: Session, rollout: Rollout, now: float, limit: int, *, again: bool) -> list[Failed]:
    """Return failed devices: those to be judged, or ``again`` those whose time to be tried again has come."""
    if limit < 1 or not any(Outcome.FAILING in group for group in cells(session, rollout.id).values()):
        return []
    query = (
        sa.select(_D.c.device, _D.c.group, _D.c.tries, _P.c.state, _P.c.reason)
        .select_from(
            _P.join(_D, sa.and_(_D.c.device == _P.c.device, _D.c.rollout == rollout.id)).join(
                _DEVICES, _DEVICES.c.id == _P.c.device
            )
        )
        .where(_P.c.digest == rollout.digest, _P.c.state.in_(_FAILED), _P.c.changed > _D.c.offered)
        .where(_D.c.failed.is_(None), _D.c.retry <= now if again else _D.c.retry.is_(None))
        .where(_D.c.left_out.is_(None), _DEVICES.c.revoked.is_(False))
        .order_by(_P.c.device)
        .limit(limit)
    )
    return [
        Failed(row.device, row.group, row.tries or 0, PatchState(row.state), Reason(row.reason))
        for row in session.connection.execute(query)
    ]


def judged(plan: Plan, zone: tzinfo, found: Failed, now: float) -> dict[str, float | None]:
    """Return what to write of a failure: when it is tried again, or that it is final."""
    failed = failure(found.state, found.reason)
    at = again_at(plan, zone, failed, found.tries, now)
    return {"failed": now} if at is None else {"retry": at}


@dataclass(frozen=True, slots=True)
class Looked:
    """What is to be done about a device with an open offer: new terms, or a note in its row."""

    device: str
    group: int
    renew: bool
    values: dict[str, float | None]


def look(session: Session, rollout: Rollout, now: float, limit: int) -> list[Looked]:
    """Return what the devices that are to be looked at now need."""
    if limit < 1:
        return []
    query = (
        sa.select(_D.c.device, _D.c.group, _D.c.offered, _D.c.sent, _P.c.changed, OUTCOME.label("outcome"))
        .select_from(SOURCE)
        .where(_D.c.rollout == rollout.id, _D.c.due <= now)
        .order_by(_D.c.due)
        .limit(limit)
    )
    zone = zone_of(rollout.plan)
    return [_look(rollout, zone, row, now) for row in session.connection.execute(query)]


def _look(rollout: Rollout, zone: tzinfo, row: Any, now: float) -> Looked:
    outcome, plan = Outcome(row.outcome), rollout.plan
    if outcome not in OPEN:
        return Looked(row.device, row.group, False, {"due": None})
    heard = max(row.offered, row.changed or 0.0)
    made = turn(plan, zone, rollout.id, row.device, row.sent)
    lapses = None if made is None else made.lapses
    if lapses is not None and lapses <= now:
        return Looked(row.device, row.group, next_window(plan, zone, now) is not None, {"due": None})
    if outcome is Outcome.SILENT:
        return Looked(row.device, row.group, False, {"due": lapses})
    if is_silent(plan, row.group, outcome, heard, now):
        return Looked(row.device, row.group, False, {"silent": now, "due": lapses})
    at = due(plan, row.group, heard, lapses)
    if at is not None and at <= now:  # its owner may think about it: not silent, however long
        silence = plan.gates_of(row.group).silence
        at = min(now + (silence.seconds if silence else MINUTE), lapses or float("inf"))
    return Looked(row.device, row.group, False, {"due": at})


def waiting(session: Session, rollout: Rollout, limit: int) -> list[tuple[str, int, Outcome]]:
    """Return devices of opened groups whose turn it is to be offered the patch: (id, group, outcome)."""
    found = cells(session, rollout.id)
    opened = [
        index
        for index, state in enumerate(rollout.groups)
        if state in OPENED and found.get(index, {}).keys() & {Outcome.PLANNED, Outcome.PROVEN}
    ]
    if not opened or limit < 1:
        return []
    query = (
        sa.select(_D.c.device, _D.c.group, OUTCOME)
        .select_from(SOURCE)
        .where(_D.c.rollout == rollout.id, _D.c.group.in_(opened), _D.c.offered.is_(None))
        .where(_DEVICES.c.revoked.is_(False))
        .order_by(_D.c.group, _D.c.device)
        .limit(limit)
    )
    return [(row[0], row[1], Outcome(row[2])) for row in session.connection.execute(query)]


def unfit(session: Session, rollout: Rollout, devices: Sequence[str], now: float) -> dict[str, Outcome]:
    """Return which of these devices can have no offer now, and as what they are left out.

    Between a rollout's making and a device's turn its record may end, or name another product.
    """
    elsewhere = _DEVICES.c.product != rollout.product
    query = sa.select(_DEVICES.c.id, elsewhere).where(_DEVICES.c.id.in_(devices))
    rows = session.connection.execute(query.where(sa.or_(elsewhere, sa.not_(valid(now)))))
    return {device: Outcome.MOVED if moved else Outcome.NO_RECORD for device, moved in rows}


def open_offers(session: Session, rollout: Rollout, after: str, limit: int) -> list[str]:
    """Return devices behind ``after``, in order, whose offers can still be taken back."""
    revocable = [int(each) for each in OPEN | {Outcome.FAILING} | LEFT_OUT]
    query = (
        sa.select(_D.c.device)
        .select_from(SOURCE)
        .where(_D.c.rollout == rollout.id, _D.c.device > after, _D.c.cancelled.is_(None))
        .where(_D.c.offered.is_not(None), OUTCOME.in_(revocable))
        .where(sa.or_(_D.c.left_out.is_(None), _D.c.sent.is_not(None)))
        .order_by(_D.c.device)
        .limit(limit)
    )
    return list(session.connection.execute(query).scalars())


def ahead(session: Session, rollout: Rollout, now: float, limit: int) -> list[str]:
    """Return devices whose offers were made at a time that is still to come: the clock was set back since."""
    query = sa.select(_D.c.device).where(_D.c.rollout == rollout.id, _D.c.sent > now + MINUTE)
    return list(session.connection.execute(query.order_by(_D.c.device).limit(limit)).scalars())


def at_most(name: str, moment: float) -> sa.ColumnElement[float]:
    """Return a column of times as it is, but no later than a moment."""
    return sa.case((_D.c[name] > moment, moment), else_=_D.c[name])


def wanted_elsewhere(session: Session, rollout: Rollout, devices: Sequence[str]) -> set[str]:
    """Return which of these devices another rollout that goes on has offered the same patch, too."""
    r = schema.rollouts
    goes_on = [int(RolloutState.RUNNING), int(RolloutState.PAUSED)]
    query = (
        sa.select(_D.c.device)
        .select_from(_D.join(r, r.c.id == _D.c.rollout))
        .where(r.c.digest == rollout.digest, r.c.id != rollout.id, r.c.state.in_(goes_on))
        .where(_D.c.device.in_(devices), _D.c.offered.is_not(None), _D.c.cancelled.is_(None))
        .where(_D.c.left_out.is_(None))
    )
    return set(session.connection.execute(query).scalars())


def room(session: Session, rollout: Rollout, now: float, limit: int) -> int:
    """Return how many offers may be made now: in no minute more than the plan's rate allows."""
    rate = rollout.plan.rate
    if rate is None:
        return limit
    proven = sum(seen.proven for seen in count_groups(session, rollout))
    allowed = per_minute(rate, proven) - offers_since(session, rollout.id, now - MINUTE)
    return max(0, min(limit, allowed))


def to_bring_back(session: Session, rollout: Rollout, groups: Sequence[int], limit: int) -> list[str]:
    """Return devices of some groups that run the patch, and whom no return has or had to the device's end.

    One whose return was over before it had come to an end, or even to its turn, is among them once it has
    spoken since: it was lost, and is back.
    """
    found = cells(session, rollout.id)
    if not any(found.get(group, {}).get(Outcome.PROVEN, 0) for group in groups):
        return []
    c, wave, told = _D.alias("child"), schema.rollouts.alias("wave"), _P.alias("told")
    ended = sa.exists().where(
        told.c.device == c.c.device,
        told.c.digest == wave.c.digest,
        told.c.state.in_(_ENDED),
        told.c.changed > c.c.offered,
        told.c.changed <= wave.c.changed,
    )
    back = sa.and_(
        wave.c.state == int(RolloutState.FINISHED),
        c.c.left_out.is_(None),
        ~ended,
        schema.device_states.c.seen > wave.c.changed,
    )
    there = sa.exists().where(
        wave.c.parent == rollout.id, c.c.rollout == wave.c.id, c.c.device == _D.c.device, ~back
    )
    query = sa.select(_D.c.device).select_from(SOURCE)
    query = query.where(_D.c.rollout == rollout.id, _D.c.group.in_(groups), ~there)
    query = query.where(OUTCOME.in_([int(Outcome.PROVEN)])).order_by(_D.c.device).limit(limit)
    return list(session.connection.execute(query).scalars())


def may_become_proven(session: Session, rollout: Rollout, groups: Sequence[int]) -> int:
    """Return how many devices of some groups may still come to run the patch."""
    found = cells(session, rollout.id)
    return sum(
        found.get(group, {}).get(outcome, 0)
        for group in groups
        for outcome in (Outcome.UNDER_WAY, Outcome.WAITING, Outcome.OFFERED, Outcome.SILENT)
    )
