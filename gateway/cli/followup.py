"""``tocsin followup``: who tells an owner whose device did not, and what came of it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from gateway import files
from gateway.cli.output import (
    ByOption,
    DryRunOption,
    JsonOption,
    WorkspaceOption,
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
from gateway.cli.untold import AfterOption, LimitOption
from gateway.core.followup import Outcome
from gateway.core.sheet import sheet
from gateway.operations import followups
from gateway.operations.followups import LIMIT_MAX
from gateway.store.followups import Followup

app = group("Devices whose owners somebody tells by letter or call, and what came of it.")
AdvisoryArgument = Annotated[str, typer.Argument(metavar="ADVISORY", help="Advisory id.")]
DevicesArgument = Annotated[list[str], typer.Argument(metavar="DEVICE", help="Ids of devices.")]
AccountOption = Annotated[str | None, typer.Option(help="Only this account's devices.")]
_COLUMNS = ("advisory", "device", "followed up by", "outcome", "note", "at")


def register(parent: typer.Typer) -> None:
    """Add this module's commands to the application."""
    parent.add_typer(app, name="followup")


def _row(found: Followup) -> tuple[str, ...]:
    outcome = found.outcome.value if found.outcome is not None else "open"
    return found.advisory, found.device, found.owner, outcome, found.note, utc(found.at)


@app.command("list", epilog=example("followup list EX-2026-0001 --open"))
def list_(
    advisory: Annotated[str | None, typer.Argument(help="Advisory id; all of them if left out.")] = None,
    *,
    owner: Annotated[str | None, typer.Option(help="Only what this person sees to.")] = None,
    is_open: Annotated[
        bool | None, typer.Option("--open/--done", help="Only what is open, or done; both if left out.")
    ] = None,
    account: AccountOption = None,
    csv: Annotated[
        Path | None, typer.Option("--csv", metavar="FILE", help="Write all of them to this file.")
    ] = None,
    limit: LimitOption = 100,
    after: AfterOption = "",
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """List follow-ups."""
    opened = open_workspace(workspace)

    def page(many: int, place: str) -> followups.Followups:
        return followups.list_(
            opened, advisory, owner=owner, is_open=is_open, account=account, limit=many, after=place
        )

    if csv is not None:
        found = page(LIMIT_MAX, "")
        items = list(found.items)
        while found.next:
            found = page(LIMIT_MAX, found.next)
            items += found.items
        with files.os_errors(csv, "written"):
            files.write_atomic(csv, sheet(_COLUMNS, map(_row, items)).encode(), mode=0o600)
        done = f"{len(items)} follow-ups are in {csv}."
        emit(as_json, {"file": csv, "followups": len(items)}, lambda out: out.print(done, markup=False))
        return
    shown = page(limit, after)

    def human(out: Console) -> None:
        if shown.items:
            out.print(table(_COLUMNS, map(_row, shown.items)))
        else:
            out.print("There is no such follow-up.")
        go_on(shown.next, out)

    emit(as_json, {"followups": shown}, human)


def _emit(made: tuple[Followup, ...], *, dry_run: bool, as_json: bool) -> None:
    emit(
        as_json,
        {"followups": made, "dry_run": dry_run},
        lambda out: out.print(table(_COLUMNS[:-1], (_row(row)[:-1] for row in made))),
    )


@app.command("take", epilog=example("followup take EX-2026-0001 device-0001 --by exercise-operator"))
def take(
    advisory: AdvisoryArgument,
    devices: DevicesArgument,
    *,
    owner: Annotated[str | None, typer.Option(help="Who sees to them; whoever says so if left out.")] = None,
    by: ByOption = None,
    dry_run: DryRunOption = False,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Let somebody see to devices; what was done, or somebody else's, is open and theirs then."""
    opened = open_workspace(workspace)
    made = followups.take(opened, advisory, devices, now=now(), by=person(by), owner=owner, dry_run=dry_run)
    _emit(made, dry_run=dry_run, as_json=as_json)


@app.command("done", epilog=example("followup done EX-2026-0001 device-0001 --outcome told-by-letter"))
def done(
    advisory: AdvisoryArgument,
    devices: DevicesArgument,
    *,
    outcome: Annotated[Outcome, typer.Option(help="What came of it.")],
    note: Annotated[str, typer.Option(help="What else there is to know.")] = "",
    by: ByOption = None,
    dry_run: DryRunOption = False,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say what came of following devices up."""
    opened = open_workspace(workspace)
    made = followups.done(
        opened, advisory, devices, outcome, now=now(), by=person(by), note=note, dry_run=dry_run
    )
    _emit(made, dry_run=dry_run, as_json=as_json)
