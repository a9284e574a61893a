"""``tocsin call``: calls to customers about an advisory, and what came of them."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from advisories.languages import fallback
from advisories.learning.calls import Call, Made, Outcome
from gateway import files
from gateway.cli.advisory.app import IdArgument
from gateway.cli.output import (
    JsonOption,
    WorkspaceOption,
    emit,
    example,
    group,
    now,
    open_workspace,
    say,
    table,
    utc,
)
from gateway.operations.learning import calls
from gateway.store import events

app = group("Calls to customers: who is next, what to say first, and what came of it.")


def register(parent: typer.Typer) -> None:
    """Add this module's commands to the application."""
    parent.add_typer(app, name="call")


@app.command("list", epilog=example("call list EX-2026-0001 --customers customers.csv"))
def list_(
    advisory: IdArgument,
    *,
    customers: Annotated[
        Path, typer.Option("--customers", help="CSV: customer, name, phone, language, products, key.")
    ],
    waiting: Annotated[
        bool, typer.Option("--waiting", help="Only those who are still to be called.")
    ] = False,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """List whom to call, key customers first, with what to say first in their language."""
    opened = open_workspace(workspace)
    listed = calls.listed(opened, advisory, customers)
    found, words = listed.calls, listed.words
    for name in listed.unknown:  # a slip of the pen would leave somebody out in silence
        mend = files.near(name, list(listed.registered))
        message = f"warning: nobody registered a product '{name}'; whoever has no other is not called. {mend}"
        sys.stderr.write(f"{files.visible(message)}\n")
    shown = [call for call in found if not (waiting and call.done)]

    def human(out: Console) -> None:
        rows = (
            (
                files.visible(call.customer.customer),
                files.visible(call.customer.name),
                files.visible(call.customer.phone),
                call.outcome.value if call.outcome else "not called",
                len(call.calls),
                _first(call, words),
            )
            for call in shown
        )
        out.print(table(("customer", "name", "phone", "outcome", "calls", "say first"), rows))
        done = sum(call.done for call in found)
        out.print(f"{done} of {len(found)} done.", markup=False)

    emit(
        as_json,
        {
            "advisory": advisory,
            "calls": [_data(call, words) for call in shown],
            "unknown_products": list(listed.unknown),
        },
        human,
    )


@app.command("record", epilog=example("call record EX-2026-0001 C-1001 reached --by NAME"))
def record(
    advisory: IdArgument,
    customer: Annotated[str, typer.Argument(metavar="CUSTOMER", help="Number of the customer in the file.")],
    outcome: Annotated[Outcome, typer.Argument(help="What came of it.")],
    *,
    by: Annotated[str, typer.Option("--by", metavar="NAME", help="Who called.")],
    note: Annotated[str | None, typer.Option(help="What they asked or wished for.")] = None,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Keep what came of a call. Customers spoken to before the notice is approved are reported."""
    made = events.made(Made, {"customer": customer, "outcome": outcome, "note": note})
    broken = calls.record(open_workspace(workspace), advisory, made, by=by, now=now())
    early = f" Out of order: {broken.message} [{broken.code}]" if broken else ""
    emit(
        as_json,
        {
            "advisory": advisory,
            **made.model_dump(mode="json"),
            "violation": {"code": broken.code, "message": broken.message} if broken else None,
        },
        say(f"Kept: {customer} {outcome.value}.{early}"),
    )


def _first(call: Call, words: dict[str, str]) -> str:
    language = fallback((call.customer.language,), words)
    return words[language] if language else ""


def _data(call: Call, words: dict[str, str]) -> dict[str, Any]:
    customer = call.customer
    return {
        "customer": customer.customer,
        "name": customer.name,
        "phone": customer.phone,
        "language": customer.language,
        "key": customer.key,
        "outcome": call.outcome.value if call.outcome else None,
        "done": call.done,
        "calls": [
            {"at": utc(each.at), "by": each.by, **made.model_dump(mode="json")} for each, made in call.calls
        ],
        "say_first": _first(call, words),
    }
