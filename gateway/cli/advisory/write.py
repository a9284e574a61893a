"""``tocsin advisory new``, ``templates`` and ``schema``: begin an advisory."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from advisories.facts import schema as facts_schema
from advisories.templates import NAMES, Template, template
from gateway.cli.advisory.app import app
from gateway.cli.advisory.asking import Interview
from gateway.cli.output import (
    JsonOption,
    WorkspaceOption,
    emit,
    example,
    now,
    open_workspace,
    say,
    table,
)
from gateway.service.operations import advisories
from gateway.service.operations.advisories import beginning
from gateway.service.workspace import Workspace

_DEFAULT = "vulnerability-with-fix"


@app.command("new", epilog=example("advisory new EX-2026-0001"))
def new(
    source: Annotated[
        str, typer.Argument(metavar="FILE|ID", help="A file of facts to take over, or the id of a new one.")
    ],
    workspace: WorkspaceOption = None,
    *,
    name: Annotated[
        str | None, typer.Option("--template", help="What sort of notice: see 'advisory templates'.")
    ] = None,
    no_input: Annotated[
        bool, typer.Option("--no-input", help="Ask nothing: write the template with its gaps.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Begin an advisory: answer a few questions, or take over a file of facts.

    Ctrl-C keeps what was answered so far: the file is written, and the rest stands in it as [gaps].
    """
    opened = open_workspace(workspace)
    if "/" in source or source.endswith((".yaml", ".yml")):
        path = advisories.add(opened, Path(source))
    elif no_input or as_json or not sys.stdin.isatty():
        path = _unasked(opened, source, template(name or _DEFAULT))
    else:
        path = _asked(opened, Interview(opened, source, now(), template(name) if name else None))
    gaps = len(advisories.load(opened, path.stem).findings)
    rest = f"{gaps} things to look at. Next: tocsin advisory check {path.stem}."
    emit(as_json, {"advisory": path.stem, "path": path, "findings": gaps}, say(f"Wrote {path}: {rest}"))


def _unasked(workspace: Workspace, advisory: str, chosen: Template) -> Path:
    earlier = beginning.before(workspace, advisory, chosen)
    found = beginning.answers(workspace, advisory, chosen, now=now(), earlier=earlier)
    return beginning.begin(workspace, chosen, found)


def _asked(workspace: Workspace, interview: Interview) -> Path:
    advisories.facts_path(workspace, interview.advisory)  # a bad id is told before anything is asked
    try:
        chosen, found = interview.run()
    except KeyboardInterrupt:
        keep(workspace, interview)
        raise
    return beginning.begin(workspace, chosen, found)


def keep(workspace: Workspace, interview: Interview) -> None:
    """Write what was answered until Ctrl-C; nothing, where nothing was."""
    if interview.template is None or interview.answers is None or not interview.answered:
        sys.stderr.write("\nNothing was written.\n")
        return
    path = beginning.begin(workspace, interview.template, interview.answers)
    sys.stderr.write(f"\nWhat you answered is in {path}; the rest stands there as [gaps].\n")


@app.command("templates", epilog=example("advisory templates"))
def templates(*, as_json: JsonOption = False) -> None:
    """List what sorts of notices 'advisory new' can begin."""
    found = [template(name) for name in NAMES]
    rows = [(each.name, each.for_) for each in found]
    data = [{"template": each.name, "for": each.for_, "languages": sorted(each.texts)} for each in found]
    emit(as_json, {"templates": data}, lambda out: out.print(table(("template", "when to take it"), rows)))


@app.command("schema", epilog=example("advisory schema advisory.schema.json"))
def schema(
    file: Annotated[
        Path | None,
        typer.Argument(
            metavar="[FILE]", help="Where to write it; beside the workspace's files of facts if left out."
        ),
    ] = None,
    workspace: WorkspaceOption = None,
    *,
    as_json: JsonOption = False,
) -> None:
    """Write the JSON Schema of a file of facts, so that an editor completes and checks while you type."""
    path = file or beginning.schema_path(open_workspace(workspace))
    beginning.write_schema(path)
    emit(as_json, {"path": path, "schema": facts_schema()}, say(f"Wrote {path}."))
