"""``tocsin preparedness``: whether this maker could speak tomorrow."""

from __future__ import annotations

from itertools import groupby

import typer
from rich.console import Console

from gateway.cli.output import JsonOption, WorkspaceOption, emit, example, now, open_workspace
from gateway.operations.learning import preparedness


def register(parent: typer.Typer) -> None:
    """Add this module's command to the application."""
    parent.command("preparedness", epilog=example("preparedness"))(preparedness_)


def preparedness_(workspace: WorkspaceOption = None, *, as_json: JsonOption = False) -> None:
    """Score contacts, templates, translators and keys.

    Exit status 1 while a role has one holder or none, or while a notice needs no signature of Legal or of
    Communications.
    """
    found = preparedness.look(open_workspace(workspace), now=now())

    def human(out: Console) -> None:
        for area, rows in groupby(found.rows, key=lambda row: row.area):
            out.print(area, markup=False)
            for row in rows:
                mark = "ok  " if row.ready else "FAIL" if row.fails else "lack"
                mend = "" if row.ready else f". {row.mend}"
                out.print(f"  {mark}  {row.what}{mend}", markup=False, soft_wrap=True)
        verdict = "it fails where it says FAIL" if found.failed else "nothing fails"
        out.print(f"{found.score} of 100; {verdict}.", markup=False)

    emit(as_json, {"score": found.score, "failed": found.failed, "rows": list(found.rows)}, human)
    if found.failed:
        raise typer.Exit(1)
