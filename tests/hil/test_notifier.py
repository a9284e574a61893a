"""The notifier group's verbs: what a board says of itself, shows, takes and wants said."""

from __future__ import annotations

import hashlib
from random import Random
from typing import Any

import pytest

from hil.smp.message import MalformedAnswer
from hil.smp.notifier import Outgoing, Screen, Verdict
from tests.hil.small_board import Board, Memory, client

IMAGE = Random(1).randbytes(20_000)


INFO = {
    "proto": 1, "id": "exercise-1", "class": "c", "hw": "h", "fw": "1.0", "algs": [-19], "max": 2_048,
    "caps": ["put"], "filters": ["a/+"], "boot": b"12345678",
}  # fmt: skip
STATE = {
    "boot": b"12345678", "epoch": 1, "cause": "power", "slot": 0, "installed": "1.0", "floors": {"x": 1},
    "root": 1, "kids": [b"k"], "notices": [], "patches": [{"s": 1}], "journal": 4, "head": b"h", "writes": 9,
}  # fmt: skip


def test_info_and_state_are_records() -> None:
    board = Board()
    board.verbs |= {"notifier.info": lambda _: INFO, "notifier.state": lambda _: STATE}
    found = client(Memory(board)).notifier
    info, state = found.info(), found.state()
    assert (info.class_, info.max, info.caps, info.boot) == ("c", 2_048, ("put",), b"12345678")
    assert (state.pending, state.kids, state.floors, state.writes) == (None, (b"k",), {"x": 1}, 9)


def test_the_levers_of_a_test_build() -> None:
    board = Board()
    for name in ("press", "fault", "clock_set", "provision", "carrier"):
        board.verbs[f"notifier.{name}"] = lambda _: {}
    board.verbs["notifier.clock"] = lambda _: {"utc": 1_700_000_000}
    found = client(Memory(board)).notifier
    found.press("later")
    found.fault(3, "torn")
    found.clock_set(5)
    found.provision("erase")
    found.provision("key", bytes(32))
    found.carrier(True)
    assert found.clock() == 1_700_000_000
    bodies = [{k: v for k, v in body.items() if k != "key"} for _, body in board.seen]
    assert bodies == [
        {"button": "later"}, {"at": 3, "when": "torn"}, {"utc": 5}, {"what": "erase"},
        {"what": "key", "value": bytes(32)}, {"up": True}, {},
    ]  # fmt: skip
    assert all("key" in body for _, body in board.seen[:-1])


def test_a_message_is_staged_and_submitted() -> None:
    board = Board()
    board.verbs["notifier.submit"] = lambda body: (
        {"verdict": 0, "name": "OK"}
        if body["sha"] == board.want["sha"]
        else {"verdict": 9, "name": "X", "text": "t"}
    )
    found = client(Memory(board)).notifier
    assert found.submit(IMAGE[:2_000], "t/a") == Verdict(0, "OK")
    assert bytes(board.image) == IMAGE[:2_000]
    assert found.submit(hashlib.sha256(IMAGE[:2_000]).digest(), "t/b") == Verdict(0, "OK")
    assert found.submit(bytes(32), "t/c") == Verdict(9, "X", "t")
    assert found.deliver(IMAGE[:32], "t/d") == Verdict(0, "OK")
    assert bytes(board.image) == IMAGE[:32]
    puts = [body for name, body in board.seen if name == "notifier.put"]
    assert all("len" in body for body in puts if body["off"] == 0)
    assert all(set(body) == {"sha", "off", "data"} for body in puts if body["off"])


def paged(board: Board, lines: list[str], **head: Any) -> None:
    def verb(body: dict) -> dict:
        off = body.get("off", 0)
        return {**head, "count": len(lines), "off": off, "lines": lines[off : off + 3]}

    board.verbs["notifier.notice"] = verb


def test_a_notice_is_read_page_by_page() -> None:
    board = Board()
    lines = [f"line {number}" for number in range(10)]
    paged(board, lines, id="exercise-1", revision=2, severity="high", language="en", confirmed=True)
    assert client(Memory(board)).notifier.notice() == Screen(
        "exercise-1", 2, "high", "en", confirmed=True, asks=None, lines=tuple(lines)
    )
    assert len(board.seen) == 4


def test_a_device_that_shows_nothing_or_only_asks() -> None:
    board = Board()
    found = client(Memory(board)).notifier
    paged(board, [])
    assert found.notice() is None
    paged(board, [], asks="1.5.0")
    assert found.notice() == Screen(None, None, None, None, confirmed=False, asks="1.5.0", lines=())


