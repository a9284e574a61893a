"""What the store knows of the devices of one batch, read at once and written at once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any, Final

import sqlalchemy as sa

from advisories.abilities import format_algorithms, parse_algorithms
from advisories.limits import REPORT_JOURNAL_MAX
from advisories.notice import Notice
from advisories.report import Agreed, Consented, JournalEntry, Report, Track
from advisories.states import NoticeState, PatchState, Surface
from advisories.versions import format_version
from gateway.core.funnel import is_refusal
from gateway.core.ingest import Committed, Device, Standing
from gateway.core.tracks import Anomaly, NoticeRow, PatchRow, Texts, takes_back
from gateway.store import bulk, cells, schema
from gateway.store.engine import Session
from gateway.store.moves import Place, Rows, Said, Turn, moved
from gateway.store.values import notice_values, patch_values
from keys.algorithms import PublicKey
from keys.cbor import decode
from keys.document import peek
from keys.reasons import Reason

KEYS_MAX: Final = 20_000  # public keys of devices that are remembered in their decoded form
_written: Final = lru_cache(4_096)(format_version)  # a fleet runs few versions
_IDS: Final[sa.BindParameter[Any]] = sa.bindparam("ids", expanding=True)
_REGISTER: Final = sa.select(  # built once, like all below: a batch names some hundred devices, over and over
    schema.devices.c.id,
    schema.devices.c.product,
    schema.devices.c.key,
    schema.devices.c.valid_from,
    schema.devices.c.valid_to,
    schema.devices.c.revoked,
).where(schema.devices.c.id.in_(_IDS))
_HELD: Final = (
    _REGISTER.add_columns(schema.inventory.c.region, schema.inventory.c.account, schema.inventory.c.version)
    .select_from(schema.devices.outerjoin(schema.inventory, schema.inventory.c.id == schema.devices.c.id))
    .order_by(schema.devices.c.id)
    .with_for_update(of=schema.devices)
)
_NOTICES, _PATCHES, _STATES = (
    sa.select(table).where(table.c.device.in_(_IDS))
    for table in (schema.notice_states, schema.patch_states, schema.device_states)
)
_STORED: Final = sa.select(schema.reports.c.bytes).where(  # built once: it is asked for each report
    schema.reports.c.device == sa.bindparam("device"),
    schema.reports.c.epoch == sa.bindparam("epoch"),
    schema.reports.c.sequence == sa.bindparam("sequence"),
)


class Evidence:
    """Devices, standings and reports of one transaction.

    A batch may hold several reports of one device: each is judged against what the one before left.
    """

    def __init__(self, session: Session, devices: Iterable[str]) -> None:
        self._session = session
        self._connection = session.connection
        self._ids = sorted(set(devices))
        self._places: dict[str, Place] = {}
        self.devices = self._read_devices()
        self._said: dict[str, Said] = {}
        self.standings: dict[str, Standing] = self._read_standings()
        self._before = dict(self.standings)
        self._new_reports: dict[tuple[str, tuple[int, int]], tuple[bytes, bytes, float]] = {}
        self._new_journal: dict[tuple[str, int, int], JournalEntry] = {}
        self._entered: dict[tuple[str, int, int], float] = {}
        self._newest: dict[str, tuple[Report, float]] = {}
        self._notices: dict[tuple[str, str], NoticeRow] = {}
        self._patches: dict[tuple[str, bytes], PatchRow] = {}
        self._published: dict[bytes, Notice] = {}

    def _read_devices(self) -> dict[str, Device]:
        rows = self._connection.execute(_HELD, {"ids": self._ids}).all()
        self._places = {
            row.id: Place(row.product, row.region or "", row.account or "", row.version or "") for row in rows
        }
        return {row.id: _device(row) for row in rows}

    def _read_standings(self) -> dict[str, Standing]:
        notices: dict[str, dict[str, NoticeRow]] = {}
        ours = {"ids": self._ids}
        for row in self._connection.execute(_NOTICES, ours):
            notices.setdefault(row.device, {})[row.advisory] = notice_row(row)
        patches: dict[str, dict[bytes, PatchRow]] = {}
        for row in self._connection.execute(_PATCHES, ours):
            patches.setdefault(row.device, {})[row.digest] = patch_row(row)
        rows = self._connection.execute(_STATES, ours).all()
        self._said = {row.device: Said(row.language, row.installed) for row in rows}
        return {
            row.device: Standing(
                order=(row.epoch, row.sequence),
                life=row.journal_life,
                count=row.journal_count,
                head=row.journal_head,
                next_nonce=row.next_nonce,
                algorithms=tuple(sorted(parse_algorithms(row.algorithms))) if row.algorithms else None,
                notices=notices.get(row.device, {}),
                patches=patches.get(row.device, {}),
            )
            for row in rows
        }

    def stored(self, device: str, order: tuple[int, int]) -> bytes | None:
        """Return the bytes stored under (boot epoch, sequence), also those of this batch."""
        fresh = self._new_reports.get((device, order))
        if fresh is not None:
            return fresh[0]
        standing = self.standings.get(device)
        if standing is None or order > standing.order:
            return None  # nothing is stored above the newest: the usual case needs no query
        values = {"device": device, "epoch": order[0], "sequence": order[1]}
        found: bytes | None = self._connection.execute(_STORED, values).scalar()
        return found

    def overlap(self, report: Report, standing: Standing | None) -> Mapping[int, JournalEntry]:
        """Return the committed entries that the report carries once more, or that its resets hang from."""
        if standing is None or not report.journal:
            return {}
        first, life, device = report.journal[0].index, standing.life, report.device
        if any(map(takes_back, report.journal)):
            first = max(0, first - REPORT_JOURNAL_MAX)
        if first >= standing.count:
            return {}
        t = schema.journal
        query = sa.select(t).where(t.c.device == device, t.c.life == life, t.c.index >= first)
        entries = (_entry(row) for row in self._connection.execute(query.limit(256)))
        found = {entry.index: entry for entry in entries}
        for (owner, age, index), entry in self._new_journal.items():
            if (owner, age) == (device, life) and index >= first:
                found[index] = entry
        return found

    def texts(self, report: Report) -> Texts:
        """Return the digests of the texts of those published notices that the report's consents name.

        A notice that says nothing of the patch to this product is not what its owner was asked about.
        """
        named = {(s.digest, s.consent.notice) for s in report.patches if s.consent and s.consent.notice}
        if wanted := {notice for _, notice in named} - self._published.keys():
            t = schema.advisories
            query = sa.select(t.c.digest, t.c.document).where(t.c.digest.in_(sorted(wanted)))
            for digest, document in self._connection.execute(query):
                self._published[digest] = peek(document, Notice)
        return {
            (patch, notice): found.texts
            for patch, notice in named
            if (found := self._published.get(notice))
            and patch in (found.patches or {}).get(report.product, ())
        }

    def take(self, device: str, data: bytes, decision: Committed, received: float, salt: bytes) -> None:
        """Remember what a report changes; the next one of this batch is judged against it.

        Args:
            device: its id.
            data: the report, byte for byte.
            decision: what is believed of it.
            received: UTC seconds.
            salt: 16 random bytes, see :func:`gateway.core.chain.receipt_digest`.
        """
        self._new_reports[device, decision.report.order] = (data, salt, received)
        for entry in decision.journal:
            self._new_journal[device, decision.standing.life, entry.index] = entry
            self._entered[device, decision.standing.life, entry.index] = received
        if decision.newest:
            self.standings[device] = decision.standing
            self._newest[device] = (decision.report, received)
            self._notices.update({(device, name): row for name, row in decision.notices.items()})
            self._patches.update({(device, digest): row for digest, row in decision.patches.items()})

    def write(self, entry: int) -> None:
        """Write everything that was taken, and what it moves from one cell to another.

        Args:
            entry: index of the audit row that vouches for these reports.
        """
        bulk.insert(
            self._connection,
            schema.reports,
            [
                {
                    "device": device,
                    "epoch": order[0],
                    "sequence": order[1],
                    "bytes": data,
                    "received": at,
                    "salt": salt,
                    "entry": entry,
                }
                for (device, order), (data, salt, at) in self._new_reports.items()
            ],
        )
        bulk.insert(
            self._connection,
            schema.journal,
            [
                {
                    "device": device,
                    "life": life,
                    "index": index,
                    "time": entry.time,
                    "track": int(entry.track),
                    "name": entry.name,
                    "old": entry.old,
                    "new": entry.new,
                    "reason": int(entry.reason),
                    "digest": entry.digest,
                    "received": self._entered[device, life, index],
                }
                for (device, life, index), entry in self._new_journal.items()
            ],
        )
        with cells.counted_rollouts(self._session, self._moving()):
            bulk.put(self._connection, schema.device_states, [self._state_row(d) for d in self._newest])
            bulk.put(
                self._connection,
                schema.notice_states,
                [notice_values(device, name, row) for (device, name), row in self._notices.items()],
            )
            bulk.put(
                self._connection,
                schema.patch_states,
                [patch_values(device, digest, row) for (device, digest), row in self._patches.items()],
            )
        counts = moved(self._session, self._turns())
        for (device, _, _), told in self._new_journal.items():
            if is_refusal(told.track, told.new):
                counts[schema.refusal_cells][self._places[device].account, int(told.reason)] += 1
        cells.move(self._session, counts)
        if fresh := self._newest.keys() - self._said.keys():
            cells.heard(self._session, fresh)

    def _moving(self) -> list[str]:
        """Return the devices that may stand elsewhere in a rollout now: a patch moved, or the version did."""
        found = {
            device
            for device, (report, _) in self._newest.items()
            if device in self._said and self._said[device].installed != _written(report.installed)
        }
        for (device, digest), row in self._patches.items():
            standing = self._before.get(device)
            old = None if standing is None else standing.patches.get(digest)
            if old is None or (old.state, old.changed, old.reason) != (row.state, row.changed, row.reason):
                found.add(device)
        return sorted(found)

    def _turns(self) -> list[Turn]:
        notices: dict[str, dict[str, NoticeRow]] = {device: {} for device in self._newest}
        for (device, name), notice in self._notices.items():
            notices[device][name] = notice
        patches: dict[str, dict[bytes, PatchRow]] = {device: {} for device in self._newest}
        for (device, digest), patch in self._patches.items():
            patches[device][digest] = patch
        turns = []
        for device, (report, _) in self._newest.items():
            standing = self._before.get(device)
            before = Rows(
                self._said.get(device),
                {} if standing is None else standing.notices,
                {} if standing is None else standing.patches,
            )
            after = Rows(
                Said(report.language, _written(report.installed)),
                {**before.notices, **notices[device]},  # rows of a former memory stay where they are
                {**before.patches, **patches[device]},
            )
            turns.append(Turn(self._places[device], before, after))
        return turns

    def _state_row(self, device: str) -> dict[str, Any]:
        report, received = self._newest[device]
        standing = self.standings[device]
        return {
            "device": device,
            "epoch": standing.order[0],
            "sequence": standing.order[1],
            "installed": _written(report.installed),
            "language": report.language,
            "root_version": report.root_version,
            "catalogue": report.catalogue,
            "journal_life": standing.life,
            "journal_count": standing.count,
            "journal_head": standing.head,
            "next_nonce": standing.next_nonce,
            "seen": received,
            "algorithms": format_algorithms(standing.algorithms) if standing.algorithms else None,
        }

    def keep_anomalies(self, anomalies: Sequence[tuple[str, Anomaly]], now: float) -> None:
        """Write anomalies."""
        bulk.insert(
            self._connection,
            schema.anomalies,
            [{"device": d, "time": now, "kind": a.kind, "detail": a.detail} for d, a in anomalies],
        )


def registered(session: Session, devices: Iterable[str]) -> dict[str, Device]:
    """Return rows of the register as they are now; another transaction may change them at any time."""
    rows = session.connection.execute(_REGISTER, {"ids": sorted(devices)})
    return {row.id: _device(row) for row in rows}


def _device(row: Any) -> Device:
    return Device(row.id, row.product, _public_key(row.key), row.valid_from, row.valid_to, row.revoked)


@lru_cache(KEYS_MAX)
def _public_key(encoded: bytes) -> PublicKey:
    return PublicKey.from_cose(decode(encoded))


def notice_row(row: Any) -> NoticeRow:
    """Rebuild a notice's standing from a row of ``notice_states``."""
    return NoticeRow(
        revision=row.revision,
        digest=row.digest,
        state=NoticeState(row.state),
        reason=Reason(row.reason),
        surface=Surface(row.surface),
        language=row.language,
        verified=row.verified,
        shown=row.shown,
        acknowledged=row.acknowledged,
        confirmed=row.confirmed,
        shown_received=row.shown_received,
    )


def patch_row(row: Any) -> PatchRow:
    """Rebuild a patch's standing from a row of ``patch_states``."""
    consent = None
    if row.consent_how is not None:
        consent = Consented(
            how=Agreed(row.consent_how),
            time=row.consent_time,
            question=row.consent_question,
            notice=row.consent_notice,
            language=row.consent_language,
        )
    return PatchRow(
        sequence=row.sequence,
        state=PatchState(row.state),
        reason=Reason(row.reason),
        time=row.time,
        changed=row.changed,
        consent=consent,
        done=row.done,
        deferrals=row.deferrals,
        suit=row.suit,
    )


def _entry(row: Any) -> JournalEntry:
    return JournalEntry(
        index=row._mapping["index"],  # noqa: SLF001 - the public name of a row's mapping; 'index' is a method
        time=row.time,
        track=Track(row.track),
        name=row.name,
        old=row.old,
        new=row.new,
        reason=Reason(row.reason),
        digest=row.digest,
    )
