"""``tocsin advisory new``, ``templates`` and ``schema``: begin an advisory."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from advisories.facts import schema as facts_schema
from advisories.templates import NAMES, Template, template
from advisories.templates.writing import Answers
from gateway import files
from gateway.cli.advisory.app import app
from gateway.cli.advisory.asking import Interview
from gateway.cli.advisory.proposing import data, proposal_of, require_yes, show
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
from gateway.cli.own import place_of, written_at
from gateway.operations.advisories import beginning, drafts
from keys.errors import InputError

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
    component: Annotated[
        str | None,
        typer.Option(help="Propose what is affected: a component's name or package URL, with --range."),
    ] = None,
    range_: Annotated[
        str | None, typer.Option("--range", help="Its affected versions, e.g. '>=1.0 <3.0.7'.")
    ] = None,
    supplier: Annotated[
        Path | None,
        typer.Option("--from-supplier", help="Propose what is affected by a supplier's CSAF document."),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="The proposal is right; do not ask.")] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only show what is proposed; write nothing.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Begin an advisory: answer a few questions, or take over a file of facts.

    Ctrl-C keeps what was answered so far: the file is written, and the rest stands in it as [gaps].
    """
    opened = open_workspace(workspace)
    if "/" in source or source.endswith((".yaml", ".yml")):
        data_ = files.read_bytes(Path(source), what="advisory", mend="Check the path.")
        path = written_at(opened, drafts.take(opened, data_, where=place_of(Path(source))).path)
    else:
        chosen = template(name) if name else None
        proposed = proposal_of(opened, component, range_, supplier)
        if dry_run and not proposed:
            message = "--dry-run shows a proposal, and none was asked for."
            raise InputError("USAGE", message, mend="Add --component with --range, or --from-supplier.")
        if proposed and (dry_run or not as_json):
            emit(as_json, data(proposed), lambda out: show(proposed, out))
        if dry_run:
            return
        beginning.require(opened, source, name=name or _DEFAULT)
        if proposed:
            require_yes(proposed, yes=yes)
        interview = Interview(opened, source, now(), chosen, proposed=proposed)
        quiet = no_input or as_json or not sys.stdin.isatty()
        path = _unasked(interview) if quiet else _asked(interview)
    emit(
        as_json,
        {"advisory": path.stem, "path": path},
        say(f"Wrote {path}. Next: tocsin advisory check {path.stem}."),
    )


def _unasked(interview: Interview) -> Path:
    chosen = interview.template or template(_DEFAULT)
    return _written(interview, chosen, interview.begin(chosen))


def _asked(interview: Interview) -> Path:
    try:
        chosen, found = interview.run()
    except KeyboardInterrupt:
        _keep(interview)
        raise
    return _written(interview, chosen, found)


def _written(interview: Interview, chosen: Template, found: Answers) -> Path:
    opened = interview.workspace
    return written_at(opened, beginning.begin(opened, name=chosen.name, given=found).path)


def _keep(interview: Interview) -> None:
    """Write what was answered until Ctrl-C; nothing, where nothing was."""
    if interview.template is None or interview.answers is None or not interview.answered:
        sys.stderr.write("\nNothing was written.\n")
        return
    path = _written(interview, interview.template, interview.answers)
    sys.stderr.write(f"\nWhat you answered is in {path}; the rest stands there as [gaps].\n")


@app.command("templates", epilog=example("advisory templates"))
def templates(*, as_json: JsonOption = False) -> None:
    """List what sorts of notices 'advisory new' can begin."""
    found = [template(name) for name in NAMES]
    rows = [(each.name, each.for_) for each in found]
    rows_data = [{"template": each.name, "for": each.for_, "languages": sorted(each.texts)} for each in found]
    emit(
        as_json, {"templates": rows_data}, lambda out: out.print(table(("template", "when to take it"), rows))
    )


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
