"""``tocsin advisory packet``: one file to mail to an approver."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from gateway import files
from gateway.cli.advisory.app import IdArgument, app
from gateway.cli.output import (
    JsonOption,
    WorkspaceOption,
    emit,
    example,
    now,
    open_workspace,
    say,
)
from gateway.operations.advisories import packet as packets
from keys.errors import InputError


@app.command("packet", epilog=example("advisory packet EX-2026-0001 --role legal EX-2026-0001-legal.html"))
def packet(
    advisory: IdArgument,
    file: Annotated[Path, typer.Argument(metavar="FILE.html", help="Where it is written.")],
    *,
    role: Annotated[str, typer.Option("--role", help="Whose packet it is, e.g. legal.")],
    restart: Annotated[
        bool, typer.Option("--restart", help="Leave the approvals so far aside and start over.")
    ] = False,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write all that an approver has to judge into one HTML file; it is fixed from then on."""
    opened = open_workspace(workspace)
    if file.suffix.lower() not in {".html", ".htm"}:
        # A packet is a page: whatever else is named here is a slip, and would be lost.
        raise InputError("BAD_VALUE", f"'{file.name}' is no name of a page.", mend="Name a file '....html'.")
    files.require_replaceable(file)
    page = packets.page(opened, advisory, role, now=now(), restart=restart)
    files.write_atomic(file, page.data)
    draft = " It is a draft: checks keep it from being approved." if page.blocked else ""
    emit(
        as_json,
        {
            "advisory": advisory,
            "revision": page.revision,
            "role": role,
            "digest": page.digest,
            "check_code": page.code,
            "file": file,
            "bytes": len(page.data),
            "blocked": page.blocked,
        },
        say(f"Wrote {file} for {role}: {advisory}, check code {page.code}, {len(page.data)} bytes.{draft}"),
    )
