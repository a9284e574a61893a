"""``tocsin token``: who may ask over HTTP, for how long, and for what."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from gateway.core import rights
from gateway.core.rights import Caller
from gateway.operations.afar import operation
from gateway.store import access, audit
from gateway.store.access import Token
from gateway.store.engine import Session
from gateway.store.events import person
from gateway.store.rolling import SCHEDULER
from gateway.workspace.folder import Workspace
from keys.errors import InputError

DAY: Final = 86_400  # seconds
DAYS: Final = 90  # that a token counts, unless told otherwise
DAYS_MAX: Final = 366
NAME_BYTES_MAX: Final = 64
WARN_DAYS: Final = 14  # before its end at which a token is warned of
_SECRET_BYTES: Final = 32
_MARK: Final = "tocsin_"  # by which a token that leaked into a file is found


@dataclass(frozen=True, slots=True)
class NewToken:
    """A token that was just made: the only time it is shown."""

    token: str
    made: Token


@dataclass(frozen=True, slots=True)
class Tokens:
    """Some of the tokens, in the order of their ids."""

    items: tuple[Token, ...]
    next: str
    """What ``after`` has to be for those behind them; empty: there are no more."""


@operation("POST", "/tokens", right="token:manage", creates=True, secret=True)
def new(
    workspace: Workspace,
    name: str,
    *,
    roles: Sequence[str],
    now: int,
    by: str,
    scopes: Sequence[str] = (),
    days: int = DAYS,
    account: str | None = None,
    asker: Caller | None = None,
) -> NewToken:
    """Make a token.

    Args:
        workspace: where.
        name: of the person or program that uses it; stands in everything that is done with it.
        roles: what it may do, by role.
        now: UTC seconds.
        by: who makes it.
        scopes: rights or patterns of rights to which it is narrowed; none: all of its roles.
        days: that it counts, 1 to 366.
        account: whose devices it is for; None: the whole fleet.
        asker: whose token asks; nobody gives rights that he does not have, or the name of another. None: who
            works in the workspace's folder, and may let a token take the place of another.

    Raises:
        InputError: BAD_ROLE, BAD_SCOPE, BAD_VALUE, ACCOUNT_UNKNOWN, ACCOUNT_CLOSED, FORBIDDEN, NAME_TAKEN.
    """
    person(name, "the name", bytes_max=NAME_BYTES_MAX)
    known, narrowed = rights.check(roles, scopes)
    if not 1 <= days <= DAYS_MAX:
        raise InputError("BAD_VALUE", f"A token counts 1 to {DAYS_MAX} days.", mend="Give other --days.")
    if asker is not None and not asker.may_give(rights.rights_of(known, narrowed), account):
        mend = "Ask for less, or let somebody make it who has them."
        raise InputError("FORBIDDEN", "It would have rights that your own token lacks.", mend=mend)
    secret = _MARK + secrets.token_urlsafe(_SECRET_BYTES)
    made = Token(
        secrets.token_hex(8), name, known, narrowed, account, float(now), float(now + days * DAY), None, None
    )
    own = asker is None or asker.name == name
    if not own:  # a look at a long chain, while nobody waits for it
        with workspace.store() as store, store.read() as session:
            if access.has_acted(session, name):
                raise _taken()
    with workspace.lock(), workspace.store() as store, store.write() as session:
        if not own and (name.casefold() == SCHEDULER or access.is_named(session, name)):
            raise _taken()
        if account is not None:
            _require_open(session, account)
        access.add_token(session, made, access.digest_of(secret))
        about = {
            "token": made.id,
            "name": name,
            "roles": list(known),
            "scopes": list(narrowed),
            "account": account,
            "expires": made.expires,
            "by": by,
        }
        audit.append(session, "token.made", about, now)
    return NewToken(secret, made)


@operation("GET", "/tokens", right="token:read")
def list_(workspace: Workspace, *, account: str | None = None, limit: int = 100, after: str = "") -> Tokens:
    """Return tokens, those that no longer count among them."""
    with workspace.store() as store, store.read() as session:
        found = access.list_tokens(session, account=account, limit=limit + 1, after=after)
    more = found[limit - 1].id if len(found) > limit else ""
    return Tokens(tuple(found[:limit]), more)


@operation("DELETE", "/tokens/{token}", right="token:manage")
def revoke(workspace: Workspace, token: str, *, now: int, by: str, account: str | None = None) -> Token:
    """Let a token count no more, from this moment on; revoking it again changes nothing.

    Raises:
        InputError: TOKEN_UNKNOWN.
    """
    with workspace.lock(), workspace.store() as store, store.write() as session:
        found = access.get_token(session, token, account)
        if found.revoked is None:
            access.revoke_token(session, found.id, now)
            audit.append(session, "token.revoked", {"token": found.id, "by": by}, now)
        return access.get_token(session, token)


@operation("GET", "/tokens/ending", right="token:read")
def ending(workspace: Workspace, *, now: int, days: int = WARN_DAYS) -> list[Token]:
    """Return the tokens that still count and will have expired in so many days."""
    with workspace.store() as store, store.read() as session:
        return access.ending_tokens(session, now, now + days * DAY)


def _taken() -> InputError:
    mend = "Give another; on the gateway's machine a token may have the name of one before it."
    return InputError("NAME_TAKEN", "Somebody else acts, or acted, under this name.", mend=mend)


def _require_open(session: Session, account: str) -> None:
    """Refuse an account that is not, or is no longer (InputError: ACCOUNT_UNKNOWN, ACCOUNT_CLOSED)."""
    if access.get_account(session, account).closed is not None:
        message = f"The account '{account}' is closed."
        raise InputError("ACCOUNT_CLOSED", message, mend="Add another with 'tocsin account add'.")
