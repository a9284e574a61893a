"""Commands that look at rollouts: list, show, status, devices."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console

from gateway.cli.output import JsonOption, WorkspaceOption, emit, example, open_workspace, table, utc
from gateway.cli.rollout.app import NameArgument, app
from gateway.cli.rollout.printing import print_rollout, seen
from gateway.cli.rollout.typed import DAYS
from gateway.core.rollout import Plan
from gateway.core.selection import describe
from gateway.operations import rollouts
from gateway.operations.rollouts import views

ALL = 100  # per cent
_NONE = "No rollout yet. Start one with 'tocsin rollout start'."


@app.command("list", epilog=example("rollout list"))
def list_(
    *,
    limit: Annotated[int, typer.Option(min=1, max=views.LIMIT_MAX, help="Rollouts at most.")] = 100,
    after: Annotated[str, typer.Option(help="Begin behind this one.")] = "",
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """List rollouts, oldest first."""
    page = views.list_(open_workspace(workspace), limit=limit, after=after)
    rows = [
        (
            view.id,
            view.state.name.lower().replace("_", " "),
            sum(group.counts.total for group in view.groups),
            sum(group.counts.proven for group in view.groups),
            sum(group.counts.failed for group in view.groups),
            view.by or "-",
            view.approved or "-",
        )
        for view in page.items
    ]
    columns = ("rollout", "state", "devices", "patched", "failed", "by", "approved")
    emit(as_json, {"rollouts": page}, lambda out: out.print(table(columns, rows) if rows else _NONE))


@app.command("status", epilog=example("rollout status"))
def rollout_status(
    rollout: Annotated[str | None, typer.Argument(help="Name; all of them if left out.")] = None,
    *,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show rollouts group by group."""
    found = rollouts.status(open_workspace(workspace), rollout)

    def human(out: Console) -> None:
        for view in found:
            print_rollout(view, out)
        if not found:
            out.print(_NONE)

    emit(as_json, {"rollouts": found}, human)


@app.command("show", epilog=example("rollout show thermostat-1.4.2"))
def show(rollout: NameArgument, *, workspace: WorkspaceOption = None, as_json: JsonOption = False) -> None:
    """Show one rollout with its plan, and the digest that an approval names."""
    view = views.show(open_workspace(workspace), rollout)

    def human(out: Console) -> None:
        print_rollout(view, out)
        out.print(f"plan {view.digest} by {seen(view.by)}, approved by {seen(view.approved)}", markup=False)
        for line in (*_whom(view.plan), *plan_lines(view), *_when(view.plan)):
            out.print(seen(line), markup=False)

    emit(as_json, {"rollout": view}, human)


def _whom(plan: Plan) -> list[str]:
    """Write which devices a plan means, where it does not mean all."""
    lines = [f"devices: {describe(plan.where)}"] if plan.where is not None else []
    lines += [f"  {plan.share} % of those"] if plan.share < ALL else []
    return [*lines, "owners are asked, also those who agreed beforehand"] if plan.ask else lines


def _when(plan: Plan) -> list[str]:
    """Write what a plan says of time."""
    lines = [f"starts: {utc(plan.starts)} at the soonest"] if plan.starts is not None else []
    lines += [
        f"group {number} opens {group.opens} s after the start at the soonest"
        for number, group in enumerate(plan.groups, 1)
        if group.opens
    ]
    if plan.window is not None:
        lines.append(f"window: {utc(plan.window[0])} to {utc(plan.window[1])}")
    for window in plan.windows:
        days = ",".join(DAYS[day] for day in window.days) or "daily"
        at = f"{window.start // 60:02}:{window.start % 60:02}"
        lines.append(f"window: {days} {at} for {window.minutes} minutes, {plan.zone}")
    return [*lines, f"jitter: up to {plan.jitter} s"] if plan.jitter else lines


def plan_lines(view: rollouts.RolloutView) -> list[str]:
    """Write what a plan says beside its groups."""
    plan = view.plan
    lines = []
    for number in range(len(plan.groups)):
        gates = plan.gates_of(number)
        if number and gates == plan.gates_of(number - 1):
            continue
        soak = f", then {gates.success.soak} s of watching" if gates.success.soak else ""
        least = f", at least {gates.success.minimum}" if gates.success.minimum else ""
        lines.append(
            f"from group {number + 1}: {gates.success.percent} % patched{least} -> {gates.success.then}{soak}"
        )
        for trip in gates.failure:
            what = ", ".join(trip.failures) or "all kinds"
            base = f" of those ended, from {trip.ended} on" if trip.ended else ""
            lines.append(
                f"  over {trip.percent} % failed{base} ({what}), at least {trip.minimum} -> {trip.then}"
            )
        if gates.silence is not None:
            quiet = gates.silence
            long = f"{quiet.percent} % silent for {quiet.seconds} s"
            lines.append(f"  over {long}, at least {quiet.minimum} -> {quiet.then}")
    if plan.rate is not None:
        rate = plan.rate
        grows = f"{rate.grow_percent} % of it for every {rate.every} patched"
        lines.append(f"rate: {rate.per_minute} offers a minute, {grows}")
    lines += [
        f"retry: {each.failure} {each.times} times, first after {each.seconds} s" for each in plan.retry
    ]
    lines += [f"returns to: {plan.back[:16]}"] if plan.back else []
    return lines


@app.command("devices", epilog=example("rollout devices thermostat-1.4.2 --state failed"))
def devices(
    rollout: NameArgument,
    *,
    state: Annotated[str, typer.Option(help="How they stand, e.g. failed, silent, proven.")] = "",
    group: Annotated[int | None, typer.Option(help="Number of the group, from 1.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=views.LIMIT_MAX, help="Devices at most.")] = 100,
    after: Annotated[str, typer.Option(help="Begin behind this id.")] = "",
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """List which device stands where."""
    page = views.devices(
        open_workspace(workspace), rollout, state=state, group=group, limit=limit, after=after
    )
    rows = [
        (
            row.device,
            row.group,
            row.outcome.name.lower().replace("_", " "),
            "-" if row.state is None else row.state.name.lower(),
            row.reason.name.lower(),
            row.tries,
            utc(row.offered),
        )
        for row in page.items
    ]

    def human(out: Console) -> None:
        out.print(table(("device", "group", "outcome", "state", "reason", "tries", "offered"), rows))
        if page.next:
            out.print(f"More: --after {page.next}", markup=False)

    emit(as_json, {"devices": page}, human)
