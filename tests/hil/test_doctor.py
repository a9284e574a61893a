"""``hil doctor``: every check on facts, and the facts with real PTYs and processes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gateway.cli.run import run
from hil.bench import boardfile, facts, lock
from hil.bench.board import Board, Boot, Console, Flash, Link, Power, Reset, Spawn
from hil.bench.doctor import BoardFacts, Opener, PortFacts, State, examine, of_none
from hil.bench.facts import of_board, of_port, openers_of
from hil.bench.listen import Heard
from hil.cli import doctor as doctor_module

from .peers import Firmware, PtyHost, Shell, SocketHost
from .test_init import AtBaud, Dead

PORT = PortFacts("/dev/ttyACM0", "/dev/ttyACM0", group="dialout")
BOARD = Board(name="desk1", link=Link(url="/dev/ttyACM0"))
TEXT = Heard(115200, b"hello there\r\n")
NOISE = Heard(115200, b"\x80\xf8\x00\x80" * 8)


def facts_of(**changes: Any) -> BoardFacts:
    return replace(BoardFacts(BOARD, (PORT,), heard=Heard(115200, smp=True)), **changes)


def with_port(**changes: Any) -> BoardFacts:
    return facts_of(ports=(replace(PORT, **changes),), heard=None)


def board_of(**tables: Any) -> Board:
    return Board(**{"name": "desk1", "link": Link(url="/dev/ttyACM0"), **tables})


CASES: list[tuple[BoardFacts, list[str], str]] = [
    (
        with_port(stale=True, missing="no such file"),
        ["STALE_PTY"],
        "the program that made this PTY has ended",
    ),
    (with_port(missing="no such file"), ["PORT_MISSING"], "is not there (no such file)"),
    (with_port(allowed=False), ["PORT_DENIED"], "sudo usermod -aG dialout $USER"),
    (with_port(allowed=False, joined=True), ["PORT_DENIED"], "newgrp dialout"),
    (with_port(allowed=False, group=""), ["PORT_DENIED"], "its group is not known"),
    (
        with_port(openers=(Opener(7, "ModemManager"),)),
        ["MODEM_MANAGER"],
        "ModemManager (pid 7) has /dev/ttyACM0 open",
    ),
    (
        with_port(openers=(Opener(7, "minicom"), Opener(8, "cat"))),
        ["TWO_OPENERS"],
        "minicom (pid 7), cat (pid 8)",
    ),
    (facts_of(absent=(("power.driver", "uhubctl"),)), ["TOOL_MISSING"], "Install it: apt install uhubctl"),
    (facts_of(absent=(("reset.command", "./mine"),)), ["TOOL_MISSING"], "put it on PATH"),
    (facts_of(board=board_of(power=Power(driver="manual")), ci=True), ["POWER_BY_HAND"], "nobody is there"),
    (facts_of(heard=TEXT), ["SMP_ABSENT"], 'boot.ready = "none" and capabilities = ["console"]'),
    (facts_of(heard=NOISE), ["WRONG_BAUD"], "of what comes at 115200 baud is no text"),
    (facts_of(heard=NOISE, better=Heard(57600, smp=True)), ["WRONG_BAUD"], "SMP answers: link.baud = 57600"),
    (facts_of(heard=NOISE, better=Heard(9600, b"hello")), ["WRONG_BAUD"], "text comes: link.baud = 9600"),
    (facts_of(heard=Heard(115200)), ["NOTHING_HEARD"], "Look at power, RX/TX and ground"),
    (facts_of(heard=None, unopened=("PORT_BUSY", "Somebody else has it.")), ["PORT_BUSY"], "fuser"),
]


@pytest.mark.parametrize(("found", "codes", "words"), CASES, ids=[case[1][0] for case in CASES])
def test_each_fault_is_told_with_its_mend(found: BoardFacts, codes: list[str], words: str) -> None:
    failed = [check for check in examine(found) if check.state is State.FAIL]
    assert [check.code for check in failed] == codes
    assert any(words in f"{check.message} {check.mend}" for check in failed), failed
    assert all(check.mend for check in failed)


@pytest.mark.parametrize(
    ("found", "codes"),
    [
        (facts_of(), []),
        (facts_of(board=board_of(boot=Boot(ready="none")), heard=TEXT), []),
        (facts_of(board=board_of(boot=Boot(ready="none")), heard=Heard(115200)), ["NOTHING_HEARD"]),
        (facts_of(holder="Board desk1 is used by x.", heard=None), ["BOARD_BUSY"]),
        (with_port(modem_manager=True), ["MODEM_MANAGER_RUNS"]),
        (
            facts_of(
                board=board_of(power=Power(driver="uhubctl", hub="1", port=1)),
                ports=(replace(PORT, missing="no such file"),),
                heard=None,
            ),
            ["PORT_MISSING"],
        ),
        (facts_of(board=board_of(power=Power(driver="manual"))), []),
    ],
)
def test_what_is_well_or_only_worth_a_word_does_not_fail(found: BoardFacts, codes: list[str]) -> None:
    checks = examine(found)
    assert [check.code for check in checks if check.state is not State.OK] == codes
    assert not [check for check in checks if check.state is State.FAIL]


def test_what_cannot_be_opened_for_a_reason_that_is_told_is_told_once() -> None:
    found = replace(with_port(allowed=False), unopened=("PORT_DENIED", "no"))
    assert [check.code for check in examine(found)] == ["PORT_DENIED"]


def test_whose_programs_were_looked_at_is_said() -> None:
    assert "none of this user's programs has it open" in examine(with_port(hidden=True))[0].message
    assert "none of the programs of this machine has it open" in examine(with_port())[0].message


def test_without_a_board_file_the_ports_are_named() -> None:
    assert of_none(["/dev/a", "/dev/b"]).mend.endswith("Then: hil init /dev/a")
    assert "plug the board in" in of_none([]).mend


# -- facts


@pytest.fixture(autouse=True)
def _own_locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))


@pytest.fixture
def opener() -> Iterator[Callable[[Path], subprocess.Popen[str]]]:
    """Start another process that has a device open."""
    started: list[subprocess.Popen[str]] = []

    def go(device: Path) -> subprocess.Popen[str]:
        code = f"import os,sys; os.open({str(device)!r}, os.O_RDWR | os.O_NOCTTY); print(1, flush=True); sys.stdin.read()"
        process = subprocess.Popen(
            [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        started.append(process)
        assert process.stdout is not None
        assert process.stdout.readline() == "1\n"
        return process

    yield go
    for process in started:
        process.kill()
        process.communicate()


def test_a_second_reader_is_named_and_the_board_left_alone(
    opener: Callable[[Path], subprocess.Popen[str]], tmp_path: Path
) -> None:
    with PtyHost(Firmware, tmp_path / "port") as host:
        other = opener(host.device)
        found = of_board(board_of(link=Link(url=str(host.path))), os.environ, listen_s=0.01, answer_s=0.5)
        assert found.heard is None
        assert [one.pid for one in found.ports[0].openers] == [other.pid]
        assert host.firmware.asked == []


def test_the_program_behind_a_pty_is_no_second_reader(tmp_path: Path) -> None:
    peers = Path(__file__).with_name("peers.py")
    command = [sys.executable, str(peers), "pty", str(tmp_path / "port"), "Firmware"]
    process = subprocess.Popen(command)
    try:
        end = time.monotonic() + 30
        while not (tmp_path / "port").exists():
            assert time.monotonic() < end
            threading.Event().wait(0.01)
        found = of_port(str(tmp_path / "port"))
        assert (found.openers, found.missing, found.allowed) == ((), "", True)
    finally:
        process.kill()
        process.wait()
    left = of_port(str(tmp_path / "port"))
    assert (left.stale, left.missing) == (True, "no such file")
    assert left.device == ""


def test_processes_are_looked_into_as_far_as_one_may(tmp_path: Path) -> None:
    def process(pid: int, name: str, **fds: str) -> Path:
        folder = tmp_path / str(pid)
        (folder / "fd").mkdir(parents=True)
        (folder / "fdinfo").mkdir()
        (folder / "comm").write_text(f"{name}\n")
        for number, target in fds.items():
            (folder / "fd" / number.strip("_")).symlink_to(target)
        return folder

    process(10, "minicom", _3="/dev/ttyACM0", _4="/dev/null")
    process(11, "ModemManager", _3="/dev/ttyACM0")
    process(12, "host", _3="/dev/ptmx", _4="/dev/pts/5")
    (tmp_path / "12" / "fdinfo" / "3").write_text("pos:\t0\ntty-index:\t5\n")
    process(13, "reader", _3="/dev/ptmx", _4="/dev/pts/5")
    (tmp_path / "13" / "fdinfo" / "3").write_text("pos:\t0\ntty-index:\t55\n")
    process(14, "reader", _3="/dev/pts/ptmx", _4="/dev/pts/5")
    process(os.getpid(), "me", _3="/dev/ttyACM0")
    (tmp_path / "15").mkdir()
    (tmp_path / "sys").mkdir()
    found, hidden, modem_manager = openers_of("/dev/ttyACM0", tmp_path)
    assert found == (Opener(10, "minicom"), Opener(11, "ModemManager"))
    assert (hidden, modem_manager) == (False, True)
    assert [one.pid for one in openers_of("/dev/pts/5", tmp_path)[0]] == [13, 14]


def test_a_process_that_is_somebody_elses_is_hidden(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "10" / "fd").mkdir(parents=True)
    (tmp_path / "10" / "comm").write_text("ModemManager\n")
    real = Path.iterdir

    def iterdir(self: Path) -> Iterator[Path]:
        if self.name == "fd":
            raise PermissionError
        return real(self)

    monkeypatch.setattr(Path, "iterdir", iterdir)
    assert openers_of("/dev/x", tmp_path) == ((), True, True)


def test_rights_and_groups_are_those_of_the_device(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    device = tmp_path / "ttyX"
    device.touch()
    found = of_port(str(device))
    assert (found.device, found.allowed, found.missing, found.stale) == (str(device), True, "", False)
    monkeypatch.setattr(os, "access", lambda *_: False)
    monkeypatch.setattr(os, "getgroups", list)
    assert (facts._group(4_000_000_000), facts._members(4_000_000_000)) == ("4000000000", [])
    monkeypatch.setattr(facts, "_members", lambda _: [facts._user()])
    found = of_port(str(device))
    assert (found.allowed, found.joined) == (False, True)
    assert found.group
    assert of_port("socket://127.0.0.1:1") == PortFacts("socket://127.0.0.1:1")
    assert of_port("hwgrep://never-there-0000").missing.startswith("There is no port")
    assert isinstance(facts.ports_there(), list)


def test_programs_and_files_that_are_missing_are_named(tmp_path: Path) -> None:
    (tmp_path / "here").touch(mode=0o755)

    def absent(**tables: Any) -> list[tuple[str, str]]:
        made = Board(**{"name": "b", "folder": tmp_path, **tables})
        return list(of_board(made, {"PATH": str(tmp_path)}).absent)

    assert absent(power=Power(driver="uhubctl", hub="1", port=1)) == [("power.driver", "uhubctl")]
    assert absent(power=Power(driver="command", on=("here",), off=("gone", "x"))) == [("power.off", "gone")]
    assert absent(reset=Reset(by="command", command=("./here",))) == []
    assert absent(reset=Reset(by="command", command=("./gone",))) == [("reset.command", "./gone")]
    assert absent(flash=Flash(command=("west", "flash"))) == [("flash.command", "west")]
    assert absent(spawn=Spawn(driver="process", command=("gone", "{port}"))) == [("spawn.command", "gone")]
    qemu = Spawn(driver="qemu", machine="m", elf="none.elf")
    assert absent(spawn=qemu) == [("spawn.driver", "qemu-system-arm"), ("spawn.elf", "none.elf")]
    own = Spawn(driver="qemu", machine="m", elf="here", command=("here", "-s"))
    assert absent(spawn=own) == []


def test_a_board_that_is_held_is_not_listened_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    with PtyHost(Firmware) as host:
        board = board_of(link=Link(url=str(host.path)))
        with lock.hold(board, [], purpose="a test"):
            found = of_board(board, os.environ, listen_s=0.01, answer_s=0.1)
        assert "desk1 is used by" in found.holder
        assert host.firmware.asked == []


def test_a_port_that_cannot_be_opened_is_a_fact(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    found = of_board(board_of(link=Link(url=str(tmp_path / "file"))), os.environ)
    assert found.unopened[0] == "PORT_URL"
    found = of_board(board_of(link=Link(url="socket://127.0.0.1:1")), os.environ)
    assert found.unopened[0] == "PORT_MISSING"


# -- the command


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    monkeypatch.delenv("HIL_BOARDS", raising=False)
    monkeypatch.delenv("CI", raising=False)
    monkeypatch.setattr(doctor_module, "LISTEN_S", 0.05)
    monkeypatch.setattr(doctor_module, "ANSWER_S", 0.7)
    return tmp_path


def asked(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, list[tuple[str, str, str]]]:
    status = run(["doctor", *arguments, "--json"], "hil")
    rows = json.loads(capsys.readouterr().out)["checks"]
    return status, [(row["name"], row["state"], row["code"]) for row in rows]


def test_a_board_that_is_well(bench: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with PtyHost(Firmware) as host:
        (bench / "hil-boards.toml").write_text(f'[board.a]\nlink.url = "{host.path}"\n')
        assert run(["doctor"], "hil") == 0
        printed = capsys.readouterr().out
        assert "It answers an SMP echo at 115200 baud." in printed
        assert printed.endswith("0 failed, 0 warnings.\n")
        assert asked(capsys, "a") == (0, [("board file", "ok", ""), ("a", "ok", ""), ("a", "ok", "")])
        status, rows = asked(capsys, str(host.path))
        assert (status, [row[1] for row in rows]) == (0, ["ok", "ok"])


def test_boards_that_are_not(bench: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with PtyHost(Shell) as shell, AtBaud(Shell, 57600) as fast, SocketHost(Dead) as dead:
        (bench / "stale").symlink_to("/dev/pts/none")
        boards = {
            "shell": str(shell.path),
            "fast": str(fast.path),
            "dead": dead.url,
            "stale": str(bench / "stale"),
        }
        text = "".join(f'[board.{name}]\nlink.url = "{url}"\n' for name, url in boards.items())
        (bench / "hil-boards.toml").write_text(text)
        status, rows = asked(capsys)
    assert status == 1
    assert [(name, code) for name, state, code in rows if state == "FAIL"] == [
        ("shell", "SMP_ABSENT"),
        ("fast", "WRONG_BAUD"),
        ("dead", "NOTHING_HEARD"),
        ("stale", "STALE_PTY"),
    ]


def test_a_spawned_board_and_its_program(bench: Path, capsys: pytest.CaptureFixture[str]) -> None:
    spawn = 'spawn = { driver = "process", command = ["sh", "{port}"] }\n'
    (bench / "hil-boards.toml").write_text(f"[board.a]\n{spawn}")
    assert asked(capsys) == (0, [("board file", "ok", ""), ("a", "ok", "")])


def test_a_board_file_that_is_wrong_or_not_there(bench: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, rows = asked(capsys)
    assert (status, rows) == (1, [("board file", "FAIL", "NO_BOARD_FILE")])
    (bench / "hil-boards.toml").write_text('[board.a]\nlink.urls = "x"\ntags = 3\n')
    status, rows = asked(capsys)
    assert (status, [row[2] for row in rows]) == (1, ["BOARD_FILE"] * 2)
    status, rows = asked(capsys, "--boards", "nowhere.toml")
    assert (status, [row[2] for row in rows]) == (1, ["BOARD_FILE"])
    (bench / "hil-boards.toml").write_text('[board.a]\nlink.url = "loop://"\n')
    assert run(["doctor", "b"], "hil") == 2
    assert "There is no board 'b'" in capsys.readouterr().err


def test_a_second_port_is_looked_at_too(tmp_path: Path) -> None:
    made = board_of(link=Link(url="socket://127.0.0.1:1"), console=Console(url=str(tmp_path / "none")))
    found = of_board(made, os.environ)
    assert [port.missing for port in found.ports] == ["", "no such file"]
    assert "PORT_MISSING" in [check.code for check in examine(found)]
    assert boardfile.FILE_NAME


def test_a_loop_hears_itself_and_is_no_board() -> None:
    started = time.monotonic()
    found = of_board(board_of(link=Link(url="loop://")), os.environ, listen_s=0.01, answer_s=0.1)
    assert found.heard is not None
    assert not found.heard.smp
    assert time.monotonic() - started < 30


@pytest.mark.parametrize(
    "port", ["socket://127.0.0.1:1", "/dev/never there", "/dev/a*b", "/-", f"/{'x' * 300}"]
)
def test_any_name_of_a_port_may_be_asked_about(
    port: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    assert run(["doctor", port, "--json"], "hil") == 1
    checks = json.loads(capsys.readouterr().out)["checks"]
    assert {check["code"] for check in checks} == {"PORT_MISSING"}
