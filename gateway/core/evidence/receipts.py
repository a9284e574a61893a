"""Reports of an export against the rows that received them: none changed, invented or left out. Pure."""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from advisories.report import Report, open_report, report_kid
from gateway.core import chain
from gateway.core.evidence.about import subjects
from gateway.core.evidence.archive import REPORTS, Archive, refused
from gateway.core.evidence.documents import Known
from gateway.core.evidence.rows import Row, Shown, Trail
from gateway.core.evidence.told import Standings
from gateway.core.evidence.verdict import Fault, Verdict
from keys import cose
from keys.cbor import decode, encode
from keys.codec import unpack
from keys.errors import RefusedError

HEADS_MAX: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Receipt:
    """One item of ``reports.seq``."""

    place: int
    """From 1, in the file."""
    entry: int
    """Index of the audit row that received it."""
    salt: bytes | None
    """None: it was received before reports had salts."""
    data: bytes

    @property
    def digest(self) -> str:
        """What the row says of it."""
        if self.salt is None:
            return hashlib.sha256(self.data).hexdigest()
        return chain.receipt_digest(self.salt, self.data)

    @property
    def where(self) -> str:
        """For people."""
        return f"{REPORTS}, item {self.place}"


def item_of(entry: int, salt: bytes | None, data: bytes) -> bytes:
    """Return a report as ``reports.seq`` holds it."""
    return encode([entry, salt, data])


def receipts(archive: Archive) -> Iterator[Receipt]:
    """Yield the reports of a file, in the order of their rows.

    Raises:
        InputError: NOT_EVIDENCE, for what is no item of ours.
    """
    last = 0
    for place, item in enumerate(archive.items(REPORTS), start=1):
        try:
            value = decode(item)
        except RefusedError:
            value = None
        if not (isinstance(value, list) and len(value) == 3):
            raise refused(f"{REPORTS}, item {place} is none")
        entry, salt, data = value
        fits = isinstance(entry, int) and not isinstance(entry, bool) and entry >= last
        if not fits or not isinstance(data, bytes) or not (salt is None or isinstance(salt, bytes)):
            raise refused(f"{REPORTS}, item {place} is none, or not in the order of the rows")
        last = entry
        yield Receipt(place, entry, salt, data)


def said(data: bytes) -> Report:
    """Decode a report WITHOUT verifying it."""
    return unpack(Report, decode(cose.parse(data, cose.TAG_SIGN1).payload or b""))


def echoes(found: Iterable[Receipt]) -> frozenset[bytes]:
    """Return the heads that reports echo, unverified: what has to be looked for in the chain."""
    heads: set[bytes] = set()
    for receipt in found:
        try:
            head = said(receipt.data).audit_head
        except RefusedError:
            continue  # told with its place when it is verified
        if head is not None:
            heads.add(head)
        if len(heads) > HEADS_MAX:
            raise refused(f"its reports echo more than {HEADS_MAX} heads")
    return frozenset(heads)


