"""``tocsin evidence export``: what the store holds about an advisory, as one file that proves itself."""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final, Self

from advisories.catalogue import Devices
from advisories.notice import Notice, ReleaseList
from advisories.report import report_kid
from gateway.core.evidence import archive as form
from gateway.core.evidence.archive import Writer, framed
from gateway.core.evidence.documents import RELEASE_LIST_BYTES_MAX, SOURCE, Known, is_for_accounts
from gateway.core.evidence.receipts import item_of, said
from gateway.core.evidence.rows import EXPORTED
from gateway.core.evidence.rows import item_of as row_item
from gateway.core.evidence.told import COLUMNS, Standings, Stated, Tables, csv_line, json_line, table
from gateway.core.evidence.verify import EXTERNAL_AAD, TYP, content_digest
from gateway.operations import releases
from gateway.operations.afar import operation
from gateway.operations.evidence import collecting
from gateway.operations.evidence.collecting import Scope
from gateway.operations.evidence.placing import placed
from gateway.operations.incidents import watching
from gateway.operations.incidents.records import every
from gateway.store import audit
from gateway.store.engine import Session, Store
from gateway.workspace.folder import Workspace
from keys import cose
from keys.codec import load
from keys.document import peek
from keys.errors import DamagedError, InputError, TocsinError
from keys.signer import Signer

DOWNLOAD_BYTES_MAX: Final = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Exported:
    """What an export came to."""

    file: Path
    bytes: int
    digest: str
    """SHA-256 of the index: what two people compare."""
    advisory: str
    account: str | None
    rows: int
    """Of the audit chain, that it covers."""
    reports: int
    devices: int
    row: int
    """The audit row that records the export."""
    signed_by: str | None


def export(
    workspace: Workspace,
    advisory: str,
    path: Path,
    *,
    now: float,
    by: str,
    account: str | None = None,
    operator: tuple[str, Signer] | None = None,
) -> Exported:
    """Write the evidence of an advisory into a file, and record in the audit chain that it was given out.

    Args:
        workspace: where.
        advisory: its id.
        path: of the file; only an earlier export is replaced, once the new one is whole.
        now: UTC seconds.
        by: who asks for it.
        account: only the devices of this account; others by digest only.
        operator: name and key that sign the index; the proof needs none.

    Raises:
        InputError: ADVISORY_UNKNOWN, ACCOUNT_UNKNOWN, EVIDENCE_OLD_ROWS.
            KEY_IN_THE_WAY, WORKSPACE_IN_THE_WAY, FILE_IN_THE_WAY, when something else lies at ``path``.
        DamagedError: RELEASE_MISSING, RELEASE_DAMAGED, when what was published no longer lies in the
            workspace as it was.
        UnavailableError: FILE, NOT_A_FILE.
    """
    with workspace.store() as store, _Recorded() as recorded, placed(path) as stream:
        with contextlib.closing(Writer(stream)) as writer:
            making = _Export(workspace, store, writer, now, recorded)
            found = making.write(advisory, account, by, operator)
        size = stream.seek(0, os.SEEK_END)
    return Exported(file=path, bytes=size, **found)


