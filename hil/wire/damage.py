"""What each kind of fault does to the bytes of one frame or line; pure, and the same for the same dice."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from hil.wire.plan import FaultKind

ANSI: Final = (b"\x1b[0m", b"\x1b[1;32m", b"\x1b[2K\r", b"\x1b[8D\x1b[J", b"\x1b[6n", b"\x1b]0;board\x07")
_BITS_OF_A_BYTE: Final = 10  # a start bit, eight of data, a stop bit


@dataclass(frozen=True, slots=True)
class Piece:
    """Bytes, and how many seconds after the piece before them they come."""

    gap: float
    data: bytes


Pieces = tuple[Piece, ...]


@dataclass(frozen=True, slots=True)
class Done:
    """What is left of a unit, where in it the fault struck (bytes from its beginning), and what to say."""

    pieces: Pieces
    offset: int = 0
    note: str = ""
    dead: bool = False
    """From here on nothing comes through for the fault's ``seconds``."""


Damage = Callable[[Pieces, Mapping[str, Any], random.Random], Done | None]
"""Pieces, the rule's values, dice; None where the fault finds nothing to strike."""


def _size(pieces: Pieces) -> int:
    return sum(len(piece.data) for piece in pieces)


def _cut(pieces: Pieces, offset: int) -> tuple[Pieces, Pieces]:
    """Cut between two bytes; what is behind comes without a gap of its own unless it had one."""
    front: list[Piece] = []
    for number, piece in enumerate(pieces):
        if offset < len(piece.data):
            behind = (Piece(0.0 if offset else piece.gap, piece.data[offset:]), *pieces[number + 1 :])
            if offset:
                front.append(Piece(piece.gap, piece.data[:offset]))
            return tuple(front), behind
        front.append(piece)
        offset -= len(piece.data)
    return tuple(front), ()


def _insert(pieces: Pieces, offset: int, data: bytes) -> Pieces:
    front, behind = _cut(pieces, offset)
    return (*front, Piece(0.0, data), *behind)


def _line_start(pieces: Pieces, dice: random.Random) -> int:
    data = b"".join(piece.data for piece in pieces)
    starts = [0, *(at + 1 for at, byte in enumerate(data[:-1]) if byte == ord("\n"))]
    return dice.choice(starts)


def _drop(pieces: Pieces, _: Mapping[str, Any], __: random.Random) -> Done:
    return Done((), 0, f"{_size(pieces)} bytes")


def _flip(pieces: Pieces, values: Mapping[str, Any], dice: random.Random) -> Done:
    data = bytearray(b"".join(piece.data for piece in pieces))
    offsets = [dice.randrange(len(data)) for _ in range(values["bits"])]
    for offset in offsets:
        data[offset] ^= 1 << dice.randrange(8)
    flipped, at = [], 0
    for piece in pieces:
        flipped.append(Piece(piece.gap, bytes(data[at : at + len(piece.data)])))
        at += len(piece.data)
    return Done(tuple(flipped), min(offsets), f"{len(offsets)} bits" if len(offsets) > 1 else "")


def _dup(pieces: Pieces, _: Mapping[str, Any], __: random.Random) -> Done:
    again = Piece(0.0, b"".join(piece.data for piece in pieces))
    return Done((*pieces, again), 0)


def _split(pieces: Pieces, values: Mapping[str, Any], dice: random.Random) -> Done | None:
    size = _size(pieces)
    if size <= 1:
        return None
    offset = dice.randrange(1, size)
    front, behind = _cut(pieces, offset)
    late = Piece(behind[0].gap + values["seconds"], behind[0].data)
    return Done((*front, late, *behind[1:]), offset, f"{values['seconds']:g} s")


def _delay(pieces: Pieces, values: Mapping[str, Any], _: random.Random) -> Done:
    late = Piece(pieces[0].gap + values["seconds"], pieces[0].data)
    return Done((late, *pieces[1:]), 0, f"{values['seconds']:g} s")


def _noise(pieces: Pieces, values: Mapping[str, Any], dice: random.Random) -> Done:
    offset, noise = dice.randrange(_size(pieces)), dice.randbytes(values["bytes"])
    return Done(_insert(pieces, offset, noise), offset, f"{len(noise)} bytes")


def _log_line(pieces: Pieces, values: Mapping[str, Any], dice: random.Random) -> Done:
    offset = _line_start(pieces, dice)
    return Done(_insert(pieces, offset, values["text"].encode()), offset)


def _ansi(pieces: Pieces, _: Mapping[str, Any], dice: random.Random) -> Done:
    offset, code = _line_start(pieces, dice), dice.choice(ANSI)
    return Done(_insert(pieces, offset, code), offset, repr(code)[2:-1])


def _swallow_newline(pieces: Pieces, _: Mapping[str, Any], dice: random.Random) -> Done | None:
    data = b"".join(piece.data for piece in pieces)
    ends = [at for at, byte in enumerate(data) if byte == ord("\n")]
    if not ends:
        return None
    offset = dice.choice(ends)
    front, behind = _cut(pieces, offset)
    rest = (Piece(behind[0].gap, behind[0].data[1:]), *behind[1:])
    return Done((*front, *(piece for piece in rest if piece.data)), offset)


def _baud(pieces: Pieces, values: Mapping[str, Any], _: random.Random) -> Done:
    misread = tuple(Piece(piece.gap, misread_at(piece.data, values["rate"])) for piece in pieces)
    return Done(tuple(piece for piece in misread if piece.data), 0, f"rate {values['rate']:g}")


def _stall(pieces: Pieces, values: Mapping[str, Any], dice: random.Random) -> Done:
    offset = dice.randrange(_size(pieces))
    return Done(_cut(pieces, offset)[0], offset, f"{values['seconds']:g} s", dead=True)


DAMAGE: Final[Mapping[FaultKind, Damage]] = {
    FaultKind.DROP: _drop,
    FaultKind.FLIP: _flip,
    FaultKind.DUP: _dup,
    FaultKind.SPLIT: _split,
    FaultKind.DELAY: _delay,
    FaultKind.NOISE: _noise,
    FaultKind.LOG_LINE: _log_line,
    FaultKind.ANSI: _ansi,
    FaultKind.SWALLOW_NEWLINE: _swallow_newline,
    FaultKind.BAUD: _baud,
    FaultKind.STALL: _stall,
}
"""Every kind of fault, and what it does to at least one byte."""


def misread_at(data: bytes, rate: float) -> bytes:
    """Return what a UART reads that samples at ``rate`` times the sender's speed (8 data bits, no parity).

    A byte without a stop bit is kept as it was sampled, as most drivers do.

    >>> misread_at(b"hello", 1.0)
    b'hello'
    """
    line: list[int] = []
    for byte in data:
        line += [0, *((byte >> bit) & 1 for bit in range(8)), 1]
    line += [1] * _BITS_OF_A_BYTE
    read, at = bytearray(), 0.0
    step = 1 / rate
    while (start := next((n for n in range(int(at), len(line)) if line[n] == 0), None)) is not None:
        # The edge is seen where it is, or at once if the line is low already.
        begin = max(float(start), at)
        samples = [
            line[int(place)] if (place := begin + (n + 1.5) * step) < len(line) else 1 for n in range(8)
        ]
        read.append(sum(bit << n for n, bit in enumerate(samples)))
        at = begin + 9.5 * step
    return bytes(read)
