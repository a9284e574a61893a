"""``tocsin incident log``, ``told`` and ``note``: with whom we spoke."""

from __future__ import annotations

from typing import Annotated

import typer

from advisories.incident.kinds import Logged, Noted, Told, made
from gateway.cli.incident.app import AtOption, ByOption, IncidentArgument, add, app, when
from gateway.cli.output import JsonOption, WorkspaceOption, example


@app.command("log", epilog=example("incident log INC-2026-0001 'Example CERT' 'We agreed on a date.' --out"))
def log(
    incident: IncidentArgument,
    party: Annotated[str, typer.Argument(metavar="PARTY", help="With whom.")],
    what: Annotated[str, typer.Argument(metavar="WHAT", help="What was said.")],
    *,
    out: Annotated[bool, typer.Option("--out/--in", help="From us to them, or from them to us.")],
    tlp: Annotated[
        str, typer.Option(help="How far it may travel: clear, green, amber, amber-strict or red.")
    ] = "amber",
    at: AtOption = None,
    by: ByOption = None,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Add a contact to the coordination log."""
    said = made(Logged, when=when(at), party=party, what=what, direction="out" if out else "in", tlp=tlp)
    add(workspace, incident, said, by, as_json=as_json, at_once=at is None)


@app.command("told", epilog=example("incident told INC-2026-0001 suppliers 'Example Chips' --how phone"))
def told(
    incident: IncidentArgument,
    audience: Annotated[
        str, typer.Argument(metavar="AUDIENCE", help="Who it is: customers, suppliers, regulators ...")
    ],
    name: Annotated[str, typer.Argument(metavar="NAME", help="Their name.")],
    *,
    how: Annotated[str | None, typer.Option(help="By what means.")] = None,
    at: AtOption = None,
    by: ByOption = None,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Record that somebody was told. Customers told before a notice is approved are reported."""
    add(
        workspace,
        incident,
        made(Told, when=when(at), audience=audience, name=name, how=how),
        by,
        as_json=as_json,
        at_once=at is None,
    )


@app.command("note", epilog=example("incident note INC-2026-0001 'The laboratory has a second device.'"))
def note(
    incident: IncidentArgument,
    text: Annotated[str, typer.Argument(metavar="TEXT", help="What is worth keeping.")],
    *,
    at: AtOption = None,
    by: ByOption = None,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Record anything else."""
    add(workspace, incident, made(Noted, when=when(at), text=text), by, as_json=as_json, at_once=at is None)