@dataclass(slots=True)
class Receiving:
    """Goes through rows and reports side by side."""

    known: Known
    trail: Trail
    verdict: Verdict
    standings: Standings
    whole: bool
    """False: an account's export, in which the reports of others are missing rightly."""
    _threads: frozenset[str] = field(init=False)
    _anomalies: Counter[str] = field(default_factory=Counter)
    _uncounted: int = 0
    _last: str = ""

    def __post_init__(self) -> None:
        """Know what the reports have to be about."""
        patches = {f"patch:{digest.hex()}" for digest in self.known.patches}
        self._threads = frozenset({f"advisory:{self.verdict.advisory}", *patches})

    def run(self, shown: Iterable[Shown], found: Iterator[Receipt]) -> None:
        """Hold every report against its row, and every row against the reports that are there."""
        through = self.trail.exported.data.get("through") if self.trail.exported is not None else None
        waiting = next(found, None)
        for index, one in enumerate(shown, start=1):
            row = one.row if one.row is not None and one.row.kind == chain.COMMITTED else None
            batch = []
            while waiting is not None and waiting.entry <= index:
                if waiting.entry < index or row is None:
                    self.verdict.find(Fault.ADDED, waiting.where, f"row {waiting.entry} received no report")
                else:
                    batch.append(waiting)
                waiting = next(found, None)
            if row is not None and not (isinstance(through, int) and index > through):
                self._row(row, batch)
        while waiting is not None:
            self.verdict.find(Fault.ADDED, waiting.where, f"there is no row {waiting.entry}")
            waiting = next(found, None)
        self.verdict.anomalies = dict(sorted(self._anomalies.items()))
        if self._uncounted:
            self.verdict.notes.append(
                f"{self._uncounted} rows from before reports were counted by what they speak about: "
                "that all of theirs are here is not proved."
            )

    def _row(self, row: Row, batch: list[Receipt]) -> None:
        listed: list[Any] = row.data["reports"] if isinstance(row.data.get("reports"), list) else []
        plain = [one[-1] if isinstance(one, list) and one else one for one in listed]
        digests = {one for one in plain if isinstance(one, str)}
        if not all(isinstance(one, str) for one in plain):
            self.verdict.find(Fault.CHANGED, f"row {row.index}", "it lists what is no report's digest")
        seen: set[str] = set()
        self._last = ""
        counts: Counter[str] = Counter()
        for receipt in batch:
            digest = receipt.digest
            if digest not in digests or digest in seen:
                how = "it is there twice" if digest in seen else f"row {row.index} received another one"
                self.verdict.find(Fault.CHANGED, receipt.where, how)
                continue
            seen.add(digest)
            counts.update(self._report(receipt, row) & self._threads)
        erased = self.trail.erased
        gone = sum(1 for one in digests - seen if row.time < erased.get(one, -math.inf))
        self._require_all(row, counts, gone)

    def _require_all(self, row: Row, counts: Counter[str], erased: int) -> None:
        """Compare how many reports speak about the advisory with the number that the row states."""
        about = row.data.get("about")
        if not isinstance(about, dict):
            self._uncounted += 1
            return
        gone = 0
        for thread in self._threads:
            stated = about.get(thread, 0)
            missing = (stated if isinstance(stated, int) else 0) - counts[thread]
            if missing < 0:
                self.verdict.find(
                    Fault.ADDED,
                    f"row {row.index}",
                    f"{-missing} more reports speak of {thread} than it received",
                )
            elif self.whole and missing > erased:
                detail = f"{missing - erased} reports about {thread} are missing, and no rule erased them"
                self.verdict.find(Fault.REMOVED, f"row {row.index}", detail)
            elif self.whole:
                gone = max(gone, missing)
        if gone:
            self.verdict.erased["(about it)"] = self.verdict.erased.get("(about it)", 0) + gone

    def _report(self, receipt: Receipt, row: Row) -> frozenset[str]:
        """Verify one report and take it; return what it speaks about."""
        data, where, verdict = receipt.data, receipt.where, self.verdict
        try:
            kid = report_kid(data) or b""
            record = self.known.records.get(kid)
            if record is None:
                verdict.find(Fault.ADDED, where, "no record that the operator signed names its key")
                return frozenset()
            report = open_report(data, record.key, fleet=self.known.fleet, device=record.id)
        except RefusedError as error:
            verdict.find(Fault.CHANGED, where, f"its device did not sign it so ({error.reason.name})")
            return frozenset()
        if not record.valid_from <= row.time < record.valid_to:
            verdict.find(Fault.ADDED, where, f"the key of {record.id} was not valid then")
        if report.device < self._last:
            verdict.find(Fault.CHANGED, where, "reports of one row are in the order of their devices")
        self._last = report.device
        verdict.reports += 1
        head = report.audit_head
        if head is not None:
            at = self.trail.heads.get(head)
            if at is None or at >= row.index:
                detail = f"{record.id} was told of head {head.hex()}, which is not in the chain before it"
                verdict.find(Fault.REWRITTEN, where, detail)
            elif at >= verdict.vouched_by_devices:
                verdict.vouched_by_devices, verdict.vouched_by_devices_at = at, row.time
        for anomaly in self.standings.take(report, data, kid, row.time):
            self._anomalies[anomaly.kind] += 1
        return subjects(report)
