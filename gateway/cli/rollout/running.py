"""Commands that steer a rollout: pause, resume, next, retry, cancel."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

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
    say,
)
from gateway.cli.rollout.app import ByOption, NameArgument, WhyOption, app
from gateway.core.rollout import Failure
from gateway.operations.rollouts import deciding
from keys.errors import InputError


def _decision(
    name: str, asks: Callable[..., Any], what: str, said: tuple[str, str], options: str = ""
) -> None:
    """Add a command that only decides: who says so, and why.

    Args:
        name: of the command.
        asks: the operation.
        what: it does, for the help.
        said: what is said of the rollout afterwards, and after a dry run.
        options: of the example.
    """

    def decide(
        rollout: NameArgument,
        *,
        by: ByOption = None,
        why: WhyOption = "",
        dry_run: DryRunOption = False,
        workspace: WorkspaceOption = None,
        as_json: JsonOption = False,
    ) -> None:
        opened = open_workspace(workspace)
        view = asks(opened, rollout, now=now(), by=person(by), why=why, dry_run=dry_run)
        emit(as_json, {"rollout": view, "dry_run": dry_run}, say(f"rollout {rollout} {said[dry_run]}."))

    like = f"rollout {name} thermostat-1.4.2{options}"
    app.command(name, help=what, epilog=example(like))(decide)


_decision(
    "pause",
    deciding.pause,
    "Make no further offers for now.",
    ("is paused", "would be paused"),
    " --why 'calls about noise'",
)
_decision(
    "resume",
    deciding.resume,
    "Go on with a paused rollout; a group whose gate failed is let through.",
    ("is resumed", "would be resumed"),
)
_decision(
    "next",
    deciding.open_next,
    "Open the next group now, whatever the groups before have proven.",
    ("has opened its next group", "would open its next group"),
    " --why 'the lab has seen enough'",
)


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
    found = deciding.retry(
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


_decision(
    "cancel",
    deciding.stop,
    "Stop a rollout for good; offers that devices have not acted on are taken back.",
    ("is cancelled", "would be cancelled"),
    " --dry-run",
)
