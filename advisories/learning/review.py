"""Looking back at a matter: how long each step took, what was promised and kept, and what people asked.

The numbers come from the store; the form (what happened, what went right, what to improve, what next) is
filled in by people and kept as events.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from math import ceil
from typing import Annotated, Final

from pydantic import Field

from advisories.events import Event, Recorded, event
from advisories.facts.parts import Day, Name, Part, Prose

SHARE: Final = 0.9
"""Of the owners concerned: told and patched is when nine of ten are."""


class Action(Part):
    """Something to do before the next time, with its owner."""

    what: Prose
    owner: Name
    due: Day | None = None
    done: bool = False


@event("review.recorded")
class Lessons(Event):
    """What people learnt from a matter."""

    happened: Prose
    right: Prose
    improve: Prose
    next_time: Prose
    actions: Annotated[tuple[Action, ...], Field(strict=False)] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """One revision as the review needs it."""

    revision: int
    published: float
    """UTC seconds."""
    approved: float | None
    """When the last signature that it needed was given; None where nobody recorded that."""
    next_update: int | None
    """UTC seconds by which owners were to hear again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measures:
    """How long each step took, in seconds; None: not reached, or not recorded."""

    aware_to_approved: float | None
    approved_to_published: float | None
    aware_to_published: float | None
    published_to_shown: float | None
    """Until nine of ten owners concerned were shown it."""
    published_to_patched: float | None
    """Until nine of ten devices concerned ran the fix."""
    affected: int
    shown: int
    patched: int
    updates_due: int
    """Times at which owners were promised to hear again, that have come."""
    updates_kept: int
    questions: Mapping[str, int] = field(default_factory=dict)
    """Topic -> how many asked."""
    questions_per_thousand: float | None = None
    """Of all topics, for each thousand owners concerned; None where nobody is."""


def measures(
    *,
    aware: float | None,
    revisions: Sequence[Published],
    affected: int,
    shown: Iterable[float],
    patched: Iterable[float],
    questions: Mapping[str, int],
    now: float,
) -> Measures:
    """Compute the figures of a review.

    Args:
        aware: UTC seconds of awareness; None where no incident says so.
        revisions: every published revision, first one first.
        affected: devices whose owners are concerned.
        shown: UTC seconds at which each of them was first shown the matter.
        patched: UTC seconds at which each of them ran the fix.
        questions: topic -> replies.
        now: UTC seconds.
    """
    first = revisions[0] if revisions else None
    told, mended = sorted(shown), sorted(patched)
    due, kept = _updates(revisions, now)
    asked = sum(questions.values())
    return Measures(
        aware_to_approved=_between(aware, first.approved if first else None),
        approved_to_published=_between(first.approved if first else None, first.published if first else None),
        aware_to_published=_between(aware, first.published if first else None),
        published_to_shown=_between(first.published if first else None, _reached(told, affected)),
        published_to_patched=_between(first.published if first else None, _reached(mended, affected)),
        affected=affected,
        shown=len(told),
        patched=len(mended),
        updates_due=due,
        updates_kept=kept,
        questions=dict(questions),
        questions_per_thousand=1000 * asked / affected if affected else None,
    )


def _between(start: float | None, end: float | None) -> float | None:
    return None if start is None or end is None else max(0.0, end - start)


def _reached(times: Sequence[float], affected: int) -> float | None:
    """Return when nine of ten were there, or None while they are not."""
    needed = ceil(SHARE * affected)
    return times[needed - 1] if 0 < needed <= len(times) else None


def _updates(revisions: Sequence[Published], now: float) -> tuple[int, int]:
    """Return how many promised updates were due by now, and how many came by then."""
    due = kept = 0
    for number, revision in enumerate(revisions):
        if revision.next_update is None:
            continue
        following = revisions[number + 1].published if number + 1 < len(revisions) else None
        if following is not None and following <= revision.next_update:
            due, kept = due + 1, kept + 1
        elif revision.next_update <= now:
            due += 1
    return due, kept


def learnt(events: Iterable[Recorded]) -> list[tuple[Recorded, Lessons]]:
    """Return the forms that were filled in, oldest first."""
    return [(each, each.data) for each in events if isinstance(each.data, Lessons)]
