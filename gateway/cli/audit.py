"""``tocsin audit``: the chain of all decisions and receipts, to read."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console

from gateway.cli.output import (
    JsonOption,
    LimitOption,
    WorkspaceOption,
    emit,
    example,
    go_on,
    group,
    now,
    open_workspace,
    say,
    table,
    utc,
)
from gateway.cli.times import moment
from gateway.core.chain import canonical
from gateway.operations import audit
from keys.errors import InputError

_SPANS = "mhdw"  # how a span ends: 90m, 24h, 7d, 2w

app = group("What was decided and received, in one chain that nobody can change unseen.")


def register(parent: typer.Typer) -> None:
    """Add this module's commands to the application."""
    parent.add_typer(app, name="audit")


@app.command("list", epilog=example("audit list --kind rollout. --limit 20"))
def list_(
    *,
    kind: Annotated[str, typer.Option(help="Only kinds that begin so.")] = "",
    since: Annotated[
        str | None, typer.Option(help="Only rows since then: 2026-11-24T09:00:00Z, or 24h, 7d ago.")
    ] = None,
    about: Annotated[
        str, typer.Option(help="Only rows about one matter: advisory:ID, patch:DIGEST, incident:ID, roots.")
    ] = "",
    limit: LimitOption = 100,
    after: Annotated[str, typer.Option(help="Go on behind this row: what 'next' said.")] = "",
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """List rows of the audit chain, oldest first."""
    found = audit.rows(
        open_workspace(workspace), kind=kind, since=_since(since), about=about, limit=limit, after=after
    )

    def human(out: Console) -> None:
        rows = [(row.index, utc(row.time), row.kind, canonical(row.data)) for row in found.items]
        out.print(table(("row", "time", "kind", "data"), rows))
        go_on(found.next, out)

    emit(as_json, {"rows": found.items, "next": found.next}, human)


def _since(typed: str | None) -> float | None:
    """Return UTC seconds of what was typed; a span counts back from now."""
    if typed is None:
        return None
    at = now()
    try:
        found = moment(typed, now=at).timestamp()
    except ValueError as error:
        mend = "Write 2026-11-24T09:00:00Z, 24h or 7d."
        raise InputError("BAD_VALUE", f"--since: {error}.", mend=mend) from None
    return 2 * at - found if typed.strip()[-1] in _SPANS else found


@app.command("show", epilog=example("audit show 12"))
def show(
    index: Annotated[int, typer.Argument(metavar="ROW", help="Its number, from 'tocsin audit list'.")],
    *,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show one row whole."""
    found = audit.show(open_workspace(workspace), index)

    def human(out: Console) -> None:
        say(f"Row {found.index} of {utc(found.time)}: {found.kind}")(out)
        for name, value in sorted(found.data.items()):
            say(f"  {name}: {value if isinstance(value, str) else canonical(value)}")(out)
        say(f"Hash {found.hash}")(out)

    emit(as_json, {"row": found}, human)


@app.command("check", epilog=example("audit check"))
def check(*, workspace: WorkspaceOption = None, as_json: JsonOption = False) -> None:
    """Check every hash of the chain, and that no head which was signed for the fleet is missing."""
    found = audit.check(open_workspace(workspace))

    def human(out: Console) -> None:
        say(f"The chain is whole: {found.rows} rows, head {found.head}.")(out)
        say(f"Signed timestamps vouch for rows 1 to {found.signed}.")(out)
        if found.strangers:
            say(
                f"{found.strangers} reports echo a head that is not in it: this gateway was set back, or its "
                "chain was changed. Compare it with a copy."
            )(out)

    emit(as_json, {"check": found}, human)
