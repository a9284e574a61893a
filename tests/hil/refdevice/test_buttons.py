"""The owner's buttons, which a release has, too: a notice is noted and a patch agreed to without any test build."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from advisories.states import NoticeState, PatchState
from hil.bench.board import Board, Boot, Power, Reset, Spawn
from hil.bench.session import Session
from hil.bench.spawn import free_port
from hil.errors import SmpRefused
from keys.codec import dump
from tests.helpers import NOW, PRODUCT, notice, text

from . import build
from .build import Core
from .device_of_c import FLEET, Device

ID = "EX-2026-0001"
DEADLINE_S = 60.0
PSRAM_BYTES = 1 << 24
WORDS_AT, MAGIC = 0xF00000, (0x544E4652).to_bytes(4, "little")
"""Where the board notes that its PSRAM is flash (ports/mps2/port.c)."""


@pytest.fixture
def asking(core: Core) -> Device:
    """A device that shows a notice and asks whether it may install the patch that this names."""
    device = Device(core)
    device.put(
        f"notice/{PRODUCT}/{ID}", FLEET.seal(notice(FLEET, id=ID, patches={PRODUCT: (device.digest,)}))
    )
    device.put(f"text/{PRODUCT}/en/{ID}", dump(text()))
    device.is_current()
    device.offered()
    device.takes()
    assert device.state is PatchState.WAITING_FOR_CONFIRMATION
    return device


def pressed(device: Device, *buttons: str) -> list[tuple[int, int]]:
    """Start it, press buttons, one in each round; return how its tracks moved since it started."""
    core = device.core
    core.power_on()
    core.lib.tn_start()
    before = len(device.journal())
    for button in buttons:
        core.lib.test_press(ord(button))
        core.lib.tn_round()
        core.lib.tn_round()  # a button is pressed once
    return [(track, new) for track, _, _, new, _ in device.journal()[before:]]


@pytest.mark.parametrize(
    ("buttons", "moves"),
    [
        ("a", [(0, NoticeState.ACKNOWLEDGED)]),
        ("aa", [(0, NoticeState.ACKNOWLEDGED)]),
        ("l", [(1, PatchState.DEFERRED)]),
        ("lyn", [(1, PatchState.DEFERRED)]),
        ("n", [(1, PatchState.DECLINED)]),
        ("na", [(1, PatchState.DECLINED), (0, NoticeState.ACKNOWLEDGED)]),
        ("AYNLx \n\x7f\xff", []),
    ],
)
def test_a_button_is_the_owners_answer(asking: Device, buttons: str, moves: list[tuple[int, int]]) -> None:
    assert pressed(asking, *buttons) == moves


def test_yes_lets_the_patch_come(asking: Device) -> None:
    assert pressed(asking, "y")[0] == (1, PatchState.DOWNLOADING)


@pytest.mark.parametrize("button", "ayln")
def test_without_a_notice_and_a_question_a_button_does_nothing(core: Core, button: str) -> None:
    assert pressed(Device(core), button) == []


@pytest.mark.parametrize("button", "ayln")
def test_before_the_maker_has_written_anything_a_button_does_nothing(core: Core, button: str) -> None:
    core.lib.tn_start()
    flash = core.flash()
    core.lib.test_press(ord(button))
    core.lib.tn_round()
    assert core.flash() == flash


@contextlib.contextmanager
def released(device: Device, folder: Path) -> Iterator[tuple[Session, socket.socket]]:
    """The release in QEMU, with the flash of another device; what stands at its display's line."""
    psram = bytearray(PSRAM_BYTES)
    flash = device.core.flash()
    psram[: len(flash)] = flash
    psram[WORDS_AT : WORDS_AT + len(MAGIC)] = MAGIC
    (folder / "psram").write_bytes(psram)
    number = free_port()
    command = (
        "qemu-system-arm", "-machine", "mps2-an385", "-display", "none", "-monitor", "none",
        "-kernel", str(build.built("qemu-release", "tocsin-device.elf")),
        "-serial", "tcp:127.0.0.1:{port},server=on,wait=on,nodelay=on",
        "-serial", f"tcp:127.0.0.1:{number},server=on,wait=off,nodelay=on",
        "-object", f"memory-backend-file,id=psram,size=16M,share=on,mem-path={folder / 'psram'}",
        "-machine", "memory-backend=psram",
        "-device", f"loader,addr=0x21FFFFF8,data={NOW + 60},data-len=8",
    )  # fmt: skip
    board = Board(
        name="c-qemu-release",
        power=Power(driver="process"),
        reset=Reset(by="smp"),
        boot=Boot(timeout_s=DEADLINE_S, banner="^tocsin: (ready|waits)"),
        spawn=Spawn(driver="process", command=command, serial=("tcp",)),
    )
    with Session.open(board) as session, socket.create_connection(("127.0.0.1", number)) as display:
        yield session, display


def moved(session: Session, tracks: str, state: int) -> Any:
    """Ask until the one track has come to this state."""
    end = time.monotonic() + DEADLINE_S
    while True:
        (track,) = getattr(session.smp.notifier.state(), tracks)
        if track["state"] == state or time.monotonic() > end:
            return track["state"]


def test_a_release_is_answered_by_its_buttons_and_by_nothing_else(
    asking: Device, tmp_path: Path, needed: Callable[..., None]
) -> None:
    needed("arm-none-eabi-gcc", "gcc-arm-none-eabi")
    needed("qemu-system-arm", "qemu-system-arm")
    with released(asking, tmp_path) as (session, display):
        assert moved(session, "notices", NoticeState.SHOWN) == NoticeState.SHOWN
        assert (
            moved(session, "patches", PatchState.WAITING_FOR_CONFIRMATION)
            == PatchState.WAITING_FOR_CONFIRMATION
        )
        with pytest.raises(SmpRefused):
            session.smp.notifier.press("acknowledge")
        display.sendall(b"xa")
        assert moved(session, "notices", NoticeState.ACKNOWLEDGED) == NoticeState.ACKNOWLEDGED
        display.sendall(b"y")
        assert moved(session, "patches", PatchState.DOWNLOADING) == PatchState.DOWNLOADING
