"""A gateway of several processes under load, of which any may be killed: workers, broker, PostgreSQL.

Whoever is killed is started again, as a supervisor would. Devices are light, but what they say is signed,
goes over the broker, and is repeated until they hold a genuine receipt.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from advisories.offer import Offer
from advisories.report import PatchStatus, Track
from advisories.states import PatchState
from gateway.core.chain import COMMITTED, receipt_digest
from gateway.core.rollout import Group, Plan, RolloutState
from gateway.store import audit, cells, schema, workers
from gateway.store.engine import Store
from gateway.store.planning import create_rollout
from gateway.store.publication import publish_root, register_devices
from gateway.store.rollouts import get_rollout
from keys.document import open_document
from keys.errors import TocsinError
from keys.reasons import Reason
from tests.gateway.brokers import MOSQUITTO, _until_open
from tests.gateway.databases import Server
from tests.gateway.peer import TOPICS, Peer, entry
from tests.gateway.rollout.scenarios.world import NEW, OLD, PATCHES, TO_BOOT, fill
from tests.helpers import Fleet, device_record, devices, make_fleet

P = PatchState
SEED = hashlib.sha256(b"tocsin test key gateway-1").digest()
PATH = (P.QUEUED, P.OFFERED, *TO_BOOT, P.SUCCEEDED)
PATIENCE_SECONDS = 90.0  # a failure, not a measurement
ROOT = Path(__file__).parents[2]


@dataclass
class Device:
    """One that reports for as long as it is let, and takes a patch step by step when it is offered."""

    peer: Peer
    pace: int
    """Receipts between two steps of a patch."""
    offer: Offer | None = None
    state: PatchState = P.QUEUED
    receipted: dict[int, bytes] = field(default_factory=dict)
    """Sequence -> the bytes that a genuine receipt covers."""

    async def live(self, url: str, told: Callable[[], None]) -> None:
        """Report until cancelled; come back after every loss."""
        while True:
            try:
                await self.peer.connect(url)
                while True:
                    await self._once(told)
            except (TocsinError, OSError):
                self.peer.close()
                await asyncio.sleep(0.05)  # until the broker is there again

    async def _once(self, told: Callable[[], None]) -> None:
        self._listen()
        if self.offer is not None and self.state is not P.SUCCEEDED and len(self.receipted) % self.pace == 0:
            self._step()
        data = self.peer.sign(installed=NEW if self.state is P.SUCCEEDED else OLD, patches=self._patches())
        assert self.peer.link is not None
        while True:
            await self.peer.send(data)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(1):
                    await self.peer.receipt((1, self.peer.sequence))
                break
            if self.peer.link.closed.is_set():  # it goes on with this very report
                raise OSError
        self.receipted[self.peer.sequence] = data
        told()

    def _listen(self) -> None:
        while not self.peer.messages.empty():
            topic, payload = self.peer.messages.get_nowait()
            if topic == TOPICS.device(self.peer.id, "offer"):
                fleet = self.peer.fleet
                found = open_document(payload, Offer, fleet.root, fleet=fleet.id, subject=self.peer.id)
                self.offer = found.body

    def _step(self) -> None:
        old, self.state = self.state, PATH[PATH.index(self.state) + 1]
        name = PATCHES[7].hex()[:16]
        index = len(self.peer.journal)
        self.peer.journal.append(entry(index, name, old, self.state, track=Track.PATCH, digest=PATCHES[7]))

    def _patches(self) -> tuple[PatchStatus, ...]:
        if self.state is P.QUEUED:
            return ()
        status = PatchStatus(
            digest=PATCHES[7], sequence=7, state=self.state, time=int(time.time()), reason=Reason.OK
        )
        return (status,)


class Broker:
    """A Mosquitto that keeps what it can on a disk, always on the same port."""

    def __init__(self, folder: Path) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        folder.mkdir()
        self._config = folder / "mosquitto.conf"
        self._config.write_text(
            f"user root\nlistener {self.port} 127.0.0.1\nallow_anonymous true\nset_tcp_nodelay true\n"
            "max_inflight_messages 200\nmax_queued_messages 10000\n"
            f"persistence true\npersistence_location {folder}/\nautosave_interval 1\n"
        )
        self.url = f"mqtt://127.0.0.1:{self.port}"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        assert MOSQUITTO is not None
        self._process = subprocess.Popen([MOSQUITTO, "-c", str(self._config)], stderr=subprocess.DEVNULL)
        _until_open(self.port)

    def kill(self) -> None:
        assert self._process is not None
        self._process.kill()
        self._process.wait(10)


class Site:
    """Store, broker, two workers and their fleet."""

    def __init__(self, folder: Path, engine: str, count: int, pace: int) -> None:
        self.fleet: Fleet = make_fleet(now=int(time.time()) - 10)
        self.server = Server() if engine == "postgresql" else None
        if self.server is not None:
            self.server.start()
        ids = [f"device-{number:04}" for number in range(count)]
        self.store = self._store(folder, ids)
        self.broker = Broker(folder / "broker")
        self.devices = [Device(Peer(self.fleet, id_), pace) for id_ in ids]
        self.receipts = 0
        self._workers: dict[str, asyncio.subprocess.Process] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self.started = 0

    def _store(self, folder: Path, ids: list[str]) -> Store:
        if self.server is None:
            store = Store.create(folder / "store.sqlite")
            self.place = store.where
        else:
            self.place = self.server.database(self.server.template)
            store = Store.open(self.place)
        publish_root(store, self.fleet.root_document, self.fleet.now)
        records = (device_record(self.fleet, id_) for id_ in ids)
        register_devices(store, self.fleet.seal(devices(self.fleet, *records)), self.fleet.now)
        fill(store, self.fleet, 2)
        plan = Plan(
            groups=(Group(percent=20), Group(percent=30), Group(percent=50)),
            deadline=self.fleet.now + 86_400,
        )
        create_rollout(
            store,
            "r",
            digest=PATCHES[7],
            plan=plan,
            now=time.time(),
            devices=ids,
            start=True,
            by="operator",
        )
        return store

    async def open(self) -> None:
        """Start everything."""
        self.broker.start()
        self._tasks = [asyncio.ensure_future(self._supervise(name)) for name in ("a", "b")]
        self._tasks += [
            asyncio.ensure_future(device.live(self.broker.url, self._told)) for device in self.devices
        ]

    async def close(self) -> None:
        """End everything."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for process in self._workers.values():
            if process.returncode is None:
                process.kill()
                await process.wait()
        for device in self.devices:
            device.peer.close()
        self.broker.kill()
        self.store.close()
        if self.server is not None:
            self.server.close()

    def _told(self) -> None:
        self.receipts += 1

    async def _supervise(self, name: str) -> None:
        """Start a worker again whenever it has ended."""
        words = ("-m", "tests.gateway.runtime.worker", name, self.place, self.broker.url, SEED.hex())
        while True:
            self.started += 1
            process = await asyncio.create_subprocess_exec(
                sys.executable, *words, cwd=ROOT, stderr=asyncio.subprocess.DEVNULL
            )
            self._workers[name] = process
            await process.wait()

    def kill(self, victim: str) -> None:
        """Kill -9 the leader, the other worker, the broker, or PostgreSQL with all its processes."""
        match victim:
            case "broker":
                self.broker.kill()
                self.broker.start()
            case "postgresql":
                assert self.server is not None
                self.server.kill()
                self.server.start()
            case _:
                name = self._leader() or "a"
                other = "b" if name == "a" else "a"
                process = self._workers[name if victim == "gateway" else other]
                with contextlib.suppress(ProcessLookupError):
                    process.kill()

    def _leader(self) -> str | None:
        with self.store.read() as session:
            return next((worker.name for worker in workers.workers(session) if worker.leads), None)

    async def until(self, true: Callable[[], bool]) -> None:
        """Wait for something that must come."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not true():
                for task in self._tasks:
                    if task.done():
                        task.result()
                await asyncio.sleep(0.01)

    def finished(self) -> bool:
        """Say whether the rollout has come to its end."""
        with self.store.read() as session:
            return get_rollout(session, "r").state is RolloutState.FINISHED

    def check(self) -> dict[str, int]:
        """Hold the store against what devices have receipts for; return figures."""
        audit.verify_chain(self.store)
        with self.store.read() as session:
            assert cells.faults(session) == []
            assert (
                session.connection.execute(
                    sa.select(schema.anomalies.c.kind, schema.anomalies.c.detail)
                ).all()
                == []
            )
            r = schema.reports
            rows = session.connection.execute(sa.select(r.c.device, r.c.sequence, r.c.bytes, r.c.salt)).all()
            vouched = [
                digest
                for row in audit.rows(session)
                if row.kind == COMMITTED
                for digest in json.loads(row.data)["reports"]
            ]
            steps = self._steps(session.connection)
        stored: dict[tuple[str, int], bytes] = {(row.device, row.sequence): row.bytes for row in rows}
        for device in self.devices:
            for sequence, data in device.receipted.items():
                assert stored.get((device.peer.id, sequence)) == data, (device.peer.id, sequence)
            journal = [(e.index, e.old, e.new) for e in device.peer.journal[: device.peer.committed]]
            assert steps.get(device.peer.id, [])[: len(journal)] == journal
        assert sorted(vouched) == sorted(receipt_digest(row.salt, row.bytes) for row in rows)
        assert len(set(vouched)) == len(rows)
        return {"reports": len(rows), "receipts": self.receipts, "workers started": self.started}

    @staticmethod
    def _steps(connection: Any) -> dict[str, list[tuple[int, int, int]]]:
        j = schema.journal
        found: dict[str, list[tuple[int, int, int]]] = {}
        query = sa.select(j.c.device, j.c.index, j.c.old, j.c.new).order_by(j.c.device, j.c.life, j.c.index)
        for device, index, old, new in connection.execute(query):
            found.setdefault(device, []).append((index, old, new))
        return found
