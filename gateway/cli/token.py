"""``tocsin token``: who may ask the gateway over HTTP, and for what."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console

from gateway.cli.output import (
    AfterOption,
    ByOption,
    JsonOption,
    LimitOption,
    WorkspaceOption,
    emit,
    example,
    go_on,
    group,
    now,
    open_workspace,
    person,
    say,
    table,
    utc,
)
from gateway.core.rights import ROLES
from gateway.operations import tokens
from gateway.store.access import Token

app = group("Who may ask over HTTP, for how long, and for what.")


def register(parent: typer.Typer) -> None:
    """Add this module's commands to the application."""
    parent.add_typer(app, name="token")


@app.command("new", epilog=example("token new deploy --role operator --days 90 --scope rollout:read"))
def new(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Who uses it: stands in all that is recorded.")],
    *,
    role: Annotated[list[str], typer.Option(help=f"What it may do: {', '.join(ROLES)}; repeat it.")],
    scope: Annotated[
        list[str] | None,
        typer.Option(help="Narrow it to a right: rollout:read, rollout:* or *:read; repeat it."),
    ] = None,
    days: Annotated[int, typer.Option(help=f"That it counts; at most {tokens.DAYS_MAX}.")] = tokens.DAYS,
    account: Annotated[str | None, typer.Option(help="For this account's devices only.")] = None,
    by: ByOption = None,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make a token and show it, this once."""
    found = tokens.new(
        open_workspace(workspace),
        name,
        roles=role,
        scopes=scope or [],
        days=days,
        account=account,
        now=now(),
        by=person(by),
    )

    def human(out: Console) -> None:
        say(found.token)(out)
        say(f"Token {found.made.id} of {name} counts until {utc(found.made.expires)}.")(out)
        say("It is shown this once, and kept nowhere: put it where only its user can read it.")(out)

    emit(as_json, {"token": found.token, "made": found.made}, human)


def _stands(token: Token, at: int) -> str:
    if token.revoked is not None:
        return f"revoked {utc(token.revoked)}"
    if token.expires <= at:
        return "expired"
    soon = token.expires <= at + tokens.WARN_DAYS * tokens.DAY
    return f"until {utc(token.expires)}{', soon' if soon else ''}"


@app.command("list", epilog=example("token list"))
def list_(
    *,
    account: Annotated[str | None, typer.Option(help="Those of this account only.")] = None,
    limit: LimitOption = 100,
    after: AfterOption = "",
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """List tokens: what each may do, until when, and when it was used last."""
    found = tokens.list_(open_workspace(workspace), account=account, limit=limit, after=after)
    at = now()
    rows = [
        (
            token.id,
            token.name,
            " ".join(token.roles),
            " ".join(token.scopes) or "all of them",
            token.account or "-",
            _stands(token, at),
            utc(token.used),
        )
        for token in found.items
    ]

    def human(out: Console) -> None:
        out.print(table(("id", "name", "roles", "rights", "account", "counts", "used"), rows))
        go_on(found.next, out)

    emit(as_json, {"tokens": found.items, "next": found.next}, human)


@app.command("revoke", epilog=example("token revoke 3f9a0c2d4e5b6a71"))
def revoke(
    token: Annotated[str, typer.Argument(metavar="ID", help="Id of the token, from 'tocsin token list'.")],
    *,
    by: ByOption = None,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Let a token count no more, from now on."""
    found = tokens.revoke(open_workspace(workspace), token, now=now(), by=person(by))
    emit(as_json, {"token": found}, say(f"The token {found.id} of {found.name} counts no more."))
