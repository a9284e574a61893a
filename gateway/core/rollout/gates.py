"""When a group has passed and when it has failed: how its devices stand, held against the plan. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from gateway.core.rollout.outcome import (
    ENDED,
    FAILED,
    FAILED_AS,
    LEFT_OUT_AS,
    Failure,
    LeftOut,
    Outcome,
)
from gateway.core.rollout.plan import Gates, Plan, Silence, Then
from gateway.core.rollout.table import SETTLED, GroupEvent, GroupState, RolloutEvent

_G: Final = GroupState
_WORST: Final = (Then.STOP, Then.RETURN, Then.PAUSE)


@dataclass(frozen=True, slots=True)
class Counts:
    """How the devices of one group stand."""

    total: int
    """All but those whose record was revoked."""
    proven: int = 0
    failed: int = 0
    """For good."""
    not_applicable: int = 0
    """Or gone over to another patch."""
    ended: int = 0
    """All that reached an end, the three above included."""
    planned: int = 0
    """Not offered yet."""
    waiting: int = 0
    """For their owners, or a window."""
    failing: int = 0
    """Failed, and to be tried again."""
    silent: int = 0
    declined: int = 0
    revoked: int = 0
    """Not in ``total``."""
    failures: Mapping[Failure, int] = field(default_factory=dict)
    left_out: Mapping[LeftOut, int] = field(default_factory=dict)

    @property
    def aside(self) -> int:
        """Devices that count for neither side."""
        return self.not_applicable + sum(self.left_out.values())

    @property
    def applicable(self) -> int:
        """Devices that count for the gates."""
        return self.total - self.aside


def tally(cells: Mapping[Outcome, int]) -> Counts:
    """Return the counts of a group from how many devices have each outcome."""

    def many(*wanted: Outcome) -> int:
        return sum(cells.get(each, 0) for each in wanted)

    return Counts(
        total=sum(cells.values()) - many(Outcome.REVOKED),
        proven=many(Outcome.PROVEN),
        failed=many(*FAILED),
        not_applicable=many(Outcome.NOT_APPLICABLE, Outcome.LEFT),
        ended=many(*ENDED),
        planned=many(Outcome.PLANNED),
        waiting=many(Outcome.WAITING),
        failing=many(Outcome.FAILING),
        silent=many(Outcome.SILENT),
        declined=many(Outcome.DECLINED),
        revoked=many(Outcome.REVOKED),
        failures={each: count for each, end in FAILED_AS.items() if (count := cells.get(end, 0))},
        left_out={each: count for each, end in LEFT_OUT_AS.items() if (count := cells.get(end, 0))},
    )


@dataclass(frozen=True, slots=True)
class Verdict:
    """A gate that said no."""

    then: Then
    why: str


def verdict(gates: Gates, state: GroupState, seen: Counts, *, opens: bool = False) -> Verdict | None:
    """Return what the worst tripped gate of an opened group demands, None while none has tripped.

    Args:
        gates: of the group.
        state: of the group.
        seen: how its devices stand.
        opens: whether it is the first of several, so that nothing else has been proven yet.
    """
    if state not in {_G.RUNNING, _G.SOAKING, _G.FINISHED}:
        return None
    found = _tripped(gates, seen)
    if state is not _G.FINISHED and not found and gates.silence is not None and _silent(gates.silence, seen):
        found.append(Verdict(gates.silence.then, f"{seen.silent} of {seen.applicable} said nothing"))
    ended = state is not _G.FINISHED and not found and seen.ended >= seen.total
    if ended and not passing(gates, seen, opens=opens):
        then = gates.failure[0].then if gates.failure and seen.applicable else Then.PAUSE
        why = f"all have ended, {seen.proven} of {seen.applicable} run it"
        found.append(Verdict(then, why if seen.applicable else _nobody(seen)))
    return min(found, key=lambda each: _WORST.index(each.then), default=None)


def _tripped(gates: Gates, seen: Counts) -> list[Verdict]:
    found = []
    for trip in gates.failure:
        many = sum(seen.failures.get(each, 0) for each in trip.failures) if trip.failures else seen.failed
        base = seen.ended - seen.aside if trip.ended else seen.applicable
        if seen.ended < trip.ended or many < trip.minimum or many * 100 <= trip.percent * base:
            continue
        kinds = ", ".join(trip.failures) or "all kinds"
        found.append(Verdict(trip.then, f"{many} of {base} failed ({kinds})"))
    return found


def _silent(gate: Silence, seen: Counts) -> bool:
    return seen.silent >= gate.minimum and seen.silent * 100 > gate.percent * seen.applicable


def _nobody(seen: Counts) -> str:
    aside = {"revoked": seen.revoked, "not applicable": seen.not_applicable}
    aside |= {f"left out ({why})": many for why, many in seen.left_out.items()}
    found = ", ".join(f"{many} {why}" for why, many in aside.items() if many)
    return f"nobody is left to prove it: {found}" if found else "nobody is in the group to prove it"


def passing(gates: Gates, seen: Counts, *, opens: bool = False) -> bool:
    """Say whether enough is proven. Where nobody is left, nothing is.

    A group in which nobody ever was is passed over, unless it ``opens`` the rollout: those behind it have
    the proof of those before it.
    """
    if not gates.success.percent and not gates.success.minimum:
        return True
    if not seen.applicable:
        return not opens and not seen.total and not seen.revoked
    least = min(gates.success.minimum, seen.applicable)
    return seen.proven >= least and seen.proven * 100 >= gates.success.percent * seen.applicable


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that happens: to a group, or (``group`` None) to the rollout itself."""

    event: GroupEvent | RolloutEvent
    group: int | None = None
    why: str = ""


