"""Runs of pytest with real boards: whose fault a failure is, and how a run ends."""

from __future__ import annotations

import subprocess
import xml.etree.ElementTree as ET
from pathlib import Path

import cbor2
import pytest

from hil.wire import trace
from hil.wire.record import Kind

from .conftest import EVERY_PLUGIN, Project, Ran, read_json

GREEN = """
def test_it_answers(hil_smp, hil_console, hil_trace, hil_artifacts):
    assert hil_smp.os.echo("hello") == "hello"
    hil_console.write("status\\n")
    hil_console.expect("you said: status")
    assert "Booting" not in hil_console.text()
    assert len(hil_trace.messages()) >= 1
    (hil_artifacts / "notes.txt").write_text("seen")

class TestParts:
    import pytest
    @pytest.mark.parametrize("text", ["a/b", "a b", "x" * 300])
    def test_text(self, hil_smp, text):
        assert hil_smp.os.echo(text[:9]) == text[:9]
"""


def properties(path: Path) -> list[dict[str, str]]:
    cases = ET.parse(path).getroot().iter("testcase")
    return [{one.get("name", ""): one.get("value", "") for one in case.iter("property")} for case in cases]


def test_a_green_run_keeps_evidence_that_can_be_read(project: Project) -> None:
    project.board(kind="notifier")
    project.tests(GREEN)
    subprocess.run(["git", "init", "-q"], cwd=project.root, check=True)
    ran = project.with_board(*EVERY_PLUGIN, "-v", "--junitxml", "out.xml", "--hil-seed", "7")
    assert ran.status == 0, ran.out
    assert "hil: exercise-1 (process); seed 7" in ran.out
    assert "exercise-1: firmware 1.4.1; evidence in" in ran.out
    assert "repeat with --hil-seed 7" in ran.out
    folders = list((project.root / "build" / "hil" / "exercise-1").iterdir())
    assert len(folders) == 4
    folder = ran.folder(project.root, "test_it_answers")
    names = {path.name for path in folder.iterdir()}
    states = {"state-before.cbor", "state-after.cbor"}
    assert names == {"console.log", "trace.pcapng", "faults.json", "board.json", "notes.txt", *states}
    about = read_json(folder / "board.json")
    assert about["result"] == "passed"
    assert (about["firmware"], about["hardware"], about["seed"]) == ("1.4.1", "rev 2", 7)
    assert "group.notifier" in about["capabilities"]
    assert about["entry"]["spawn"]["env"] == {"GRAVE": "***"}
    assert read_json(folder / "faults.json") == {"seed": 7, "faults": []}
    for state in states:
        assert cbor2.loads((folder / state).read_bytes())["installed"] == "1.4.1"
    log = (folder / "console.log").read_text().splitlines()
    assert any(
        line.endswith("< *** Booting Zephyr OS build v2.5.0 ***") for line in log
    )  # the boot was its own
    assert any(line.endswith("> status") for line in log)
    assert any(line.endswith("* power on") for line in log)
    records = trace.load(folder / "trace.pcapng")
    assert {record.kind for record in records} == {Kind.MESSAGE, Kind.TEXT, Kind.EVENT}
    told = properties(project.root / "out.xml")
    assert len(told) == 4
    assert told[0] == {
        "hil.board": "exercise-1",
        "hil.class": "peer",
        "hil.fw": "1.4.1",
        "hil.hw": "rev 2",
        "hil.seed": "7",
    }
    text = (project.root / "out.xml").read_text()
    for name in names:
        assert f"[[ATTACHMENT|{folder / name}]]" in text


def test_a_failure_shows_the_tests_own_line_and_none_of_ours(project: Project) -> None:
    project.board()
    project.tests(
        "def test_quiet(hil_console): hil_console.expect('never said', timeout_s=0.1)\n"
        "def test_well(hil_smp): assert hil_smp.os.echo('a') == 'b'\n"
    )
    ran = project.with_board()
    assert ran.status == 1, ran.out
    assert "The console did not say 'never said' within 0.1 s" in ran.out
    assert "console.py" not in ran.out
    assert "def expect" not in ran.out
    assert "def expect" in project.with_board("--full-trace").out
    (project.root / "hil-boards.toml").write_text("[board.ghost]\nlink = { url = '/dev/exercise-nothing' }\n")
    ran = project.run("--hil-board", "ghost")
    assert ran.status == 3, ran.out
    assert "There is no port /dev/exercise-nothing" in ran.out
    assert "hil/plugin/" not in ran.out


