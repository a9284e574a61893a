"""A whole incident over the line: root, notice, patch; and the power goes at every write of it."""

import asyncio
import random
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from advisories import smp
from advisories.states import PATCH_ENDED, NoticeState, PatchState
from device_sim.core.slots import load_record
from device_sim.owner import SimulatedOwner
from device_sim.shell import Event
from keys.codec import dump
from tests.device_sim.core.firmware import NEW, OLD, image
from tests.device_sim.serial.wire import FLEET, PowerCutError, RefusedRequest, Wire, make_home
from tests.device_sim.serial.wire import OLD as OLD_IMAGE
from tests.device_sim.serial.world import SerialWorld
from tests.helpers import notice, text

P = PatchState
IMAGE = image(NEW, size=6_000)


@pytest.fixture
async def worlds(tmp_path: Path) -> AsyncIterator[list[SerialWorld]]:
    """Worlds that are closed in the end."""
    made: list[SerialWorld] = []
    yield made
    for world in made:
        world.close()


@pytest.fixture
def world(worlds: list[SerialWorld], tmp_path: Path) -> SerialWorld:
    worlds.append(SerialWorld(tmp_path))
    return worlds[-1]


def publish_all(w: SerialWorld) -> bytes:
    return w.roll_out(w.notice(), data=IMAGE)


def live(w: SerialWorld, seconds: float = 10) -> None:
    w.start()
    w.pump()
    w.connect()
    w.advance(seconds)


async def test_a_board_on_a_line_is_warned_and_patched_and_reports_it(world: SerialWorld) -> None:
    patch = publish_all(world)
    live(world)
    assert world.patch_track(patch).state is P.SUCCEEDED
    assert world.boots == 1  # the process went on; the device booted twice
    assert world.wire.boots() == [
        "tocsin: boot power-on, slot 0, version 1.4.1",
        "tocsin: boot update, slot 1, version 1.4.2",
    ]
    assert any(line.startswith("[shown] EX-2026-0001 revision 1") for line in world.wire.log)
    assert "[tested] passed" in world.wire.log
    state = world.wire.state()
    assert (state["slot"], state["installed"], state["cause"]) == (1, "1.4.2", "update")
    assert state["floors"]["patch"] == 7
    assert state["patches"] == [
        {"digest": patch[:8], "sequence": 7, "state": P.SUCCEEDED, "reason": 0},
    ]
    assert state["notices"][0]["state"] == NoticeState.NOT_APPLICABLE
    assert world.reports[-1].installed == NEW
    assert world.reports[-1].patches[0].state is P.SUCCEEDED
    assert set(world.verdicts) == {"OK"}


async def test_the_owner_is_asked_and_answers_over_the_line(
    worlds: list[SerialWorld], tmp_path: Path
) -> None:
    world = SerialWorld(tmp_path, auto_consent=False)
    worlds.append(world)
    patch = publish_all(world)
    live(world)
    wire = world.wire
    seen = wire.ask(smp.NOTIFIER_NOTICE)
    assert (seen["id"], seen["revision"], seen["severity"], seen["language"]) == (
        "EX-2026-0001",
        1,
        "high",
        "en",
    )
    assert (seen["confirmed"], seen["asks"]) == (True, "1.4.2")
    assert any("Update your thermostat" in line for line in wire.screen())
    wire.act(smp.NOTIFIER_PRESS, button="acknowledge")
    assert wire.state()["notices"][0]["state"] == NoticeState.ACKNOWLEDGED
    wire.act(smp.NOTIFIER_PRESS, button="later")
    assert world.patch_track(patch).state is P.DEFERRED
    with pytest.raises(RefusedRequest, match="EBADSTATE"):
        wire.act(smp.NOTIFIER_PRESS, button="yes")
    world.advance(2)
    assert "asks" not in wire.ask(smp.NOTIFIER_NOTICE)
    day = 24 * 3_600
    wire.act(smp.NOTIFIER_CLOCK_SET, utc=int(world.now) + day)
    assert wire.ask(smp.NOTIFIER_NOTICE)["asks"] == "1.4.2"  # the clock alone brought the question back
    wire.act(smp.NOTIFIER_CLOCK_SET, utc=int(world.now) + 60)
    wire.act(smp.NOTIFIER_PRESS, button="no")
    assert world.patch_track(patch).state is P.DECLINED


async def test_while_a_patch_is_coming_the_cable_has_to_wait(world: SerialWorld) -> None:
    world.serving = False
    patch = publish_all(world)
    live(world)
    assert world.patch_track(patch).state is P.DOWNLOADING
    for command, body in (
        (smp.IMG_UPLOAD, {"off": 0, "len": len(IMAGE), "data": IMAGE[:100]}),
        (smp.IMG_ERASE, {}),
        (smp.IMG_STATE_SET, {"confirm": True}),
    ):
        with pytest.raises(RefusedRequest, match="EBUSY"):
            world.wire.ask(command, body)
    world.serving = True
    world.advance(10)
    assert world.patch_track(patch).state is P.SUCCEEDED


