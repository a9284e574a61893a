"""``tocsin store``: what lies in the store, whether it is whole, copies of it, and what is erased by rule."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import sqlalchemy as sa

from gateway.core.retention import RULES
from gateway.operations.afar import operation
from gateway.store import audit, backup, cells, retention, schema
from gateway.store.backup_reading import Backup
from gateway.store.engine import Session, Store
from gateway.store.retention import Erased
from gateway.workspace.folder import Workspace
from keys.errors import DamagedError, InputError, RefusedError

FINDINGS_MAX: Final = 100  # of one kind, in an answer
EXPIRE_SECONDS: Final = 6 * 3_600.0
RECOUNTED: Final = "store.recounted"
"""Kind of the audit row that says which counts were wrong."""
_RECOUNT: Final = "Count anew with 'tocsin store recount'."


@dataclass(frozen=True, slots=True)
class Info:
    """What a store is, and how much lies in it."""

    where: str
    engine: str
    schema: int
    fleet: str | None
    """Digest of root 1, in hex; None before it is published."""
    audit_index: int
    audit_head: str
    rows: Mapping[str, int]
    """Table -> rows."""
    keep: Mapping[str, int]
    """Rule -> days; what has no rule is kept."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing in a store that is not as it has to be."""

    code: str
    message: str
    mend: str = ""
    """What to do about it; empty where that is not known."""


@dataclass(frozen=True, slots=True)
class Recounted:
    """What a new count of everything gave otherwise."""

    tables: Mapping[str, int]
    """Table of counts -> rows of it that were wrong."""
    changed: bool


@dataclass(frozen=True, slots=True)
class Checked:
    """What a check of the whole store found."""

    reports: int
    """Reports that were held against the audit chain."""
    faults: tuple[Fault, ...]
    more: int
    """Faults that are not listed."""


def create(workspace: Workspace) -> str:
    """Make the store that the settings name, where there is none; return where.

    Raises:
        InputError: STORE_EXISTS; STORE_NEEDED, when this workspace has published: an empty store would begin
            to count versions anew, and devices refuse what is older than what they have.
    """
    if workspace.root_documents():
        raise InputError(
            "STORE_NEEDED",
            "This workspace has published already: an empty store would not know what.",
            mend="Bring the store back with 'tocsin store restore FILE'.",
            where=str(workspace.path),
        )
    store = Store.create(workspace.store_place)
    store.close()
    return store.where


@operation("GET", "/store", right="store:read")
def info(workspace: Workspace) -> Info:
    """Say what the store is, and how much lies in it."""
    with workspace.store() as store, store.read() as session:
        count = sa.func.count()
        index, head = audit.last(session)
        return Info(
            where=store.where,
            engine=store.dialect,
            schema=schema.SCHEMA_VERSION,
            fleet=session.meta("fleet"),
            audit_index=index,
            audit_head=head.hex(),
            rows={
                table.name: session.connection.execute(sa.select(count).select_from(table)).scalar_one()
                for table in backup.tables()
            },
            keep=dict(rules(workspace)),
        )


@operation("GET", "/store/check", right="store:read")
def check(workspace: Workspace) -> Checked:
    """Read the whole store: its pages, the audit chain, the counts, and every report against the chain."""
    with workspace.store() as store:
        faults = [Fault("STORE_DAMAGED", f"The file is damaged: {each}.") for each in _pages(store)]
        try:
            audit.verify_chain(store)
        except DamagedError as error:
            faults.append(Fault(error.code, error.message, error.mend))
        faults += _strangers(workspace, store)
        with store.read() as session:
            faults += [
                Fault("CELLS_WRONG", f"A count is wrong: {each}.", _RECOUNT) for each in cells.faults(session)
            ]
            faults += [
                Fault("REPORT_UNEXPLAINED", f"Report {each.digest}: {each.why}{_row(each.row)}.")
                for each in retention.unexplained(session)
            ]
            many = session.connection.execute(sa.select(sa.func.count()).select_from(schema.reports))
            return Checked(
                many.scalar_one(), tuple(faults[:FINDINGS_MAX]), max(0, len(faults) - FINDINGS_MAX)
            )


@operation("POST", "/store/recount", right="store:manage")
def recount(workspace: Workspace, *, now: float, by: str, dry_run: bool = False) -> Recounted:
    """Count everything that pages show anew, from what devices, inventory and reports say.

    Nobody else writes meanwhile. What was wrong stands in the audit chain; what was right is left alone.

    Args:
        workspace: whose store.
        now: UTC seconds.
        by: who wants it.
        dry_run: only say what is wrong.
    """
    with workspace.store() as store:
        store.rehearsing = dry_run
        with store.write() as session:
            wrong = _count_anew(session, by=by, now=now)
    return Recounted(wrong, changed=bool(wrong) and not dry_run)


def _count_anew(session: Session, *, by: str, now: float) -> dict[str, int]:
    wrong = cells.recount(session)
    if wrong:
        audit.append(session, RECOUNTED, {"by": by, "tables": wrong}, now)
    return wrong


def _strangers(workspace: Workspace, store: Store) -> list[Fault]:
    """Return what keeps this store from being that of the workspace; or a root that keeps us from knowing."""
    try:
        error = _strange(workspace, store)
    except DamagedError as damage:
        place = damage.where.removeprefix(f"{workspace.path}/")
        return [Fault(damage.code, f"{place}: {damage.message} 'tocsin root restore' brings it back.")]
    return [] if error is None else [Fault(error.code, error.message, error.mend)]


