"""A line's bytes in units that a fault can hit: whole SMP frames, and lines of text.

A frame is held until it is whole, so that its fate does not depend on how a port happened to cut it up.
Text is passed on at once, for somebody may be typing.
"""

from __future__ import annotations

import binascii
from dataclasses import dataclass
from typing import Final

from hil.wire.header import HEADER_BYTES, Header

START: Final = b"\x06\x09"
MORE: Final = b"\x04\x14"
HELD_BYTES_MAX: Final = 131_072  # of a frame that does not end: more than the longest message in base64
_LENGTH_BYTES: Final = 2


@dataclass(frozen=True, slots=True)
class Unit:
    """A frame with all its lines, or a line of text or a part of one; all units together are the stream."""

    data: bytes
    frame: bool
    number: int
    """Counts from 1, frames and lines apart; the parts of one line have one number."""
    first: bool = True
    """False in a later part of a line of text."""
    header: Header | None = None


class Splitter:
    """Cuts one direction of a line into units; every byte comes out once, in order."""

    def __init__(self) -> None:
        self._held = b""
        self._frames = 0
        self._lines = 0
        self._open = False

    def feed(self, data: bytes) -> list[Unit]:
        """Take bytes as they came; no bytes at all let out what waits for the end of a frame."""
        rest, units = self._held + data, []
        while rest:
            at = rest.find(START)
            text_end = len(rest) - (data != b"" and rest.endswith(START[:1])) if at < 0 else at
            units += self._text(rest[:text_end], closes=at >= 0)
            rest = rest[text_end:]
            if at < 0:
                break
            size = _frame_bytes(rest)
            if size is None and data and len(rest) <= HELD_BYTES_MAX:
                break
            units.append(self._frame(rest[: size or len(rest)]))
            rest = rest[size or len(rest) :]
        self._held = rest
        return units

    def _text(self, text: bytes, *, closes: bool) -> list[Unit]:
        units = []
        for part in _lines(text):
            first = not self._open
            self._lines += first
            units.append(Unit(part, frame=False, number=self._lines, first=first))
            self._open = not part.endswith(b"\n")
        if closes:
            self._open = False
        return units

    def _frame(self, data: bytes) -> Unit:
        self._frames += 1
        head, _ = _decoded(data[len(START) :].split(b"\n", 1)[0])
        header = Header.peek(head[_LENGTH_BYTES : _LENGTH_BYTES + HEADER_BYTES])
        return Unit(data, frame=True, number=self._frames, header=header)


def _lines(text: bytes) -> list[bytes]:
    """Split after line feeds only: ``splitlines`` also splits at a carriage return that stands alone."""
    parts = [part + b"\n" for part in text.split(b"\n")]
    parts[-1] = parts[-1][:-1]
    return [part for part in parts if part]


def _decoded(line: bytes) -> tuple[bytes, bool]:
    """Return a line's base64 as bytes, and whether it was sound."""
    try:
        return binascii.a2b_base64(line.strip(b"\r\n"), strict_mode=True), True
    except binascii.Error:
        return b"", False


def _frame_bytes(data: bytes) -> int | None:
    """Return the size of the frame that ``data`` begins with; None while more of it may come."""
    missing, at = None, 0
    while True:
        end = data.find(b"\n", at)
        if end < 0:
            return None
        part, sound = _decoded(data[at + len(START) : end])
        if not sound:
            return end + 1
        if missing is None:
            missing = _LENGTH_BYTES + int.from_bytes(part[:_LENGTH_BYTES], "big")
        missing -= len(part)
        at = end + 1
        if missing <= 0 or not MORE.startswith(data[at : at + len(MORE)]):
            return at
        if len(data) < at + len(MORE):
            return None
