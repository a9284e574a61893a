"""A trace is written while a run goes on, read by people, and proves that nothing acted twice."""

from __future__ import annotations

import errno
import itertools
import json
import os
import signal
import struct
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.cli.run import run
from hil.errors import BenchError
from hil.wire import spell, trace
from hil.wire.record import Direction, Kind, Record
from hil.wire.repeats import repeats
from hil.wire.trace import Trace
from keys.errors import InputError

TO, FROM, NONE = Direction.TO_BOARD, Direction.FROM_BOARD, Direction.NONE
UTC = 1_800_000_000.0


def smp(op: int, group: int, command: int, body: Any, sequence: int = 0, *, version: int = 1) -> bytes:
    data = body if isinstance(body, bytes) else cbor2.dumps(body)
    return struct.pack(">BBHHBB", op | version << 3, 0, len(data), group, sequence, command) + data


def said(direction: Direction, data: bytes, at: float = 0.0, kind: Kind = Kind.MESSAGE) -> Record:
    return Record(at, UTC + at, direction, kind, data)


def event(note: str, at: float = 0.0) -> Record:
    return Record(at, UTC + at, NONE, Kind.EVENT, note=note)


RECORDS = [
    event("power on", 0.0),
    said(FROM, b"*** Booting ***\r\n", 0.25, Kind.TEXT),
    said(FROM, b"\x06\x09\xff\n", 0.5, Kind.NOISE),
    said(TO, smp(2, 1, 1, {"off": 0, "data": bytes(300)}, 7), 1.0),
    said(FROM, smp(3, 1, 1, {"rc": 0, "off": 300}, 7), 1.5),
]


def written(path: Path, records: list[Record]) -> Path:
    with Trace(path) as tap:
        for record in records:
            tap(record)
    return path


# The file


def test_what_was_told_is_read_back_with_its_time(tmp_path: Path) -> None:
    path = written(
        tmp_path / "t.pcapng",
        [
            Record(r.monotonic + 77, *(getattr(r, n) for n in ("utc", "direction", "kind", "data", "note")))
            for r in RECORDS
        ],
    )
    assert trace.load(path) == RECORDS


def test_time_in_a_trace_never_jumps_though_the_benchs_clock_does(tmp_path: Path) -> None:
    path = written(
        tmp_path / "t.pcapng", [Record(1.0, UTC, NONE, Kind.EVENT), Record(2.0, UTC - 9e6, NONE, Kind.EVENT)]
    )
    assert [record.utc - UTC for record in trace.load(path)] == [0.0, 1.0]


def test_every_record_is_in_the_file_when_its_tap_returns_and_a_cut_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "t.pcapng"
    with Trace(path) as tap:
        assert trace.load(path) == []
        for number, record in enumerate(RECORDS, 1):
            tap(record)
            assert trace.load(path) == RECORDS[:number]
    data = path.read_bytes()
    lengths = [len(trace.records(data[:cut])) for cut in range(len(data) + 1)]
    assert lengths == sorted(lengths)
    assert set(lengths) == set(range(len(RECORDS) + 1))


