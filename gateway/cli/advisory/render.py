"""``tocsin advisory render``: every output of an advisory as files, to look at."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from gateway.cli.advisory.app import IdArgument, app
from gateway.cli.output import JsonOption, WorkspaceOption, emit, example, now, open_workspace
from gateway.operations.advisories import rendering


@app.command("render", epilog=example("advisory render EX-2026-0001 preview"))
def render(
    advisory: IdArgument,
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="New, empty, or written so before.")],
    workspace: WorkspaceOption = None,
    *,
    as_json: JsonOption = False,
) -> None:
    """Write every output that the next approval signs: pages, letters, mail, sheets, screens and pictures."""
    opened = open_workspace(workspace)
    rendering.require_free_folder(folder)
    done = rendering.outputs(opened, advisory, now=now())
    rendering.write(done, folder)

    def human(out: Console) -> None:
        code = f"check code {done.code}" if done.code else "stars where the check code will stand"
        out.print(
            f"Wrote {len(done.outputs)} outputs and {len(done.pictures)} pictures of {advisory} "
            f"revision {done.revision} to {folder}: {code}.",
            markup=False,
            soft_wrap=True,
        )
        if done.undrawn:
            out.print(f"No font here draws the screens in: {', '.join(done.undrawn)}.", markup=False)

    emit(
        as_json,
        {
            "advisory": advisory,
            "revision": done.revision,
            "code": done.code or None,
            "folder": folder,
            "outputs": list(done.outputs),
            "pictures": list(done.pictures),
            "undrawn": list(done.undrawn),
        },
        human,
    )
