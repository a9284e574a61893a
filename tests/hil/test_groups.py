"""The typed verbs, and transfers that end only when the board has everything."""

from __future__ import annotations

import hashlib
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from advisories.smp import IMG_UPLOAD
from hil.errors import BenchError, DeviceHung, DeviceRebooted, SmpRefused, Timeout
from hil.smp.groups import ImageSlot, Parameters, UploadMismatch
from hil.smp.message import MalformedAnswer, request
from hil.smp.transfer import STILL_MAX, room
from tests.hil.small_board import Board, Memory, Refuse, clean, client, spoiler

IMAGE = Random(1).randbytes(20_000)


def refusing(**body: Any):
    def verb(_: dict) -> dict:
        raise Refuse(body)

    return verb


def sizes(board: Board, name: str = "img.upload") -> list[int]:
    return [len(body["data"]) for verb, body in board.seen if verb == name]


# --- os, img, stat


def test_the_verbs_of_the_operating_system() -> None:
    board = Board()
    board.verbs |= {
        "os.console_echo": lambda _: {},
        "os.tasks": lambda _: {"tasks": {"main": {"prio": 1}}},
        "os.memory_pools": lambda _: {"rc": 0, "pool": {"nfree": 3}},
        "os.datetime": lambda _: {"datetime": "2026-11-22T06:00:00"},
        "os.datetime_set": lambda _: {},
        "os.parameters": lambda _: {"buf_size": 384, "buf_count": 4},
        "os.info": lambda body: {"output": body.get("format", "s")},
        "os.bootloader": lambda body: {"mode": 1} if body else {"bootloader": "MCUboot"},
    }
    os = client(Memory(board)).os
    assert os.console_echo(on=False) is None
    assert os.tasks() == {"main": {"prio": 1}}
    assert os.memory_pools() == {"pool": {"nfree": 3}}
    assert os.datetime() == "2026-11-22T06:00:00"
    os.set_datetime("2026-11-22T07:00:00")
    os.reset()
    os.reset(force=1, boot_mode=0)
    assert os.parameters() == Parameters(384, 4)
    assert (os.info(), os.info("a")) == ("s", "a")
    assert (os.bootloader(), os.bootloader("mode")) == ({"bootloader": "MCUboot"}, {"mode": 1})
    asked = dict(board.seen[-8:])
    assert asked["os.reset"] == {"force": 1, "boot_mode": 0}
    assert ("os.console_echo", {"echo": 0}) in board.seen
    assert ("os.datetime_set", {"datetime": "2026-11-22T07:00:00"}) in board.seen


def test_the_verbs_of_images_and_statistics() -> None:
    board = Board()
    slot = {"slot": 0, "version": "1.4.1", "hash": b"\1" * 32, "active": True, "new": 1}
    board.verbs |= {
        "img.state": lambda _: {"images": [slot], "splitStatus": 0},
        "img.state_set": lambda _: {},
        "img.erase": lambda _: {},
        "stat.list": lambda _: {"stat_list": ["smp"]},
        "stat.show": lambda body: {"name": body["name"], "fields": {"in": 3}},
    }
    found = client(Memory(board))
    assert found.img.state() == [ImageSlot(0, "1.4.1", hash=b"\1" * 32, active=True)]
    assert found.img.test(b"\2" * 32) == []
    found.img.confirm()
    found.img.confirm(b"\3")
    found.img.erase()
    found.img.erase(3)
    assert found.stat.names() == ("smp",)
    assert found.stat.show("smp") == {"in": 3}
    assert [body for _, body in board.seen[1:6]] == [
        {"hash": b"\2" * 32, "confirm": False}, {"confirm": True}, {"hash": b"\3", "confirm": True}, {}, {"slot": 3},
    ]  # fmt: skip


@pytest.mark.parametrize("images", [[5], [{}], [{"slot": 0, "version": 1}], [{"slot": "0", "version": ""}]])
def test_a_list_of_images_that_is_none_is_told(images: list) -> None:
    board = Board()
    board.verbs["img.state"] = lambda _: {"images": images}
    with pytest.raises(MalformedAnswer, match="list of images"):
        client(Memory(board)).img.state()


def test_erasing_may_take_long() -> None:
    board = Board()
    board.verbs["img.erase"] = lambda _: {}
    client(Memory(board, trip=8.0)).img.erase()
    assert board.names() == {"img.erase": 1}


# --- uploads


