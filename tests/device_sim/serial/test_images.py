"""Images by cable: real bytes in real slots, booted on trial, kept only when confirmed."""

import hashlib
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from advisories import mcuboot, smp
from device_sim.core.slots import BootRecord, load_record
from device_sim.core.state import State
from device_sim.home import Home
from device_sim.serial.factory import image as made_image
from device_sim.serial.flash import When
from tests.device_sim.core.firmware import NEW, image
from tests.device_sim.serial.wire import OLD, PowerCutError, RefusedRequest, Wire

IMAGE = image(NEW, size=9_000)
HASH = mcuboot.parse(IMAGE).digest


def record(wire: Wire) -> BootRecord:
    return load_record(wire.board.machine.flash.read_boot())


def tried(wire: Wire, data: bytes = IMAGE) -> Wire:
    """Upload an image and boot it on trial."""
    wire.upload(data)
    wire.ask(smp.IMG_STATE_SET, {"hash": mcuboot.parse(data).digest, "confirm": False})
    wire.ask(smp.OS_RESET)
    return wire


async def test_an_upload_is_in_the_spare_slot_byte_for_byte(wire: Wire) -> None:
    assert wire.upload(IMAGE) == {"off": len(IMAGE), "match": True}
    assert wire.board.machine.flash.read_slot(1) == IMAGE
    assert wire.images() == {
        0: _row(0, "1.4.1", mcuboot.parse(OLD).digest, confirmed=True, active=True),
        1: _row(1, "1.4.2", HASH),
    }


def _row(slot: int, version: str, digest: bytes, **true: bool) -> dict[str, Any]:
    flags = dict.fromkeys(("pending", "confirmed", "active", "permanent"), False)
    return {
        "image": 0,
        "slot": slot,
        "version": version,
        "hash": digest,
        "bootable": True,
        **flags,
        **true,
    }


async def test_a_test_boot_is_gone_after_the_next_reset_unless_confirmed(wire: Wire) -> None:
    tried(wire)
    assert wire.boots()[-1] == "tocsin: boot reset, slot 1, version 1.4.2"
    assert wire.state()["installed"] == "1.4.2"
    assert [(r["active"], r["confirmed"]) for r in wire.images().values()] == [(False, True), (True, False)]
    wire.ask(smp.OS_RESET)
    assert wire.boots()[-1] == "tocsin: boot reset, slot 0, version 1.4.1"
    assert record(wire) == BootRecord(active=0)


@pytest.mark.parametrize("body", [{"confirm": True}, {"confirm": True, "hash": HASH}])
async def test_a_confirmed_image_stays(wire: Wire, body: dict[str, Any]) -> None:
    tried(wire)
    wire.ask(smp.IMG_STATE_SET, body)
    wire.ask(smp.IMG_STATE_SET, body)  # saying it twice changes nothing
    assert record(wire) == BootRecord(active=1)
    wire.ask(smp.OS_RESET)
    assert wire.boots()[-1] == "tocsin: boot reset, slot 1, version 1.4.2"
    wire.upload(image((1, 5, 0, 7)))
    assert wire.images()[0]["version"] == "1.5.0.7"


async def test_what_is_to_be_tried_is_told_and_marked_once(wire: Wire) -> None:
    wire.upload(IMAGE)
    for _ in range(2):
        wire.ask(smp.IMG_STATE_SET, {"hash": HASH, "confirm": False})
    writes = wire.state()["writes"]
    assert wire.images()[1]["pending"]
    assert wire.state()["pending"] == "1.4.2"
    wire.ask(smp.IMG_STATE_SET, {"hash": HASH, "confirm": False})
    assert wire.state()["writes"] == writes
    for command, body in (
        (smp.IMG_ERASE, {}),
        (smp.IMG_UPLOAD, {"off": 0, "len": len(IMAGE), "data": IMAGE[:100]}),
    ):
        with pytest.raises(RefusedRequest, match="EBADSTATE"):
            wire.ask(command, body)


