"""A real processor core, emulated: boot text from the first byte, echo, reset, cut and cycle; no SMP."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from hil.bench.board import Board, Boot, Power, Spawn
from hil.bench.session import Session
from hil.bench.spawn import qemu_command
from hil.errors import BenchError, DeviceGone

from . import firmware

pytestmark = pytest.mark.usefixtures("left_nothing")


def a_board(elf: Path, **tables: Any) -> Board:
    defaults: dict[str, Any] = {
        "name": "exercise-m3",
        "spawn": Spawn(driver="qemu", machine="mps2-an385", elf=elf.name, serial=("tcp",)),
        "folder": elf.parent,
        "power": Power(driver="process"),
        "boot": Boot(ready="banner", banner=r"^Booting exercise firmware \d\.\d$", timeout_s=30.0),
        "capabilities": ("console", "power.cut", "power.cycle"),
    }
    return Board(**{**defaults, **tables})


def test_not_a_byte_of_the_boot_is_lost_at_any_power_on(qemu: str, elf: Path) -> None:
    with Session.open(a_board(elf)) as session:
        session.console.expect("^ready$", since=0)
        assert session.console.raw(0) == firmware.TEXT
        for _ in range(3):
            session.power_cycle()
            since = session.console.marked
            session.console.expect("^ready$")
            # The place of the mark is before the line end that parts one boot's text from the next one's.
            assert session.console.raw(since) == b"\n" + firmware.TEXT


def test_it_echoes_and_resets(qemu: str, elf: Path) -> None:
    with Session.open(a_board(elf)) as session:
        session.console.expect("^ready$", since=0)
        session.console.mark()
        session.line.write(b"hello")
        session.console.expect("^hello")
        since = session.console.mark()
        session.line.write(b"R")
        session.console.expect("^ready$")
        assert session.console.raw(since) == firmware.TEXT
        assert session.line.alive  # a reset of the chip leaves the port


def test_a_cut_ends_it_and_power_brings_it_back(qemu: str, elf: Path) -> None:
    with Session.open(a_board(elf)) as session:
        session.cut()
        with pytest.raises(DeviceGone):
            session.line.receive(30.0)
        with pytest.raises(DeviceGone, match="went away"):
            session.console.expect("never said", timeout_s=0.05)
        assert not session.healthy()
        session.power_on()
        session.wait_ready()
        session.console.expect("^ready$")


def test_it_has_no_smp_and_is_healthy_by_its_banner(qemu: str, elf: Path) -> None:
    with Session.open(a_board(elf)) as session:
        assert session.capabilities == {"console", "power.cut", "power.cycle"}
        assert session.healthy()


def test_a_machine_that_qemu_does_not_know_is_told_in_its_words(qemu: str, elf: Path) -> None:
    spawn = Spawn(driver="qemu", machine="exercise-none", elf=elf.name)
    with pytest.raises(BenchError) as caught, Session.open(a_board(elf, spawn=spawn)):
        pass
    assert caught.value.code == "SPAWN_ENDED"
    assert "unsupported machine" in caught.value.message


@pytest.mark.parametrize(
    ("command", "head", "tail"),
    [
        (None, ["qemu-system-arm"], []),
        (("-icount", "shift=0"), ["qemu-system-arm"], ["-icount", "shift=0"]),
        (("qemu-system-riscv32", "-bios", "none"), ["qemu-system-riscv32"], ["-bios", "none"]),
    ],
)
def test_the_command_adds_or_stands_for_qemu(
    command: tuple[str, ...] | None, head: list[str], tail: list[str]
) -> None:
    spawn = Spawn(driver="qemu", machine="m", elf="a.elf", serial=("tcp", "pty"), command=command)
    assert qemu_command(spawn, {0: 20_001}, Path("/f")) == [
        *head,
        *("-machine", "m", "-kernel", "/f/a.elf", "-display", "none", "-monitor", "none"),
        *("-serial", "tcp:127.0.0.1:20001,server=on,wait=on,nodelay=on", "-serial", "pty"),
        *tail,
    ]
