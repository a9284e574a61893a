import asyncio
import errno
import random
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from advisories import mcuboot
from device_sim.core import effects as do
from device_sim.core.measure import measure, running
from device_sim.core.profile import Profile
from device_sim.core.slots import confirmed, load_record, on_trial
from device_sim.display import open_display
from device_sim.faults import GOOD, Behaviour, breaks_download, fails_self_test
from device_sim.home import Home
from device_sim.link import MqttLink
from device_sim.owner import SimulatedOwner
from device_sim.shell import DeviceShell, Event
from keys.errors import DamagedError, UnavailableError
from keys.reasons import Reason
from tests.device_sim.conftest import RunningBroker, free_port
from tests.device_sim.test_display import shown
from tests.helpers import key

PROFILE = Profile(id="d-1", product="thermostat", vendor_id=b"v" * 16, class_id=b"c" * 16, slot_bytes=4_096)
ONLINE = "tocsin/v1/device/d-1/online"
QUICK = (0.001, 0.002)
NEW = mcuboot.pack(b"new firmware", (1, 4, 2, 0))


class Script:
    """A core that says what a test wrote for it, and remembers what it was told. One life after another."""

    def __init__(self, **says: list[do.Effect]) -> None:
        self.says = says
        self.told: list[tuple[Any, ...]] = []
        self.lives = 0
        self.heard: dict[str, asyncio.Event] = {}
        self.installed = (1, 4, 0, 0)

    def __call__(self, *_: Any, **__: Any) -> "Script":
        self.lives += 1
        return self

    def __getattr__(self, name: str) -> Callable[..., list[do.Effect]]:
        def told(*arguments: Any) -> list[do.Effect]:
            self.told.append((name, *(said for said in arguments if type(said) is not float)))  # all but now
            self.heard.setdefault(name, asyncio.Event()).set()
            return self.says.pop(name, [])

        return told

    async def hears(self, name: str) -> None:
        async with asyncio.timeout(10):
            await self.heard.setdefault(name, asyncio.Event()).wait()
        self.heard[name].clear()


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home.create(tmp_path / "d-1", PROFILE, key("d-1"), b"root", b"image", durable=False)


class Bench:
    """A device on a bench: its events, and the shell."""

    def __init__(
        self, home: Home, script: Script, url: str = "", behaviour: Behaviour = GOOD, **more: Any
    ) -> None:
        self.events: list[Event] = []
        self.seen: asyncio.Queue[Event] = asyncio.Queue()
        self.link = MqttLink(
            url or f"mqtt://127.0.0.1:{free_port()}", "d-1", will=(ONLINE, b"0"), backoff_s=(0.02, 0.1)
        )
        self.shell = DeviceShell(
            home, self.link, make_agent=script, behaviour=behaviour, on_event=self._on, **more
        )

    def _on(self, event: Event) -> None:
        self.events.append(event)
        self.seen.put_nowait(event)

    async def sees(self, kind: str) -> Event:
        async with asyncio.timeout(10):
            while (event := await self.seen.get()).kind != kind:
                pass
        return event

    def details(self, kind: str) -> list[str]:
        return [event.detail for event in self.events if event.kind == kind]


@pytest.fixture
async def bench(home: Home, iotcore_broker: RunningBroker) -> AsyncIterator[Callable[..., Bench]]:
    made: list[Bench] = []

    def make(script: Script, **more: Any) -> Bench:
        made.append(Bench(home, script, iotcore_broker.url, **more))
        return made[-1]

    yield make
    for one in made:
        await one.shell.stop()


def test_booting_tells_the_core_what_the_boot_loader_chose(home: Home) -> None:
    home.write_slot(1, 0, NEW)
    home.save_boot(on_trial(0, 1))
    script = Script()
    Bench(home, script).shell.boot()
    assert script.told == [("booted", 1, running(measure(NEW), trial=True))]
    Bench(home, script).shell.boot()  # nobody confirmed it
    assert script.told[-1] == ("booted", 0, Reason.MALFORMED)  # what is there is no image


