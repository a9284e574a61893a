"""Reports into the store: in batches, one transaction a batch; nothing is acknowledged before its commit.

A store that is full or locked keeps the batch: it is tried again, and until then the broker (or the
device, which repeats what has no receipt) holds the messages.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import os
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field
from typing import Final

from gateway.core.ingest import Committed, Device, Standing, examine, judge
from gateway.core.tracks import Anomaly
from gateway.store import audit
from gateway.store.engine import Session, Store
from gateway.store.standings import Evidence
from keys.errors import RefusedError, UnavailableError
from keys.reasons import Reason

BATCH_MAX: Final = 200  # reports in one transaction
BATCH_SECONDS: Final = 0.05  # how long a batch waits for more
QUEUE_MAX: Final = 10_000  # reports in memory; more are left unacknowledged
RETRY_SECONDS: Final = (0.2, 10.0)  # first and longest pause after a store that refuses
QUARANTINE_BYTES_MAX: Final = 4_096  # of a message that was no report
QUARANTINE_ROWS_MAX: Final = 10_000  # what was quarantined first is kept; later ones are only counted

log = logging.getLogger("tocsin.gateway")


@dataclass(frozen=True, slots=True)
class Receipt:
    """What an answer to a device has to say after the commit."""

    device: str
    nonce: bytes
    order: tuple[int, int]
    journal_count: int
    next_nonce: bytes


@dataclass(frozen=True, slots=True)
class Refusal:
    """A message that was no report of a registered device."""

    reason: Reason
    detail: str


Outcome = Receipt | Refusal


@dataclass(slots=True)
class _Item:
    topic: str
    device: str
    data: bytes
    received: float
    done: Callable[[Outcome], None]


@dataclass(slots=True)
class _Batch:
    """What one transaction gathers before it writes."""

    committed: list[tuple[_Item, Committed]] = field(default_factory=list)
    anomalies: list[tuple[str, Anomaly]] = field(default_factory=list)
    quarantined: list[tuple[_Item, Refusal]] = field(default_factory=list)
    outcomes: list[Outcome] = field(default_factory=list)


class Ingest:
    """The queue between the links and the store."""

    def __init__(
        self,
        store: Store,
        fleet: bytes,
        executor: Executor,
        *,
        clock: Callable[[], float] = time.time,
        entropy: Callable[[int], bytes] = os.urandom,
    ) -> None:
        self._store, self._fleet, self._executor = store, fleet, executor
        self._clock, self._entropy = clock, entropy
        self._queue: asyncio.Queue[_Item] = asyncio.Queue(QUEUE_MAX)
        self.counts: Counter[str] = Counter()
        """Messages committed, repeated, quarantined and dropped, and retries of the store."""

    def submit(self, topic: str, device: str, data: bytes, done: Callable[[Outcome], None]) -> bool:
        """Queue a message; ``done`` is called in the event loop after its commit.

        Returns:
            False when the queue is full: the message must stay unacknowledged.
        """
        try:
            self._queue.put_nowait(_Item(topic, device, data, self._clock(), done))
        except asyncio.QueueFull:
            self.counts["dropped"] += 1
            return False
        return True

    async def run(self) -> None:
        """Commit batch after batch until cancelled."""
        while True:
            batch = await self._gather()
            outcomes = await self._commit(batch)
            for item, outcome in zip(batch, outcomes, strict=True):
                item.done(outcome)

    async def _gather(self) -> list[_Item]:
        batch = [await self._queue.get()]
        loop = asyncio.get_running_loop()
        deadline = loop.time() + BATCH_SECONDS
        while len(batch) < BATCH_MAX:
            try:
                batch.append(self._queue.get_nowait())
            except asyncio.QueueEmpty:
                if loop.time() >= deadline:
                    break
                try:
                    async with asyncio.timeout_at(deadline):
                        batch.append(await self._queue.get())
                except TimeoutError:
                    break
        return batch

    async def _commit(self, batch: Sequence[_Item]) -> list[Outcome]:
        loop = asyncio.get_running_loop()
        pause = RETRY_SECONDS[0]
        while True:
            try:
                return await loop.run_in_executor(self._executor, self.commit, batch)
            except UnavailableError as error:
                self.counts["retries"] += 1
                log.warning("%d reports wait for the store, nothing is acknowledged: %s", len(batch), error)
                await asyncio.sleep(pause)
                pause = min(pause * 2, RETRY_SECONDS[1])

    def commit(self, batch: Sequence[_Item]) -> list[Outcome]:
        """Write a batch in one transaction and return what became of each message.

        Raises:
            UnavailableError: the store is locked, full or gone; nothing was written.
        """
        work = _Batch()
        now = self._clock()
        with self._store.write() as session:
            evidence = Evidence(session, {item.device for item in batch})
            for item in batch:
                work.outcomes.append(self._one(evidence, work, item, now))
            self._write(session, evidence, work, now)
        self.counts["committed"] += len(work.committed)
        self.counts["quarantined"] += len(work.quarantined)
        self.counts["repeated"] += len(batch) - len(work.committed) - len(work.quarantined)
        return work.outcomes

    def _one(self, evidence: Evidence, work: _Batch, item: _Item, now: float) -> Outcome:
        device: Device | None = evidence.devices.get(item.device)
        try:
            report = examine(item.data, device, fleet=self._fleet, now=now)
            standing: Standing | None = evidence.standings.get(item.device)
            decision = judge(
                report,
                item.data,
                standing,
                stored=evidence.stored(item.device, report.order),
                overlap=evidence.overlap(report, standing),
                texts=evidence.texts(report),
                received=item.received,
                nonce=self._entropy(16),
            )
        except RefusedError as error:
            refusal = Refusal(error.reason, error.detail)
            work.quarantined.append((item, refusal))
            if error.reason is Reason.EQUIVOCATION:
                work.anomalies.append((item.device, Anomaly("equivocation", error.detail)))
            return refusal
        if isinstance(decision, Committed):
            evidence.take(item.device, item.data, decision, item.received)
            work.committed.append((item, decision))
            work.anomalies += [(item.device, anomaly) for anomaly in decision.anomalies]
        after = decision.standing
        return Receipt(item.device, report.nonce, after.order, after.count, after.next_nonce)

    def _write(self, session: Session, evidence: Evidence, work: _Batch, now: float) -> None:
        evidence.write()
        evidence.keep_anomalies(work.anomalies, now)
        room = max(0, QUARANTINE_ROWS_MAX - evidence.quarantined())
        evidence.quarantine(
            [
                (item.topic, refusal.reason, refusal.detail, item.data[:QUARANTINE_BYTES_MAX], item.received)
                for item, refusal in work.quarantined[:room]
            ]
        )
        if work.committed:
            reports = [
                [item.device, *decision.report.order, hashlib.sha256(item.data).hexdigest()]
                for item, decision in work.committed
            ]
            audit.append(session, "reports.committed", {"reports": reports}, now)
