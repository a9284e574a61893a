"""``tocsin incident draft``: reports to authorities, which Legal alone signs."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from gateway.cli.incident.app import IncidentArgument, RegimeOption, StepOption, app
from gateway.cli.incident.draft_afar import Afar
from gateway.cli.output import (
    JsonOption,
    WorkspaceOption,
    ask_passphrase,
    confirm,
    console,
    emit,
    example,
    now,
    open_workspace,
    say,
)
from gateway.cli.own import is_afar
from gateway.cli.show import line
from gateway.operations.incidents import drafts
from gateway.workspace.folder import Workspace
from keys.errors import InputError, RefusedError


@app.command(
    "draft",
    epilog=example("incident draft INC-2026-0001 --regime eu-cra-14-exploited --step early-warning"),
)
def draft(
    incident: IncidentArgument,
    *,
    regime: RegimeOption,
    step: StepOption,
    out: Annotated[
        Path | None, typer.Option("--out", help="File for the text; in the workspace if left out.")
    ] = None,
    restart: Annotated[
        bool, typer.Option("--restart", help="Write it anew; edits and a signature are lost.")
    ] = False,
    sign: Annotated[
        str | None,
        typer.Option("--sign", help="Approve the draft, as it lies there, with this key of Legal."),
    ] = None,
    verify: Annotated[
        bool, typer.Option("--verify", help="Say whether Legal signed it; exit status 1 if not.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Sign without asking; you have read it.")] = False,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write a report to an authority from what is known; what is missing is named, never made up."""
    if verify and (sign or restart):
        raise InputError("USAGE", "--verify changes nothing.", mend="Leave --sign and --restart away.")
    opened = open_workspace(workspace)
    if is_afar():
        afar = Afar(opened, (incident, regime, step), out, as_json)
        if verify:
            afar.verify()
        elif sign is None:
            afar.write(restart=restart)
        else:
            afar.sign(sign, workspace, restart=restart, yes=yes)
        return
    where = drafts.place(opened, incident, regime, step, out)
    if verify:
        _verify(opened, where, as_json=as_json)
    elif sign is None:
        _write(opened, where, restart=restart, as_json=as_json)
    else:
        _sign(opened, where, sign, restart=restart, yes=yes, as_json=as_json)


def _write(workspace: Workspace, where: drafts.Place, *, restart: bool, as_json: bool) -> None:
    made = drafts.write(workspace, where, now=now(), restart=restart)

    def human(out: Console) -> None:
        line(out, f"Wrote {where.path} and {where.data}.")
        for entry in made.entries:
            if not entry.lines:
                line(out, f"missing: {entry.label} ({entry.item}): {entry.asks}")
        line(out, "Next: fill in what is missing, then Legal signs it with --sign KEY.")

    emit(
        as_json,
        {
            "incident": where.incident,
            "regime": where.regime.id,
            "step": where.step.id,
            "file": where.path,
            "data": where.data,
            "missing": list(made.missing),
        },
        human,
    )


def _sign(
    workspace: Workspace, where: drafts.Place, key: str, *, restart: bool, yes: bool, as_json: bool
) -> None:
    drafts.require_legal(workspace, key)
    if restart or not where.path.exists():
        drafts.write(workspace, where, now=now(), restart=restart)
    data = drafts.read(where)
    if not as_json:
        line(console(), data.decode(errors="backslashreplace"))
    confirm(f"Sign exactly this as {key}?", yes=yes)
    said = drafts.sign(workspace, where, data, key, ask_passphrase, now=now())
    emit(
        as_json,
        {
            "incident": where.incident,
            "regime": where.regime.id,
            "step": where.step.id,
            "file": where.path,
            "signature": where.seal,
            "digest": said.digest,
            "holder": said.holder,
        },
        say(f"{said.holder} signed {where.path}: SHA-256 {said.digest}."),
    )


def _verify(workspace: Workspace, where: drafts.Place, *, as_json: bool) -> None:
    data = {"file": where.path, "digest": sha256(drafts.read(where)).hexdigest()}
    try:
        signed = drafts.verify(workspace, where)
    except RefusedError as error:
        emit(
            as_json,
            {**data, "genuine": False, "reason": error.code, "holder": None},
            say(f"{where.path}: not what Legal signed ({error.code}: {error.detail})."),
        )
        raise typer.Exit(1) from None
    emit(
        as_json,
        {**data, "genuine": True, "reason": "OK", "holder": signed.holder},
        say(f"{where.path}: genuine, signed by {signed.holder} ({', '.join(signed.roles)})."),
    )
