"""The outbox: what has to reach somebody by webhook or mail. It stands here before it is sent.

Each webhook has a cursor into the audit chain. Rows behind it become deliveries in the transaction that moves
it on, so none is lost and none is queued twice. Each webhook's deliveries go out in the order of the chain,
one at a time; one that fails steps aside until its next attempt, and those behind it go on.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any, Final

import sqlalchemy as sa

from gateway.core import delivery as core
from gateway.store import audit, schema
from gateway.store.engine import Session
from keys.errors import InputError

WEBHOOK: Final = "webhook"
MAIL: Final = "mail"
BATCH: Final = 200  # audit rows of one webhook that become deliveries in one transaction
KEEP_SECONDS: Final = 30 * 86_400.0  # for which a delivery that has ended stays listed
ASIDE_MAX: Final = 5  # failed deliveries of a webhook, not refused ones, before none is begun but these
_FAR: Final = 1_000  # rows: a cursor that lags behind so far is moved although nothing is to be sent


@dataclass(frozen=True, slots=True)
class Webhook:
    """Who is told over HTTP; times are UTC seconds."""

    id: str
    url: str
    kinds: tuple[str, ...]
    """Beginnings of kinds of audit rows."""
    account: str | None
    """Is told of what accounts may see only; None: of everything."""
    after: int
    """Index of the last audit row that was made into a delivery, or passed over."""
    by: str
    created: float
    turn: int = 0
    """How often its secret was rotated."""
    turned: float | None = None
    disabled: float | None = None
    why: str | None = None
    """Why it is disabled."""


@dataclass(frozen=True, slots=True)
class Message:
    """What is to be sent, and to whom; see :class:`Delivery`."""

    channel: str
    target: str
    kind: str
    once: str
    body: str


@dataclass(frozen=True, slots=True)
class Delivery:
    """One message to one receiver; times are UTC seconds."""

    id: int
    channel: str
    """``webhook`` or ``mail``."""
    target: str
    """Id of the webhook, or address."""
    kind: str
    once: str
    """Its name: the same in every attempt, and for the receiver."""
    body: str
    created: float
    since: float
    """From when on its time counts."""
    due: float
    attempts: int
    done: float | None
    failed: float | None
    """When it was given up."""
    answer: str | None
    """What the last attempt met."""

    @property
    def state(self) -> str:
        """In a word: waiting, done or failed."""
        return "done" if self.done is not None else "failed" if self.failed is not None else "waiting"


def _webhook(row: sa.RowMapping) -> Webhook:
    return Webhook(**{**row, "kinds": tuple(row["kinds"].split())})


def _delivery(row: sa.RowMapping) -> Delivery:
    return Delivery(**row)


def add_webhook(session: Session, webhook: Webhook) -> None:
    """Add a webhook."""
    values = asdict(webhook) | {"kinds": " ".join(webhook.kinds)}
    session.connection.execute(schema.webhooks.insert().values(**values))


def get_webhook(session: Session, name: str, account: str | None = None) -> Webhook:
    """Return a webhook by its id.

    Args:
        session: a transaction.
        name: its id.
        account: whose it must be; None: anyone's.

    Raises:
        InputError: WEBHOOK_UNKNOWN; also for one of another account than the one given.
    """
    t = schema.webhooks
    query = sa.select(t).where(t.c.id == name)
    row = session.connection.execute(query).mappings().first()
    if row is None or account not in {None, row["account"]}:
        raise InputError(
            "WEBHOOK_UNKNOWN", "There is no such webhook.", mend="See 'tocsin webhook list' for their ids."
        )
    return _webhook(row)


def list_webhooks(session: Session, *, account: str | None, limit: int, after: str) -> list[Webhook]:
    """Return webhooks in the order of their ids, those of one account if it is given."""
    t = schema.webhooks
    query = sa.select(t).where(t.c.id > after).order_by(t.c.id).limit(limit)
    if account is not None:
        query = query.where(t.c.account == account)
    return [_webhook(row) for row in session.connection.execute(query).mappings()]


def count_webhooks(session: Session) -> int:
    """Return how many webhooks there are."""
    return session.connection.execute(sa.select(sa.func.count()).select_from(schema.webhooks)).scalar() or 0


def set_webhook(session: Session, name: str, **values: Any) -> bool:
    """Change columns of a webhook; False where it is there no more."""
    t = schema.webhooks
    return session.connection.execute(t.update().where(t.c.id == name).values(**values)).rowcount > 0


def remove_webhook(session: Session, name: str) -> None:
    """Take a webhook away, with all its deliveries."""
    d, w = schema.deliveries, schema.webhooks
    session.connection.execute(d.delete().where(d.c.channel == WEBHOOK, d.c.target == name))
    session.connection.execute(w.delete().where(w.c.id == name))


def disabled(session: Session) -> list[Webhook]:
    """Return the webhooks that are disabled."""
    t = schema.webhooks
    query = sa.select(t).where(t.c.disabled.is_not(None)).order_by(t.c.id)
    return [_webhook(row) for row in session.connection.execute(query).mappings()]


def _served() -> sa.ColumnElement[bool]:
    """Return the condition on webhooks that they are told: neither disabled nor of a closed account."""
    w, a = schema.webhooks, schema.accounts
    closed = sa.select(a.c.id).where(a.c.closed.is_not(None))
    return sa.and_(w.c.disabled.is_(None), sa.or_(w.c.account.is_(None), w.c.account.not_in(closed)))


def of_kinds(kinds: Iterable[str]) -> sa.ColumnElement[bool]:
    """Return the condition on audit rows that their kind begins like one of these."""
    column = schema.audit.c.kind
    return sa.or_(sa.false(), *(column.startswith(kind, autoescape=True) for kind in kinds))


def lagging(session: Session) -> list[str]:
    """Return the ids of webhooks that have something to come, sorted."""
    t, a = schema.webhooks, schema.audit
    head = audit.last(session)[0]
    query = sa.select(t).where(_served(), t.c.after < head).order_by(t.c.id)
    found = []
    for row in session.connection.execute(query).mappings().all():
        hook = _webhook(row)
        wanted = sa.select(a.c.index).where(a.c.index > hook.after, of_kinds(hook.kinds)).limit(1)
        if head - hook.after >= _FAR or session.connection.execute(wanted).first() is not None:
            found.append(hook.id)
    return found


def queue_rows(session: Session, name: str, now: float) -> bool:
    """Make audit rows behind a webhook's cursor into deliveries; True when there are more.

    Args:
        session: a writing transaction.
        name: id of the webhook.
        now: UTC seconds.
    """
    a, w = schema.audit, schema.webhooks
    found = sa.select(w).where(w.c.id == name, _served()).with_for_update(of=w)
    row = session.connection.execute(found).mappings().first()
    if row is None:
        return False
    hook = _webhook(row)
    head = audit.last(session)[0]
    query = sa.select(a.c.index, a.c.time, a.c.kind, a.c.data).where(
        a.c.index > hook.after, a.c.index <= head, of_kinds(hook.kinds)
    )
    rows = session.connection.execute(query.order_by(a.c.index).limit(BATCH)).all()
    made = []
    for index, time, kind, text in rows:
        data = json.loads(text)
        shown = data if hook.account is None else core.for_account(kind, data)
        if shown is not None:
            once, body = f"{name}_{index}", core.message(index, time, kind, shown)
            made.append(_fresh(Message(WEBHOOK, name, kind, once, body), now))
    if made:
        session.connection.execute(schema.deliveries.insert(), made)
    more = len(rows) == BATCH
    set_webhook(session, name, after=rows[-1][0] if more else head)
    return more


def queue(session: Session, message: Message, now: float) -> bool:
    """Queue one message, unless one of that name was queued before; say whether it was."""
    t = schema.deliveries
    if session.connection.execute(sa.select(t.c.id).where(t.c.once == message.once)).first() is not None:
        return False
    session.connection.execute(t.insert().values(**_fresh(message, now)))
    return True


def _fresh(message: Message, now: float) -> dict[str, Any]:
    return {**asdict(message), "created": now, "since": now, "due": now, "attempts": 0}


def _open() -> sa.ColumnElement[bool]:
    t = schema.deliveries
    return sa.and_(t.c.done.is_(None), t.c.failed.is_(None))


def _aside() -> sa.ColumnElement[bool]:
    """Return the condition on open deliveries that their receiver was in trouble when it got them.

    One that it refused does not count: it is there, and may take the next.
    """
    t = schema.deliveries
    return sa.and_(t.c.attempts > 0, t.c.answer.not_like(f"{core.REFUSED}%"))


def due_webhooks(session: Session, now: float) -> list[str]:
    """Return the ids of webhooks with a delivery to send: those in trouble last, the longest due first."""
    d, w = schema.deliveries, schema.webhooks
    due, aside = d.c.due <= now, sa.func.count(sa.case((_aside(), d.c.id)))
    again = sa.func.count(sa.case((sa.and_(due, d.c.attempts > 0), d.c.id)))
    fresh = sa.func.count(sa.case((sa.and_(due, d.c.attempts == 0), d.c.id)))
    query = (
        sa.select(d.c.target)
        .join(w, w.c.id == d.c.target)
        .where(_open(), d.c.channel == WEBHOOK, _served())
        .group_by(d.c.target)
        .having(sa.or_(again > 0, sa.and_(fresh > 0, aside < ASIDE_MAX)))
        .order_by(aside, sa.func.min(d.c.due), d.c.target)
    )
    return list(session.connection.execute(query).scalars())


def next_of(session: Session, webhook: str, now: float) -> Delivery | None:
    """Return the first of a webhook's deliveries that is due; none is begun while too many stand aside."""
    t = schema.deliveries
    mine = sa.and_(_open(), t.c.channel == WEBHOOK, t.c.target == webhook)
    aside = sa.select(sa.func.count()).where(mine, _aside()).scalar_subquery()
    query = sa.select(t).where(mine, t.c.due <= now, sa.or_(t.c.attempts > 0, aside < ASIDE_MAX))
    row = session.connection.execute(query.order_by(t.c.id).limit(1)).mappings().first()
    return None if row is None else _delivery(row)


