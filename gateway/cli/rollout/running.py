"""Commands that steer a rollout: pause, resume, next, retry, cancel."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from gateway.cli.incident.app import person
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
from gateway.cli.rollout.app import ByOption, NameArgument, WhyOption, app
from gateway.core.rollout import Failure, RolloutEvent
from gateway.operations import rollouts
from keys.errors import InputError


def _change(
    name: str,
    event: RolloutEvent,
    done: str,
    said: tuple[str | None, str],
    options: tuple[Path | None, bool, bool],
) -> None:
    workspace, dry_run, as_json = options
    opened = open_workspace(workspace)
    by, why = person(said[0]), said[1]
    asked = {
        RolloutEvent.PAUSE: rollouts.deciding.pause,
        RolloutEvent.RESUME: rollouts.deciding.resume,
        RolloutEvent.STOP: rollouts.deciding.stop,
    }[event]
    view = asked(opened, name, now=now(), by=by, why=why, dry_run=dry_run)
    verb = f"would be {done}" if dry_run else f"is {done}"
    emit(as_json, {"rollout": view, "dry_run": dry_run}, say(f"rollout {name} {verb}."))


@app.command("pause", epilog=example("rollout pause thermostat-1.4.2 --why 'calls about noise'"))
def pause(
    rollout: NameArgument,
    *,
    by: ByOption = None,
    why: WhyOption = "",
    dry_run: DryRunOption = False,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make no further offers for now."""
    _change(rollout, RolloutEvent.PAUSE, "paused", (by, why), (workspace, dry_run, as_json))


@app.command("resume", epilog=example("rollout resume thermostat-1.4.2"))
def resume(
    rollout: NameArgument,
    *,
    by: ByOption = None,
    why: WhyOption = "",
    dry_run: DryRunOption = False,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Go on with a paused rollout; a group whose gate failed is let through."""
    _change(rollout, RolloutEvent.RESUME, "resumed", (by, why), (workspace, dry_run, as_json))


@app.command("next", epilog=example("rollout next thermostat-1.4.2 --why 'the lab has seen enough'"))
def next_(
    rollout: NameArgument,
    *,
    by: ByOption = None,
    why: WhyOption = "",
    dry_run: DryRunOption = False,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Open the next group now, whatever the groups before have proven."""
    opened = open_workspace(workspace)
    view = rollouts.deciding.open_next(opened, rollout, now=now(), by=person(by), why=why, dry_run=dry_run)
    verb = "would open" if dry_run else "has opened"
    emit(as_json, {"rollout": view, "dry_run": dry_run}, say(f"rollout {rollout} {verb} its next group."))


@app.command("retry", epilog=example("rollout retry thermostat-1.4.2 --failure download"))
def retry(
    rollout: NameArgument,
    *,
    failure: Annotated[
        list[str] | None, typer.Option(help="Only devices that failed at this; as often as needed.")
    ] = None,
    by: ByOption = None,
    why: WhyOption = "",
    dry_run: DryRunOption = False,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Offer the patch once more to devices that failed for good."""
    opened = open_workspace(workspace)
    found = rollouts.deciding.retry(
        opened,
        rollout,
        now=now(),
        by=person(by),
        failures=tuple(map(failure_of, failure or ())),
        why=why,
        dry_run=dry_run,
    )
    verb = "would get" if dry_run else "get"
    emit(as_json, {"retried": found, "dry_run": dry_run}, say(f"{found.devices} devices {verb} a new offer."))


def failure_of(text: str) -> Failure:
    """Read what a device failed at."""
    try:
        return Failure(text)
    except ValueError:
        raise InputError(
            "BAD_VALUE", f"No device fails at '{text}'.", mend=f"Use one of {', '.join(Failure)}."
        ) from None


@app.command("cancel", epilog=example("rollout cancel thermostat-1.4.2 --dry-run"))
def cancel(
    rollout: NameArgument,
    *,
    by: ByOption = None,
    why: WhyOption = "",
    dry_run: DryRunOption = False,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Stop a rollout for good; offers that devices have not acted on are taken back."""
    _change(rollout, RolloutEvent.STOP, "cancelled", (by, why), (workspace, dry_run, as_json))