@pytest.mark.parametrize("size", [0, 1, 200, 259, 260, 261, 620, 20_000])
@pytest.mark.parametrize("window", [1, 3])
def test_an_image_arrives_whole(size: int, window: int) -> None:
    board = Board()
    told: list[tuple[int, int]] = []
    client(Memory(board), window=window).img.upload(
        IMAGE[:size], image=2, progress=lambda *now: told.append(now)
    )
    assert bytes(board.image) == IMAGE[:size]
    assert told[-1] == (size, size)
    assert board.want["image"] == 2
    assert board.want["sha"] == hashlib.sha256(IMAGE[:size]).digest()
    assert max(len(message) for message in board.messages) <= 380
    assert [body["off"] for _, body in board.seen] == [sum(sizes(board)[:n]) for n in range(len(board.seen))]


@pytest.mark.parametrize("window", [1, 4])
@pytest.mark.parametrize("kind", ["there", "back", "both"])
@settings(deadline=None, max_examples=12)
@given(seed=st.integers(0, 100_000), rate=st.sampled_from([0.01, 0.05]))
def test_an_image_arrives_whole_over_a_bad_line(window: int, kind: str, seed: int, rate: float) -> None:
    board, random = Board(), Random(seed)
    board.matches = False  # the answer that says so may be lost
    board.verbs["img.state"] = lambda _: {
        "images": [{"slot": 1, "version": "1", "hash": hashlib.sha256(board.image).digest()}]
    }
    bad = spoiler(random, rate)
    channel = Memory(board, there=clean if kind == "back" else bad, back=clean if kind == "there" else bad)
    client(channel, window=window).img.upload(IMAGE[:6_000])
    assert bytes(board.image) == IMAGE[:6_000]
    assert sum(sizes(board)) >= 6_000


def test_an_upload_goes_on_from_where_the_board_is() -> None:
    board = Board()
    found = client(Memory(board))

    def stop(off: int, _: int) -> None:
        if off > 5_000:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        found.img.upload(IMAGE, progress=stop)
    before = len(board.seen)
    found.img.upload(IMAGE)
    assert bytes(board.image) == IMAGE
    assert sum(sizes(board)[before:]) < 15_500
    before = len(board.seen)
    found.img.upload(IMAGE)
    assert len(board.seen) == before + 1


def test_a_board_that_has_forgotten_begins_anew() -> None:
    board = Board()
    found = client(Memory(board))
    forgot = []

    def forget(off: int, _: int) -> None:
        if off > 5_000 and not forgot:
            forgot.append(off)
            board.want = {}
            board.image.clear()

    def upload(body: dict) -> dict:
        return board.upload(body) if board.want or body["off"] == 0 else {"off": 0}

    board.verbs["img.upload"] = upload
    found.img.upload(IMAGE, progress=forget)
    assert bytes(board.image) == IMAGE


@pytest.mark.parametrize("silent", [True, False])
def test_messages_get_shorter_for_a_board_with_a_smaller_buffer(silent: bool) -> None:
    board = Board(buffer=200, silent_oversize=silent)
    found = client(Memory(board))
    found.img.upload(IMAGE[:3_000])
    assert bytes(board.image) == IMAGE[:3_000]
    assert max(len(message) for message in board.messages if len(message) + 4 <= 200) == 190
    assert found.buffer_bytes == (384 if silent else 194)


def test_a_refusal_that_is_not_about_length_is_told() -> None:
    board = Board()
    board.verbs["img.upload"] = refusing(rc=3)
    with pytest.raises(SmpRefused) as refused:
        client(Memory(board)).img.upload(IMAGE)
    assert refused.value.code == "SMP_EINVAL"
    assert [len(message) for message in board.messages] == [380, 190, 128]
    board = Board()
    board.verbs["img.upload"] = refusing(err={"group": 1, "rc": 3})
    with pytest.raises(SmpRefused):
        client(Memory(board)).img.upload(IMAGE)
    assert len(board.messages) == 1


def test_a_refusal_in_the_middle_is_told_at_once() -> None:
    board = Board()
    found = client(Memory(board))

    def broken(off: int, _: int) -> None:
        if off > 5_000:
            board.verbs["img.upload"] = refusing(rc=3)

    with pytest.raises(SmpRefused):
        found.img.upload(IMAGE, progress=broken)
    assert max(sizes(board)) > 300


@pytest.mark.parametrize(
    ("slots", "good"),
    [
        ({"images": []}, False),
        ({"images": [{"slot": 1, "version": "1"}]}, False),
        ({"images": [{"slot": 1, "version": "1", "hash": bytes(32)}]}, False),
        ({"images": [{"slot": 1, "version": "1", "hash": IMAGE[500:532]}]}, True),
        ({"images": [{"slot": 1, "version": "1", "hash": hashlib.sha256(IMAGE[:900]).digest()}]}, True),
        ({"rc": 8}, True),
        ({"rc": 9}, None),
    ],
)
def test_without_a_match_the_slots_are_looked_at(slots: dict, good: bool | None) -> None:
    board = Board()
    board.matches = False
    board.verbs["img.state"] = refusing(**slots) if "rc" in slots else lambda _: slots
    found = client(Memory(board))
    if good:
        found.img.upload(IMAGE[:900])
    else:
        with pytest.raises(SmpRefused if good is None else UploadMismatch):
            found.img.upload(IMAGE[:900])


