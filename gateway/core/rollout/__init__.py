"""Rollouts as tables: groups that open one after another when the one before has proven the patch. Pure.

Only SUCCEEDED and ALREADY_INSTALLED count as success: the measured version runs and was confirmed.
NOT_APPLICABLE is done and counts for neither side.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, IntEnum, auto
from itertools import accumulate
from typing import Final

from advisories.states import PATCH_ENDED, PATCH_FAILED, PATCH_PROVEN, PatchState
from gateway.core.rollout.outcome import Outcome as Outcome
from keys.errors import InputError

GROUPS_MAX: Final = 64
DEADLINE_SECONDS_MAX: Final = 366 * 86_400


class RolloutState(IntEnum):
    """Where a rollout stands."""

    READY = 0
    RUNNING = 1
    PAUSED = 2
    STOPPED = 3
    FINISHED = 4


class GroupState(IntEnum):
    """Where one group stands; OVERRIDDEN: an operator let the rollout go on although its gate said no."""

    SCHEDULED = 0
    RUNNING = 1
    FINISHED = 2
    ERROR = 3
    OVERRIDDEN = 4


class RolloutEvent(Enum):
    """What can happen to a rollout."""

    START = auto()
    PAUSE = auto()
    RESUME = auto()
    TRIP = auto()
    STOP = auto()
    END = auto()


class GroupEvent(Enum):
    """What can happen to a group."""

    OPEN = auto()
    PASS = auto()
    FAIL = auto()
    OVERRIDE = auto()


_R, _RE, _G, _GE = RolloutState, RolloutEvent, GroupState, GroupEvent

ROLLOUT_TABLE: Mapping[tuple[RolloutState, RolloutEvent], RolloutState] = {
    (_R.READY, _RE.START): _R.RUNNING,
    (_R.READY, _RE.STOP): _R.STOPPED,
    (_R.RUNNING, _RE.PAUSE): _R.PAUSED,
    (_R.RUNNING, _RE.TRIP): _R.PAUSED,
    (_R.RUNNING, _RE.STOP): _R.STOPPED,
    (_R.RUNNING, _RE.END): _R.FINISHED,
    (_R.PAUSED, _RE.RESUME): _R.RUNNING,
    (_R.PAUSED, _RE.STOP): _R.STOPPED,
}
"""(state, event) -> state; what is not here cannot happen. STOPPED and FINISHED are ends."""

GROUP_TABLE: Mapping[tuple[GroupState, GroupEvent], GroupState] = {
    (_G.SCHEDULED, _GE.OPEN): _G.RUNNING,
    (_G.RUNNING, _GE.PASS): _G.FINISHED,
    (_G.RUNNING, _GE.FAIL): _G.ERROR,
    (_G.FINISHED, _GE.FAIL): _G.ERROR,
    (_G.ERROR, _GE.OVERRIDE): _G.OVERRIDDEN,
}
"""(state, event) -> state. A group that passed may still fail later: the rollout stops opening more."""

OPENED: Final = frozenset({_G.RUNNING, _G.FINISHED, _G.ERROR, _G.OVERRIDDEN})
"""Groups whose devices have, or shall have, an offer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How a rollout goes; percentages are whole numbers from 0 to 100."""

    percents: tuple[int, ...]
    """Share of the devices in each group; together 100."""
    success_percent: int = 90
    """Proven devices of a group's applicable ones that open the next group."""
    failure_percent: int = 20
    """Failed devices of a group's applicable ones that stop the rollout (once the minimum is reached)."""
    failure_minimum: int = 2
    """So many devices must have failed before the share counts."""
    deadline: int
    """UTC seconds: an install not begun by then is over, and so is the rollout."""
    window: tuple[int, int] | None = None
    """UTC seconds between which devices may install."""
    ask: bool = False
    """True asks even owners who agreed beforehand."""

    def __post_init__(self) -> None:
        """Refuse a plan that could not be carried out."""
        faults = [
            (not 1 <= len(self.percents) <= GROUPS_MAX, f"it needs 1 to {GROUPS_MAX} groups"),
            (sum(self.percents) != 100, "the shares of its groups do not add up to 100"),
            (any(share < 1 for share in self.percents), "a group has no share"),
            (not 1 <= self.success_percent <= 100, "success is not between 1 and 100 per cent"),
            (not 0 <= self.failure_percent <= 100, "failure is not between 0 and 100 per cent"),
            (self.failure_minimum < 1, "the least number of failures is below 1"),
            (self.window is not None and self.window[0] >= self.window[1], "its window is empty"),
        ]
        for wrong, what in faults:
            if wrong:
                raise InputError("ROLLOUT_PLAN", f"The plan cannot work: {what}.", mend="Change the plan.")


