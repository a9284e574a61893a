import asyncio
import resource
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from advisories import mcuboot
from advisories.report import Report, open_report
from advisories.states import NoticeState
from advisories.topics import Topics
from device_sim.core.profile import Profile
from device_sim.display import Display, open_display
from device_sim.faults import offline_until
from device_sim.fleet import Fleet, _addresses, _allow_files
from device_sim.home import Home
from device_sim.link import MqttLink
from device_sim.shell import Event
from keys.codec import dump
from keys.errors import DamagedError, UnavailableError
from tests.device_sim.conftest import RunningBroker, free_port
from tests.helpers import PRODUCT, catalogue, make_fleet, notice, text, timestamp

TOPICS = Topics()
IMAGE = mcuboot.pack(b"firmware" * 100, (1, 4, 0, 0))
READING = (0.01, 0.05)
BOOT = (0.01, 0.02)


class Town:
    """A signed fleet, its devices' folders, and somebody who publishes and reads the reports."""

    def __init__(self, folder: Path, broker: RunningBroker) -> None:
        self.signed = make_fleet(now=int(time.time()) - 60)
        self.folder = folder
        self.url = broker.url
        self.link = MqttLink(broker.url, "gateway")
        self.link.on_message = self._received
        self.reports: dict[str, Report] = {}
        self.online: dict[str, bytes] = {}
        self._news = asyncio.Event()

    def homes(self, count: int, **fields: Any) -> list[Home]:
        made = []
        for number in range(count):
            name = f"d-{number:04}"
            values: dict[str, Any] = {
                "vendor_id": b"v" * 16,
                "class_id": b"c" * 16,
                "slot_bytes": 65_536,
                **fields,
            }
            profile = Profile(id=name, product=PRODUCT, **values)
            signer = self.signed.device(name)
            made.append(
                Home.create(
                    self.folder / name, profile, signer, self.signed.root_document, IMAGE, durable=False
                )
            )
        return made

    async def open(self) -> None:
        await self.link.connect()
        await self.link.subscribe(TOPICS.device("+", "report"), TOPICS.device("+", "online"))

    def publish_notice(self) -> None:
        words = {language: text(language) for language in ("en", "de")}
        header = notice(self.signed, texts={language: one.digest() for language, one in words.items()})
        current = catalogue(self.signed, header)
        self._retain(TOPICS.notice(PRODUCT, header.id), self.signed.seal(header))
        for language, one in words.items():
            self._retain(TOPICS.text(PRODUCT, language, header.id), dump(one))
        self._retain(TOPICS.catalogue(PRODUCT), self.signed.seal(current))
        self._retain(TOPICS.timestamp(PRODUCT), self.signed.seal(timestamp(self.signed, current)))

    def _retain(self, topic: str, payload: bytes) -> None:
        self.link._client.publish(topic, payload, qos=1, retain=True)

    def _received(self, topic: str, payload: bytes) -> None:
        name, leaf = topic.split("/")[-2:]
        if leaf == "online":
            self.online[name] = payload
        else:
            key = self.signed.device(name).public
            report = open_report(payload, key, fleet=self.signed.id, device=name)
            if name not in self.reports or self.reports[name].order <= report.order:
                self.reports[name] = report
        self._news.set()

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(30):
            while not condition():
                self._news.clear()
                await self._news.wait()

    def states(self) -> Counter[NoticeState]:
        return Counter(status.state for report in self.reports.values() for status in report.notices)


@pytest.fixture
async def town(tmp_path: Path, broker: RunningBroker) -> AsyncIterator[Town]:
    one = Town(tmp_path, broker)
    await one.open()
    yield one
    await one.link.close()


@pytest.fixture
async def running(town: Town) -> AsyncIterator[Callable[..., Awaitable[Fleet]]]:
    fleets: list[Fleet] = []

    async def start(homes: list[Home], **more: Any) -> Fleet:
        fleets.append(Fleet(homes, town.url, reading_s=READING, boot_s=BOOT, **more))
        await fleets[-1].start()
        return fleets[-1]

    yield start
    for fleet in fleets:
        await fleet.stop()


async def test_a_notice_is_shown_acknowledged_and_reported_by_every_device(
    town: Town, running: Callable[..., Awaitable[Fleet]]
) -> None:
    fleet = await running(town.homes(12, languages=("de", "en")))
    assert fleet.online == 12
    town.publish_notice()
    await town.until(lambda: town.states()[NoticeState.ACKNOWLEDGED] == 12)
    assert fleet.counters["acknowledged"] == 12
    assert not fleet.failures
    statuses = [status for report in town.reports.values() for status in report.notices]
    assert {status.language for status in statuses} == {"de"}