def test_a_failed_assertion_is_the_products(project: Project) -> None:
    project.board()
    project.tests(
        """
@hil.seed(5)
def test_wrong(hil_smp, hil_faults):
    faults = hil_faults({"kind": "delay", "seconds": 0.001, "probability": 1.0})
    assert hil_smp.os.echo("hello") == "HELLO"

def test_right(hil_smp, hil_link):
    assert hil_link.shaper is None
    assert hil_smp.os.echo("hello") == "hello"
"""
    )
    ran = project.with_board("--junitxml", "out.xml")
    assert ran.status == 1, ran.out
    assert "1 failed, 1 passed" in ran.out
    assert "the board failed; evidence in" in ran.out
    wrong = ran.folder(project.root, "test_wrong")
    assert read_json(wrong / "board.json")["health"] == "healthy"
    assert read_json(wrong / "board.json")["fault"] == "product"
    faults = read_json(wrong / "faults.json")
    assert faults["seed"] == 5
    assert [rule["kind"] for rule in faults["faults"][0]["plan"]] == ["delay"]
    assert faults["faults"][0]["log"]
    told = properties(project.root / "out.xml")
    assert [one.get("hil.fault") for one in told] == ["product", None]
    assert [one["hil.seed"] == "5" for one in told] == [True, False]


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ('link = { url = "/dev/tty-exercise-none" }', "tty-exercise-none"),
        ("", "is not there"),
    ],
)
def test_a_bench_that_cannot_do_its_part_is_told_apart(project: Project, more: str, says: str) -> None:
    if more:
        (project.root / "hil-boards.toml").write_text(f"[board.exercise-1]\n{more}\n")
    else:
        project.board(kind="no-such-kind")
    project.tests(GREEN)
    ran = project.with_board("--junitxml", "out.xml")
    assert ran.status == 3, ran.out
    assert says in ran.out
    assert "4 errors" in ran.out
    assert "4 failures of the bench, which say nothing about the firmware" in ran.out
    assert {one["hil.fault"] for one in properties(project.root / "out.xml")} == {"bench"}


def test_the_products_failure_wins_over_the_benchs(project: Project) -> None:
    project.board()
    project.tests(
        """
from hil.errors import BenchError
def test_bench(hil_smp):
    raise BenchError("HUB", "The hub does not answer.")
def test_product(hil_smp):
    assert hil_smp.os.echo("a") == "b"
"""
    )
    ran = project.with_board()
    assert ran.status == 1, ran.out
    assert "1 of 2 failures of the bench" in ran.out
    assert project.with_board("-k", "bench").status == 3


def test_a_board_that_somebody_holds_names_the_holder(project: Project) -> None:
    project.board()
    project.tests(
        """
import subprocess, sys
def test_outer(hil_smp, monkeypatch):
    again = [sys.executable, "-m", "pytest", "-p", "no:hypothesispytest", "-p", "no:asyncio", "-p", "no:schemathesis", "--hil-boards", "hil-boards.toml", "--hil-wait", "0.2", "inner.py"]
    inner = subprocess.run(again, capture_output=True, text=True)
    print(inner.stdout)
    assert inner.returncode == 3
    assert "Board exercise-1 is used by" in inner.stdout
    assert "pytest from test_board.py::test_outer" in inner.stdout
    assert "hil: waiting for" in inner.stdout
    assert "2 errors" in inner.stdout
"""
    )
    project.tests("def test_a(hil_board): pass\ndef test_b(hil_board): pass\n", "inner.py")
    ran = project.with_board()
    assert ran.status == 0, ran.out


HANGS = """
import pytest
from hil.errors import SmpFailure
def test_before(hil_smp):
    hil_smp.os.echo("a")
@hil.timeout(op=0.2)
def test_hangs(hil_smp):
    hil_smp.os.echo("hang")
def test_after(hil_smp):
    assert hil_smp.os.echo("a") == "a"
    assert hil_smp.timeout_s > 1
def test_more(hil_smp):
    assert hil_smp.os.echo("b") == "b"
"""


def test_a_hung_board_is_power_cycled_and_the_run_goes_on(project: Project) -> None:
    project.board()
    project.tests(HANGS)
    ran = project.with_board()
    assert ran.status == 1, ran.out
    assert "1 failed, 3 passed" in ran.out
    folder = ran.folder(project.root, "test_hangs")
    assert read_json(folder / "board.json")["health"] == "recovered"
    log = (folder / "console.log").read_text()
    assert log.index("* power off") < log.index("* power on") < log.index("* health: recovered")


def test_a_lost_board_ends_the_later_tests_quickly_and_says_where(project: Project) -> None:
    project.board(kind="dies")
    project.tests(HANGS)
    ran = project.with_board("--junitxml", "out.xml")
    assert ran.status == 1, ran.out  # what lost it is the product's
    assert "1 failed, 1 passed, 2 errors" in ran.out
    assert ran.out.count("The board exercise-1 was lost in test test_board.py::test_hangs.") >= 2
    assert read_json(ran.folder(project.root, "test_hangs") / "board.json")["health"] == "quarantined"
    told = properties(project.root / "out.xml")
    assert [one.get("hil.fault") for one in told] == [None, "product", "bench", "bench"]


def test_a_test_that_leaves_the_board_without_power_harms_nobody(project: Project) -> None:
    project.board()
    project.tests(
        """
def test_cuts(hil_power):
    hil_power.cut()
def test_next(hil_smp, hil_power, hil_console):
    assert hil_smp.os.echo("a") == "a"
    hil_power.cycle()
    hil_console.expect("Booting")
    hil_power.cut()
    hil_power.on()
    assert hil_smp.os.echo("a") == "a"
"""
    )
    ran = project.with_board()
    assert ran.status == 0, ran.out


