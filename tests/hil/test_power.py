"""Power: what each driver does and can do, a cut at a moment, a person who is asked."""

from __future__ import annotations

import os
import sys
import threading
import tty
from pathlib import Path
from typing import Any

import pytest

from hil.bench.board import Board, Link, Power
from hil.bench.power import ABILITIES, ask_person, power_of
from hil.errors import BenchError

pytestmark = pytest.mark.usefixtures("left_nothing")
BOUND_S = 30.0


def a_board(folder: Path = Path(), **power: Any) -> Board:
    return Board(
        name="exercise-1",
        place="boards.toml:9",
        folder=folder,
        link=Link(url="loop://"),
        power=Power(**power),
    )


def writing(text: str) -> tuple[str, ...]:
    return (sys.executable, "-c", f"open('seen', 'a').write('{text} ')")


@pytest.mark.parametrize("driver", sorted(ABILITIES))
def test_each_driver_states_what_it_can(driver: str) -> None:
    found = power_of(a_board(driver=driver), None, {})
    assert (found.cut, found.cycle, found.timed_cut) == {
        "none": (False, False, False),
        "manual": (True, True, False),
    }.get(driver, (True, True, True))


def test_commands_run_in_the_board_files_folder(tmp_path: Path) -> None:
    board = a_board(tmp_path, driver="command", on=writing("on"), off=writing("off"))
    found = power_of(board, None, os.environ)
    found.on()
    found.off()
    found.on()
    assert (tmp_path / "seen").read_text() == "on off on "


def test_a_hub_is_told_hub_and_port(tmp_path: Path) -> None:
    program = tmp_path / "uhubctl"
    program.write_text(f'#!/bin/sh\necho "$*" >> {tmp_path}/seen\n')
    program.chmod(0o755)
    found = power_of(
        a_board(driver="uhubctl", hub="1-1.4", port=2), None, {"PATH": f"{tmp_path}:/bin:/usr/bin"}
    )
    found.off()
    found.on()
    assert (tmp_path / "seen").read_text() == "-l 1-1.4 -p 2 -a off\n-l 1-1.4 -p 2 -a on\n"


def test_a_hub_without_its_program_is_told() -> None:
    found = power_of(a_board(driver="uhubctl", hub="1-1.4", port=2), None, {"PATH": "/nowhere"})
    with pytest.raises(BenchError) as caught:
        found.off()
    assert caught.value.code == "TOOL_MISSING"


def test_without_a_driver_nothing_is_switched() -> None:
    found = power_of(a_board(), None, {})
    for use in (found.on, found.off):
        with pytest.raises(BenchError) as caught:
            use()
        assert (caught.value.code, caught.value.where) == ("NO_POWER", "boards.toml:9")


# -- a cut at a moment


def test_a_timed_cut_comes_by_itself_and_power_on_waits_for_it(tmp_path: Path) -> None:
    found = power_of(
        a_board(tmp_path, driver="command", on=writing("on"), off=writing("off")), None, os.environ
    )
    told = threading.Event()
    found.off_after(0.01, told.set)
    assert told.wait(BOUND_S)
    found.off_after(0.01)
    found.on()
    assert (tmp_path / "seen").read_text() == "off off on "


def test_a_timed_cut_can_be_taken_back(tmp_path: Path) -> None:
    found = power_of(
        a_board(tmp_path, driver="command", on=writing("on"), off=writing("off")), None, os.environ
    )
    found.off_after(3_600)
    found.settle(cancel=True)
    found.settle()
    assert not (tmp_path / "seen").exists()


def test_what_a_timed_cut_met_is_raised_once() -> None:
    found = power_of(a_board(driver="command", on=("true",), off=("false",)), None, os.environ)
    found.off_after(0.01)
    with pytest.raises(BenchError) as caught:
        found.settle()
    assert caught.value.code == "TOOL_FAILED"
    found.settle()
    found.on()


@pytest.mark.parametrize("driver", ["none", "manual"])
def test_who_cannot_keep_time_says_so(driver: str) -> None:
    with pytest.raises(BenchError) as caught:
        power_of(a_board(driver=driver), None, {}).off_after(1.0)
    assert caught.value.code == "NO_TIMED_CUT"


# -- by hand


def test_a_person_is_asked_for_each_switch() -> None:
    asked: list[str] = []
    found = power_of(a_board(driver="manual"), None, {}, asked.append)
    found.off()
    found.on()
    assert asked == ["Switch exercise-1 off", "Switch exercise-1 on"]


def test_a_person_answers_on_the_terminal() -> None:
    primary, secondary = os.openpty()
    tty.setraw(secondary)
    os.write(primary, b"done\n")
    try:
        ask_person({}, Path(os.ttyname(secondary)))("Switch it off")
        assert os.read(primary, 100) == b"Switch it off and press Enter: "
    finally:
        os.close(primary)
        os.close(secondary)


@pytest.mark.parametrize(("environ", "terminal"), [({"CI": "true"}, "/dev/null"), ({}, "/dev/exercise-none")])
def test_where_nobody_is_it_is_refused(environ: dict[str, str], terminal: str) -> None:
    with pytest.raises(BenchError, match=r"Somebody would have to act \(Switch it\)") as caught:
        ask_person(environ, Path(terminal))("Switch it")
    assert caught.value.code == "NOBODY_THERE"
