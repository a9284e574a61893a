"""``tocsin advisory check``: what keeps an advisory from being approved."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from advisories.checks import RULES, Finding
from advisories.checks.explain import Explanation, explain
from advisories.checks.sarif import sarif
from gateway import files
from gateway.cli.advisory.app import app
from gateway.cli.output import (
    JsonOption,
    WorkspaceOption,
    emit,
    example,
    now,
    open_workspace,
)
from gateway.cli.own import is_afar, place_of
from gateway.operations.advisories import views
from gateway.operations.advisories.views import Report
from gateway.workspace.folder import Workspace
from keys.errors import InputError


@app.command("check", epilog=example("advisory check EX-2026-0001 --sarif checks.sarif"))
def check(
    source: Annotated[
        str | None, typer.Argument(metavar="ID|FILE", help="Advisory id, or a file of facts.")
    ] = None,
    *,
    only: Annotated[
        list[str] | None, typer.Option("--only", metavar="RULE", help="Look for this alone; may be repeated.")
    ] = None,
    why: Annotated[
        str | None, typer.Option("--explain", metavar="RULE", help="Say why a rule is there; check nothing.")
    ] = None,
    sarif_file: Annotated[
        Path | None, typer.Option("--sarif", metavar="FILE", help="Write the findings as SARIF 2.1.0 too.")
    ] = None,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Check an advisory as a compiler would; exit status 1 when something blocks approval."""
    if why is not None:
        said = explain(_known(why))
        emit(as_json, asdict(said), lambda out: _print_explanation(out, said))
        return
    if source is None:
        raise InputError("NO_ADVISORY", "No advisory is named.", mend="Name its id or its file.")
    wanted = {_known(name) for name in only or ()}
    is_file = "/" in source or source.endswith((".yaml", ".yml"))
    path, report = _checked(open_workspace(workspace), Path(source) if is_file else source)
    findings = [one for one in report.findings if not wanted or one.rule in wanted]
    if sarif_file is not None:
        made = json.dumps(sarif(findings, version=version("tocsin")), indent=2, ensure_ascii=False)
        if sarif_file.exists() and path is not None and sarif_file.samefile(path):
            raise InputError("NOT_REPLACED", "That is the advisory itself.", mend="Name another file.")
        files.require_replaceable(sarif_file)
        files.write_atomic(sarif_file, f"{made}\n".encode())
    blocking = sum(finding.severity == "block" for finding in findings)
    emit(
        as_json,
        {"advisory": report.advisory, "blocking": blocking, "findings": findings},
        lambda out: _print(out, report.advisory, findings, blocking),
    )
    if blocking:
        raise typer.Exit(1)


def _checked(opened: Workspace, source: Path | str) -> tuple[Path | None, Report]:
    """Return where the facts lie on this machine, if they do, and what the checks found."""
    if not is_afar():
        return views.checked(opened, source, now=now())
    if isinstance(source, str):
        return None, views.check(opened, source, now=now())
    data = files.read_bytes(source, what="advisory", mend="Check the path.")
    return source, views.check_file(opened, data, where=place_of(source), now=now())


def _known(name: str) -> str:
    if name not in RULES:
        message = f"There is no rule '{files.visible(name)}'."
        raise InputError("NO_RULE", message, mend=files.near(name, list(RULES)))
    return name


def _print(out: Console, advisory: str, findings: Sequence[Finding], blocking: int) -> None:
    for finding in findings:
        line = Text(files.visible(f"{finding.where}: "), style="bold")
        line.append(finding.severity, style="bold red" if finding.severity == "block" else "yellow")
        line.append(files.visible(f": {finding.message} {finding.mend} "), style="not bold")
        line.append(f"[{finding.rule}]", style="not bold dim")
        out.print(line)
    out.print(Text(f"{advisory}: {blocking} blocking, {len(findings) - blocking} advice."))


def _print_explanation(out: Console, said: Explanation) -> None:
    out.print(Text(f"{said.rule} ({said.level})", style="bold"))
    for line in (
        said.finds.replace("``", "'"),
        f"Practice {said.practice}: {said.practice_words}.",
        f"Why: {said.why}",
        f"Mend: {said.mend}",
        f"Bad: {said.bad}",
        f"Good: {said.good}",
    ):
        out.print(Text(line))
