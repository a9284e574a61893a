"""Locks, with real processes: one at a time, naming who, and free as soon as the holder dies."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from hil.bench import lock
from hil.bench.board import Board, Console, Link
from hil.bench.lock import Holder, hold, holders, key_of, take_one
from hil.errors import BenchError

CHILD = """
import sys
from pathlib import Path
from hil.bench.board import Board, Link
from hil.bench.lock import hold, take_one
from keys.errors import TocsinError
folder, wait_s, names = Path(sys.argv[1]), float(sys.argv[2]), sys.argv[3:]
boards = [Board(name=n.partition("=")[0], link=Link(url=n.partition("=")[2])) for n in names]
try:
    with take_one(boards, purpose="pytest tests/x.py", wait_s=wait_s, folder=folder) as board:
        print("held", board.name, flush=True)
        sys.stdin.readline()
    print("left", flush=True)
except TocsinError as error:
    print(error.code, error, flush=True)
"""

Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start a process that holds one of the boards until a line comes on its stdin."""
    started: list[subprocess.Popen[str]] = []

    def go(*names: str, wait_s: float = 0) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", CHILD, str(tmp_path), str(wait_s), *names]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        started.append(process)
        return process

    yield go
    for process in started:
        process.kill()
        process.communicate()


def says(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def board(name: str, url: str = "loop://", console: str = "same") -> Board:
    return Board(name=name, link=Link(url=url), console=Console(url=console))


def test_a_second_process_is_refused_and_told_who_and_since_when(start: Start, tmp_path: Path) -> None:
    first = start("disco1=/dev/ttyNONE0")
    assert says(first) == "held disco1"
    answer = says(start("disco1=/dev/ttyNONE0"))
    assert answer.startswith("BOARD_BUSY Board disco1 is used by ")
    assert f"(pid {first.pid}, `pytest tests/x.py`) since " in answer
    assert "--wait" in answer
    assert [(h.board, h.pid, h.ports) for h in holders(tmp_path)] == [
        ("disco1", first.pid, ("/dev/ttyNONE0",))
    ]


def test_one_that_waits_gets_the_board_when_it_is_free(start: Start, tmp_path: Path) -> None:
    first = start("disco1=loop://")
    assert says(first) == "held disco1"
    waited: list[Holder | None] = []
    seen = threading.Event()

    def waits(holder: Holder | None) -> None:
        waited.append(holder)
        seen.set()

    def second() -> int:
        with hold(board("disco1"), [], purpose="b", wait_s=60, folder=tmp_path, waits=waits) as holder:
            return holder.pid

    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(second)
        assert seen.wait(30)
        first.communicate("\n")
        assert future.result(60) == os.getpid()
    assert [holder.pid for holder in waited if holder] == [first.pid]
    assert holders(tmp_path) == []


def test_waiting_ends(start: Start, tmp_path: Path) -> None:
    assert says(start("disco1=loop://")) == "held disco1"
    with (
        pytest.raises(BenchError, match="is used by") as caught,
        hold(board("disco1"), [], purpose="b", wait_s=0.25, folder=tmp_path),
    ):
        pass
    assert (caught.value.code, caught.value.exit_status) == ("BOARD_BUSY", 3)


def test_a_killed_holder_leaves_the_board_free_and_is_not_shown(start: Start, tmp_path: Path) -> None:
    first = start("disco1=/dev/ttyNONE0")
    assert says(first) == "held disco1"
    first.kill()
    first.wait(30)
    assert (tmp_path / "board-disco1.lock").stat().st_size > 0
    assert holders(tmp_path) == []
    assert says(start("disco1=/dev/ttyNONE0")) == "held disco1"


def test_one_port_under_two_names_is_one_board(start: Start, tmp_path: Path) -> None:
    device = tmp_path / "ttyX"
    device.touch()
    link = tmp_path / "by-id"
    link.symlink_to(device)
    assert says(start(f"a={device}")) == "held a"
    answer = says(start(f"b={link}"))
    assert answer.startswith("BOARD_BUSY Board b is used by ")
    assert "under the name a" in answer
    assert [holder.board for holder in holders(tmp_path)] == ["a"]


def test_of_several_boards_each_process_takes_another(start: Start) -> None:
    names = ["a=loop://", "b=loop://", "c=loop://"]
    processes = [start(*names) for _ in range(3)]
    assert sorted(says(process) for process in processes) == ["held a", "held b", "held c"]
    answer = says(start(*names))
    assert all(f"Board {name} is used by" in answer for name in "abc")


def test_of_many_threads_one_at_a_time_holds_a_board(tmp_path: Path) -> None:
    inside: list[int] = []
    most: list[int] = []

    def one(number: int) -> None:
        boards = [board("a", "socket://127.0.0.1:1"), board("b", "socket://localhost:1")]
        with take_one(boards, purpose=str(number), wait_s=60, folder=tmp_path):
            inside.append(number)
            most.append(len(inside))
            inside.remove(number)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(one, range(12)))
    assert most == [1] * 12


