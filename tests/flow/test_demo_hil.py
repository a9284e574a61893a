"""``tocsin demo --hil``: one device is reached over a serial line only, and the story ends as it must."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from gateway.cli.demo.cast import FIXED_VERSION, Trouble, draw
from gateway.cli.demo.wired import SCREEN, chosen
from tests.flow.invariants import ENVIRONMENT, check_nothing_receipted_is_lost, interrupt, start
from tests.gateway.brokers import mosquitto

DEVICES, SEED = 7, 3
LIMIT_S = 180.0  # for a whole demo; a failure, not a measurement
LACKING = "qemu-system-arm is not installed (Debian: apt-get install qemu-system-arm)."
LOGGED = "user root\nallow_anonymous true\nlog_type all\nlog_dest file {}"


@pytest.fixture(autouse=True)
def _without_qemu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The simulated device alone: a machine on which the device in C has nothing to run on."""
    monkeypatch.setitem(ENVIRONMENT, "PATH", str(tmp_path / "nothing"))


def processes_of(folder: Path) -> list[Path]:
    """Processes other than this one whose command line names a folder."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            words = (process / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if os.fsencode(folder) in words and process.name != str(os.getpid()):
            found.append(process)
    return found


def until_gone(folder: Path) -> None:
    end = time.monotonic() + LIMIT_S
    while left := processes_of(folder):
        assert time.monotonic() < end, left
        time.sleep(0.02)


def board_of(folder: Path, demo: subprocess.Popen[bytes], output: Path) -> Path:
    """The board's process, once there is one."""
    end = time.monotonic() + LIMIT_S
    while True:
        for process in processes_of(folder):
            # The keeper names the same command line; the board is what has no other program in front of it.
            words = (process / "cmdline").read_bytes().split(b"\0")
            if b"--serial" in words and words.count(os.fsencode(sys.executable)) == 1:
                return process
        assert demo.poll() is None, output.read_text()
        assert time.monotonic() < end, output.read_text()
        time.sleep(0.02)


def tcp_sockets(process: Path) -> set[str]:
    """Inodes of a process's TCP sockets."""
    tables = [(process / "net" / name).read_text() for name in ("tcp", "tcp6")]
    rows = [line.split() for table in tables for line in table.splitlines()]
    known = {row[9] for row in rows if len(row) > 9}
    links = []
    for handle in (process / "fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # closed meanwhile
            links.append(str(handle.readlink()))
    return known & {found[1] for link in links if (found := re.fullmatch(r"socket:\[(\d+)\]", link))}


def check_summary(folder: Path) -> None:
    summary = json.loads((folder / "summary.json").read_text())
    member = chosen(draw(DEVICES, SEED))
    serial = summary["serial"]
    assert (serial["device"], serial["language"]) == (member.id, member.language)
    assert serial["runs"] == FIXED_VERSION[member.product]
    assert serial["shown"]
    assert serial["smp_messages"] > 20
    assert serial["smp_bytes"] > 1_000
    assert (summary["devices"], summary["patched"], summary["reverted"]) == (DEVICES, DEVICES - 1, 1)
    assert "EX-2026-0001" in (folder / SCREEN).read_text(encoding="utf-8")
    assert summary["refdevice"] == {"left_out": LACKING}
    assert check_nothing_receipted_is_lost(folder) > 0


@pytest.mark.slow
@pytest.mark.mosquitto
def test_a_board_that_is_reached_over_its_serial_line_only(tmp_path: Path) -> None:
    folder, output, log = tmp_path / "demo", tmp_path / "output.txt", tmp_path / "broker.log"
    member = chosen(draw(DEVICES, SEED))
    sizes = ("--devices", str(DEVICES), "--seed", str(SEED))
    with mosquitto(tmp_path, LOGGED.format(log)) as url:
        demo = start("demo", "--hil", *sizes, "--broker", url, "--workspace", folder, output=output)
        try:
            board = board_of(folder, demo, output)
            said = (board / "cmdline").read_bytes() + (board / "environ").read_bytes()
            assert member.id.encode() in said
            assert b"mqtt" not in said
            assert url.rpartition(":")[2].encode() not in said.split(b"\0")
            seen = 0
            while demo.poll() is None and seen < 10:
                try:
                    assert tcp_sockets(board) == set()
                except OSError:  # it ended meanwhile
                    break
                seen += 1
                time.sleep(0.05)
            assert seen == 10
            assert demo.wait(LIMIT_S) == 0, output.read_text()
        finally:
            interrupt(demo, signal.SIGKILL)
        connected = re.findall(rf" as {member.id} \(p5, c0", log.read_text())
    assert connected, log.read_text()  # the bridge, which goes on with its session; the fleet starts clean
    told = output.read_text()
    assert told.count(f"the device in C is left out: {LACKING}") == 1
    assert told.count(f"the device in C was left out: {LACKING}") == 1
    assert f"{member.id} has no network" in told
    assert "read over its serial line" in told
    assert f"runs {FIXED_VERSION[member.product]}" in told
    check_summary(folder)
    serial = json.loads((folder / "summary.json").read_text())["serial"]
    assert serial["pressed"] == ["acknowledge", "yes"]
    assert serial["boots"] == 2  # power-on, and by itself into the new version
    until_gone(folder)


@pytest.mark.slow
def test_it_goes_on_after_ctrl_c_and_after_kill_9_and_leaves_no_process(tmp_path: Path) -> None:
    folder, output = tmp_path / "demo", tmp_path / "output.txt"
    sizes = ("--devices", str(DEVICES), "--seed", str(SEED))
    arguments = ("demo", "--hil", *sizes, "--workspace", folder)
    for number, mark in (
        (signal.SIGINT, "has no network"),
        (signal.SIGKILL, "read over its serial line"),
        (signal.SIGINT, "goes out to"),
    ):
        demo = start(*arguments, output=output)
        end = time.monotonic() + LIMIT_S
        while mark not in output.read_text() and demo.poll() is None:
            assert time.monotonic() < end, output.read_text()
            time.sleep(0.02)
        status = interrupt(demo, number)
        assert status == (-signal.SIGKILL if number is signal.SIGKILL else 130), output.read_text()
        until_gone(folder)
    demo = start(*arguments, output=output)
    try:
        assert demo.wait(LIMIT_S) == 0, output.read_text()
    finally:
        interrupt(demo, signal.SIGKILL)
    assert "Traceback" not in output.read_text()
    check_summary(folder)
    until_gone(folder)


def test_who_hangs_on_the_line_is_decided_by_the_seed() -> None:
    for devices in (6, 7, 20, 100):
        for seed in range(20):
            member = chosen(draw(devices, seed))
            assert member == chosen(draw(devices, seed))
            assert member.affected
            assert member.trouble is Trouble.NONE


def test_without_pyserial_it_says_what_to_install_before_anything_starts(tmp_path: Path) -> None:
    program = (
        "import sys; sys.modules['serial'] = None; sys.argv[0] = 'tocsin';"
        "from gateway.cli.main import main; main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, "demo", "--hil", "--workspace", tmp_path / "demo"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        env=ENVIRONMENT,
        check=False,
    )
    assert done.returncode == 4, done.stdout + done.stderr
    assert "pip install 'tocsin[hil]'" in done.stderr
    assert not (tmp_path / "demo").exists()
