"""Messages that were no reports, with the reason: bounded in all, and for each topic."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa

from gateway.store import schema
from gateway.store.engine import Session
from keys.reasons import Reason

ROWS_MAX: Final = 10_000  # what was quarantined first is kept; later ones are only counted
TOPIC_ROWS_MAX: Final = 64  # of one topic: a device that goes wild leaves room for others
_TOPIC_BYTES_MAX: Final = 256
_DETAIL_LETTERS_MAX: Final = 1_000

_T = schema.quarantine


@dataclass(frozen=True, slots=True)
class Poison:
    """A message that was no report of a registered device."""

    topic: str
    reason: Reason
    detail: str
    data: bytes
    """What came, cut off where no report is longer."""
    time: float
    """UTC seconds at which it came."""
    id: int = 0
    """Number of its row; 0 before it has one."""

    @property
    def cut(self) -> bool:
        """Whether only its beginning was kept: it is longer than any report."""
        return self.reason is Reason.TOO_BIG


def keep(session: Session, messages: Sequence[Poison]) -> int:
    """Write messages, as far as there is room; the same one again takes no more. Return how many were new."""
    topics = sorted({message.topic[:_TOPIC_BYTES_MAX] for message in messages})
    room = ROWS_MAX - (session.connection.execute(sa.select(sa.func.count()).select_from(_T)).scalar() or 0)
    query = sa.select(_T.c.topic, _T.c.bytes).where(_T.c.topic.in_(topics))
    known = {(topic, data) for topic, data in session.connection.execute(query)}
    held = Counter(topic for topic, _ in known)
    rows: list[dict[str, Any]] = []
    for message in messages:
        topic = message.topic[:_TOPIC_BYTES_MAX]
        if (topic, message.data) in known or held[topic] >= TOPIC_ROWS_MAX or len(rows) >= room:
            continue
        known.add((topic, message.data))
        held[topic] += 1
        rows.append(
            {
                "topic": topic,
                "reason": int(message.reason),
                "detail": _plain(message.detail),
                "bytes": message.data,
                "time": message.time,
            }
        )
    if rows:
        session.connection.execute(_T.insert(), rows)
    return len(rows)


def rows(session: Session, *, limit: int, after: int = 0) -> list[Poison]:
    """Return messages by the number of their row.

    Args:
        session: a transaction.
        limit: at most so many.
        after: only those behind this number.
    """
    query = sa.select(_T).where(_T.c.id > after).order_by(_T.c.id).limit(limit)
    return [_poison(row) for row in session.connection.execute(query)]


def row(session: Session, number: int) -> Poison | None:
    """Return one message."""
    found = session.connection.execute(sa.select(_T).where(_T.c.id == number)).first()
    return None if found is None else _poison(found)


def remove(session: Session, numbers: Collection[int]) -> int:
    """Take messages out; return how many were there."""
    return session.connection.execute(_T.delete().where(_T.c.id.in_(sorted(numbers)))).rowcount


def refused_again(session: Session, number: int, reason: Reason, detail: str) -> None:
    """Note why a message is no report even now."""
    session.connection.execute(
        _T.update().where(_T.c.id == number).values(reason=int(reason), detail=_plain(detail))
    )


def _poison(found: Any) -> Poison:
    return Poison(found.topic, Reason(found.reason), found.detail, found.bytes, found.time, found.id)


def _plain(detail: str) -> str:
    """Return words of whoever sent it as every engine takes them; PostgreSQL has no NUL in texts."""
    return detail[:_DETAIL_LETTERS_MAX].replace("\0", "\N{SYMBOL FOR NULL}")