def test_what_is_refused_in_part_is_held_in_no_part(tmp_path: Path) -> None:
    with hold(board("a"), ["/dev/x1"], purpose="a", folder=tmp_path):
        with (
            pytest.raises(BenchError),
            hold(board("b"), ["/dev/x0", "/dev/x1"], purpose="b", folder=tmp_path),
        ):
            pass
        with hold(board("c"), ["/dev/x0"], purpose="c", folder=tmp_path):
            assert [holder.board for holder in holders(tmp_path)] == ["a", "c"]
    assert holders(tmp_path) == []


def test_an_error_inside_leaves_the_board_free(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), hold(board("a"), [], purpose="a", folder=tmp_path):
        raise ZeroDivisionError
    with hold(board("a"), [], purpose="b", folder=tmp_path) as holder:
        assert holder.purpose == "b"


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"board": 1}', b"\xff", b'{"ports": 3}'])
def test_a_holder_that_does_not_say_who_it_is_still_holds(content: bytes, tmp_path: Path) -> None:
    with hold(board("a"), [], purpose="a", folder=tmp_path):
        (tmp_path / "board-a.lock").write_bytes(content)
        with (
            pytest.raises(BenchError, match="not said who") as caught,
            hold(board("a"), [], purpose="b", folder=tmp_path),
        ):
            pass
        assert caught.value.code == "BOARD_BUSY"
        assert holders(tmp_path) == []


def test_what_a_dead_process_wrote_is_not_believed_of_the_next(start: Start, tmp_path: Path) -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait(60)
    with hold(board("a"), [], purpose="a", folder=tmp_path) as holder:
        path = tmp_path / "board-a.lock"
        path.write_text(path.read_text().replace(f'"pid": {holder.pid}', f'"pid": {gone.pid}'))
        assert holders(tmp_path) == []


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("socket://Host:1", "rfc2217://host:1?logging=debug", True),
        ("socket://localhost:1", "socket://127.0.0.1:1", True),
        ("socket://localhost:1", "socket://127.0.0.1:2", False),
        ("/dev/./null", "/dev/null", True),
        ("spy:///dev/null?file=x", "/dev/null", True),
        ("hwgrep://a", "hwgrep://a", True),
        ("socket://h:no", "socket://h:no", True),
    ],
)
def test_ports_are_compared_by_what_they_are(one: str, other: str, same: bool) -> None:
    assert (key_of(one) == key_of(other)) is same


def test_a_loop_is_nobody_elses() -> None:
    assert key_of("loop://") == ""


