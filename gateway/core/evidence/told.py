"""Who was told what, when, in which language and on which surface: computed from devices' own reports. Pure.

The same computation makes the table at the gateway and checks it on another machine; the times are devices'
own, but ``received`` is that of the audit row that vouches for the report.
"""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Final

from advisories.notice import Notice
from advisories.report import Report, journal_genesis
from advisories.states import NoticeState, Surface
from advisories.versions import Version, format_version
from gateway.core.ingest import NO_REPORT, Anomaly, Committed, Standing, judge
from gateway.core.tracks import NoticeRow, PatchRow

COLUMNS: Final = (
    "device", "product", "account", "region", "installed", "affected", "revision", "outcome", "state",
    "language", "surface", "verified", "shown", "acknowledged", "confirmed", "received", "patch", "patched",
    "follow_up", "follow_up_outcome",
)  # fmt: skip
_TIMES: Final = ("verified", "shown", "acknowledged", "confirmed", "received")
_END: Final = 253_402_300_800.0  # the calendar ends with the year 9999


@dataclass(slots=True)
class Standings:
    """Where each device stands, report after report in the order in which they were committed."""

    advisory: str
    patches: frozenset[bytes]
    _standings: dict[str, Standing] = field(default_factory=dict)
    _keys: dict[str, bytes] = field(default_factory=dict)
    _told: dict[str, dict[int, NoticeRow]] = field(default_factory=dict)
    _runs: dict[str, tuple[str, Version]] = field(default_factory=dict)

    def take(self, report: Report, data: bytes, kid: bytes, received: float) -> Iterable[Anomaly]:
        """Take a genuine report and return what in it does not follow from those before.

        Args:
            report: what the bytes say.
            data: the bytes.
            kid: thumbprint of the key that signed it; another one began a life anew.
            received: UTC seconds of its audit row.
        """
        device = report.device
        standing = self._standings.get(device) or _first(report)
        if self._keys.get(device, kid) != kid:
            standing = replace(standing, order=NO_REPORT, algorithms=None)
        self._keys[device] = kid
        decision = judge(
            report, data, standing, stored=None, overlap={}, received=received, nonce=standing.next_nonce
        )
        assert isinstance(decision, Committed), "nothing is stored here, so nothing is repeated"
        if decision.newest:
            mine = decision.standing.notices.get(self.advisory)
            self._standings[device] = replace(
                decision.standing,
                notices={} if mine is None else {self.advisory: mine},
                patches={d: row for d, row in decision.standing.patches.items() if d in self.patches},
            )
            if mine is not None:
                self._told.setdefault(device, {})[mine.revision] = mine
            self._runs[device] = (report.product, report.installed)
        return decision.anomalies

    @property
    def devices(self) -> Iterable[str]:
        """Those that reported."""
        return self._standings

    def told(self, device: str) -> Mapping[int, NoticeRow]:
        """Return revision -> where it stands on a device."""
        return self._told.get(device, {})

    def runs(self, device: str) -> tuple[str, Version] | None:
        """Return product and installed version by the newest report; None before the first."""
        return self._runs.get(device)

    def patched(self, device: str) -> Mapping[bytes, PatchRow]:
        """Return the advisory's patches on a device."""
        found = self._standings.get(device)
        return {} if found is None else found.patches


def _first(report: Report) -> Standing:
    """Return what the first report of a device is held against: its journal goes on from where it is."""
    count = report.journal[0].index if report.journal else report.journal_count
    head = journal_genesis(report.fleet, report.device) if count == 0 else b""
    return Standing(order=NO_REPORT, life=0, count=count, head=head, next_nonce=bytes(16))


def outcome(row: NoticeRow | None, *, reported: bool, affected: bool | None) -> str:
    """Return in one word what became of a notice on a device."""
    if row is None:
        if not reported:
            return "silent"
        return "not told" if affected else "not affected"
    if row.acknowledged is not None:
        return "acknowledged"
    if row.shown is not None:
        return "led" if row.surface is Surface.LED else "shown"
    return {
        NoticeState.NOT_APPLICABLE: "not affected",
        NoticeState.REJECTED: "refused",
        NoticeState.VERIFIED: "delivered",
        NoticeState.DELIVERED: "delivered",
    }.get(row.state, "not told")


