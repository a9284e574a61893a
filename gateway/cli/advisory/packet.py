"""``tocsin advisory packet``: one file to mail to an approver."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from advisories import packet as pages
from advisories.compose import FACTS
from advisories.embargo import Channel
from advisories.facts import load_facts
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
from gateway.operations import advisories
from gateway.operations.advisories import packet as packets
from gateway.operations.advisories.embargo import require_may_leave
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
    time = now()
    reviewed = advisories.review(opened, advisory, now=time, restart=restart)
    known = advisories.roles_of(opened.trusted().root, reviewed.notice)
    if role not in known:
        message = f"'{role}' does not sign this notice."
        raise InputError("WRONG_ROLE", message, mend=f"Known: {', '.join(sorted(known))}.")
    facts = load_facts(reviewed.release.sources[FACTS], where=FACTS)
    # The desk shows everything, to the person at it; a file goes further.
    require_may_leave(opened, facts, Channel.OWN, now=time)
    if not reviewed.blocked:
        advisories.fix(opened, reviewed)
    data = pages.make(packets.packet(opened, reviewed, role, now=time)).encode()
    files.write_atomic(file, data)
    draft = " It is a draft: checks keep it from being approved." if reviewed.blocked else ""
    emit(
        as_json,
        {
            "advisory": advisory,
            "revision": reviewed.notice.revision,
            "role": role,
            "digest": reviewed.digest,
            "check_code": reviewed.code,
            "file": file,
            "bytes": len(data),
            "blocked": reviewed.blocked,
        },
        say(f"Wrote {file} for {role}: {advisory}, check code {reviewed.code}, {len(data)} bytes.{draft}"),
    )