LACKS = """
@hil.needs("group.notifier")
def test_marked(hil_smp): raise AssertionError
def test_fixture(hil_notifier): raise AssertionError
@hil.destructive
def test_erases(hil_smp): raise AssertionError
@hil.boards(tags=["desk3"])
def test_tag(hil_smp): raise AssertionError
@hil.boards(class_="other")
def test_class(hil_smp): raise AssertionError
@hil.needs("reset")
def test_reset(hil_smp): raise AssertionError
@hil.boards(class_="peer")
@hil.needs("os", "power.cut")
def test_fits(hil_smp): pass
"""
REASONS = {
    "test_marked": "board exercise-1 does not know group.notifier",
    "test_fixture": "board exercise-1 does not know group.notifier",
    "test_erases": "board exercise-1 is not for destructive tests",
    "test_tag": "board exercise-1 has not tag desk3",
    "test_class": "board exercise-1 has not class other",
    "test_reset": "board exercise-1 has no reset",
}


def test_what_a_board_lacks_skips_with_the_reason(project: Project) -> None:
    project.board()
    project.tests(LACKS)
    ran = project.with_board("-rs")
    assert ran.status == 0, ran.out
    assert "1 passed, 6 skipped" in ran.out
    for reason in REASONS.values():
        assert reason in ran.out
    # Nothing is kept of a test that was skipped.
    assert len(list((project.root / "build/hil/exercise-1").iterdir())) == 1


def test_what_a_board_lacks_fails_where_it_is_required(project: Project) -> None:
    project.board()
    project.tests(LACKS)
    ran = project.with_board("--hil-require", "--junitxml", "out.xml")
    assert ran.status == 1, ran.out
    assert "1 passed, 6 errors" in ran.out
    faults = [one.get("hil.fault") for one in properties(project.root / "out.xml")]
    assert faults == ["product", "product", "bench", "bench", "bench", "bench", None]
    assert project.with_board("--hil-require", "-k", "tag").status == 3


def test_a_destructive_test_runs_where_the_file_allows_it(project: Project) -> None:
    project.board(more="destructive = true")
    project.tests("@hil.destructive\ndef test_erases(hil_smp): pass\n")
    assert "1 passed" in project.with_board().out


def test_a_test_is_held_to_its_time(project: Project) -> None:
    project.board()
    project.tests(
        """
import threading
@hil.timeout(test=0.2)
def test_slow(hil_smp):
    threading.Event().wait(60)
def test_next(hil_smp):
    assert hil_smp.os.echo("a") == "a"
"""
    )
    ran = project.with_board()
    assert ran.status == 1, ran.out
    assert "The test took longer than 0.2 s." in ran.out
    assert "1 failed, 1 passed" in ran.out


def two_boards(project: Project) -> Ran:
    project.board("exercise-1")
    project.board("exercise-2")
    project.tests(
        """
import os, pathlib, pytest
@pytest.mark.parametrize("number", range(6))
def test_text(hil_smp, hil_board, number, request):
    assert hil_smp.os.echo(str(number)) == str(number)
    seen = pathlib.Path("seen") / os.environ["PYTEST_XDIST_WORKER"]
    seen.mkdir(parents=True, exist_ok=True)
    (seen / hil_board.board.name).touch()
"""
    )
    return project.with_board("-n", "2", "--dist", "load", "--junitxml", "out.xml")


def test_each_worker_has_a_board_of_its_own(project: Project) -> None:
    ran = two_boards(project)
    assert ran.status == 0, ran.out
    assert "6 passed" in ran.out
    seen = [sorted(path.name for path in worker.iterdir()) for worker in (project.root / "seen").iterdir()]
    assert sorted(seen) == [["exercise-1"], ["exercise-2"]]
    told = properties(project.root / "out.xml")
    assert {one["hil.board"] for one in told} == {"exercise-1", "exercise-2"}
    assert len({one["hil.seed"] for one in told}) == 1
    folders = [path for board in (project.root / "build/hil").iterdir() for path in board.iterdir()]
    assert len(folders) == 6
    assert all((folder / "board.json").is_file() for folder in folders)
    assert (project.root / "out.xml").read_text().count("[[ATTACHMENT|") == 6 * 4


def test_bench_failures_of_workers_are_counted(project: Project) -> None:
    project.board("exercise-1", kind="no-such-kind")
    project.tests("def test_a(hil_smp): pass\n")
    ran = project.with_board("-n", "1")
    assert ran.status == 3, ran.out
    assert "1 failure of the bench" in ran.out


def test_the_board_with_the_right_tag_is_taken_though_it_is_not_the_first(project: Project) -> None:
    project.board("exercise-1")
    project.board("exercise-2", more='tags = ["desk3"]')
    project.tests(
        """
@hil.boards(tags=["desk3"], class_="peer")
def test_tag(hil_board):
    assert hil_board.board.name == "exercise-2"
"""
    )
    assert "1 passed" in project.with_board().out