class _Recorded:
    """Says of a failure that the audit chain speaks of the export all the same.

    The row has to be in the file, so it is written before the file can be whole.
    """

    row = 0
    """Index of the row, once there is one."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if self.row and isinstance(error, TocsinError):
            error.message += f" Row {self.row} of the audit chain records this export all the same."


@operation("GET", "/advisories/{advisory}/evidence", right="evidence:read")
def download(workspace: Workspace, advisory: str, *, now: int, by: str, account: str | None = None) -> bytes:
    """Return the evidence of an advisory, for a reader elsewhere; it is recorded like any other export.

    Args:
        workspace: where.
        advisory: its id.
        now: UTC seconds.
        by: who asks for it.
        account: only the devices of this account; others by digest only.

    Raises:
        InputError: of :func:`export`; EVIDENCE_TOO_LARGE.
        DamagedError: RELEASE_MISSING, RELEASE_DAMAGED.
    """
    with tempfile.TemporaryDirectory(prefix="tocsin-evidence-") as folder:
        path = Path(folder) / "evidence.zip"
        found = export(workspace, advisory, path, now=now, by=by, account=account)
        if found.bytes > DOWNLOAD_BYTES_MAX:
            raise InputError(
                "EVIDENCE_TOO_LARGE",
                f"This evidence has {found.bytes} bytes, too many for one answer.",
                mend="Export it on the gateway's machine with 'tocsin evidence export'.",
            )
        return path.read_bytes()


class _Export:
    """One export while it is written."""

    def __init__(
        self, workspace: Workspace, store: Store, writer: Writer, now: float, recorded: _Recorded
    ) -> None:
        self._workspace, self._store, self._writer, self._now = workspace, store, writer, now
        self._recorded = recorded
        self._reports = self._devices = 0

    def write(
        self, advisory: str, account: str | None, by: str, operator: tuple[str, Signer] | None
    ) -> dict[str, Any]:
        with self._store.read() as session:
            scope = collecting.scope(session, advisory, account)
            shown, threads = collecting.shown_rows(session, scope)
            self._about(session, scope)
            self._documents(session, scope)
            self._words(session, scope, shown)
            self._told(session, scope)
            counted = _counted(session, threads, scope.through)
        facts = {
            "account": account,
            "advisory": advisory,
            "by": by,
            "content": content_digest(self._writer.measured()),
            "threads": counted,
            "through": scope.through,
        }
        with self._store.write() as session:
            row = audit.append(session, EXPORTED, facts, self._now)
        self._recorded.row = row.index
        with self._store.read() as session:
            self._writer.add(form.AUDIT, _chain(session, shown, row.index))
        index = self._writer.index()
        if operator is not None:
            payload = hashlib.sha256(index).digest()
            self._writer.add(
                form.SIGNATURE, cose.sign1(payload, operator[1], typ=TYP, external_aad=EXTERNAL_AAD)
            )
        return {
            "digest": hashlib.sha256(index).hexdigest(),
            "advisory": advisory,
            "account": account,
            "rows": scope.through,
            "reports": self._reports,
            "devices": self._devices,
            "row": row.index,
            "signed_by": None if operator is None else operator[0],
        }

    def _about(self, session: Session, scope: Scope) -> None:
        said = {
            "format": form.FORMAT,
            "version": form.VERSION,
            "advisory": scope.advisory,
            "account": scope.account,
            "fleet": session.meta("fleet"),
            "made": float(self._now),
        }
        self._writer.add(form.ABOUT, json_line(said))

    def _documents(self, session: Session, scope: Scope) -> None:
        for version, data in collecting.roots(session):
            self._writer.add(f"roots/{version}.cose", data)
        for revision, document in scope.notices.items():
            self._revision(scope, revision, document)
        for product, version, data in collecting.catalogues(session, scope):
            self._writer.add(f"catalogues/{product}/{version}.cose", data)
        for digest, data in collecting.patches(session, scope):
            self._writer.add(f"patches/{digest.hex()}.suit", data)
        self._writer.add(form.TIMESTAMPS, map(framed, collecting.timestamps(session, scope)))

    def _revision(self, scope: Scope, revision: int, document: bytes) -> None:
        """Write a published revision with everything that its header binds, as it lies in the workspace."""
        folder = releases.folder(self._workspace, scope.advisory, revision)
        into = f"advisory/r{revision}"
        notice = peek(document, Notice)
        self._writer.add(f"{into}/header.cose", document)
        for language, digest in sorted(notice.texts.items()):
            name = f"texts/{language}.cbor"
            self._writer.add(f"{into}/{name}", _published(folder / name, digest))
        listed = _published(folder / releases.LIST, notice.release_list)
        self._writer.add(f"{into}/release-list.cbor", listed)
        outputs = load(ReleaseList, listed, size_max=RELEASE_LIST_BYTES_MAX).outputs
        for name, digest in sorted(outputs.items()):
            if scope.account is not None and not is_for_accounts(name):
                continue
            place = folder / name if name.startswith(SOURCE) else folder / "outputs" / name
            self._writer.add(f"{into}/outputs/{name}", _published(place, digest))

    def _words(self, session: Session, scope: Scope, shown: set[int]) -> None:
        inside = scope.account is None  # what people of the house said to each other is not for accounts
        rows = (row for row in audit.rows(session) if row.index in shown and row.index <= scope.through)
        found = collecting.words(session, rows) if inside else ()
        self._writer.add(form.EVENTS, map(json_line, found))
        clocks = self._clocks(scope.advisory) if inside else []
        self._writer.add(form.CLOCKS, json_line(clocks))

    def _clocks(self, advisory: str) -> list[dict[str, Any]]:
        """Return every clock of the incidents that the advisory speaks about, kept or missed."""
        found = [
            clock
            for incident in every(self._workspace)
            if advisory in watching.speaking(self._workspace, incident)
            for clock in watching.watch(self._workspace, incident, now=self._now).clocks
        ]
        return [
            {
                name: value.isoformat() if isinstance(value, datetime) else value
                for name, value in asdict(clock).items()
            }
            for clock in found
        ]

    def _told(self, session: Session, scope: Scope) -> None:
        """Write devices, their records and reports, and the table that follows from these."""
        stated = collecting.stated(session, scope)
        mine = None if scope.account is None else stated
        self._writer.add(
            form.STATED,
            (json_line({"device": device, **asdict(said)}) for device, said in sorted(stated.items())),
        )
        known = _known(scope)
        for version, data in collecting.device_records(session, mine):
            self._writer.add(f"devices/{version}.cose", data)
            known.take(peek(data, Devices))
        self._writer.add(form.OFFERS, map(framed, collecting.offers(session, scope, mine)))
        standings = Standings(scope.advisory, scope.patches)
        self._writer.add(form.REPORTS, self._receipts(session, scope, mine, standings))
        registered = {
            name: product for name, product in known.registered.items() if mine is None or name in mine
        }
        self._devices = len(registered.keys() | stated.keys())
        newest = max(known.notices)

        def rows() -> Iterator[dict[str, Any]]:  # computed once for each form: neither is held in memory
            return table(known.notices, registered, stated, standings)

        tables = Tables(newest)
        self._writer.add(form.TOLD_JSON, (line for line, _ in tables.lines(rows())))
        self._writer.add(form.TOLD_CSV, _with_head(line for _, line in Tables(newest).lines(rows())))
        self._writer.add(form.SUMMARY, tables.summary())

    def _receipts(
        self, session: Session, scope: Scope, mine: Mapping[str, Stated] | None, standings: Standings
    ) -> Iterator[bytes]:
        times = _Times(session)
        for entry, salt, data in collecting.reports(session, scope, mine):
            standings.take(said(data), data, report_kid(data) or b"", times.of(entry))
            self._reports += 1
            yield framed(item_of(entry, salt, data))


class _Times:
    """The times of audit rows, which come in their order."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._last = (0, 0.0)

    def of(self, index: int) -> float:
        """Return when a row was written, UTC seconds."""
        if self._last[0] != index:
            (row,) = audit.find(self._session, after=index - 1, limit=1)
            self._last = index, row.time
        return self._last[1]


