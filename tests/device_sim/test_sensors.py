"""Battery, busy, and the word to systemd."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from device_sim.board import Board
from device_sim.core.profile import Conditions
from device_sim.notify import Notifier
from device_sim.sensors import battery, conditions


def supply(folder: Path, name: str, **files: str) -> None:
    (folder / name).mkdir(parents=True)
    for file, text in files.items():
        (folder / name / file).write_text(f"{text}\n")


@pytest.mark.parametrize(
    ("files", "percent"),
    [
        ({"type": "Battery", "status": "Discharging", "capacity": "42"}, 42),
        ({"type": "Battery", "status": "Unknown", "capacity": "0"}, 0),
        ({"type": "Battery", "capacity": "107"}, 100),
        ({"type": "Battery", "status": "Charging", "capacity": "5"}, None),
        ({"type": "Battery", "status": "Full", "capacity": "100"}, None),
        ({"type": "Battery", "status": "Not charging", "capacity": "80"}, None),
        ({"type": "Battery", "status": "Discharging"}, None),
        ({"type": "Battery", "status": "Discharging", "capacity": "-3"}, None),
        ({"type": "Battery", "status": "Discharging", "capacity": "9" * 5_000}, None),
        ({"type": "Battery", "status": "Discharging", "capacity": "\u0663"}, None),
        ({"type": "Battery", "scope": "Device", "status": "Discharging", "capacity": "9"}, None),
        ({"type": "Mains", "online": "1"}, None),
        ({}, None),
    ],
)
def test_what_a_battery_says(tmp_path: Path, files: dict[str, str], percent: int | None) -> None:
    supply(tmp_path, "BAT0", **files)
    assert battery(tmp_path) == percent
    assert battery(tmp_path, "BAT0") == percent
    assert battery(tmp_path, "BAT1") is None
    assert battery(tmp_path / "none") is None


def test_the_battery_of_a_mouse_and_a_mains_adapter_are_passed_over(tmp_path: Path) -> None:
    supply(tmp_path, "AC", type="Mains", online="0")
    supply(tmp_path, "hid-mouse", type="Battery", scope="Device", capacity="3")
    supply(tmp_path, "zz", type="Battery", status="Discharging", capacity="61")
    assert battery(tmp_path) == 61


@pytest.mark.parametrize(
    ("board", "busy"),
    [
        (Board(), False),
        (Board(busy_file=Path("/")), True),
        (Board(busy_file=Path("/nowhere/busy")), False),
        (Board(busy_file=Path("/" + "x" * 300)), False),
        (Board(busy_command=("/bin/true",)), True),
        (Board(busy_command=("/bin/false",)), False),
        (Board(busy_command=("/nowhere/program",)), False),
        (Board(busy_file=Path("/nowhere/busy"), busy_command=("/bin/true",)), True),
    ],
)
def test_when_a_device_must_not_be_interrupted(tmp_path: Path, board: Board, busy: bool) -> None:
    assert conditions(board, lambda _: None, supplies=tmp_path) == Conditions(None, busy)


def test_a_device_that_may_not_look_whether_it_is_busy_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def forbidden(path: Path, **_: object) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "stat", forbidden)
    assert conditions(Board(busy_file=Path("/busy")), lambda _: None, supplies=tmp_path).busy


def test_systemd_is_told_when_the_device_is_ready_alive_and_stopping(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        told = Notifier({"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "60000000"})
        told.ready()
        told.status("connected\nREADY=0")
        told.alive()
        told.stopping()
        assert [manager.recv(100) for _ in range(4)] == [
            b"READY=1",
            b"STATUS=connected",
            b"WATCHDOG=1",
            b"STOPPING=1",
        ]
    assert told.watchdog_s == 30.0
    told.alive()  # the manager is gone: nothing happens


def test_an_abstract_socket_is_one_too() -> None:
    name = f"tocsin-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(f"\0{name}")
        Notifier({"NOTIFY_SOCKET": f"@{name}"}).ready()
        assert manager.recv(100) == b"READY=1"


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"WATCHDOG_USEC": "1000"},
        {"NOTIFY_SOCKET": "/nowhere/socket", "WATCHDOG_USEC": "soon"},
        {"NOTIFY_SOCKET": "/nowhere/socket", "WATCHDOG_USEC": "1000", "WATCHDOG_PID": "1"},
    ],
)
def test_without_a_watchdog_of_ours_nobody_is_told(environment: dict[str, str]) -> None:
    told = Notifier(environment)
    assert told.watchdog_s == 0.0
    told.ready()
