"""A faulty line: what a plan may say, what each fault does, and that everything repeats."""

from __future__ import annotations

import base64
import itertools
import json
import struct
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hil.wire import faults as faults_module
from hil.wire.damage import ANSI, misread_at
from hil.wire.faults import FaultPlan, Faults
from hil.wire.header import Header
from hil.wire.plan import FaultKind
from hil.wire.record import Direction
from hil.wire.units import HELD_BYTES_MAX, Splitter

TO, FROM = Direction.TO_BOARD, Direction.FROM_BOARD


def message(number: int, *, group: int = 1, command: int = 1, op: int = 2, size: int = 20) -> bytes:
    return struct.pack(">BBHHBB", op | 1 << 3, 0, size, group, number % 256, command) + bytes(
        [number % 256] * size
    )


def framed(body: bytes, line: int = 127) -> bytes:
    """Console framing, written apart from the client's: it is the oracle of the splitter."""
    text = base64.b64encode(struct.pack(">H", len(body) + 2) + body + b"\0\0")
    step = (line - 3) // 4 * 4
    parts = [text[at : at + step] for at in range(0, len(text), step)]
    return b"".join((b"\x04\x14" if n else b"\x06\x09") + part + b"\n" for n, part in enumerate(parts))


def run(
    faults: Faults, chunks: Iterable[bytes], way: Direction = TO, now: float = 0.0
) -> list[tuple[float, bytes]]:
    return [(one.at, one.data) for chunk in chunks for one in faults(way, chunk, now)]


def through(faults: Faults, chunks: Iterable[bytes], way: Direction = TO) -> bytes:
    return b"".join(data for _, data in run(faults, chunks, way))


FRAMES = [framed(message(n, size=20 + 90 * n)) for n in range(1, 6)]
STREAM = (
    b"boot\r\n" + FRAMES[0] + b"uart:~$ " + FRAMES[1] + FRAMES[2] + b"half" + FRAMES[3] + FRAMES[4] + b"end"
)


def cuts(data: bytes, places: Iterable[int]) -> list[bytes]:
    bounds = [0, *sorted(place % (len(data) + 1) for place in places), len(data)]
    return [data[a:b] for a, b in itertools.pairwise(bounds) if a != b]


# Units


@given(st.lists(st.integers(0, 10_000), max_size=40))
def test_units_are_the_stream_and_frames_do_not_depend_on_how_it_was_cut(places: list[int]) -> None:
    splitter = Splitter()
    units = [unit for chunk in cuts(STREAM, places) for unit in splitter.feed(chunk)] + splitter.feed(b"")
    assert b"".join(unit.data for unit in units) == STREAM
    frames = [unit for unit in units if unit.frame]
    assert [unit.data for unit in frames] == FRAMES
    assert [unit.number for unit in frames] == [1, 2, 3, 4, 5]
    assert {unit.header.name() if unit.header else None for unit in frames} == {"img.upload"}
    lines = {unit.number: b"" for unit in units if not unit.frame}
    for unit in units:
        if not unit.frame:
            lines[unit.number] += unit.data
    assert list(lines.values()) == [b"boot\r\n", b"uart:~$ ", b"half", b"end"]
    firsts = [unit.number for unit in units if not unit.frame and unit.first]
    assert firsts == [1, 2, 3, 4]


@given(
    st.lists(
        st.binary(max_size=40) | st.sampled_from([b"\x06\x09", b"\x04\x14", b"\n", *FRAMES]), max_size=30
    )
)
def test_any_bytes_come_out_once_and_in_order(chunks: list[bytes]) -> None:
    splitter = Splitter()
    out = b"".join(unit.data for chunk in chunks if chunk for unit in splitter.feed(chunk))
    out += b"".join(unit.data for unit in splitter.feed(b""))
    assert out == b"".join(chunks)