def test_answers_are_carried_out_after_what_was_asked_before_them(home: Home) -> None:
    script = Script(
        booted=[
            do.EraseSlot(1),
            do.WriteSlot(1, 0, b"abc"),
            do.MeasureSlot(1, 2),
            do.Save(b"first"),
            do.SelfTest(),
            do.Save(b"second"),
        ],
        measured=[do.Save(b"third"), do.SaveBoot(confirmed(1))],
        tested=[do.Save(b"fourth")],
    )
    Bench(home, script).shell.boot()
    assert script.told == [
        ("booted", 0, Reason.MALFORMED),
        ("measured", 1, measure(b"ab"), 0),
        ("tested", True),
    ]
    assert home.read_state() == b"fourth"
    assert load_record(home.read_boot()).active == 1


def test_a_broken_download_is_broken_once(home: Home) -> None:
    writes: list[do.Effect] = [
        do.WriteSlot(1, 0, b"aa"),
        do.WriteSlot(1, 2, b"bb"),
        do.WriteSlot(1, 4, b"cc"),
    ]
    script = Script(booted=[*writes, do.MeasureSlot(1, 6)], measured=[do.EraseSlot(1), *writes])
    bench = Bench(home, script, behaviour=breaks_download(2))
    bench.shell.boot()
    assert script.told[-1] == ("measured", 1, measure(b"aacbcc"), 0)
    assert home.read_slot(1) == b"aabbcc"
    assert bench.details("broken") == ["block at 2"]


def test_a_failing_self_test_says_no(home: Home) -> None:
    script = Script(booted=[do.SelfTest()])
    Bench(home, script, behaviour=fails_self_test()).shell.boot()
    assert script.told[-1] == ("tested", False)


def test_a_notice_is_drawn_and_a_display_that_fails_costs_only_the_picture(
    home: Home, tmp_path: Path
) -> None:
    script = Script(booted=[do.Show(*_fields()), do.Log(Reason.STALE, "no timestamp yet")])
    bench = Bench(home, script, display=open_display("console", tmp_path))
    bench.shell.boot()
    assert "thermostat" in (tmp_path / "console.txt").read_text()
    assert bench.details("shown") == ["EX-2026-0001 revision 1, confirmed"]
    assert bench.details("log") == ["STALE: no timestamp yet"]
    broken = Bench(
        home, Script(booted=[do.Show(*_fields())]), display=open_display("led", tmp_path / "missing")
    )
    broken.shell.boot()
    assert "cannot be written" in broken.details("display")[0]
    assert broken.details("shown") == []


def _fields() -> tuple[Any, ...]:
    show = shown()
    return show.notice, show.text, show.check_code, show.confirmed


@pytest.mark.parametrize("name", ["boot.cbor", "slot-0.bin", "state.cbor"])
def test_a_damaged_folder_stops_the_boot_and_names_it(home: Home, name: str) -> None:
    (home.path / name).unlink()
    with pytest.raises(DamagedError, match=str(home.path)):
        Bench(home, Script()).shell.boot()


async def test_a_device_is_online_subscribed_and_says_goodbye(
    bench: Callable[..., Bench], iotcore_broker: RunningBroker
) -> None:
    watcher = MqttLink(iotcore_broker.url, "watcher")
    seen: asyncio.Queue[tuple[str, bytes]] = asyncio.Queue()
    watcher.on_message = lambda topic, payload: seen.put_nowait((topic, payload))
    await watcher.connect()
    await watcher.subscribe("tocsin/v1/device/+/online", "tocsin/v1/device/+/want")
    script = Script(
        connected=[do.Publish("tocsin/v1/device/d-1/want", b"?"), do.Subscribe("tocsin/v1/root/2")]
    )
    device = bench(script)
    device.shell.boot()
    await device.link.connect()
    await script.hears("connected")
    await device.link.subscribe("probe")  # answered after the subscriptions before it
    for topic in ("tocsin/v1/catalogue/thermostat", "tocsin/v1/device/d-1/offer", "tocsin/v1/root/2"):
        await watcher.publish_acked(topic, b"x")
        await script.hears("receive")
        assert script.told[-1] == ("receive", topic, b"x")
    await device.shell.stop()
    async with asyncio.timeout(10):
        assert [await seen.get() for _ in range(3)] == [
            (ONLINE, b"1"),
            ("tocsin/v1/device/d-1/want", b"?"),
            (ONLINE, b"0"),
        ]
    assert device.events[-1].kind == "stopped"
    await watcher.close()


