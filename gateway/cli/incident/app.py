"""The group of commands about incidents, and what its modules share."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from advisories.incident.kinds import Happening
from gateway.cli.output import emit, group, now, open_workspace, person, say
from gateway.operations.incidents import records

app = group("What happened, from the first hour on: recorded before a word is written.")

IncidentArgument = Annotated[str, typer.Argument(metavar="ID", help="Incident id, e.g. INC-2026-0001.")]
ByOption = Annotated[
    str | None, typer.Option("--by", help="Who says so; the user of this machine if left out.")
]
AtOption = Annotated[
    str | None, typer.Option("--at", help="When it happened, with its zone; now if left out.")
]
RegimeOption = Annotated[str, typer.Option("--regime", help="Id of a regime; see 'tocsin clocks regimes'.")]
StepOption = Annotated[str, typer.Option("--step", help="Which of its steps, e.g. early-warning.")]
CorrectOption = Annotated[
    str | None, typer.Option("--correct", help="Why the time that was recorded before is wrong.")
]
ReasonOption = Annotated[str, typer.Option("--reason", help="Why.")]


def when(at: str | None) -> str | datetime:
    """Return a time as it was typed, or the present one."""
    return records.at(now()) if at is None else at


def add(
    workspace: Path | None,
    incident: str,
    said: Happening,
    by: str | None,
    *,
    as_json: bool,
    at_once: bool = False,
) -> None:
    """Record an event and say so; ``at_once``: it happens now, by the clock of whoever records it."""
    opened = open_workspace(workspace)
    said = records.tell(opened, incident, said=said, by=person(by), now=now(), at_once=at_once).said
    emit(
        as_json,
        {"incident": incident, "kind": said.kind, "event": said.model_dump(mode="json")},
        say(f"{incident}: {said.line().rstrip('.')}."),
    )
