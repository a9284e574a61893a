"""What one transaction does with a batch of messages: all of it or nothing."""

from __future__ import annotations

import contextlib
import logging
import os
import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from advisories.limits import REPORT_BYTES_MAX
from advisories.report import Report
from gateway.core.chain import receipt_digest
from gateway.core.ingest import Committed, Device, examine, judge
from gateway.core.tracks import Anomaly
from gateway.service.checking import Opened, opened
from gateway.store import audit, quarantine
from gateway.store.engine import Session, Store
from gateway.store.standings import Evidence, registered
from keys.errors import RefusedError, TocsinError
from keys.reasons import Reason

DEVICES_MAX: Final = 20_000  # whose register rows are remembered between batches
HEAD_BYTES: Final = 4_096  # kept of what is too long for any report
_RANDOM_BYTES: Final = 32  # for a message
HEADS_MAX: Final = 1_000  # heads of the audit chain that are remembered

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
Check = Callable[[Sequence[tuple[bytes, Device]], bytes, float], Opened]
"""Opens reports as :func:`gateway.service.checking.opened` does."""


@dataclass(slots=True)
class Item:
    """A message that came as a report; ``received`` is UTC seconds."""

    topic: str
    device: str
    data: bytes
    received: float
    done: Callable[[Outcome], None]
    """Called in the event loop after the commit."""
    opened: tuple[Report, Device] | None = None
    """What it says, and under which row of the register its signature was checked."""


@dataclass(slots=True)
class _Batch:
    """What one transaction gathers before it writes."""

    random: bytes
    """:data:`_RANDOM_BYTES` for each message: a nonce and a salt."""
    committed: list[tuple[str, Report]] = field(default_factory=list)
    """What the audit chain says of each report, and what it says itself."""
    anomalies: list[tuple[str, Anomaly]] = field(default_factory=list)
    quarantined: list[tuple[Item, Refusal]] = field(default_factory=list)
    outcomes: list[Outcome] = field(default_factory=list)


