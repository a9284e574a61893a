"""What the gateway's benchmarks send: signed reports, and a Mosquitto that keeps them for who is away."""

from __future__ import annotations

import asyncio
import hashlib
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from advisories.report import JournalEntry, NoticeStatus, Track, journal_genesis, journal_head
from advisories.states import NoticeState, Surface
from advisories.topics import Topics
from bench.cases import GaveWayError
from gateway.service.link import Link
from gateway.store.engine import Store
from gateway.store.publication import publish_root, register_devices
from keys.reasons import Reason
from tests import helpers
from tests.helpers import Fleet

TOPICS = Topics()
ADVISORY = "EX-2026-0001"
STEPS = (NoticeState.DELIVERED, NoticeState.VERIFIED, NoticeState.SHOWN, NoticeState.ACKNOWLEDGED)
_RECORDS = 400  # devices in one document of records
_SECONDS = 10.0  # for a broker to listen


@dataclass(frozen=True)
class Load:
    """Signed reports of many devices, each a step further with a notice than its last."""

    fleet: Fleet
    devices: tuple[str, ...]
    reports: tuple[tuple[str, bytes], ...]
    """(device, report) in the order in which they are sent."""


def make_load(devices: int) -> Load:
    """Sign what so many devices report: :data:`STEPS`, a report and a journal entry a step."""
    fleet = helpers.make_fleet(now=int(time.time()) - 60)
    names = tuple(f"bench-{number:05}" for number in range(devices))
    journals: dict[str, list[JournalEntry]] = {name: [] for name in names}
    sent = []
    for version, new in enumerate(STEPS, 1):
        for name in names:
            old = STEPS[version - 2] if version > 1 else NoticeState.SENT
            journals[name].append(_entry(version - 1, old, new))
            sent.append((name, _report(fleet, name, version, journals[name])))
    return Load(fleet, names, tuple(sent))


_DIGEST = hashlib.sha256(b"the header of a notice").digest()


def _entry(index: int, old: NoticeState, new: NoticeState) -> JournalEntry:
    return JournalEntry(
        index=index,
        time=int(time.time()),
        track=Track.NOTICE,
        name=ADVISORY,
        old=old,
        new=new,
        reason=Reason.OK,
        digest=_DIGEST,
    )


def _report(fleet: Fleet, name: str, version: int, journal: Sequence[JournalEntry]) -> bytes:
    last = journal[-1]
    status = NoticeStatus(
        id=ADVISORY,
        revision=1,
        digest=_DIGEST,
        state=NoticeState(last.new),
        time=int(time.time()),
        reason=Reason.OK,
        surface=Surface.SCREEN if last.new >= NoticeState.SHOWN else Surface.NONE,
        language="en",
    )
    body = helpers.report(
        fleet,
        name,
        version=version,
        notices=(status,),
        journal=(last,),
        journal_count=len(journal),
        journal_head=journal_head(journal_genesis(fleet.id, name), journal),
    )
    return fleet.report(body)


def make_store(path: Path, load: Load) -> Store:
    """Return a fresh store that knows the devices of a load."""
    store = Store.create(path)
    fill_store(store, load)
    return store


def fill_store(store: Store, load: Load) -> None:
    """Tell a fresh store of the root and the devices of a load."""
    fleet = load.fleet
    publish_root(store, fleet.root_document, fleet.now)
    for number, start in enumerate(range(0, len(load.devices), _RECORDS), 1):
        records = (helpers.device_record(fleet, name) for name in load.devices[start : start + _RECORDS])
        register_devices(store, fleet.seal(helpers.devices(fleet, *records, version=number)), fleet.now)


@contextmanager
def mosquitto(folder: Path) -> Iterator[str]:
    """Run a broker that keeps whatever comes for a session that is away; give its address."""
    program = shutil.which("mosquitto") or "/usr/sbin/mosquitto"
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    config = folder / "mosquitto.conf"
    config.write_text(
        f"listener {port} 127.0.0.1\nallow_anonymous true\nset_tcp_nodelay true\npersistence false\n"
        "max_queued_messages 0\nmax_inflight_messages 1600\n"
    )
    process = subprocess.Popen([program, "-c", str(config)], stderr=subprocess.DEVNULL)
    try:
        _until_open(port)
        yield f"mqtt://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(10)


def _until_open(port: int) -> None:
    end = time.monotonic() + _SECONDS
    while time.monotonic() < end:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.01)
        else:
            return
    raise GaveWayError


async def keep_for(url: str, client: str, filters: list[str]) -> None:
    """Let the broker begin a session that keeps what comes on ``filters``."""
    link = await Link.open(url, client, lambda _: None)
    await link.subscribe(filters)
    link.close()


async def send(url: str, load: Load) -> None:
    """Send every report with QoS 1."""
    link = await Link.open(url, "bench-sender", lambda _: None)
    for start in range(0, len(load.reports), 1_000):
        await asyncio.gather(
            *(
                link.publish(TOPICS.device(name, "report"), data)
                for name, data in load.reports[start : start + 1_000]
            )
        )
    link.close()


def address(url: str) -> tuple[str, int]:
    """Return host and port of a broker's address."""
    parts = urlsplit(url)
    return str(parts.hostname), int(parts.port or 1883)
