"""Traces as files: dpkt reads ours, we read dpkt's, and a file cut anywhere reads up to its last whole block."""

from __future__ import annotations

import io
import struct

import pytest
from dpkt import pcapng as dpkt_pcapng
from hypothesis import given
from hypothesis import strategies as st

from hil.wire import pcapng
from hil.wire.pcapng import LINKTYPE_CONSOLE, LINKTYPE_SMP, Packet
from hil.wire.record import Direction
from keys.errors import InputError

NANO = 10**9
START = 1_800_000_000 * NANO
PACKETS = [
    Packet(LINKTYPE_SMP, START, Direction.TO_BOARD, b"\x0a\0\0\x01\0\0\x07\0\xa0"),
    Packet(LINKTYPE_CONSOLE, START + 1, Direction.FROM_BOARD, b"boot\r\n"),
    Packet(LINKTYPE_CONSOLE, START + 123_456_789, Direction.NONE, b"", "event: power off"),
    Packet(LINKTYPE_SMP, START + 2 * NANO, Direction.FROM_BOARD, b"12345678"),
]


def whole(packets: list[Packet] = PACKETS) -> bytes:
    return pcapng.header() + b"".join(map(pcapng.packet, packets))


def test_the_bytes_of_a_file_are_locked() -> None:
    assert pcapng.header().hex() == (
        "0a0d0d0a1c0000004d3c2b1a01000000ffffffffffffffff1c000000"
        "01000000280000009300000000000000"
        "02000300736d7000" + "0900010009000000" + "0000000028000000"
        "010000002c0000009400000000000000"
        "02000700636f6e736f6c6500" + "0900010009000000" + "000000002c000000"
    )
    one = Packet(LINKTYPE_CONSOLE, 0x1_0000_0002, Direction.FROM_BOARD, b"abcde", "hi")
    assert pcapng.packet(one).hex() == (
        "060000003c000000" + "01000000" + "0100000002000000" + "0500000005000000"
        "6162636465000000" + "0200040001000000" + "0100020068690000" + "00000000" + "3c000000"
    )


def test_dpkt_reads_what_we_write() -> None:
    reader = dpkt_pcapng.Reader(io.BytesIO(whole()))
    assert reader.datalink() == LINKTYPE_SMP
    read = list(reader)
    assert [data for _, data in read] == [packet.data for packet in PACKETS]
    assert [round(float(at) * 1e3) for at, _ in read] == [round(packet.time_ns / 1e6) for packet in PACKETS]


def test_we_read_what_dpkt_writes() -> None:
    for cls_interface, cls_section in (
        (dpkt_pcapng.InterfaceDescriptionBlockLE, dpkt_pcapng.SectionHeaderBlockLE),
        (dpkt_pcapng.InterfaceDescriptionBlock, dpkt_pcapng.SectionHeaderBlock),
    ):
        file = io.BytesIO()
        little = cls_section is dpkt_pcapng.SectionHeaderBlockLE
        option = dpkt_pcapng.PcapngOptionLE if little else dpkt_pcapng.PcapngOption
        block = dpkt_pcapng.EnhancedPacketBlockLE if little else dpkt_pcapng.EnhancedPacketBlock
        file.write(bytes(cls_section()))
        file.write(bytes(cls_interface(linktype=LINKTYPE_CONSOLE)))
        opts = [
            option(code=2, data=struct.pack("<I" if little else ">I", 2)),
            option(code=1, data=b"noise"),
            option(),
        ]
        micros = 1_234_567
        file.write(bytes(block(pkt_data=b"xyz", ts_high=0, ts_low=micros, opts=opts)))
        file.write(bytes(block(pkt_data=b"", ts_high=1, ts_low=0)))
        first, second = pcapng.read(file.getvalue())
        assert first == Packet(LINKTYPE_CONSOLE, micros * 1000, Direction.TO_BOARD, b"xyz", "noise")
        assert (second.time_ns, second.direction) == (2**32 * 1000, Direction.NONE)
    file = io.BytesIO()
    writer = dpkt_pcapng.Writer(file, linktype=LINKTYPE_SMP)
    writer.writepkt(b"message", ts=5.25)
    assert list(pcapng.read(file.getvalue())) == [
        Packet(LINKTYPE_SMP, 5_250_000_000, Direction.NONE, b"message")
    ]


