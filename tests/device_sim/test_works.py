"""Heavy work beside the event loop: effects wait for it, a reset forgets it, and payloads come meanwhile."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from device_sim import aside
from device_sim.core import effects as do
from device_sim.core.measure import Measurement, Running, measure
from device_sim.core.profile import AutoConsent
from device_sim.core.slots import STAGING
from device_sim.home import Home
from device_sim.platform import SlotPlatform
from device_sim.toml import write_profile
from keys.errors import DamagedError, UnavailableError
from keys.reasons import Reason
from tests.device_sim.test_ranges import DATA, Site, answer, cut, serve
from tests.device_sim.test_shell import PROFILE, Bench, Script
from tests.helpers import key

LARGE = aside.LONG_BYTES + 1
COMPONENTS = ((b"\x00",), (b"\x01",))


class Slow(SlotPlatform):
    """Slots that take until somebody lets them go on; and an updater that answers when a test says so."""

    def __init__(self, home: Home) -> None:
        super().__init__(home)
        self.let = threading.Event()
        self.begun = threading.Event()
        self.asked: list[tuple[str, int, Callable[[Reason], None]]] = []
        self.restarts = 0
        self.fails = False

    def boot(self) -> tuple[int, Running | Reason]:
        return 0, Running((1, 4, 0, 0), b"")

    def measure(self, slot: int, component: int, size: int) -> Measurement:
        if size > aside.LONG_BYTES:
            self.begun.set()
            self.let.wait(20)
        if self.fails:
            raise DamagedError("HOME_DAMAGED", "It cannot be read.", mend="Restore it.")
        return super().measure(slot, component, size)

    def apply(self, base: int, slot: int, component: int, size: int) -> Reason:
        self.write(slot, component, 0, b"rebuilt")
        return Reason.OK if size == 7 else Reason.MALFORMED

    def run(self, verb: Any, size: int, answer: Callable[[Reason], None]) -> None:
        self.asked.append((verb, size, answer))

    def restart(self) -> bool:
        self.restarts += 1
        return True


@pytest.fixture
def home(tmp_path: Path) -> Home:
    profile = replace(PROFILE, slot_bytes=4 * LARGE, components=COMPONENTS)
    return Home.create(tmp_path / "d-1", profile, key("d-1"), b"root", b"image", durable=False)


@pytest.fixture
async def bench(home: Home) -> AsyncIterator[Callable[..., Bench]]:
    made: list[Bench] = []

    def make(script: Script, **more: Any) -> Bench:
        made.append(Bench(home, script, **more))
        return made[-1]

    yield make
    for one in made:
        await one.shell.stop()


async def test_what_takes_long_leaves_the_loop_free_and_later_effects_wait_for_it(
    bench: Callable[..., Bench], home: Home
) -> None:
    slow = Slow(home)
    script = Script(
        booted=[do.Save(b"first"), do.MeasureSlot(0, LARGE), do.Save(b"second")],
        acknowledge=[do.Save(b"third")],
        measured=[do.Save(b"fourth")],
    )
    device = bench(script, platform=slow)
    device.shell.boot()
    await asyncio.to_thread(slow.begun.wait, 20)
    device.shell.acknowledge()  # the loop is free, and the core is asked; what it wants waits its turn
    assert ("acknowledge", None) in script.told
    assert home.read_state() == b"first"
    slow.let.set()
    await script.hears("measured")
    assert script.told[-1] == ("measured", 0, measure(b"image"), 0)
    assert home.read_state() == b"fourth"


async def test_a_reset_waits_until_the_flash_is_quiet_and_hears_no_old_answer(
    bench: Callable[..., Bench], home: Home
) -> None:
    slow = Slow(home)
    script = Script(booted=[do.MeasureSlot(0, LARGE), do.Save(b"lost")])
    device = bench(script, platform=slow)
    device.shell.boot()
    await asyncio.to_thread(slow.begun.wait, 20)
    threading.Timer(0.01, slow.let.set).start()
    device.shell.boot()
    assert slow.let.is_set()
    await asyncio.sleep(0)
    assert [told[0] for told in script.told] == ["booted", "booted"]
    assert home.read_state() is None


async def test_flash_that_fails_beside_the_loop_ends_the_device(
    bench: Callable[..., Bench], home: Home
) -> None:
    slow = Slow(home)
    slow.fails = True
    slow.let.set()
    device = bench(Script(booted=[do.MeasureSlot(0, LARGE)]), platform=slow)
    device.shell.boot()
    await device.sees("failed")
    assert isinstance(device.shell.failure, DamagedError)


def test_without_a_loop_everything_is_done_at_once(home: Home) -> None:
    slow = Slow(home)
    slow.let.set()
    script = Script(booted=[do.MeasureSlot(0, LARGE), do.Save(b"after")])
    Bench(home, script, platform=slow).shell.boot()
    assert script.told[-1] == ("measured", 0, measure(b"image"), 0)
    assert home.read_state() == b"after"


def test_components_are_emptied_written_copied_and_measured_by_themselves(home: Home) -> None:
    home.erase_slot(0, 1)
    home.write_slot(0, 0, b"radio", 1)
    script = Script(
        booted=[
            do.EraseSlot(1, 1),
            do.CopySlot(0, 1, 1, 1, 5),
            do.MeasureSlot(1, 100, 1),
            do.EraseSlot(STAGING),
            do.WriteSlot(STAGING, 0, b"delta"),
            do.MeasureSlot(STAGING, 5),
            do.MeasureSlot(1, 100, 0),
        ]
    )
    Bench(home, script).shell.boot()
    assert script.told[1:] == [
        ("measured", 1, measure(b"radio"), 1),
        ("measured", STAGING, measure(b"delta"), 0),
        ("measured", 1, measure(b""), 0),
    ]
    assert sorted(path.name for path in home.path.glob("*.bin")) == [
        "slot-0.1.bin", "slot-0.bin", "slot-1.1.bin", "slot-1.bin", "staging.bin",
    ]  # fmt: skip


async def test_a_delta_is_applied_beside_the_loop(bench: Callable[..., Bench], home: Home) -> None:
    script = Script(booted=[do.ApplyDelta(0, 1, 0, 7), do.Save(b"after")])
    device = bench(script, platform=Slow(home))
    device.shell.boot()
    assert home.read_state() is None
    await script.hears("applied")
    assert script.told[-1] == ("applied", Reason.OK)
    assert home.read_slot(1) == b"rebuilt"


async def test_an_updater_answers_when_it_is_done_and_only_to_the_agent_that_asked(
    bench: Callable[..., Bench], home: Home
) -> None:
    slow = Slow(home)
    scripts = iter([Script(booted=[do.RunInstaller("install", 9)]), Script(), Script()])
    device = bench(lambda *_, **__: next(scripts), platform=slow)  # type: ignore[arg-type]
    device.shell.boot()
    first = device.shell.agent
    verb, size, answer = slow.asked[0]
    assert (verb, size) == ("install", 9)
    answer(Reason.BUSY)
    assert first.told[-1] == ("installer_answered", "install", Reason.BUSY)  # type: ignore[union-attr]
    device.shell.boot()
    answer(Reason.OK)
    assert device.shell.agent.told == [("booted", 0, Running((1, 4, 0, 0), b""))]  # type: ignore[union-attr]
    assert len(first.told) == 2  # type: ignore[union-attr]


async def test_slots_know_no_updater_and_a_restart_asks_the_platform(
    bench: Callable[..., Bench], home: Home
) -> None:
    script = Script(booted=[do.RunInstaller("confirm", 1)])
    bench(script).shell.boot()
    assert script.told[-1] == ("installer_answered", "confirm", Reason.UNSUPPORTED)
    slow = Slow(home)
    bench(Script(booted=[do.Reboot()]), platform=slow).shell.boot()
    assert slow.restarts == 1


# Payloads.


@pytest.fixture
def site() -> Iterator[Site]:
    yield from serve(Site())


class Taker(Script):
    """Writes what comes, as the core does."""

    def __init__(self, uri: str, offset: int = 0) -> None:
        super().__init__(booted=[do.Fetch(uri, offset, len(DATA))])
        self.over = asyncio.Event()
        self.reason: Reason | None = None

    def fetched(self, _uri: str, offset: int, data: bytes, _now: float) -> list[do.Effect]:
        return [do.WriteSlot(1, offset, data)]

    def fetch_ended(self, _uri: str, reason: Reason, _now: float) -> list[do.Effect]:
        self.reason = reason
        self.over.set()
        return []


async def test_a_payload_is_written_as_it_comes(bench: Callable[..., Bench], home: Home, site: Site) -> None:
    script = Taker(f"{site.base}/x")
    bench(script).shell.boot()
    async with asyncio.timeout(20):
        await script.over.wait()
    assert script.reason is Reason.OK
    assert home.read_slot(1) == DATA


async def test_what_a_server_says_is_told_with_its_reason(bench: Callable[..., Bench], site: Site) -> None:
    site.script = lambda handler: handler.send_error(404)
    script = Taker(f"{site.base}/x")
    device = bench(script)
    device.shell.boot()
    async with asyncio.timeout(20):
        await script.over.wait()
    assert script.reason is Reason.BAD_URI
    assert device.details("fetch") == [f"{site.base}/x: status 404"]


async def test_another_fetch_replaces_the_first_and_a_reset_ends_it(
    bench: Callable[..., Bench], home: Home, site: Site
) -> None:
    hold = threading.Event()
    site.script = lambda handler: hold.wait(20) and None  # type: ignore[func-returns-value]
    script = Taker(f"{site.base}/held")
    device = bench(script)
    device.shell.boot()
    site.script = None
    device.shell.ask(script, lambda _core, _now: [do.Fetch(f"{site.base}/x", 0, len(DATA))])  # type: ignore[arg-type]
    async with asyncio.timeout(20):
        await script.over.wait()
    hold.set()
    assert script.reason is Reason.OK
    assert home.read_slot(1) == DATA
    script.over.clear()
    device.shell.ask(script, lambda _core, _now: [do.Fetch(f"{site.base}/x", 0, 9), do.StopFetch()])  # type: ignore[arg-type]
    await device.shell.stop()
    assert not script.over.is_set()


async def test_a_changed_entity_tag_is_found_out_when_the_rest_is_asked_for(
    bench: Callable[..., Bench], home: Home, site: Site
) -> None:
    site.script = cut
    script = Taker(f"{site.base}/x")
    device = bench(script)
    device.shell.boot()
    async with asyncio.timeout(20):
        await script.over.wait()
    assert script.reason is Reason.CONNECTION_LOST
    script.over.clear()
    site.script = lambda handler: answer(handler, ETag='"2"')
    came = len(home.read_slot(1))
    device.shell.ask(script, lambda _core, _now: [do.Fetch(f"{site.base}/x", came, len(DATA))])  # type: ignore[arg-type]
    async with asyncio.timeout(20):
        await script.over.wait()
    assert script.reason is Reason.DIGEST_MISMATCH


# The owner's wishes.


def test_after_a_factory_reset_the_wishes_are_those_it_was_made_with(home: Home) -> None:
    changed = replace(home.profile, languages=("uk",), auto_consent=AutoConsent.ALWAYS, defer_max=9)
    (home.path / "device.toml").write_text(write_profile(changed))
    again = Home.open(home.path, durable=False)
    assert again.profile.languages == ("uk",)
    script = Script(booted=[do.ForgetWishes(), do.Save(b"after"), do.Reboot()])
    device = Bench(again, script)
    device.shell.boot()
    assert script.lives == 2
    assert again.read_state() == b"after"
    for found in (again.profile, Home.open(home.path).profile):
        assert found == home.profile


def test_a_device_made_before_there_was_such_a_file_keeps_its_wishes(home: Home) -> None:
    (home.path / "made.toml").unlink()
    assert home.forget_wishes() == home.profile
    (home.path / "made.toml").write_bytes(b"\xff")
    with pytest.raises(DamagedError, match=r"made\.toml"):
        home.forget_wishes()


def test_an_announcement_is_told_and_kept(home: Home) -> None:
    device = Bench(home, Script(booted=[do.Announce("1.4.2", None, urgent=True, at=1)]))
    device.shell.boot()
    assert device.details("announced") == ["1.4.2"]
    assert device.shell.announced is not None


def test_flash_that_cannot_be_written_is_said(home: Home) -> None:
    with pytest.raises(UnavailableError, match=r"staging\.bin"):
        home.write_slot(STAGING, 0, b"x")
    (home.path / "slot-1.bin").unlink()
    (home.path / "slot-1.bin").mkdir()
    with pytest.raises(UnavailableError, match=r"slot-1\.bin"):
        home.erase_slot(1)
