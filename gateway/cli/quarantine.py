"""``tocsin quarantine``: what came as a report and was none."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console

from gateway.cli.output import (
    ByOption,
    DryRunOption,
    JsonOption,
    WorkspaceOption,
    confirm,
    emit,
    example,
    go_on,
    group,
    now,
    open_workspace,
    person,
    table,
    utc,
)
from gateway.cli.show import line
from gateway.operations import quarantine
from gateway.operations.quarantine import Message

app = group("Messages that came as reports and were none.")
_HEX_LINE = 32  # bytes of a message in a line
NumbersArgument = Annotated[
    list[int] | None, typer.Argument(metavar="NUMBER...", help="Numbers from 'tocsin quarantine list'.")
]
AllOption = Annotated[bool, typer.Option("--all", help="All of them.")]
YesOption = Annotated[bool, typer.Option("--yes", help="Do not ask.")]
_COLUMNS = ("number", "time", "device or topic", "bytes", "reason", "detail")


def register(parent: typer.Typer) -> None:
    """Add this module's commands to the application."""
    parent.add_typer(app, name="quarantine")


def _row(message: Message) -> tuple[object, ...]:
    where = message.device or message.topic
    size = str(message.bytes) if message.whole else f"over {message.bytes}"
    return message.id, utc(message.time), where, size, message.reason, message.detail


@app.command("list", epilog=example("quarantine list"))
def quarantine_list(
    *,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="At most so many.")] = 100,
    after: Annotated[str, typer.Option(help="Only those behind this number.")] = "",
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """List messages, the oldest first."""
    found = quarantine.list_(open_workspace(workspace), limit=limit, after=after)

    def human(out: Console) -> None:
        if not found.items:
            out.print("The quarantine is empty.")
            return
        out.print(table(_COLUMNS, map(_row, found.items)))
        go_on(found.next, out)

    emit(as_json, {"messages": list(found.items), "next": found.next}, human)


@app.command("show", epilog=example("quarantine show 1"))
def quarantine_show(
    number: Annotated[int, typer.Argument(metavar="NUMBER", help="Number from 'tocsin quarantine list'.")],
    *,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show a message byte for byte, and why it was no report."""
    found = quarantine.show(open_workspace(workspace), number)
    message, data = found.message, found.data

    def human(out: Console) -> None:
        line(out, f"Message {message.id} of {utc(message.time)} on {message.topic}")
        line(out, f"{message.reason}: {message.means}.")
        if message.detail:
            line(out, message.detail)
        for first in range(0, len(data), _HEX_LINE):
            out.print(data[first : first + _HEX_LINE].hex(" ", 4))

    emit(as_json, {"message": message, "data": data}, human)


@app.command("release", epilog=example("quarantine release --all"))
def quarantine_release(
    numbers: NumbersArgument = None,
    *,
    everything: AllOption = False,
    by: ByOption = None,
    dry_run: DryRunOption = False,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Try messages again, after the cause is mended: such as a device that was registered late."""
    found = quarantine.release(
        open_workspace(workspace),
        tuple(numbers or ()),
        everything=everything,
        now=now(),
        by=person(by),
        dry_run=dry_run,
    )

    def human(out: Console) -> None:
        out.print(f"{'Would be reports' if dry_run else 'Reports now'}: {len(found.taken)}.")
        if found.kept:
            out.print(f"Still none, and kept: {len(found.kept)}.")
            out.print(table(_COLUMNS, map(_row, found.kept)))

    emit(as_json, {"taken": list(found.taken), "kept": list(found.kept), "dry_run": dry_run}, human)


@app.command("drop", epilog=example("quarantine drop 1"))
def quarantine_drop(
    numbers: NumbersArgument = None,
    *,
    everything: AllOption = False,
    yes: YesOption = False,
    by: ByOption = None,
    dry_run: DryRunOption = False,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Throw messages away for good."""
    opened = open_workspace(workspace)
    if everything and not dry_run:
        confirm("Throw the whole quarantine away?", yes=yes)
    found = quarantine.drop(
        opened, tuple(numbers or ()), everything=everything, now=now(), by=person(by), dry_run=dry_run
    )
    verb = "Would be thrown away" if dry_run else "Thrown away"

    def human(out: Console) -> None:
        out.print(f"{verb}: {len(found.ids)}.")

    emit(as_json, {"dropped": list(found.ids), "dry_run": dry_run}, human)