def test_a_killed_run_leaves_a_trace_that_can_be_read(tmp_path: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path; from hil.wire.trace import Trace;"
        "from hil.wire.record import Record, Direction, Kind\n"
        f"tap = Trace(Path({str(tmp_path / 't.pcapng')!r}))\n"
        "for n in range(1000):\n"
        "    tap(Record(n, n, Direction.NONE, Kind.EVENT, note=f'event {n}'))\n"
        "    if n == 10: print('ready', flush=True)\n"
        "sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout
        process.stdout.readline()
        process.send_signal(signal.SIGKILL)
        process.wait(30)
    read = trace.load(tmp_path / "t.pcapng")
    assert len(read) > 10
    assert [record.note for record in read] == [f"event {n}" for n in range(len(read))]


def test_a_trace_may_be_told_from_several_threads(tmp_path: Path) -> None:
    with Trace(tmp_path / "t.pcapng") as tap:
        threads = [
            threading.Thread(target=lambda n=n: [tap(said(TO, bytes([n]) * 50)) for _ in range(100)])
            for n in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        tap.close()
    assert len(trace.load(tmp_path / "t.pcapng")) == 400


def test_after_its_end_a_trace_takes_nothing_more(tmp_path: Path) -> None:
    tap = Trace(tmp_path / "t.pcapng")
    tap.close()
    tap(RECORDS[0])
    tap.close()
    assert trace.load(tmp_path / "t.pcapng") == []


def test_a_full_disk_is_told_at_the_end_and_not_to_the_line() -> None:
    tap = Trace(Path("/dev/full"))
    tap(RECORDS[0])
    with pytest.raises(BenchError) as caught:
        tap.close()
    assert (caught.value.code, caught.value.where) == ("TRACE_WRITE", "/dev/full")
    assert os.strerror(errno.ENOSPC) in str(caught.value)


def test_what_cannot_be_opened_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(BenchError, match="cannot be written"):
        Trace(tmp_path)
    with pytest.raises(InputError, match="cannot be read") as caught:
        trace.load(tmp_path / "none")
    assert caught.value.code == "FILE"
    path = written(tmp_path / "t.pcapng", RECORDS)
    monkeypatch.setattr(trace, "TRACE_BYTES_MAX", path.stat().st_size - 1)
    with pytest.raises(InputError, match="larger than 1 GiB"):
        trace.load(path)
    monkeypatch.setattr(trace, "TRACE_BYTES_MAX", path.stat().st_size)
    assert len(trace.load(path)) == len(RECORDS)


# For people


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ({"off": 0, "ok": True, "no": False, "x": None}, '{"off": 0, "ok": true, "no": false, "x": null}'),
        (bytes(16), "h'" + "00" * 16 + "'"),
        (bytes(17), "h'0000000000000000...' / 17 bytes /"),
        ([1, -2, 1.5, "a\x1b[2J\n"], '[1, -2, 1.5, "a\\u001b[2J\\n"]'),
        ([float("nan"), float("inf"), float("-inf")], "[NaN, Infinity, -Infinity]"),
        (cbor2.CBORTag(1234, [b"a"]), "1234([h'61'])"),
        ("x" * 201, '"' + "x" * 200 + '..."'),
        (cbor2.undefined, "undefined"),
        ({1: {2: (3,)}}, "{1: {2: [3]}}"),
    ],
)
def test_values_are_shown_in_diagnostic_notation(value: Any, shown: str) -> None:
    assert spell.diagnostic(value) == shown


def test_a_value_is_shown_whole_for_scripts_and_not_deeper_than_is_good() -> None:
    assert spell.diagnostic(bytes(40), whole=True) == "h'" + "00" * 40 + "'"
    deep: Any = 0
    for _ in range(40):
        deep = [deep]
    assert spell.diagnostic(deep) == "[" * 17 + "..." + "]" * 17


@pytest.mark.parametrize(
    ("record", "line"),
    [
        (event("power off", 1.0), "    1.000000 -- power off"),
        (event("\x1b[2J"), "    0.000000 -- \\x1b[2J"),
        (said(FROM, b"a\x1bb\r\n", 0, Kind.TEXT), '    0.000000 <- text "a\\u001bb\\r\\n"'),
        (said(TO, b"y" * 201, 0, Kind.TEXT), f'    0.000000 -> text "{"y" * 200}"...'),
        (said(FROM, b"\xff", 0, Kind.NOISE), '    0.000000 <- noise "\\ufffd"'),
        (said(TO, b"1234567"), "    0.000000 -> 7 bytes are no SMP message"),
        (
            said(TO, smp(2, 0, 0, {"d": "hi"}, 255)),
            '    0.000000 -> os.echo              seq 255 {"d": "hi"}',
        ),
        (
            said(FROM, smp(3, 0, 0, {"r": "hi"}, 1)),
            '    0.000000 <- os.echo              seq 1   ok {"r": "hi"}',
        ),
        (
            said(FROM, smp(1, 1, 0, {"rc": 8})),
            '    0.000000 <- img.state            seq 0   rc 8 ENOTSUP {"rc": 8}',
        ),
        (
            said(FROM, smp(1, 1, 0, {"err": {"group": 1, "rc": 2}})),
            '    0.000000 <- img.state            seq 0   rc 2 1/2 {"err": {"group": 1, "rc": 2}}',
        ),
        (
            said(FROM, smp(1, 1, 0, {"err": {"group": 0, "rc": 8}})),
            '    0.000000 <- img.state            seq 0   rc 8 ENOTSUP {"err": {"group": 0, "rc": 8}}',
        ),
        (
            said(FROM, smp(1, 1, 0, {"rc": 777})),
            '    0.000000 <- img.state            seq 0   rc 777 777 {"rc": 777}',
        ),
        (
            said(TO, smp(0, 8, 0, b"\xff")),
            "    0.000000 -> 8/0 read             seq 0   BROKEN: its body is no CBOR map",
        ),
        (
            said(TO, smp(0, 400, 0, {}) + b"\0"),
            "    0.000000 -> notifier.info        seq 0   BROKEN: its length is wrong {}",
        ),
    ],
)
def test_a_record_is_one_line_that_cannot_steer_a_terminal(record: Record, line: str) -> None:
    assert spell.line(record) == line
    assert line.isascii()