def test_a_frame_that_never_ends_is_let_out_when_it_is_too_long_or_the_line_is_idle() -> None:
    splitter = Splitter()
    assert splitter.feed(FRAMES[2][:150]) == []
    (unit,) = splitter.feed(b"")
    assert (unit.data, unit.frame) == (FRAMES[2][:150], True)
    splitter = Splitter()
    endless = b"\x06\x09" + b"A" * HELD_BYTES_MAX
    (unit,) = splitter.feed(endless)
    assert unit.data == endless
    assert unit.header == Header(False, False, 0, 0, 0, 0, 0)


def test_a_line_of_a_frame_that_is_no_base64_ends_it() -> None:
    units = Splitter().feed(b"\x06\x09not base64!\nok\n")
    assert [(unit.frame, unit.data) for unit in units] == [(True, b"\x06\x09not base64!\n"), (False, b"ok\n")]


def test_what_begins_like_a_frame_and_is_text_waits_for_one_byte_only() -> None:
    splitter = Splitter()
    assert [unit.data for unit in splitter.feed(b"a\x06")] == [b"a"]
    assert [unit.data for unit in splitter.feed(b"b")] == [b"\x06b"]
    assert splitter.feed(b"\x06") == []
    assert [unit.data for unit in splitter.feed(b"")] == [b"\x06"]


def test_a_header_names_its_command_also_in_a_group_of_another_number() -> None:
    put = Header.peek(message(1, group=500, command=1))
    assert put is not None
    assert put.name() == "500/1 write"
    assert put.name(group=500) == "notifier.put"
    stray = Header.peek(message(1, group=400, command=1))
    assert stray is not None
    assert stray.command(group=500) is None
    assert Header.peek(b"1234567") is None
    answer = Header.peek(message(9, op=1, group=0, command=6))
    assert answer is not None
    assert (answer.answer, answer.write, answer.version, answer.sequence) == (True, False, 1, 9)
    assert answer.name() == "os.parameters"


# What faults do


def test_without_a_plan_a_line_is_a_line() -> None:
    faults = Faults(FaultPlan(), 1)
    assert run(faults, [b"a", b"\x06", b"\x09b"], now=7.0) == [(7.0, b"a"), (7.0, b"\x06"), (7.0, b"\x09b")]
    assert faults(TO, b"", 8.0) == []
    one_way = Faults(FaultPlan.of({"kind": "drop", "probability": 1, "direction": "to-board"}), 1)
    assert through(one_way, [STREAM], FROM) == STREAM
    assert through(one_way, [STREAM], TO) == b""


@given(st.integers(), st.lists(st.integers(0, 10_000), max_size=20))
def test_a_drop_of_everything_lets_nothing_through(seed: int, places: list[int]) -> None:
    faults = Faults(FaultPlan.of({"kind": "drop", "probability": 1.0}), seed)
    assert through(faults, [*cuts(STREAM, places), b""]) == b""
    assert faults.counts["drop"] >= 9


KEEPS = ["split", "delay"]
GROWS = ["dup", "noise", "log_line", "ansi"]


@given(
    st.integers(),
    st.lists(st.sampled_from(KEEPS), min_size=1, max_size=4),
    st.floats(0, 1),
    st.lists(st.integers(0, 10_000), max_size=10),
)
def test_splits_and_delays_keep_every_byte_and_their_order(
    seed: int, kinds: list[str], chance: float, places: list[int]
) -> None:
    faults = Faults(FaultPlan.of(*({"kind": kind, "probability": chance} for kind in kinds)), seed)
    out = run(faults, [*cuts(STREAM, places), b""])
    assert b"".join(data for _, data in out) == STREAM
    assert [at for at, _ in out] == sorted(at for at, _ in out)


@given(st.integers(), st.lists(st.sampled_from(list(FaultKind)), min_size=1, max_size=6))
def test_one_seed_gives_one_result(seed: int, kinds: list[FaultKind]) -> None:
    plan = FaultPlan.of(*({"kind": str(kind), "probability": 0.4} for kind in kinds))
    first, second = Faults(plan, seed), Faults(plan, seed)
    chunks = cuts(STREAM, [3, 20, 77, 300])
    assert run(first, chunks) == run(second, chunks)
    assert first.log == second.log
    assert json.loads(json.dumps(first.log)) == first.log


