"""What must hold between a workspace's store and its devices whenever everything stands still."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import sqlalchemy as sa

from advisories.report import JournalEntry, Track, journal_genesis, journal_head
from device_sim.core.state import State
from device_sim.home import Home
from gateway.store import audit, schema
from gateway.store.engine import Session, Store
from gateway.workspace.folder import Workspace
from keys.reasons import Reason

TOCSIN = (sys.executable, "-m", "gateway.cli.main")
ENVIRONMENT = {**os.environ, "COLUMNS": "100", "PYTHONUNBUFFERED": "1"}


def start(*arguments: str | Path, output: Path) -> subprocess.Popen[bytes]:
    """Start a tocsin command in a process group of its own, as a terminal does."""
    with output.open("ab") as stream:
        return subprocess.Popen(
            [*TOCSIN, *map(str, arguments)],
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=subprocess.STDOUT,
            env=ENVIRONMENT,
            start_new_session=True,
        )


def interrupt(process: subprocess.Popen[bytes], number: signal.Signals) -> int:
    """Kill -9 the process alone, or press Ctrl-C: that reaches its whole group."""
    try:
        if number is signal.SIGKILL:
            process.kill()
        else:
            os.killpg(process.pid, number)
    except ProcessLookupError:
        pass
    return process.wait(timeout=60)


def check_nothing_receipted_is_lost(folder: Path) -> int:
    """Compare every device's journal with the store's; return how many entries were receipted.

    What a device has dropped from its journal was receipted, so the store must have it, in the very
    order and with the very bytes that the device's hash chain tells.
    """
    workspace = Workspace.open(folder)
    receipted = 0
    with workspace.store() as store:
        audit.verify_chain(store)
        with store.read() as session:
            for path in sorted(folder.joinpath("devices").glob("*/device.toml")):
                receipted += _check_device(session, Home.open(path.parent), workspace.fleet())
    return receipted


def _check_device(session: Session, home: Home, fleet: bytes) -> int:
    data = home.read_state()
    if data is None:
        return 0
    state = State.load(data, home.root_1)
    assert state.journal_lost == 0
    first = state.journal[0].index if state.journal else state.journal_count
    stored = _stored(session, home.profile.id, first)
    assert [entry.index for entry in stored] == list(range(first)), home.profile.id
    head = journal_head(journal_genesis(fleet, home.profile.id), [*stored, *state.journal])
    assert head == state.journal_head, home.profile.id
    return first


def _stored(session: Session, device: str, below: int) -> list[JournalEntry]:
    j = schema.journal
    query = sa.select(j).where(j.c.device == device, j.c.index < below).order_by(j.c.life, j.c.index)
    return [
        JournalEntry(
            index=row._mapping["index"],
            time=row.time,
            track=Track(row.track),
            name=row.name,
            old=row.old,
            new=row.new,
            reason=Reason(row.reason),
            digest=row.digest,
        )
        for row in session.connection.execute(query)
    ]


def no_anomalies(store: Store) -> list[tuple[str, str]]:
    """Return anomalies that the gateway kept (kind, detail): an interruption alone makes none."""
    with store.read() as session:
        rows = session.connection.execute(sa.select(schema.anomalies.c.kind, schema.anomalies.c.detail))
        return [(row.kind, row.detail) for row in rows]


def reports(folder: Path) -> int:
    """Return how many reports the store holds."""
    with Workspace.open(folder).store() as store, store.read() as session:
        count = session.connection.execute(sa.select(sa.func.count()).select_from(schema.reports)).scalar()
    return int(count or 0)
