"""Ports: told apart when they cannot be opened, and looked up by what they are."""

from __future__ import annotations

import errno
import socket
from pathlib import Path
from typing import Any

import pytest
import serial
from serial.tools import list_ports, list_ports_common

from hil.bench.line import Line
from hil.bench.port import close_port, open_port, resolve
from hil.errors import BenchError

from .peers import PtyHost

pytestmark = pytest.mark.usefixtures("left_nothing")


def refused(url: str) -> BenchError:
    with pytest.raises(BenchError) as caught:
        Line.open(url).close()
    assert caught.value.mend
    return caught.value


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("/dev/exercise-none", "PORT_MISSING"),
        ("/dev/null", "PORT_URL"),
        ("/dev", "PORT_URL"),
        ("exercise://x", "PORT_URL"),
        ("socket://127.0.0.1", "PORT_URL"),
        ("socket://127.0.0.1:99999", "PORT_URL"),
        ("socket://127.0.0.1:1", "PORT_MISSING"),
        ("rfc2217://127.0.0.1:1", "PORT_MISSING"),
        ("rfc2217://127.0.0.1:1?nonsense=1", "PORT_URL"),
        ("hwgrep://exercise-no-such-board", "PORT_MISSING"),
        ("hwgrep://(", "PORT_URL"),
        ("", "PORT_URL"),
    ],
)
def test_why_a_port_cannot_be_opened(url: str, code: str) -> None:
    assert refused(url).code == code


def test_a_ring_of_links_is_missing(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to(tmp_path / "a")
    error = refused(str(tmp_path / "a"))
    assert error.code in {"PORT_MISSING", "PORT_URL"}


def test_two_openers_of_a_device_exclude_each_other() -> None:
    with PtyHost() as host:
        line = Line.open(str(host.path))
        try:
            assert refused(str(host.path)).code == "PORT_BUSY"
        finally:
            line.close()
        Line.open(str(host.path)).close()


@pytest.mark.parametrize(
    ("number", "code"),
    [(errno.EACCES, "PORT_DENIED"), (errno.EBUSY, "PORT_BUSY"), (errno.ENXIO, "PORT_MISSING")],
)
def test_what_the_system_says(number: int, code: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(self: Any) -> None:
        raise serial.SerialException(number, "could not open port")

    monkeypatch.setattr(serial.Serial, "open", fail)
    assert refused("/dev/ttyUSB0").code == code


# -- looking a port up


def a_row(device: str, hwid: str) -> Any:
    row = list_ports_common.ListPortInfo(device, skip_link_detection=True)
    row.hwid, row.description = hwid, "USB thing"
    return row


ROWS = [
    a_row("/dev/ttyACM1", "USB VID:PID=0483:374B SER=0671AA LOCATION=1-2"),
    a_row("/dev/ttyACM0", "USB VID:PID=0483:374B SER=0670FF LOCATION=1-1"),
    a_row("/dev/ttyUSB0", "USB VID:PID=10C4:EA60 SER=0001 LOCATION=1-3"),
]


@pytest.mark.parametrize(
    ("url", "device"),
    [
        ("hwgrep://0483:374B&SER=0670FF", "/dev/ttyACM0"),
        ("hwgrep://0483:374b", "/dev/ttyACM0"),
        ("hwgrep://0483:374B&n=2", "/dev/ttyACM1"),
        ("HWGREP://LOCATION=1-3&skip_busy", "/dev/ttyUSB0"),
        ("hwgrep://ttyUSB", "/dev/ttyUSB0"),
        ("hwgrep://SER=0671..&logging=debug", "/dev/ttyACM1"),
    ],
)
def test_a_port_is_found_by_what_it_is(url: str, device: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(list_ports, "comports", lambda: ROWS)
    assert resolve(url) == device


def test_one_that_is_not_there_lists_those_that_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(list_ports, "comports", lambda: ROWS)
    with pytest.raises(BenchError, match=r"/dev/ttyUSB0 \(USB VID:PID=10C4:EA60") as caught:
        resolve("hwgrep://0483:374B&n=3")
    assert caught.value.code == "PORT_MISSING"


def test_links_are_followed_and_urls_stay(tmp_path: Path) -> None:
    (tmp_path / "by-id").symlink_to("/dev/null")
    assert resolve(str(tmp_path / "by-id")) == "/dev/null"
    assert resolve("socket://127.0.0.1:5") == "socket://127.0.0.1:5"


def test_what_a_socket_sends_does_not_wait_for_what_went_before() -> None:
    """The system holds a second small write back until the far side has acknowledged the first, which may be 40 ms."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"socket://127.0.0.1:{server.getsockname()[1]}"
        port = open_port(url, baud=115_200, dtr=None, rts=None)
        try:
            assert port._socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        finally:
            close_port(port)
