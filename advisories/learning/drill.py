"""A drill: a whole incident against a simulated fleet, timed, with its own report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from advisories.clocks.running import Clock, State
from advisories.events import Event, event
from advisories.facts.parts import Part, Prose
from advisories.learning.review import Measures

MET = frozenset({State.MET, State.MET_LATE})


class Taken(Part):
    """One step of a drill and when it was done."""

    name: Prose
    seconds: float = Field(ge=0)
    """After awareness."""


@event("drill.finished")
class Finished(Event):
    """A drill was run to its end."""

    devices: int = Field(ge=1)
    seconds: float = Field(ge=0)
    steps: Annotated[tuple[Taken, ...], Field(strict=False)]
    by_people: bool = False
    """Whether people approved; otherwise the program did it for them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Drill:
    """What a drill came to."""

    devices: int
    steps: tuple[Taken, ...]
    by_people: bool
    measures: Measures
    clocks: tuple[Clock, ...]
    """Deadlines of the drill's incident as they stood at the end."""

    @property
    def seconds(self) -> float:
        """From awareness to the last step."""
        return max((step.seconds for step in self.steps), default=0.0)

    @property
    def missed(self) -> tuple[Clock, ...]:
        """Deadlines that went by."""
        return tuple(clock for clock in self.clocks if clock.state in {State.OVERDUE, State.MET_LATE})


_FORM = ("What happened?", "What went right?", "What could have gone better?", "What do we do next time?")


def report(drill: Drill) -> str:
    """Return the report of a drill in Markdown, with the form of the review to fill in."""
    m = drill.measures
    who = "people" if drill.by_people else "the program, in place of people"
    lines = [
        "# EXERCISE: report of a drill",
        "",
        f"{drill.devices} simulated devices; approvals by {who}. Nothing here happened on a real device.",
        "",
        "| step | seconds after awareness |",
        "|---|---|",
        *(f"| {step.name} | {step.seconds:.1f} |" for step in drill.steps),
        "",
        f"Owners concerned: {m.affected}; shown: {m.shown}; patched: {m.patched}.",
        f"Nine of ten were shown the notice {_after(m.published_to_shown)}.",
        f"Nine of ten ran the fix {_after(m.published_to_patched)}.",
        f"Questions: {sum(m.questions.values())}.",
        "",
        "## Deadlines",
        "",
        *(f"- {clock.regime} {clock.step}: {clock.state.value}" for clock in drill.clocks),
        "" if not drill.missed else f"\n**{len(drill.missed)} deadlines were missed.**\n",
        "## Form of the review",
        "",
        *_form(_FORM),
        "Actions, each with its owner and a day:",
        "",
    ]
    return "\n".join(lines).rstrip("\n") + "\n"


def _after(seconds: float | None) -> str:
    return "never" if seconds is None else f"{seconds:.1f} seconds after it was published"


def _form(questions: Sequence[str]) -> list[str]:
    return [line for question in questions for line in (question, "", "....", "")]