def test_ports_of_a_board_are_those_of_link_and_console(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("/dev/null")
    made = board("a", str(tmp_path / "link"), "hwgrep://never-there-0000")
    assert lock.ports_of(made) == ["/dev/null", "hwgrep://never-there-0000"]
    assert lock.ports_of(Board(name="spawned")) == []


def test_the_folder_is_the_users_own(tmp_path: Path) -> None:
    found = lock.folder_of({"XDG_RUNTIME_DIR": str(tmp_path)})
    assert found == tmp_path / "hil"
    assert found.stat().st_mode & 0o777 == 0o700
    found.chmod(0o777)
    with pytest.raises(BenchError, match="others may write") as caught:
        lock.folder_of({"XDG_RUNTIME_DIR": str(tmp_path)})
    assert caught.value.code == "LOCK_FOLDER"


@pytest.mark.parametrize("runtime", ["", "relative", "/nowhere/at/all"])
def test_without_a_folder_of_the_session_there_is_one_in_tmp(
    runtime: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[Path] = []
    monkeypatch.setattr(lock, "_own", made.append)
    monkeypatch.setattr(lock, "_SESSIONS", Path("/nowhere"))
    assert lock.folder_of({"XDG_RUNTIME_DIR": runtime}) == Path(f"/tmp/hil-{os.getuid()}")
    assert made == [Path(f"/tmp/hil-{os.getuid()}")]


def test_a_link_or_a_file_in_the_folders_place_is_refused(tmp_path: Path) -> None:
    (tmp_path / "hil").symlink_to(tmp_path)
    with pytest.raises(BenchError):
        lock.folder_of({"XDG_RUNTIME_DIR": str(tmp_path)})
    (tmp_path / "hil").unlink()
    (tmp_path / "hil").touch()
    with pytest.raises(BenchError, match="cannot be made"):
        lock.folder_of({"XDG_RUNTIME_DIR": str(tmp_path)})


def test_what_others_are_told_is_cut(tmp_path: Path) -> None:
    with hold(board("a"), [], purpose="x" * 10_000, folder=tmp_path):
        assert len(holders(tmp_path)[0].purpose) == 300
    with hold(board("a"), [], purpose="a\x1b[31m\nb", folder=tmp_path):
        assert holders(tmp_path)[0].purpose == "a?[31m?b"
    with hold(board("a"), [], purpose="x", folder=tmp_path):
        assert json.loads((tmp_path / "board-a.lock").read_text())["board"] == "a"


def test_a_job_without_a_session_locks_where_the_session_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runtime = tmp_path / str(os.getuid())
    runtime.mkdir()
    monkeypatch.setattr(lock, "_SESSIONS", tmp_path)
    in_session = lock.folder_of({"XDG_RUNTIME_DIR": str(runtime)})
    assert in_session == lock.folder_of({}) == lock.folder_of({"XDG_RUNTIME_DIR": "/nowhere"})


def test_somebody_elses_session_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lock, "_SESSIONS", Path("/nowhere"))
    monkeypatch.setattr(lock, "_own", lambda _: None)
    monkeypatch.setattr(os, "getuid", lambda: 54321)
    assert lock.folder_of({"XDG_RUNTIME_DIR": str(tmp_path)}) == Path("/tmp/hil-54321")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("spoil", [Path.mkdir, lambda path: path.symlink_to("/dev/null")])
def test_something_else_in_a_locks_place_is_told(tmp_path: Path, spoil: Callable[[Path], None]) -> None:
    spoil(tmp_path / "board-a.lock")
    with (
        pytest.raises(BenchError, match="cannot be taken") as caught,
        hold(board("a"), [], purpose="x", folder=tmp_path),
    ):
        pass
    assert (caught.value.code, caught.value.where) == ("LOCK_FOLDER", str(tmp_path / "board-a.lock"))
    assert holders(tmp_path) == []


@pytest.mark.parametrize(
    "change", [{"since": "x"}, {"since": 1e300}, {"pid": 10**30}, {"pid": "1"}, {"pid": -1}, {"ports": 5}]
)
def test_a_lock_that_says_nonsense_is_still_a_lock(tmp_path: Path, change: dict[str, object]) -> None:
    with hold(board("a"), [], purpose="x", folder=tmp_path):
        path = tmp_path / "board-a.lock"
        path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
        assert holders(tmp_path) == []
        with (
            pytest.raises(BenchError, match="has not said who"),
            hold(board("a"), [], purpose="y", folder=tmp_path),
        ):
            pass
