"""Parts of the plugin: a board's entry without secrets, evidence on a disk that fails, a deadline."""

from __future__ import annotations

import json
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from hil.bench.board import Board
from hil.errors import BenchError
from hil.plugin.candidates import preferred
from hil.plugin.demands import Demands
from hil.plugin.entry import MASK, written
from hil.plugin.evidence import BOARD, CONSOLE, LAST_LINES, Evidence
from hil.plugin.run import deadline, revision
from hil.wire.record import Direction, Kind, Record

BOARDS = """
[board.exercise-1]
link = { url = "socket://user:pass@127.0.0.1:${PORT}" }
power = { driver = "command", on = ["tool", "--token", "abcdef", "--power-key=ghijkl", "on", "--password"] }
flash = { command = ["curl", "https://example.com/?token=mnopqr&board=1"] }
spawn = { env = { SECRET = "stuvwx", PATH = "${HOME}/bin" } }
tags = ["keyboard"]
destructive = true
"""


def test_an_entry_is_shown_as_written_and_without_secrets(tmp_path: Path) -> None:
    path = tmp_path / "boards.toml"
    path.write_text(BOARDS)
    assert written(path, "exercise-1") == {
        "link": {"url": f"socket://{MASK}@127.0.0.1:${{PORT}}"},
        "power": {
            "driver": "command",
            "on": ["tool", "--token", MASK, f"--power-key={MASK}", "on", "--password"],
        },
        "flash": {"command": ["curl", f"https://example.com/?token={MASK}&board=1"]},
        "spawn": {"env": {"SECRET": MASK, "PATH": MASK}},
        "tags": ["keyboard"],
        "destructive": True,
    }


def test_an_entry_that_is_gone_gives_nothing(tmp_path: Path) -> None:
    assert written(tmp_path / "none.toml", "exercise-1") == {}
    (tmp_path / "bad.toml").write_text("[")
    assert written(tmp_path / "bad.toml", "exercise-1") == {}
    (tmp_path / "boards.toml").write_text(BOARDS)
    assert written(tmp_path / "boards.toml", "exercise-2") == {}


def record(kind: Kind, data: bytes = b"", note: str = "", way: Direction = Direction.FROM_BOARD) -> Record:
    return Record(12.5, 1_800_000_000.25, way, kind, data, note)


def test_the_log_has_a_line_for_each_record(tmp_path: Path) -> None:
    kept = Evidence(tmp_path / "test", redact=None)
    kept(record(Kind.TEXT, b"\x1b[1mboot\x07 \xff\r\n"))
    kept(record(Kind.TEXT, b"\n", way=Direction.TO_BOARD))
    kept(record(Kind.NOISE, b"\x06\x09AA"))
    kept(record(Kind.MESSAGE, b"12345678"))
    kept(record(Kind.EVENT, note="power on", way=Direction.NONE))
    kept.close()
    kept(record(Kind.TEXT, b"too late"))
    kept.close()
    when = "12.500000 2027-01-15T08:00:00.250000Z"
    assert (tmp_path / "test" / CONSOLE).read_text().splitlines() == [
        f"{when} < \\x1b[1mboot\\x07 \\xff",
        f"{when} > \\n",
        f"{when} ! \\x06\\tAA",
        f"{when} * power on",
    ]
    assert kept.last_lines()[-1] == f"{when} * power on"


def test_only_the_last_lines_are_remembered(tmp_path: Path) -> None:
    kept = Evidence(tmp_path / "test", redact=None)
    for number in range(100):
        kept(record(Kind.TEXT, b"line %d\n" % number))
    assert len(kept.last_lines()) == LAST_LINES
    assert kept.last_lines()[-1].endswith("line 99")
    kept.discard()
    assert not (tmp_path / "test").exists()


def test_an_earlier_runs_evidence_is_not_mistaken_for_this_ones(tmp_path: Path) -> None:
    folder = tmp_path / "test"
    first = Evidence(folder, redact=None)
    first.json("faults.json", {})
    (folder / "notes.txt").write_text("old")
    first.close()
    second = Evidence(folder, redact=None)
    second.close()
    assert {path.name for path in second.files()} == {"console.log", "trace.pcapng"}


def test_a_folder_is_not_emptied_through_a_link(tmp_path: Path) -> None:
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious" / "file").touch()
    (tmp_path / "test").symlink_to(tmp_path / "precious")
    with pytest.raises(BenchError, match="The evidence cannot be written"):
        Evidence(tmp_path / "test", redact=None)
    assert (tmp_path / "precious" / "file").exists()


def test_a_full_disk_is_told_at_the_end_and_stops_no_reader(tmp_path: Path) -> None:
    kept = Evidence(tmp_path / "test", redact=None)
    assert kept._log is not None
    kept._log.close()
    kept._log = Path("/dev/full").open("w", buffering=1)  # noqa: SIM115 - the evidence closes it
    kept(record(Kind.TEXT, b"a\n"))
    kept(record(Kind.TEXT, b"b\n"))
    (tmp_path / "test" / "taken").mkdir()
    kept.json("taken", {})
    with pytest.raises(BenchError, match="No space left"):
        kept.close()


@pytest.fixture
def handler() -> Iterator[None]:
    before = signal.getsignal(signal.SIGALRM)
    yield
    assert signal.getsignal(signal.SIGALRM) is before
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


@pytest.mark.usefixtures("handler")
def test_a_deadline_ends_what_takes_too_long_and_leaves_nothing() -> None:
    with pytest.raises(pytest.fail.Exception, match=r"longer than 0\.01 s"), deadline(0.01):
        threading.Event().wait(60)
    with deadline(60):
        pass


def test_a_deadline_needs_the_main_thread() -> None:
    found: list[BenchError] = []

    def work() -> None:
        try:
            with deadline(1):
                raise AssertionError
        except BenchError as error:
            found.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert found[0].code == "NO_DEADLINE"


def test_a_folder_without_a_repository_has_no_revision(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert revision(tmp_path) == ""
    monkeypatch.setenv("PATH", "")
    assert revision(tmp_path) == ""


def boards(**tags: tuple[str, ...]) -> list[Board]:
    return [
        Board(name=name, tags=words, class_=name, destructive=name == "b") for name, words in tags.items()
    ]


@pytest.mark.parametrize(
    ("wanted", "order"),
    [
        ([Demands()], "abc"),
        ([Demands(tags=("x",))], "bc"),
        ([Demands(tags=("x",)), Demands(tags=("x", "y")), Demands()], "cba"),
        ([Demands(destructive=True)], "b"),
        ([Demands(classes=("c",)), Demands(), Demands()], "cab"),
        ([Demands(tags=("none",))], "abc"),
        ([Demands(classes=("a", "b"))], "abc"),
    ],
)
def test_boards_that_most_tests_may_use_come_first(wanted: list[Demands], order: str) -> None:
    found = preferred(boards(a=(), b=("x",), c=("x", "y")), wanted)
    assert "".join(board.name for board in found) == order


@pytest.mark.parametrize("name", ["test_\udcff.py::test_a", "test_ü\u2028.py::test_a", "\x1b[31m\r\n"])
def test_a_tests_name_of_whatever_characters_is_evidence(tmp_path: Path, name: str) -> None:
    kept = Evidence(tmp_path / "test", redact=None)
    kept.note(f"test {name}")
    kept.json(BOARD, {"test": name})
    kept.close()
    assert len((tmp_path / "test" / CONSOLE).read_text().split("\n")) == 2
    assert json.loads((tmp_path / "test" / BOARD).read_text()) == {"test": name}