@dataclass(frozen=True, slots=True)
class Counts:
    """How the devices of one group stand."""

    total: int
    proven: int = 0
    failed: int = 0
    not_applicable: int = 0
    ended: int = 0
    """All that reached an end, the three above included."""

    @property
    def applicable(self) -> int:
        """Devices that count for the gates."""
        return self.total - self.not_applicable


def count(total: int, states: Iterable[PatchState]) -> Counts:
    """Count the states of a group of ``total`` devices; devices without a state count as silent."""
    found = list(states)
    return Counts(
        total,
        sum(state in PATCH_PROVEN for state in found),
        sum(state in PATCH_FAILED for state in found),
        sum(state is PatchState.NOT_APPLICABLE for state in found),
        sum(state in PATCH_ENDED for state in found),
    )


def assign(rollout: str, devices: Iterable[str], percents: Sequence[int]) -> dict[str, int]:
    """Return device -> group index, by the order of SHA-256(rollout id, device id).

    The same arguments always give the same groups; another rollout id gives other first devices, so the
    same owners are not always the first to try. Shares are rounded up: the first group is never empty.
    """
    ranked = sorted(devices, key=lambda device: hashlib.sha256(f"{rollout}\0{device}".encode()).digest())
    ends = [-(-share * len(ranked) // 100) for share in accumulate(percents)]
    groups = {}
    for place, device in enumerate(ranked):
        groups[device] = next(index for index, end in enumerate(ends) if place < end)
    return groups


Step = tuple[int, GroupEvent] | RolloutEvent


def advance(plan: Plan, groups: Sequence[GroupState], counts: Sequence[Counts], now: float) -> list[Step]:
    """Return what happens next to a RUNNING rollout, in order; apply it and call again until nothing does.

    Args:
        plan: the plan.
        groups: state of each group.
        counts: of each group.
        now: UTC seconds.

    Returns:
        (group index, event) for a group, a bare event for the rollout itself.
    """
    failed = [
        index
        for index, (state, seen) in enumerate(zip(groups, counts, strict=True))
        if (state in {_G.RUNNING, _G.FINISHED} and _failing(plan, seen))
        or (state is _G.RUNNING and seen.ended >= seen.total and not _passing(plan, seen))
    ]
    if failed:
        return [*((index, GroupEvent.FAIL) for index in failed), RolloutEvent.TRIP]
    if now >= plan.deadline or all(
        seen.ended >= seen.total and state in {_G.FINISHED, _G.OVERRIDDEN}
        for state, seen in zip(groups, counts, strict=True)
    ):
        return [RolloutEvent.END]
    for index, (state, seen) in enumerate(zip(groups, counts, strict=True)):
        if state is _G.SCHEDULED:
            return [(index, GroupEvent.OPEN)]
        if state is _G.RUNNING:
            return [(index, GroupEvent.PASS)] if _passing(plan, seen) else []
    return []


def _failing(plan: Plan, seen: Counts) -> bool:
    return seen.failed >= plan.failure_minimum and seen.failed * 100 > plan.failure_percent * seen.applicable


def _passing(plan: Plan, seen: Counts) -> bool:
    """Say whether enough is proven; a group to which nothing applies passes when every device has said so."""
    if seen.applicable == 0:
        return seen.ended >= seen.total
    return seen.proven * 100 >= plan.success_percent * seen.applicable


def override(groups: Sequence[GroupState]) -> list[Step]:
    """Return what resuming does: groups that failed are let pass on an operator's word."""
    return [(index, GroupEvent.OVERRIDE) for index, state in enumerate(groups) if state is _G.ERROR]
