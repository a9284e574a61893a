"""``tocsin advisory new``: begin an advisory."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from gateway.cli.advisory.app import app
from gateway.cli.output import (
    JsonOption,
    WorkspaceOption,
    emit,
    example,
    open_workspace,
    say,
)
from gateway.service.operations import advisories, template


@app.command("new", epilog=example("advisory new EX-2026-0001"))
def new(
    source: Annotated[
        str, typer.Argument(metavar="FILE|ID", help="A file of facts to take over, or the id of a new one.")
    ],
    workspace: WorkspaceOption = None,
    *,
    as_json: JsonOption = False,
) -> None:
    """Begin an advisory: take over a file of facts, or write a new one to fill in."""
    opened = open_workspace(workspace)
    if "/" in source or source.endswith((".yaml", ".yml")):
        path = advisories.add(opened, Path(source))
    else:
        path = advisories.draft(opened, source, template.advisory(opened, source))
    emit(
        as_json,
        {"advisory": path.stem, "path": path},
        say(f"Wrote {path}. Next: tocsin advisory check {path.stem}."),
    )
