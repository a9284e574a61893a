"""A patch over real connections and real files: downloaded, tried, confirmed or reverted."""

import asyncio
import hashlib
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from advisories import mcuboot, suit
from advisories.report import Block, open_report, open_want
from advisories.states import PatchState
from advisories.suit import delta
from device_sim.core.profile import AutoConsent
from device_sim.core.slots import load_record
from device_sim.faults import breaks_download, declines, defers, fails_self_test
from device_sim.fleet import Fleet
from keys.codec import dump
from tests.device_sim.conftest import RunningBroker
from tests.device_sim.test_fleet import BOOT, IMAGE, READING, TOPICS, Town
from tests.device_sim.test_ranges import Site, serve
from tests.device_sim.test_ranges import answer as served
from tests.helpers import DAY, PRODUCT, answer, catalogue, offer, timestamp

VENDOR, CLASS = suit.identifiers("example.com", "thermostat")
NEW = mcuboot.pack(b"new firmware" * 2_000, (1, 4, 2, 0), security_counter=1)
SEQUENCE = 7
S = PatchState


class Workshop(Town):
    """A town whose gateway also offers a patch, serves its blocks and gives receipts."""

    def __init__(self, folder: Path, broker: RunningBroker) -> None:
        super().__init__(folder, broker)
        self.version = int(time.time())

    async def open(self) -> None:
        await super().open()
        await self.link.subscribe(TOPICS.device("+", "want"))

    def roll_out(self, devices: list[str], envelope: bytes | None = None) -> None:
        envelope = envelope or suit.build(
            SEQUENCE, VENDOR, CLASS, NEW, version=(1, 4, 2, 0), uri="https://example.com/fw"
        )
        for role in ("release", "security"):
            envelope = suit.authenticate(envelope, self.signed.signer(role))
        patch = suit.manifest_digest(envelope)
        current = catalogue(self.signed, patches=((SEQUENCE, patch),))
        self._retain(TOPICS.patch(PRODUCT, SEQUENCE), envelope)
        self._retain(TOPICS.catalogue(PRODUCT), self.signed.seal(current))
        self._retain(TOPICS.timestamp(PRODUCT), self.signed.seal(timestamp(self.signed, current)))
        for name in devices:
            deadline = int(time.time()) + DAY
            body = offer(
                self.signed,
                name,
                digest=patch,
                sequence=SEQUENCE,
                catalogue_version=current.version,
                deadline=deadline,
            )
            self._retain(TOPICS.device(name, "offer"), self.signed.seal(body))

    def _received(self, topic: str, payload: bytes) -> None:
        name, leaf = topic.split("/")[-2:]
        if leaf == "want":
            blocks = open_want(payload).blocks
            if blocks is not None and blocks[0] == hashlib.sha256(NEW).digest():
                for place in range(blocks[1], min(len(NEW), blocks[1] + blocks[2] * 4_096), 4_096):
                    block = Block(digest=blocks[0], offset=place, data=NEW[place : place + 4_096])
                    self.link.publish(TOPICS.device(name, "block"), dump(block))
        elif leaf == "report":
            key = self.signed.device(name).public
            report = open_report(payload, key, fleet=self.signed.id, device=name)
            self.version += 1
            body = answer(
                self.signed,
                name,
                version=self.version,
                issued=int(time.time()),
                nonce=report.nonce,
                receipt=report.order,
                journal_count=report.journal_count,
                expires=int(time.time()) + 60,
            )
            self.link.publish(TOPICS.device(name, "answer"), self.signed.seal(body))
            super()._received(topic, payload)
        else:
            super()._received(topic, payload)

    def patches(self) -> dict[str, PatchState]:
        return {
            name: status.state for name, report in sorted(self.reports.items()) for status in report.patches
        }


@pytest.fixture
async def workshop(tmp_path: Path, broker: RunningBroker) -> AsyncIterator[Workshop]:
    one = Workshop(tmp_path, broker)
    await one.open()
    yield one
    await one.link.close()


async def test_every_script_ends_as_it_must(workshop: Workshop) -> None:
    homes = workshop.homes(6, vendor_id=VENDOR, class_id=CLASS, defer_seconds=1)
    names = [home.profile.id for home in homes]
    scripts = dict(zip(names, (breaks_download(2), fails_self_test(), defers(1), declines()), strict=False))
    fleet = Fleet(homes, workshop.url, behaviours=scripts, reading_s=READING, boot_s=BOOT)
    stop = asyncio.Event()
    task = asyncio.create_task(fleet.run(stop))
    workshop.roll_out(names)
    wanted = [S.SUCCEEDED, S.ROLLED_BACK, S.SUCCEEDED, S.DECLINED, S.SUCCEEDED, S.SUCCEEDED]
    await workshop.until(lambda: list(workshop.patches().values()) == wanted)
    stop.set()
    await task
    assert not fleet.failures
    assert fleet.counters["broken"] == 1
    assert fleet.counters["tested"] == 5
    for home, state in zip(homes, wanted, strict=True):
        slot = 1 if state is S.SUCCEEDED else 0
        record = load_record(home.read_boot())
        assert (record.active, record.trial) == (slot, None)
        if slot:
            assert home.read_slot(1) == NEW
        version = (1, 4, 2, 0) if slot else (1, 4, 0, 0)
        assert workshop.reports[home.profile.id].installed == version


@pytest.fixture
def site() -> Iterator[Site]:
    yield from serve(Site())


async def test_a_delta_comes_by_ranges_where_its_base_runs_and_else_the_whole_image(
    tmp_path: Path, iotcore_broker: RunningBroker, site: Site
) -> None:
    workshop = Workshop(tmp_path, iotcore_broker)
    await workshop.open()
    fields = {"vendor_id": VENDOR, "class_id": CLASS, "auto_consent": AutoConsent.ALWAYS}
    homes = workshop.homes(3, **fields, artefacts=site.base, delta=True)
    other = mcuboot.pack(b"another build", (1, 4, 0, 0))
    homes[2].erase_slot(0)
    homes[2].write_slot(0, 0, other)
    new = mcuboot.pack(IMAGE * 60, (1, 4, 2, 0))
    made = delta.make(IMAGE, new)
    there = {f"/artefact/{hashlib.sha256(data).hexdigest()}": data for data in (new, made)}
    site.script = lambda handler: served(handler, there[handler.path])
    files = [suit.File(hashlib.sha256(data).digest(), len(data), path[1:]) for path, data in there.items()]
    base = suit.Delta(files[1], hashlib.sha256(IMAGE).digest(), len(IMAGE))
    payload = suit.Payload((files[0],), version=(1, 4, 2, 0), deltas=(base,))
    plan = suit.PatchPlan(sequence=SEQUENCE, vendor_id=VENDOR, class_id=CLASS, payloads=(payload,))
    fleet = Fleet(homes, workshop.url, reading_s=READING, boot_s=BOOT)
    stop = asyncio.Event()
    task = asyncio.create_task(fleet.run(stop))
    workshop.roll_out([home.profile.id for home in homes], suit.compose(plan))
    await workshop.until(lambda: list(workshop.patches().values()) == [S.SUCCEEDED] * 3)
    stop.set()
    await task
    await workshop.link.close()
    assert not fleet.failures
    assert [home.read_slot(1) for home in homes] == [new] * 3
    assert sorted(path for path, _ in site.asked) == sorted([f"/{files[0].uri}", *[f"/{files[1].uri}"] * 2])