def require_own(workspace: Workspace, store: Store) -> None:
    """Refuse a store that others, or nobody, published from: what is signed over it would be wrong.

    Raises:
        InputError: STORE_EMPTY, FLEET_OTHER.
        DamagedError: ROOT_DAMAGED.
    """
    error = _strange(workspace, store)
    if error is not None:
        raise error


def _strange(workspace: Workspace, store: Store) -> InputError | None:
    with store.read() as session:
        fleet = session.meta("fleet")
    # Walked, not only looked at: a damaged root is another thing than another fleet's.
    if not workspace.root_documents() or fleet == workspace.trusted().fleet.hex():
        return None
    if fleet is None:
        message = "Nothing was published from this store, but from this workspace there was."
        mend = "Bring the store back with 'tocsin store restore FILE'."
        return InputError("STORE_EMPTY", message, mend=mend, where=store.where)
    message = "This store is not of the fleet that this workspace's first root began."
    mend = "Name the right store in tocsin.toml, or in TOCSIN_STORE."
    return InputError("FLEET_OTHER", message, mend=mend, where=store.where)


def _row(index: int) -> str:
    return f" (audit row {index})" if index else ""


def _pages(store: Store) -> list[str]:
    if store.path is None:
        return []
    with store.read() as session:
        said = [row[0] for row in session.connection.exec_driver_sql("PRAGMA integrity_check(20)")]
        lost = session.connection.exec_driver_sql("PRAGMA foreign_key_check").all()
    found = [str(each).replace("\n", " ") for each in said if each != "ok"]
    return found + [f"a row of {row[0]} refers to one of {row[2]} that is gone" for row in lost[:20]]


def write_backup(workspace: Workspace, file: Path, *, now: float) -> Backup:
    """Write every row of the store into one file (:func:`gateway.store.backup.write`)."""
    with workspace.store() as store:
        return backup.write(store, file, now)


def restore(workspace: Workspace, file: Path, *, now: float, dry_run: bool = False) -> Backup:
    """Put a backup into the store that the settings name: a new one, or one that is empty.

    What pages count is counted anew; what of it was wrong stands in the audit chain.

    Raises:
        InputError, DamagedError, UnavailableError: of :func:`gateway.store.backup.restore`; FLEET_OTHER, when
            the backup is of another fleet than this workspace; ROOT_DAMAGED.
    """
    found = backup.examine(file)
    documents = workspace.root_documents()
    if documents and found.fleet is not None and found.fleet != workspace.trusted().fleet.hex():
        raise InputError(
            "FLEET_OTHER",
            "The backup is of another fleet than this workspace.",
            mend="Restore it in the workspace that it was taken in.",
            where=str(file),
        )
    if dry_run:
        return found
    place = workspace.store_place
    if isinstance(place, Path) and not place.exists():
        Store.create(place).close()
    elif isinstance(place, str):
        _create_if_empty(place)
    with workspace.store() as store:
        restored = backup.restore(store, file, now)
        # What was lost with a store is needed even if a notice in it cannot be read: 'store check' names it.
        with contextlib.suppress(RefusedError), store.write() as session:
            _count_anew(session, by="store restore", now=now)
        return restored


def _create_if_empty(place: str) -> None:
    try:
        Store.create(place).close()
    except InputError as error:
        if error.code != "STORE_EXISTS":
            raise


def rules(workspace: Workspace) -> Mapping[str, int]:
    """Return rule -> days as they stand in ``tocsin.toml`` now: a gateway runs for months.

    Raises:
        InputError: of the file, with file:line.
    """
    return Workspace.open(workspace.path).settings.keep


@operation("POST", "/store/expire", right="store:manage")
def expire(workspace: Workspace, *, now: float, dry_run: bool = False) -> list[Erased]:
    """Erase what the rules in tocsin.toml let go, all of it; or only count it."""
    keep = rules(workspace)
    with workspace.store() as store:
        if dry_run:
            return retention.due(store, keep, now)
        rows: dict[str, dict[str, int]] = {rule: {} for rule in RULES if rule in keep}
        more = True
        while more:
            found, more = retention.expire(store, keep, now)
            for each in found:
                for name, many in each.rows.items():
                    rows[each.rule][name] = rows[each.rule].get(name, 0) + many
    return [Erased(rule, keep[rule], dict(sorted(each.items()))) for rule, each in rows.items()]


class Expiry:
    """The chore of the leading worker that obeys the rules, a batch a round.

    Args:
        store: where.
        keep: gives rule -> days, asked anew in each round.
        clock: gives UTC seconds.
        limit: rows, or devices, of each rule in one round.
    """

    name = "retention"
    seconds = EXPIRE_SECONDS

    def __init__(
        self,
        store: Store,
        keep: Callable[[], Mapping[str, int]],
        clock: Callable[[], float] = time.time,
        *,
        limit: int = retention.BATCH,
    ) -> None:
        self._store, self._keep, self._clock, self._limit = store, keep, clock, limit

    async def round(self) -> bool:
        """Erase some of what is due; True when there may be more.

        Raises:
            InputError: the rules cannot be read; nothing was erased.
        """
        return await asyncio.to_thread(self._erase)

    def _erase(self) -> bool:
        keep = self._keep()
        if not keep:
            return False
        return retention.expire(self._store, keep, self._clock(), limit=self._limit)[1]
