"""``tocsin account``: customers who own devices; language, contact, tokens, webhooks, evidence are theirs."""

from __future__ import annotations

import re
from dataclasses import dataclass, fields, replace
from typing import Any, Final

from advisories.languages import is_language
from gateway import values
from gateway.operations.afar import operation
from gateway.store import access, audit
from gateway.store.access import Account, Contact
from gateway.workspace.entries import require_id
from gateway.workspace.folder import Workspace
from keys.errors import InputError

NAME_LETTERS_MAX: Final = 200
CONTACT_LETTERS_MAX: Final = 500  # of each of its parts
LANGUAGE_LETTERS_MAX: Final = 35
_ADDRESS: Final = re.compile(r"[^@\s]{1,64}@[^@\s]{1,189}")


@dataclass(frozen=True, slots=True)
class AccountView:
    """An account as people look at it."""

    id: str
    name: str
    language: str
    """In which it is written to (BCP 47)."""
    contact: Contact
    created: float
    """UTC seconds."""
    closed: float | None
    """UTC seconds since which none of its tokens counts; None: open."""
    tag: str
    """Changes with whatever is changed."""


@dataclass(frozen=True, slots=True)
class Accounts:
    """Some of the accounts, in the order of their ids."""

    items: tuple[AccountView, ...]
    next: str
    """What ``after`` has to be for those behind them; empty: there are no more."""


@dataclass(frozen=True, slots=True)
class Closed:
    """An account that was closed."""

    account: AccountView
    revoked: tuple[str, ...]
    """Ids of its tokens that counted until then."""


def _view(found: Account) -> AccountView:
    return AccountView(
        found.id, found.name, found.language, found.contact, found.created, found.closed, found.tag
    )


def _checked(account: Account) -> Account:
    require_id(account.id, "an account id")
    try:
        _check(account)
    except ValueError as error:
        raise InputError("BAD_VALUE", f"{error}.", mend="Say it otherwise.") from None
    return account


def _check(account: Account) -> None:
    """Raise ValueError, saying what is wrong, for what no list could show or no letter could use."""
    if len(values.a_text(account.name)) > NAME_LETTERS_MAX:
        raise ValueError(f"a name has at most {NAME_LETTERS_MAX} letters")
    for field in fields(Contact):
        said = getattr(account.contact, field.name)
        if said and len(values.a_text(said)) > CONTACT_LETTERS_MAX:
            raise ValueError(f"the {field.name} has at most {CONTACT_LETTERS_MAX} letters")
    if account.contact.email and not _ADDRESS.fullmatch(account.contact.email):
        raise ValueError(f"'{account.contact.email}' is not a mail address")
    if not is_language(account.language) or len(account.language) > LANGUAGE_LETTERS_MAX:
        raise ValueError(f"'{account.language[:64]}' is not a language such as 'en' or 'pt-BR'")


@operation("POST", "/accounts", right="account:manage", creates=True)
def add(
    workspace: Workspace,
    id: str,  # noqa: A002 - that is what it is called in a request
    *,
    name: str,
    now: int,
    by: str,
    language: str = "en",
    contact: Contact | None = None,
) -> AccountView:
    """Add an account.

    Raises:
        InputError: BAD_ID, BAD_VALUE, ACCOUNT_EXISTS.
    """
    account = _checked(Account(id, name, language, contact or Contact(), float(now), None))
    with workspace.lock(), workspace.store() as store, store.write() as session:
        if access.has_account(session, id):
            mend = "Choose another id, or change it with 'tocsin account set'."
            raise InputError("ACCOUNT_EXISTS", f"There is an account '{id}' already.", mend=mend)
        access.put_account(session, account)
        audit.append(session, "account.added", {"account": id, "by": by}, now)
    return _view(account)


@operation("GET", "/accounts", right="account:read")
def list_(workspace: Workspace, *, account: str | None = None, limit: int = 100, after: str = "") -> Accounts:
    """Return accounts, closed ones among them; only one where it is named."""
    with workspace.store() as store, store.read() as session:
        found = access.list_accounts(session, account=account, limit=limit + 1, after=after)
    more = found[limit - 1].id if len(found) > limit else ""
    return Accounts(tuple(map(_view, found[:limit])), more)


@operation("GET", "/accounts/{account}", right="account:read")
def show(workspace: Workspace, account: str) -> AccountView:
    """Return one account.

    Raises:
        InputError: ACCOUNT_UNKNOWN.
    """
    with workspace.store() as store, store.read() as session:
        return _view(access.get_account(session, account))


@operation("PUT", "/accounts/{account}", right="account:manage")
def set_(
    workspace: Workspace,
    account: str,
    *,
    now: int,
    by: str,
    name: str | None = None,
    language: str | None = None,
    contact: Contact | None = None,
    if_match: str = "",
) -> AccountView:
    """Change what is known of an account; what is left out stays as it is.

    Args:
        workspace: where.
        account: its id.
        now: UTC seconds.
        by: who changes it.
        name: of the customer.
        language: in which it is written to (BCP 47).
        contact: the whole of it.
        if_match: the tag of what was read; where it is another by now, nothing is changed.

    Raises:
        InputError: ACCOUNT_UNKNOWN, ACCOUNT_CLOSED, CHANGED_MEANWHILE, BAD_VALUE.
    """
    said: dict[str, Any] = {"name": name, "language": language, "contact": contact}
    wanted = {field: value for field, value in said.items() if value is not None}
    with workspace.lock(), workspace.store() as store, store.write() as session:
        found = access.get_account(session, account)
        if if_match and if_match != found.tag:
            message = f"The account '{account}' was changed meanwhile."
            raise InputError("CHANGED_MEANWHILE", message, mend="Read it again, and decide anew.")
        if found.closed is not None:
            raise InputError(
                "ACCOUNT_CLOSED", f"The account '{account}' is closed.", mend="Add another one instead."
            )
        changed = _checked(replace(found, **wanted))
        if changed != found:
            access.put_account(session, changed)
            # Which fields, never what they say: rows of the chain cannot be erased.
            about = {"account": account, "fields": sorted(wanted), "by": by}
            audit.append(session, "account.changed", about, now)
    return _view(changed)


@operation("DELETE", "/accounts/{account}", right="account:manage")
def close(workspace: Workspace, account: str, *, now: int, by: str, dry_run: bool = False) -> Closed:
    """Close an account: its tokens count no more. Closing it again changes nothing.

    Raises:
        InputError: ACCOUNT_UNKNOWN.
    """
    with workspace.lock(), workspace.store() as store:
        store.rehearsing = dry_run
        with store.write() as session:
            found = access.get_account(session, account)
            revoked: list[str] = []
            if found.closed is None:
                revoked = access.close_account(session, account, now)
                audit.append(
                    session, "account.closed", {"account": account, "tokens": revoked, "by": by}, now
                )
                found = access.get_account(session, account)
    return Closed(_view(found), tuple(revoked))