def _with_head(lines: Iterable[bytes]) -> Iterator[bytes]:
    yield csv_line(COLUMNS)
    yield from lines


def _known(scope: Scope) -> Known:
    known = Known(b"", [])
    for revision, document in scope.notices.items():
        known.notices[revision] = peek(document, Notice)
    return known


def _counted(session: Session, threads: Iterable[str], through: int) -> dict[str, int]:
    """Return thread -> number of its last row that an export covers."""
    found = {}
    for thread in sorted(threads):
        many = audit.length(session, thread, through)
        if many:
            found[thread] = many
    return found


def _chain(session: Session, shown: set[int], last: int) -> Iterator[bytes]:
    for row in audit.rows(session):
        if row.index > last:
            return
        yield framed(row_item(row, full=row.index in shown or row.index == last))


def _published(path: Path, digest: bytes) -> bytes:
    """Return a file of a release as it was published: evidence that proves nothing is not handed out."""
    mend = "Restore the advisory's folder from a copy: the header binds every byte of it."
    try:
        data = path.read_bytes()
    except OSError:
        message = "A part of what was published is no longer in the workspace."
        raise DamagedError("RELEASE_MISSING", message, mend=mend, where=str(path)) from None
    if hashlib.sha256(data).digest() != digest:
        message = "This was altered since it was published."
        raise DamagedError("RELEASE_DAMAGED", message, mend=mend, where=str(path))
    return data