@pytest.mark.parametrize(
    ("body", "rc"),
    [
        ({"confirm": False}, "EINVAL"),
        ({"confirm": False, "hash": bytes(32)}, "ENOENT"),
        ({"confirm": True, "hash": bytes(32)}, "ENOENT"),
        ({"confirm": True, "hash": HASH}, "EBADSTATE"),  # it has not shown that it runs
        ({"confirm": False, "hash": mcuboot.parse(OLD).digest}, "EBADSTATE"),
    ],
)
async def test_marks_that_make_no_sense_are_refused(wire: Wire, body: dict[str, Any], rc: str) -> None:
    wire.upload(IMAGE)
    with pytest.raises(RefusedRequest, match=rc):
        wire.ask(smp.IMG_STATE_SET, body)
    assert record(wire) == BootRecord(active=0)


async def test_anti_rollback_holds_for_the_cable_too(wire: Wire) -> None:
    assert wire.state()["floors"]["counter"] == 1
    old = image(NEW, counter=0)
    wire.upload(old)
    with pytest.raises(RefusedRequest, match="EBADSTATE"):
        wire.ask(smp.IMG_STATE_SET, {"hash": mcuboot.parse(old).digest, "confirm": False})
    tried(wire, image(NEW, counter=2))
    wire.ask(smp.OS_RESET)
    assert wire.state()["floors"]["counter"] == 1  # what was only tried has raised nothing
    tried(wire, image(NEW, counter=2))
    wire.ask(smp.IMG_STATE_SET, {"confirm": True})
    wire.ask(smp.OS_RESET)
    assert wire.state()["floors"]["counter"] == 2  # it never falls, whatever boots


@pytest.mark.parametrize(
    ("first", "rc"),
    [
        ({"len": None}, "EINVAL"),
        ({"sha": b"short"}, "EINVAL"),
        ({"len": (1 << 20) + 1}, "NOMEM"),
        ({"len": 50}, "EINVAL"),
        ({"image": 2}, "EINVAL"),
        ({"data": b"x" * 100}, "EINVAL"),
        ({"data": IMAGE[:31]}, "EINVAL"),
        ({"data": b""}, "EINVAL"),
        ({"upgrade": True, "data": OLD[:100]}, "EBADSTATE"),
    ],
)
async def test_a_first_part_that_cannot_become_an_image_is_refused(
    wire: Wire, first: dict[str, Any], rc: str
) -> None:
    wire.upload(IMAGE)
    body = {"off": 0, "len": len(IMAGE), "data": IMAGE[:100], **first}
    with pytest.raises(RefusedRequest, match=rc):
        wire.ask(smp.IMG_UPLOAD, {name: value for name, value in body.items() if value is not None})
    assert wire.board.machine.flash.read_slot(1) == IMAGE


async def test_only_a_newer_image_is_an_upgrade(wire: Wire) -> None:
    assert wire.upload(IMAGE, upgrade=True)["match"]


async def test_an_upload_goes_on_where_it_was(wire: Wire) -> None:
    sha = hashlib.sha256(IMAGE).digest()
    first = {"off": 0, "len": len(IMAGE), "sha": sha, "data": IMAGE[:1_000]}
    assert wire.ask(smp.IMG_UPLOAD, first) == {"off": 1_000}
    assert wire.ask(smp.IMG_UPLOAD, first) == {"off": 1_000}  # its answer was lost
    assert wire.ask(smp.IMG_UPLOAD, {"off": 1_000, "data": IMAGE[1_000:1_500]}) == {"off": 1_500}
    assert wire.ask(smp.IMG_UPLOAD, {"off": 1_000, "data": b"x" * 500}) == {"off": 1_500}
    assert wire.ask(smp.IMG_UPLOAD, {"off": 5_000, "data": b"x" * 500}) == {"off": 1_500}
    with pytest.raises(RefusedRequest, match="EINVAL"):
        wire.ask(smp.IMG_UPLOAD, {"off": 1_500, "data": b""})
    for off in range(1_500, len(IMAGE), 1_500):
        answer = wire.ask(smp.IMG_UPLOAD, {"off": off, "data": IMAGE[off : off + 1_500]})
    assert answer == {"off": len(IMAGE), "match": True}
    assert wire.ask(smp.IMG_UPLOAD, {"off": 7_500, "data": IMAGE[7_500:]}) == {"off": len(IMAGE)}
    assert wire.ask(smp.IMG_UPLOAD, {"off": len(IMAGE), "data": b"x"}) == {"off": len(IMAGE)}
    assert wire.ask(smp.IMG_UPLOAD, first) == {"off": 1_000}  # and once it was whole, anew