def due_mails(session: Session, now: float, limit: int) -> list[Delivery]:
    """Return mails that are due; between mails there is no order to keep."""
    t = schema.deliveries
    query = sa.select(t).where(_open(), t.c.channel == MAIL, t.c.due <= now).order_by(t.c.due, t.c.id)
    return [_delivery(row) for row in session.connection.execute(query.limit(limit)).mappings()]


def settle(session: Session, one: Delivery, now: float, answer: str, *, due: float | None = None) -> None:
    """Write down how an attempt went that did not do it; without ``due`` the delivery is given up."""
    t = schema.deliveries
    values: dict[str, Any] = {"attempts": one.attempts + 1, "answer": answer}
    values |= {"failed": now} if due is None else {"due": due}
    session.connection.execute(t.update().where(t.c.id == one.id, t.c.done.is_(None)).values(**values))


def finish(session: Session, one: Delivery, now: float, answer: str) -> None:
    """Write down that a delivery arrived."""
    t = schema.deliveries
    values = {"attempts": one.attempts + 1, "answer": answer, "done": now, "failed": None}
    session.connection.execute(t.update().where(t.c.id == one.id).values(**values))


def failed_in_a_row(session: Session, webhook: str, now: float) -> int:
    """Return how many of a webhook's deliveries were given up since one last arrived.

    None, if one arrived within the time after which a delivery is given up: then it is not its receiver that
    fails, but those deliveries.
    """
    t = schema.deliveries
    mine = sa.and_(t.c.channel == WEBHOOK, t.c.target == webhook)
    last = session.connection.execute(sa.select(sa.func.max(t.c.done)).where(mine)).scalar() or 0.0
    if last > now - core.GIVE_UP_SECONDS:
        return 0
    query = sa.select(sa.func.count()).where(mine, t.c.failed > last)
    return session.connection.execute(query).scalar() or 0