@given(
    st.integers(), st.lists(st.integers(0, 10_000), max_size=10), st.lists(st.binary(max_size=9), max_size=5)
)
def test_a_frame_meets_its_fate_whatever_else_is_on_the_line(
    seed: int, places: list[int], text: list[bytes]
) -> None:
    """Not the cuts, not the text, and not the other direction change which frames are hit, and where."""
    plan = FaultPlan.of(
        {"kind": "drop", "probability": 0.3}, {"kind": "flip", "probability": 0.3, "direction": "both"}
    )
    quiet, noisy = Faults(plan, seed), Faults(plan, seed)
    for frame in FRAMES:
        quiet(TO, frame, 0.0)
    for chunk in cuts(b"".join(FRAMES), places):
        noisy(TO, chunk, 5.0)
        for line in text:
            noisy(FROM, line, 5.0)

    def deeds(faults: Faults) -> list[tuple[object, ...]]:
        return [
            (one["number"], one["kind"], one["offset"])
            for one in faults.log
            if (one["direction"], one["unit"]) == ("to-board", "frame")
        ]

    assert deeds(quiet) == deeds(noisy)


def test_seeds_differ() -> None:
    plan = FaultPlan.of({"kind": "drop", "probability": 0.5})
    assert len({through(Faults(plan, seed), [STREAM]) for seed in range(20)}) > 5


@given(st.integers(), st.sampled_from(GROWS))
def test_what_adds_bytes_adds_them_and_loses_none(seed: int, kind: str) -> None:
    faults = Faults(FaultPlan.of({"kind": kind, "probability": 1}), seed)
    out = iter(through(faults, [FRAMES[2]]))
    assert all(byte in out for byte in FRAMES[2]), "the frame is a subsequence"
    assert faults.counts == {kind: 1}


def struck(table: dict[str, object], data: bytes, seed: int = 3) -> tuple[bytes, Faults]:
    faults = Faults(FaultPlan.of({"probability": 1, **table}), seed)
    return through(faults, [data]), faults


def test_each_kind_does_what_its_name_says() -> None:
    frame = FRAMES[3]
    out, faults = struck({"kind": "flip", "bits": 1}, frame)
    (deed,) = faults.log
    wrong = [n for n in range(len(frame)) if out[n] != frame[n]]
    assert wrong == [deed["offset"]]
    assert (out[wrong[0]] ^ frame[wrong[0]]).bit_count() == 1
    assert struck({"kind": "dup"}, frame)[0] == frame * 2
    assert len(struck({"kind": "noise", "bytes": 9}, frame)[0]) == len(frame) + 9
    out, faults = struck({"kind": "log_line", "text": "I: up\r\n"}, frame)
    assert any(line == b"I: up\r\n" for line in out.splitlines(keepends=True))
    assert out.replace(b"I: up\r\n", b"") == frame
    out, _ = struck({"kind": "ansi"}, frame)
    assert any(out.replace(code, b"", 1) == frame for code in ANSI)
    out, _ = struck({"kind": "swallow_newline"}, frame)
    assert out.count(b"\n") == frame.count(b"\n") - 1
    out, faults = struck({"kind": "swallow_newline"}, b"prompt> ")
    assert (out, faults.log) == (b"prompt> ", [])
    out, faults = struck({"kind": "split"}, b"x")
    assert (out, faults.log) == (b"x", [])
    out, _ = struck({"kind": "baud", "rate": 2.0}, frame)
    assert out != frame
    assert len(out) > len(frame)


