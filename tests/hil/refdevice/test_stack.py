"""The stack that is counted is the stack that is used: nobody is forgotten, and a run stays below the count."""

from __future__ import annotations

import json
import re
import socket
import struct
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from bench import firmware
from hil.bench.line import Line
from hil.bench.spawn import free_port
from hil.smp.client import SmpClient

from .test_ports import connected

STACK_AT, STACK_BYTES = 0x2000_0000, 3 * 1024
UNUSED = 0  # what memory begins as in QEMU
OUTSIDE = {"board_start", "board_fault", "shape"}
"""Taken by the vectors; and what every ``shape`` of a room is called, told apart by its file in the graph."""


@pytest.fixture(scope="module")
def image(needed: Callable[..., None]) -> Path:
    needed("arm-none-eabi-gcc", "gcc-arm-none-eabi")
    needed("qemu-system-arm", "qemu-system-arm")
    firmware.build("qemu-release")
    return firmware.IMAGE


def test_whoever_can_be_called_by_pointer_is_counted(image: Path) -> None:
    functions = {name.rpartition(".")[2] for name in firmware.calls(firmware.GRAPH).frames}
    taken = firmware.taken(firmware.OUT / "qemu-release") & functions
    assert {name for name in taken if name.startswith("tn_on_")}, "a table of handlers is read"
    reached = {
        name for name in taken for pattern in firmware.REACH.values() if re.search(pattern, f"any.{name}")
    }
    assert taken - reached - OUTSIDE == set()


def test_a_run_takes_no_more_stack_than_is_counted(image: Path, tmp_path: Path) -> None:
    bound, path = firmware.deepest(firmware.calls(firmware.GRAPH), firmware.START, firmware.REACH)
    assert bound < STACK_BYTES, path
    number, control = free_port(), tmp_path / "qmp"
    lines = ["-serial", f"tcp:127.0.0.1:{number},server=on,wait=on,nodelay=on"]
    command = [*firmware.QEMU, *lines, "-qmp", f"unix:{control},server=on,wait=off", "-kernel", str(image)]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL) as process:
        try:
            with connected(number):
                pass
            line = Line.open(f"socket://127.0.0.1:{number}")
        except BaseException:
            process.kill()
            raise
        try:
            client = SmpClient(line)
            client.wait_ready(30.0)
            assert client.os.echo("hello") == "hello"
            words = struct.unpack(f"<{STACK_BYTES // 4}I", memory(control, tmp_path / "stack"))
        finally:
            line.close()
            process.kill()
    painted = next(number for number, word in enumerate(words) if word != UNUSED)
    used = STACK_BYTES - 4 * painted
    assert 100 < used <= bound


def memory(control: Path, into: Path) -> bytes:
    with socket.socket(socket.AF_UNIX) as client, client.makefile("rw") as talk:
        client.connect(str(control))
        talk.readline()
        for command in (
            {"execute": "qmp_capabilities"},
            {
                "execute": "pmemsave",
                "arguments": {"val": STACK_AT, "size": STACK_BYTES, "filename": str(into)},
            },
        ):
            talk.write(json.dumps(command) + "\n")
            talk.flush()
            answer = json.loads(talk.readline())
            while "event" in answer:
                answer = json.loads(talk.readline())
            assert "return" in answer, answer
    return into.read_bytes()