def list_deliveries(
    session: Session, webhook: str, *, limit: int, before: int | None, state: str | None
) -> list[Delivery]:
    """Return a webhook's deliveries, newest first.

    Args:
        session: a transaction.
        webhook: id.
        limit: at most so many.
        before: only those older than the one of this id.
        state: only those waiting, done or failed.
    """
    t = schema.deliveries
    query = sa.select(t).where(t.c.channel == WEBHOOK, t.c.target == webhook)
    if before is not None:
        query = query.where(t.c.id < before)
    if state is not None:
        chosen = {"waiting": _open(), "done": t.c.done.is_not(None), "failed": t.c.failed.is_not(None)}
        query = query.where(chosen[state])
    rows = session.connection.execute(query.order_by(t.c.id.desc()).limit(limit)).mappings()
    return [_delivery(row) for row in rows]


def again(session: Session, webhook: str, now: float, once: str | None = None) -> int:
    """Let what was given up, or waits for its next attempt, be sent now; return how many.

    Args:
        session: a writing transaction.
        webhook: id.
        now: UTC seconds.
        once: only the delivery of this name, even one that arrived.
    """
    t = schema.deliveries
    mine = [t.c.channel == WEBHOOK, t.c.target == webhook]
    mine += [t.c.done.is_(None)] if once is None else [t.c.once == once]
    values = {"done": None, "failed": None, "due": now, "since": now, "attempts": 0}
    return session.connection.execute(t.update().where(*mine).values(**values)).rowcount


def forget(session: Session, now: float) -> int:
    """Remove deliveries that ended long ago; return how many."""
    t = schema.deliveries
    ended = sa.or_(t.c.done < now - KEEP_SECONDS, t.c.failed < now - KEEP_SECONDS)
    return session.connection.execute(t.delete().where(ended)).rowcount


def counts(session: Session) -> dict[tuple[str, str], int]:
    """Return (channel, state) -> how many deliveries."""
    t = schema.deliveries
    state = sa.case((t.c.done.is_not(None), "done"), (t.c.failed.is_not(None), "failed"), else_="waiting")
    query = sa.select(t.c.channel, state, sa.func.count()).group_by(t.c.channel, state)
    return {(channel, name): count for channel, name, count in session.connection.execute(query)}
