"""``hil trace``: what was said on a line, decoded, and proof that nothing was sent twice that must not be."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from advisories.smp import NOTIFIER_GROUP
from hil.cli.output import JsonOption, emit, example
from hil.wire import spell, trace
from hil.wire.record import Direction, Kind, Record
from hil.wire.repeats import repeats

FileArgument = Annotated[Path, typer.Argument(help="trace.pcapng of a run.")]
GroupOption = Annotated[
    int, typer.Option("--group", min=0, max=65_535, help="Number of the notifier group in this firmware.")
]

app = typer.Typer(help="Read the trace of a run.", no_args_is_help=True)


def register(parent: typer.Typer) -> None:
    """Add this module's commands to the application."""
    parent.add_typer(app, name="trace")


@app.command("show", epilog=example("trace show trace.pcapng"))
def show(file: FileArgument, *, group: GroupOption = NOTIFIER_GROUP, as_json: JsonOption = False) -> None:
    """Show what was said: SMP by its names, and the console."""
    records = trace.load(file)

    def human(console: Console) -> None:
        for line in spell.lines(records, group):
            console.print(line)

    emit(as_json, {"records": [spell.as_json(record, group) for record in records]}, human)


@app.command("check", epilog=example("trace check trace.pcapng"))
def check(file: FileArgument, *, group: GroupOption = NOTIFIER_GROUP, as_json: JsonOption = False) -> None:
    """Prove that nothing was sent twice that may act twice; exit status 1 if something was."""
    records = trace.load(file)
    found = repeats(records, group)
    requests = _requests(records)

    def human(console: Console) -> None:
        for one in found:
            console.print(f"SENT TWICE: {one}")
        again = (
            f"{len(found)} were sent twice that may act twice"
            if found
            else "none was sent twice that may act twice"
        )
        console.print(f"{requests} requests, {again}.")

    data: dict[str, Any] = {
        "requests": requests,
        "repeats": [
            {
                "command": one.command,
                "first": one.first,
                "second": one.second,
                "seconds": one.seconds,
                "body": one.body,
            }
            for one in found
        ],
    }
    emit(as_json, data, human)
    if found:
        raise typer.Exit(1)


def _requests(records: list[Record]) -> int:
    return sum(one.kind is Kind.MESSAGE and one.direction is Direction.TO_BOARD for one in records)