async def test_more_than_was_announced_is_refused(wire: Wire) -> None:
    wire.ask(smp.IMG_UPLOAD, {"off": 0, "len": 120, "data": IMAGE[:100]})
    with pytest.raises(RefusedRequest, match="EINVAL"):
        wire.ask(smp.IMG_UPLOAD, {"off": 100, "data": bytes(21)})


async def test_without_a_digest_nothing_is_compared(wire: Wire) -> None:
    wire.ask(smp.IMG_UPLOAD, {"off": 0, "len": len(OLD), "data": OLD[:1_500]})
    assert wire.ask(smp.IMG_UPLOAD, {"off": 0, "len": 1_000, "data": OLD[:1_000]}) == {"off": 1_000}


async def test_an_upload_with_another_digest_leaves_nothing(wire: Wire) -> None:
    answer = wire.upload(IMAGE, sha=hashlib.sha256(b"another").digest())
    assert answer == {"off": len(IMAGE), "match": False}
    assert wire.board.machine.flash.read_slot(1) == b""
    assert list(wire.images()) == [0]


async def test_a_reset_or_an_erase_ends_an_upload(wire: Wire) -> None:
    first = {"off": 0, "len": len(IMAGE), "data": IMAGE[:1_000]}
    for command in (smp.OS_RESET, smp.IMG_ERASE):
        wire.ask(smp.IMG_UPLOAD, first)
        wire.ask(command)
        assert wire.ask(smp.IMG_UPLOAD, {"off": 1_000, "data": b"x"}) == {"off": 0}
    wire.ask(smp.IMG_UPLOAD, first)
    wire.board.machine.flash.erase_slot(1)  # a patch took the slot meanwhile
    assert wire.ask(smp.IMG_UPLOAD, {"off": 1_000, "data": b"x"}) == {"off": 0}


async def test_only_the_spare_slot_is_erased(wire: Wire) -> None:
    wire.upload(IMAGE)
    for slot, rc in ((0, "EBADSTATE"), (2, "EINVAL")):
        with pytest.raises(RefusedRequest, match=rc):
            wire.ask(smp.IMG_ERASE, {"slot": slot})
    wire.ask(smp.IMG_ERASE, {"slot": 1})
    assert wire.board.machine.flash.read_slot(1) == b""


async def test_a_release_build_takes_no_image_and_tells_what_it_has(make_wire: Callable[..., Wire]) -> None:
    wire = make_wire(test_build=False)
    before = {path.name: path.read_bytes() for path in wire.board.machine.flash.path.iterdir()}
    for command, body in (
        (smp.IMG_UPLOAD, {"off": 0, "len": len(IMAGE), "data": IMAGE[:1_500]}),
        (smp.IMG_STATE_SET, {"confirm": True}),
        (smp.IMG_ERASE, {}),
    ):
        with pytest.raises(RefusedRequest, match="EACCESSDENIED"):
            wire.ask(command, body)
    assert wire.images()[0]["active"]
    assert before == {path.name: path.read_bytes() for path in wire.board.machine.flash.path.iterdir()}


# While an image is on trial that the core did not begin.


