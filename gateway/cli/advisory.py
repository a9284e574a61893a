"""``tocsin advisory``: write, check, approve, publish and look at an advisory."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from advisories.limits import NOTICE_TEXT_BYTES_MAX
from advisories.notice import Text
from gateway.cli.output import (
    DryRunOption,
    JsonOption,
    KeyOption,
    LeaveBehindOption,
    OperatorKeyOption,
    WorkspaceOption,
    ask_passphrase,
    confirm,
    emit,
    example,
    group,
    now,
    open_workspace,
    say,
)
from gateway.cli.show import approvals_data, next_step, notice_data, print_approvals, print_notice
from gateway.service.operations import advisories, template
from gateway.service.operations.trust.keys import signer_for
from keys.codec import load

app = group("What owners are told.")
IdArgument = Annotated[str, typer.Argument(metavar="ID", help="Advisory id, e.g. EX-2026-0001.")]


def register(parent: typer.Typer) -> None:
    """Add this module's commands to the application."""
    parent.add_typer(app, name="advisory")


@app.command("new", epilog=example("advisory new EX-2026-0001"))
def new(
    source: Annotated[
        str, typer.Argument(metavar="FILE|ID", help="A file of facts to take over, or the id of a new one.")
    ],
    workspace: WorkspaceOption = None,
    *,
    as_json: JsonOption = False,
) -> None:
    """Begin an advisory: take over a file of facts, or write a new one to fill in."""
    opened = open_workspace(workspace)
    if "/" in source or source.endswith((".yaml", ".yml")):
        path = advisories.add(opened, Path(source))
    else:
        path = advisories.draft(opened, source, template.advisory(opened, source))
    emit(
        as_json,
        {"advisory": path.stem, "path": path},
        say(f"Wrote {path}. Next: tocsin advisory check {path.stem}."),
    )


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


def _texts(reviewed: advisories.Review) -> dict[str, Text]:
    found = reviewed.release.texts.items()
    return {language: load(Text, data, size_max=NOTICE_TEXT_BYTES_MAX) for language, data in found}


def _data(reviewed: advisories.Review) -> dict[str, Any]:
    outputs = sorted(reviewed.release.outputs)
    return {
        **notice_data(reviewed.notice, reviewed.digest, _texts(reviewed), outputs),
        **approvals_data(reviewed.approvals),
    }


def _print(reviewed: advisories.Review, out: Console) -> None:
    outputs = sorted(reviewed.release.outputs)
    print_notice(out, reviewed.notice, reviewed.digest, _texts(reviewed), outputs)
    print_approvals(out, reviewed.approvals)


@app.command("approve", epilog=example("advisory approve EX-2026-0001 --key legal-1"))
def approve(
    advisory: IdArgument,
    *,
    key: KeyOption,
    yes: Annotated[bool, typer.Option("--yes", help="Sign without asking; you have read it.")] = False,
    restart: Annotated[
        bool, typer.Option("--restart", help="Leave the approvals so far aside and start over.")
    ] = False,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show exactly what is signed, then sign it with one role's key."""
    opened = open_workspace(workspace)
    reviewed = advisories.review(opened, advisory, now=now(), restart=restart)
    if not as_json:
        emit(as_json, {}, lambda out: _print(reviewed, out))
    confirm(f"Sign these exact bytes with the key {key}?", yes=yes)
    done = advisories.approve(opened, reviewed, key, ask_passphrase)
    rest = next_step(done.approvals, f"tocsin advisory publish {advisory}")
    emit(as_json, _data(done), say(f"{key} approved {advisory} revision {done.notice.revision}; {rest}."))


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


@app.command("show", epilog=example("advisory show EX-2026-0001"))
def show(advisory: IdArgument, workspace: WorkspaceOption = None, *, as_json: JsonOption = False) -> None:
    """Show what an approval signs, and who signed so far."""
    reviewed = advisories.review(open_workspace(workspace), advisory, now=now())
    emit(as_json, _data(reviewed), lambda out: _print(reviewed, out))
