"""Which gateway processes there are on this store, what each counted, and what does not go well."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final

import sqlalchemy as sa

from gateway.store import schema
from gateway.store.engine import Session

SEEN_SECONDS: Final = 10.0  # how often a worker says that it is there
SILENT_SECONDS: Final = 45.0  # a worker not heard of for so long is in trouble
FORGOTTEN_SECONDS: Final = 86_400.0  # one that is gone for so long is missed no more, and its row goes
NAME_MAX: Final = 32  # letters of a worker's name

WORKER_SILENT: Final = "WORKER_SILENT"  # a worker ended without a word
NO_LEADER: Final = "NO_LEADER"  # there are workers, and nobody schedules
_DEGRADED: Final = "degraded"
_ENDED: Final = "ended"


@dataclass(frozen=True, slots=True)
class Worker:
    """A gateway process, as it was kept last; times are UTC seconds by its own clock."""

    name: str
    started: float
    seen: float
    leads: bool
    """It tends rollouts, publishes what is retained, and runs the chores."""
    ended: bool
    """It ended as it was asked to."""
    degraded: tuple[str, ...]
    """Codes of what did not go well, such as STORE_FULL or BROKER_UNREACHABLE."""
    counts: dict[str, int]
    """What it counted since it started."""

    def silent(self, now: float) -> bool:
        """Say whether it should be there, and was not heard of."""
        return not self.ended and SILENT_SECONDS <= now - self.seen < FORGOTTEN_SECONDS


def keep(
    session: Session,
    name: str,
    *,
    started: float,
    now: float,
    leads: bool,
    counts: Mapping[str, int],
    degraded: Collection[str] = (),
    ended: bool = False,
) -> None:
    """Write a worker's row; rows of workers that are gone for long go with it."""
    t = schema.workers
    said = {"counts": dict(counts), _DEGRADED: sorted(degraded), _ENDED: ended}
    values = {"started": started, "seen": now, "leads": leads, "counts": json.dumps(said, sort_keys=True)}
    if session.connection.execute(t.update().where(t.c.name == name).values(**values)).rowcount == 0:
        session.connection.execute(t.delete().where(t.c.seen < now - FORGOTTEN_SECONDS))
        session.connection.execute(t.insert().values(name=name, **values))


def workers(session: Session) -> list[Worker]:
    """Return every worker that is remembered, by name; of those that said they lead, the last one does."""
    found = []
    rows = session.connection.execute(sa.select(schema.workers).order_by(schema.workers.c.name)).all()
    last = max((row.seen for row in rows if row.leads), default=None)
    for row in rows:
        said = json.loads(row.counts)
        found.append(
            Worker(
                name=row.name,
                started=row.started,
                seen=row.seen,
                leads=row.leads and row.seen == last,
                ended=bool(said.get(_ENDED)),
                degraded=tuple(said.get(_DEGRADED, ())),
                counts=said.get("counts", {}),
            )
        )
    return found


def served(found: Collection[Worker]) -> dict[str, int]:
    """Return what all workers counted since each one's start, together."""
    total: Counter[str] = Counter()
    for worker in found:
        total.update(worker.counts)
    return dict(sorted(total.items()))


def degraded(found: Collection[Worker], now: float) -> list[str]:
    """Return the codes of what does not go well now; empty when all is well, or nothing runs."""
    running = [worker for worker in found if not worker.ended and now - worker.seen < SILENT_SECONDS]
    codes = {code for worker in running for code in worker.degraded}
    if any(worker.silent(now) for worker in found):
        codes.add(WORKER_SILENT)
    if running and not any(worker.leads for worker in running):
        codes.add(NO_LEADER)
    return sorted(codes)
