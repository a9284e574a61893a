"""What is typed wrongly is told in one line; a run without boards notices nothing of the plugin."""

from __future__ import annotations

import subprocess
import sys

import pytest

from .conftest import EVERY_PLUGIN, Project

pytest_plugins = ("pytester",)
ONE = "def test_one(hil_smp): pass\n"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--hil-board", "exercise-2"), "There is no board 'exercise-2'. Did you mean 'exercise-1'?"),
        (("--hil-boards", "none.toml"), "none.toml"),
        (("--hil-boards", "bad.toml"), "bad.toml:2"),
        (("--hil-board", "exercise-1", "--hil-seed", "x"), "'x' is no whole number"),
        (("--hil-board", "exercise-1", "--hil-seed", "-1"), "'-1' is no whole number"),
        (("--hil-board", "exercise-1", "--hil-wait", "soon"), "'soon' is no number of seconds"),
        (("--hil-board", "exercise-1", "--hil-wait", "nan"), "'nan' is no number of seconds"),
        (("--hil-bord", "exercise-1"), "unrecognized arguments: --hil-bord"),
        (("--hil-board", "exercise-1", "-n", "2"), "-n 2 needs 2 boards"),
    ],
)
def test_wrong_options_end_with_a_clean_usage_error(
    pytester: pytest.Pytester, project: Project, arguments: tuple[str, ...], says: str
) -> None:
    project.board()
    (project.root / "bad.toml").write_text('[board.exercise-1]\nclas = "x"\n')
    project.tests(ONE)
    ran = project.run_here(pytester, *arguments)
    assert ran.status == 4, ran.out
    assert says in ran.out
    assert "Traceback" not in ran.out
    assert "INTERNALERROR" not in ran.out


@pytest.mark.parametrize(
    ("mark", "says"),
    [
        (
            '@hil.needs("group.notifer")',
            "'group.notifer' is no capability of a board. Did you mean 'group.notifier'?",
        ),
        ("@hil.needs(3)", "3 is no name"),
        ("@hil.timeout(test=-1)", "-1 is no number of seconds"),
        ("@hil.timeout(test=1e300)", "1e+300 is no number of seconds up to 1,000,000"),
        ('@hil.timeout(op=float("nan"))', "nan is no number of seconds"),
        ('@hil.timeout(op="1")', "'1' is no number of seconds"),
        ('@hil.seed("one")', "'one' is no whole number"),
        ("@hil.boards(tags=[1])", "1 is no name"),
        ("@pytest.mark.hil_timeout(seconds=1)", "hil_timeout takes op, test and nothing else"),
        ("@pytest.mark.hil_seed(1, 2)", "hil_seed takes number and nothing else"),
        ("@pytest.mark.hil_ned('os')", "hil_ned"),
    ],
)
def test_wrong_marks_end_the_run_at_collection(
    pytester: pytest.Pytester, project: Project, mark: str, says: str
) -> None:
    project.tests(f"import pytest\n{mark}\n{ONE}")
    ran = project.run_here(pytester)
    assert ran.status in {2, 4}, ran.out  # 2 where pytest itself refuses the mark
    assert says in ran.out
    assert "INTERNALERROR" not in ran.out


def test_without_a_board_tests_are_skipped_with_the_reason(project: Project) -> None:
    project.tests(ONE + "def test_host(): pass\n")
    ran = project.run(*EVERY_PLUGIN, "-rs")
    assert ran.status == 0, ran.out
    assert "1 passed, 1 skipped" in ran.out
    assert "no board was chosen (--hil-board NAME, or --hil-boards FILE)" in ran.out
    assert "hil:" not in ran.out
    assert not (project.root / "build").exists()
    assert not list(project.locks.iterdir())


def test_without_a_board_a_required_one_is_the_benchs_failure(project: Project) -> None:
    project.tests(ONE)
    ran = project.run("--hil-require")
    assert "hil: no board was chosen; seed" in ran.out
    assert ran.status == 3, ran.out
    assert "No board was chosen" in ran.out


