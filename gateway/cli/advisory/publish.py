"""``tocsin advisory publish``: to the devices."""

from __future__ import annotations

from rich.console import Console

from gateway.cli.advisory.app import IdArgument, app
from gateway.cli.output import (
    DryRunOption,
    JsonOption,
    LeaveBehindOption,
    OperatorKeyOption,
    WorkspaceOption,
    ask_passphrase,
    emit,
    example,
    now,
    open_workspace,
)
from gateway.operations import advisories
from gateway.operations.trust.keys import signer_for


@app.command("publish", epilog=example("advisory publish EX-2026-0001 --dry-run"))
def publish(
    advisory: IdArgument,
    *,
    dry_run: DryRunOption = False,
    leave_behind: LeaveBehindOption = False,
    key: OperatorKeyOption = None,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Publish the approved revision; the operator signs the catalogues that list it."""
    opened = open_workspace(workspace)
    operator = signer_for(opened, "operator", ask_passphrase, key)
    done = advisories.publish(
        opened, advisory, operator, now=now(), dry_run=dry_run, leave_behind=leave_behind
    )
    notice = done.notice

    def human(out: Console) -> None:
        verb = "would be published" if dry_run else "is published" if done.changed else "was published before"
        out.print(f"{notice.id} revision {notice.revision} {verb}: digest {done.digest.hex()}", markup=False)
        for topic in done.topics:
            out.print(f"  {topic}", markup=False)

    emit(
        as_json,
        {
            "advisory": notice.id,
            "revision": notice.revision,
            "digest": done.digest,
            "topics": list(done.topics),
            "changed": done.changed and not dry_run,
            "dry_run": dry_run,
        },
        human,
    )
