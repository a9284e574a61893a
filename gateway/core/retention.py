"""Keeping and erasing: what rules there are, and how a verifier tells "erased by rule" from "tampered". Pure.

Reports stand in the audit chain by digest only: SHA-256 over 16 random bytes and the report (rows from
before there were salts name the device, too). When a rule takes a report, bytes and salt go, and a row
``retention.erased`` names its digest, the rule and the days. The rules themselves are rows
``retention.rules``, each from when it was first obeyed. So whoever has the chain and the reports finds every
one that is gone without a rule that let it go, and every one that nobody ever vouched for.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from gateway.core import chain
from gateway.core.chain import Link

RULES: Final[Mapping[str, str]] = {
    "reports": "reports of devices, but for the newest of each",
    "journal": "transitions from devices' journals that no open matter needs",
    "anomalies": "notes of what did not fit in a report",
    "quarantine": "messages that were not reports",
    "deliveries": "webhooks and mails that were sent, or given up",
    "closed_accounts": "names and contacts of closed accounts",
    "revoked_devices": "what was known of devices that were revoked",
}
"""Rule -> what goes. Its setting in ``tocsin.toml`` is :func:`setting`; without one everything is kept."""
DAY: Final = 86_400
DAYS: Final = (1, 36_525)
ERASED: Final = "retention.erased"
RULED: Final = "retention.rules"
OF_REPORTS: Final = ("reports", "revoked_devices")  # rules by which reports go


def setting(rule: str) -> str:
    """Return the key of a rule in ``tocsin.toml``; its value is whole days.

    >>> setting("reports")
    'keep_reports_days'
    """
    return f"keep_{rule}_days"


def digest_of(salt: bytes | None, report: bytes) -> str:
    """Return what the chain says of a report, with its salt or from before there were salts."""
    return hashlib.sha256(report).hexdigest() if salt is None else chain.receipt_digest(salt, report)


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """One report for which chain and store do not agree."""

    row: int
    """Index of the audit row that speaks of it; 0: none does."""
    digest: str
    why: str


def committed(data: Mapping[str, Any]) -> Iterable[str]:
    """Yield the digests of a row ``reports.committed``, of its form from before there were salts as well."""
    for each in data.get("reports", ()):
        yield each if isinstance(each, str) else str(each[3])


def unexplained(rows: Iterable[Link], stored: Iterable[str], *, share: int | None = None) -> list[Finding]:
    """Hold the chain against the reports that are there, and say what does not fit.

    The chain itself must have been found whole (:func:`gateway.core.chain.fault`).

    Args:
        rows: the chain, in its order; rows of other kinds are passed over.
        stored: :func:`digest_of` of every report that is there.
        share: 0 to 15: look only at digests that begin with this hexadecimal digit, which takes a sixteenth
            of the memory; None: at all of them.

    Returns:
        Reports that were committed and are neither there nor erased by a rule that was in force and let
        them go; reports that came back after that; and those that are there and were never committed.
    """
    ledger = _Ledger("" if share is None else f"{share:x}")
    for row in rows:
        ledger.read(row)
    for digest in stored:
        ledger.meet(digest)
    return ledger.close()


class _Ledger:
    """What the chain says of reports, row by row, and then what the store says."""

    def __init__(self, beginning: str) -> None:
        self._beginning = beginning
        self._open: dict[str, tuple[int, float]] = {}  # committed, not erased, not met: row, time
        self._gone: dict[str, int] = {}
        self._rules: Mapping[str, Any] = {}
        self._found: list[Finding] = []

    def _mine(self, digests: Iterable[str]) -> Iterable[str]:
        return (digest for digest in digests if digest.startswith(self._beginning))

    def read(self, row: Link) -> None:
        if row.kind == chain.COMMITTED:
            for digest in self._mine(committed(json.loads(row.data))):
                self._open.setdefault(digest, (row.index, row.time))
        elif row.kind == RULED:
            self._rules = json.loads(row.data)
        elif row.kind == ERASED:
            data = json.loads(row.data)
            for digest in self._mine(data.get("reports", ())):
                why = not_allowed(data, row.time, self._rules, self._open.pop(digest, None))
                if why:
                    self._found.append(Finding(row.index, digest, why))
                self._gone[digest] = row.index

    def meet(self, digest: str) -> None:
        if not digest.startswith(self._beginning) or self._open.pop(digest, None) is not None:
            return
        erased = self._gone.get(digest, 0)
        why = (
            "it is there although it was erased" if erased else "it is there, and no audit row vouches for it"
        )
        self._found.append(Finding(erased, digest, why))

    def close(self) -> list[Finding]:
        missing = (
            Finding(row, digest, "it was committed and is gone") for digest, (row, _) in self._open.items()
        )
        return sorted([*self._found, *missing])


def not_allowed(
    data: Mapping[str, Any], time: float, rules: Mapping[str, Any], known: tuple[int, float] | None
) -> str | None:
    """Say why a rule did not let a report go at that time, or None.

    Args:
        data: of the row :data:`ERASED`.
        time: of that row, UTC seconds.
        rules: data of the newest row :data:`RULED` before it.
        known: index and time of the row that committed the report; None: there is none.
    """
    rule, days, before = data.get("rule"), data.get("days"), data.get("before")
    if rule not in OF_REPORTS or type(days) is not int or not isinstance(before, int | float):
        return "it was erased by no rule that there is"
    if rules.get(rule) != days:
        return f"it was erased by the rule '{rule}' of {days} days, which was not in force"
    if before > time - days * DAY:
        return f"it was erased before its {days} days were over"
    if known is None:
        return "it was erased, and was never committed"
    if rule == "reports" and known[1] >= before:
        return f"it was erased before its {days} days were over"
    return None
