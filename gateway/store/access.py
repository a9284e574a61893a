"""Who may ask, for whom, and what was answered: accounts, tokens by their digest, requests by their key."""

from __future__ import annotations

import hashlib
import hmac
import json
from dataclasses import asdict, dataclass
from typing import Final

import sqlalchemy as sa

from gateway.core.chain import canonical
from gateway.core.rights import Caller, rights_of
from gateway.store import schema
from gateway.store.engine import Session
from keys.errors import InputError

REQUEST_SECONDS: Final = 86_400  # for which an answer is kept under its key
_HOUR: Final = 3_600
_ROW_COLUMNS: Final = ("id", "name", "roles", "scopes", "account", "created", "expires", "revoked", "used")


@dataclass(frozen=True, slots=True)
class Contact:
    """Who is written to at an account, and where; empty: not known."""

    person: str = ""
    email: str = ""
    phone: str = ""
    address: str = ""


@dataclass(frozen=True, slots=True)
class Account:
    """A customer of the maker who owns devices."""

    id: str
    name: str
    language: str
    """In which it is written to (BCP 47)."""
    contact: Contact
    created: float
    """UTC seconds."""
    closed: float | None
    """UTC seconds since which none of its tokens counts; None: open."""

    @property
    def tag(self) -> str:
        """Changes with whatever is changed: 32 hexadecimal digits."""
        return hashlib.sha256(canonical(asdict(self)).encode()).hexdigest()[:32]


@dataclass(frozen=True, slots=True)
class Token:
    """What is known of a token; the token itself is nowhere."""

    id: str
    name: str
    """Who acts with it."""
    roles: tuple[str, ...]
    scopes: tuple[str, ...]
    """Rights it is narrowed to; empty: all of its roles."""
    account: str | None
    created: float
    expires: float
    revoked: float | None
    used: float | None
    """UTC seconds of a request with it, not more than an hour before the last."""


@dataclass(frozen=True, slots=True)
class Answered:
    """What a request was answered; status 0: it was begun, and its end is not known."""

    digest: bytes
    status: int
    head: dict[str, str]
    body: bytes
    at: float


def digest_of(token: str) -> bytes:
    """Return that under which a token is known: SHA-256, 32 bytes. Tokens are random, so it needs no salt."""
    return hashlib.sha256(token.encode("utf-8", "replace")).digest()


def find_caller(session: Session, token: str, now: float) -> Caller | None:
    """Return who asks with a token; None where it is unknown, expired, revoked, or of a closed account."""
    t, a = schema.tokens, schema.accounts
    digest = digest_of(token)
    query = sa.select(t, a.c.closed).select_from(t.outerjoin(a, t.c.account == a.c.id))
    row = session.connection.execute(query.where(t.c.digest == digest)).mappings().first()
    if row is None or not hmac.compare_digest(row["digest"], digest):
        return None
    if row["revoked"] is not None or row["closed"] is not None or not row["created"] <= now < row["expires"]:
        return None
    roles = tuple(row["roles"].split())
    rights = rights_of(roles, row["scopes"].split())
    return Caller(row["id"], row["name"], roles, rights, row["account"], row["expires"])


def unused_lately(session: Session, token: str, now: float) -> bool:
    """Say whether the last use of a token that is written down lies more than an hour back."""
    t = schema.tokens
    used = session.connection.execute(sa.select(t.c.used).where(t.c.id == token)).scalar()
    return used is None or not used <= now < used + _HOUR


def note_use(session: Session, token: str, now: float) -> None:
    """Write down that a token was used."""
    t = schema.tokens
    session.connection.execute(t.update().where(t.c.id == token).values(used=float(now)))


def add_token(session: Session, token: Token, digest: bytes) -> None:
    """Add a token."""
    values = asdict(token) | {"roles": " ".join(token.roles), "scopes": " ".join(token.scopes)}
    session.connection.execute(schema.tokens.insert().values(digest=digest, **values))


def is_named(session: Session, name: str) -> bool:
    """Say whether a token has a name, or had it; capital letters make no difference."""
    names = session.connection.execute(sa.select(schema.tokens.c.name).distinct()).scalars()
    return name.casefold() in {each.casefold() for each in names}


def has_acted(session: Session, name: str) -> bool:
    """Say whether a row of the audit chain was made by somebody of a name; this looks at most of them."""
    t = schema.audit
    said = canonical({"by": name})[1:-1]  # so it stands in a row; within a text its quotes would be quoted
    query = sa.select(t.c.index).where(
        t.c.kind != "reports.committed", t.c.data.icontains(said, autoescape=True)
    )
    return session.connection.execute(query.limit(1)).first() is not None


def _token(row: sa.RowMapping) -> Token:
    values = {name: row[name] for name in _ROW_COLUMNS}
    return Token(**(values | {"roles": tuple(row["roles"].split()), "scopes": tuple(row["scopes"].split())}))


