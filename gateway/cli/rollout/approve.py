"""``tocsin rollout approve`` and ``deny``: another person looks at the plan."""

from __future__ import annotations

from typing import Annotated

import typer

from gateway.cli.output import (
    DryRunOption,
    JsonOption,
    WorkspaceOption,
    emit,
    example,
    now,
    open_workspace,
    say,
)
from gateway.cli.rollout.app import NameArgument, WhyOption, app
from gateway.operations.rollouts import deciding

PersonOption = Annotated[str, typer.Option("--by", metavar="NAME", help="Who decides.")]


@app.command("approve", epilog=example("rollout approve thermostat-1.4.2 --by 'A. Reader'"))
def approve(
    rollout: NameArgument,
    *,
    by: PersonOption,
    plan: Annotated[
        str | None, typer.Option(metavar="DIGEST", help="Of the plan that was read; 'show' prints it.")
    ] = None,
    why: WhyOption = "",
    dry_run: DryRunOption = False,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Approve a plan; its author cannot."""
    view = deciding.approve(
        open_workspace(workspace), rollout, now=now(), by=by, why=why, plan=plan, dry_run=dry_run
    )
    verb = "would be approved" if dry_run else "is approved"
    emit(
        as_json,
        {"rollout": view, "dry_run": dry_run},
        say(f"rollout {rollout} {verb}. Next: tocsin rollout start {rollout}."),
    )


@app.command("deny", epilog=example("rollout deny thermostat-1.4.2 --by 'A. Reader' --why 'no canary'"))
def deny(
    rollout: NameArgument,
    *,
    by: PersonOption,
    why: WhyOption = "",
    dry_run: DryRunOption = False,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Refuse a plan that has not started."""
    view = deciding.deny(open_workspace(workspace), rollout, now=now(), by=by, why=why, dry_run=dry_run)
    verb = "would be denied" if dry_run else "is denied"
    emit(as_json, {"rollout": view, "dry_run": dry_run}, say(f"rollout {rollout} {verb}."))