def test_a_fixture_asked_for_by_name_works_and_skips_too(project: Project) -> None:
    project.board()
    project.tests(
        """
def test_late(request):
    smp = request.getfixturevalue("hil_smp")
    assert smp.os.echo("a") == "a"
def test_lacks(request):
    request.getfixturevalue("hil_notifier")
"""
    )
    assert "2 skipped" in project.run().out
    ran = project.with_board("-rs")
    assert "1 passed, 1 skipped" in ran.out
    assert "does not know group.notifier" in ran.out
    assert (ran.folder(project.root, "test_late") / "board.json").is_file()


def test_the_board_file_is_found_above_and_by_the_environment(project: Project) -> None:
    project.board()
    below = project.root / "tests" / "deep"
    below.mkdir(parents=True)
    (below / "test_one.py").write_text(ONE)
    inside = subprocess.run(
        project.command("--hil-board", "exercise-1", "--hil-artifacts", "kept"),
        cwd=below,
        env=project.environ(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert inside.returncode == 0, inside.stdout
    assert list((below / "kept" / "exercise-1").iterdir())
    (project.root / "hil-boards.toml").rename(project.root / "elsewhere.toml")
    project.tests(ONE)
    ran = project.run("--hil-board", "exercise-1", "test_board.py", HIL_BOARDS="elsewhere.toml")
    assert ran.status == 0, ran.out
    assert project.run("--hil-board", "exercise-1").status == 4


def test_loading_the_plugin_imports_nothing_heavy() -> None:
    code = (
        "import sys, pytest; before = set(sys.modules); import hil.plugin, hil.plugin.mark;"
        "print(sorted({name.partition('.')[0] for name in set(sys.modules) - before}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.replace("'", "").strip("[]\n").split(", "))
    assert not loaded & {"pydantic", "serial", "cbor2", "cryptography", "advisories", "keys", "paho", "typer"}


def test_the_evidence_folder_that_cannot_be_written_is_the_benchs_failure(project: Project) -> None:
    project.board()
    project.tests(ONE)
    (project.root / "file").write_text("")
    ran = project.with_board("--hil-artifacts", "file")
    assert ran.status == 3, ran.out
    assert "The evidence cannot be written" in ran.out


def test_power_is_kept_where_asked(project: Project) -> None:
    touch = [sys.executable, "-c", "import sys, pathlib; open('switched', 'a').write(sys.argv[1])"]
    on, off = ([*touch, word] for word in ("1", "0"))
    power = f'power = {{ driver = "command", on = {on}, off = {off}, settle_s = 0, off_s = 0 }}'.replace(
        "'", '"'
    )
    power = power.replace('open("switched", "a")', "open('switched', 'a')")
    project.board(more=power)
    project.tests(ONE)
    assert project.with_board("--hil-keep-power").status == 0
    assert (project.root / "switched").read_text() == "1"
    assert project.with_board().status == 0
    assert (project.root / "switched").read_text() == "110"


def test_a_power_that_does_not_go_off_is_told_at_the_end(project: Project) -> None:
    yes = f'["{sys.executable}", "-c", "pass"]'
    no = f'["{sys.executable}", "-c", "raise SystemExit(1)"]'
    project.board(more=f'power = {{ driver = "command", on = {yes}, off = {no}, settle_s = 0, off_s = 0 }}')
    project.tests(ONE)
    for more in ((), ("-n", "1")):
        ran = project.with_board(*more)
        assert ran.status == 3, ran.out
        assert "1 passed" in ran.out
        assert "bench: " in ran.out


@pytest.mark.parametrize("arguments", [("--hil-board", "exercise-1"), ("--hil-require",)])
def test_a_part_that_only_a_bench_has_is_named_where_it_is_missing(
    project: Project, arguments: tuple[str, ...]
) -> None:
    (project.root / "serial.py").write_text(
        "raise ModuleNotFoundError(\"No module named 'serial'\", name='serial')"
    )
    project.board()
    project.tests(ONE)
    ran = project.run(*arguments)
    assert ran.status == 4, ran.out
    assert "A board needs serial. Run: pip install 'tocsin[hil]'" in ran.out
    assert "1 skipped" in project.run().out