async def test_a_reboot_forgets_what_was_not_done_and_comes_back_with_the_seven_filters(
    bench: Callable[..., Bench], home: Home
) -> None:
    script = Script(
        connected=[
            do.Subscribe("tocsin/v1/root/2"),
            do.SaveBoot(on_trial(0, 1)),
            do.Reboot(),
            do.Save(b"lost"),
        ]
    )
    device = bench(script)
    device.shell.boot()
    await device.link.connect()
    await script.hears("connected")
    await script.hears("connected")
    assert script.lives == 2
    assert [told[1] for told in script.told if told[0] == "booted"] == [0, 1]
    assert home.read_state() is None
    assert len(device.link._filters) == 7
    assert "disconnected" in [event.kind for event in device.events]


async def test_the_last_alarm_counts(bench: Callable[..., Bench]) -> None:
    now = [1_000.0]
    script = Script(booted=[do.WakeAt(1_000.0), do.WakeAt(1_000.01)], tick=[do.Log(Reason.OK, "ticked")])
    device = bench(script, clock=lambda: now[0])
    device.shell.boot()
    before = asyncio.Event()
    device.shell.later(0.0, before.set)
    async with asyncio.timeout(10):
        await before.wait()
    assert "tick" not in [told[0] for told in script.told]
    now[0] = 1_000.01
    await script.hears("tick")
    assert device.details("log") == ["OK: ticked"]


async def test_the_owner_reads_and_answers(bench: Callable[..., Bench]) -> None:
    script = Script(
        booted=[do.Show(*_fields()), do.AskConsent("1.4.2", None, final=False, question=b"question")]
    )
    device = bench(script, owner=SimulatedOwner(random.Random(1), GOOD, QUICK))
    device.shell.boot()
    await script.hears("acknowledge")
    await script.hears("consent")
    assert ("acknowledge", "EX-2026-0001") in script.told
    assert ("consent", "yes", b"question") in script.told
    assert device.details("asked") == ["1.4.2"]


async def test_a_full_disk_stops_this_device_and_says_why(bench: Callable[..., Bench], home: Home) -> None:
    script = Script(acknowledge=[do.Save(b"state")], receive=[do.Save(b"state")])
    device = bench(script)
    device.shell.boot()
    await device.link.connect()
    await script.hears("connected")
    (home.path / ".state.cbor.new").mkdir()
    device.shell.acknowledge()
    assert isinstance(device.shell.failure, UnavailableError)
    assert "HOME_WRITE" in device.shell.failure.code
    device.shell.acknowledge()  # a stopped device does nothing more
    assert len(device.details("failed")) == 1


async def test_a_full_disk_while_receiving_stops_the_link_too(
    bench: Callable[..., Bench], home: Home
) -> None:
    script = Script(receive=[do.Save(b"state")])
    device = bench(script)
    device.shell.boot()
    await device.link.connect()
    await script.hears("connected")
    await device.link.subscribe("probe")
    (home.path / ".state.cbor.new").mkdir()
    device.link.publish("tocsin/v1/device/d-1/offer", b"x")
    event = await device.sees("failed")
    assert "cannot be written" in event.detail
    assert not device.link.connected or device.shell.failure is not None


def test_an_error_that_nobody_foresaw_is_kept(home: Home) -> None:
    bench = Bench(home, Script())
    bench.shell._fail(OSError(errno.EIO, "Input/output error"))
    assert isinstance(bench.shell.failure, OSError)


async def test_a_device_that_was_never_booted_ignores_its_buttons(home: Home) -> None:
    script = Script()
    bench = Bench(home, script)
    bench.shell.acknowledge()
    bench.shell.consent("yes")
    assert not script.told
