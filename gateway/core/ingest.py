"""What a report changes: the stored standing of a device and raw bytes in, a decision out. Pure.

Decides what is believed, what is kept as an anomaly and what is not a report at all. The newer report
(boot epoch, sequence) always wins; a state that went back is kept as an anomaly, never hidden.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Final

from advisories.report import JournalEntry, Report, journal_genesis, journal_head, open_report
from advisories.states import PATCH_ON_TRIAL
from gateway.core.tracks import Anomaly, NoticeRow, PatchRow, Texts, Told, notice, patch
from keys.algorithms import Algorithm, PublicKey
from keys.errors import RefusedError
from keys.reasons import Reason

__all__ = [
    "NO_REPORT",
    "Anomaly",
    "Committed",
    "Decision",
    "Device",
    "Repeated",
    "Standing",
    "examine",
    "judge",
]

NO_REPORT: Final = (0, 0)
"""The order of a standing whose device has another key since: nothing was reported under this one yet."""


@dataclass(frozen=True, slots=True)
class Device:
    """A row of the register, from an operator-signed record; times are UTC seconds."""

    id: str
    product: str
    key: PublicKey
    valid_from: int
    valid_to: int
    revoked: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What is committed of one device."""

    order: tuple[int, int]
    """(boot epoch, sequence) of the newest report."""
    life: int
    """Rises when the device starts its journal anew."""
    count: int
    """Journal entries committed."""
    head: bytes
    """Hash over them; empty when a gap made it unknowable."""
    next_nonce: bytes
    algorithms: tuple[Algorithm, ...] | None = None
    """What its confirmed firmware can verify, as the device said; None: it did not."""
    notices: Mapping[str, NoticeRow] = field(default_factory=dict)
    patches: Mapping[bytes, PatchRow] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Committed:
    """A new report: store it, its journal entries and, when it is the newest, the new standing."""

    report: Report
    newest: bool
    standing: Standing
    notices: Mapping[str, NoticeRow]
    patches: Mapping[bytes, PatchRow]
    journal: Sequence[JournalEntry]
    anomalies: Sequence[Anomaly]


@dataclass(frozen=True, slots=True)
class Repeated:
    """The very report that is stored already: answer it again, change nothing."""

    report: Report
    standing: Standing


Decision = Committed | Repeated


def examine(data: bytes, device: Device | None, *, fleet: bytes, now: float) -> Report:
    """Return the report that ``data`` is, from a registered device.

    Args:
        data: untrusted bytes.
        device: the register's row for the id in the topic, None when there is none.
        fleet: digest of root 1.
        now: UTC seconds.

    Raises:
        RefusedError: UNKNOWN_DEVICE, REVOKED, EXPIRED, or a reason of
            :func:`advisories.report.open_report`; the message goes to the quarantine.
    """
    if device is None:
        raise RefusedError(Reason.UNKNOWN_DEVICE)
    if device.revoked:
        raise RefusedError(Reason.REVOKED)
    if not device.valid_from <= now < device.valid_to:
        raise RefusedError(Reason.EXPIRED, f"valid {device.valid_from} to {device.valid_to}")
    report = open_report(data, device.key, fleet=fleet, device=device.id)
    if report.product != device.product:
        raise RefusedError(Reason.WRONG_SUBJECT, f"expected a {device.product}, it says {report.product}")
    return report


