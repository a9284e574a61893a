"""Fixtures of the bench's tests: programs that may be missing, boards that are programs, nothing left behind."""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from hil.bench.board import Board, Boot, Power, Reset, Spawn

from . import firmware, peers


def _needed(program: str, package: str) -> str:
    """The program's path; without it the test is skipped, and fails where CI is true."""
    found = shutil.which(program, path=os.environ.get("PATH", "") + ":/usr/sbin")
    if found is None:
        told = f"{program} is not installed (Debian: apt-get install {package})"
        if os.environ.get("CI") == "true":
            pytest.fail(told)
        pytest.skip(told)
    return found


@pytest.fixture
def qemu() -> str:
    """QEMU for ARM."""
    return _needed("qemu-system-arm", "qemu-system-arm")


@pytest.fixture
def ser2net() -> str:
    """The server of RFC 2217 that Debian has."""
    return _needed("ser2net", "ser2net")


@pytest.fixture(scope="session")
def elf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Firmware for QEMU."""
    return firmware.write_elf(tmp_path_factory.mktemp("firmware") / "exercise.elf")


@pytest.fixture
def left_nothing() -> Iterator[None]:
    """Fail when a test leaves threads or processes behind."""
    threads = set(threading.enumerate())
    children = _children()
    yield
    assert set(threading.enumerate()) <= threads
    assert _children() <= children


def _children() -> set[str]:
    found: set[str] = set()
    for task in Path("/proc/self/task").iterdir():
        with contextlib.suppress(OSError):  # a thread that ends just now
            found.update((task / "children").read_text().split())
    return found


@pytest.fixture
def board() -> Callable[..., Board]:
    """Make a board that is a peer, run as a program."""
    return program


def program(kind: str, how: str = "tcp", **tables: Any) -> Board:
    """A board that is a peer of `peers.py`, run as a program."""
    where = {"tcp": "{port}", "pty": "{pty}"}[how]
    command = (sys.executable, str(Path(peers.__file__)), how, where, kind)
    defaults: dict[str, Any] = {
        "name": f"exercise-{kind.lower()}",
        "spawn": Spawn(driver="process", command=command, serial=(how,)),
        "power": Power(driver="process"),
        "boot": Boot(timeout_s=20.0),
        "reset": Reset(by="none"),
    }
    return Board(**{**defaults, **tables})
