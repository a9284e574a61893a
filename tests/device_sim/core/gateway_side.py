"""The gateway's side of a world: the real core that judges reports, with its register in memory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from advisories.limits import REPORT_JOURNAL_MAX
from advisories.notice import Notice
from advisories.report import JournalEntry, Report
from gateway.core import ingest
from tests.helpers import DAY, NOW, Fleet


@dataclass
class Desk:
    """What the gateway has committed of one device."""

    fleet: Fleet
    id: str
    product: str
    standing: ingest.Standing | None = None
    journal: dict[int, JournalEntry] = field(default_factory=dict)
    stored: dict[tuple[int, int], bytes] = field(default_factory=dict)
    newest: Report | None = None
    anomalies: list[ingest.Anomaly] = field(default_factory=list)

    def copy(self) -> Desk:
        """A desk that goes on by itself."""
        return replace(
            self,
            journal=self.journal.copy(),
            stored=self.stored.copy(),
            anomalies=self.anomalies.copy(),
        )

    def take(self, payload: bytes, now: float, headers: Mapping[bytes, Notice] | None = None) -> Report:
        """Judge a report as the gateway does and commit it; consents are held to published notices, by digest."""
        key = self.fleet.device(self.id, self.product).public
        row = ingest.Device(self.id, self.product, key, NOW, NOW + 365 * DAY, revoked=False)
        report = ingest.examine(payload, row, fleet=self.fleet.id, now=now)
        first = max(0, report.journal[0].index - REPORT_JOURNAL_MAX) if report.journal else len(self.journal)
        overlap = {index: entry for index, entry in self.journal.items() if index >= first}
        texts = {
            (status.digest, digest): header.texts
            for digest, header in (headers or {}).items()
            for status in report.patches
            if status.digest in (header.patches or {}).get(self.product, ())
        }
        found = ingest.judge(
            report,
            payload,
            self.standing,
            stored=self.stored.get(report.order),
            overlap=overlap,
            texts=None if headers is None else texts,
            received=now,
            nonce=bytes(16),
        )
        if isinstance(found, ingest.Committed):
            self.stored[report.order] = payload
            self.journal.update({entry.index: entry for entry in found.journal})
            self.standing = found.standing
            self.anomalies += found.anomalies
            if found.newest:
                self.newest = report
        return report