def test_what_comes_late_keeps_all_that_follows_waiting() -> None:
    faults = Faults(FaultPlan.of({"kind": "delay", "seconds": 0.5, "at": "frame 2"}), 0)
    assert run(faults, [FRAMES[0], FRAMES[1]], now=1.0) == [(1.0, FRAMES[0]), (1.5, FRAMES[1])]
    assert run(faults, [FRAMES[2]], now=1.1) == [(1.5, FRAMES[2])]
    assert run(faults, [FRAMES[3]], now=9.0) == [(9.0, FRAMES[3])]
    faults = Faults(FaultPlan.of({"kind": "split", "seconds": 0.25, "at": "frame 1"}), 0)
    (first, front), (second, back) = run(faults, [FRAMES[0]], now=1.0)
    assert (first, second, front + back) == (1.0, 1.25, FRAMES[0])


def test_a_stalled_line_loses_what_is_sent_on_it_until_it_is_alive_again() -> None:
    faults = Faults(
        FaultPlan.of({"kind": "stall", "seconds": 2, "at": "frame 2", "direction": "to-board"}), 5
    )
    out = b"".join(one.data for n, frame in enumerate(FRAMES) for one in faults(TO, frame, float(n)))
    offset = faults.log[0]["offset"]
    assert out == FRAMES[0] + FRAMES[1][:offset] + FRAMES[3] + FRAMES[4]
    assert faults.counts == {"stall": 1, "stalled_bytes": len(FRAMES[2])}


def test_a_place_is_a_frame_a_line_or_a_frame_of_one_command() -> None:
    upload, echo = framed(message(1)), framed(message(2, group=0, command=0))
    answer = framed(message(3, op=3))
    sent = [upload, echo, upload, b"text\n", upload]

    def lost(at: object, chunks: list[bytes], way: Direction = TO) -> list[int]:
        faults = Faults(FaultPlan.of({"kind": "drop", "at": at}), 1)
        return [n for n, chunk in enumerate(chunks) if not faults(way, chunk, 0.0)]

    assert lost("frame 2", sent) == [1]
    assert lost("frame 3", sent) == [2]
    assert lost("frame 3 of img.upload", sent) == [4]
    assert lost("frame 1 of os.echo", sent) == [1]
    assert lost("line 1", sent) == [3]
    assert lost(["frame 1", "line 1", "frame 2 of img.upload"], sent) == [0, 2, 3]
    assert lost("frame 2 of img.upload", [answer, answer], FROM) == [1]


def test_a_fault_of_a_line_goes_on_to_its_end_or_strikes_it_once() -> None:
    faults = Faults(FaultPlan.of({"kind": "drop", "at": "line 2"}), 1)
    assert through(faults, [b"one\ntw", b"o", b" more\nthree"]) == b"one\nthree"
    faults = Faults(FaultPlan.of({"kind": "dup", "at": "line 1"}), 1)
    assert through(faults, [b"a", b"b\n"]) == b"aab\n"


def test_a_frame_of_another_group_is_named_where_the_board_has_another_number() -> None:
    faults = Faults(FaultPlan.of({"kind": "drop", "at": "frame 1 of notifier.put"}), 1, group=777)
    assert through(
        faults, [framed(message(1, group=400, command=1)), framed(message(1, group=777, command=1))]
    )
    assert faults.log[0]["number"] == 2


@given(st.binary(max_size=60))
def test_at_its_own_speed_a_line_is_read_as_it_was_sent(data: bytes) -> None:
    assert misread_at(data, 1.0) == data


@given(st.binary(max_size=60), st.floats(0.1, 10))
def test_at_any_speed_reading_ends(data: bytes, rate: float) -> None:
    assert len(misread_at(data, rate)) <= 10 * len(data) * max(1.0, rate)


def test_at_half_the_speed_bytes_are_the_known_garbage() -> None:
    # Sampled at the sender's bits 3, 5 and 7, which are low; then the line is high.
    assert misread_at(b"\x00", 0.5) == bytes([0xF8])
    assert misread_at(b"\xff", 0.5) == bytes([0xFF])


def test_the_log_has_an_end_and_the_counts_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(faults_module, "LOG_ENTRIES_MAX", 3)
    faults = Faults(FaultPlan.of({"kind": "dup", "probability": 1}), 1)
    through(faults, FRAMES)
    assert (len(faults.log), faults.counts["dup"]) == (3, 5)