async def test_a_patch_that_comes_during_a_trial_never_costs_the_confirmed_image(world: SerialWorld) -> None:
    world.start()
    trial = image((1, 4, 1, 5), fill=1)
    world.wire.upload(trial)
    hash_ = world.wire.images()[1]["hash"]
    world.wire.ask(smp.IMG_STATE_SET, {"hash": hash_, "confirm": False})
    world.wire.ask(smp.OS_RESET)
    world.boot_id = world.wire.state()["boot"]
    patch = publish_all(world)
    world.connect()
    world.advance(30)
    assert world.patch_track(patch).state is P.FAILED
    flash = world.wire.board.machine.flash
    assert flash.read_slot(0) == OLD_IMAGE
    world.wire.ask(smp.OS_RESET)
    assert world.wire.state()["installed"] == "1.4.1"


async def test_without_a_carrier_nothing_is_kept_and_messages_still_arrive(world: SerialWorld) -> None:
    world.start()
    wire = world.wire
    header = world.notice()
    for topic in world.retained:
        wire.submit(topic, world.retained[topic])
    assert wire.ask(smp.NOTIFIER_NOTICE)["id"] == header.id
    assert wire.take() == []
    wire.act(smp.NOTIFIER_CARRIER, up=True)
    topics = [topic.rpartition("/")[2] for _, topic, _ in wire.take()]
    assert topics[:2] == ["online", "report"]
    wire.act(smp.NOTIFIER_CARRIER, up=False)
    assert "[disconnected] the carrier is gone" in wire.log
    assert wire.take() == []


async def test_a_simulated_owner_reads_and_presses(tmp_path: Path) -> None:
    pressed = asyncio.Event()

    def told(event: Event) -> None:
        if event.kind == "acknowledged":
            pressed.set()

    owner = SimulatedOwner(random.Random(0), reading_s=(0.001, 0.002))
    wire = Wire(make_home(tmp_path), owner=owner, on_event=told, clock=time.time, test_build=False)
    header = notice(FLEET)
    wire.submit(wire.board.machine.flash.profile.topics.notice("thermostat", header.id), FLEET.seal(header))
    wire.submit(wire.board.machine.flash.profile.topics.text("thermostat", "en", header.id), dump(text("en")))
    async with asyncio.timeout(30):
        await pressed.wait()
    assert f"[acknowledged] {header.id}" in wire.log
    await wire.board.stop()
    assert wire.log[-1] == "[stopped]"


# The power goes at every single write.


def ends(w: SerialWorld, patch: bytes) -> None:
    """Assert what always holds, whatever happened."""
    flash = w.wire.board.machine.flash
    record = load_record(flash.read_boot())
    state = w.patch_track(patch).state
    assert record.trial is None
    assert state in PATCH_ENDED, state.name
    assert flash.running == record.active
    if state is P.SUCCEEDED:
        assert w.agent.installed == NEW
        assert flash.read_slot(record.active) == IMAGE
    else:
        assert state is P.ROLLED_BACK
        assert w.agent.installed == OLD
        assert flash.read_slot(record.active) == OLD_IMAGE
    told = w.reports[-1]
    assert told.installed == w.agent.installed
    assert told.patches[0].state is state
    assert w.path(patch.hex()[:16])[-1] is state
    assert w.refusals() == []


@pytest.mark.parametrize("when", ["before", "torn", "after"])
async def test_wherever_the_power_goes_the_device_comes_back_whole(
    worlds: list[SerialWorld], tmp_path: Path, when: str
) -> None:
    whole = SerialWorld(tmp_path / "whole")
    worlds.append(whole)
    live_through(whole)
    total = whole.wire.state()["writes"] - whole.writes_at_first
    assert total > 20
    for at in range(1, total + 1):
        w = SerialWorld(tmp_path / str(at))
        worlds.append(w)
        w.fault = (at, when)
        assert live_through(w) == 1, at
        w.close()


def live_through(w: SerialWorld) -> int:
    """Live until there is peace, and hold what must hold; return how many times the power went."""
    patch = publish_all(w)
    cuts, counter = 0, 0
    while True:
        try:
            live(w, 5)
        except PowerCutError:
            cuts += 1
            stored = w.wire.board.machine.stored()
            assert stored.security_counter >= counter
            counter = stored.security_counter
            continue
        break
    ends(w, patch)
    assert w.wire.board.machine.stored().security_counter >= counter
    return cuts


async def test_a_cut_costs_no_more_than_the_patch_and_at_few_places(
    worlds: list[SerialWorld], tmp_path: Path
) -> None:
    lost = []
    for at in range(1, 25):
        w = SerialWorld(tmp_path / str(at))
        worlds.append(w)
        w.fault = (at, "after")
        live_through(w)
        lost += [at] * (w.agent.installed == OLD)
        w.close()
    assert 1 <= len(lost) <= 4
    assert lost == list(range(lost[0], lost[0] + len(lost)))
