"""Edges of sweep, replay and bridge: what has done nothing is not good, and users may do as they like."""

from __future__ import annotations

import math
import xml.etree.ElementTree as ET
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from gateway.cli.run import run
from hil.cli import powersweep
from hil.cli.bridge import _until_asked
from hil.cli.powersweep import _Told
from hil.cli.report import read
from hil.errors import BenchError, Timeout
from hil.sweep.junit import junit_xml
from hil.sweep.points import OFFSET_MAX, Cut, Point, parse
from hil.sweep.scenario import attempt, named
from hil.sweep.sweep import Result
from hil.wire.trace import Trace
from keys.errors import InputError

SCENARIO = """
from hil.errors import Timeout
IMAGES = (b"x",)
def prepare(session): raise session
def fails(session): raise session
"""


def result(*, reached: bool, broken: dict[str, str] | None = None) -> Result:
    return Result(Point(Cut.FRAMES, 3), reached, "old", broken or {}, 1.0, "")


@pytest.fixture
def scenarios(tmp_path: Path, request: pytest.FixtureRequest) -> tuple[str, list[str]]:
    name = f"exercise_{abs(hash(request.node.name))}"
    (tmp_path / f"{name}.py").write_text(SCENARIO)
    (tmp_path / f"{name}_bad.py").write_text("def (")
    return name, [str(tmp_path)]


def test_what_a_users_scenario_raises_is_how_it_ended(scenarios: tuple[str, list[str]]) -> None:
    name, path = scenarios
    mine = named(f"{name}:fails", path)
    broken: Any = ValueError("no slot")
    assert attempt(mine, broken) == "ValueError: no slot"
    with pytest.raises(BenchError, match=r"cannot be prepared: ValueError: no slot") as caught:
        mine.prepare(broken)
    assert caught.value.code == "SCENARIO_FAILED"
    late: Any = Timeout("late")
    assert attempt(mine, late).startswith("SMP_TIMEOUT")
    with pytest.raises(Timeout):
        mine.prepare(late)
    mistake: Any = InputError("X", "wrong")
    with pytest.raises(InputError, match="wrong"):
        attempt(mine, mistake)


def test_a_users_module_that_is_no_python_is_told_in_one_line(scenarios: tuple[str, list[str]]) -> None:
    name, path = scenarios
    with pytest.raises(InputError, match="SyntaxError") as caught:
        named(f"{name}_bad:run", path)
    assert caught.value.code == "SCENARIO"


def test_an_offset_may_lie_anywhere_in_a_large_image() -> None:
    assert parse(Cut.OFFSETS, "1500000") == [Point(Cut.OFFSETS, 1_500_000)]
    for cut, text in ((Cut.OFFSETS, str(OFFSET_MAX + 1)), (Cut.FRAMES, "1500000")):
        with pytest.raises(InputError, match="out of range"):
            parse(cut, text)


def test_a_point_that_cut_nothing_is_skipped_in_junit_and_the_board_has_its_name(tmp_path: Path) -> None:
    path = tmp_path / "sweep.xml"
    path.write_text(
        junit_xml(
            "b", "s", [result(reached=True), result(reached=False), result(reached=False, broken={"x": "y"})]
        )
    )
    assert [(case.result.value, case.board) for case in read(path)] == [
        ("passed", "b"),
        ("skipped", "b"),
        ("failed", "b"),
    ]
    assert ET.parse(path).getroot().get("skipped") == "1"


def test_a_sweep_that_cut_nothing_has_proved_nothing() -> None:
    told = _Told("s", "b", as_json=True, junit=None)
    assert told.idle
    told.take(result(reached=False))
    assert told.idle
    told.take(result(reached=True))
    assert not told.idle


def test_a_junit_file_that_cannot_be_written_is_found_out_before_anything_is_cut(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(powersweep, "held", lambda *_, **__: SimpleNamespace())  # it would fail otherwise
    (tmp_path / "new.bin").write_bytes(b"image")
    arguments = ["powersweep", "b", "--image", str(tmp_path / "new.bin")]
    assert run([*arguments, "--junitxml", str(tmp_path / "none" / "x.xml")], "hil") == 3
    assert "none/x.xml: The JUnit file cannot be written: No such file" in capsys.readouterr().err


def test_a_trace_without_a_request_is_not_replayed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Trace(tmp_path / "empty.pcapng").close()
    assert run(["replay", str(tmp_path / "empty.pcapng"), "--board", "nobody"], "hil") == 2
    assert "No request to a board is in the trace." in capsys.readouterr().err


@pytest.mark.parametrize("seconds", [math.inf, 1e300])
def test_a_bridge_may_run_for_ever(seconds: float) -> None:
    with _until_asked(seconds) as stop:
        assert not stop.wait(0.2)
