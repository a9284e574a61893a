"""``tocsin rollout start``: the quick way, and the start of a plan that is ready."""

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
    person,
)
from gateway.cli.rollout.app import AskOption, ByOption, DaysOption, NameOption, WhyOption, app
from gateway.cli.rollout.printing import print_rollout
from gateway.operations import rollouts
from keys.errors import InputError


def percents(text: str) -> list[int]:
    """Read the shares of groups as they are typed."""
    try:
        return [int(part) for part in text.split(",")]
    except ValueError:
        message = f"'{text}' is not a list of percentages."
        raise InputError("BAD_VALUE", message, mend="Write it as --groups 10,90.") from None


@app.command("start", epilog=example("rollout start --patch thermostat@1.4.2 --groups 10,90 --dry-run"))
def start(
    rollout: Annotated[
        str | None, typer.Argument(metavar="[ROLLOUT]", help="A plan that is ready; or give --patch.")
    ] = None,
    *,
    patch: Annotated[
        str | None, typer.Option(metavar="SEQ", help="Sequence number, or PRODUCT@VERSION.")
    ] = None,
    groups: Annotated[str, typer.Option(help="Share of the devices in each group, in per cent.")] = "10,90",
    success: Annotated[int, typer.Option(help="Per cent patched that open the next group.")] = 80,
    failure: Annotated[int, typer.Option(help="Per cent failed that stop the rollout.")] = 20,
    days: DaysOption = rollouts.DEADLINE_DAYS,
    ask: AskOption = False,
    name: NameOption = None,
    by: ByOption = None,
    why: WhyOption = "",
    dry_run: DryRunOption = False,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Offer a published patch to its product's devices, group by group."""
    opened = open_workspace(workspace)
    if (rollout is None) == (patch is None):
        raise InputError("BAD_VALUE", "Name either a rollout or --patch.", mend="See --help.")
    if rollout is not None:
        who = person(by)
        view = rollouts.deciding.begin(opened, rollout, now=now(), by=who, why=why, dry_run=dry_run)
    else:
        view = rollouts.start(
            opened,
            patch or "",
            now=now(),
            percents=percents(groups),
            success=success,
            failure=failure,
            days=days,
            ask=ask,
            name=name,
            dry_run=dry_run,
            by=person(by),
        )
    emit(as_json, {"rollout": view, "dry_run": dry_run}, lambda out: print_rollout(view, out))
