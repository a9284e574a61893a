"""Answers matched, silence explained, and nothing repeated that may act twice."""

from __future__ import annotations

from random import Random

import cbor2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from advisories import smp
from advisories.smp import Retry
from hil.errors import DeviceGone, DeviceHung, DeviceRebooted, SmpRefused, Timeout
from hil.smp.client import SmpClient, supports
from hil.smp.message import MalformedAnswer, request
from tests.hil.small_board import Board, Memory, Refuse, client, respond, spoiler


def deaf(_: bytes) -> list[tuple[float, bytes]]:
    return []


class Losing:
    """Loses the first few requests of a command, or their answers."""

    def __init__(self, board: Board, command: smp.Command, times: int) -> None:
        self._board, self._command, self._left = board, command, times
        self._take, board.take = board.take, self.take  # type: ignore[method-assign]

    def take(self, message: bytes) -> list[bytes]:
        answers = self._take(message)
        if self._left and message[7] == self._command.id and message[4:6] == bytes((0, self._command.group)):
            self._left -= 1
            return []
        return answers


def test_a_request_is_answered() -> None:
    channel = Memory(Board())
    found = client(channel)
    assert found.os.echo("hello") == "hello"
    assert (found.counters.sent, found.counters.resent, found.counters.late) == (1, 0, 0)
    assert found.last_frame[8:] == cbor2.dumps({"r": "hello"})


def test_sequence_numbers_go_round() -> None:
    channel = Memory(Board())
    found = client(channel)
    for _ in range(300):
        found.os.echo("x")
    assert [one[6] for one in channel.sent] == [(number + 1) % 256 for number in range(300)]


def test_a_late_answer_is_not_taken_for_the_next() -> None:
    board = Board()
    channel = Memory(board)
    found = client(channel)
    board.verbs["os.echo"] = lambda body: {"r": body["d"].upper()}
    found.os.echo("a")
    channel.later(0.0, respond(channel.sent[0], {"r": "OLD"}))
    channel.later(0.0, bytes(3))
    assert found.os.echo("b") == "B"
    assert (found.counters.late, found.counters.malformed) == (1, 1)


@pytest.mark.parametrize("wrong", [{"group": 9}, {"id": 9}, {"op": 1}, {"sequence": 99}])
def test_an_answer_to_something_else_is_dropped(wrong: dict[str, int]) -> None:
    board = Board()
    channel = Memory(board)
    take = board.take
    board.take = lambda message: [respond(message, {"r": "no"}, **wrong), *take(message)]  # type: ignore[method-assign]
    found = client(channel)
    assert found.os.echo("x") == "x"
    assert found.counters.late == 1


@pytest.mark.parametrize("command", smp.COMMANDS.values(), ids=lambda one: one.name)
def test_only_what_may_be_repeated_is_repeated(command: smp.Command) -> None:
    board = Board()
    board.verbs[command.name] = lambda _: {}
    board.group = command.group if command.group > 255 else board.group
    channel = Memory(board, there=deaf)
    found = client(channel)
    with pytest.raises(DeviceHung):
        found.request(command, {}, timeout_s=4)
    number = command.group.to_bytes(2, "big")
    sent = [
        one
        for one in channel.sent
        if one[4:6] == number and one[7] == command.id and one[0] >> 1 & 1 == command.write
    ]
    probes = 3 if command is smp.OS_ECHO else 0
    assert len(sent) == (1 if command.retry is Retry.NEVER else 4) + probes
    assert len({one[6] for one in channel.sent}) == len(channel.sent)
    if command.retry is Retry.KEY:
        assert len({cbor2.loads(one[8:])["key"] for one in sent}) == 1
    assert channel.resyncs == len(channel.sent) - 1


