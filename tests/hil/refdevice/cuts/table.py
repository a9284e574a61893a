"""What came of all cuts, as a table for a page and as JSON."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from .explore import Explored

HEADS = (
    "flow",
    "places",
    "cuts",
    "step undone",
    "between",
    "step done",
    "old image runs",
    "new image runs",
    "download resumed",
    "started over",
    "trial taken back",
    "violations",
)


@dataclass(frozen=True)
class Row:
    """One flow."""

    flow: str
    places: int
    """Where the power could go: changes of flash, boundaries of frames, or moments."""
    cuts: int
    undone: int
    """Behind the cut the board was as before the step."""
    between: int
    done: int
    old: int
    """The image that ran before the flow ran when the power was back."""
    new: int
    resumed: int
    """A download that had begun went on where it was."""
    over: int
    """It began anew, with nothing lost but time."""
    taken_back: int
    """The power went in the trial: the old image ran again, and the patch was offered anew."""
    violations: int


def row(explored: Explored) -> Row:
    """Return the row of a flow."""
    outcomes = [outcome for _, outcome in explored.outcomes]
    found = Counter(outcome.found for outcome in outcomes)
    downloads = Counter(outcome.download for outcome in outcomes)
    return Row(
        flow=explored.flow,
        places=explored.places,
        cuts=sum(outcome.cuts for outcome in outcomes),
        undone=found["before"],
        between=found["between"],
        done=found["after"],
        old=sum(bool(outcome.image) and not outcome.new for outcome in outcomes),
        new=sum(outcome.new for outcome in outcomes),
        resumed=downloads["resumed"],
        over=downloads["started over"],
        taken_back=sum(outcome.rolled_back for outcome in outcomes),
        violations=sum(bool(outcome.violations) for outcome in outcomes),
    )


def lines(rows: Iterable[Row]) -> list[str]:
    """Return the table's lines, as Markdown, and their sums where there are several."""
    listed = list(rows)
    numbers = [[int(value) for value in list(asdict(one).values())[1:]] for one in listed]
    cells = [[one.flow, *map(str, counts)] for one, counts in zip(listed, numbers, strict=True)]
    if len(listed) > 1:
        cells.append(["**all**", *(f"**{sum(column)}**" for column in zip(*numbers, strict=True))])
    told = [HEADS, ["---", *["---:"] * (len(HEADS) - 1)], *cells]
    return ["| " + " | ".join(one) + " |" for one in told]


def violations(explored: Sequence[Explored]) -> list[dict[str, Any]]:
    """Return every violation, with its point."""
    return [
        {"point": str(point), "step": one.steps[outcome.step] if outcome.step >= 0 else "", "why": why}
        for one in explored
        for point, outcome in one.outcomes
        for why in outcome.violations
    ]


def write(path: Path, explored: Sequence[Explored], **facts: Any) -> None:
    """Write the table as JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    data = {**facts, "flows": [asdict(row(one)) for one in explored], "violations": violations(explored)}
    path.write_text(json.dumps(data, indent=1) + "\n", encoding="utf-8")
