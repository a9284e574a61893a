"""A line: ports told apart, no byte lost, records in order, and a port that goes away and comes back."""

from __future__ import annotations

import os
import socket
import threading
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hil.bench import port as ports
from hil.bench.line import Line
from hil.errors import BenchError, DeviceGone, DeviceHung
from hil.smp.client import SmpClient
from hil.smp.frames import encode
from hil.wire.record import Direction, Kind, Record, Shaped

from .peers import Firmware, Mynewt, PtyHost, Shell, SocketHost

pytestmark = pytest.mark.usefixtures("left_nothing")
BOUND_S = 30.0


class Log(list[Record]):
    """A tap that keeps every record and can be waited on."""

    def __init__(self) -> None:
        super().__init__()
        self.grew = threading.Condition()

    def __call__(self, record: Record) -> None:
        with self.grew:
            self.append(record)
            self.grew.notify_all()

    def wait(self, kind: Kind, number: int = 1, direction: Direction = Direction.FROM_BOARD) -> list[bytes]:
        def found() -> list[bytes]:
            return [record.data for record in self if (record.kind, record.direction) == (kind, direction)]

        with self.grew:
            assert self.grew.wait_for(lambda: len(found()) >= number, BOUND_S), list(self)
            return found()

    def notes(self) -> list[str]:
        return [record.note for record in self if record.kind is Kind.EVENT]

    def wait_note(self, start: str) -> str:
        with self.grew:
            assert self.grew.wait_for(lambda: any(note.startswith(start) for note in self.notes()), BOUND_S)
        return next(note for note in self.notes() if note.startswith(start))


# -- bytes


@pytest.mark.parametrize("make", [PtyHost, SocketHost])
def test_the_first_bytes_are_there_though_they_came_before_we_did(make: Any) -> None:
    with make(Shell) as host:
        line = Line.open(getattr(host, "url", None) or str(host.path))
        try:
            line.console.expect(r"^shell ready\n\$ ", timeout_s=BOUND_S)
            line.write(b"hello\n")
            line.console.expect(r"^\$ you said: hello\n\$ ", timeout_s=BOUND_S)
            assert line.console.raw() == b"shell ready\r\n$ you said: hello\r\n$ "
        finally:
            line.close()
        assert not line.alive
        line.close()  # a second time does nothing


def test_a_loop_gives_back_what_is_sent_and_splits_it_once() -> None:
    log = Log()
    line = Line.open("loop://", taps=[log])
    try:
        line.write(b"log line\n")
        line.send(b"\x02\0\0\0\0\0\0\0")
        assert line.receive(BOUND_S) == b"\x02\0\0\0\0\0\0\0"
        assert line.receive(0.0) is None
        line.write(b"half")  # is shown although nothing follows
        assert log.wait(Kind.TEXT, 2) == [b"log line\n", b"half"]
        assert log.wait(Kind.MESSAGE) == [b"\x02\0\0\0\0\0\0\0"]
        assert [r.data for r in log if r.direction is Direction.TO_BOARD] == [
            b"log line\n",
            b"\x02\0\0\0\0\0\0\0",
            b"half",
        ]
        times = [record.monotonic for record in log]
        assert times == sorted(times)
    finally:
        line.close()
    assert log.notes() == ["open", "close"]


def test_a_mark_comes_after_the_half_line_before_it() -> None:
    log = Log()
    line = Line.open("loop://", taps=[log])
    try:
        line.write(b"old\n$ ")
        log.wait(Kind.TEXT)
        assert line.mark() == 6 or line.console.expect(r"old\n\$ ", timeout_s=BOUND_S)
        line.console.mark()
        line.write(b"new\n")
        line.console.expect("^new$", timeout_s=BOUND_S)
    finally:
        line.close()


def test_resync_ends_the_boards_line_and_forgets_what_waits() -> None:
    line = Line.open("loop://")
    try:
        line.send(b"\x02\0\0\0\0\0\0\0")
        line.console.append(b"")
        while not line._inbox:
            threading.Event().wait(0.001)
        line.resync()
        assert line.receive(0.0) is None
        line.console.expect(r"^\n", timeout_s=BOUND_S)
    finally:
        line.close()


def test_many_writers_mix_no_bytes() -> None:
    line = Line.open("loop://")
    words = [bytes([65 + number]) * 40 + b"\n" for number in range(8)]
    try:
        threads = [
            threading.Thread(target=lambda word=word: [line.write(word) for _ in range(10)]) for word in words
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        line.console.expect(r"(?:.*\n){80}", timeout_s=BOUND_S)
        assert sorted(line.console.raw().splitlines(keepends=True)) == sorted(words * 10)
    finally:
        line.close()


@given(st.lists(st.binary(min_size=1, max_size=40), max_size=6))
def test_not_a_byte_is_lost_or_told_twice(pieces: list[bytes]) -> None:
    ours, theirs = socket.socketpair()
    got: list[Record] = []
    with ours, theirs:
        line = Line("socket://x", baud=1, dtr=None, rts=None, line_bytes=127, banner=None, taps=[got.append])
        for piece in pieces:
            line._came(piece)
        line._show_half(final=True)
    whole = b"".join(pieces)
    told = b"".join(encode(r.data) if r.kind is Kind.MESSAGE else r.data for r in got)
    assert told == whole or b"\x06\x09" in whole


def test_a_board_that_takes_no_bytes_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ports, "WRITE_TIMEOUT_S", 0.2)
    primary, secondary = os.openpty()
    line = Line.open(os.ttyname(secondary))
    try:
        with pytest.raises(DeviceHung, match="taken no bytes"):
            line.write(bytes(1_000_000))
    finally:
        line.close()
        os.close(primary)
        os.close(secondary)