def test_a_key_that_is_given_is_kept_and_two_requests_have_two() -> None:
    board = Board()
    board.verbs["notifier.press"] = lambda _: {}
    found = client(Memory(board))
    found.request(smp.NOTIFIER_PRESS, {"button": "yes", "key": 77})
    found.notifier.press("yes")
    found.notifier.press("yes")
    keys = [body["key"] for _, body in board.seen]
    assert keys[0] == 77
    assert len(set(keys)) == 3


def test_a_lost_answer_is_asked_for_again() -> None:
    board = Board()
    Losing(board, smp.OS_ECHO, 3)
    channel = Memory(board)
    found = client(channel)
    assert found.os.echo("x") == "x"
    assert (found.counters.sent, found.counters.resent, channel.resyncs) == (4, 3, 3)


def test_an_answer_that_is_slow_is_taken_although_it_was_asked_for_again() -> None:
    channel = Memory(Board(), trip=1.2)
    assert client(channel).os.echo("x") == "x"
    assert 2 <= len(channel.sent) <= 3


def test_silence_to_one_command_is_a_timeout_that_says_all() -> None:
    board = Board()
    Losing(board, smp.OS_RESET, 9)
    found = client(Memory(board))
    found.os.echo("before")
    with pytest.raises(Timeout) as failed:
        found.os.reset()
    assert failed.value.code == "SMP_TIMEOUT"
    assert "os.reset (sequence 2, sent once in 2.0 s; last frame seen: 0b 00" in failed.value.message
    assert failed.value.last_frame.endswith(cbor2.dumps({"r": "before"}))
    assert board.names()["os.reset"] == 1


def test_a_board_that_is_silent_is_hung_after_a_bounded_time() -> None:
    channel = Memory(Board(), there=deaf)
    with pytest.raises(DeviceHung) as failed:
        client(channel).img.state()
    assert "sent 4 times" in failed.value.message
    assert "last frame seen: none" in failed.value.message
    assert channel.now - 1_000 == pytest.approx(2.0 + 3 * 0.5)


@pytest.mark.parametrize("when", [0.1, 1.9, 2.6])
def test_a_board_that_starts_anew_is_told_apart(when: float) -> None:
    channel = Memory(Board(), there=deaf)
    channel.reboots_at = channel.now + when
    with pytest.raises(DeviceRebooted, match=r"img\.erase|img\.state_set"):
        client(channel).img.confirm()


def test_a_restart_answers_a_reset() -> None:
    channel = Memory(Board(), back=deaf)
    channel.reboots_at = channel.now + 0.5
    client(channel).os.reset()
    assert len(channel.sent) == 1


def test_a_restart_before_the_request_is_none() -> None:
    channel = Memory(Board())
    channel.reboots_at = channel.now - 1
    channel.there = deaf
    with pytest.raises(DeviceHung):
        client(channel).os.echo("x")


@pytest.mark.parametrize("when", [0.0, 0.7])
def test_a_port_that_goes_away_is_told_with_what_was_under_way(when: float) -> None:
    channel = Memory(Board(), there=deaf)
    channel.gone_at = channel.now + when
    for act in (
        lambda one: one.os.echo("x"),
        lambda one: one.wait_ready(3),
        lambda one: one.img.upload(b"x"),
    ):
        with pytest.raises(
            DeviceGone, match=r"^The port went away, during (os\.echo|img\.upload) \(seq"
        ) as failed:
            act(client(channel))
        assert failed.value.mend == "Plug it in."


@pytest.mark.parametrize(
    ("body", "code", "words", "group"),
    [
        ({"rc": 8}, "SMP_ENOTSUP", "ENOTSUP (rc 8)", None),
        ({"rc": 300}, "SMP_REFUSED", "rc 300", None),
        ({"rc": -4}, "SMP_REFUSED", "rc -4", None),
        ({"rc": 3, "rsn": "too far"}, "SMP_EINVAL", "EINVAL (rc 3): too far", None),
        ({"err": {"group": 0, "rc": 3}}, "SMP_REFUSED", "rc 3 of group 0", 0),
        ({"err": {"group": 400, "rc": 5}}, "SMP_ENOENT", "ENOENT (rc 5) of group 400", 400),
    ],
)
def test_a_refusal_names_its_code(body: dict, code: str, words: str, group: int | None) -> None:
    board = Board()

    def refuse(_: dict) -> dict:
        raise Refuse(body)

    board.verbs["os.echo"] = refuse
    with pytest.raises(SmpRefused) as refused:
        client(Memory(board)).os.echo("x")
    assert refused.value.code == code
    assert words in refused.value.message
    assert refused.value.group == group
    assert board.names() == {"os.echo": 1}


