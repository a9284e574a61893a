"""What a maker writes into the C device over its line, and how long a message it stages."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from advisories.report import Block
from advisories.smp import Rc
from hil.bench.board import Board, Boot, Power, Reset, Spawn
from hil.bench.session import Session
from hil.conformance.fleet import Fleet, first_root, key_seed
from hil.errors import SmpRefused
from keys.codec import dump

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
