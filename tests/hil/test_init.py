"""``hil init``: what it finds on a port, and that what it writes passes, and destroys nothing."""

from __future__ import annotations

import ast
import contextlib
import json
import os
import socket
import subprocess
import sys
import termios
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway.cli.run import run
from hil.bench import boardfile, listen, lock
from hil.bench.board import Board
from hil.bench.firstboard import present, write
from hil.bench.firstlook import Found, Says, look
from hil.bench.listen import Heard, find_baud, hear, pattern_of
from hil.cli import init as init_module
from keys.errors import InputError

from .peers import Firmware, Mynewt, PtyHost, Shell, SocketHost

LISTEN_S = 0.05
ANSWER_S = 0.7


class Dead(Firmware):
    """Says nothing, answers nothing."""

    BOOT = b""

    def take(self, data: bytes) -> None:
        pass


class Talks(Dead):
    """No SMP: prints a line with a number whenever something comes in."""

    BOOT = b"Exercise sensor 0.1\r\n"
    count = 0

    def take(self, data: bytes) -> None:
        self.count += 1
        self.say(b"beat %d at 0x%04x\r\n" % (self.count, self.count * 77))


class Once(Dead):
    """No SMP: prints at its start and never again."""

    BOOT = b"rst:0x1 (POWERON)\r\nExercise sensor ready\r\n"


class Told(Firmware):
    """Tells its buffer and what runs."""

    def answer(self, group: int, id_: int, body: dict[str, Any]) -> dict[str, Any] | None:
        if (group, id_) == (0, 6):
            return {"buf_size": 1024, "buf_count": 2}
        if (group, id_) == (0, 7):
            return {"output": "Zephyr exercise\x1b[2J 1.0 $HOME"}
        return super().answer(group, id_, body)


class AtBaud(PtyHost):
    """A board that speaks at one baud rate; at any other, both sides get noise."""

    def __init__(self, kind: type[Firmware], baud: int) -> None:
        self._rate = getattr(termios, f"B{baud}")
        super().__init__(kind)
        take = self.firmware.take
        self.firmware.take = lambda data: take(self._wire(data))  # type: ignore[method-assign]

    def _wire(self, data: bytes) -> bytes:
        right = termios.tcgetattr(self._slave)[4] == self._rate
        return data if right else bytes(byte * 37 % 256 | 0x80 for byte in data)

    def say(self, data: bytes) -> None:
        super().say(self._wire(data))


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    monkeypatch.delenv("HIL_BOARDS", raising=False)
    monkeypatch.setattr(init_module, "ANSWER_S", ANSWER_S)
    return tmp_path


def asked(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, Any]:
    status = run(["init", *arguments, "--listen", "0.05", "--json"], "hil")
    return status, json.loads(capsys.readouterr().out)


