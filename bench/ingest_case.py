"""What the ingest benchmark runs: a gateway that drains a queue of signed reports, and its parts alone.

The reports wait in the gateway's session at a real Mosquitto before anything is timed: so whoever sent them
takes no time from whoever receives them. The parts do what cannot be left out, by the shortest way: bare paho
that acknowledges at once; decoding and the signature; the rows that a report comes to, written in batches by
Python's own sqlite3 with FULL, duplicates left out, one row of the audit chain a batch.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import select
import sqlite3
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes

from advisories.report import Report, open_report
from bench.cases import GaveWayError
from bench.gateway_load import TOPICS, Load, address, keep_for, make_store, mosquitto, send
from gateway.service.buffered import properties_of
from gateway.service.ingest import BATCH_MAX as BATCH
from gateway.service.link import RECEIVE_MAXIMUM
from gateway.service.runtime import Gateway

SESSION = "bench-bare"
FILTER = TOPICS.device("+", "report")


def end_to_end(load: Load) -> float:
    """Return seconds a report from the broker into the store and back to the broker as a PUBACK."""
    with tempfile.TemporaryDirectory() as name, mosquitto(Path(name)) as url:
        return asyncio.run(_drained(load, Path(name), url)) / len(load.reports)


async def _drained(load: Load, folder: Path, url: str) -> float:
    store = make_store(folder / "store.sqlite", load)
    fleet = load.fleet
    signer = fleet.signers("gateway")[0]
    try:
        gateway = Gateway(
            store, folder, TOPICS, fleet.id, fleet.root, signer, clock=lambda: float(fleet.now), standing=True
        )
        await keep_for(url, gateway.client_id, gateway.filters)
        await send(url, load)
        stop = asyncio.Event()
        start = time.perf_counter()
        running = asyncio.create_task(gateway.run(url, stop))
        while gateway.counts.get("committed", 0) < len(load.reports):
            if running.done():
                running.result()
                raise GaveWayError
            await asyncio.sleep(0.001)
        seconds = time.perf_counter() - start
        stop.set()
        await running
        await gateway.close()
        return seconds
    finally:
        store.close()


def received(load: Load) -> float:
    """Return seconds a report for bare paho: a loop that reads and acknowledges."""
    with tempfile.TemporaryDirectory() as name, mosquitto(Path(name)) as url:
        asyncio.run(keep_for(url, SESSION, [FILTER]))
        asyncio.run(send(url, load))
        left = len(load.reports)

        def count(*_: object) -> None:
            nonlocal left
            left -= 1

        client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id=SESSION, protocol=mqtt.MQTTv5)
        client.on_message = count
        properties = properties_of(PacketTypes.CONNECT)
        properties.SessionExpiryInterval = 600
        properties.ReceiveMaximum = RECEIVE_MAXIMUM
        start = time.perf_counter()
        client.connect(*address(url), clean_start=False, properties=properties)
        raw = client.socket()
        while left > 0:
            select.select([raw], [], [], 10)
            client.loop_read()
            if client.want_write():
                client.loop_write()
        seconds = time.perf_counter() - start
        client.disconnect()
        return seconds / len(load.reports)


def verified(load: Load) -> tuple[float, list[Report]]:
    """Return seconds a report to decode it and check its signature; and the reports."""
    fleet = load.fleet
    keys = {name: fleet.device(name, fleet.products[0]).public for name in load.devices}
    found = []
    start = time.perf_counter()
    for name, data in load.reports:
        found.append(open_report(data, keys[name], fleet=fleet.id, device=name))
    return (time.perf_counter() - start) / len(load.reports), found


_TABLES = """
PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;
CREATE TABLE reports (device TEXT, epoch INT, sequence INT, bytes BLOB, received REAL, salt BLOB, entry INT,
  PRIMARY KEY (device, epoch, sequence));
