"""``tocsin incident open``, ``trigger``, ``submitted``, ``regime`` and ``hold``: what clocks follow from."""

from __future__ import annotations

import sys
from typing import Annotated

import typer
from rich.console import Console

from advisories.clocks.running import Clock
from advisories.incident.kinds import Decided, Held, Lifted, Opened, Submitted, Triggered, made
from gateway.cli.clocks import clock_data, print_clocks
from gateway.cli.incident.app import (
    AtOption,
    ByOption,
    CorrectOption,
    IncidentArgument,
    ReasonOption,
    RegimeOption,
    StepOption,
    add,
    app,
    when,
)
from gateway.cli.output import JsonOption, WorkspaceOption, emit, example, now, open_workspace, person
from gateway.cli.show import line
from gateway.operations.incidents import records, watching
from keys.errors import InputError, TocsinError


@app.command("open", epilog=example("incident open INC-2026-0001 --aware 2026-11-20T09:00:00Z"))
def open_(
    incident: Annotated[
        str | None, typer.Argument(metavar="ID", help="Id of the new incident; the next one if left out.")
    ] = None,
    *,
    aware: Annotated[str, typer.Option("--aware", help="When we became aware, with its zone.")],
    kind: Annotated[
        str, typer.Option("--kind", help="What it is: vulnerability, incident or personal-data.")
    ] = "incident",
    regime: Annotated[
        list[str] | None,
        typer.Option("--regime", help="A regime that applies: being aware starts its clock. Repeatable."),
    ] = None,
    title: Annotated[str | None, typer.Option(help="A few words for people.")] = None,
    by: ByOption = None,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Record that we became aware of something. Clocks run from here, before a word is written."""
    opened = open_workspace(workspace)
    said = made(Opened, when=aware, matter=kind, title=title, regimes=regime)
    begun = records.begin(opened, name=incident, said=said, by=person(by), now=now()).incident()
    clocks: tuple[Clock, ...] = ()
    try:
        clocks = watching.clocks_of(opened, begun.id, now=now())
    except TocsinError as error:  # it is recorded: what is wrong elsewhere must not look as if it were not
        sys.stderr.write(f"warning: clocks cannot be shown: {error}\n")

    def human(out: Console) -> None:
        line(out, f"{begun.id} is open: {said.line()}.")
        print_clocks(clocks, records.at(now()), out)

    emit(
        as_json,
        {"incident": begun.id, "clocks": [clock_data(clock, records.at(now())) for clock in clocks]},
        human,
    )


@app.command(
    "trigger", epilog=example("incident trigger INC-2026-0001 fix-available --at 2026-11-21T12:00:00Z")
)
def trigger(
    incident: IncidentArgument,
    event: Annotated[
        str, typer.Argument(metavar="EVENT", help="What happened; 'tocsin clocks regimes' lists them.")
    ],
    *,
    at: Annotated[str, typer.Option("--at", help="When it happened, with its zone.")],
    correct: CorrectOption = None,
    by: ByOption = None,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Record what starts a clock. Nothing is computed before."""
    add(workspace, incident, made(Triggered, when=at, trigger=event, correction=correct), by, as_json=as_json)


@app.command(
    "submitted",
    epilog=example(
        "incident submitted INC-2026-0001 --regime eu-cra-14-exploited --step early-warning "
        "--at 2026-11-20T20:00:00Z --reference EX-17"
    ),
)
def submitted(
    incident: IncidentArgument,
    *,
    regime: RegimeOption,
    step: StepOption,
    at: Annotated[str, typer.Option("--at", help="When it was submitted, with its zone.")],
    reference: Annotated[str | None, typer.Option(help="The authority's number for it.")] = None,
    correct: CorrectOption = None,
    by: ByOption = None,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Record that a step of a regime was done."""
    said = made(Submitted, when=at, regime=regime, step=step, reference=reference, correction=correct)
    add(workspace, incident, said, by, as_json=as_json)


@app.command(
    "regime", epilog=example("incident regime INC-2026-0001 eu-gdpr-33 --not --reason 'No personal data.'")
)
def regime_(
    incident: IncidentArgument,
    regime: Annotated[str, typer.Argument(metavar="REGIME", help="Id of the regime.")],
    *,
    reason: ReasonOption,
    not_: Annotated[bool, typer.Option("--not", help="It does not apply.")] = False,
    at: AtOption = None,
    by: ByOption = None,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Record Legal's decision whether a regime applies to this incident, and why."""
    said = made(Decided, when=when(at), regime=regime, applies=not not_, reason=reason)
    add(workspace, incident, said, by, as_json=as_json, at_once=at is None)


@app.command("hold", epilog=example("incident hold INC-2026-0001 --office 'State police'"))
def hold(
    incident: IncidentArgument,
    *,
    office: Annotated[str, typer.Option(help="Which office of law enforcement asks.")],
    lift: Annotated[bool, typer.Option("--lift", help="It no longer asks to wait.")] = False,
    until: Annotated[str | None, typer.Option(help="To when it asks, with its zone.")] = None,
    regime: Annotated[
        list[str] | None,
        typer.Option("--regime", help="Only for this regime; all that allow it if left out. Repeatable."),
    ] = None,
    at: AtOption = None,
    by: ByOption = None,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Record that law enforcement asks to wait: clocks stand still where the law allows it."""
    if lift and (until or regime):
        message = (
            "--until and --regime say how long and for what a hold stands; one that is lifted has ended."
        )
        raise InputError("USAGE", message, mend="Leave them away.")
    said: Held | Lifted
    if lift:
        said = made(Lifted, when=when(at), office=office)
    else:
        said = made(Held, when=when(at), office=office, until=until, regimes=regime)
    add(workspace, incident, said, by, as_json=as_json, at_once=at is None)
