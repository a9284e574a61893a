"""What a maker writes into the C device over its line, and how long a message it stages."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from advisories.report import Block, open_report
from advisories.smp import Rc
from hil.bench.board import Board, Boot, Power, Reset, Spawn
from hil.bench.session import Session
from hil.conformance.fleet import DAY, NOW, Fleet, first_root, key, key_seed
from hil.errors import SmpRefused
from keys.codec import dump
from keys.reasons import Reason

BLOCK_BYTES = 4_096


@pytest.fixture
def device(host_device: Path, tmp_path: Path) -> Iterator[Session]:
    board = Board(
        name="c-host",
        power=Power(driver="process"),
        reset=Reset(by="smp"),
        boot=Boot(timeout_s=60, banner="^tocsin: (ready|boot|waits)"),
        spawn=Spawn(
            driver="process",
            command=(str(host_device), str(tmp_path / "flash"), "tcp:{port}"),
            serial=("tcp",),
        ),
    )
    with Session.open(board) as session:
        yield session


def test_a_maker_says_who_the_device_is_and_where_its_messages_come(device: Session) -> None:
    notifier = device.smp.notifier
    fleet = Fleet(first_root(), "d-7", "doorbell")
    notifier.provision("root", notifier.put(fleet.root_document))
    notifier.provision("key", key_seed("device"))
    for what, text in (
        ("version", "2.2.0"),
        ("id", "d-7"),
        ("product", "doorbell"),
        ("language", "ja"),
        ("topics", "drill-7/v1"),
    ):
        notifier.provision(what, text.encode())
    assert notifier.info().id == "device"  # each holds from the next reset
    device.reset()
    info = notifier.info()
    assert (info.id, info.class_, info.fw) == ("d-7", "doorbell", "2.2.0")
    assert info.filters == (
        "drill-7/v1/timestamp/doorbell",
        "drill-7/v1/catalogue/doorbell",
        "drill-7/v1/notice/doorbell/+",
        "drill-7/v1/text/doorbell/ja/+",
        "drill-7/v1/device/d-7/offer",
        "drill-7/v1/device/d-7/answer",
        "drill-7/v1/device/d-7/block",
    )


@pytest.mark.parametrize("what", ["topics", "product", "language", "id"])
@pytest.mark.parametrize("value", [b"", b"x" * 65, b"a\0b"], ids=["empty", "too long", "with a zero"])
def test_a_name_that_does_not_fit_is_refused(device: Session, what: str, value: bytes) -> None:
    before = device.smp.notifier.info()
    with pytest.raises(SmpRefused) as refused:
        device.smp.notifier.provision(what, value)
    assert refused.value.rc == Rc.EINVAL
    device.reset()
    after = device.smp.notifier.info()
    assert (after.id, after.class_, after.filters) == (before.id, before.class_, before.filters)


@pytest.mark.parametrize("seed", [b"", b"short", b"x" * 33])
def test_a_key_that_does_not_fit_is_refused_and_never_taken(device: Session, seed: bytes) -> None:
    signed_by(device, key_seed("device"))
    with pytest.raises(SmpRefused) as refused:
        device.smp.notifier.provision("key", seed)
    assert refused.value.rc == Rc.EINVAL
    device.reset()
    must_be_signed_by(device, "device")


def test_a_version_that_does_not_fit_leaves_the_one_before(device: Session) -> None:
    signed_by(device, key_seed("device"))
    device.smp.notifier.provision("version", b"2.3.0")
    with pytest.raises(SmpRefused):
        device.smp.notifier.provision("version", b"2.4")
    device.reset()
    assert device.smp.notifier.info().fw == "2.3.0"


@pytest.mark.parametrize("other", ["root", "id"])
def test_what_rests_on_another_root_or_is_another_device_s_goes_with_it(device: Session, other: str) -> None:
    notifier = device.smp.notifier
    fleet = signed_by(device, key_seed("device"))
    topic = "tocsin/v1/timestamp/thermostat"
    assert notifier.deliver(fleet.signed(fleet.timestamp()), topic).number == Reason.OK
    if other == "root":
        fleet = Fleet(first_root(expires=NOW + 3 * 365 * DAY), "d-7", "thermostat")
        notifier.provision("root", notifier.put(fleet.root_document))
    else:
        notifier.provision("id", b"d-8")
    device.reset()
    state = notifier.state()
    assert (state.epoch, state.journal, state.root, dict(state.floors).get("timestamp")) == (1, 1, 1, None)
    assert notifier.deliver(fleet.signed(fleet.timestamp()), topic).number == Reason.OK


def signed_by(device: Session, seed: bytes) -> Fleet:
    """Make it a device of a fleet, with a key and an image; return the fleet."""
    notifier = device.smp.notifier
    fleet = Fleet(first_root(), "d-7", "thermostat")
    notifier.provision("root", notifier.put(fleet.root_document))
    notifier.provision("key", seed)
    notifier.provision("version", b"2.2.0")
    notifier.provision("id", b"d-7")
    device.reset()
    return fleet


def must_be_signed_by(device: Session, name: str) -> None:
    """Read its first report with this key; RefusedError where another one signed it."""
    notifier = device.smp.notifier
    notifier.carrier(True)
    said = notifier.take()
    while said is not None and not said.topic.endswith("/report"):
        said = notifier.take(ack=said.number)
    assert said is not None
    fleet = Fleet(first_root(), "d-7", "thermostat")
    open_report(said.data, key(name).public, fleet=fleet.id, device="d-7")


def test_a_whole_block_of_firmware_is_staged_and_nothing_longer_than_it_says(device: Session) -> None:
    notifier = device.smp.notifier
    most = notifier.info().max
    block = dump(Block(digest=bytes(32), offset=8_388_607, data=b"\xa5" * BLOCK_BYTES))
    assert len(block) <= most
    for data in (block, b"\x5a" * most, b"short"):
        assert notifier.put(data) == hashlib.sha256(data).digest()
    with pytest.raises(SmpRefused) as refused:
        notifier.put(b"\x5a" * (most + 1))
    assert refused.value.rc == Rc.NOMEM
