"""Clocks of an incident: what each waits for, when it ends, whether it was kept. Pure: ``now`` comes in."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import zip_longest
from typing import Final

from advisories.clocks.deadlines import deadline
from advisories.clocks.regimes import SUBMITTED, Regime, Regimes, Step
from advisories.incident.model import Incident

SOON_PART: Final = 4
"""A clock is due soon when less than this part of its time is left: the last quarter."""
SOON_MAX: Final = timedelta(days=7)
"""But never longer before its end than this."""


class State(StrEnum):
    """How a clock stands."""

    WAITING = "waiting-for-trigger"
    RUNNING = "running"
    DUE_SOON = "due-soon"
    OVERDUE = "overdue"
    MET = "met"
    MET_LATE = "met-late"
    PAUSED = "paused"
    DISABLED = "disabled"


LIVE: Final = (State.OVERDUE, State.DUE_SOON, State.RUNNING, State.PAUSED)
"""Something is still to be done, and its time has begun."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Clock:
    """One duty with its time. All times are in UTC."""

    incident: str
    """Its id; empty for the promise of an advisory that belongs to no incident."""
    regime: str
    """Id of the regime; ``silence`` and ``next-update`` are our own promises."""
    step: str
    name: str
    state: State
    who: str
    whom: str
    source: str
    trigger: str
    """What starts it."""
    started: datetime | None = None
    due: datetime | None = None
    """None: nothing has started it, or no number is named."""
    latest: datetime | None = None
    """A later end by another reading of the law, for Legal to judge; never to be counted on."""
    done: datetime | None = None
    note: str = ""
    """Why it is off, waits or is paused."""

    def left(self, now: datetime) -> timedelta | None:
        """Return the time that is left, negative when it is over; None without an end, or once it is done."""
        return None if self.due is None or self.done is not None else self.due - now


@dataclass(frozen=True, slots=True)
class Issue:
    """A revision of a linked advisory that customers were given."""

    advisory: str
    revision: int
    at: datetime
    next_update: datetime | None = None
    """By when it promised the next one."""


def applying(incident: Incident, regimes: Regimes, listed: Iterable[str] = ()) -> tuple[Regime, ...]:
    """Return the regimes that apply to an incident.

    Args:
        incident: with what was chosen and decided.
        regimes: all that are known.
        listed: ids that Legal lists for the organisation; they apply to incidents of their kinds.
    """
    wanted = set(listed)

    def applies(regime: Regime) -> bool:
        decision = incident.decided.get(regime.id)
        if decision is not None:
            return decision.applies
        return regime.id in incident.chosen or (regime.id in wanted and incident.matter in regime.kinds)

    return tuple(regime for regime in regimes.regimes.values() if applies(regime))


def trigger_time(incident: Incident, regime: Regime, step: Step) -> datetime | None:
    """Return when a step's clock was started, or None before that.

    Awareness of the incident is a regime's own awareness only where somebody said so when it was opened, or
    where the kind of incident leaves no doubt.
    """
    if step.trigger.startswith(SUBMITTED):
        done = incident.submissions.get((regime.id, step.trigger.removeprefix(SUBMITTED)))
        return done.when if done else None
    if step.trigger in incident.triggers:
        return incident.triggers[step.trigger]
    own = regime.id in incident.chosen or incident.matter in regime.certain
    return incident.aware if step.trigger == "aware" or (own and step.trigger == regime.aware) else None


def pauses(incident: Incident, regime: Regime) -> list[tuple[datetime, datetime | None]]:
    """Return the times in which a regime's clocks stand still, in order and without overlap.

    A time without an end lasts on.
    """
    if not regime.hold:
        return []
    held: list[tuple[datetime, datetime | None]] = []
    for hold in incident.holds:
        if regime.id not in hold.regimes and (hold.regimes or regime.hold_named):
            continue
        end = hold.end
        if regime.hold_days_max is not None:
            longest = hold.start + timedelta(days=regime.hold_days_max)
            end = min(end, longest) if end else longest
        held.append((hold.start, end))
    merged: list[tuple[datetime, datetime | None]] = []
    for start, end in sorted(held, key=lambda pause: pause[0]):
        if merged and (merged[-1][1] is None or start <= merged[-1][1]):
            before = merged[-1][1]
            merged[-1] = (merged[-1][0], None if before is None or end is None else max(before, end))
        else:
            merged.append((start, end))
    return merged


def _extended(
    due: datetime, start: datetime, held: Sequence[tuple[datetime, datetime | None]], now: datetime
) -> tuple[datetime, bool]:
    """Return the end moved by every pause that began in time, and whether the clock stands still now."""
    paused = False
    for began, end in held:
        begin, over = max(began, start), now if end is None else end
        if begin >= due or over <= begin:
            continue
        due += over - begin
        paused = paused or (begin <= now and (end is None or now < end))
    return due, paused


def clocks(incident: Incident, regimes: Iterable[Regime], now: datetime) -> tuple[Clock, ...]:
    """Return a clock for each step of the regimes that apply.

    Args:
        incident: as it stands.
        regimes: what :func:`applying` returned.
        now: the present moment.
    """
    return tuple(_clock(incident, regime, step, now) for regime in regimes for step in regime.steps)


