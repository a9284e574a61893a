"""What only test builds have, over the wire: power cuts, another time, and what the maker writes."""

import hashlib
from collections.abc import Callable
from typing import Any

import pytest

from advisories import smp
from advisories.topics import Topics
from device_sim.core.slots import load_record
from device_sim.home import Home
from keys.codec import dump
from keys.signer import from_seed
from tests.device_sim.serial.wire import DEVICE, FLEET, NOW, PRODUCT, RefusedRequest, Wire, request
from tests.helpers import make_fleet, notice, text

TOPICS = Topics()
NOTICE = notice(FLEET)


def show(wire: Wire) -> None:
    wire.submit(TOPICS.notice(PRODUCT, NOTICE.id), FLEET.seal(NOTICE))
    wire.submit(TOPICS.text(PRODUCT, "en", NOTICE.id), dump(text("en")))


@pytest.mark.parametrize("body", [{"at": 0, "when": "torn"}, {"at": 1, "when": "sometimes"}])
async def test_a_fault_that_makes_no_sense_is_refused(wire: Wire, body: dict[str, Any]) -> None:
    with pytest.raises(RefusedRequest, match="EINVAL"):
        wire.act(smp.NOTIFIER_FAULT, **body)


async def test_the_clock_is_told_and_moved_once_a_key(wire: Wire) -> None:
    assert wire.ask(smp.NOTIFIER_CLOCK) == {"utc": NOW + 60}
    wire.ask(smp.NOTIFIER_CLOCK_SET, {"utc": 5, "key": 1})
    wire.ask(smp.NOTIFIER_CLOCK_SET, {"utc": 2_000_000_000, "key": 2})
    wire.ask(smp.NOTIFIER_CLOCK_SET, {"utc": 5, "key": 1})
    assert wire.ask(smp.NOTIFIER_CLOCK) == {"utc": 2_000_000_000}
    with pytest.raises(RefusedRequest, match="EINVAL"):
        wire.act(smp.NOTIFIER_CLOCK_SET, utc=2**63)


async def test_provisioning_holds_from_the_next_reset(wire: Wire) -> None:
    show(wire)
    wire.upload(wire.board.machine.flash.read_slot(0))
    wire.act(smp.NOTIFIER_PROVISION, what="erase")
    assert wire.state()["notices"]
    wire.ask(smp.OS_RESET)
    state = wire.state()
    assert (state["notices"], state["epoch"], state["installed"]) == ([], 1, "1.4.1")
    assert list(wire.images()) == [0]
    wire.ask(smp.OS_RESET)
    assert wire.state()["epoch"] == 2  # once


async def test_another_identity(wire: Wire) -> None:
    flash = wire.board.machine.flash
    seed = bytes(range(32))
    wire.act(smp.NOTIFIER_PROVISION, what="id", value=b"d-77")
    wire.act(smp.NOTIFIER_PROVISION, what="key", value=seed)
    wire.act(smp.NOTIFIER_PROVISION, what="version", value=b"2.3.4+5")
    wire.ask(smp.OS_RESET)
    info = wire.ask(smp.NOTIFIER_INFO)
    assert (info["id"], info["fw"]) == ("d-77", "2.3.4+5")
    assert TOPICS.device("d-77", "offer") in info["filters"]
    home = Home.open(flash.path)
    assert home.profile.id == "d-77"
    assert home.signer.public == from_seed(seed).public
    assert (flash.path / "key.pem").stat().st_mode & 0o077 == 0
    assert load_record(home.read_boot()).active == 0
    assert info["algs"] == [-19, -9]


async def test_a_disk_that_is_full_when_it_is_provisioned_ends_the_device(
    wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    wire.act(smp.NOTIFIER_PROVISION, what="id", value=b"d-77")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Home, "_replace", full)
    wire.ask(smp.OS_RESET)
    assert isinstance(wire.board.failure, OSError)
    assert wire.send(request(smp.OS_ECHO, {"d": "x"})) == []


async def test_another_root(wire: Wire) -> None:
    other = make_fleet(exercise=True)
    sha = wire.put(other.root_document)
    wire.act(smp.NOTIFIER_PROVISION, what="root", value=sha)
    show(wire)  # until then it is the old fleet's device
    assert wire.state()["notices"]
    wire.ask(smp.OS_RESET)
    state = wire.state()
    assert (state["notices"], state["epoch"]) == ([], 1)
    assert wire.board.machine.stored().trusted.fleet == other.id
    wire.put(other.root_document)
    wire.act(smp.NOTIFIER_PROVISION, what="root", value=sha)
    wire.act(smp.NOTIFIER_PROVISION, what="id", value=DEVICE.encode())
    wire.ask(smp.OS_RESET)
    assert wire.state()["epoch"] == 2  # the same again takes nothing away


@pytest.mark.parametrize(
    ("what", "value", "rc"),
    [
        ("root", bytes(32), "ENOENT"),
        ("root", None, "ENOENT"),
        ("root", hashlib.sha256(b"no root").digest(), "EINVAL"),
        ("key", bytes(31), "EINVAL"),
        ("version", b"1.x", "EINVAL"),
        ("version", b"\xff", "EINVAL"),
        ("id", b"a/b", "EINVAL"),
        ("id", b"", "EINVAL"),
        ("colour", b"red", "EINVAL"),
    ],
)
async def test_what_cannot_be_provisioned_is_refused_at_once(
    wire: Wire, what: str, value: bytes | None, rc: str
) -> None:
    wire.put(b"no root")
    before = {path.name: path.read_bytes() for path in wire.board.machine.flash.path.iterdir()}
    with pytest.raises(RefusedRequest, match=rc):
        wire.act(smp.NOTIFIER_PROVISION, what=what, **({} if value is None else {"value": value}))
    assert before == {path.name: path.read_bytes() for path in wire.board.machine.flash.path.iterdir()}


async def test_an_image_that_no_slot_holds_is_not_made(make_wire: Callable[..., Wire]) -> None:
    wire = make_wire()
    flash = wire.board.machine.flash
    object.__setattr__(flash.profile, "slot_bytes", 200)
    with pytest.raises(RefusedRequest, match="EINVAL"):
        wire.act(smp.NOTIFIER_PROVISION, what="version", value=b"1.5.0")


async def test_a_slot_that_cannot_be_read_as_an_image_is_told_as_none(wire: Wire) -> None:
    flash = wire.board.machine.flash
    Home.write_slot(flash, 0, 0, b"garbage")
    assert wire.ask(smp.NOTIFIER_INFO)["fw"] == "none"
    assert wire.images() == {}
    wire.ask(smp.OS_RESET)
    assert wire.boots()[-1] == "tocsin: boot reset, slot 0, version none"
    assert wire.state()["installed"] == "0.0.0"
