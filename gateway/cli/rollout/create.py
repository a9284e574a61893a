"""``tocsin rollout create``: a plan with everything that a plan can say."""

from __future__ import annotations

from pathlib import Path
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
from gateway.cli.rollout import typed
from gateway.cli.rollout.app import AskOption, ByOption, DaysOption, NameOption, PatchOption, app
from gateway.cli.rollout.printing import print_rehearsal, print_rollout
from gateway.operations.rollouts import DEADLINE_DAYS, making

_OVER = "What {} does: pause, stop, or return (which needs --return-to)."


@app.command(
    "create", epilog=example("rollout create --patch thermostat@1.4.2 --group 25 --group rest --dry-run")
)
def create(
    *,
    patch: PatchOption,
    plan: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A plan in TOML, in place of the options below.")
    ] = None,
    group: Annotated[
        list[str] | None,
        typer.Option(help="'10 %', '25' devices, a selection, or 'rest'; as often as there are groups."),
    ] = None,
    where: Annotated[
        str | None, typer.Option(help="Which devices, e.g. 'region = DE'; all if left out.")
    ] = None,
    share: Annotated[int, typer.Option(help="Per cent of those.")] = 100,
    success: Annotated[int, typer.Option(help="Per cent patched that open the next group.")] = 80,
    soak: Annotated[str, typer.Option(help="How long a group is watched before the next, e.g. 2h.")] = "0m",
    failure: Annotated[int, typer.Option(help="More per cent failed than this trip the gate.")] = 20,
    failures: Annotated[int, typer.Option(help="At least so many devices.")] = 2,
    on_failure: Annotated[str, typer.Option(help=_OVER.format("a tripped gate"))] = "pause",
    silent: Annotated[int | None, typer.Option(help="More per cent silent than this trip the gate.")] = None,
    silent_after: Annotated[str, typer.Option(help="How long a device may say nothing.")] = "3d",
    on_silence: Annotated[str, typer.Option(help=_OVER.format("silence"))] = "pause",
    return_to: Annotated[
        str | None, typer.Option(metavar="SEQ", help="Patch that carries the older code.")
    ] = None,
    rate: Annotated[int | None, typer.Option(help="Offers in any minute, at most.")] = None,
    rate_growth: Annotated[int, typer.Option(help="Per cent of itself that the rate becomes,")] = 100,
    rate_every: Annotated[int, typer.Option(help="for every so many devices patched.")] = 100,
    jitter: Annotated[str, typer.Option(help="Windows begin up to so much later, e.g. 30m.")] = "0m",
    starts: Annotated[str | None, typer.Option(help="Not before, e.g. 2027-01-31T08:00:00Z.")] = None,
    window: Annotated[
        list[str] | None, typer.Option(help="'sat,sun 02:00-05:00', 'daily 22:00-04:00', or FROM/TO.")
    ] = None,
    zone: Annotated[str, typer.Option(help="Time zone of windows.")] = "UTC",
    retry: Annotated[
        list[str] | None, typer.Option(help="Such as download=3:1h; as often as needed.")
    ] = None,
    days: DaysOption = DEADLINE_DAYS,
    ask: AskOption = False,
    name: NameOption = None,
    by: ByOption = None,
    approval: Annotated[
        bool, typer.Option("--approval", help="Another person has to approve it, even in an exercise.")
    ] = False,
    start: Annotated[bool, typer.Option("--start", help="Start it, unless it needs an approval.")] = False,
    dry_run: DryRunOption = False,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make a plan; --dry-run says who would get what and when."""
    at = now()
    if plan is not None:
        data = typed.plan_file(plan, now=at, days=days)
        if isinstance(data.get("back"), str):
            return_to = data.pop("back")
    else:
        gates = {
            "success": {"percent": success, "soak": typed.span(soak)},
            "failure": [{"percent": failure, "minimum": failures, "then": on_failure}],
        }
        if silent is not None:
            after = typed.span(silent_after)
            gates["silence"] = {"percent": silent, "seconds": after, "then": on_silence}
        data = {
            "groups": typed.groups(group),
            "gates": gates,
            "deadline": at + days * 86_400,
            "starts": typed.moment_of(starts, now=at),
            "where": typed.query(where),
            "share": share,
            **typed.windows(window, now=at),
            "zone": zone,
            "jitter": typed.span(jitter),
            "rate": rate and {"per_minute": rate, "grow_percent": rate_growth, "every": rate_every},
            "retry": [typed.retry(each) for each in retry or ()],
            "ask": ask,
        }
    made = typed.plan(data)
    opened, who = open_workspace(workspace), person(by)
    if dry_run:
        found = making.rehearse(opened, patch, made, now=at, by=who, name=name, back=return_to)
        emit(as_json, {"rehearsal": found, "dry_run": True}, lambda out: print_rehearsal(found, out))
        return
    view = making.create(
        opened, patch, made, now=at, by=who, name=name, back=return_to, start=start, approval=approval
    )
    emit(as_json, {"rollout": view, "dry_run": False}, lambda out: print_rollout(view, out))