CREATE TABLE device_states (device TEXT PRIMARY KEY, epoch INT, sequence INT, installed TEXT, language TEXT,
  root INT, catalogue BLOB, count INT, head BLOB, life INT, nonce BLOB, seen REAL, algorithms TEXT);
CREATE TABLE notice_states (device TEXT, advisory TEXT, revision INT, digest BLOB, state INT, reason INT,
  surface INT, language TEXT, verified REAL, shown REAL, acknowledged REAL, confirmed REAL, received REAL,
  PRIMARY KEY (device, advisory));
CREATE TABLE journal (device TEXT, life INT, "index" INT, time INT, track INT, name TEXT, old INT, new INT,
  reason INT, digest BLOB, PRIMARY KEY (device, life, "index"));
CREATE TABLE audit ("index" INTEGER PRIMARY KEY, time REAL, kind TEXT, data TEXT, hash BLOB);
"""


def written(load: Load, reports: list[Report]) -> float:
    """Return seconds a report to write what it comes to, as many a transaction as ours."""
    salt, head = bytes(16), bytes(32)
    with tempfile.TemporaryDirectory() as name:
        connection = sqlite3.connect(Path(name) / "store.sqlite", isolation_level=None)
        connection.executescript(_TABLES)
        start = time.perf_counter()
        for number, first in enumerate(range(0, len(reports), BATCH), 1):
            batch = [
                (body, data)
                for body, (_, data) in zip(
                    reports[first : first + BATCH], load.reports[first : first + BATCH], strict=True
                )
            ]
            connection.execute("BEGIN IMMEDIATE")
            digests = [hashlib.sha256(salt + data).hexdigest() for _, data in batch]
            row = json.dumps({"reports": digests})
            head = hashlib.sha256(head + row.encode()).digest()
            for statement, rows in _ROWS:
                connection.executemany(statement, [rows(body, data, number) for body, data in batch])
            connection.execute("INSERT INTO audit VALUES (?,?,?,?,?)", (number, 0.0, "reports", row, head))
            connection.execute("COMMIT")
        seconds = time.perf_counter() - start
        (many,) = connection.execute("SELECT count(*) FROM reports").fetchone()
        connection.close()
    if many != len(reports):
        raise GaveWayError
    return seconds / len(reports)


def _marks(count: int) -> str:
    return ",".join("?" * count)


def _state(body: Report, _data: bytes, _number: int) -> tuple[object, ...]:
    return (
        *(body.device, body.boot_epoch, body.version, "1.4.1", body.language, body.root_version),
        *(body.catalogue, body.journal_count, body.journal_head, 0, body.nonce, 0.0, None),
    )


def _notice(body: Report, _data: bytes, _number: int) -> tuple[object, ...]:
    (status,) = body.notices
    return (
        *(body.device, status.id, status.revision, status.digest, int(status.state), int(status.reason)),
        *(int(status.surface), status.language, 0.0, 0.0, None, None, 0.0),
    )


def _step(body: Report, _data: bytes, _number: int) -> tuple[object, ...]:
    (entry,) = body.journal
    return (
        *(body.device, 0, entry.index, entry.time, int(entry.track), entry.name, entry.old, entry.new),
        *(int(entry.reason), entry.digest),
    )


_ROWS: tuple[tuple[str, Callable[[Report, bytes, int], tuple[object, ...]]], ...] = (
    (
        f"INSERT OR IGNORE INTO reports VALUES ({_marks(7)})",
        lambda body, data, number: (body.device, body.boot_epoch, body.version, data, 0.0, bytes(16), number),
    ),
    (f"INSERT OR REPLACE INTO device_states VALUES ({_marks(13)})", _state),
    (f"INSERT OR REPLACE INTO notice_states VALUES ({_marks(13)})", _notice),
    (f"INSERT OR IGNORE INTO journal VALUES ({_marks(10)})", _step),
)
"""Statement -> its values of a report, its bytes and the number of the audit row."""
