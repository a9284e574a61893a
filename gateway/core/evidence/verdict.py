"""What became of the verification of an export: findings, and what is proved."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

FINDINGS_MAX: Final = 1_000  # more are counted, not listed


class Fault(StrEnum):
    """What somebody did to the file, or to the history that it shows."""

    REMOVED = "removed"
    """Something is missing that must be there, and no rule erased it."""
    CHANGED = "changed"
    """Something is there, and is not what was recorded, signed or computed."""
    ADDED = "added"
    """Something is there that nobody recorded."""
    REWRITTEN = "rewritten"
    """A head that was signed or echoed is not in the chain: the gateway's history is another one."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong, and where."""

    fault: Fault
    where: str
    """Member of the file, ``row 17``, or a device."""
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Approval:
    """One signature that counts under a published header."""

    revision: int
    holder: str
    roles: tuple[str, ...]
    kid: str
    """First 16 hex digits of the key's thumbprint."""
    at: float | None
    """UTC seconds at which it was recorded; None: its row is not shown."""


@dataclass(slots=True)
class Verdict:
    """What is proved. ``proved`` is False as soon as there is one finding."""

    advisory: str = ""
    account: str | None = None
    """None: the whole fleet."""
    fleet: str = ""
    made: float = 0.0
    """UTC seconds, as the file says."""
    digest: str = ""
    """SHA-256 of the index: what an operator may sign, and two people compare."""
    signed_by: tuple[str, ...] = ()
    """Holders of operator keys whose signature is over the index; none is needed."""
    findings: list[Finding] = field(default_factory=list)
    more: int = 0
    """Findings beyond those listed."""
    revisions: list[dict[str, Any]] = field(default_factory=list)
    """Number, check code and time of publishing of each."""
    approvals: list[Approval] = field(default_factory=list)
    rows: int = 0
    """Rows of the audit chain that the export covers."""
    shown: int = 0
    """Of those, in full; the others by their digest."""
    withheld: int = 0
    """Rows about the advisory that an account's export shows by their digest only."""
    reports: int = 0
    erased: dict[str, int] = field(default_factory=dict)
    """Rule -> reports that it erased, in the whole chain. ``(about it)`` -> of those about the advisory."""
    anomalies: dict[str, int] = field(default_factory=dict)
    """Kind -> how often a device's reports did not fit together; the gateway counted the same."""
    devices: int = 0
    summary: dict[str, int] = field(default_factory=dict)
    """Outcome -> devices, for the newest revision."""
    vouched_by_gateway: int = 0
    """The last row whose hash the gateway signed in a timestamp of this file."""
    vouched_by_gateway_at: float | None = None
    """UTC seconds of that timestamp."""
    vouched_by_devices: int = 0
    """The last row whose hash a device echoed in a report of this file."""
    vouched_by_devices_at: float | None = None
    """UTC seconds at which that report was committed."""
    notes: list[str] = field(default_factory=list)
    """What this file cannot prove."""

    @property
    def proved(self) -> bool:
        """Whether nothing is wrong."""
        return not self.findings

    def find(self, fault: Fault, where: str, detail: str) -> None:
        """Note one more thing that is wrong."""
        if len(self.findings) < FINDINGS_MAX:
            self.findings.append(Finding(fault, where, detail))
        else:
            self.more += 1
