"""A trace's requests are sent to a board again: what may not be repeated is not, and differences are told."""

from __future__ import annotations

import json
import struct
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from advisories import mcuboot
from gateway.cli.run import run
from hil.bench.session import Session
from hil.sweep.resend import resend
from hil.wire import trace
from hil.wire.header import Header
from hil.wire.record import Direction, Kind, Record
from hil.wire.replay import again, differences, steps
from hil.wire.spell import body
from hil.wire.trace import Trace
from tests.hil import sim_board
from tests.hil.sim_board import board_at

TO, FROM = Direction.TO_BOARD, Direction.FROM_BOARD
OLD_FILE = mcuboot.pack(b"old" * 300, (1, 0, 0, 0))
NEW_FILE = mcuboot.pack(b"new" * 300, (1, 0, 1, 0))


def smp(op: int, group: int, command: int, fields: Any, sequence: int = 1) -> bytes:
    data = fields if isinstance(fields, bytes) else cbor2.dumps(fields)
    return struct.pack(">BBHHBB", op | 8, 0, len(data), group, sequence, command) + data


def sent(data: bytes) -> Record:
    return Record(1.0, 0, TO, Kind.MESSAGE, data)


def came(data: bytes) -> Record:
    return Record(2.0, 0, FROM, Kind.MESSAGE, data)


STATE, STATED = smp(0, 1, 0, {}), smp(1, 1, 0, {"images": []})
RESET = smp(2, 0, 5, {}, 9)


def test_a_repetition_is_one_request_whose_answer_is_that_to_either() -> None:
    twice = [sent(STATE), sent(smp(0, 1, 0, {}, 2)), came(smp(1, 1, 0, {"images": [1]}, 2)), sent(STATE)]
    first, second = steps(twice)
    assert (first.place, first.command, body(first.answer or b"")) == (1, "img.state", {"images": [1]})
    assert (second.place, second.answer) == (4, None)
    other = [sent(STATE), sent(smp(0, 1, 0, {"x": 1}, 2))]
    assert len(steps(other)) == 2


def test_answers_find_their_requests_also_when_several_are_under_way() -> None:
    uploads = [smp(2, 1, 1, {"off": n, "data": b"x"}, n) for n in (1, 2)]
    story = [
        sent(uploads[0]),
        sent(uploads[1]),
        came(smp(3, 1, 1, {"off": 3}, 2)),
        came(smp(3, 1, 1, {"off": 2}, 1)),
    ]
    assert [body(one.answer or b"") for one in steps(story, destructive=True)] == [{"off": 2}, {"off": 3}]
    assert steps([came(STATED), sent(b"123"), came(RESET)]) == []


@pytest.mark.parametrize(
    ("message", "why"),
    [
        (STATE, ""),
        (smp(2, 0, 0, {"d": "x"}), ""),
        (RESET, "it may act twice"),
        (smp(2, 1, 0, {"confirm": True}), "it may act twice"),
        (smp(2, 1, 1, {"off": 0, "data": b"x"}), "it changes what the board runs or is"),
        (smp(2, 400, 9, {"what": "erase", "key": 1}), "it changes what the board runs or is"),
        (smp(2, 400, 2, {"sha": b"s", "topic": "t", "key": 1}), ""),
        (smp(2, 8, 0, {"off": 0}), "nobody knows what it does"),
        (smp(0, 8, 0, {}), ""),
    ],
)
def test_only_what_may_be_repeated_is_sent_unless_destruction_is_wished(message: bytes, why: str) -> None:
    assert [one.skip for one in steps([sent(message)])] == [why]
    assert [one.skip for one in steps([sent(message)], destructive=True)] == [""]


def test_what_was_blanked_in_evidence_is_not_sent() -> None:
    put = smp(2, 400, 1, {"sha": b"s" * 32, "off": 0, "len": 3, "data": b"***"})
    submit = smp(2, 400, 2, {"sha": b"s" * 32, "topic": "t", "key": 1})
    key = smp(2, 400, 9, {"what": "key", "value": b"*" * 32, "key": 2})
    whole = smp(2, 400, 1, {"sha": b"t" * 32, "off": 0, "len": 3, "data": b"*a*"})
    found = [one.skip for one in steps(map(sent, [put, submit, key, whole]), destructive=True)]
    assert found == ["its content was blanked in the trace"] * 3 + [""]