def test_a_file_cut_at_any_byte_reads_up_to_its_last_whole_block() -> None:
    data = whole()
    ends = [len(pcapng.header())]
    for packet in PACKETS:
        ends.append(ends[-1] + len(pcapng.packet(packet)))
    for cut in range(len(data) + 1):
        expected = sum(end <= cut for end in ends[1:])
        assert list(pcapng.read(data[:cut])) == PACKETS[:expected], cut


@given(
    st.lists(
        st.builds(
            Packet,
            st.sampled_from([LINKTYPE_SMP, LINKTYPE_CONSOLE]),
            st.integers(0, 2**63 - 1),
            st.sampled_from(Direction),
            st.binary(max_size=300),
            st.text(st.characters(exclude_categories=["Cs"]), max_size=50),
        ),
        max_size=8,
    )
)
def test_what_is_written_is_read_back(packets: list[Packet]) -> None:
    assert list(pcapng.read(whole(packets))) == packets


def test_a_long_comment_is_cut_to_what_an_option_holds() -> None:
    (packet,) = pcapng.read(whole([Packet(LINKTYPE_CONSOLE, 0, Direction.NONE, b"", "x" * 70_000)]))
    assert len(packet.comment) == 65_535


def block(kind: int, body: bytes) -> bytes:
    size = struct.pack("<I", len(body) + 12)
    return struct.pack("<I", kind) + size + body + size


def interface(*options: tuple[int, bytes]) -> bytes:
    body = struct.pack("<HHI", LINKTYPE_SMP, 0, 0)
    for code, value in options:
        body += struct.pack("<HH", code, len(value)) + value + bytes(-len(value) % 4)
    return block(1, body)


SECTION = pcapng.header()[:28]


def test_other_peoples_clocks_blocks_and_sections_are_read() -> None:
    packet = block(6, struct.pack("<IIIII", 0, 0, 3 << 10, 0, 0))
    binary = SECTION + interface((9, b"\x8a"), (14, struct.pack("<q", 7))) + packet
    assert [one.time_ns for one in pcapng.read(binary)] == [10 * NANO]
    odd = SECTION + interface((14, b"123")) + block(0x0BAD, b"1234") + packet
    assert [one.time_ns for one in pcapng.read(odd)] == [3072 * 1000]
    assert len(list(pcapng.read(odd + odd))) == 2


@pytest.mark.parametrize(
    "data",
    [
        b"GIF89a" * 9,
        SECTION + b"\x06\0\0\0\x0b\0\0\0" + bytes(8),
        SECTION + b"\x06\0\0\0\x0d\0\0\0" + bytes(8),
        SECTION + b"\x06\0\0\0\xff\xff\xff\xff" + bytes(8),
        SECTION + b"\x06\0\0\0\x10\0\0\0" + bytes(8),
        SECTION + block(6, bytes(20)),
        SECTION + interface() + block(6, bytes(16)),
        SECTION + interface() + block(6, struct.pack("<IIIII", 0, 0, 0, 9, 9)),
        SECTION + block(1, b""),
    ],
)
def test_what_is_no_trace_or_damaged_is_refused(data: bytes) -> None:
    with pytest.raises(InputError) as caught:
        list(pcapng.read(data, "t.pcapng"))
    assert (caught.value.code, caught.value.where) == ("TRACE_FILE", "t.pcapng")


@given(st.binary(max_size=200), st.integers(0, 400), st.integers(0, 255))
def test_any_bytes_are_read_or_refused(tail: bytes, at: int, value: int) -> None:
    data = bytearray(whole() + tail)
    data[at % len(data)] = value
    for some in (bytes(data), tail):
        try:
            list(pcapng.read(some))
        except InputError as error:
            assert error.code == "TRACE_FILE"  # noqa: PT017 - any other error fails the test
