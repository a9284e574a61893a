"""``tocsin incident show``, ``list`` and ``timeline``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from advisories.events import Event
from advisories.incident.model import Incident
from advisories.incident.orders import utc
from advisories.incident.timeline import Line, as_csv, as_text, iso
from gateway import files
from gateway.cli.clocks import clock_data, print_clocks
from gateway.cli.incident.app import IncidentArgument, app
from gateway.cli.output import JsonOption, WorkspaceOption, emit, example, now, open_workspace, say, table
from gateway.cli.show import line
from gateway.operations.incidents import records, watching
from keys.errors import InputError


def _said(events: tuple[Event, ...]) -> list[dict[str, Any]]:
    return [said.model_dump(mode="json") for said in events]


def _data(incident: Incident) -> dict[str, Any]:
    return {
        "incident": incident.id,
        "kind": incident.matter.value,
        "title": incident.title,
        "aware": iso(incident.aware),
        "closed": iso(incident.closed) if incident.closed else None,
        "severity": incident.severity,
        "monitoring_raised": incident.monitoring_raised,
        "regimes": list(incident.chosen),
        "decisions": _said(tuple(incident.decided.values())),
        "triggers": {name: iso(at) for name, at in incident.triggers.items()},
        "submissions": _said(tuple(incident.submissions.values())),
        "holds": [
            {
                "office": hold.office,
                "since": iso(hold.start),
                "end": iso(hold.end) if hold.end else None,
                "regimes": list(hold.regimes),
            }
            for hold in incident.holds
        ],
        "estimates": _said(incident.estimates),
        "credits": _said(incident.credits),
        "told": _said(incident.told),
        "log": _said(incident.log),
        "notes": _said(incident.notes),
        "facts": _said(tuple(incident.facts.values())),
        "advisories": list(incident.advisories),
        "drafts": _said(incident.drafts),
    }


@app.command("show", epilog=example("incident show INC-2026-0001"))
def show(
    incident: IncidentArgument, *, workspace: WorkspaceOption = None, as_json: JsonOption = False
) -> None:
    """Show what is known of an incident, its clocks, and what was done out of order."""
    opened = open_workspace(workspace)
    watched = watching.look(opened, incident, now=now())
    found = watched.history.incident()
    moment = records.at(now())

    def human(out: Console) -> None:
        line(out, f"{found.id}, {found.matter.value}{f': {found.title}' if found.title else ''}")
        line(out, f"aware {utc(found.aware)}, {f'closed {utc(found.closed)}' if found.closed else 'open'}")
        line(out, f"severity {found.severity or 'not recorded'}, monitoring {_watch(found)}")
        line(out, f"advisories: {', '.join(watched.advisories) or 'none'}")
        for violation in watched.violations:
            line(out, f"out of order: {violation.message} [{violation.code}]")
        print_clocks(watched.clocks, moment, out)

    emit(
        as_json,
        {
            **_data(found),
            "clocks": [clock_data(clock, moment) for clock in watched.clocks],
            "violations": [
                {"code": broken.code, "at": iso(broken.at), "message": broken.message}
                for broken in watched.violations
            ],
        },
        human,
    )


def _watch(incident: Incident) -> str:
    return "raised" if incident.monitoring_raised else "normal"


@app.command("list", epilog=example("incident list"))
def list_(*, workspace: WorkspaceOption = None, as_json: JsonOption = False) -> None:
    """List all incidents."""
    found = [each.incident() for each in records.histories(open_workspace(workspace))]
    rows = [
        (
            each.id,
            "closed" if each.closed else "open",
            utc(each.aware),
            each.severity or "-",
            _watch(each),
            each.title,
        )
        for each in found
    ]
    emit(
        as_json,
        {"incidents": [_data(each) for each in found]},
        lambda out: out.print(table(("incident", "state", "aware", "severity", "monitoring", "title"), rows)),
    )


@app.command("timeline", epilog=example("incident timeline INC-2026-0001 --csv --out timeline.csv"))
def timeline(
    incident: IncidentArgument,
    *,
    csv: Annotated[bool, typer.Option("--csv", help="Write rows for a spreadsheet.")] = False,
    out: Annotated[Path | None, typer.Option("--out", help="File to write; printed if left out.")] = None,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Export the timeline for Legal: what happened when, who recorded it and when."""
    if csv and as_json and out is None:
        raise InputError("USAGE", "--csv and --json are two forms.", mend="Leave one of them away.")
    told = watching.tell(open_workspace(workspace), incident)
    found, lines, drill = told.history.incident(), told.lines, told.exercise
    text = as_csv(lines) if csv else as_text(found, lines, exercise=drill)
    if out is not None:
        files.require_replaceable(out)
        files.write_atomic(out, text.encode())
        emit(as_json, {"incident": incident, "file": out, "lines": len(lines)}, say(f"Wrote {out}."))
    elif as_json:
        data = {"incident": incident, "exercise": drill, "timeline": [_row(each) for each in lines]}
        emit(as_json, data, say(""))
    else:
        sys.stdout.write(text if csv else files.visible(text))


def _row(each: Line) -> dict[str, Any]:
    return {
        "at": iso(each.at),
        "recorded": iso(each.recorded) if each.recorded else None,
        "by": each.by,
        "source": each.source,
        "what": each.what,
    }
