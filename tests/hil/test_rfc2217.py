"""Ports far away, over RFC 2217: bytes, and the levels of DTR and RTS as the far end sees them."""

from __future__ import annotations

import contextlib
import os
import select
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import pytest
import serial
import serial.rfc2217

from hil.bench.board import Board, Boot, Link, Reset
from hil.bench.line import Line
from hil.bench.session import Session
from hil.bench.spawn import free_port
from hil.errors import BenchError, DeviceGone

from .peers import Firmware, PtyHost, Shell, Zephyr

BOUND_S = 30.0


class FarPort:
    """A serial port of the far machine: firmware hangs on it, and each level that is set is kept."""

    def __init__(
        self, kind: Callable[[Callable[[bytes], None]], Firmware], say: Callable[[bytes], None]
    ) -> None:
        self.firmware = kind(say)
        self.levels: list[tuple[str, bool]] = []
        self.baudrate, self.bytesize, self.parity, self.stopbits = 9_600, 8, serial.PARITY_NONE, 1
        self.xonxoff = self.rtscts = False
        self.cts = self.dsr = self.cd = True
        self.ri = False

    def __setattr__(self, name: str, value: Any) -> None:
        if name in {"dtr", "rts"}:
            self.levels.append((name, value))
        super().__setattr__(name, value)

    def reset_input_buffer(self) -> None:
        raise AssertionError("what the board has said was thrown away")

    def reset_output_buffer(self) -> None:
        pass


class Redirector(threading.Thread):
    """pyserial's own server of RFC 2217, for one connection after the other."""

    def __init__(self, kind: Callable[[Callable[[bytes], None]], Firmware] = Zephyr) -> None:
        super().__init__(daemon=True)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"rfc2217://127.0.0.1:{self.listener.getsockname()[1]}"
        self.port = FarPort(kind, self._say)
        self.connection: socket.socket | None = None
        self._manager: Any = None
        self._end, self._ender = os.pipe()

    def write(self, data: bytes) -> None:
        """What the manager sends: it calls this a connection."""
        assert self.connection is not None
        self.connection.sendall(data)

    def _say(self, data: bytes) -> None:
        with contextlib.suppress(OSError):
            self.write(b"".join(self._manager.escape(data)))

    def run(self) -> None:
        while select.select([self.listener, self._end], [], [])[0] == [self.listener]:
            self.connection, _ = self.listener.accept()
            with self.connection, contextlib.suppress(OSError):
                self._manager = serial.rfc2217.PortManager(self.port, self)
                self.port.firmware.boot()
                while data := self.connection.recv(4096):
                    self.port.firmware.take(b"".join(self._manager.filter(data)))

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        os.write(self._ender, b".")
        self.hang_up()
        self.join()
        self.listener.close()
        os.close(self._end)
        os.close(self._ender)

    def hang_up(self) -> None:
        if self.connection is not None:
            with contextlib.suppress(OSError):
                self.connection.shutdown(socket.SHUT_RDWR)


def a_board(url: str, **tables: Any) -> Board:
    return Board(**{"name": "exercise-far", "link": Link(url=url), "boot": Boot(timeout_s=20.0), **tables})


@pytest.mark.usefixtures("left_nothing")
def test_a_board_far_away_is_ready_speaks_and_says_its_first_byte() -> None:
    with Redirector() as far, Session.open(a_board(far.url)) as session:
        assert session.console.raw().startswith(Zephyr.BOOT)
        assert session.smp.os.echo("\x00\x7f\u00ff far") == "\x00\x7f\u00ff far"
        assert (far.port.baudrate, far.port.parity) == (115_200, serial.PARITY_NONE)
        session.line.write(bytes(range(256)) + b"\n")  # IAC among them
        assert session.healthy()


@pytest.mark.usefixtures("left_nothing")
@pytest.mark.parametrize(
    ("reset", "opened", "pulled"),
    [
        (Reset(by="dtr"), [("dtr", False)], [("dtr", True), ("dtr", False)]),
        (Reset(by="rts"), [("rts", False)], [("rts", True), ("rts", False)]),
        (
            Reset(by="rts", active_low=False),
            [("rts", True)],
            [("rts", False), ("rts", True)],
        ),
        (
            Reset(by="esp32"),
            [("dtr", False), ("rts", False)],
            [("dtr", False), ("rts", True), ("rts", False)],
        ),
    ],
)
def test_levels_at_the_far_end(
    reset: Reset, opened: list[tuple[str, bool]], pulled: list[tuple[str, bool]]
) -> None:
    waits: list[float] = []
    with Redirector() as far, Session.open(a_board(far.url, reset=reset), pause=waits.append) as session:
        assert far.port.levels == opened
        session.reset()
        assert far.port.levels == opened + pulled
        assert waits == [reset.hold_s]


@pytest.mark.usefixtures("left_nothing")
def test_declared_levels_are_there_from_the_first_moment() -> None:
    with Redirector(Shell) as far:
        board = a_board(far.url, link=Link(url=far.url, dtr=True, rts=False), boot=Boot(ready="none"))
        with Session.open(board):
            assert far.port.levels == [("dtr", True), ("rts", False)]


@pytest.mark.usefixtures("left_nothing")
def test_a_server_that_goes_away_and_comes_back() -> None:
    with Redirector() as far, Session.open(a_board(far.url)) as session:
        far.hang_up()
        with pytest.raises(DeviceGone):
            session.line.receive(BOUND_S)
        session.wait_ready()
        assert session.smp.os.echo("back") == "back"


@pytest.mark.usefixtures("left_nothing")
def test_a_server_of_something_else_is_no_port() -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        with pytest.raises(BenchError) as caught:
            Line.open(f"rfc2217://127.0.0.1:{mute.getsockname()[1]}?timeout=0.2")
        assert caught.value.code == "PORT_MISSING"
        assert "RFC2217" in caught.value.message


# -- with the server that people run

CONFIG = """%YAML 1.1
---
connection: &exercise
  accepter: telnet(rfc2217),tcp,127.0.0.1,{port}
  connector: serialdev,{device},115200n81,local
  options:
    kickolduser: true
"""


@contextmanager
def served(program: str, device: Path, folder: Path) -> Iterator[str]:
    """Run ser2net on a device."""
    port = free_port()
    config, said = folder / "ser2net.yaml", folder / "ser2net.log"
    config.write_text(CONFIG.format(port=port, device=device))
    with said.open("wb") as log:
        server = subprocess.Popen([program, "-n", "-d", "-c", str(config)], stdout=log, stderr=log)
        try:
            deadline = time.monotonic() + BOUND_S
            while server.poll() is None and time.monotonic() < deadline:
                with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                    break
                select.select([], [], [], 0.02)
            assert server.poll() is None, said.read_text()
            yield f"rfc2217://127.0.0.1:{port}"
        finally:
            server.terminate()
            server.wait()


@pytest.mark.usefixtures("left_nothing")
def test_a_board_behind_ser2net(ser2net: str, tmp_path: Path) -> None:
    with PtyHost(Zephyr) as host, served(ser2net, host.device, tmp_path) as url:
        with Session.open(a_board(url)) as session:
            assert session.smp.os.echo("\u00ff" * 100) == "\u00ff" * 100
            assert len(session.smp.img.state()) == 1
            assert {"os", "img", "stat"} <= session.capabilities
        with Session.open(a_board(url)) as session:  # the server gives the port to the next one
            assert session.healthy()
