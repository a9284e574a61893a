"""``tocsin incident fact``, ``severity``, ``estimate``, ``credit``, ``link``, ``close`` and ``reopen``."""

from __future__ import annotations

from typing import Annotated

import typer

from advisories.incident.kinds import Closed, Credited, Estimated, Graded, Linked, Reopened, Stated, made
from gateway.cli.incident.app import AtOption, ByOption, IncidentArgument, ReasonOption, add, app, when
from gateway.cli.output import JsonOption, WorkspaceOption, example


@app.command("fact", epilog=example("incident fact INC-2026-0001 member-states 'Germany and France'"))
def fact(
    incident: IncidentArgument,
    item: Annotated[
        str, typer.Argument(metavar="ITEM", help="Item of a report; a draft names those that are missing.")
    ],
    text: Annotated[str, typer.Argument(metavar="TEXT", help="What is known about it.")],
    *,
    source: Annotated[str | None, typer.Option(help="Who or what says so.")] = None,
    at: AtOption = None,
    by: ByOption = None,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Record what reports to authorities say under one item; what was said last counts."""
    add(
        workspace,
        incident,
        made(Stated, when=when(at), item=item, text=text, source=source),
        by,
        as_json=as_json,
        at_once=at is None,
    )


@app.command(
    "severity", epilog=example("incident severity INC-2026-0001 high --reason 'Doors can be opened.'")
)
def severity(
    incident: IncidentArgument,
    word: Annotated[str, typer.Argument(metavar="SEVERITY", help="none, low, medium, high or critical.")],
    *,
    reason: Annotated[str | None, typer.Option("--reason", help="Why.")] = None,
    at: AtOption = None,
    by: ByOption = None,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Record how severe it is; from high on, replies and mentions are watched more closely."""
    add(
        workspace,
        incident,
        made(Graded, when=when(at), severity=word, reason=reason),
        by,
        as_json=as_json,
        at_once=at is None,
    )


@app.command("estimate", epilog=example("incident estimate INC-2026-0001 1200 --source 'sales records'"))
def estimate(
    incident: IncidentArgument,
    count: Annotated[int, typer.Argument(metavar="COUNT", help="About how many are concerned.")],
    *,
    of: Annotated[str, typer.Option(help="customers, devices or people.")] = "customers",
    source: Annotated[str, typer.Option(help="Who or what says so.")],
    at: AtOption = None,
    by: ByOption = None,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Record how many are concerned as far as is known; earlier numbers are kept."""
    said = made(Estimated, when=when(at), count=count, of=of, source=source)
    add(workspace, incident, said, by, as_json=as_json, at_once=at is None)


@app.command("credit", epilog=example("incident credit INC-2026-0001 exercise-reporter --agreed"))
def credit(
    incident: IncidentArgument,
    name: Annotated[str, typer.Argument(metavar="NAME", help="Who found or reported it.")],
    *,
    agreed: Annotated[bool, typer.Option("--agreed/--not-agreed", help="Whether they agreed to be named.")],
    organisation: Annotated[str | None, typer.Option(help="For whom they work.")] = None,
    at: AtOption = None,
    by: ByOption = None,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Record who found it, and whether they want to be named."""
    said = made(Credited, when=when(at), name=name, agreed=agreed, organisation=organisation)
    add(workspace, incident, said, by, as_json=as_json, at_once=at is None)


@app.command("link", epilog=example("incident link INC-2026-0001 EX-2026-0001"))
def link(
    incident: IncidentArgument,
    advisory: Annotated[str, typer.Argument(metavar="ADVISORY", help="Id of the advisory.")],
    *,
    at: AtOption = None,
    by: ByOption = None,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Record that an advisory speaks about this incident: it fills reports, its promises are watched."""
    add(
        workspace,
        incident,
        made(Linked, when=when(at), advisory=advisory),
        by,
        as_json=as_json,
        at_once=at is None,
    )


@app.command("close", epilog=example("incident close INC-2026-0001 --reason 'Every device is patched.'"))
def close(
    incident: IncidentArgument,
    *,
    reason: ReasonOption,
    at: AtOption = None,
    by: ByOption = None,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Close an incident. Clocks of laws that still run are shown until they are met."""
    add(
        workspace,
        incident,
        made(Closed, when=when(at), reason=reason),
        by,
        as_json=as_json,
        at_once=at is None,
    )


@app.command(
    "reopen", epilog=example("incident reopen INC-2026-0001 --reason 'A second weakness was found.'")
)
def reopen(
    incident: IncidentArgument,
    *,
    reason: ReasonOption,
    at: AtOption = None,
    by: ByOption = None,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Open a closed incident again."""
    add(
        workspace,
        incident,
        made(Reopened, when=when(at), reason=reason),
        by,
        as_json=as_json,
        at_once=at is None,
    )