def advance(
    plan: Plan,
    groups: Sequence[tuple[GroupState, float]],
    counts: Sequence[Counts],
    now: float,
    *,
    started: float = 0.0,
) -> list[Step]:
    """Return what happens next to a RUNNING rollout, in order; apply it and call again until nothing does.

    Args:
        plan: the plan.
        groups: state of each group, and UTC seconds since when.
        counts: of each group.
        now: UTC seconds.
        started: UTC seconds at which the rollout started.
    """
    rows = list(zip(groups, counts, strict=True))
    first = 0 if len(rows) > 1 else None
    failed = [
        (index, found)
        for index, ((state, _), seen) in enumerate(rows)
        if (found := verdict(plan.gates_of(index), state, seen, opens=index == first)) is not None
    ]
    if failed:
        return _trip(failed)
    if now >= plan.deadline:
        return [Step(RolloutEvent.END, why="the deadline has passed")]
    if all(seen.ended >= seen.total and state in SETTLED for (state, _), seen in rows):
        return [Step(RolloutEvent.END, why="every device has ended")]
    for index, ((state, since), seen) in enumerate(rows):
        if state is _G.SCHEDULED:
            due = now >= started + plan.groups[index].opens
            return [Step(GroupEvent.OPEN, index, "the groups before have passed")] if due else []
        if state in {_G.RUNNING, _G.SOAKING}:
            return _prove(plan, index, (state, since), seen, now)
    return []


def _trip(failed: Sequence[tuple[int, Verdict]]) -> list[Step]:
    steps = [Step(GroupEvent.FAIL, index, found.why) for index, found in failed]
    worst = min((found for _, found in failed), key=lambda found: _WORST.index(found.then))
    if worst.then is Then.PAUSE:
        return [*steps, Step(RolloutEvent.TRIP, why=worst.why)]
    steps += [
        Step(GroupEvent.RETURN, index, found.why) for index, found in failed if found.then is Then.RETURN
    ]
    return [*steps, Step(RolloutEvent.STOP, why=worst.why)]


def _prove(plan: Plan, index: int, group: tuple[GroupState, float], seen: Counts, now: float) -> list[Step]:
    gates, (state, since) = plan.gates_of(index), group
    why = f"{seen.proven} of {seen.applicable} run it"
    if state is _G.RUNNING:
        if not passing(gates, seen):
            return []
        if gates.success.soak:
            return [Step(GroupEvent.PROVE, index, why)]
    elif now < since + gates.success.soak or not passing(gates, seen):
        return []  # watched still, or what was proven is so no longer
    steps = [Step(GroupEvent.PASS, index, why)]
    if gates.success.then is Then.PAUSE and index + 1 < len(plan.groups):
        steps.append(Step(RolloutEvent.HOLD, why=f"group {index + 1} has passed"))
    return steps


def override(groups: Sequence[GroupState]) -> list[Step]:
    """Return what resuming does: groups that failed are let pass on an operator's word."""
    return [Step(GroupEvent.OVERRIDE, index) for index, state in enumerate(groups) if state is _G.ERROR]


def open_next(groups: Sequence[GroupState]) -> list[Step]:
    """Return what an operator's "next" does: the first group that is still closed opens at once."""
    closed = [index for index, state in enumerate(groups) if state is _G.SCHEDULED]
    return [Step(GroupEvent.OPEN, index) for index in closed[:1]]