# -- a faulty line


def test_a_shaper_sees_both_ways_and_delays_without_changing_the_order() -> None:
    seen: list[Direction] = []

    def shaper(direction: Direction, data: bytes, now: float) -> list[Shaped]:
        seen.append(direction)
        late = now + 0.05 if data.startswith(b"slow") else now
        return [Shaped(data[:3], late), Shaped(data[3:], now)]

    line = Line.open("loop://")
    line.shaper = shaper
    try:
        line.write(b"slow\n")
        line.write(b"quick\n")
        line.console.expect("^slow\nquick$", timeout_s=BOUND_S)
        assert {Direction.TO_BOARD, Direction.FROM_BOARD} == set(seen)
    finally:
        line.close()


def test_a_shaper_may_lose_everything_and_be_taken_away() -> None:
    line = Line.open("loop://")
    line.shaper = lambda *_: []
    try:
        line.write(b"lost\n")
        line.shaper = None
        line.write(b"kept\n")
        line.console.expect("^kept$", timeout_s=BOUND_S)
        assert line.console.text() == "kept\n"
    finally:
        line.close()


# -- ports that go away


@pytest.mark.parametrize("make", [PtyHost, SocketHost])
def test_a_port_that_goes_away_is_told_to_everybody(make: Any) -> None:
    log = Log()
    with make(Firmware) as host:
        line = Line.open(getattr(host, "url", None) or str(host.path), taps=[log])
        try:
            line.console.expect("Booting", timeout_s=BOUND_S)
            host.off()
            assert log.wait_note("gone: ")
            assert not line.alive
            for use in (lambda: line.receive(BOUND_S), lambda: line.send(b"12345678"), line.resync):
                with pytest.raises(DeviceGone, match="went away") as caught:
                    use()
                assert caught.value.where == line.url
            with pytest.raises(DeviceGone):
                line.control(dtr=True)
        finally:
            line.close()
    assert log.notes()[-1] == "close"


def test_a_port_that_comes_back_under_another_name_goes_on_in_the_same_log(tmp_path: Path) -> None:
    log = Log()
    link = tmp_path / "board"
    with PtyHost(Firmware, link) as host:
        before = link.readlink()
        line = Line.open(str(link), taps=[log])
        try:
            line.console.expect("Booting", timeout_s=BOUND_S)
            mark = line.mark()
            placeholder = os.openpty()  # takes the old number
            host.off()
            log.wait_note("gone: ")
            with pytest.raises(BenchError) as caught:
                line.reopen()
            assert caught.value.code == "PORT_MISSING"
            between = os.openpty()
            host.on()
            assert link.readlink() != before
            line.reopen()
            assert line.alive
            assert line.rebooted(mark)
            assert not line.rebooted(line.mark())
            line.console.expect("^.*Booting", since=mark, timeout_s=BOUND_S)
            assert SmpClient(line).os.echo("here") == "here"
            assert line.console.text().count("Booting") == 2
        finally:
            line.close()
        for fd in (*placeholder, *between):
            os.close(fd)
    assert [note for note in log.notes() if note in {"open", "close"}] == ["open", "close", "open", "close"]


def test_a_reboot_is_known_by_its_banner() -> None:
    with PtyHost(Mynewt) as host:
        line = Line.open(str(host.path), banner=r"compat> boot$")
        try:
            line.console.expect("boot$", timeout_s=BOUND_S)
            mark = line.mark()
            assert not line.rebooted(mark)
            host.firmware.boot()
            line.console.expect("boot$", since=mark, timeout_s=BOUND_S)
            assert line.rebooted(mark)
        finally:
            line.close()


def test_a_tap_that_fails_is_no_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threading, "excepthook", lambda _: None)

    def broken(record: Record) -> None:
        if record.kind is Kind.TEXT and record.direction is Direction.FROM_BOARD:
            raise RuntimeError("disk full")

    line = Line.open("loop://", taps=[broken])
    try:
        line.write(b"x\n")
        with pytest.raises(DeviceGone, match=r"its reader failed, RuntimeError: disk full"):
            line.receive(BOUND_S)
    finally:
        line.close()


def test_a_tap_may_answer() -> None:
    line = Line.open("loop://")

    def answer(record: Record) -> None:
        if record.direction is Direction.FROM_BOARD and record.data == b"login: \n":
            line.write(b"root\n")

    line.taps.append(answer)
    try:
        line.write(b"login: \n")
        line.console.expect("^root$", timeout_s=BOUND_S)
    finally:
        line.close()


# -- DTR and RTS


def test_a_pty_and_a_socket_steer_nothing_and_a_loop_does() -> None:
    with PtyHost() as pty, SocketHost() as tcp:
        for url in (str(pty.path), tcp.url):
            line = Line.open(url, dtr=False, rts=False)
            try:
                with pytest.raises(BenchError, match="no DTR and RTS") as caught:
                    line.need_control()
                assert caught.value.code == "PORT_NO_CONTROL"
            finally:
                line.close()
    log = Log()
    line = Line.open("loop://", dtr=False, rts=True, taps=[log])
    try:
        line.need_control()
        assert (line._port.dtr, line._port.rts) == (False, True)
        line.control(dtr=True, rts=False)
        assert (line._port.dtr, line._port.rts) == (True, False)
        assert log.notes() == ["open", "dtr on", "rts off"]
    finally:
        line.close()


def test_setting_a_line_of_a_pty_is_a_port_that_went_away_not_a_traceback() -> None:
    with PtyHost() as host:
        line = Line.open(str(host.path))
        try:
            with pytest.raises(DeviceGone, match="Inappropriate ioctl"):
                line.control(dtr=True)
        finally:
            line.close()
