"""Boards that are programs: placeholders, restarts, their words when they end, and no orphan after kill -9."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from hil.bench import keeper, spawn
from hil.bench.board import Board, Spawn
from hil.bench.line import Line
from hil.bench.spawn import Spawned, free_port
from hil.errors import BenchError

from .conftest import program

BOUND_S = 30.0
ECHO = "import os, sys; print(*sys.argv[1:], os.environ.get('EXERCISE'), os.getcwd(), flush=True); sys.stdin.read()"


@contextmanager
def spawned(board: Board, environ: dict[str, str] | None = None) -> Iterator[Spawned]:
    assert board.spawn is not None
    made = Spawned(board, board.spawn, dict(os.environ) if environ is None else environ)
    try:
        yield made
    finally:
        made.close()


def printing(code: str, *arguments: str, serial: tuple[str, ...] = ("tcp",), **keys: Any) -> Board:
    command = (sys.executable, "-c", code, *arguments)
    made = Spawn(driver="process", command=command, serial=serial, **keys)
    return program("Firmware", spawn=made)


def poll(board: Spawned, find: Callable[[], Any]) -> Any:
    """Wait for a port that is not there yet."""
    for _ in range(3_000):
        try:
            return find()
        except BenchError as error:
            if error.code != "PORT_MISSING" or board.ended():
                raise
        select.select([], [], [], 0.01)
    raise AssertionError(board._output)


def until_ended(board: Spawned) -> str:
    process = board._process
    assert process is not None
    process.wait(BOUND_S)
    return board.ended()


@pytest.mark.usefixtures("left_nothing")
def test_placeholders_environment_and_folder(tmp_path: Path) -> None:
    serial = ("pty", "tcp")
    keys = {"serial": serial, "env": {"EXERCISE": "yes"}, "cwd": str(tmp_path)}
    with spawned(printing(ECHO, "{pty}", "a{port}b", "{port2}", **keys)) as board:
        board.start()
        told = until_ended(board)
        pty, port = board.url(0), board.url(1).rpartition(":")[2]
    assert told == f"it ended with status 0 and said: {pty} a{port}b {{port2}} yes {tmp_path}"
    assert board.url(1) == f"socket://127.0.0.1:{port}"
    assert not Path(pty).parent.exists()  # its folder is gone with it


@pytest.mark.usefixtures("left_nothing")
def test_two_of_a_kind_have_numbers() -> None:
    with spawned(printing(ECHO, "{port}", "{port2}", serial=("tcp", "tcp"))) as board:
        board.start()
        told = until_ended(board)
        first, second = (board.url(number).rpartition(":")[2] for number in (0, 1))
    assert first != second
    assert f"said: {first} {second} " in told


@pytest.mark.usefixtures("left_nothing")
def test_a_pty_that_the_program_names_itself_is_found_in_its_words() -> None:
    code = """
import os, sys, threading
print("starting", flush=True); sys.stdin.readline()
for n in (0, 1, 0):
    print(f"uart_{n} connected to pseudotty: /dev/pts/{400 + n}", flush=True)