@given(st.binary(max_size=80), st.sampled_from(Kind), st.sampled_from(Direction), st.text(max_size=20))
def test_any_record_is_shown_in_one_printable_line_and_as_json(
    data: bytes, kind: Kind, direction: Direction, note: str
) -> None:
    record = Record(0, 0, direction, kind, data, note)
    assert spell.line(record).isascii()
    assert spell.line(record).isprintable()
    json.dumps(spell.as_json(record))


@given(st.binary(max_size=60))
def test_any_body_is_decoded_or_called_broken(body: bytes) -> None:
    spell.message(smp(1, 1, 0, body))


def test_bodies_that_harm_a_decoder_are_called_broken() -> None:
    for body in (
        b"\x81" * 5000,
        b"\xbf",
        b"\x9b" + b"\xff" * 8,
        b"\xc2\x5b" + b"\xff" * 8,
        b"\xc4\x82\x1b" + b"\xff" * 8 + b"\x01",
    ):
        assert "broken" in spell.message(smp(1, 1, 0, body))


def test_a_tag_is_shown_and_never_followed() -> None:
    endless = (
        bytes.fromhex("a16161d81c8a") + bytes.fromhex("d81d00") * 10
    )  # a list that holds itself ten times
    shown = spell.line(said(TO, smp(0, 1, 0, endless)))
    assert '{"a": 28([29(0), 29(0),' in shown
    assert "\"b\": 2(h'01')" in spell.line(said(TO, smp(0, 1, 0, {"a": 1, "b": cbor2.CBORTag(2, b"\x01")})))


# Nothing twice

RESET = (2, 0, 5, {})
TRY = (2, 1, 0, {"hash": b"1" * 32, "confirm": False})
numbers = itertools.count(1)


def request(command: tuple[int, int, int, Any], sequence: int) -> Record:
    op, group, id_, body = command
    return said(TO, smp(op, group, id_, body, sequence))


def answer(command: tuple[int, int, int, Any], sequence: int) -> Record:
    op, group, id_, _ = command
    return said(FROM, smp(op + 1, group, id_, {"rc": 0}, sequence))


def submit(key: int, sha: bytes = b"s" * 32) -> tuple[int, int, int, Any]:
    return (2, 400, 2, {"sha": sha, "topic": "t", "key": key})


UPLOAD = (2, 1, 1, {"off": 0, "data": b"x"})
STATE = (0, 1, 0, {})
ECHO = (2, 0, 0, {"d": "x"})
FOREIGN = (2, 8, 0, {"off": 0})