def test_an_answer_of_version_1_is_as_good() -> None:
    board = Board()
    board.take = lambda message: [respond(message, {"rc": 0, "r": "old"}, version=0)]  # type: ignore[method-assign]
    assert client(Memory(board)).os.echo("x") == "old"


def test_a_malformed_answer_is_asked_for_again_and_then_told() -> None:
    board = Board()
    good = board.take
    board.take = lambda message: [good(message)[0][:-1] + b"\xff"]  # type: ignore[method-assign]
    channel = Memory(board)
    found = client(channel)
    with pytest.raises(MalformedAnswer, match=r"^os\.echo: ") as failed:
        found.os.echo("x")
    assert len(channel.sent) == 4
    assert failed.value.last_frame.endswith(b"\xff")
    board.verbs["img.erase"] = lambda _: {}
    with pytest.raises(MalformedAnswer, match=r"^img\.erase: "):
        found.img.erase()
    assert board.names()["img.erase"] == 1


def test_a_board_whose_echo_is_malformed_is_alive() -> None:
    board = Board()
    Losing(board, smp.IMG_STATE, 9)
    good = board.take
    board.take = lambda message: [one[:-1] + b"\xff" for one in good(message)]  # type: ignore[method-assign]
    with pytest.raises(Timeout, match=r"img\.state"):
        client(Memory(board)).img.state()


def test_an_answer_with_other_fields_than_declared_is_told() -> None:
    board = Board()
    board.verbs["os.echo"] = lambda _: {"r": 5}
    with pytest.raises(MalformedAnswer, match="'r' is no text"):
        client(Memory(board)).os.echo("x")


def test_ready_is_when_an_echo_is_answered() -> None:
    board = Board()
    Losing(board, smp.OS_ECHO, 4)
    channel = Memory(board)
    client(channel).wait_ready(10)
    assert channel.now - 1_000 == pytest.approx(4 * 0.3, abs=0.1)


def test_an_answer_that_comes_after_the_next_echo_makes_it_ready() -> None:
    channel = Memory(Board(), trip=0.7)
    client(channel).wait_ready(10)
    assert len(channel.sent) == 3


def test_a_board_that_never_stops_talking_is_not_waited_for_longer() -> None:
    channel = Memory(Board(), there=deaf)
    chatter = respond(request(smp.OS_ECHO, {}, 0), {"r": "no"}, sequence=200)
    channel.receive = lambda timeout_s: (setattr(channel, "now", channel.now + 0.01), chatter)[1]  # type: ignore[method-assign]
    with pytest.raises(DeviceHung):
        client(channel).os.echo("x")
    assert channel.now < 1_005


def test_a_board_that_never_gets_ready_is_hung() -> None:
    channel = Memory(Board(), there=deaf)
    with pytest.raises(DeviceHung, match=r"not ready after 1 s: it was asked 4 times"):
        client(channel).wait_ready(1)
    assert channel.now == pytest.approx(1_001)


def test_noise_for_an_answer_is_not_ready_yet() -> None:
    board = Board()
    good = board.take
    left = [1]
    board.take = lambda message: [good(message)[0][:-1] + b"\xff"] if left and left.pop() else good(message)  # type: ignore[method-assign]
    channel = Memory(board)
    client(channel).wait_ready(3)
    assert len(channel.sent) == 2


