"""``tocsin rollout``: bringing the patch."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from gateway.cli.output import (
    DryRunOption,
    JsonOption,
    WorkspaceOption,
    emit,
    example,
    group,
    now,
    open_workspace,
    table,
    utc,
)
from gateway.core.rollout import RolloutEvent
from gateway.operations import rollouts
from keys.errors import InputError

app = group("How the patch goes out.")
NameArgument = Annotated[str, typer.Argument(metavar="ROLLOUT", help="Name of the rollout.")]


def register(parent: typer.Typer) -> None:
    """Add this module's commands to the application."""
    parent.add_typer(app, name="rollout")


def _percents(text: str) -> list[int]:
    try:
        return [int(part) for part in text.split(",")]
    except ValueError:
        message = f"'{text}' is not a list of percentages."
        raise InputError("BAD_VALUE", message, mend="Write it as --groups 10,90.") from None


def print_rollout(view: rollouts.RolloutView, out: Console) -> None:
    """Print one rollout, group by group."""
    out.print(f"rollout {view.id}: {view.state.name.lower()}, until {utc(view.plan.deadline)}", markup=False)
    rows = [
        (
            number,
            f"{g.percent} %",
            g.state.name.lower(),
            g.counts.total,
            g.counts.proven,
            g.counts.failed,
            g.counts.not_applicable,
        )
        for number, g in enumerate(view.groups, 1)
    ]
    out.print(table(("group", "share", "state", "devices", "patched", "failed", "not applicable"), rows))


@app.command("start", epilog=example("rollout start --patch thermostat@1.4.2 --groups 10,90 --dry-run"))
def start(
    *,
    patch: Annotated[str, typer.Option(metavar="SEQ", help="Sequence number, or PRODUCT@VERSION.")],
    groups: Annotated[str, typer.Option(help="Share of the devices in each group, in per cent.")] = "10,90",
    success: Annotated[int, typer.Option(help="Per cent patched that open the next group.")] = 80,
    failure: Annotated[int, typer.Option(help="Per cent failed that stop the rollout.")] = 20,
    days: Annotated[int, typer.Option(help="Within which an install has to begin.")] = rollouts.DEADLINE_DAYS,
    ask: Annotated[bool, typer.Option("--ask", help="Ask even owners who agreed beforehand.")] = False,
    name: Annotated[str | None, typer.Option(help="Name of the rollout; made up if left out.")] = None,
    dry_run: DryRunOption = False,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Offer a published patch to its product's devices, group by group."""
    view = rollouts.start(
        open_workspace(workspace),
        patch,
        now=now(),
        percents=_percents(groups),
        success=success,
        failure=failure,
        days=days,
        ask=ask,
        name=name,
        dry_run=dry_run,
    )
    emit(as_json, {"rollout": view, "dry_run": dry_run}, lambda out: print_rollout(view, out))


@app.command("status", epilog=example("rollout status"))
def rollout_status(
    rollout: Annotated[str | None, typer.Argument(help="Name; all of them if left out.")] = None,
    *,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show rollouts group by group."""
    views = rollouts.status(open_workspace(workspace), rollout)

    def human(out: Console) -> None:
        for view in views:
            print_rollout(view, out)
        if not views:
            out.print("No rollout yet. Start one with 'tocsin rollout start'.")

    emit(as_json, {"rollouts": views}, human)


def _change(name: str, event: RolloutEvent, done: str, options: tuple[Path | None, bool, bool]) -> None:
    workspace, dry_run, as_json = options
    view = rollouts.change(open_workspace(workspace), name, event, now=now(), dry_run=dry_run)
    verb = f"would be {done}" if dry_run else f"is {done}"
    emit(
        as_json,
        {"rollout": view, "dry_run": dry_run},
        lambda out: out.print(f"rollout {name} {verb}.", markup=False),
    )


@app.command("pause", epilog=example("rollout pause thermostat-1.4.2"))
def pause(
    rollout: NameArgument,
    *,
    dry_run: DryRunOption = False,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make no further offers for now."""
    _change(rollout, RolloutEvent.PAUSE, "paused", (workspace, dry_run, as_json))


@app.command("resume", epilog=example("rollout resume thermostat-1.4.2"))
def resume(
    rollout: NameArgument,
    *,
    dry_run: DryRunOption = False,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Go on with a paused rollout; a group whose gate failed is let through."""
    _change(rollout, RolloutEvent.RESUME, "resumed", (workspace, dry_run, as_json))


@app.command("cancel", epilog=example("rollout cancel thermostat-1.4.2 --dry-run"))
def cancel(
    rollout: NameArgument,
    *,
    dry_run: DryRunOption = False,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Stop a rollout for good; offers that devices have not acted on are taken back."""
    _change(rollout, RolloutEvent.STOP, "cancelled", (workspace, dry_run, as_json))