BAD = {
    "the same again": [request(RESET, 1), request(RESET, 2)],
    "with the same sequence": [request(RESET, 1), request(RESET, 1)],
    "with something between": [request(TRY, 1), request(UPLOAD, 2), answer(UPLOAD, 2), request(TRY, 3)],
    "an echo proves nothing": [request(RESET, 1), request(ECHO, 2), answer(ECHO, 2), request(RESET, 3)],
    "a read of another group neither": [
        request(RESET, 1),
        request(STATE, 2),
        answer(STATE, 2),
        request(RESET, 3),
    ],
    "a read that was asked before": [request(STATE, 1), request(TRY, 2), answer(STATE, 1), request(TRY, 3)],
    "a read that was not answered": [request(TRY, 1), request(STATE, 2), request(TRY, 3)],
    "another sequence's answer": [request(TRY, 2), answer(TRY, 1), request(TRY, 3)],
    "console text": [request(TRY, 1), said(FROM, b"ok\n", 0, Kind.TEXT), event("note"), request(TRY, 2)],
    "a write nobody knows": [request(FOREIGN, 1), request(FOREIGN, 2)],
    "another key": [request(submit(1), 1), request(submit(2), 2)],
    "another key after the same": [request(submit(1), 1), request(submit(1), 2), request(submit(2), 3)],
}
GOOD = {
    "nothing": [],
    "once": [request(RESET, 1)],
    "after its answer": [request(RESET, 1), answer(RESET, 1), request(RESET, 2)],
    "another body": [request(TRY, 1), request((2, 1, 0, {"confirm": True}), 2)],
    "after looking": [request(TRY, 1), request(STATE, 2), answer(STATE, 2), request(TRY, 3)],
    "after a reset": [request(RESET, 1), event("reset by rts"), request(RESET, 2)],
    "after a power cut": [request(TRY, 1), event("power off"), event("power on"), request(TRY, 1)],
    "a later operation": [request(TRY, 1), event("operation test of the second image"), request(TRY, 1)],
    "reads": [request(STATE, 1), request(STATE, 2)],
    "offsets": [request(UPLOAD, 1), request(UPLOAD, 1)],
    "echoes": [request(ECHO, 1), request(ECHO, 2)],
    "the same key": [request(submit(1), 1), request(submit(1), 2), request(submit(1), 3)],
    "another message": [request(submit(1), 1), request(submit(2, b"t" * 32), 2)],
    "another key after the answer": [request(submit(1), 1), answer(submit(1), 1), request(submit(2), 2)],
    "a foreign read": [request((0, 8, 0, {}), 1), request((0, 8, 0, {}), 2)],
    "half a message": [said(TO, b"123"), said(TO, b"123")],
    "a key command that is broken": [request((2, 400, 2, b"\xff"), 1), request((2, 400, 2, b"\xff"), 2)],
}


@pytest.mark.parametrize("case", BAD)
def test_what_was_sent_twice_is_found(case: str) -> None:
    (found,) = repeats(BAD[case])
    places = [n for n, record in enumerate(BAD[case], 1) if record.direction is TO]
    assert (found.second, found.first) == (places[-1], found.first)
    assert found.first < found.second
    assert found.command in str(found)


@pytest.mark.parametrize("case", GOOD)
def test_what_may_be_sent_again_is_not_blamed(case: str) -> None:
    assert repeats(GOOD[case]) == []


def test_a_group_of_another_number_is_judged_by_its_rows() -> None:
    twice = [said(TO, smp(2, 500, 1, {"off": 0}, n)) for n in (1, 2)]
    assert repeats(twice)
    assert repeats(twice, group=500) == []


# The command


def test_hil_trace_shows_and_checks(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    good, bad = written(tmp_path / "good", RECORDS), written(tmp_path / "bad", BAD["the same again"])
    assert run(["trace", "show", str(good)], "hil") == 0
    assert capsys.readouterr().out.splitlines() == list(spell.lines(RECORDS))
    assert run(["trace", "show", str(good), "--json"], "hil") == 0
    shown = json.loads(capsys.readouterr().out)["records"]
    assert [one["kind"] for one in shown] == ["event", "text", "noise", "message", "message"]
    assert shown[3]["command"] == "img.upload"
    assert run(["trace", "check", str(good)], "hil") == 0
    assert capsys.readouterr().out == "1 requests, none was sent twice that may act twice.\n"
    assert run(["trace", "check", str(bad)], "hil") == 1
    assert "SENT TWICE: os.reset of record 1 was sent again as record 2: {}" in capsys.readouterr().out
    assert run(["trace", "check", str(bad), "--json"], "hil") == 1
    assert json.loads(capsys.readouterr().out)["repeats"][0]["command"] == "os.reset"
    assert run(["trace", "show", str(tmp_path / "none")], "hil") == 2
    assert "cannot be read" in capsys.readouterr().err
