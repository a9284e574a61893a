"""Framing on the board's side: equal to another implementation's, and unmoved by noise."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st
from smp import packet

from device_sim.serial.frames import LINE_BYTES, LINE_BYTES_MAX, Requests, encode

MESSAGE = bytes(range(256)) * 2


@given(st.binary(max_size=1_000))
def test_lines_are_byte_for_byte_those_of_another_implementation(message: bytes) -> None:
    assert encode(message) == b"".join(packet.encode(message, line_length=128))


def test_a_known_frame() -> None:
    assert encode(b"Hello, world!") == b"\x06\x09AA9IZWxsbywgd29ybGQhet4=\n"


@given(st.binary(max_size=700), st.lists(st.integers(0, 1_200)))
def test_a_message_cut_anywhere_is_found(message: bytes, cuts: list[int]) -> None:
    data = encode(message)
    places = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    found = Requests()
    pieces = [data[a:b] for a, b in itertools.pairwise(places)]
    assert [one for piece in pieces for one in found.feed(piece)] == [message]
    assert (found.whole, found.broken) == (1, 0)


@pytest.mark.parametrize("message", [b"", b"x", bytes(2_040), bytes(65_533)])
def test_lines_are_never_too_long(message: bytes) -> None:
    data = encode(message)
    assert all(len(line) < LINE_BYTES for line in data.split(b"\n"))
    assert Requests().feed(data) == [message]


@pytest.mark.parametrize(
    "before",
    [
        b"",
        b"reset\r\n",
        b"noise without an end",
        b"\x1b[0m\x00\xff",
        encode(MESSAGE)[:100],  # its end was lost, its line feed too
        encode(MESSAGE)[:150],
        encode(MESSAGE)[:127],
        encode(MESSAGE)[127:],  # its beginning was lost
        b"\x06\x09!!!!\n",
        b"\x06\x09AAA\n",
        b"\x06\x09AAAA\n",
        b"\x06\x09AA==\n",
        b"\x06\x09AAA=\n",
        b"\x04\x14AAAA\n",
        b"\x06\x09\n",
        b"x" * (LINE_BYTES_MAX + 1),
        b"\x06" * 9,
    ],
    ids=range(17),
)
def test_after_anything_the_next_whole_message_is_found(before: bytes) -> None:
    assert Requests().feed(before + encode(b"next")) == [b"next"]


def test_carriage_returns_and_text_between_lines_do_no_harm() -> None:
    data = encode(MESSAGE).replace(b"\n", b"\r\nlog line\r\n")
    assert Requests().feed(data) == [MESSAGE]


def test_a_frame_that_is_not_whole_is_counted() -> None:
    found = Requests()
    found.feed(encode(b"hello!").replace(b"=", b"A"))
    found.feed(b"\x04\x14AAAA\n" + b"\x06\x09AA9I\n" + encode(b"x"))
    assert (found.whole, found.broken) == (1, 3)


@given(st.binary(max_size=300), st.integers(0), st.integers(1, 255))
def test_one_damaged_byte_never_makes_another_message(message: bytes, place: int, flip: int) -> None:
    data = bytearray(encode(message))
    data[place % len(data)] ^= flip
    assert Requests().feed(bytes(data) + b"\n") in ([], [message])


@given(st.lists(st.binary(max_size=200)))
def test_random_bytes_are_only_noise(pieces: list[bytes]) -> None:
    found = Requests()
    for piece in pieces:
        found.feed(piece)
    assert len(found._rest) <= LINE_BYTES_MAX
    assert found.feed(b"\n" + encode(MESSAGE))[-1:] == [MESSAGE]