def get_token(session: Session, name: str, account: str | None = None) -> Token:
    """Return a token by its id.

    Raises:
        InputError: TOKEN_UNKNOWN; also for one of another account than the one given.
    """
    t = schema.tokens
    row = session.connection.execute(sa.select(t).where(t.c.id == name)).mappings().first()
    if row is None or account not in {None, row["account"]}:
        raise InputError(
            "TOKEN_UNKNOWN", f"There is no token '{name}'.", mend="See 'tocsin token list' for their ids."
        )
    return _token(row)


def list_tokens(session: Session, *, account: str | None, limit: int, after: str) -> list[Token]:
    """Return tokens in the order of their ids, those of one account if it is given."""
    t = schema.tokens
    query = sa.select(t).where(t.c.id > after).order_by(t.c.id).limit(limit)
    if account is not None:
        query = query.where(t.c.account == account)
    return [_token(row) for row in session.connection.execute(query).mappings()]


def revoke_token(session: Session, token: str, now: float) -> None:
    """Let a token count no more."""
    t = schema.tokens
    session.connection.execute(t.update().where(t.c.id == token).values(revoked=float(now)))


def ending_tokens(session: Session, now: float, until: float) -> list[Token]:
    """Return the tokens that count now and will have expired at ``until`` (UTC seconds)."""
    t = schema.tokens
    query = sa.select(t).where(t.c.revoked.is_(None), t.c.expires > now, t.c.expires <= until)
    return [_token(row) for row in session.connection.execute(query.order_by(t.c.expires)).mappings()]


def _account(row: sa.RowMapping) -> Account:
    return Account(**(dict(row) | {"contact": Contact(**json.loads(row["contact"]))}))


def get_account(session: Session, name: str) -> Account:
    """Return an account.

    Raises:
        InputError: ACCOUNT_UNKNOWN.
    """
    t = schema.accounts
    row = session.connection.execute(sa.select(t).where(t.c.id == name)).mappings().first()
    if row is None:
        raise InputError(
            "ACCOUNT_UNKNOWN", f"There is no account '{name}'.", mend="Add it with 'tocsin account add'."
        )
    return _account(row)


def has_account(session: Session, name: str) -> bool:
    """Say whether there is an account of that id."""
    t = schema.accounts
    return session.connection.execute(sa.select(t.c.id).where(t.c.id == name)).first() is not None


def list_accounts(session: Session, *, account: str | None, limit: int, after: str) -> list[Account]:
    """Return accounts in the order of their ids, or the one that is given."""
    t = schema.accounts
    query = sa.select(t).where(t.c.id > after).order_by(t.c.id).limit(limit)
    if account is not None:
        query = query.where(t.c.id == account)
    return [_account(row) for row in session.connection.execute(query).mappings()]


def put_account(session: Session, account: Account) -> None:
    """Add an account, or write what changed of it."""
    t = schema.accounts
    values = asdict(account) | {"contact": canonical(asdict(account.contact))}
    if session.connection.execute(t.update().where(t.c.id == account.id).values(**values)).rowcount == 0:
        session.connection.execute(t.insert().values(**values))


def close_account(session: Session, name: str, now: float) -> list[str]:
    """Close an account and revoke its tokens; return the ids of those that still counted."""
    t, a = schema.tokens, schema.accounts
    session.connection.execute(a.update().where(a.c.id == name).values(closed=float(now)))
    theirs = (t.c.account == name, t.c.revoked.is_(None))
    found = list(session.connection.execute(sa.select(t.c.id).where(*theirs).order_by(t.c.id)).scalars())
    session.connection.execute(t.update().where(*theirs).values(revoked=float(now)))
    return found


def begin_request(session: Session, token: str, key: str, digest: bytes, now: float) -> Answered | None:
    """Claim the key of a request; return what is known of the one that claimed it before.

    Whoever gets None carries the request out and ends it with :func:`end_request` or :func:`drop_request`.
    """
    t = schema.requests
    session.connection.execute(t.delete().where(t.c.at < now - REQUEST_SECONDS))
    session.serialise()
    row = (
        session.connection.execute(sa.select(t).where(t.c.token == token, t.c.key == key)).mappings().first()
    )
    if row is not None:
        return Answered(row["digest"], row["status"], json.loads(row["head"]), row["body"], row["at"])
    claim = {"token": token, "key": key, "digest": digest, "status": 0, "head": "{}", "body": b"", "at": now}
    session.connection.execute(t.insert().values(**claim))
    return None


def end_request(
    session: Session, token: str, key: str, *, status: int, head: dict[str, str], body: bytes
) -> None:
    """Keep what a request was answered."""
    t = schema.requests
    values = {"status": status, "head": canonical(head), "body": body}
    session.connection.execute(t.update().where(t.c.token == token, t.c.key == key).values(**values))


def drop_request(session: Session, token: str, key: str) -> None:
    """Take a claim back: nothing was done, and the next request with this key is carried out."""
    t = schema.requests
    session.connection.execute(t.delete().where(t.c.token == token, t.c.key == key))
