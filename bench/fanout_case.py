"""What the fan-out benchmark runs: a notice from the gateway to many devices, and the same by bare paho.

A round is one revision: header, texts, catalogue, timestamp. Ours begins with the transaction that publishes
it and goes by the running gateway and the link of the simulated device; the bare one publishes the very same
messages, each after the PUBACK of the one before, to clients that do nothing but acknowledge. Both have the
same filters, and a round ends when everybody has everything.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from advisories.notice import Notice
from bench.cases import GaveWayError
from bench.gateway_load import TOPICS, make_load, make_store, mosquitto
from gateway.service.link import Link
from gateway.service.runtime import Gateway
from gateway.store.engine import Store
from tests import helpers
from tests.gateway import scene

MESSAGES = 4
"""What each device gets in a round: header, the text in its language, catalogue, timestamp."""


@dataclass(frozen=True)
class Rounds:
    """Seconds of each round, and the messages that were sent in it."""

    seconds: tuple[float, ...]
    sent: tuple[tuple[tuple[str, bytes], ...], ...]


@contextmanager
def _devices(kind: str, url: str, count: int) -> Iterator[IO[bytes]]:
    arguments = [sys.executable, "-m", "bench.fanout_devices", kind, url, str(count), str(MESSAGES)]
    process = subprocess.Popen(arguments, stdout=subprocess.PIPE)
    assert process.stdout is not None
    try:
        _expect(process.stdout, b"ready\n")
        yield process.stdout
    finally:
        process.kill()
        process.wait()


def _expect(stream: IO[bytes], line: bytes) -> None:
    if stream.readline() != line:
        raise GaveWayError


def ours(devices: int, rounds: int) -> Rounds:
    """Publish by the gateway to devices' links."""
    with tempfile.TemporaryDirectory() as name, mosquitto(Path(name)) as url:
        return asyncio.run(_ours(Path(name), url, devices, rounds))


async def _ours(folder: Path, url: str, devices: int, rounds: int) -> Rounds:
    load = make_load(1)
    store, fleet = make_store(folder / "store.sqlite", load), load.fleet
    clock = fleet.now + 0.0

    def now() -> float:
        return clock

    gateway = Gateway(
        store, folder, TOPICS, fleet.id, fleet.root, fleet.signers("gateway")[0], clock=now, standing=True
    )
    stop = asyncio.Event()
    running = asyncio.create_task(gateway.run(url, stop))
    seconds, sent, seen = [], [], _revision(store)
    try:
        await gateway.ready.wait()
        with _devices("ours", url, devices) as stream:
            for number in range(1, rounds + 1):
                clock += 60
                header = scene.header(fleet, revision=number, version=number)
                start = time.perf_counter()
                await asyncio.to_thread(_publish, store, fleet, header, clock)
                await asyncio.to_thread(_expect, stream, b"got\n")
                seconds.append(time.perf_counter() - start)
                sent.append(tuple(_since(store, seen)))
                seen = _revision(store)
    finally:
        stop.set()
        await running
        await gateway.close()
        store.close()
    return Rounds(tuple(seconds), tuple(sent))


def _publish(store: Store, fleet: helpers.Fleet, header: Notice, now: float) -> None:
    scene.publish(store, fleet, header, now=now)


def _revision(store: Store) -> int:
    with store.read() as session:
        rows = session.retained_after(0)
    return max((row.revision for row in rows), default=0)


def _since(store: Store, revision: int) -> Iterator[tuple[str, bytes]]:
    with store.read() as session:
        for row in session.retained_after(revision):
            yield row.topic, row.payload


def bare(devices: int, told: Rounds) -> Rounds:
    """Publish the same messages by bare paho to bare clients."""
    with tempfile.TemporaryDirectory() as name, mosquitto(Path(name)) as url:
        return asyncio.run(_bare(url, devices, told))


async def _bare(url: str, devices: int, told: Rounds) -> Rounds:
    link = await Link.open(url, "bench-publisher", lambda _: None)
    seconds = []
    with _devices("bare", url, devices) as stream:
        for messages in told.sent:
            start = time.perf_counter()
            for topic, payload in messages:
                await link.publish(topic, payload, retain=True)
            await asyncio.to_thread(_expect, stream, b"got\n")
            seconds.append(time.perf_counter() - start)
    link.close()
    return Rounds(tuple(seconds), told.sent)
