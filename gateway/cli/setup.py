"""``tocsin init``: the workspace."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from advisories.topics import DEFAULT_PREFIX
from gateway.cli.output import (
    JsonOption,
    emit,
    example,
    say,
)
from gateway.operations.advisories.setting import write_organisation
from gateway.workspace.folder import Workspace


def register(app: typer.Typer) -> None:
    """Add this module's commands to the application."""
    app.command("init", epilog=example("init fleet --exercise"))(init)


def init(
    directory: Annotated[
        Path, typer.Argument(metavar="DIR", envvar="TOCSIN_WORKSPACE", help="Folder to make it in.")
    ] = Path(),
    *,
    exercise: Annotated[
        bool,
        typer.Option("--exercise", help="For drills: devices say so, and one person may play all roles."),
    ] = False,
    prefix: Annotated[str, typer.Option(help="What every MQTT topic starts with.")] = DEFAULT_PREFIX,
    broker: Annotated[
        str | None, typer.Option(help="URL of the MQTT broker, e.g. mqtt://broker.example.com:1883.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Make a workspace: the folder that holds products, keys, roots, advisories and patches."""
    workspace = Workspace.create(directory, exercise=exercise, prefix=prefix, broker=broker)
    write_organisation(workspace)
    kind = "an exercise workspace" if exercise else "a workspace"
    emit(
        as_json,
        {"workspace": workspace.path, "exercise": exercise, "prefix": prefix, "broker": broker},
        say(f"Made {kind} in {workspace.path}. Next: tocsin product add, tocsin key new."),
    )
