"""Frames in a noisy stream: found wherever they stand, whatever is around them, however it was cut."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from smp import packet

from hil.smp.frames import LINE_BYTES, MESSAGE_BYTES_MAX, TEXT_BYTES_MAX, Part, Scanner, encode
from hil.wire.record import Kind

MESSAGES = st.binary(max_size=400)
LINES = st.integers(8, 200)
NOISE = st.lists(
    st.one_of(
        st.binary(max_size=40),
        st.sampled_from(
            [b"\x06\x09", b"\x04\x14", b"\x06", b"\x04", b"\n", b"\r\n", b"AAIAAA==", b"\x06\x09AAIAAA==",
             b"\x1b[1;32muart:~$ \x1b[m", b"*** Booting ***\r\n", b"\x06\x09//8A\n", b"\x04\x14AAAA\n"]
        ),
    ),
    max_size=6,
).map(b"".join)  # fmt: skip


def scan(*chunks: bytes, **options: int) -> list[Part]:
    scanner = Scanner(**options)
    return [part for chunk in chunks for part in scanner.feed(chunk)] + scanner.flush(final=True)


def messages(parts: list[Part]) -> list[bytes]:
    return [part.data for part in parts if part.kind is Kind.MESSAGE]


def joined(parts: list[Part], kind: Kind) -> bytes:
    return b"".join(part.data for part in parts if part.kind is kind)


def text(data: bytes) -> Part:
    return Part(Kind.TEXT, data)


def noise(data: bytes) -> Part:
    return Part(Kind.NOISE, data)


def message(data: bytes) -> Part:
    return Part(Kind.MESSAGE, data)


HELLO = b"\x06\x09AA9IZWxsbywgd29ybGQhet4=\n"
LONG = bytes(range(256))
LONG_LINES = encode(LONG).splitlines(keepends=True)


def test_a_frame_is_these_bytes() -> None:
    assert encode(b"Hello, world!") == HELLO
    assert encode(b"") == b"\x06\x09AAIAAA==\n"
    assert [len(line) for line in LONG_LINES] == [123, 123, 111]


@given(MESSAGES, LINES)
def test_frames_are_those_of_the_reference_encoder(data: bytes, line: int) -> None:
    assert encode(data, line) == b"".join(packet.encode(data, line))


@pytest.mark.parametrize(("size", "line"), [(MESSAGE_BYTES_MAX + 1, LINE_BYTES), (1, 7)])
def test_what_fits_no_frame_is_not_encoded(size: int, line: int) -> None:
    with pytest.raises(ValueError):
        encode(bytes(size), line)


@pytest.mark.parametrize("size", [0, 1, 2, 3, 85, 86, 87, 88, 89, 90, MESSAGE_BYTES_MAX])
def test_a_message_of_any_size_comes_back(size: int) -> None:
    assert scan(encode(bytes(size))) == [message(bytes(size))]


@pytest.mark.parametrize(
    ("stream", "parts"),
    [
        (b"", []),
        (HELLO, [message(b"Hello, world!")]),
        (HELLO.replace(b"\n", b"\r\n"), [message(b"Hello, world!")]),
        (b"\r\n" + HELLO + b"\r\n", [text(b"\r\n"), message(b"Hello, world!"), text(b"\r\n")]),
        (b"uart:~$ " + HELLO, [text(b"uart:~$ "), message(b"Hello, world!")]),
        (b"\x1b[8D\x1b[J" + HELLO, [text(b"\x1b[8D\x1b[J"), message(b"Hello, world!")]),
        (HELLO + HELLO, [message(b"Hello, world!")] * 2),
        (HELLO[:-1] + HELLO, [message(b"Hello, world!")] * 2),  # the line's end was lost
        (HELLO[:-1] + b"[00:01] log\n", [message(b"Hello, world!"), text(b"[00:01] log\n")]),
        (HELLO[:-1], [message(b"Hello, world!")]),
        (b"*** Booting\r\nhalf a li", [text(b"*** Booting\r\n"), text(b"half a li")]),
        (b"\x06" + HELLO, [text(b"\x06"), message(b"Hello, world!")]),
        (b"\x06\x09" + HELLO, [noise(b"\x06\x09"), message(b"Hello, world!")]),
        (HELLO[:-6] + HELLO, [noise(HELLO[:-6]), message(b"Hello, world!")]),  # cut off in the line
        (HELLO[:-6] + b"\n" + HELLO, [noise(HELLO[:-6] + b"\n"), message(b"Hello, world!")]),
        (HELLO.replace(b"Z", b"!"), [noise(HELLO.replace(b"Z", b"!"))]),
        (HELLO.replace(b"bywg", b"bywh"), [noise(HELLO.replace(b"bywg", b"bywh"))]),  # CRC
        (b"\x06\x09!\n", [noise(b"\x06\x09!\n")]),
        (b"\x06\x09\n", [noise(b"\x06\x09\n")]),
        (b"\x06\x09AA==\n", [noise(b"\x06\x09AA==\n")]),
        (b"\x06\x09AAAA\n", [noise(b"\x06\x09AAAA\n")]),  # announces less than its CRC
        (b"\x04\x14AAAA\n" + HELLO, [noise(b"\x04\x14AAAA\n"), message(b"Hello, world!")]),
        (HELLO + b"\x04\x14AAAA\n", [message(b"Hello, world!"), noise(b"\x04\x14AAAA\n")]),
        (b"".join(LONG_LINES), [message(LONG)]),
        (b"\r\n".join(line[:-1] for line in LONG_LINES), [message(LONG)]),
        (b" \n".join(line[:-1] for line in LONG_LINES), [message(LONG)]),
        (b"".join(line[:-1] for line in LONG_LINES), [message(LONG)]),
        (b"log\n".join(LONG_LINES), [text(b"log\n")] * 2 + [message(LONG)]),
        (LONG_LINES[0] + b"\x04\x14\n", [noise(LONG_LINES[0]), noise(b"\x04\x14\n")]),
        (LONG_LINES[0] + HELLO, [noise(LONG_LINES[0]), message(b"Hello, world!")]),
        (LONG_LINES[0] + LONG_LINES[2] + HELLO,
         [noise(LONG_LINES[0] + LONG_LINES[2]), message(b"Hello, world!")]),
        (LONG_LINES[0] + LONG_LINES[1].replace(b"4", b"\xff") + LONG_LINES[2],
         [noise(LONG_LINES[0]), noise(LONG_LINES[1].replace(b"4", b"\xff")), noise(LONG_LINES[2])]),
        (LONG_LINES[0] + LONG_LINES[1][:40], [noise(LONG_LINES[0]), noise(LONG_LINES[1][:40])]),
    ],
)  # fmt: skip
def test_what_a_stream_is_parted_into(stream: bytes, parts: list[Part]) -> None:
    assert scan(stream) == parts
    assert scan(*(stream[at : at + 1] for at in range(len(stream)))) == parts


def test_a_frame_in_lines_that_are_each_padded_is_read() -> None:
    frame = packet.FRAME_LENGTH_STRUCT.pack(12) + b"0123456789"
    frame += packet.CRC16_STRUCT.pack(packet.crc16_func(b"0123456789"))
    lines = [b"\x06\x09" + packet.b64encode(frame[:7]), b"\x04\x14" + packet.b64encode(frame[7:])]
    assert scan(b"\n".join(lines) + b"\n") == [message(b"0123456789")]


@given(st.lists(MESSAGES, max_size=4), st.lists(NOISE, min_size=5, max_size=5), LINES)
def test_frames_survive_whatever_stands_between_them(
    sent: list[bytes], between: list[bytes], line: int
) -> None:
    stream = between[0] + b"".join(
        encode(one, line) + dirt for one, dirt in zip(sent, between[1:], strict=False)
    )
    found = iter(messages(scan(stream)))
    assert all(one in found for one in sent)


@given(st.lists(st.one_of(NOISE, MESSAGES.map(encode)), max_size=5).map(b"".join), st.data())
@settings(max_examples=300)
def test_the_cuts_between_reads_change_nothing(stream: bytes, data: st.DataObject) -> None:
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=12)))
    chunks = [stream[a:b] for a, b in itertools.pairwise([0, *cuts, len(stream)])]
    assert scan(*chunks) == scan(stream)


@given(NOISE, MESSAGES, NOISE, LINES)
def test_each_byte_is_in_exactly_one_part(before: bytes, sent: bytes, after: bytes, line: int) -> None:
    frame = encode(sent, line)
    parts = scan(before + frame + after)
    assume(messages(parts) == [sent])  # noise, too, can be a whole frame
    others = b"".join(part.data for part in parts if part.kind is not Kind.MESSAGE)
    assert sorted(others) == sorted(before + after)


@given(NOISE)
def test_noise_alone_loses_nothing(stream: bytes) -> None:
    parts = scan(stream)
    assume(not messages(parts))
    assert sorted(b"".join(part.data for part in parts)) == sorted(stream)


@given(st.binary(max_size=3_000))
def test_text_alone_comes_back_byte_for_byte(data: bytes) -> None:
    data = (
        data.replace(b"\x06\x09", b"").replace(b"\x04\x14", b"").replace(b"\x06", b"").replace(b"\x04", b"")
    )
    parts = scan(data)
    assert joined(parts, Kind.TEXT) == data
    assert all(part.data.index(b"\n") == len(part.data) - 1 for part in parts[:-1])


@given(st.lists(st.binary(max_size=200), max_size=20))
def test_no_bytes_make_it_raise(chunks: list[bytes]) -> None:
    scanner = Scanner(message_bytes_max=64)
    for chunk in chunks:
        scanner.feed(chunk)
        scanner.flush()
    scanner.flush(final=True)


@pytest.mark.parametrize(("size", "kind"), [(100, Kind.MESSAGE), (101, Kind.NOISE)])
def test_a_frame_that_announces_too_much_is_noise(size: int, kind: Kind) -> None:
    assert {part.kind for part in scan(encode(bytes(size)), message_bytes_max=100)} == {kind}


@pytest.mark.parametrize("start", [b"", b"\x06\x09!!!!"])
@pytest.mark.parametrize("more", [-1, 0, 1])
def test_a_line_without_end_is_handed_out_in_pieces(start: bytes, more: int) -> None:
    stream = start.ljust(TEXT_BYTES_MAX + more, b".")
    scanner = Scanner()
    parts = scanner.feed(stream)
    assert [len(part.data) for part in parts] == ([TEXT_BYTES_MAX] if more > 0 else [])
    assert b"".join(part.data for part in parts + scanner.flush()) == stream
    for cut in (1, TEXT_BYTES_MAX - 1, TEXT_BYTES_MAX):
        assert scan(stream[:cut], stream[cut:]) == scan(stream)


@pytest.mark.parametrize("at", range(TEXT_BYTES_MAX - 3, TEXT_BYTES_MAX + 3))
def test_a_frame_behind_a_long_line_is_found(at: int) -> None:
    stream = b"." * at + HELLO
    assert messages(scan(stream)) == [b"Hello, world!"]
    assert scan(*(stream[i : i + 1] for i in range(len(stream)))) == scan(stream)


def test_endless_lines_of_a_frame_are_not_kept() -> None:
    scanner = Scanner(message_bytes_max=1_000)
    scanner.feed(b"\x06\x09AP8A\n")
    for _ in range(10_000):
        scanner.feed(b"\x04\x14\n\x04\x14AA==\n")
    assert len(scanner._raw) + len(scanner._wait) + len(scanner._frame) < 10_000


def test_a_message_is_there_with_its_last_character() -> None:
    scanner = Scanner()
    assert scanner.feed(HELLO[:-2]) == []
    assert scanner.feed(HELLO[-2:-1]) == [message(b"Hello, world!")]
    assert scanner.flush() == []
    assert scanner.feed(b"\r") == []
    assert scanner.feed(b"\nlogin") == []
    assert scanner.flush() == [text(b"login")]


def test_text_is_shown_at_once_and_half_a_marker_is_kept() -> None:
    scanner = Scanner()
    scanner.feed(b"login: \x06")
    assert scanner.flush() == [text(b"login: ")]
    assert scanner.flush() == []
    assert scanner.feed(HELLO[1:]) == [message(b"Hello, world!")]
    scanner.feed(HELLO[:9])
    assert scanner.flush() == []
    assert scanner.feed(HELLO[9:]) == [message(b"Hello, world!")]


def test_in_the_end_everything_is_handed_out() -> None:
    scanner = Scanner()
    scanner.feed(b"\x06")
    assert scanner.flush(final=True) == [text(b"\x06")]
    scanner.feed(HELLO[:-1])
    assert scanner.flush(final=True) == []
    scanner.feed(b"\r\n")
    assert scanner.flush(final=True) == []
    assert scanner.feed(HELLO) == [message(b"Hello, world!")]