@pytest.mark.parametrize(
    ("answer", "buffer"),
    [({"buf_size": 1_024, "buf_count": 4}, 1_024), ({"buf_size": 3, "buf_count": 1}, 384), (None, 384),
     ({"buf_size": 2**40, "buf_count": 1}, 65_539), ({"buf_size": "x"}, 384)],
)  # fmt: skip
def test_the_buffer_is_what_the_board_says_if_it_says_so(answer: dict | None, buffer: int) -> None:
    board = Board()
    if answer is not None:
        board.verbs["os.parameters"] = lambda _: answer
    found = client(Memory(board))
    assert found.learn_buffer() == buffer
    assert found.message_bytes == min(buffer - 4, 65_533)


def refusing(body: dict):
    def verb(_: dict) -> dict:
        raise Refuse(body)

    return verb


def test_what_a_board_supports_is_asked_without_writing() -> None:
    board = Board()
    caps = {
        "proto": 1,
        "id": "x",
        "class": "c",
        "hw": "",
        "fw": "",
        "algs": [],
        "max": 9,
        "filters": [],
        "boot": b"",
    }
    found = client(Memory(board))
    assert not supports(found, smp.NOTIFIER_INFO)
    board.verbs["notifier.info"] = lambda _: {**caps, "caps": ["put", "press", 5]}
    assert supports(found, smp.NOTIFIER_INFO)
    assert supports(found, smp.NOTIFIER_PRESS)
    assert not supports(found, smp.NOTIFIER_FAULT)
    assert supports(found, smp.OS_ECHO)
    assert supports(found, smp.OS_RESET)
    assert supports(found, smp.IMG_UPLOAD)
    assert not supports(found, smp.STAT_SHOW)
    assert not supports(found, smp.OS_INFO)
    board.verbs["os.info"] = refusing({"rc": 3})
    assert supports(found, smp.OS_INFO)
    board.verbs["os.bootloader"] = refusing({"err": {"group": 0, "rc": 5}})
    assert supports(found, smp.OS_BOOTLOADER)
    board.verbs["stat.list"] = refusing({"rc": 5})
    assert not supports(found, smp.STAT_SHOW)
    board.verbs["os.tasks"] = lambda _: {}
    assert supports(found, smp.OS_TASKS)
    Losing(board, smp.OS_PARAMETERS, 9)
    assert not supports(found, smp.OS_PARAMETERS)
    assert not {"os.reset", "img.upload", "notifier.press", "notifier.fault"} & set(board.names())


def test_the_group_has_the_number_that_the_board_gives_it() -> None:
    board = Board(group=77)
    board.verbs["notifier.clock"] = lambda _: {"utc": 5}
    assert client(Memory(board), group=77).notifier.clock() == 5
    with pytest.raises(SmpRefused):
        client(Memory(board)).notifier.clock()


def test_another_client_begins_with_another_sequence() -> None:
    channel = Memory(Board())
    for _ in range(8):
        SmpClient(channel, clock=channel.clock).os.echo("x")
    assert len({one[6] for one in channel.sent}) > 1


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 10_000), st.sampled_from([0.02, 0.1, 0.4]))
def test_on_a_bad_line_an_answer_is_right_or_the_failure_is_named(seed: int, rate: float) -> None:
    random = Random(seed)
    channel = Memory(Board(), there=spoiler(random, rate), back=spoiler(random, rate))
    found = client(channel)
    for number in range(10):
        try:
            assert found.os.echo(f"text {number}") == f"text {number}"
        except (Timeout, DeviceHung):
            continue


def test_a_board_that_answers_nonsense_for_ever_is_given_up_in_time() -> None:
    board = Board()
    board.take = lambda message: [respond(message, {"err": 1})] * 2  # type: ignore[method-assign]
    channel = Memory(board)
    began = channel.now
    with pytest.raises(DeviceHung, match="asked"):
        client(channel).wait_ready(3.0)
    assert channel.now - began <= 3.5
    assert len(channel.sent) <= 11, "asked at its pace, not at the board's"
