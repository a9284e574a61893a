"""``tocsin doctor``: is everything as it has to be, on this machine?"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from gateway.cli.output import JsonOption, WorkspaceOption, emit, example, now, open_workspace, table
from gateway.operations.trust import asking, doctor
from gateway.operations.trust.expiry import Check, State
from keys.errors import InputError


def register(parent: typer.Typer) -> None:
    """Add this module's command to the application."""
    parent.command("doctor", epilog=example("doctor"))(doctor_)


def doctor_(
    *,
    broker: Annotated[
        str | None, typer.Option(help="Ask the broker at this URL instead, over the wire, as the gateway.")
    ] = None,
    as_device: Annotated[
        tuple[Path, Path] | None,
        typer.Option(metavar="CERT KEY", help="Try there what a device can do: one that nobody uses now."),
    ] = None,
    device_broker: Annotated[
        str | None, typer.Option(help="Where devices come in, if that is another URL.")
    ] = None,
    thorough: Annotated[
        bool, typer.Option("--thorough", help="Ask the broker also what takes some seconds.")
    ] = False,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Check roots, keys, store and machine, and say how to mend each fault; exit status 1 if one fails.

    With --broker, check a broker instead: everything is tried, and judged by what is delivered, not by what
    the broker says. Test messages go to topics of their own and are taken back.
    """
    opened = open_workspace(workspace, quiet=True)
    if broker is None:
        if as_device is not None or device_broker is not None or thorough:
            raise InputError("USAGE", "These questions are for a broker.", mend="Give its URL with --broker.")
        checks = doctor.examine(opened, now=now())
    else:
        checks = list(
            asking.ask_broker(opened, broker, device=as_device, device_url=device_broker, thorough=thorough)
        )
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
