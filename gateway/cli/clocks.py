"""``tocsin clocks``: legal deadlines counted down, as a calendar, and the regimes they come from."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from typer.core import TyperGroup

from advisories.clocks.page import period
from advisories.clocks.regimes import Regime
from advisories.clocks.running import Clock, State
from advisories.incident.orders import regime_of, utc
from advisories.incident.timeline import iso
from gateway import files
from gateway.cli.output import JsonOption, WorkspaceOption, emit, example, now, open_workspace, say, table
from gateway.cli.show import line
from gateway.operations.incidents import records, watching


class _Showing(TyperGroup):
    """A group whose command ``show`` need not be typed."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put ``show`` first, unless a command or a wish for help stands there."""
        first = args[0] if args else ""
        known = first in self.commands or first == "--help"
        return super().parse_args(ctx, args if known else ["show", *args])


_OURS = frozenset({"silence", "next-update"})  # promises of our own, not of a law

app = typer.Typer(
    cls=_Showing,
    help="Legal deadlines and our own promises, counted down.",
    pretty_exceptions_enable=False,
    add_completion=False,
)


def register(parent: typer.Typer) -> None:
    """Add this module's commands to the application."""
    parent.add_typer(app, name="clocks")


def span(left: timedelta) -> str:
    """Write how much time is left, or by how much it is over, in its two largest units."""
    minutes = int(abs(left.total_seconds())) // 60
    days, hours, minutes = minutes // 1_440, minutes // 60 % 24, minutes % 60
    text = f"{days} d {hours} h" if days else f"{hours} h {minutes} min"
    return f"{text} over" if left < timedelta() else text


def _left(clock: Clock, moment: datetime) -> str:
    left = clock.left(moment)
    if left is not None:
        return span(left)
    if clock.state is State.WAITING:
        return f"for {clock.trigger}"
    return "no number named" if clock.started is not None and clock.done is None else clock.note


def print_clocks(found: Iterable[Clock], moment: datetime, out: Console) -> None:
    """Print clocks as a table, and say so where Legal has named no regime: then no duty is counted at all."""
    rows = list(found)
    out.print(_clocks_table(rows, moment))
    if rows and all(clock.regime in _OURS for clock in rows):
        line(out, "No legal regime is counted: Legal names those that apply, under 'regimes:' in")
        line(out, "organisation.yaml or with 'tocsin incident regime'. 'tocsin clocks regimes' lists them.")


def _clocks_table(clocks: Iterable[Clock], moment: datetime) -> Table:
    """Make the table of clocks for people."""
    rows = [
        (
            clock.incident or "-",
            clock.regime,
            clock.step,
            clock.state.value.removesuffix("-for-trigger"),
            f"{clock.due:%Y-%m-%d %H:%M}" if clock.due else "-",
            _left(clock, moment),
        )
        for clock in clocks
    ]
    return table(("incident", "regime", "step", "state", "due (UTC)", "left"), rows)


def clock_data(clock: Clock, moment: datetime) -> dict[str, Any]:
    """Return a clock for ``--json``: times in ISO 8601, what is left in seconds."""
    left = clock.left(moment)
    times = ("started", "due", "latest", "done")
    given = {name: getattr(clock, name) for name in times}
    return {
        "incident": clock.incident,
        "regime": clock.regime,
        "step": clock.step,
        "name": clock.name,
        "state": clock.state.value,
        "who": clock.who,
        "whom": clock.whom,
        "source": clock.source,
        "trigger": clock.trigger,
        **{name: iso(at) if at else None for name, at in given.items()},
        "left_seconds": None if left is None else int(left.total_seconds()),
        "note": clock.note,
    }


@app.command("show", epilog=example("clocks show INC-2026-0001"))
def show(
    incident: Annotated[
        str | None, typer.Argument(metavar="ID", help="Incident id; all that are open if left out.")
    ] = None,
    *,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Count down every clock; exit status 1 when one is overdue. The word show may be left out."""
    moment = records.at(now())
    opened = open_workspace(workspace)
    found = (
        watching.all_clocks(opened, now=now())
        if incident is None
        else watching.clocks_of(opened, incident, now=now())
    )
    overdue = sum(clock.state is State.OVERDUE for clock in found)

    def human(out: Console) -> None:
        print_clocks(found, moment, out)
        for clock in found:
            if clock.latest is not None and clock.done is None:
                line(out, f"{clock.regime} {clock.step}: by another reading {utc(clock.latest)}; ask Legal.")

    emit(
        as_json,
        {
            "now": iso(moment),
            "overdue": overdue,
            "clocks": [clock_data(clock, moment) for clock in found],
        },
        human,
    )
    if overdue:
        raise typer.Exit(1)


@app.command("export", epilog=example("clocks export deadlines.ics"))
def export(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Calendar to write, e.g. deadlines.ics.")],
    *,
    incident: Annotated[
        str | None, typer.Option("--incident", help="Only of this incident; all that are open if left out.")
    ] = None,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write every deadline as iCalendar with alarms; an entry taken in again moves the one that is there."""
    made = watching.calendar_of(open_workspace(workspace), incident=incident, now=now())
    files.require_replaceable(file)
    files.write_atomic(file, made.data)
    entries = "1 entry" if made.entries == 1 else f"{made.entries} entries"
    emit(as_json, {"file": file, "entries": made.entries}, say(f"Wrote {file}: {entries}."))


@app.command("regimes", epilog=example("clocks regimes"))
def regimes(
    regime: Annotated[
        str | None, typer.Argument(metavar="REGIME", help="Only this one, in full; all if left out.")
    ] = None,
    *,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the regimes with their sources, when those were read, and what starts their clocks."""
    known = records.own_regimes(open_workspace(workspace)).read()
    chosen = [regime_of(known, regime)] if regime else list(known.regimes.values())

    def human(out: Console) -> None:
        if regime:
            _print(chosen[0], out)
            return
        rows = [
            (
                each.id,
                "on" if each.enabled else "off",
                each.verified_on or "-",
                each.jurisdiction,
                each.source,
            )
            for each in chosen
        ]
        out.print(table(("regime", "state", "verified", "where", "source"), rows))
        out.print(table(("trigger", "what happened"), known.triggers.items()))

    emit(
        as_json,
        {"triggers": known.triggers, "regimes": [each.model_dump(mode="json") for each in chosen]},
        human,
    )


def _print(regime: Regime, out: Console) -> None:
    line(out, f"{regime.id}: {regime.name}")
    line(out, f"source: {regime.source}, read on {regime.verified_on or 'no day'}")
    line(out, f"{regime.who} to {regime.whom}")
    for text in (regime.reason, regime.note):
        if text:
            line(out, text)
    hold = regime.hold or "pauses nothing"
    line(out, f"hold by law enforcement: {hold}")
    rows = [
        (
            step.id,
            step.trigger,
            period(step),
            step.calendar.value,
            regime.recipient(step),
            ", ".join(step.content),
        )
        for step in regime.steps
    ]
    out.print(table(("step", "starts with", "within", "counted by", "to", "content"), rows))