def test_a_mismatch_is_told() -> None:
    board = Board()
    board.verbs["img.upload"] = lambda body: {"off": len(body["data"]), "match": False}
    with pytest.raises(UploadMismatch, match="has 3 bytes") as failed:
        client(Memory(board)).img.upload(b"abc")
    assert failed.value.code == "SMP_MISMATCH"


def test_flash_may_be_erased_before_the_first_answer() -> None:
    board = Board()
    channel = Memory(board)
    answers = board.take

    def take(message: bytes) -> list[bytes]:
        found = answers(message)
        if channel.now < 1_009:
            return []  # its receiver is off
        return found

    board.take = take  # type: ignore[method-assign]
    client(channel).img.upload(IMAGE[:1_000], erase_s=20)
    assert bytes(board.image) == IMAGE[:1_000]
    assert board.names()["img.upload"] < 30


@pytest.mark.parametrize(
    ("deaf_from", "most"), [(0.0, 15.0), (0.1, 15.0)], ids=["from the beginning", "in the middle"]
)
def test_a_line_that_loses_everything_ends_the_upload(deaf_from: float, most: float) -> None:
    channel = Memory(Board())
    channel.there = lambda line: [] if channel.now >= 1_000 + deaf_from else [(0.0, line)]
    with pytest.raises(DeviceHung, match=r"img\.upload \(sequence \d+, sent \d+ times"):
        client(channel).img.upload(IMAGE)
    assert channel.now < 1_000 + most


def test_a_board_that_only_echoes_times_out() -> None:
    board = Board()
    channel = Memory(board)
    take = board.take
    board.take = lambda message: take(message) if message[5] == 0 else []  # type: ignore[method-assign]
    with pytest.raises(Timeout):
        client(channel).img.upload(IMAGE)


def test_a_board_that_starts_anew_and_stays_silent_is_told() -> None:
    channel = Memory(Board())
    channel.there = lambda line: [] if channel.now >= 1_000.1 else [(0.0, line)]
    channel.reboots_at = 1_000.2
    with pytest.raises(DeviceRebooted):
        client(channel).img.upload(IMAGE)


def test_a_malformed_answer_is_no_end_unless_it_stays_so() -> None:
    board = Board()
    take = board.take
    bad = [3]

    def spoiled(message: bytes) -> list[bytes]:
        bad[0] -= 1
        good = take(message)[0]
        return [good[:8] + b"\xff" + good[9:] if bad[0] >= 0 else good]

    board.take = spoiled  # type: ignore[method-assign]
    client(Memory(board)).img.upload(IMAGE[:1_000])
    assert bytes(board.image) == IMAGE[:1_000]
    bad[0] = 99
    with pytest.raises(MalformedAnswer):
        client(Memory(board)).img.upload(IMAGE)


@pytest.mark.parametrize(
    ("offs", "words"),
    [
        ([len(IMAGE) + 1], "wants byte 20001 of 20000"),
        ([100] * 99, "does not move on from byte 100"),
        ([0, 300] * 99, "does not move on"),
    ],
)
def test_a_board_that_talks_nonsense_is_stopped(offs: list[int], words: str) -> None:
    board = Board()
    said = iter(offs)
    board.verbs["img.upload"] = lambda _: {"off": next(said)}
    with pytest.raises(MalformedAnswer, match=words):
        client(Memory(board)).img.upload(IMAGE)
    assert len(board.seen) <= 2 * STILL_MAX + 3


def test_a_buffer_without_room_is_told() -> None:
    with pytest.raises(BenchError) as refused:
        client(Memory(Board()), buffer_bytes=60).img.upload(IMAGE)
    assert refused.value.code == "SMP_BUFFER_TOO_SMALL"


@pytest.mark.parametrize("size", [*range(60, 100), *range(260, 330), 400, 65_533])
def test_the_room_fits(size: int) -> None:
    data = bytes(room(IMG_UPLOAD, {"off": 0}, size))
    assert size - 1 <= len(request(IMG_UPLOAD, {"off": 0, "data": data}, 0)) <= size


def test_a_refused_image_does_not_make_the_next_one_slow() -> None:
    board = Board()
    good = board.verbs["img.upload"]

    def refuse(_: object) -> dict[str, Any]:
        raise Refuse({"rc": 3})

    board.verbs["img.upload"] = refuse
    found = client(Memory(board))
    with pytest.raises(SmpRefused):
        found.img.upload(IMAGE)
    assert found.buffer_bytes == 384
    board.verbs["img.upload"] = good
    found.img.upload(IMAGE)