def _clock(incident: Incident, regime: Regime, step: Step, now: datetime) -> Clock:
    start = trigger_time(incident, regime, step) if regime.enabled else None
    done = incident.submissions.get((regime.id, step.id))
    state, note = State.WAITING, ""
    due = latest = None
    early = start is not None and regime.in_force is not None and start.date() < regime.in_force
    if not regime.enabled:
        state, note = State.DISABLED, regime.reason
    elif early:
        state, note, start = State.DISABLED, f"It is in force only from {regime.in_force} on.", None
    elif start is not None:
        counted = deadline(start, step)
        seen = done.when if done else now
        paused = False
        if counted is not None:
            due, paused = _extended(counted.due, start, pauses(incident, regime), seen)
            latest = counted.latest + (due - counted.due) if counted.latest else None
        state = _state(start, due, done.when if done else None, now, paused=paused)
        note = f"Law enforcement asked to wait ({regime.hold})." if state is State.PAUSED else ""
    elif done is not None:
        state, note = State.MET, "It was done before anything started its clock."
    return Clock(
        incident=incident.id,
        regime=regime.id,
        step=step.id,
        name=f"{regime.name}: {step.name}",
        state=state,
        who=regime.who,
        whom=regime.recipient(step),
        source=regime.source,
        trigger=step.trigger,
        started=start,
        due=due,
        latest=latest,
        done=done.when if done else None,
        note=note,
    )


def _state(
    start: datetime, due: datetime | None, done: datetime | None, now: datetime, *, paused: bool = False
) -> State:
    if done is not None:
        return State.MET if due is None or done <= due else State.MET_LATE
    if paused:
        return State.PAUSED
    if due is None:
        return State.RUNNING
    if now > due:
        return State.OVERDUE
    soon = min((due - start) / SOON_PART, SOON_MAX)
    return State.DUE_SOON if due - now <= soon else State.RUNNING


def silence(
    incident: Incident, issues: Iterable[Issue], hours: int, now: datetime, *, told: datetime | None = None
) -> Clock:
    """Return the clock of silence: by when customers must have heard of an incident that is open.

    Args:
        incident: as it stands.
        issues: of its linked advisories.
        hours: how long silence may last, from awareness on.
        now: the present moment.
        told: when customers were told otherwise, e.g. by a step of a regime.
    """
    heard = [issue.at for issue in issues] + [at for at in (told, incident.customers_told) if at]
    done = min(heard, default=None)
    due = incident.aware + timedelta(hours=hours)
    if done is None and incident.closed is not None:
        done = incident.closed  # nobody waits for a word about what is over
    return _own(
        incident,
        (incident.aware, due, done),
        now,
        regime="silence",
        step="first-notice",
        name="Silence: customers have heard nothing yet",
        source="silence_hours in organisation.yaml",
        trigger="aware",
    )


def next_updates(incident: Incident | None, issues: Iterable[Issue], now: datetime) -> tuple[Clock, ...]:
    """Return a clock for each promise of a next update that an advisory has made.

    Args:
        incident: about which they speak; None: about none that was opened.
        issues: published revisions.
        now: the present moment.
    """
    found = []
    ordered = sorted(issues, key=lambda issue: (issue.advisory, issue.revision))
    for issue, after in zip_longest(ordered, ordered[1:]):
        if issue.next_update is None:
            continue
        kept = after.at if after is not None and after.advisory == issue.advisory else None
        found.append(
            _own(
                incident,
                (issue.at, issue.next_update, kept),
                now,
                regime="next-update",
                step=f"{issue.advisory}.r{issue.revision}",
                name=f"Next update of {issue.advisory}, promised in revision {issue.revision}",
                source="next_update of the advisory",
                trigger=f"published:{issue.revision}",
            )
        )
    return tuple(found)


def _own(
    incident: Incident | None,
    times: tuple[datetime, datetime, datetime | None],
    now: datetime,
    *,
    regime: str,
    step: str,
    name: str,
    source: str,
    trigger: str,
) -> Clock:
    """Make a clock of our own promise: from when, until when, and when it was kept."""
    start, due, done = times
    return Clock(
        incident=incident.id if incident else "",
        regime=regime,
        step=step,
        name=name,
        state=_state(start, due, done, now),
        who="maker",
        whom="customers",
        source=source,
        trigger=trigger,
        started=start,
        due=due,
        done=done,
    )


def customers_heard(incident: Incident, regimes: Regimes) -> datetime | None:
    """Return when a step that speaks to customers was first done, or None."""
    times = []
    for (name, step), done in incident.submissions.items():
        regime = regimes.regimes.get(name)
        found = regime.step(step) if regime else None
        if found is not None and found.customers:
            times.append(done.when)
    return min(times, default=None)


_ORDER: Final = (
    State.OVERDUE,
    State.DUE_SOON,
    State.RUNNING,
    State.PAUSED,
    State.WAITING,
    State.MET_LATE,
    State.MET,
    State.DISABLED,
)


def in_order(found: Iterable[Clock]) -> tuple[Clock, ...]:
    """Return clocks as people need them: what is overdue or due next comes first."""
    live = [clock for clock in found if clock.state in LIVE]
    rest = [clock for clock in found if clock.state not in LIVE]
    live.sort(
        key=lambda clock: (clock.due is None, clock.due.timestamp() if clock.due else 0.0, clock.incident)
    )
    rest.sort(key=lambda clock: _ORDER.index(clock.state))
    return (*live, *rest)
