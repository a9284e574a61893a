"""``tocsin advisory edit`` and ``edits``: each role changes its own fields."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from gateway import files
from gateway.cli.advisory.app import IdArgument, app
from gateway.cli.output import (
    JsonOption,
    WorkspaceOption,
    emit,
    example,
    now,
    open_workspace,
    table,
    utc,
)
from gateway.cli.own import place_of
from gateway.cli.show import line
from gateway.operations.advisories import drafts, editing
from keys.errors import InputError


def _in_editor(file: bytes, copy: Path) -> bytes:
    """Open a copy in the person's editor and return what it became.

    Raises:
        InputError: EDITOR, where there is none or it fails.
    """
    command = shlex.split(os.environ.get("VISUAL") or os.environ.get("EDITOR") or "")
    if not command or not sys.stdin.isatty():
        raise InputError(
            "EDITOR", "There is no editor to open.", mend="Set EDITOR, or name the file with --from."
        )
    files.write_atomic(copy, file)
    try:
        status = subprocess.run([*command, str(copy)], check=False).returncode  # noqa: S603 - the person's own editor
    except OSError as error:
        raise InputError("EDITOR", f"The editor cannot be run ({error.strerror}).") from None
    if status:
        raise InputError("EDITOR", f"The editor ended with status {status}.", where=str(copy))
    return copy.read_bytes()


@app.command("edit", epilog=example("advisory edit EX-2026-0001 --role legal --from mine.yaml"))
def edit(
    advisory: IdArgument,
    *,
    role: Annotated[str, typer.Option(help="As whom: engineering, legal or communications.")],
    source: Annotated[
        Path | None,
        typer.Option("--from", metavar="FILE", help="The changed file; your editor opens one if left out."),
    ] = None,
    by: Annotated[str | None, typer.Option(help="Who you are; the role if left out.")] = None,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Change fields that belong to your role; a change to any other is refused, with its line and owner."""
    opened = open_workspace(workspace)
    before = None
    if source is not None:
        data = files.read_bytes(source, what="changed file", mend="Check the path.")
    else:
        before = drafts.facts(opened, advisory, now=now())
        source = Path(tempfile.mkdtemp(prefix="tocsin-")) / f"{advisory}.yaml"
        data = _in_editor(before.file, source)
    try:
        done = editing.edit(
            opened,
            advisory,
            role,
            data,
            where=place_of(source),
            if_match=before.tag if before else "",
            by=by or role,
            now=now(),
        )
    except InputError as error:
        if before is not None:
            error.mend = f"{error.mend} Your edit is kept in {source}.".strip()
        raise

    def human(out: Console) -> None:
        for each in done.refused:
            line(out, f"{each.where}: {each.path} belongs to {each.owner}.")
        if done.refused:
            line(out, f"Refused: {len(done.refused)} fields are not {role}'s to change; nothing was written.")
        elif not done.changed:
            line(out, "Nothing was changed.")
        else:
            line(out, f"Took over {len(done.accepted)} fields: {', '.join(e.path for e in done.accepted)}.")

    emit(
        as_json,
        {
            "advisory": advisory,
            "role": role,
            "changed": done.changed and not done.refused,
            "accepted": list(done.accepted),
            "refused": list(done.refused),
        },
        human,
    )
    if done.refused:
        raise typer.Exit(1)
    if before is not None:
        source.unlink()
        source.parent.rmdir()


@app.command("edits", epilog=example("advisory edits EX-2026-0001"))
def edits(advisory: IdArgument, workspace: WorkspaceOption = None, *, as_json: JsonOption = False) -> None:
    """Show who changed which fields, and when."""
    rows: list[dict[str, Any]] = [
        {"at": each.at, "by": each.by, "role": each.role, "paths": list(each.paths)}
        for each in editing.edits(open_workspace(workspace), advisory)
    ]
    cells = [(utc(row["at"]), row["by"], row["role"], ", ".join(row["paths"]) or "-") for row in rows]
    emit(
        as_json,
        {"advisory": advisory, "edits": rows},
        lambda out: out.print(table(("at", "by", "role", "fields"), cells)),
    )
