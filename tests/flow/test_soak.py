"""Weeks of a device in a minute: messages good and bad, losses of the broker, and no growth.

CI takes a slice. ``make soak`` takes a minute: TOCSIN_SOAK is how long, in seconds.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import random
import signal
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from advisories import mcuboot
from advisories.topics import Topics
from device_sim.core.profile import Profile
from device_sim.home import Home
from device_sim.link import MqttLink
from keys.codec import dump
from tests.device_sim.conftest import MOSQUITTO, RunningBroker, _mosquitto
from tests.flow.invariants import interrupt
from tests.flow.test_linux_device import RSS_KB_MAX, Running, start
from tests.helpers import DEVICE, PRODUCT, catalogue, make_fleet, notice, text, timestamp

pytestmark = [
    pytest.mark.mosquitto,
    pytest.mark.skipif(MOSQUITTO is None, reason="mosquitto is not installed"),
]
SECONDS = float(os.environ.get("TOCSIN_SOAK", "6"))
WARM_ROUNDS = 4
REVISIONS = 20
"""Of the notice, in each of the first rounds. After them every bounded thing of the device is full: its journal,
what it refused, the documents that it keeps decoded."""
MESSAGES = 400
"""Bad ones a round."""
GROWTH_KB_MAX = 768
"""Of the memory that is the device's alone; what a round takes is a hundred times as much."""
TOPICS = Topics()


@dataclass(frozen=True)
class Holds:
    """What a process holds of the machine."""

    anonymous_kb: int
    files: int
    threads: int


def holds(process: int) -> Holds:
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    numbers = {line.split(":")[0]: line.split()[1] for line in lines if len(line.split()) > 1}
    files = len(list(Path(f"/proc/{process}/fd").iterdir()))
    return Holds(int(numbers["RssAnon"]), files, int(numbers["Threads"]))


class Gateway:
    """Somebody who signs, and somebody who wishes the device ill, on one connection."""

    def __init__(self, url: str) -> None:
        self.signed = make_fleet(now=int(time.time()) - 3_600)
        self.link = MqttLink(url, "gateway", backoff_s=(0.02, 0.1))
        self._dice = random.Random("soak")
        self._versions = itertools.count(self.signed.now + 1)

    async def notify(self, revision: int) -> None:
        """Publish a revision with all that makes it current."""
        words = text(title=f"Update your thermostat, revision {revision}")
        texts = {"en": words.digest()}
        header = notice(self.signed, version=next(self._versions), revision=revision, texts=texts)
        current = catalogue(self.signed, header, version=next(self._versions))
        stamp = timestamp(self.signed, current, version=next(self._versions))
        for topic, payload in (
            (TOPICS.notice(PRODUCT, header.id), self.signed.seal(header)),
            (TOPICS.text(PRODUCT, "en", header.id), dump(words)),
            (TOPICS.catalogue(PRODUCT), self.signed.seal(current)),
            (TOPICS.timestamp(PRODUCT), self.signed.seal(stamp)),
        ):
            assert await self.link.publish_acked(topic, payload)

    async def pester(self) -> None:
        """Send what no device may take: noise, notices with a byte changed, of other fleets, from the past."""
        good = self.signed.seal(notice(self.signed, revision=1))
        other = make_fleet(now=self.signed.now + 1).seal(notice(self.signed))
        topics = TOPICS.device_filters(PRODUCT, "en", DEVICE)
        for number in range(MESSAGES):
            match number % 4:
                case 0:
                    payload = self._dice.randbytes(self._dice.choice((1, 100, 5_000, 60_000)))
                case 1:
                    at = self._dice.randrange(len(good))
                    payload = good[:at] + bytes([good[at] ^ 1]) + good[at + 1 :]
                case 2:
                    payload = other
                case _:
                    payload = good
            topic = topics[number % len(topics)].replace("+", f"EX-2026-{self._dice.randrange(9_999):04}")
            assert await self.link.publish_acked(topic, payload)


@pytest.fixture
def broker() -> Iterator[RunningBroker]:
    with tempfile.TemporaryDirectory() as folder:
        made = RunningBroker(_mosquitto(Path(folder)))
        yield made
        made.stop()


@pytest.fixture
async def gateway(broker: RunningBroker) -> AsyncIterator[Gateway]:
    made = Gateway(broker.url)
    await made.link.connect()
    yield made
    await made.link.close()


@pytest.fixture
def device(broker: RunningBroker, gateway: Gateway, tmp_path: Path) -> Iterator[Running]:
    profile = Profile(id=DEVICE, product=PRODUCT, vendor_id=bytes(16), class_id=bytes(16))
    signed = gateway.signed
    image = mcuboot.pack(b"code" * 1_000, (1, 4, 1, 0))
    Home.create(tmp_path / "home", profile, signed.device(), signed.root_document, image)
    command = ("device", "run", "--home", tmp_path / "home", "--broker", broker.url)
    assert start(*command, "--for", "0", output=tmp_path / "warm.txt").process.wait(60) == 0
    made = start(*command, output=tmp_path / "device.txt")
    try:
        yield made
    finally:
        interrupt(made.process, signal.SIGTERM)


async def wait_for(device: Running, words: str, times: int = 1) -> None:
    """Wait until the device has said something so often; the limit is only for a hang."""

    end = time.monotonic() + 120
    while device.told.count(words) < times:
        assert device.process.poll() is None, device.told
        assert time.monotonic() < end, device.told[-2_000:]
        await asyncio.sleep(0.02)


async def test_a_device_that_is_pestered_and_cut_off_does_not_grow(
    device: Running, gateway: Gateway, broker: RunningBroker
) -> None:
    await wait_for(device, "[connected]")
    warm: Holds | None = None
    started = time.monotonic()
    rounds = revision = 0
    while rounds <= WARM_ROUNDS or time.monotonic() - started < SECONDS:
        rounds += 1
        await gateway.pester()
        for _ in range(REVISIONS if rounds <= WARM_ROUNDS else 1):
            revision += 1
            await gateway.notify(revision)
        await wait_for(device, f"revision {revision}, confirmed")
        if rounds == WARM_ROUNDS:
            warm = holds(device.process.pid)
        if rounds in {1, WARM_ROUNDS + 1} or rounds % 50 == 0:
            connected = device.told.count("[connected]")
            broker.stop()
            await wait_for(device, "[disconnected]", connected)
            broker.start()
            await wait_for(device, "[connected]", connected + 1)
            gateway.link.connect_later()
            while not gateway.link.connected:
                await wait_for(device, "[connected]")
    now = holds(device.process.pid)
    assert warm is not None
    sys.stderr.write(f"{rounds} rounds of {MESSAGES} messages: {warm} -> {now}\n")
    assert now.anonymous_kb - warm.anonymous_kb <= GROWTH_KB_MAX, (warm, now)
    assert (now.files, now.threads) == (warm.files, warm.threads)
    status = Path(f"/proc/{device.process.pid}/status").read_text().splitlines()
    assert next(int(line.split()[1]) for line in status if line.startswith("VmHWM")) <= RSS_KB_MAX
    assert max(map(len, device.told.splitlines())) < 1_000
