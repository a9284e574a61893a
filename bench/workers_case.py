"""What the benchmark of several workers runs: the same reports taken in by one worker, and by two.

Workers are processes on one PostgreSQL and one Mosquitto. Processor time is that of the workers from the
first report until all are committed; what broker and store take is not counted.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import sqlalchemy as sa

from bench.cases import GaveWayError
from bench.gateway_load import Load, fill_store, mosquitto, send
from gateway.store import schema, workers
from gateway.store.engine import Store
from tests.gateway.databases import Server
from tests.gateway.runtime.worker import spawn

_SECONDS = 60.0  # for what must come
_TICKS = os.sysconf("SC_CLK_TCK")
_SEED = hashlib.sha256(b"tocsin test key gateway-1").digest()  # of the gateway's key in the fleet for tests


def cost(load: Load, count: int, server: Server) -> float:
    """Let so many workers take a load in; return their seconds of processor time a report."""
    with tempfile.TemporaryDirectory() as name, mosquitto(Path(name)) as url:
        place = server.database(server.template)
        try:
            return asyncio.run(_cost(load, count, place, url))
        finally:
            server.drop(place)


async def _cost(load: Load, count: int, place: str, url: str) -> float:
    store = Store.open(place)
    fill_store(store, load)
    running = [await spawn(f"w{number}", place, url, _SEED) for number in range(count)]
    try:
        await _until(lambda: _ready(store) == count)
        pids = [process.pid for process in running]
        before = _seconds(pids)
        await send(url, load)
        await _until(lambda: _stored(store) == len(load.reports))
        spent = _seconds(pids) - before
    finally:
        for process in running:
            process.kill()
            await process.wait()
        store.close()
    return spent / len(load.reports)


async def _until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + _SECONDS
    while not true():
        if time.monotonic() > end:
            raise GaveWayError
        await asyncio.sleep(0.02)


def _ready(store: Store) -> int:
    with store.read() as session:
        return sum("connected" in worker.counts for worker in workers.workers(session))


def _stored(store: Store) -> int:
    with store.read() as session:
        return int(
            session.connection.execute(sa.select(sa.func.count()).select_from(schema.reports)).scalar() or 0
        )


def _seconds(pids: list[int]) -> float:
    """Return the processor time of processes and of those that they began, until now."""
    return sum(map(_ticks, pids)) / _TICKS


def _ticks(pid: int) -> int:
    """Return fields 14 and 15 of proc(5)'s stat, and the same of all children."""
    process = Path(f"/proc/{pid}")
    fields = (process / "stat").read_text().rpartition(")")[2].split()
    children = [int(child) for task in process.glob("task/*/children") for child in task.read_text().split()]
    return int(fields[11]) + int(fields[12]) + sum(map(_ticks, children))
