"""``tocsin evidence``: who was told what, as one file that proves itself to others."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from gateway.cli.output import (
    JsonOption,
    WorkspaceOption,
    ask_passphrase,
    emit,
    example,
    group,
    now,
    open_workspace,
    person,
    say,
)
from gateway.operations import afar
from gateway.operations.evidence.exporting import download, export
from gateway.operations.evidence.placing import placed, require_place
from gateway.workspace.folder import Workspace
from keys.errors import InputError

app = group("Evidence for regulators, courts and customers.")


def register(parent: typer.Typer) -> None:
    """Add this module's commands to the application."""
    parent.add_typer(app, name="evidence")


@app.command("export", epilog=example("evidence export EX-2026-0001 -o evidence.zip"))
def export_(
    advisory: Annotated[str, typer.Argument(metavar="ADVISORY", help="Whose evidence; it was published.")],
    *,
    output: Annotated[Path, typer.Option("--output", "-o", help="The file to write.")],
    account: Annotated[
        str | None, typer.Option(help="Only the devices of this account; all others by digest only.")
    ] = None,
    key: Annotated[
        str | None,
        typer.Option(help="Name of an operator key that signs what the file holds; the proof needs none."),
    ] = None,
    by: Annotated[
        str | None, typer.Option(help="Who asks for it; the user of this machine if left out.")
    ] = None,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write documents, approvals, reports and the audit chain into one file; 'tocsin verify' proves it."""
    opened = open_workspace(workspace)
    if isinstance(opened, afar.Server):
        _from_server(opened, advisory, output, account=account, key=key, as_json=as_json)
        return
    operator = None if key is None else (key, opened.signer(key, ask_passphrase))
    found = export(opened, advisory, output, now=now(), by=person(by), account=account, operator=operator)

    def human(out: Console) -> None:
        say(f"{found.file}: {found.bytes} bytes, {found.reports} reports of {found.devices} devices")(out)
        say(
            f"It covers rows 1 to {found.rows} of the audit chain; row {found.row} records that it was made."
        )(out)
        say(f"Digest {found.digest}")(out)
        if found.signed_by is not None:
            say(f"Signed with {found.signed_by}.")(out)

    emit(as_json, {"exported": found}, human)


def _from_server(
    opened: Workspace, advisory: str, output: Path, *, account: str | None, key: str | None, as_json: bool
) -> None:
    """Fetch what the gateway elsewhere exports; who asked is the holder of the token."""
    if key is not None:
        message = "--key signs where the workspace is, and --server works elsewhere."
        raise InputError("USAGE", message, mend="Leave one of them out.")
    require_place(output)  # before the gateway records that it was given out
    data = download(opened, advisory, account=account, now=now(), by="")
    with placed(output) as stream:
        stream.write(data)
    emit(
        as_json,
        {"exported": {"file": output, "bytes": len(data), "advisory": advisory, "account": account}},
        say(f"{output}: {len(data)} bytes; 'tocsin verify' proves it"),
    )


@app.callback()
def _group() -> None:
    """Keep ``evidence`` a group, although it has one command."""
