"""``tocsin advisory check``: what keeps an advisory from being approved."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from gateway.cli.advisory.app import app
from gateway.cli.output import (
    JsonOption,
    WorkspaceOption,
    emit,
    example,
    open_workspace,
)
from gateway.service.operations import advisories


@app.command("check", epilog=example("advisory check EX-2026-0001"))
def check(
    source: Annotated[str, typer.Argument(metavar="ID|FILE", help="Advisory id, or a file of facts.")],
    workspace: WorkspaceOption = None,
    *,
    as_json: JsonOption = False,
) -> None:
    """Check an advisory as a compiler would; exit status 1 when something blocks approval."""
    is_file = "/" in source or source.endswith((".yaml", ".yml"))
    checked = advisories.load(open_workspace(workspace), Path(source) if is_file else source)
    blocking = sum(finding.severity == "block" for finding in checked.findings)

    def human(out: Console) -> None:
        for finding in checked.findings:
            mend = f" {finding.mend}" if finding.mend else ""
            line = f"{finding.where}: {finding.severity}: {finding.message}{mend} [{finding.rule}]"
            out.print(line, markup=False)
        advice = len(checked.findings) - blocking
        out.print(f"{checked.facts.id}: {blocking} blocking, {advice} advice.", markup=False)

    emit(
        as_json,
        {"advisory": checked.facts.id, "blocking": blocking, "findings": list(checked.findings)},
        human,
    )
    if blocking:
        raise typer.Exit(1)
