"""When a device's turn comes: rates, windows, jitter, silences and retries. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from typing import Final

from gateway.core.rollout.outcome import Failure, Outcome
from gateway.core.rollout.plan import Plan, Rate, Window

MINUTE: Final = 60  # seconds
DAY: Final = 86_400  # seconds
GRACE_SECONDS: Final = 60  # behind a window's end, before its lapsed offers are made anew
_DAYS_AHEAD: Final = 8  # a window comes back within a week


def per_minute(rate: Rate, proven: int) -> int:
    """Return how many offers any minute may see once ``proven`` devices run the patch."""
    now = rate.per_minute
    for _ in range(proven // rate.every):
        grown = min(rate.maximum, now * rate.grow_percent // 100)
        if grown == now:
            break
        now = grown
    return now


def jitter(plan: Plan, rollout: str, device: str) -> int:
    """Return by how many seconds a device's window begins later: always the same for one device."""
    drawn = hashlib.sha256(f"jitter\0{rollout}\0{device}".encode()).digest()
    return int.from_bytes(drawn[:8]) % (plan.jitter + 1)


def _openings(window: Window, zone: tzinfo, now: float) -> Iterator[tuple[int, int]]:
    today = datetime.fromtimestamp(now, zone).replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=None)
    for days in range(-1, _DAYS_AHEAD):
        day = today + timedelta(days=days)
        if not window.days or day.weekday() in window.days:
            wall = day + timedelta(minutes=window.start)
            start = int(wall.replace(tzinfo=zone).timestamp())
            yield start, start + window.minutes * MINUTE


def next_window(plan: Plan, zone: tzinfo, now: float) -> tuple[int, int] | None:
    """Return the window that is open or opens next, as (from, to) in UTC seconds; None: no more comes.

    Args:
        plan: the plan.
        zone: its time zone.
        now: UTC seconds.
    """
    if plan.window is not None:
        return plan.window if now < plan.window[1] else None
    found = [each for window in plan.windows for each in _openings(window, zone, now) if each[1] > now]
    start, end = min(found, default=(plan.deadline, plan.deadline))
    return (start, min(end, plan.deadline)) if start < plan.deadline else None


@dataclass(frozen=True, slots=True)
class Turn:
    """What an offer to one device says about time."""

    window: tuple[int, int] | None
    lapses: float | None
    """UTC seconds from which on it has to be made anew; None: never."""


def turn(plan: Plan, zone: tzinfo, rollout: str, device: str, now: float) -> Turn | None:
    """Return the times for an offer made now; None: no window is left for it."""
    late = jitter(plan, rollout, device)
    if plan.window is None and not plan.windows:
        start = int(now) + late
        return Turn((start, plan.deadline) if late and start < plan.deadline else None, None)
    found = next_window(plan, zone, now)
    if found is None:
        return None
    start, end = found
    moved = start + late % max(1, (end - start) // 2)
    lapses = end + GRACE_SECONDS if plan.windows and end < plan.deadline else None
    return Turn((moved, end), lapses)


def due(plan: Plan, group: int, heard: float, lapses: float | None) -> float | None:
    """Return when the scheduler has to look at an offered device again; None: only when it reports.

    Args:
        plan: the plan.
        group: of the device.
        heard: UTC seconds of the offer, or of the newest change that was reported since.
        lapses: see :class:`Turn`.
    """
    silence = plan.gates_of(group).silence
    found = [heard + silence.seconds] if silence is not None else []
    found += [lapses] if lapses is not None else []
    return min(found, default=None)


def is_silent(plan: Plan, group: int, outcome: Outcome, heard: float, now: float) -> bool:
    """Say whether a device has said nothing for too long. An owner may think until the deadline."""
    silence = plan.gates_of(group).silence
    return (
        silence is not None
        and outcome in {Outcome.OFFERED, Outcome.UNDER_WAY}
        and now >= heard + silence.seconds
    )


def again_at(plan: Plan, zone: tzinfo, failure: Failure, tries: int, now: float) -> float | None:
    """Return when a device that failed is offered the patch again; None: its failure is final.

    A window that passed is no failure as long as another one comes.

    Args:
        plan: the plan.
        zone: its time zone.
        failure: what it failed at.
        tries: how often it was offered the patch anew after a failure.
        now: UTC seconds.
    """
    if failure is Failure.TIME and plan.windows and next_window(plan, zone, now) is not None:
        return now
    policy = next((each for each in plan.retry if each.failure is failure), None)
    if policy is None or tries >= policy.times:
        return None
    at = now + min(policy.seconds * 2**tries, 30 * DAY)
    return at if at < plan.deadline else None