def test_a_board_with_smp_gets_a_board_file_and_a_test(
    bench: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with PtyHost(Told, bench / "port") as host:
        assert run(["init", "port", "--name", "desk1", "--listen", "0.05"], "hil") == 0
        printed = capsys.readouterr().out
        board = boardfile.load(bench / "hil-boards.toml", {})["desk1"]
        assert board.link.url == str(host.path)
        assert (board.link.smp_buf, board.link.baud, board.boot.ready) == (1024, 115200, "echo")
        assert board.boot.banner == r"\*\*\* Booting"
    assert printed.splitlines() == [
        "SMP at 115200 baud: os, img, stat.",
        "Zephyr exercise [2J 1.0 $HOME",
        "Written: hil-boards.toml (board desk1), test_board.py.",
        "Next:",
        "  pytest --hil-board desk1",
        "  hil doctor desk1",
    ]
    text = (bench / "test_board.py").read_text()
    assert [node.name for node in ast.parse(text).body if isinstance(node, ast.FunctionDef)] == [
        "test_it_answers",
        "test_an_image_is_active",
    ]
    assert len((bench / "hil-boards.toml").read_text().splitlines()) <= 12


def test_a_noisy_board_with_a_shell_beside_smp_is_found(
    bench: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with SocketHost(Mynewt) as host:
        status, data = asked(capsys, host.url)
        assert (status, data["board"], data["smp"], data["url"]) == (0, "board1", True, host.url)
        assert {"os", "img", "stat"} <= set(data["capabilities"])
        assert data["next"] == ["pytest --hil-board board1", "hil doctor board1"]


def test_the_baud_rate_is_found(bench: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with AtBaud(Firmware, 57600) as host:
        status, data = asked(capsys, str(host.path))
        assert (status, data["baud"], data["smp"]) == (0, 57600, True)
    with AtBaud(Shell, 19200) as host:
        heard, tried = find_baud(str(host.path), (9600, 19200), listen_s=LISTEN_S, answer_s=ANSWER_S)
        assert heard is not None
        assert (heard.baud, [one.garbage for one in tried]) == (19200, [True, False])


@pytest.mark.parametrize(
    ("kind", "says", "expected"),
    [
        (Shell, Says.ASKED, r"\$"),
        (Talks, Says.ASKED, r"beat [0-9A-Fa-fx]+ at [0-9A-Fa-fx]+"),
        (Once, Says.ONCE, r"Exercise sensor ready"),
    ],
)
def test_a_board_without_smp_gets_a_test_of_its_console(
    kind: type[Firmware], says: Says, expected: str, bench: Path
) -> None:
    with PtyHost(kind) as host:
        found = look(str(host.path), bauds=(115200,), listen_s=LISTEN_S, answer_s=ANSWER_S)
    assert (found.says, found.capabilities) == (says, frozenset())
    assert pattern_of(found.words) == expected
    write(bench / "hil-boards.toml", "b", found, {})
    board = boardfile.load(bench / "hil-boards.toml", {})["b"]
    assert (board.boot.ready, board.capabilities) == ("none", ("console",))
    assert (board.boot.banner == "rst:0x1".replace("1", "")) is (kind is Once)
    code = (bench / "test_board.py").read_text()
    ast.parse(code)
    assert repr(expected) in code


def test_a_dead_board_is_told_with_what_was_tried(bench: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with PtyHost(Dead) as host:
        assert run(["init", str(host.path), "--baud", "9600", "--listen", "0.05"], "hil") == 3
        told = capsys.readouterr().err
        assert f"Nothing came from {host.path}: 0.05 s were listened to at each of 9600 baud" in told
        assert "power, port and RX/TX" in told
    assert not (bench / "hil-boards.toml").exists()
    assert not (bench / "test_board.py").exists()


def test_a_board_at_no_known_rate_is_told(bench: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with AtBaud(Shell, 1200) as host:
        status, data = asked(capsys, str(host.path), "--baud", "9600")
    assert (status, data["error"]["code"]) == (3, "GARBAGE_HEARD")
    assert "--baud" in data["error"]["mend"]


def test_a_port_that_is_not_there_or_in_use_is_told(bench: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, data = asked(capsys, str(bench / "none"))
    assert (status, data["error"]["code"]) == (3, "PORT_MISSING")
    with PtyHost(Dead) as host, lock.hold(Board(name="other"), [str(host.path)], purpose="a test"):
        status, data = asked(capsys, str(host.path))
    assert (status, data["error"]["code"]) == (3, "BOARD_BUSY")
    assert "under the name other" in data["error"]["message"]


def test_a_second_board_is_added_and_every_byte_before_it_stays(
    bench: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = bench / "hil-boards.toml"
    old = "# mine\n[board.board1]\nlink.url = '/dev/ttyX'  # no line end"
    path.write_text(old)
    (bench / "test_board.py").write_text("# mine too\n")
    with SocketHost() as host:
        assert run(["init", host.url, "--listen", "0.05"], "hil") == 0
        printed = capsys.readouterr().out
        assert "test_board.py was there already and is as it was." in printed
        assert path.read_text().startswith(old + "\n\n[board.board2]\n")
        assert (bench / "test_board.py").read_text() == "# mine too\n"
        assert list(boardfile.load(path, {})) == ["board1", "board2"]
        for wish, code in [
            (["--name", "board1"], "BOARD_EXISTS"),
            ([], "BOARD_EXISTS"),
            (["--name", "a/b"], None),
        ]:
            before = path.read_bytes()
            status, data = asked(capsys, host.url, *wish)
            assert (status, data["error"]["code"]) == (2, code or "BOARD_EXISTS")
            assert path.read_bytes() == before


def test_a_file_that_is_wrong_or_cannot_take_a_table_stays_as_it_is(bench: Path) -> None:
    path = bench / "hil-boards.toml"
    found = Found("socket://h:1", Heard(9600, smp=True), frozenset({"os"}))
    for text, words in [
        ("[board.a]\nlink.urls = 'x'\n", "Unknown key 'urls'"),
        ("board = { a = { link = { url = 'x' } } }\n", "No table can be put at its end"),
    ]:
        path.write_text(text)
        with pytest.raises(InputError, match=words):
            write(path, "b", found, {})
        assert path.read_text() == text
    for text in ("", "# nothing yet\n", "\n"):
        path.write_text(text)
        assert present(path, {}) == {}
        write(path, "b", found, {})
        assert list(present(path, {})) == ["b"]
        assert path.read_text().startswith(text)
    path.write_text("[[[")
    with pytest.raises(InputError, match="not TOML"):
        present(path, {})


def test_a_socket_is_tried_at_one_rate_only() -> None:
    with SocketHost(Dead) as host:
        heard, tried = find_baud(host.url, (9600, 115200), listen_s=0.01, answer_s=0.1)
    assert (heard, [one.baud for one in tried]) == (None, [9600])
    assert not tried[0].garbage


def test_smp_is_not_tried_where_it_is_not_wanted() -> None:
    with PtyHost(Firmware) as host:
        heard = hear(str(host.path), 9600, listen_s=0.01, answer_s=0.1, smp=False)
        assert not heard.smp
        assert host.firmware.asked == []


@pytest.mark.parametrize("kind", [Firmware, Shell, Once])
def test_what_is_written_passes(kind: type[Firmware], bench: Path) -> None:
    with PtyHost(kind, bench / "port"):
        assert run(["init", "port", "--name", "desk1", "--listen", "0.05"], "hil") == 0
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--hil-board", "desk1"]
        done = subprocess.run(
            command,
            cwd=bench,
            env={**os.environ, "PYTEST_ADDOPTS": ""},
            capture_output=True,
            check=False,
            text=True,
            timeout=120,
        )
    assert done.returncode == 0, done.stdout + done.stderr
    assert ("1 skipped" if kind is Once else "passed") in done.stdout


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listen, "_PROMPT_S", 0.2)


@pytest.mark.parametrize(
    "port",
    ["", "x" * 5_000, "/dev/\udcff", "/dev/a\0b", "socket://me:geheim@127.0.0.1:1", "rfc2217://me@h:1"],
)
@pytest.mark.parametrize("verb", ["init", "doctor"])
def test_what_is_no_ports_name_is_told_without_repeating_it(
    verb: str, port: str, bench: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    port = port or "/" * 5_000 if verb == "doctor" else port
    if "/" not in port and verb == "doctor":
        port = f"/{port}"
    assert run([verb, port, "--json"], "hil") == 2
    said = capsys.readouterr()
    assert json.loads(said.out)["error"]["code"] == "PORT_NAME"
    assert "geheim" not in said.out + said.err
    assert list(bench.glob("*")) == []


@pytest.mark.parametrize(
    ("name", "why"), [("no/such.toml", "folder"), ("/dev/null", "no file"), (".", "no file")]
)
def test_a_file_that_cannot_be_written_is_told_before_the_port_is_looked_at(
    name: str, why: str, bench: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["init", "/dev/never-there", "--boards", name], "hil") == 2
    assert why in capsys.readouterr().err
    assert list(bench.glob("*")) == []


@pytest.fixture
def taken() -> Iterator[str]:
    """A socket that tells whoever comes that somebody else is there, and hangs up."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def turn_away() -> None:
            with contextlib.suppress(OSError):
                while True:
                    came, _ = server.accept()
                    with came:
                        came.sendall(b"\x1b[1msomebody else is on this line\r\n")

        thread = threading.Thread(target=turn_away)
        thread.start()
        yield f"socket://127.0.0.1:{server.getsockname()[1]}"
        server.shutdown(socket.SHUT_RDWR)
        thread.join()


def test_a_line_that_is_taken_is_the_benchs_matter(
    taken: str, bench: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status, data = asked(capsys, taken)
    assert (status, data["error"]["code"]) == (3, "PORT_LOST")
    assert "it said last: 'somebody else is on this line'" in data["error"]["message"]
    assert run(["doctor", taken, "--json"], "hil") == 1
    (row,) = json.loads(capsys.readouterr().out)["checks"]
    assert row["code"] == "PORT_LOST"


@pytest.mark.parametrize("other", ["socket://LOCALHOST:{}", "rfc2217://127.0.0.1:{}", "socket://[::1]:{}"])
def test_another_name_of_a_port_is_the_same_port(
    other: str, bench: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (bench / "hil-boards.toml").write_text('[board.a]\nlink.url = "socket://127.0.0.1:9"\n')
    status, data = asked(capsys, other.format(9))
    assert (status, data["error"]["code"]) == (2, "BOARD_EXISTS")
