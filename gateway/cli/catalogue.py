"""``tocsin catalogue``: renew what says what is current, before it expires."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console

from gateway.cli.output import (
    JsonOption,
    LeaveBehindOption,
    OperatorKeyOption,
    WorkspaceOption,
    emit,
    example,
    group,
    now,
    open_workspace,
    utc,
)
from gateway.cli.signing import AgreeOption, agreed, role_signer
from gateway.operations import catalogues

app = group("What is current.")


def register(parent: typer.Typer) -> None:
    """Add this module's commands to the application."""
    parent.add_typer(app, name="catalogue")


# A callback makes 'renew' a command of its group although it is the only one.
@app.callback()
def _group() -> None:
    """What is current."""


@app.command("renew", epilog=example("catalogue renew thermostat"))
def renew(
    product: Annotated[
        str | None, typer.Argument(metavar="PRODUCT", help="Whose catalogue; all of them if left out.")
    ] = None,
    *,
    key: OperatorKeyOption = None,
    leave_behind: LeaveBehindOption = False,
    yes: AgreeOption = False,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Sign catalogues anew, with the same entries and 30 more days; the operator signs."""
    opened = open_workspace(workspace)
    operator = role_signer(opened, workspace, "operator", key)
    renewed = catalogues.renew(
        opened,
        operator,
        now=now(),
        product=product,
        leave_behind=leave_behind,
        agree=agreed(yes=yes, as_json=as_json),
    )

    def human(console: Console) -> None:
        for body in renewed:
            until = utc(body.expires)
            console.print(f"The catalogue of {body.subject[0]} is renewed until {until}.", markup=False)

    rows = [
        {"product": body.subject[0], "version": body.version, "expires": body.expires} for body in renewed
    ]
    emit(as_json, {"catalogues": rows}, human)
