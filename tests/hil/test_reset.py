"""Resets: the levels of DTR and RTS in order, programs, and what a file without one gets."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from hil.bench.board import Board, Link, Reset
from hil.bench.reset import by_line, idle, pull, reset_board
from hil.bench.tool import last_words, run_tool
from hil.errors import BenchError


class Recorder:
    def __init__(self) -> None:
        self.seen: list[tuple[str, object]] = []

    def control(self, *, dtr: bool | None = None, rts: bool | None = None) -> None:
        self.seen += [(name, level) for name, level in (("dtr", dtr), ("rts", rts)) if level is not None]

    def pause(self, seconds: float) -> None:
        self.seen.append(("hold", seconds))


@pytest.mark.parametrize(
    ("reset", "levels", "steps"),
    [
        (Reset(by="dtr"), {"dtr": False}, [("dtr", True), ("hold", 0.1), ("dtr", False)]),
        (Reset(by="rts", hold_s=2.0), {"rts": False}, [("rts", True), ("hold", 2.0), ("rts", False)]),
        (
            Reset(by="rts", active_low=False),
            {"rts": True},
            [("rts", False), ("hold", 0.1), ("rts", True)],
        ),
        (
            Reset(by="esp32", active_low=False),  # its circuit is fixed: the key means nothing here
            {"dtr": False, "rts": False},
            [("dtr", False), ("rts", True), ("hold", 0.1), ("rts", False)],
        ),
    ],
)
def test_lines_go_through_their_levels_and_end_where_the_board_runs(
    reset: Reset, levels: dict[str, bool], steps: list[tuple[str, object]]
) -> None:
    line = Recorder()
    pull(line, reset, line.pause)
    assert line.seen == steps
    assert idle(reset) == levels
    assert by_line(reset)


@pytest.mark.parametrize("by", ["none", "smp", "command"])
def test_other_resets_need_no_line(by: str) -> None:
    reset = Reset(by=by, command=("true",) if by == "command" else None)  # type: ignore[arg-type] - from the table
    assert not by_line(reset)
    assert idle(reset) == {}


def a_board(**reset: object) -> Board:
    return Board(name="exercise-1", place="boards.toml:3", link=Link(url="loop://"), reset=Reset(**reset))  # type: ignore[arg-type] - from tables


def test_smp_is_asked_and_a_line_is_pulled() -> None:
    asked: list[str] = []
    line = Recorder()
    reset_board(a_board(by="smp"), line, lambda: asked.append("reset"), pause=line.pause)
    assert (asked, line.seen) == (["reset"], [])
    reset_board(a_board(by="dtr"), line, lambda: asked.append("reset"), pause=line.pause)
    assert (asked, len(line.seen)) == (["reset"], 3)


def test_none_is_refused_and_says_where_to_write_it() -> None:
    with pytest.raises(BenchError) as caught:
        reset_board(a_board(by="none"), Recorder(), int)
    assert (caught.value.code, caught.value.where) == ("NO_RESET", "boards.toml:3")


def test_a_program_runs_without_a_shell(tmp_path: Path) -> None:
    script = "import sys, pathlib; pathlib.Path(sys.argv[1]).write_text('x')"
    reset_board(
        a_board(by="command", command=(sys.executable, "-c", script, f"{tmp_path}/a b;c")), Recorder(), int
    )
    assert (tmp_path / "a b;c").read_text() == "x"


@pytest.mark.parametrize(
    ("command", "timeout_s", "code", "told"),
    [
        (("exercise-no-such-program",), 60.0, "TOOL_MISSING", "is not installed"),
        (("/dev/null",), 60.0, "TOOL_MISSING", "cannot be started"),
        (
            (sys.executable, "-c", "print('relay 2\\nis stuck'); exit(3)"),
            60.0,
            "TOOL_FAILED",
            "relay 2 | is stuck",
        ),
        ((sys.executable, "-c", "exit(4)"), 60.0, "TOOL_FAILED", "status 4; it said: nothing"),
        (
            (sys.executable, "-uc", "print('waiting'); import time; time.sleep(600)"),
            0.5,
            "TOOL_TIMEOUT",
            "within 0.5 s; it said",
        ),
    ],
)
def test_what_goes_wrong_with_a_program(
    command: tuple[str, ...], timeout_s: float, code: str, told: str
) -> None:
    with pytest.raises(BenchError) as caught:
        run_tool(command, purpose="reset", timeout_s=timeout_s)
    assert caught.value.code == code
    assert told in caught.value.message
    assert not any(word in str(caught.value) for word in command[1:])  # a token may be among them


def test_a_program_gets_its_folder_and_environment_and_its_output_comes_back(tmp_path: Path) -> None:
    script = "import os; print(os.getcwd(), os.environ['EXERCISE'])"
    environ = {"EXERCISE": "yes", "PATH": ""}
    found = run_tool((sys.executable, "-c", script), purpose="x", folder=tmp_path, environ=environ)
    assert found == f"{tmp_path} yes\n"


def test_last_words_are_one_short_line() -> None:
    assert last_words(" a\n\n b \n") == "a | b"
    assert len(last_words("x" * 9_999)) == 300