@dataclass(frozen=True, slots=True)
class Stated:
    """What the operator states about a device; no report proves it."""

    product: str = ""
    account: str = ""
    region: str = ""
    follow_up: str = ""
    """Who sees to it that its owner is told otherwise."""
    follow_up_outcome: str = ""


def table(
    notices: Mapping[int, Notice],
    registered: Mapping[str, str],
    stated: Mapping[str, Stated],
    standings: Standings,
) -> Iterator[dict[str, Any]]:
    """Yield a row for each device and each revision that it reported, or one without; sorted.

    Args:
        notices: published revisions.
        registered: device -> product, by operator-signed records.
        stated: what else the operator says about devices, registered or not.
        standings: of all reports.
    """
    newest = notices[max(notices)]
    for device in sorted(registered.keys() | stated.keys()):
        said, runs = stated.get(device, Stated()), standings.runs(device)
        product = registered.get(device) or said.product
        told = standings.told(device)
        reachable = device in registered
        revisions: list[int | None] = [*sorted(told)]
        for revision in revisions or [None]:
            row = None if revision is None else told[revision]
            notice = newest if revision is None else notices.get(revision, newest)
            affected = None if runs is None else notice.affects(product, runs[1])
            became = outcome(row, reported=runs is not None, affected=affected)
            yield {
                "device": device,
                "product": product,
                "account": said.account,
                "region": said.region,
                "installed": "" if runs is None else format_version(runs[1]),
                "affected": affected,
                "revision": revision,
                "outcome": became if reachable else "not reachable",
                "follow_up": said.follow_up,
                "follow_up_outcome": said.follow_up_outcome,
                **_facts(row),
                **_mended(standings.patched(device)),
            }


def _facts(row: NoticeRow | None) -> dict[str, Any]:
    if row is None:
        return {"state": "", "language": "", "surface": "", **dict.fromkeys(_TIMES)}
    return {
        "state": row.state.name,
        "language": row.language or "",
        "surface": row.surface.name,
        "verified": row.verified,
        "shown": row.shown,
        "acknowledged": row.acknowledged,
        "confirmed": row.confirmed,
        "received": row.shown_received,
    }


def _mended(patches: Mapping[bytes, PatchRow]) -> dict[str, Any]:
    if not patches:
        return {"patch": "", "patched": ""}
    digest, row = max(patches.items(), key=lambda item: item[1].sequence)
    return {"patch": digest.hex(), "patched": row.state.name}


class Tables:
    """The table as JSON lines and CSV, made row by row; and counts over it."""

    def __init__(self, newest: int) -> None:
        self._newest = newest
        self.counts: Counter[tuple[str, str, str, str, str]] = Counter()
        """(product, account, language, surface, outcome) -> devices, for the newest revision."""

    def lines(self, rows: Iterable[dict[str, Any]]) -> Iterator[tuple[bytes, bytes]]:
        """Yield each row as a line of JSON and a line of CSV."""
        for row in rows:
            if row["revision"] in {None, self._newest}:
                keys = ("product", "account", "language", "surface", "outcome")
                self.counts[tuple(row[key] for key in keys)] += 1
            yield json_line(row), csv_line([_cell(name, row[name]) for name in COLUMNS])

    def summary(self) -> bytes:
        """Return the counts as JSON."""
        names = ("product", "account", "language", "surface", "outcome", "devices")
        found = [dict(zip(names, (*key, many), strict=True)) for key, many in sorted(self.counts.items())]
        return json_line({"newest_revision": self._newest, "devices": found})


def json_line(value: Any) -> bytes:
    """Return one line of JSON, keys sorted."""
    return json.dumps(value, sort_keys=True, ensure_ascii=False, allow_nan=False).encode() + b"\n"


def csv_line(cells: Iterable[Any]) -> bytes:
    """Return one line of CSV (RFC 4180)."""
    text = io.StringIO()
    csv.writer(text).writerow([_harmless(str(cell)) for cell in cells])
    return text.getvalue().encode()


def _harmless(cell: str) -> str:
    """Keep a spreadsheet from taking what a device or a person wrote for a formula."""
    return f"'{cell}" if cell[:1] in {"=", "+", "-", "@", "\t", "\r"} else cell


def _cell(name: str, value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if name in _TIMES and 0 <= value < _END:
        return datetime.fromtimestamp(value, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return str(value)