threading.Event().wait()
"""
    with spawned(printing(code, serial=("pty", "pty"))) as board:
        board.start()

        assert poll(board, lambda: board.url(1)) == "/dev/pts/401"
        assert board.url(0) == "/dev/pts/400"


@pytest.mark.usefixtures("left_nothing")
def test_each_start_is_a_new_program_on_a_new_port() -> None:
    with spawned(program("Firmware")) as board:
        pids = set()
        for _ in range(2):
            board.start()
            assert board._process is not None
            pids.add(board._process.pid)
            assert board.ended() == ""
        board.stop()
        assert board.ended() == "it was stopped"
        board.stop()  # a second time does nothing
    assert len(pids) == 2


@pytest.mark.usefixtures("left_nothing")
@pytest.mark.parametrize(
    ("command", "cwd", "code"),
    [
        (("exercise-no-such-program",), None, "TOOL_MISSING"),
        (("./exercise-no-such-file",), None, "TOOL_MISSING"),
        (("true",), "exercise-no-such-folder", "SPAWN_FAILED"),
    ],
)
def test_what_cannot_be_started(command: tuple[str, ...], cwd: str | None, code: str, tmp_path: Path) -> None:
    made = Spawn(driver="process", command=command, cwd=cwd)
    with spawned(program("Firmware", spawn=made, folder=tmp_path, place="boards.toml:7")) as board:
        with pytest.raises(BenchError) as caught:
            board.start()
        assert (caught.value.code, caught.value.where) == (code, "boards.toml:7")
        assert board.ended() == "it was stopped"


@pytest.mark.usefixtures("left_nothing")
def test_a_program_of_the_board_files_folder_and_its_words_when_it_fails(tmp_path: Path) -> None:
    script = tmp_path / "board.sh"
    script.write_text("#!/bin/sh\necho no flash image >&2\nexit 3\n")
    script.chmod(0o755)
    made = Spawn(driver="process", command=("./board.sh",))
    with spawned(program("Firmware", spawn=made, folder=tmp_path)) as board:
        board.start()
        assert until_ended(board) == "it ended with status 3 and said: no flash image"


def test_ports_are_below_those_of_outgoing_connections_and_not_in_use(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import socket

    number = free_port()
    assert number in range(20_000, 32_000)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        monkeypatch.setattr(spawn, "_PORTS", [taken.getsockname()[1]])
        with pytest.raises(BenchError, match="No free TCP port"):
            free_port()


# -- the keeper


def test_the_keeper_passes_on_how_a_program_ended() -> None:
    def run(*command: str) -> int:
        argv = [sys.executable, "-I", "-S", str(keeper.__file__), *command]
        with subprocess.Popen(argv, stdin=subprocess.PIPE, stderr=subprocess.PIPE) as process:
            status = process.wait(BOUND_S)
            assert process.stderr is not None
            told.append(process.stderr.read())
        return status

    told: list[bytes] = []
    assert run(sys.executable, "-c", "exit(5)") == 5
    assert run(sys.executable, "-c", "import os; os.kill(os.getpid(), 11)") == 128 + 11
    assert run("exercise-no-such-program") == keeper.NOT_STARTED
    assert told[-1] == b"exercise-no-such-program: No such file or directory\n"


FAMILY = """
import os, signal, subprocess, sys, threading
if sys.argv[1] == "child":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(3600)"])
    print(os.getpid(), child.pid, flush=True)
    threading.Event().wait()
"""

HOLDER = """
import os, sys, threading
from hil.bench.board import Board, Power, Spawn
from hil.bench.spawn import Spawned
command = (sys.executable, "-c", sys.argv[1], "child")
made = Spawn(driver="process", command=command)
board = Spawned(Board(name="exercise-1", spawn=made, power=Power(driver="process")), made, dict(os.environ))
thread = threading.Thread(target=board.start)  # a thread that ends takes no board with it
thread.start()
thread.join()
while not board._output.strip():
    threading.Event().wait(0.01)
print(board._output.strip(), flush=True)
sys.stdin.read()
"""


@contextmanager
def a_holder() -> Iterator[tuple[subprocess.Popen[str], list[int]]]:
    argv = [sys.executable, "-c", HOLDER, FAMILY]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        program_, child = holder.stdout.readline().split()
        watches = [os.pidfd_open(int(pid)) for pid in (program_, child)]
        try:
            yield holder, watches
        finally:
            holder.kill()
            for watch in watches:
                os.close(watch)


def test_kill_9_of_the_holder_leaves_no_orphan() -> None:
    with a_holder() as (holder, watches):
        assert select.select(watches, [], [], 0)[0] == []  # both run
        holder.send_signal(signal.SIGKILL)
        holder.wait()
        for watch in watches:
            assert select.select([watch], [], [], BOUND_S)[0], "an orphan is left"


@pytest.mark.usefixtures("left_nothing")
def test_a_cut_kills_the_children_too_and_waits_for_the_program() -> None:
    made = Spawn(driver="process", command=(sys.executable, "-c", FAMILY, "child"))
    with spawned(program("Firmware", spawn=made)) as board:
        board.start()
        while not board._output.strip():
            select.select([], [], [], 0.01)
        watches = [os.pidfd_open(int(pid)) for pid in board._output.split()]
        board.stop()
        assert select.select([watches[0]], [], [], 0)[0]
        assert select.select([watches[1]], [], [], BOUND_S)[0]
        for watch in watches:
            os.close(watch)


@pytest.mark.usefixtures("left_nothing")
@pytest.mark.parametrize("how", ["pty", "tcp"])
def test_a_line_to_a_program(how: str) -> None:
    with spawned(program("Shell", how)) as board:
        board.start()
        line = poll(board, lambda: Line.open(board.url(0)))
        try:
            line.console.expect("^shell ready$", timeout_s=BOUND_S)
        finally:
            line.close()
