"""pcapng, as much of it as a line's trace needs: it opens in Wireshark, and is whole up to where it was cut.

Each block carries its own length, so a run that was killed leaves a file that reads up to its last whole
block. The layout is that of draft-ietf-opsawg-pcapng: section header (4.1), interface description
(4.2), enhanced packet (4.3), options (3.5).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from hil.wire.record import Direction
from keys.errors import InputError

LINKTYPE_SMP: Final = 147
"""LINKTYPE_USER0: a whole SMP message, header and CBOR."""
LINKTYPE_CONSOLE: Final = 148
"""LINKTYPE_USER1: console text, noise and events of the bench."""
BLOCK_BYTES_MAX: Final = 16 * 2**20  # longer than anything a line says: such a length is damage

_SECTION: Final = 0x0A0D0D0A
_INTERFACE: Final = 1
_PACKET: Final = 6
_MAGIC: Final = 0x1A2B3C4D
_COMMENT: Final = 1
_NAME: Final = 2
_FLAGS: Final = 2
_RESOLUTION: Final = 9
_NANOSECONDS: Final = 9
_MICROSECONDS: Final = 6
_BASE_TWO: Final = 0x80
_SECOND: Final = 10**9
_DIRECTIONS: Final = {0: Direction.NONE, 1: Direction.FROM_BOARD, 2: Direction.TO_BOARD}
_FLAG_OF: Final = {direction: flag for flag, direction in _DIRECTIONS.items()}


@dataclass(frozen=True, slots=True)
class Packet:
    """One packet of a trace."""

    link_type: int
    time_ns: int
    """Nanoseconds since 1970, UTC."""
    direction: Direction
    data: bytes
    comment: str = ""


def header() -> bytes:
    """Return the beginning of a file: its section, and one interface for each link type, in this order."""
    section = _block(_SECTION, struct.pack("<IHHq", _MAGIC, 1, 0, -1))
    return section + _interface(LINKTYPE_SMP, b"smp") + _interface(LINKTYPE_CONSOLE, b"console")


def packet(one: Packet) -> bytes:
    """Return a packet's block, for a file that begins with :func:`header`."""
    interface = 0 if one.link_type == LINKTYPE_SMP else 1
    size = len(one.data)
    fixed = struct.pack(
        "<IIIII", interface, one.time_ns >> 32 & 0xFFFF_FFFF, one.time_ns & 0xFFFF_FFFF, size, size
    )
    options = [(_FLAGS, struct.pack("<I", _FLAG_OF[one.direction]))]
    if one.comment:
        options.append((_COMMENT, one.comment.encode(errors="replace")[:0xFFFF]))
    return _block(_PACKET, fixed + _padded(one.data) + _options(options))


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 4)


def _options(options: list[tuple[int, bytes]]) -> bytes:
    return b"".join(struct.pack("<HH", code, len(value)) + _padded(value) for code, value in options) + bytes(
        4
    )


def _block(kind: int, body: bytes) -> bytes:
    size = struct.pack("<I", len(body) + 12)
    return struct.pack("<I", kind) + size + body + size


def _interface(link_type: int, name: bytes) -> bytes:
    options = _options([(_NAME, name), (_RESOLUTION, bytes([_NANOSECONDS]))])
    return _block(_INTERFACE, struct.pack("<HHI", link_type, 0, 0) + options)


def read(data: bytes, where: str = "") -> Iterator[Packet]:
    """Read the packets of a file in order, up to where it was cut; other kinds of blocks are passed over.

    Args:
        data: the file's bytes; anybody's pcapng, of either byte order.
        where: its name, for messages.

    Raises:
        InputError: TRACE_FILE, where it is no pcapng, or is damaged rather than cut.
    """
    if len(data) >= 4 and int.from_bytes(data[:4], "little") != _SECTION:
        message = "This is no pcapng file."
        raise InputError("TRACE_FILE", message, mend="Give the trace.pcapng of a run.", where=where)
    at, order, interfaces = 0, "<", list[tuple[int, int, int]]()
    while at + 12 <= len(data):
        kind = struct.unpack_from(order + "I", data, at)[0]
        if kind == _SECTION:
            order = "<" if data[at + 8 : at + 12] == struct.pack("<I", _MAGIC) else ">"
            interfaces = []
        size = struct.unpack_from(order + "I", data, at + 4)[0]
        if not 12 <= size <= BLOCK_BYTES_MAX or size % 4:
            raise _damaged(at, where)
        if at + size > len(data):
            return
        if data[at + 4 : at + 8] != data[at + size - 4 : at + size]:
            raise _damaged(at, where)
        body = data[at + 8 : at + size - 4]
        try:
            if kind == _INTERFACE:
                interfaces.append(_read_interface(body, order))
            elif kind == _PACKET:
                yield _read_packet(body, order, interfaces)
        except (struct.error, IndexError):
            raise _damaged(at, where) from None
        at += size


def _damaged(at: int, where: str) -> InputError:
    message = f"The trace is damaged at byte {at}."
    return InputError("TRACE_FILE", message, mend="Use an undamaged copy.", where=where)


def _read_interface(body: bytes, order: str) -> tuple[int, int, int]:
    """Return link type, and the unit of its timestamps as ticks a second and seconds to be added."""
    (link_type,) = struct.unpack_from(order + "H", body)
    found = _read_options(body[8:], order)
    resolution = (found.get(_RESOLUTION) or bytes([_MICROSECONDS]))[0]
    ticks = 2 ** (resolution & 0x7F) if resolution & _BASE_TWO else 10**resolution
    offset = found.get(14, b"")
    return link_type, ticks, struct.unpack(order + "q", offset)[0] if len(offset) == 8 else 0


def _read_packet(body: bytes, order: str, interfaces: list[tuple[int, int, int]]) -> Packet:
    interface, high, low, size, _ = struct.unpack_from(order + "IIIII", body)
    link_type, ticks, offset = interfaces[interface]
    data = body[20 : 20 + size]
    if len(data) != size:
        raise struct.error
    found = _read_options(body[20 + size + (-size % 4) :], order)
    flags = found.get(_FLAGS, b"")
    way = struct.unpack(order + "I", flags)[0] & 0b11 if len(flags) == 4 else 0
    return Packet(
        link_type,
        (high << 32 | low) * _SECOND // ticks + offset * _SECOND,
        _DIRECTIONS.get(way, Direction.NONE),
        data,
        found.get(_COMMENT, b"").decode(errors="replace"),
    )


def _read_options(data: bytes, order: str) -> dict[int, bytes]:
    """Return the first option of each code; what is cut short is left out."""
    found: dict[int, bytes] = {}
    at = 0
    while at + 4 <= len(data):
        code, size = struct.unpack_from(order + "HH", data, at)
        value = data[at + 4 : at + 4 + size]
        if code == 0 or len(value) != size:
            break
        found.setdefault(code, value)
        at += 4 + size + (-size % 4)
    return found