def test_a_request_goes_out_with_another_sequence_key_and_group() -> None:
    submit = smp(2, 500, 2, {"sha": b"s", "topic": "t", "key": 7}, 3)
    (step,) = steps([sent(submit)], group=500)
    keys: dict[Any, int] = {}
    message = again(step, 200, keys, 99, 400)
    header = Header.peek(message)
    assert header is not None
    assert (header.sequence, header.group, header.length) == (200, 400, len(message) - 8)
    assert body(message) == {"sha": b"s", "topic": "t", "key": 99}
    assert body(again(step, 201, keys, 5)) == {"sha": b"s", "topic": "t", "key": 99}
    (plain,) = steps([sent(STATE)])
    assert again(plain, 77, keys, 5) == STATE[:6] + bytes([77]) + STATE[7:]
    broken = smp(2, 400, 2, b"\xff", 3)
    (step,) = steps([sent(broken)])
    assert again(step, 4, keys, 5)[8:] == b"\xff"


@pytest.mark.parametrize(
    ("command", "old", "new", "lines"),
    [
        ((1, 0), {"images": [{"slot": 0, "version": "1"}]}, {"images": [{"slot": 0, "version": "2"}]},
         ['images[0].version: "1" was, "2" is']),
        ((1, 0), {"images": []}, {"images": [1]}, ["images: [] was, [1] is"]),
        ((1, 0), {"a": 1}, {"b": 2}, ["a: 1 was, and is gone", "b: 2 is new"]),
        ((1, 0), {"a": 1}, {"a": True}, ["a: 1 was, true is"]),
        ((1, 0), {"rc": 0, "a": 1}, {"a": 1}, []),
        ((1, 0), {"a": 1}, {"rc": 8}, ["rc: 0 was, 8 is"]),
        ((1, 0), {"rc": 8}, {"err": {"group": 1, "rc": 8}, "rsn": "x"}, []),
        ((0, 3), {"x": 1}, {"y": 2}, []),
        ((2, 0), {"name": "s", "fields": {"x": 1}}, {"name": "s", "fields": {"x": 2}}, []),
        ((400, 0), {"fw": "1", "boot": b"a"}, {"fw": "2", "boot": b"b"}, ['fw: "1" was, "2" is']),
        ((400, 8), {"utc": 1}, {"utc": 2}, []),
        ((1, 0), b"\xff", {}, ["one of the answers is no CBOR map"]),
        ((400, 3), {"id": "a", "lines": ["***", "*"]}, {"id": "a", "lines": ["Upd", "now"]}, []),
        ((400, 3), {"id": "*a", "lines": [""]}, {"id": "b", "lines": ["x"]},
         ['id: "*a" was, "b" is', 'lines[0]: "" was, "x" is']),
        ((400, 3), b"***", {"id": "a"}, []),
    ],
)  # fmt: skip
def test_answers_are_compared_but_for_what_differs_from_run_to_run(
    command: tuple[int, int], old: Any, new: Any, lines: list[str]
) -> None:
    (step,) = steps([sent(smp(0, *command, {})), came(smp(1, *command, old))])
    assert differences(step, smp(1, *command, new, 44)) == lines


@given(st.lists(st.tuples(st.booleans(), st.binary(max_size=40)), max_size=12))
def test_any_trace_gives_steps(story: list[tuple[bool, bytes]]) -> None:
    found = steps([sent(data) if to else came(data) for to, data in story])
    for one in found:
        again(one, 1, {}, 1)
        differences(one, b"12345678")


# A real board


@pytest.fixture
def story(tmp_path: Path) -> Path:
    """A trace of an update of the board in ``home``, and the board's folder as it was before in ``again``."""
    for name in ("home", "again"):
        sim_board.make_home(tmp_path / name, OLD_FILE)
    with (
        Trace(tmp_path / "t.pcapng") as tap,
        Session.open(board_at(tmp_path / "home"), taps=[tap]) as session,
    ):
        smp_ = session.smp
        assert smp_.os.echo("hello") == "hello"
        smp_.notifier.info()
        smp_.notifier.put(b"message" * 99)
        smp_.img.upload(NEW_FILE)
        smp_.img.test(mcuboot.parse(NEW_FILE).digest)
        session.reset()
        smp_.img.confirm()
        smp_.img.state()
        smp_.notifier.state()
    return tmp_path / "t.pcapng"