async def test_a_device_that_was_offline_catches_up(
    town: Town, running: Callable[..., Awaitable[Fleet]], tmp_path: Path
) -> None:
    late = asyncio.Event()
    drawn: dict[str, Display] = {}

    def screen(home: Home) -> Display:
        return drawn.setdefault(home.profile.id, open_display("console", home.path))

    events: list[Event] = []
    fleet = await running(
        town.homes(3), behaviours={"d-0001": offline_until(late)}, display=screen, on_event=events.append
    )
    assert fleet.online == 2
    town.publish_notice()
    await town.until(lambda: town.states()[NoticeState.ACKNOWLEDGED] == 2)
    assert "d-0001" not in town.reports
    late.set()
    await town.until(lambda: town.states()[NoticeState.ACKNOWLEDGED] == 3)
    assert "Update your thermostat" in (tmp_path / "d-0001" / "console.txt").read_text()
    assert {event.device for event in events if event.kind == "shown"} == {"d-0000", "d-0001", "d-0002"}


async def test_a_stopped_fleet_said_goodbye_and_goes_on_where_it_was(
    town: Town, running: Callable[..., Awaitable[Fleet]]
) -> None:
    town.publish_notice()
    homes = town.homes(4)
    stop = asyncio.Event()
    first = Fleet(homes, town.url, reading_s=READING)
    task = asyncio.create_task(first.run(stop))
    await town.until(lambda: town.states()[NoticeState.ACKNOWLEDGED] == 4)
    stop.set()
    await task
    await town.until(lambda: list(town.online.values()) == [b"0"] * 4)
    await first.stop()
    epochs = {name: report.boot_epoch for name, report in town.reports.items()}
    again = await running([Home.open(home.path, durable=False) for home in homes])
    await town.until(lambda: all(report.boot_epoch > epochs[name] for name, report in town.reports.items()))
    assert town.states() == {NoticeState.ACKNOWLEDGED: 4}
    assert again.online == 4


async def test_a_fleet_survives_its_broker(
    town: Town, running: Callable[..., Awaitable[Fleet]], broker: RunningBroker
) -> None:
    fleet = await running(town.homes(5))
    broker.stop()
    broker.start()
    back = asyncio.Event()
    town.link.on_connect = lambda _kept: back.set()
    async with asyncio.timeout(20):
        await back.wait()
    probe = town.link.subscribe("probe")
    assert probe is not None
    await probe
    town.publish_notice()
    await town.until(lambda: town.states()[NoticeState.ACKNOWLEDGED] == 5)
    assert fleet.online == 5


async def test_a_device_whose_disk_fails_stops_alone(
    town: Town, running: Callable[..., Awaitable[Fleet]]
) -> None:
    homes = town.homes(3)
    fleet = await running(homes)
    (homes[1].path / ".state.cbor.new").mkdir()
    town.publish_notice()
    await town.until(lambda: town.states()[NoticeState.ACKNOWLEDGED] == 2)
    assert set(fleet.failures) == {"d-0001"}
    assert isinstance(fleet.failures["d-0001"], UnavailableError)


async def test_a_fleet_whose_devices_all_failed_ends_by_itself(town: Town) -> None:
    homes = town.homes(2)
    fleet = Fleet(homes, town.url, reading_s=READING)
    task = asyncio.create_task(fleet.run(asyncio.Event()))
    await town.until(lambda: len(town.online) == 2)
    for home in homes:
        (home.path / ".state.cbor.new").mkdir()
    town.publish_notice()
    async with asyncio.timeout(20):
        await task
    assert len(fleet.failures) == 2


async def test_a_broker_that_is_not_there_is_told_once(tmp_path: Path, iotcore_broker: RunningBroker) -> None:
    town = Town(tmp_path, iotcore_broker)
    fleet = Fleet(town.homes(3), f"mqtt://127.0.0.1:{free_port()}")
    with pytest.raises(UnavailableError) as caught:
        await fleet.run(asyncio.Event())
    assert caught.value.code == "BROKER_UNREACHABLE"


async def test_a_damaged_device_is_named_before_anything_connects(
    tmp_path: Path, iotcore_broker: RunningBroker
) -> None:
    town = Town(tmp_path, iotcore_broker)
    homes = town.homes(2)
    (homes[1].path / "state.cbor").write_bytes(b"\xff" * 30)
    fleet = Fleet(homes, iotcore_broker.url)
    with pytest.raises(DamagedError, match="d-0001"):
        await fleet.run(asyncio.Event())
    assert fleet.counters["connected"] == 0


def test_devices_on_loopback_get_an_address_every_five_thousand() -> None:
    here = _addresses("127.0.0.1")
    assert here(0) == here(4_999)
    assert here(5_000) != here(0)
    assert here(9_999).startswith("127.")
    assert _addresses("192.0.2.1")(0) == _addresses("broker.example.com")(0) == _addresses("::1")(0) == ""


def test_the_limit_of_open_files_is_raised_or_told() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (250, hard))
        _allow_files(100)
        assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] == 300
        with pytest.raises(UnavailableError, match="ulimit -n"):
            _allow_files(hard)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
