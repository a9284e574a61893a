"""The parts of a sweep by themselves: scenarios, reports, and a board that is none of ours."""

from __future__ import annotations

import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from hil.bench.board import Board, Boot, Link, Power, Reset
from hil.bench.session import Session
from hil.errors import BenchError
from hil.sweep import scenario as scenarios
from hil.sweep.invariants import broken
from hil.sweep.junit import junit_xml
from hil.sweep.look import look
from hil.sweep.points import Cut, Point
from hil.sweep.scenario import await_restart, update, upload
from hil.sweep.sweep import Result, Sweep, claim
from keys.errors import InputError
from tests.hil.image_peer import ImagePeer
from tests.hil.sweeping import NEW_FILE, WAIT_S

# Scenarios


def test_messages_are_listed_strictly(tmp_path: Path) -> None:
    listed = tmp_path / "messages.toml"
    (tmp_path / "a.bin").write_bytes(b"a")
    listed.write_text('[[message]]\nfile = "a.bin"\ntopic = "t"\n')
    assert update(tmp_path).name == "update"
    for text, says in (
        ("[[", "wrong"),
        ("", "needs [[message]]"),
        ("x = 1\n", "needs [[message]]"),
        ("message = 3\n", "needs [[message]]"),
        ("message = [3]\n", "file and topic"),
        ('[[message]]\nfile = "a.bin"\n', "file and topic"),
        ('[[message]]\nfile = "../a.bin"\ntopic = "t"\n', "same folder"),
        ('[[message]]\nfile = "a.bin"\ntopic = 3\n', "topic is text"),
        ('[[message]]\nfile = "none.bin"\ntopic = "t"\n', "cannot be read"),
        ('[[message]]\nfile = "empty.bin"\ntopic = "t"\n', "0 bytes"),
    ):
        (tmp_path / "empty.bin").write_bytes(b"")
        listed.write_text(text)
        with pytest.raises(InputError) as caught:
            update(tmp_path)
        assert caught.value.code == "MESSAGES"
        assert says in str(caught.value)
    listed.unlink()
    with pytest.raises(InputError, match="cannot be read"):
        update(tmp_path)


def test_a_scenario_of_ones_own_is_found_by_name(tmp_path: Path) -> None:
    (tmp_path / "exercise_scenario_a.py").write_text(
        "IMAGES = [b'x']\ndef run(session): return session\ndef prepare(session): session.append(1)\n"
    )
    path = list(sys.path)
    found = scenarios.named("exercise_scenario_a:run", [str(tmp_path)])
    assert (found.name, found.images, sys.path) == ("exercise_scenario_a:run", (b"x",), path)
    for name in ("exercise_scenario_a:none", "exercise_none:run", "exercise_scenario_a", ":", ""):
        with pytest.raises(InputError) as caught:
            scenarios.named(name, [str(tmp_path)])
        assert caught.value.code == "SCENARIO"
    assert sys.path == path


# Other people's boards: no notifier group, no banner, power by a command


def foreign(peer: ImagePeer) -> Board:
    return Board(
        name="exercise-foreign",
        link=Link(url=peer.url),
        power=Power(driver="command", on=("true",), off=("true",), off_s=0.0, settle_s=0.0),
        reset=Reset(by="smp"),
        boot=Boot(timeout_s=WAIT_S),
        destructive=True,
    )


def test_a_board_without_the_notifier_group_is_held_to_what_it_can_say(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("hil.sweep.scenario.RESTART_S", 0.05)
    with ImagePeer() as peer, Session.open(foreign(peer), pause=lambda _: None) as session:
        sweep = Sweep(session, upload(NEW_FILE))
        calm = sweep.undisturbed()
        assert (calm.writes, calm.after.device, calm.after.screen) == (0, None, None)
        (result,) = sweep.run([Point(Cut.FRAMES, 2)], calm)
        assert (result.reached, result.outcome, result.broken) == (True, "old", {})
        with pytest.raises(BenchError) as caught:
            sweep.points(Cut.WRITES, calm, None)
        assert caught.value.code == "NO_FAULTS"
        for number, point in enumerate(sweep.points(Cut.OFFSETS, calm, 2)):
            assert point.at == len(NEW_FILE) * (number + 1) // 3
        await_restart(session, session.line.mark())
        peer.shown = b"other"
        with pytest.raises(BenchError) as caught:
            scenarios.attempt(upload(NEW_FILE), session)
        assert caught.value.code == "NO_SUCH_IMAGE"
        peer.broken = True
        state = look(session)
        assert state.slots is None
        assert "img.state" in state.trouble
        assert list(broken(calm.after, state, calm.known)) == ["readable"]


def test_junit_holds_any_text() -> None:
    result = Result(Point(Cut.CONSOLE, pattern="\x1b<&"), True, "old", {"signed": "\x00\ud800"}, 0.5, "")
    root = ET.fromstring(junit_xml("b", "s", [result]))
    (failure,) = root.iter("failure")
    assert failure.text == "signed: ??"


def test_only_all_writes_are_called_exhaustive() -> None:
    assert "exhaustive for the device" in claim(Cut.WRITES, exhaustive=True)
    assert "some of the writes" in claim(Cut.WRITES, exhaustive=False)
    for cut in (Cut.FRAMES, Cut.OFFSETS, Cut.CONSOLE, Cut.SECONDS):
        assert "samples" in claim(cut, exhaustive=True)