@pytest.mark.usefixtures("left_nothing")
def test_a_trace_is_played_to_another_board_of_the_same_kind(story: Path, tmp_path: Path) -> None:
    records = trace.load(story)
    with Session.open(board_at(tmp_path / "again")) as session:
        outcomes = list(resend(session, steps(records, destructive=True), timing=True, pause=lambda _: None))
    assert [outcome for outcome in outcomes if outcome.verdict != "same"] == []
    assert {outcome.step.command for outcome in outcomes} >= {
        "img.upload",
        "os.reset",
        "notifier.put",
        "img.state",
    }


@pytest.mark.usefixtures("left_nothing")
def test_without_leave_nothing_is_changed_and_the_differences_are_told(story: Path, tmp_path: Path) -> None:
    pauses: list[float] = []
    with Session.open(board_at(tmp_path / "again")) as session:
        before = session.smp.img.state()
        outcomes = list(resend(session, steps(trace.load(story)), timing=True, pause=pauses.append))
        assert session.smp.img.state() == before
    by_name = {outcome.step.command: outcome for outcome in outcomes}
    assert by_name["os.reset"].verdict == by_name["img.upload"].verdict == "skipped"
    assert by_name["os.echo"].verdict == by_name["notifier.put"].verdict == "same"
    assert by_name["img.state"].failed
    assert any("images" in line for line in by_name["img.state"].lines)
    assert any(line.startswith("installed: ") for line in by_name["notifier.state"].lines)
    assert max(pauses) > 0


class Mute:
    """A session whose board says nothing."""

    def __init__(self) -> None:
        self.smp = self.line = self
        self.timeout_s, self.group = 0.01, 400
        self.sent: list[bytes] = []

    def random(self, bits: int) -> int:
        return 5

    def mark(self) -> int:
        return 0

    def resync(self) -> None:
        self.sent.append(b"\n")

    def send(self, message: bytes) -> None:
        self.sent.append(message)

    def receive(self, timeout_s: float) -> bytes | None:
        return None


def test_silence_where_there_was_an_answer_is_a_difference_and_only_reads_are_tried_again() -> None:
    mute: Any = Mute()
    confirm = smp(2, 1, 0, {"confirm": True}, 3)
    records = [sent(STATE), came(STATED), sent(confirm), came(smp(3, 1, 0, {}, 3)), sent(STATE)]
    verdicts = [one.verdict for one in resend(mute, steps(records, destructive=True))]
    assert verdicts == ["silent", "silent", "same"]
    assert sum(len(one) > 1 and one[7] == 0 and one[0] & 2 > 0 for one in mute.sent) == 1


def test_an_answer_where_there_was_none_is_told(tmp_path: Path) -> None:
    sim_board.make_home(tmp_path / "again", OLD_FILE)
    with Session.open(board_at(tmp_path / "again")) as session:
        (outcome,) = resend(session, steps([sent(STATE)]))
    assert (outcome.verdict, outcome.failed) == ("new", False)


# The command


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[bool], None]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))

    def write(destructive: bool) -> None:
        command = json.dumps([sys.executable, sim_board.__file__, str(tmp_path / "again"), "{port}"])
        (tmp_path / "hil-boards.toml").write_text(f"""
[board.sim1]
link = {{ smp_buf = 512 }}
spawn = {{ driver = "process", command = {command}, serial = ["tcp"] }}
power = {{ driver = "process" }}
reset = {{ by = "smp" }}
boot = {{ ready = "echo", timeout_s = 60.0, banner = "^tocsin: boot " }}
destructive = {json.dumps(destructive)}
""")

    return write


def test_hil_replay_tells_differences_and_ends_with_one(
    bench: Callable[[bool], None], story: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bench(False)
    arguments = ["replay", str(story), "--board", "sim1"]
    assert run(arguments, "hil") == 1
    printed = capsys.readouterr().out
    assert "os.reset: skipped (it may act twice)" in printed
    assert "img.state: differs\n  images" in printed
    assert run([*arguments, "--destructive"], "hil") == 3
    assert "destructive = true" in capsys.readouterr().err
    bench(True)
    assert run([*arguments, "--destructive", "--json"], "hil") == 0
    data = json.loads(capsys.readouterr().out)
    assert set(data["counts"]) == {"same"}
    assert data["requests"][0]["verdict"] == "same"
