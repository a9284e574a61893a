"""``tocsin advisory approve`` and ``show``: what is signed, and by whom."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from rich.console import Console

from advisories.limits import NOTICE_TEXT_BYTES_MAX
from advisories.notice import Text
from gateway.cli.advisory.app import IdArgument, app
from gateway.cli.output import (
    JsonOption,
    KeyOption,
    WorkspaceOption,
    ask_passphrase,
    confirm,
    emit,
    example,
    now,
    open_workspace,
    say,
)
from gateway.cli.show import approvals_data, next_step, notice_data, print_approvals, print_notice
from gateway.service.operations import advisories
from keys.codec import load


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


@app.command("show", epilog=example("advisory show EX-2026-0001"))
def show(advisory: IdArgument, workspace: WorkspaceOption = None, *, as_json: JsonOption = False) -> None:
    """Show what an approval signs, and who signed so far."""
    reviewed = advisories.review(open_workspace(workspace), advisory, now=now())
    emit(as_json, _data(reviewed), lambda out: _print(reviewed, out))
