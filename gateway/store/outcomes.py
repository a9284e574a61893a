"""How devices stand in rollouts: the rules of ``gateway.core.rollout.outcome`` in SQL."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Any, Final

import sqlalchemy as sa

from advisories.states import PATCH_FAILED, PATCH_PROVEN
from gateway.core.rollout.outcome import BY_END, BY_REASON, BY_STATE, FAILED_AS, WAITS, Failure, Outcome
from gateway.core.rollout.table import OVER, RolloutState
from gateway.store import schema
from gateway.store.engine import Session

IDS_MAX: Final = 500  # devices named in one statement

_R, _D, _P = schema.rollouts, schema.rollout_devices, schema.patch_states
_DEVICES, _STATES, _PATCHES = schema.devices, schema.device_states, schema.patches


def _failure() -> sa.ColumnElement[int]:
    """Return the outcome of a final failure; the state speaks before the reason."""
    by_state = [(_P.c.state == int(state), int(FAILED_AS[failed])) for state, failed in BY_STATE.items()]
    reasons: dict[Failure, list[int]] = {}
    for reason, failed in BY_REASON.items():
        reasons.setdefault(failed, []).append(int(reason))
    by_reason = [(_P.c.reason.in_(numbers), int(FAILED_AS[failed])) for failed, numbers in reasons.items()]
    return sa.case(*by_state, *by_reason, else_=int(FAILED_AS[Failure.OTHER]))


def _outcome() -> sa.ColumnElement[int]:
    """Return the expression; its rules stand in the order of :func:`gateway.core.rollout.outcome`."""
    proven = [int(state) for state in PATCH_PROVEN]
    over = [int(state) for state in OVER]
    other = _P.alias("other")
    newer = sa.exists().where(
        other.c.device == _D.c.device, other.c.sequence > _P.c.sequence, other.c.state.in_(proven)
    )
    return sa.case(
        (_DEVICES.c.revoked.is_(True), int(Outcome.REVOKED)),
        (
            _P.c.state.in_(proven),
            sa.case(
                (_STATES.c.installed == _PATCHES.c.version, int(Outcome.PROVEN)),
                (newer, int(Outcome.LEFT)),
                else_=int(Outcome.UNDER_WAY),
            ),
        ),
        (_D.c.left_out.is_not(None), _D.c.left_out),
        (_D.c.offered.is_(None), int(Outcome.PLANNED)),
        (
            sa.or_(_P.c.state.is_(None), _P.c.changed <= _D.c.offered),
            sa.case(
                (_D.c.cancelled.is_not(None), int(Outcome.LEFT)),
                (_D.c.silent.is_not(None), int(Outcome.SILENT)),
                else_=int(Outcome.OFFERED),
            ),
        ),
        (
            _P.c.state.in_([int(state) for state in PATCH_FAILED]),
            sa.case(
                (sa.or_(_D.c.failed.is_not(None), _R.c.state.in_(over)), _failure()),
                else_=int(Outcome.FAILING),
            ),
        ),
        *((_P.c.state == int(state), int(end)) for state, end in BY_END.items()),
        (_D.c.silent >= _P.c.changed, int(Outcome.SILENT)),
        (_P.c.state.in_([int(state) for state in WAITS]), int(Outcome.WAITING)),
        else_=int(Outcome.UNDER_WAY),
    )


OUTCOME: Final = _outcome()
SOURCE: Final = (  # every table that an outcome follows from; one row a device of a rollout
    _D.join(_R, _R.c.id == _D.c.rollout)
    .join(_PATCHES, _PATCHES.c.digest == _R.c.digest)
    .join(_DEVICES, _DEVICES.c.id == _D.c.device)
    .outerjoin(_P, sa.and_(_P.c.device == _D.c.device, _P.c.digest == _R.c.digest))
    .outerjoin(_STATES, _STATES.c.device == _D.c.device)
)


def _counted(*where: sa.ColumnElement[bool]) -> sa.Select[Any]:
    """Count in a query around the one that decides: each engine groups by a plain column."""
    each = sa.select(_D.c.rollout, _D.c.group, OUTCOME.label("outcome")).select_from(SOURCE).where(*where)
    t = each.subquery("each")
    return sa.select(t.c.rollout, t.c.group, t.c.outcome, sa.func.count()).group_by(
        t.c.rollout, t.c.group, t.c.outcome
    )


_MADE: Final = _R.c.state != int(RolloutState.CREATING)  # until then nothing counts its devices
_BY_DEVICE: Final = _counted(  # built once
    _D.c.device.in_(sa.bindparam("devices", expanding=True)), _MADE
)


def outcomes(session: Session, devices: Iterable[str]) -> Iterable[tuple[str, int, Outcome, int]]:
    """Yield (rollout, group, outcome, how many) for every rollout that these devices are part of.

    The same key may come more than once: add up.
    """
    left = iter(sorted(set(devices)))
    while part := list(islice(left, IDS_MAX)):
        for rollout, group, number, many in session.connection.execute(_BY_DEVICE, {"devices": part}):
            yield rollout, group, Outcome(number), many


def all_outcomes(session: Session) -> Iterable[tuple[str, int, Outcome, int]]:
    """Yield the same of every device that is part of a rollout; each key comes once."""
    for rollout, group, number, many in session.connection.execute(_counted(_MADE)):
        yield rollout, group, Outcome(number), many


def recount(session: Session, rollout: str) -> None:
    """Count all devices of one rollout anew, whatever its cells said."""
    c = schema.rollout_cells
    session.connection.execute(c.delete().where(c.c.rollout == rollout))
    counted = _counted(_D.c.rollout == rollout)
    session.connection.execute(c.insert().from_select(["rollout", "group", "outcome", "count"], counted))


def cells(session: Session, rollout: str) -> dict[int, dict[Outcome, int]]:
    """Return group -> outcome -> devices of a rollout, from its cells."""
    c = schema.rollout_cells
    query = sa.select(c.c.group, c.c.outcome, c.c.count).where(c.c.rollout == rollout, c.c.count != 0)
    found: dict[int, dict[Outcome, int]] = {}
    for group, number, many in session.connection.execute(query):
        found.setdefault(group, {})[Outcome(number)] = many
    return found


def in_outcome(session: Session, rollout: str, wanted: Iterable[Outcome], limit: int) -> list[str]:
    """Return ids of devices of a rollout that stand so, in order, at most ``limit``."""
    query = sa.select(_D.c.device).select_from(SOURCE)
    query = query.where(_D.c.rollout == rollout, OUTCOME.in_([int(each) for each in wanted]))
    return list(session.connection.execute(query.order_by(_D.c.device).limit(limit)).scalars())


def row_values(row: Any) -> Mapping[str, Any]:
    """Return a result row by column name: some columns are named as methods of a row are."""
    values: Mapping[str, Any] = row._mapping  # noqa: SLF001 - the public name of a row's mapping
    return values
