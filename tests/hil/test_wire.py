"""A PTY that stands for a port, with faults between: for any tool, as smpclient and smpmgr."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import random
import re
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import serial
from smpclient import SMPClient
from smpclient.requests.os_management import EchoWrite
from smpclient.transport.serial import SMPSerialTransport

from gateway.cli.run import run
from hil.bench.line import Line
from hil.errors import BenchError
from hil.smp.client import SmpClient
from hil.wire import trace
from hil.wire.faults import FaultPlan, Faults
from hil.wire.pty import FaultyPty
from hil.wire.record import Direction, Kind
from tests.hil.image_peer import ImagePeer

SMPMGR = Path(sys.prefix) / "smpmgr" / "bin" / "smpmgr"
WAIT_S = 30.0  # a failure, not a measurement
IMAGE = random.Random(5).randbytes(3000)
DROPS = FaultPlan.of({"kind": "drop", "probability": 1})


class PipePort:
    """A port that the test plays: what it puts in is read, what is written it gets."""

    def __init__(self) -> None:
        self.out = bytearray()
        self.written = threading.Condition()
        self._read, self._feed = os.pipe()
        self.gone = False

    def feed(self, data: bytes) -> None:
        os.write(self._feed, data)

    def read(self, wake: int, wait_s: float) -> bytes:
        ready, _, _ = select.select([self._read, wake], [], [], wait_s)
        if self.gone:
            raise OSError(5, "Input/output error")
        return os.read(self._read, 4096) if self._read in ready else b""

    def write(self, data: bytes) -> None:
        with self.written:
            self.out += data
            self.written.notify_all()

    def wait_for(self, data: bytes) -> None:
        with self.written:
            assert self.written.wait_for(lambda: data in self.out, WAIT_S), bytes(self.out)

    def close(self) -> None:
        os.close(self._read)
        os.close(self._feed)


@contextlib.contextmanager
def faulty(plan: FaultPlan, **named: object) -> Iterator[tuple[PipePort, FaultyPty, Faults]]:
    port = PipePort()
    faults = Faults(plan, 1)
    pty = FaultyPty(port, faults, **named)  # type: ignore[arg-type] - a test's own keywords
    pty.start()
    try:
        yield port, pty, faults
    finally:
        pty.close()
        port.close()


def read_until(tool: serial.Serial, data: bytes) -> bytes:
    got = b""
    tool.timeout = WAIT_S
    while data not in got:
        one = tool.read(1)
        assert one, got
        got += one
    return got


def until(done: Callable[[], bool]) -> None:
    end = time.monotonic() + WAIT_S
    while not done():
        assert time.monotonic() < end
        threading.Event().wait(0.005)


def test_bytes_go_both_ways_as_they_are() -> None:
    every = bytes(range(256))
    with faulty(FaultPlan()) as (port, pty, _):
        with serial.Serial(pty.name) as tool:
            tool.write(every)
            port.wait_for(every)
            port.feed(every)
            assert read_until(tool, every) == every
        with serial.Serial(pty.name) as tool:  # it is still there after a tool has closed it
            tool.write(b"again")
            port.wait_for(b"again")
    assert pty.counts["to_board"] == 256 + len(b"again")
    assert pty.counts["from_board"] == 256
    assert not Path(pty.name).exists()


def test_what_waits_for_the_end_of_its_frame_is_let_out_when_the_line_is_idle() -> None:
    twice = FaultPlan.of({"kind": "dup", "at": "frame 1"})
    with faulty(twice) as (port, pty, faults), serial.Serial(pty.name) as tool:
        tool.write(b"\x06\x09AAAA")
        port.wait_for(b"\x06\x09AAAA\x06\x09AAAA")
    assert faults.counts == {"dup": 1}


def test_the_rest_of_a_split_frame_comes_later_and_the_line_keeps_its_order() -> None:
    split = FaultPlan.of({"kind": "split", "seconds": 0.3, "at": "line 1"})
    with faulty(split) as (port, pty, _), serial.Serial(pty.name) as tool:
        port.feed(b"first\n")
        port.feed(b"second\n")
        assert read_until(tool, b"second\n") == b"first\nsecond\n"


def test_who_listens_hears_what_was_sent_and_what_came_through() -> None:
    heard: list[tuple[Direction, bytes]] = []
    with (
        faulty(DROPS, heard=lambda way, data: heard.append((way, data))) as (port, pty, faults),
        serial.Serial(pty.name) as tool,
    ):
        tool.write(b"lost\n")
        port.feed(b"lost, too\n")
        until(lambda: faults.counts["drop"] == 2)
    assert faults.counts["drop"] == 2
    assert heard == [(Direction.TO_BOARD, b"lost\n")]


def test_what_nobody_reads_is_lost_and_counted() -> None:
    with faulty(FaultPlan()) as (port, pty, _):
        port.feed(b"x" * 4096)
        for _ in range(6):
            port.feed(b"y" * 4096)
        until(lambda: pty.counts["from_board"] == 7 * 4096)
    assert pty.counts["unread"] > 0


def test_a_port_that_goes_away_ends_the_line_and_is_told() -> None:
    with faulty(FaultPlan()) as (port, pty, _):
        assert pty.wait(0.0) == ""
        port.gone = True
        port.feed(b"wake up")
        assert pty.wait(WAIT_S) == "Input/output error"


def test_a_link_is_made_replaced_and_removed(tmp_path: Path) -> None:
    link = tmp_path / "board"
    link.symlink_to("/dev/none")
    with faulty(FaultPlan(), link=link) as (_, pty, _):
        assert str(link.readlink()) == pty.name
    assert not link.is_symlink()
    with faulty(FaultPlan(), link=link):
        link.unlink()
        link.symlink_to("/dev/null")  # somebody else's by now
    assert link.is_symlink()
    link.unlink()
    link.write_text("mine")
    with pytest.raises(BenchError) as caught:
        FaultyPty(PipePort(), Faults(FaultPlan(), 0), link=link)
    assert caught.value.code == "PTY_LINK"
    assert link.read_text() == "mine"


# The command, and other people's tools


@contextlib.contextmanager
def hil_wire(url: str, plan: str, folder: Path, *more: str) -> Iterator[tuple[Path, subprocess.Popen[str]]]:
    file, link = folder / "faults.toml", folder / "line"
    file.write_text(plan)
    command = ["wire", url, "--faults", str(file), "--seed", "11", "--link", str(link), *more]
    code = "import sys; from gateway.cli.main import bench; bench()"
    process = subprocess.Popen(
        [sys.executable, "-c", code, *command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout
        process.first = process.stdout.readline()  # type: ignore[attr-defined] - what it said first
        yield link, process
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate(timeout=WAIT_S)


def interrupt(process: subprocess.Popen[str]) -> tuple[str, str]:
    process.send_signal(signal.SIGINT)
    return process.communicate(timeout=WAIT_S)


# What every client must survive; one whose answers come twice is lost with smpclient.
CHATTY = "".join(
    f"[[fault]]\nkind = '{kind}'\nprobability = 1\ndirection = 'from-board'\n"
    for kind in ("log_line", "split")
)
LOSSY = "[[fault]]\nkind = 'drop'\nprobability = 0.05\n[[fault]]\nkind = 'flip'\nprobability = 0.05\n"


def test_our_own_client_uploads_through_hil_wire(tmp_path: Path) -> None:
    log = tmp_path / "t.pcapng"
    with (
        ImagePeer() as peer,
        hil_wire(peer.url, LOSSY, tmp_path, "--json", "--trace", str(log)) as (link, process),
    ):
        began = json.loads(process.first)  # type: ignore[attr-defined]
        assert (str(link.readlink()), began["seed"]) == (began["pty"], 11)
        line = Line.open(str(link))
        try:
            SmpClient(line, timeout_s=1.0, retries=5, buffer_bytes=256).img.upload(IMAGE)
        finally:
            line.close()
        out, err = interrupt(process)
        assert bytes(peer.image) == IMAGE
        ended = json.loads(out)
        assert err == ""
        assert process.returncode == 0
    assert ended["counts"]["drop"] == sum(deed["kind"] == "drop" for deed in ended["log"]) > 0
    uploads = [
        one for one in trace.load(log) if one.kind is Kind.MESSAGE and one.direction is Direction.TO_BOARD
    ]
    assert len(uploads) > 10
    assert not link.is_symlink()


async def test_smpclient_speaks_through_hil_wire(tmp_path: Path) -> None:
    with ImagePeer() as peer, hil_wire(peer.url, CHATTY, tmp_path) as (link, process):
        assert re.fullmatch(
            r"/dev/pts/\d+ is socket://\S+ with faults, seed 11; Ctrl-C ends it.\n", process.first
        )  # type: ignore[attr-defined]
        async with SMPClient(SMPSerialTransport(), str(link)) as client:
            answer = await client.request(EchoWrite(d="through"))
            assert answer.r == "through"  # type: ignore[union-attr]
        out, _ = interrupt(process)
        assert re.fullmatch(r"Seed 11: .*from_board \d+.*\n", out)


def test_smpmgr_reads_images_through_hil_wire(tmp_path: Path) -> None:
    with ImagePeer() as peer, hil_wire(peer.url, CHATTY, tmp_path) as (link, process):
        if not SMPMGR.exists():
            pytest.fail("smpmgr is missing: make test installs it")
        done = subprocess.run(
            [SMPMGR, "--port", str(link), "--timeout", "5", "image", "state-read"],
            capture_output=True,
            text=True,
            timeout=WAIT_S * 2,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert hashlib.sha256(b"running").hexdigest()[:8] in done.stdout.lower().replace(" ", "")
        interrupt(process)


def test_a_line_whose_port_goes_away_ends_with_the_benchs_status(tmp_path: Path) -> None:
    with ImagePeer() as peer, hil_wire(peer.url, "", tmp_path) as (_, process):
        assert peer.connected.wait(WAIT_S)
        peer.hang_up()
        _, err = process.communicate(timeout=WAIT_S)
        assert process.returncode == 3
        assert "The port went away" in err


def test_a_wrong_faults_file_or_port_is_told_before_anything_is_made(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bad, link = tmp_path / "f.toml", tmp_path / "line"
    bad.write_text("[[fault]]\nkind = 'dorp'\nprobability = 1\n")
    assert run(["wire", "/dev/none", "--faults", str(bad), "--link", str(link)], "hil") == 2
    assert "f.toml:2" in capsys.readouterr().err
    bad.write_text("")
    assert run(["wire", "/dev/none", "--faults", str(bad), "--link", str(link)], "hil") == 3
    assert not link.is_symlink()
