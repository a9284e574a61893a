"""``tocsin account``: customers who own devices."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Annotated

import typer
from rich.console import Console

from gateway.cli.output import (
    AfterOption,
    ByOption,
    DryRunOption,
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
from gateway.operations import accounts
from gateway.operations.accounts import AccountView
from gateway.store.access import Contact

app = group("Customers who own devices: each with its own language, contact and tokens.")
AccountArgument = Annotated[str, typer.Argument(metavar="ACCOUNT", help="Id of the account.")]
NameOption = Annotated[str | None, typer.Option(help="What the customer is called.")]
LanguageOption = Annotated[str | None, typer.Option(help="In which it is written to (BCP 47).")]
PersonOption = Annotated[str | None, typer.Option("--contact", help="Who is written to there.")]
EmailOption = Annotated[str | None, typer.Option(help="Address for mail.")]
PhoneOption = Annotated[str | None, typer.Option(help="Number for calls.")]
AddressOption = Annotated[str | None, typer.Option(help="Address for letters.")]


def register(parent: typer.Typer) -> None:
    """Add this module's commands to the application."""
    parent.add_typer(app, name="account")


def _contact(
    before: Contact, name: str | None, email: str | None, phone: str | None, address: str | None
) -> Contact:
    said = {"person": name, "email": email, "phone": phone, "address": address}
    return replace(before, **{field: value for field, value in said.items() if value is not None})


@app.command("add", epilog=example("account add example-gmbh --name 'Example GmbH' --language de"))
def add(
    account: Annotated[str, typer.Argument(metavar="ACCOUNT", help="Id: letters, digits, hyphens.")],
    *,
    name: NameOption = None,
    language: LanguageOption = None,
    contact: PersonOption = None,
    email: EmailOption = None,
    phone: PhoneOption = None,
    address: AddressOption = None,
    by: ByOption = None,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Add an account."""
    found = accounts.add(
        open_workspace(workspace),
        account,
        name=name or account,
        language=language or "en",
        contact=_contact(Contact(), contact, email, phone, address),
        now=now(),
        by=person(by),
    )
    emit(as_json, {"account": found}, say(f"Added the account {found.id} in {found.language}."))


@app.command("list", epilog=example("account list"))
def list_(
    *,
    limit: LimitOption = 100,
    after: AfterOption = "",
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the accounts."""
    found = accounts.list_(open_workspace(workspace), limit=limit, after=after)
    rows = [
        (a.id, a.name, a.language, "open" if a.closed is None else f"closed {utc(a.closed)}")
        for a in found.items
    ]

    def human(out: Console) -> None:
        out.print(table(("account", "name", "language", "stands"), rows))
        go_on(found.next, out)

    emit(as_json, {"accounts": found.items, "next": found.next}, human)


def _print(found: AccountView, out: Console) -> None:
    rows = (
        ("name", found.name),
        ("language", found.language),
        *((field.name, getattr(found.contact, field.name) or "-") for field in fields(Contact)),
        ("since", utc(found.created)),
        ("closed", utc(found.closed)),
    )
    out.print(table((found.id, ""), rows))


@app.command("show", epilog=example("account show example-gmbh"))
def show(account: AccountArgument, *, workspace: WorkspaceOption = None, as_json: JsonOption = False) -> None:
    """Show an account."""
    found = accounts.show(open_workspace(workspace), account)
    emit(as_json, {"account": found}, lambda out: _print(found, out))


@app.command("set", epilog=example("account set example-gmbh --email security@example.com"))
def set_(
    account: AccountArgument,
    *,
    name: NameOption = None,
    language: LanguageOption = None,
    contact: PersonOption = None,
    email: EmailOption = None,
    phone: PhoneOption = None,
    address: AddressOption = None,
    by: ByOption = None,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Change what is known of an account; what is left out stays as it is."""
    opened = open_workspace(workspace)
    before = accounts.show(opened, account)
    found = accounts.set_(
        opened,
        account,
        name=name,
        language=language,
        contact=_contact(before.contact, contact, email, phone, address),
        if_match=before.tag,
        now=now(),
        by=person(by),
    )
    emit(as_json, {"account": found}, lambda out: _print(found, out))


@app.command("close", epilog=example("account close example-gmbh --dry-run"))
def close(
    account: AccountArgument,
    *,
    by: ByOption = None,
    dry_run: DryRunOption = False,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Close an account: its tokens count no more."""
    found = accounts.close(open_workspace(workspace), account, now=now(), by=person(by), dry_run=dry_run)
    many = len(found.revoked)
    done = "would be" if dry_run else "is"
    also = f", and {many} of its tokens {'count' if many != 1 else 'counts'} no more" if many else ""
    emit(
        as_json,
        {"account": found.account, "revoked": found.revoked, "dry_run": dry_run},
        say(f"The account {account} {done} closed{also}."),
    )