def test_a_notice_that_changes_while_it_is_read_is_read_again() -> None:
    board = Board()
    paged(board, ["a", "b", "c", "d"], id="one")
    before = board.verbs["notifier.notice"]
    paged(board, ["e", "f", "g", "h", "i"], id="two")
    after = board.verbs["notifier.notice"]
    board.verbs["notifier.notice"] = lambda body: (after if body["off"] or len(board.seen) > 2 else before)(
        body
    )
    screen = client(Memory(board)).notifier.notice()
    assert screen is not None
    assert (screen.id, screen.lines) == ("two", ("e", "f", "g", "h", "i"))


@pytest.mark.parametrize("lines", [[], ["x"] * 9])
def test_a_notice_whose_pages_do_not_add_up_is_told(lines: list[str]) -> None:
    board = Board()
    board.verbs["notifier.notice"] = lambda body: {"id": "x", "count": 5, "off": body["off"], "lines": lines}
    with pytest.raises(MalformedAnswer, match="notice did not hold still"):
        client(Memory(board)).notifier.notice()
    assert len(board.seen) <= 8


class Queue:
    """What a device wants said."""

    def __init__(self, board: Board, *said: tuple[int, str, bytes]) -> None:
        self.said = [(number, *one) for number, one in enumerate(said, 1)]
        board.verbs["notifier.report"] = self.verb

    def verb(self, body: dict) -> dict:
        self.said = [one for one in self.said if one[0] > body.get("ack", 0)]
        if not self.said:
            return {}
        number, kind, topic, data = self.said[0]
        off = body.get("off", 0)
        head = {"number": number, "kind": kind, "topic": topic, "len": len(data), "off": off}
        return {**head, "data": data[off : off + 100]}


def test_what_the_device_wants_said_is_taken_whole_and_in_order() -> None:
    board = Board()
    Queue(board, (0, "t/report", IMAGE[:250]), (1, "t/root/2", b""))
    found = client(Memory(board)).notifier
    first = found.take()
    assert first == found.take() == Outgoing(1, 0, "t/report", IMAGE[:250])
    assert found.take(ack=1) == Outgoing(2, 1, "t/root/2", b"")
    found.ack(2)
    found.ack(2)
    assert found.take() is None


def test_a_report_that_changes_while_it_is_taken_is_taken_again() -> None:
    board = Board()
    queue = Queue(board, (0, "a", IMAGE[:250]), (0, "b", IMAGE[:150]))

    def verb(body: dict) -> dict:
        if len(board.seen) == 2:
            queue.said.pop(0)
        return queue.verb(body)

    board.verbs["notifier.report"] = verb
    assert client(Memory(board)).notifier.take() == Outgoing(2, 0, "b", IMAGE[:150])


@pytest.mark.parametrize(
    ("page", "words"),
    [
        ({"number": 1}, "'kind' is missing"),
        ({"number": 1, "kind": 0, "topic": "t", "len": 9, "off": 0, "data": b""}, "did not hold still"),
        ({"number": 1, "kind": 0, "topic": "t", "len": 3, "off": 0, "data": b"abcd"}, "did not hold still"),
        ({"number": 1, "kind": 0, "topic": "t", "len": 9, "off": 3, "data": b"abcd"}, "did not hold still"),
        ({"number": 1, "kind": 0, "topic": "t", "len": 9, "off": 0, "data": b"abcd"}, "did not hold still"),
    ],
)
def test_a_report_that_is_not_whole_is_told(page: dict, words: str) -> None:
    board = Board()
    board.verbs["notifier.report"] = lambda _: page
    with pytest.raises(MalformedAnswer, match=words):
        client(Memory(board)).notifier.take()
    assert len(board.seen) < 10


def test_a_report_that_is_gone_in_the_middle_is_none() -> None:
    board = Board()
    queue = Queue(board, (0, "a", IMAGE[:250]))
    board.verbs["notifier.report"] = lambda body: {} if len(board.seen) > 1 else queue.verb(body)
    assert client(Memory(board)).notifier.take() is None


@pytest.mark.parametrize(
    ("verb", "answer"),
    [
        ("report", {"number": 1, "kind": 0, "topic": "t", "len": 2**62, "off": 0, "data": b"x"}),
        ("notice", {"count": 2**62, "off": 0, "lines": ["x"]}),
    ],
)
def test_what_a_device_announces_without_end_is_not_read(verb: str, answer: dict[str, Any]) -> None:
    board = Board()
    board.verbs[f"notifier.{verb}"] = lambda body: {**answer, "off": body.get("off", 0)}
    notifier = client(Memory(board)).notifier
    with pytest.raises(MalformedAnswer, match="at most"):
        (notifier.take if verb == "report" else notifier.notice)()
    assert len(board.seen) == 1
