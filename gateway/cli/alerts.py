"""``tocsin alerts``: what somebody should see to now, and the mails about it."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console

from gateway.cli.output import JsonOption, WorkspaceOption, emit, example, group, now, open_workspace, say
from gateway.operations import alerts

app = group("What somebody should see to: deadlines, gates, updates, what expires, and the gateway itself.")


def register(parent: typer.Typer) -> None:
    """Add this module's commands to the application."""
    parent.add_typer(app, name="alerts")


@app.command("check", epilog=example("alerts check"))
def check(
    *,
    send: Annotated[
        bool, typer.Option("--send", help="Tell what was not told before, as 'tocsin serve' does.")
    ] = False,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say what somebody should see to now; exit status 1 when there is anything."""
    opened = open_workspace(workspace, quiet=True)
    found = alerts.tell(opened, now=now()) if send else alerts.check(opened, now=now())
    told = {alert.key for alert in found.told}

    def human(out: Console) -> None:
        for alert in found.alerts:
            mark = "told before" if alert.key not in told else "told now" if send else "not told yet"
            say(f"{alert.kind}: {alert.says} {alert.todo} ({mark})")(out)
        if not found.alerts:
            say("There is nothing to see to.")(out)
        if not found.mail:
            say("No alert is mailed: tocsin.toml names no mail_host, or not all that mail needs.")(out)

    emit(
        as_json,
        {"alerts": found.alerts, "told": sorted(told), "sent": send, "mail": found.mail},
        human,
    )
    if found.alerts:
        raise typer.Exit(1)


@app.command("test", epilog=example("alerts test"))
def try_out(*, workspace: WorkspaceOption = None, as_json: JsonOption = False) -> None:
    """Mail a test to every address in tocsin.toml; exit status 1 when one is not taken."""
    tried = alerts.test_mail(open_workspace(workspace), now=now())

    def human(out: Console) -> None:
        for one in tried:
            say(f"{one.address}: {one.says}.")(out)

    emit(as_json, {"mails": tried}, human)
    if not all(one.ok for one in tried):
        raise typer.Exit(1)