async def test_during_a_trial_the_confirmed_slot_is_nobodys_to_touch(wire: Wire) -> None:
    tried(wire)
    for command, body in (
        (smp.IMG_ERASE, {}),
        (smp.IMG_ERASE, {"slot": 1}),
        (smp.IMG_UPLOAD, {"off": 0, "len": len(IMAGE), "data": IMAGE[:100]}),
        (smp.IMG_STATE_SET, {"hash": mcuboot.parse(OLD).digest, "confirm": False}),
    ):
        with pytest.raises(RefusedRequest, match="EBADSTATE"):
            wire.ask(command, body)
    flash = wire.board.machine.flash  # what a patch would do, for the core takes what runs for confirmed
    flash.erase_slot(0)
    flash.write_slot(0, 0, b"x")
    assert flash.read_slot(0) == OLD
    assert wire.log[-1] == "[flash] slot 0 holds the confirmed image and stays until the trial is over"
    wire.ask(smp.IMG_STATE_SET, {"confirm": True})
    flash.erase_slot(0)
    assert flash.read_slot(0) == b""


async def test_a_slot_that_a_patch_takes_is_no_longer_to_be_tried(wire: Wire) -> None:
    wire.upload(IMAGE)
    wire.ask(smp.IMG_STATE_SET, {"hash": HASH, "confirm": False})
    wire.board.machine.flash.erase_slot(1)
    assert record(wire) == BootRecord(active=0)


# Power.


@pytest.mark.parametrize("when", list(When))
@pytest.mark.parametrize("at", [1, 2, 7])
async def test_a_cut_upload_never_costs_the_image_that_runs(
    make_wire: Callable[..., Wire], at: int, when: When
) -> None:
    wire = make_wire()
    home = wire.board.machine.flash
    wire.act(smp.NOTIFIER_FAULT, at=at, when=when.value)
    with pytest.raises(PowerCutError):
        wire.upload(IMAGE)
    left = home.read_slot(1)
    written = {When.BEFORE: 0, When.TORN: 750, When.AFTER: 1_500}[when] if at > 1 else 0
    assert left == IMAGE[: max(0, at - 2) * 1_500 + written]
    again = make_wire(home=Home.open(home.path, durable=False))
    assert again.boots() == ["tocsin: boot power-on, slot 0, version 1.4.1"]
    assert again.upload(IMAGE)["match"]
    tried(again)
    assert again.state()["installed"] == "1.4.2"


@pytest.mark.parametrize("when", list(When))
async def test_a_cut_mark_is_there_or_is_not(make_wire: Callable[..., Wire], when: When) -> None:
    wire = make_wire()
    wire.upload(IMAGE)
    wire.act(smp.NOTIFIER_FAULT, at=1, when=when.value)
    with pytest.raises(PowerCutError):
        wire.ask(smp.IMG_STATE_SET, {"hash": HASH, "confirm": False})
    again = make_wire(home=Home.open(wire.board.machine.flash.path, durable=False))
    assert again.state()["slot"] == (1 if when is When.AFTER else 0)


async def test_a_torn_erase_leaves_half(wire: Wire) -> None:
    wire.upload(IMAGE)
    wire.act(smp.NOTIFIER_FAULT, at=1, when="torn")
    with pytest.raises(PowerCutError):
        wire.ask(smp.IMG_ERASE)
    assert wire.board.machine.flash.read_slot(1) == IMAGE[: len(IMAGE) // 2]


def test_an_image_is_the_one_that_the_gateway_makes_where_there_is_room() -> None:
    assert mcuboot.parse(made_image("thermostat", NEW, 1 << 20)).body_size == 16_384
    assert len(made_image("thermostat", NEW, 4_096)) <= 4_096
    with pytest.raises(ValueError, match="does not fit"):
        made_image("thermostat", NEW, 200)


async def test_a_stored_counter_outlives_everything(wire: Wire) -> None:
    """What the cable may not lower is what the core stored."""
    flash = wire.board.machine.flash
    state = State.load(flash.read_state() or b"", flash.root_1)
    assert replace(state, security_counter=9).security_counter == 9
    state.security_counter = 9
    flash.save_state(state.dump())
    wire.upload(IMAGE)
    with pytest.raises(RefusedRequest, match="EBADSTATE"):
        wire.ask(smp.IMG_STATE_SET, {"hash": HASH, "confirm": False})