class Committer:
    """Commits batches; used from one thread at a time, but :meth:`open` may run beside :meth:`commit`."""

    def __init__(
        self,
        store: Store,
        fleet: bytes,
        *,
        clock: Callable[[], float] = time.time,
        entropy: Callable[[int], bytes] = os.urandom,
        check: Check = opened,
    ) -> None:
        self._store, self._fleet, self._check = store, fleet, check
        self._clock, self._entropy = clock, entropy
        self._devices: OrderedDict[str, Device] = OrderedDict()
        self._heads: OrderedDict[bytes, None] = OrderedDict()
        self.counts: Counter[str] = Counter()
        """Messages committed, repeated, quarantined, and those that the gateway itself failed on."""

    def open(self, batch: Sequence[Item]) -> None:
        """Check signatures, so that the transaction need not: it only sees that the register says the same.

        What cannot be read or is refused here is looked at again, and kept, in the transaction.
        """
        now = self._clock()
        unknown = {item.device for item in batch} - self._devices.keys()
        if unknown:
            with contextlib.suppress(TocsinError), self._store.read() as session:
                self._remember(registered(session, unknown))
        known = [(item, device) for item in batch if (device := self._devices.get(item.device))]
        reports = self._check([(item.data, device) for item, device in known], self._fleet, now)
        for (item, device), report in zip(known, reports, strict=True):
            item.opened = None if report is None else (report, device)

    def commit(self, batch: Sequence[Item]) -> list[Outcome]:
        """Write a batch in one transaction and return what became of each message.

        A message on which the gateway itself fails goes to the quarantine, and holds the others up only once.

        Raises:
            UnavailableError: the store is locked, full or gone; nothing was written.
        """
        try:
            return self._commit(batch)
        except TocsinError:
            raise
        except Exception as error:
            if len(batch) > 1:
                return [outcome for item in batch for outcome in self.commit([item])]
            log.exception("The gateway failed on a message, which is kept in the quarantine:")
            refusal = Refusal(Reason.MALFORMED, f"the gateway failed on it ({type(error).__name__})")
            with self._store.write() as session:
                self._quarantine(session, [(batch[0], refusal)])
            self.counts["poisoned"] += 1
            return [refusal]

    def _commit(self, batch: Sequence[Item]) -> list[Outcome]:
        work = _Batch(
            self._entropy(_RANDOM_BYTES * len(batch))
        )  # at once: each call hands the interpreter over
        now = self._clock()
        with self._store.write() as session:
            evidence = Evidence(session, {item.device for item in batch})
            for item in batch:
                work.outcomes.append(self._one(session, evidence, work, item, now))
            evidence.keep_anomalies(work.anomalies, now)
            if work.quarantined:
                self._quarantine(session, work.quarantined)
            if work.committed:
                evidence.write(audit.commit_reports(session, work.committed, now).index)
        self._remember(evidence.devices)
        self.counts["committed"] += len(work.committed)
        self.counts["quarantined"] += len(work.quarantined)
        self.counts["repeated"] += len(batch) - len(work.committed) - len(work.quarantined)
        return work.outcomes

    def _one(self, session: Session, evidence: Evidence, work: _Batch, item: Item, now: float) -> Outcome:
        device = evidence.devices.get(item.device)
        first = _RANDOM_BYTES * len(work.outcomes)
        nonce, salt = work.random[first : first + 16], work.random[first + 16 : first + _RANDOM_BYTES]
        try:
            report = self._report(item, device, now)
            standing = evidence.standings.get(item.device)
            decision = judge(
                report,
                item.data,
                standing,
                stored=evidence.stored(item.device, report.order),
                overlap=evidence.overlap(report, standing),
                texts=evidence.texts(report),
                head_known=self._knows(session, report.audit_head),
                received=item.received,
                nonce=nonce,
            )
        except RefusedError as error:
            refusal = Refusal(error.reason, error.detail)
            work.quarantined.append((item, refusal))
            if error.reason is Reason.EQUIVOCATION:
                work.anomalies.append((item.device, Anomaly("equivocation", error.detail)))
            return refusal
        if isinstance(decision, Committed):
            evidence.take(item.device, item.data, decision, item.received, salt)
            work.committed.append((receipt_digest(salt, item.data), report))
            work.anomalies += [(item.device, anomaly) for anomaly in decision.anomalies]
        after = decision.standing
        return Receipt(item.device, report.nonce, after.order, after.count, after.next_nonce)

    def _report(self, item: Item, device: Device | None, now: float) -> Report:
        """Return what a message says, checked under the device's present row."""
        if item.opened is not None and item.opened[1] == device:
            return item.opened[0]
        if len(item.data) > REPORT_BYTES_MAX:  # whoever sent it: only its beginning is kept
            raise RefusedError(Reason.TOO_BIG, f"{len(item.data)} bytes")
        return examine(item.data, device, fleet=self._fleet, now=now)

    def _knows(self, session: Session, head: bytes | None) -> bool:
        """Say whether the audit chain ever had this head; thousands of devices echo the same one."""
        if head is None or head in self._heads:
            return True
        if not audit.knows(session, head):
            return False
        self._heads[head] = None
        if len(self._heads) > HEADS_MAX:
            self._heads.popitem(last=False)
        return True

    def _remember(self, devices: Mapping[str, Device]) -> None:
        self._devices.update(devices)
        while len(self._devices) > DEVICES_MAX:
            self._devices.popitem(last=False)

    def _quarantine(self, session: Session, found: Sequence[tuple[Item, Refusal]]) -> None:
        kept = quarantine.keep(
            session,
            [
                quarantine.Poison(
                    item.topic, refusal.reason, refusal.detail, _whole_or_head(item.data), item.received
                )
                for item, refusal in found
            ],
        )
        self.counts["quarantine_full"] += len(found) - kept


def _whole_or_head(data: bytes) -> bytes:
    return data if len(data) <= REPORT_BYTES_MAX else data[:HEAD_BYTES]
