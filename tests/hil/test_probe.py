"""What boards can do: asked, compared with what is claimed; and the verbs that look at a board."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from advisories.smp import IMG_STATE, OS_ECHO, OS_INFO
from gateway.cli import run
from hil.bench import lock
from hil.bench.board import Board, Boot, Link, Power, Reset
from hil.bench.line import Line
from hil.bench.power import power_of
from hil.bench.probe import answers, compare, probe_bench, probe_smp, speaks_smp
from hil.bench.session import Session
from hil.errors import BenchError, DeviceGone
from hil.smp.client import SmpClient

from . import peers
from .peers import Firmware, Mynewt, PtyHost, Shell, Silent, Zephyr

pytestmark = pytest.mark.usefixtures("left_nothing")
BOUND_S = 30.0


class Notifier(Firmware):
    """Knows the notifier group, under another number, and a command that nobody else knows."""

    def answer(self, group: int, id_: int, body: dict[str, Any]) -> dict[str, Any] | None:
        if (group, id_) != (480, 0):
            return super().answer(group, id_, body)
        return {
            "proto": 1,
            "id": "exercise-1",
            "class": "exercise",
            "hw": "a",
            "fw": "1.2.3",
            "algs": [-19],
            "max": 8_192,
            "caps": ["put", "submit", "press", "fault", "sing"],
            "filters": [],
            "boot": bytes(8),
        }


def a_board(**tables: Any) -> Board:
    return Board(**{"name": "exercise-1", "place": "boards.toml:2", "link": Link(url="loop://"), **tables})


@pytest.mark.parametrize(
    ("kind", "found"),
    [
        (Shell, set()),
        (Silent, {"os"}),
        (Mynewt, {"os", "img", "stat"}),
        (
            Notifier,
            {"os", "img", "stat", "group.notifier"}
            | {f"notifier.{name}" for name in ("info", "put", "submit", "press", "fault")},
        ),
    ],
)
def test_what_firmware_answers_to(kind: Any, found: set[str]) -> None:
    with PtyHost(kind) as host:
        line = Line.open(str(host.path))
        try:
            assert probe_smp(SmpClient(line, group=480, timeout_s=0.5, retries=1)) == found
        finally:
            line.close()


def test_a_board_that_goes_away_is_not_one_that_can_do_less() -> None:
    with PtyHost(Zephyr) as host:
        line = Line.open(str(host.path))
        try:
            client = SmpClient(line, timeout_s=0.5)
            assert answers(client, OS_ECHO)
            assert answers(client, IMG_STATE)
            assert not answers(client, OS_INFO)
            host.off()
            with pytest.raises(DeviceGone):
                answers(client, IMG_STATE)
        finally:
            line.close()


@pytest.mark.parametrize(
    ("tables", "found"),
    [
        ({}, {"console"}),
        ({"reset": Reset(by="smp")}, {"console", "reset"}),
        ({"power": Power(driver="manual")}, {"console", "power.cut", "power.cycle"}),
    ],
)
def test_what_the_bench_can_do(tables: dict[str, Any], found: set[str]) -> None:
    board = a_board(**tables)
    assert probe_bench(board, power_of(board, None, {})) == found


@pytest.mark.parametrize(
    ("ready", "claimed", "spoken"),
    [
        ("echo", None, True),
        ("echo", ("console",), True),
        ("none", None, True),
        ("none", ("console", "os"), True),
        ("none", ("console",), False),
    ],
)
def test_a_shell_that_claims_no_smp_is_fed_no_frames(
    ready: Any, claimed: tuple[str, ...] | None, spoken: bool
) -> None:
    assert speaks_smp(a_board(boot=Boot(ready=ready), capabilities=claimed)) is spoken


def test_what_is_claimed_is_compared_both_ways() -> None:
    compare(a_board(), frozenset({"os"}))
    compare(a_board(capabilities=("os", "img")), frozenset({"img", "os"}))
    with pytest.raises(BenchError) as caught:
        compare(a_board(capabilities=("os", "reset", "img")), frozenset({"os", "stat", "console"}))
    assert caught.value.message == (
        "The board exercise-1 is not what its file says; claimed and not found: img, reset; "
        "found and not claimed: console, stat."
    )
    assert (caught.value.code, caught.value.where) == ("CAPABILITIES", "boards.toml:2")


def test_a_session_asks_once() -> None:
    with PtyHost(Zephyr) as host:
        board = a_board(link=Link(url=str(host.path)), boot=Boot(timeout_s=20.0))
        with Session.open(board) as session:
            first = session.capabilities
            asked = len(host.firmware.asked)
            assert session.capabilities is first
            assert len(host.firmware.asked) == asked
            assert session.probe() == first
            assert len(host.firmware.asked) > asked


# -- the verbs

FILE = """
[board.zephyr]
spawn = {{ driver = "process", command = [{python}, {peers}, "tcp", "{{port}}", "Zephyr"] }}
[board.shell]
boot = {{ ready = "banner", banner = "^shell ready$" }}
capabilities = ["console", "power.cut", "power.cycle"]
spawn = {{ driver = "process", command = [{python}, {peers}, "pty", "{{pty}}", "Shell"], serial = ["pty"] }}
[board.liar]
boot = {{ ready = "banner", banner = "^shell ready$" }}
capabilities = ["console", "os"]
spawn = {{ driver = "process", command = [{python}, {peers}, "tcp", "{{port}}", "Shell"] }}
[board.relay]
link = {{ url = "loop://" }}
power = {{ driver = "command", on = ["sh", "-c", "echo on >> seen"], off = ["sh", "-c", "echo off >> seen"], off_s = 0.0, settle_s = 0.0 }}
"""


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    words = {"python": json.dumps(sys.executable), "peers": json.dumps(str(Path(peers.__file__)))}
    (tmp_path / "hil-boards.toml").write_text(FILE.format(**words))
    (tmp_path / "runtime").mkdir(mode=0o700)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "runtime"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def hil(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    status = run.run(list(arguments), "hil")
    out, err = capsys.readouterr()
    return status, out, err


def test_probe_shows_and_prints_json(desk: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = hil(capsys, "probe", "zephyr", "--json")
    told = json.loads(out)
    assert status == 0
    assert told["capabilities"] == ["console", "img", "os", "power.cut", "power.cycle", "stat"]
    assert (told["board"], told["claimed"], told["buffer_bytes"], told["firmware"]) == (
        "zephyr",
        None,
        384,
        {},
    )
    status, out, _ = hil(capsys, "probe", "shell")
    assert status == 0
    assert "power.cycle\nThat is what its file claims.\n" in out


def test_probe_of_a_liar_names_both_sides(desk: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, out, err = hil(capsys, "probe", "liar")
    assert (status, out) == (3, "")
    assert "claimed and not found: os; found and not claimed: power.cut, power.cycle" in err


def test_a_board_in_use_is_refused_naming_who_uses_it(desk: Path, capsys: pytest.CaptureFixture[str]) -> None:
    board = Board(name="relay", link=Link(url="loop://"))
    with lock.hold(board, [], purpose="exercise test"):
        for verb in (("probe", "relay"), ("console", "relay"), ("power", "relay", "off")):
            status, _, err = hil(capsys, *verb)
            assert status == 3
            assert "exercise test" in err
    assert not (desk / "seen").exists()


def test_power_on_off_cycle(desk: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert hil(capsys, "power", "relay", "on")[:2] == (0, "relay is on.\n")
    status, out, _ = hil(capsys, "power", "relay", "off", "--json")
    assert (status, json.loads(out)) == (0, {"board": "relay", "power": "off"})
    assert hil(capsys, "power", "relay", "cycle")[0] == 0
    assert (desk / "seen").read_text().split() == ["on", "off", "off", "on"]


@pytest.mark.parametrize(
    ("arguments", "status", "told"),
    [
        (("power", "shell", "off"), 3, "runs only while a test or command holds it"),
        (("power", "relay", "maybe"), 2, "maybe"),
        (("power", "nobody", "on"), 2, "nobody"),
        (("console", "shell", "--log", "/dev/null/x", "--for", "1"), 3, "The log cannot be written"),
    ],
)
def test_what_is_refused(
    arguments: tuple[str, ...], status: int, told: str, desk: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found, _, err = hil(capsys, *arguments)
    assert found == status
    assert told in err


def start(*arguments: str, **pipes: Any) -> subprocess.Popen[bytes]:
    """Run the program itself: a console wants its own standard input."""
    code = "import sys; from gateway.cli.run import run; sys.exit(run(sys.argv[1:], 'hil'))"
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **pipes}
    root = str(Path(lock.__file__).parents[2])
    environ = {**os.environ, "PYTHONPATH": root}
    return subprocess.Popen([sys.executable, "-c", code, *arguments], env=environ, **pipes)


def read_until(process: subprocess.Popen[bytes], wanted: bytes) -> bytes:
    assert process.stdout is not None
    seen = b""
    while wanted not in seen:
        assert select.select([process.stdout], [], [], BOUND_S)[0], seen
        data = os.read(process.stdout.fileno(), 4096)
        assert data, seen
        seen += data
    return seen


def test_a_console_shows_what_came_sends_what_is_typed_and_ends_at_ctrl_c(desk: Path) -> None:
    with start("console", "shell", "--log", "a.log", "--enter", "crlf") as process:
        assert process.stdin is not None
        seen = read_until(process, b"shell ready\n$ ")
        assert b"-- power on\n" in seen
        process.stdin.write(b"hello\n")
        process.stdin.flush()
        read_until(process, b"you said: hello\n$ ")
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=BOUND_S)
        assert (process.returncode, err) == (0, b"")
    assert (desk / "a.log").read_bytes() == b"shell ready\r\n$ you said: hello\r\n$ "


def test_a_console_ends_after_its_time_and_shows_frames_when_asked(desk: Path) -> None:
    with start("console", "zephyr", "--for", "2", "--frames", stdin=subprocess.DEVNULL) as process:
        out, err = process.communicate(timeout=BOUND_S)
    assert (process.returncode, err) == (0, b"")
    assert b"*** Booting Zephyr OS build v2.5.0 ***\n" in out
