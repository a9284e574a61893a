"""``tocsin doctor``: is everything as it has to be, on this machine?"""

from __future__ import annotations

from collections.abc import Iterable

import typer
from rich.console import Console

from gateway.cli.output import JsonOption, WorkspaceOption, emit, example, now, open_workspace, table
from gateway.operations.trust import doctor
from gateway.operations.trust.expiry import Check, State


def register(parent: typer.Typer) -> None:
    """Add this module's command to the application."""
    parent.command("doctor", epilog=example("doctor"))(doctor_)


def doctor_(workspace: WorkspaceOption = None, *, as_json: JsonOption = False) -> None:
    """Check roots, keys, store and machine, and say how to mend each fault; exit status 1 if one fails."""
    checks = doctor.examine(open_workspace(workspace, quiet=True), now=now())
    failed = sum(check.state is State.FAIL for check in checks)
    warned = sum(check.state is State.WARN for check in checks)

    def human(out: Console) -> None:
        print_checks(out, checks)
        out.print(f"{failed} failed, {warned} warnings.")

    emit(as_json, {"checks": checks, "failed": failed, "warnings": warned}, human)
    if failed:
        raise typer.Exit(1)


def print_checks(out: Console, checks: Iterable[Check]) -> None:
    """Print checks as a table."""
    rows = [
        (
            check.name,
            check.state.value,
            f"{check.message}{f' {check.mend}' if check.mend else ''}",
            check.code,
        )
        for check in checks
    ]
    out.print(table(("check", "", "", "code"), rows))
