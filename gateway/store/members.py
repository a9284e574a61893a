"""Devices of a rollout that stand in some way, found without reading all those that stand otherwise."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from typing import Any, Final

import sqlalchemy as sa

from advisories.states import PATCH_FAILED, PATCH_PROVEN, PatchState
from gateway.core.rollout.outcome import BY_END, FAILED, LEFT_OUT, WAITS, Outcome
from gateway.store import schema
from gateway.store.engine import Session
from gateway.store.outcomes import OUTCOME, cells

_FEW: Final = 20_000  # so many are read to find those of a page; where there are more, a page is soon full
_R, _D, _P, _DEVICES = schema.rollouts, schema.rollout_devices, schema.patch_states, schema.devices
_SAID: Final[Mapping[Outcome, frozenset[PatchState]]] = {
    **dict.fromkeys((*FAILED, Outcome.FAILING), frozenset(PATCH_FAILED)),
    Outcome.PROVEN: frozenset(PATCH_PROVEN),
    Outcome.WAITING: WAITS,
    Outcome.DECLINED: frozenset(state for state, end in BY_END.items() if end is Outcome.DECLINED),
    Outcome.NOT_APPLICABLE: frozenset(
        state for state, end in BY_END.items() if end is Outcome.NOT_APPLICABLE
    ),
}
"""What a device reported of the patch that stands so."""
_NOTED: Final = {Outcome.SILENT, *LEFT_OUT}
"""What the scheduler noted of a device."""


def standing(
    session: Session, rollout: str, wanted: Collection[Outcome]
) -> list[sa.ColumnElement[bool]] | None:
    """Return what is true of the devices of a rollout that stand so, for a query over ``outcomes.SOURCE``.

    Args:
        session: which reads.
        rollout: its id.
        wanted: any of these.

    Returns:
        Conditions; None: no device stands so.
    """
    counts: Counter[Outcome] = Counter()
    for group in cells(session, rollout).values():
        counts.update(group)
    if counts and not any(counts[each] for each in wanted):
        return None
    where: list[sa.ColumnElement[bool]] = [OUTCOME.in_(sorted(map(int, wanted)))]
    if (sources := _sources(rollout, wanted)) and sum(counts[each] for each in _read(wanted)) <= _FEW:
        where.append(_D.c.device.in_(sa.union_all(*sources)))
    return where


def _read(wanted: Collection[Outcome]) -> set[Outcome]:
    """Return the outcomes of those who are read to find some."""
    states = {state for each in wanted for state in _SAID.get(each, ())}
    alike = {each for each, said in _SAID.items() if not states.isdisjoint(said)}
    return alike | (_NOTED if not _NOTED.isdisjoint(wanted) else set())


def _sources(rollout: str, wanted: Collection[Outcome]) -> list[sa.Select[Any]]:
    """Return queries for ids among which are all that stand so, each by an index; none: there is no such."""
    if not {*wanted} <= {*_SAID, *_NOTED, Outcome.REVOKED}:
        return []
    found: list[sa.Select[Any]] = []
    if states := sorted({int(state) for each in wanted for state in _SAID.get(each, ())}):
        digest = sa.select(_R.c.digest).where(_R.c.id == rollout).scalar_subquery()
        found.append(sa.select(_P.c.device).where(_P.c.digest == digest, _P.c.state.in_(states)))
    if not _NOTED.isdisjoint(wanted):
        noted = _D.alias("noted")
        is_noted = sa.or_(noted.c.silent.is_not(None), noted.c.left_out.is_not(None))
        found.append(sa.select(noted.c.device).where(noted.c.rollout == rollout, is_noted))
    if Outcome.REVOKED in wanted:
        found.append(sa.select(_DEVICES.c.id).where(_DEVICES.c.revoked.is_(True)))
    return found