def judge(
    report: Report,
    data: bytes,
    standing: Standing | None,
    *,
    stored: bytes | None,
    overlap: Mapping[int, JournalEntry],
    texts: Texts | None = None,
    head_known: bool = True,
    received: float,
    nonce: bytes,
) -> Decision:
    """Decide what a genuine report changes.

    Args:
        report: what :func:`examine` returned for ``data``.
        data: its bytes.
        standing: what is committed of the device, None before its first report.
        stored: the bytes stored under the same (boot epoch, sequence), if any.
        overlap: journal entries of this life committed before, by index, as far as the report repeats them
            or what it carries hangs from them.
        texts: of the published notices that the report's consents name; None: consents are not held to any.
        head_known: whether the gateway's audit chain ever had the head that the report echoes, if it does.
        received: UTC seconds by the gateway's clock.
        nonce: the 16 bytes that the device's next report shall carry.

    Raises:
        RefusedError: EQUIVOCATION when another content is stored under the same (boot epoch, sequence).
    """
    if stored is not None:
        if stored != data or standing is None:
            raise RefusedError(Reason.EQUIVOCATION, f"boot {report.boot_epoch}, sequence {report.version}")
        return Repeated(report, standing)
    anomalies: list[Anomaly] = [] if head_known else [_unknown_head(report)]
    if standing is not None and report.order < standing.order:
        # Late: kept byte for byte. The newer report has carried the same journal and newer states.
        return Committed(report, False, standing, {}, {}, (), anomalies)
    base = standing or Standing(
        order=NO_REPORT,
        life=0,
        count=0,
        head=journal_genesis(report.fleet, report.device),
        next_nonce=nonce,
    )
    back = anomalies
    if standing is not None and standing.order == NO_REPORT and _is_another(report, base, overlap):
        # A new key came with a new memory: it begins anew, and knows nothing of where the old one stood.
        base, overlap, back = _anew(report, base), {}, []
    base, fresh = _journal(report, base, overlap, anomalies)
    if standing is None or base.life != standing.life:
        overlap = {}
    told = Told(fresh, {**overlap, **{e.index: e for e in fresh}}, whole=base.count >= report.journal_count)
    anomalies += told.illegal()
    notices = {s.id: notice(s, base.notices.get(s.id), told, received, back) for s in report.notices}
    patches = {
        s.digest: patch(s, base.patches.get(s.digest), told, received=received, texts=texts, anomalies=back)
        for s in report.patches
    }
    # Firmware on trial may be gone after the next boot, and with it what it can verify.
    on_trial = any(status.state in PATCH_ON_TRIAL for status in report.patches)
    after = Standing(  # replace() would go through all fields, for each report
        order=report.order,
        life=base.life,
        count=base.count,
        head=base.head,
        next_nonce=nonce,
        algorithms=base.algorithms if on_trial else report.algorithms,
        notices={**base.notices, **notices},
        patches={**base.patches, **patches},
    )
    return Committed(report, True, after, notices, patches, fresh, anomalies)


def _unknown_head(report: Report) -> Anomaly:
    """A head that our own key once signed is not in our chain: we were set back, or the chain was changed."""
    head = (report.audit_head or b"").hex()
    return Anomaly("audit_head", f"the device was told of head {head}, which is not in the audit chain")


def _is_another(report: Report, base: Standing, overlap: Mapping[int, JournalEntry]) -> bool:
    """Say whether a report's journal cannot be the one that is committed."""
    if report.journal_count == base.count and base.head:
        return report.journal_head != base.head
    return report.journal_count < base.count or any(
        overlap.get(entry.index, entry) != entry for entry in report.journal
    )


def _anew(report: Report, base: Standing) -> Standing:
    genesis = journal_genesis(report.fleet, report.device)
    return replace(base, life=base.life + 1, count=0, head=genesis)


def _journal(
    report: Report, base: Standing, overlap: Mapping[int, JournalEntry], anomalies: list[Anomaly]
) -> tuple[Standing, Sequence[JournalEntry]]:
    """Check the journal against what is committed; return the standing after it and the new entries."""
    carried = report.journal
    places = [entry.index for entry in carried] + [report.journal_count]
    if any(later <= earlier for earlier, later in pairwise(places)):
        anomalies.append(Anomaly("journal_order", "the entries carried do not follow one another"))
        return base, ()
    if report.journal_count < base.count:
        detail = f"{base.count} entries were committed, it now has {report.journal_count}"
        anomalies.append(Anomaly("journal_back", detail))
        base, overlap = _anew(report, base), {}
    rewritten = [e.index for e in carried if e.index in overlap and overlap[e.index] != e]
    if rewritten:
        anomalies.append(Anomaly("journal_rewritten", f"entry {rewritten[0]} differs from the one committed"))
    fresh = tuple(e for e in carried if e.index >= base.count)
    count, head = base.count, base.head
    for index in [entry.index for entry in fresh] if carried else [report.journal_count]:
        if index > count:
            anomalies.append(Anomaly("journal_gap", f"entries {count} to {index - 1} are missing"))
            head = b""
        count = index + 1 if carried else index
    if fresh and head:
        head = journal_head(head, fresh)
    if count == report.journal_count:
        if head not in {b"", report.journal_head}:
            anomalies.append(Anomaly("journal_fork", f"the hash over {count} entries is another"))
        head = report.journal_head  # from here on the device is held to what it says now
    return replace(base, count=count, head=head), fresh
