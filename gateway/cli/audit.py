"""``tocsin audit``: the chain of all decisions and receipts, to read."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console

from gateway.cli.output import (
    JsonOption,
    WorkspaceOption,
    emit,
    example,
    group,
    open_workspace,
    say,
    table,
    utc,
)
from gateway.core.chain import canonical
from gateway.operations import audit

app = group("What was decided and received, in one chain that nobody can change unseen.")


def register(parent: typer.Typer) -> None:
    """Add this module's commands to the application."""
    parent.add_typer(app, name="audit")


@app.command("list", epilog=example("audit list --kind rollout. --limit 20"))
def list_(
    *,
    kind: Annotated[str, typer.Option(help="Only kinds that begin so.")] = "",
    limit: Annotated[int, typer.Option(min=1, max=1_000, help="Show at most so many.")] = 100,
    after: Annotated[str, typer.Option(help="Go on behind this row: what 'next' said.")] = "",
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """List rows of the audit chain, oldest first."""
    found = audit.rows(open_workspace(workspace), kind=kind, limit=limit, after=after)

    def human(out: Console) -> None:
        rows = [(row.index, utc(row.time), row.kind, canonical(row.data)) for row in found.items]
        out.print(table(("row", "time", "kind", "data"), rows))
        if found.next:
            say(f"There are more: go on with --after {found.next}")(out)

    emit(as_json, {"rows": found.items, "next": found.next}, human)


@app.callback()
def _group() -> None:
    """Keep ``audit`` a group, although it has one command."""
