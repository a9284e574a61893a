"""``tocsin store``: what lies in the store, whether it is whole, copies of it, and what is erased by rule."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from gateway.cli.output import (
    ByOption,
    DryRunOption,
    JsonOption,
    WorkspaceOption,
    emit,
    example,
    group,
    now,
    open_workspace,
    person,
    say,
    table,
    utc,
)
from gateway.cli.own import require_here
from gateway.cli.show import line
from gateway.core.retention import setting
from gateway.operations import stores
from gateway.store.backup_reading import Backup
from gateway.store.retention import Erased

app = group("What happened: the store, copies of it, and what is kept for how long.")


def register(parent: typer.Typer) -> None:
    """Add this module's commands to the application."""
    parent.add_typer(app, name="store")


@app.command("create", epilog=example("store create"))
def create(workspace: WorkspaceOption = None, *, as_json: JsonOption = False) -> None:
    """Make the store that tocsin.toml names, in an empty database or as a new file."""
    where = stores.create(open_workspace(workspace))
    emit(as_json, {"store": where}, say(f"Made an empty store in {where}."))


@app.command("info", epilog=example("store info"))
def info(workspace: WorkspaceOption = None, *, as_json: JsonOption = False) -> None:
    """Show where the store is, how much lies in it, and what is kept for how long."""
    found = stores.info(open_workspace(workspace))

    def human(out: Console) -> None:
        rows = (
            ("store", found.where),
            ("engine", found.engine),
            ("schema", found.schema),
            ("fleet", found.fleet or "no root is published yet"),
            ("audit row", f"{found.audit_index} {found.audit_head}"),
            ("kept for", _rules(found.keep) or "ever: tocsin.toml has no rule"),
        )
        out.print(table(("store", ""), rows))
        out.print(table(("table", "rows"), ((name, many) for name, many in found.rows.items() if many)))

    emit(as_json, {"store": found}, human)


def _rules(keep: Mapping[str, int]) -> str:
    return ", ".join(f"{setting(rule)} = {days}" for rule, days in keep.items())


@app.command("check", epilog=example("store check"))
def check(workspace: WorkspaceOption = None, *, as_json: JsonOption = False) -> None:
    """Read all of the store and say what is not right in it; exit status 1 if anything is not."""
    found = stores.check(open_workspace(workspace))

    def human(out: Console) -> None:
        for fault in found.faults:
            line(out, f"{fault.message} [{fault.code}]")
        if found.more:
            line(out, f"... and {found.more} more.")
        for mend in dict.fromkeys(fault.mend for fault in found.faults if fault.mend):
            line(out, mend)
        if not found.faults:
            line(out, f"The store is whole: the chain, the counts, and {found.reports} reports as committed.")

    emit(as_json, {"whole": not found.faults, **_plain(found)}, human)
    if found.faults:
        raise typer.Exit(1)


def _plain(found: stores.Checked) -> dict[str, object]:
    return {"reports": found.reports, "faults": found.faults, "more": found.more}


@app.command("recount", epilog=example("store recount"))
def recount(
    *,
    dry_run: DryRunOption = False,
    by: ByOption = None,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Count anew what pages show, where 'store check' says CELLS_WRONG; nobody else writes meanwhile."""
    found = stores.recount(open_workspace(workspace), now=now(), by=person(by), dry_run=dry_run)
    verb = "Would mend" if dry_run else "Mended"

    def human(out: Console) -> None:
        for name, many in found.tables.items():
            line(out, f"{verb} {name}: {many} {'row' if many == 1 else 'rows'}.")
        if not found.tables:
            line(out, "Every count is right: nothing was changed.")

    emit(as_json, {"recounted": found, "dry_run": dry_run}, human)


@app.command("backup", epilog=example("store backup store-2030-01-31.backup"))
def backup(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A new file; it holds personal data.")],
    workspace: WorkspaceOption = None,
    *,
    as_json: JsonOption = False,
) -> None:
    """Write every row of the store into one file, while the gateway goes on."""
    made = stores.write_backup(open_workspace(workspace), file, now=now())
    emit(
        as_json,
        {"file": file, "backup": made},
        say(f"Wrote {made.rows} rows to {file}, up to audit row {made.audit[0]}. SHA-256 {made.digest}."),
    )


@app.command("restore", epilog=example("store restore store-2030-01-31.backup"))
def restore(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="What 'tocsin store backup' wrote.")],
    *,
    dry_run: DryRunOption = False,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Put a backup into the store that tocsin.toml names, which is new or empty; of either engine."""
    opened = require_here(open_workspace(workspace))
    found = stores.restore(opened, file, now=now(), dry_run=dry_run)
    verb = "Would restore" if dry_run else "Restored"
    emit(
        as_json,
        {"restored": not dry_run, "backup": found},
        lambda out: _print_restored(out, found, f"{verb} {found.rows} rows of {utc(found.created)}."),
    )


def _print_restored(out: Console, found: Backup, sentence: str) -> None:
    line(out, sentence)
    out.print(
        table(("table", "rows"), ((name, part.rows) for name, part in found.tables.items() if part.rows))
    )


@app.command("expire", epilog=example("store expire --dry-run"))
def expire(
    *, dry_run: DryRunOption = False, workspace: WorkspaceOption = None, as_json: JsonOption = False
) -> None:
    """Erase what the rules in tocsin.toml let go; 'serve' does the same every six hours."""
    found = stores.expire(open_workspace(workspace), now=now(), dry_run=dry_run)
    verb = "would go" if dry_run else "went"

    def human(out: Console) -> None:
        for each in found:
            line(out, f"{setting(each.rule)} = {each.days}: {_counts(each) or 'nothing'} {verb}.")
        if not found:
            line(out, "tocsin.toml has no rule such as keep_reports_days: everything is kept.")

    emit(as_json, {"erased": found, "dry_run": dry_run}, human)


def _counts(each: Erased) -> str:
    parts: Iterable[str] = (f"{many} rows of {name}" for name, many in each.rows.items())
    return ", ".join(parts)
