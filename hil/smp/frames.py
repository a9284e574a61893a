"""SMP over a console: messages as lines of base64 between whatever else the console says.

A frame is the message's length, the message and its CRC16 (XMODEM), in base64, cut into lines. The first
line begins with ``06 09``, each further one with ``04 14``; none of these bytes occurs in base64, so a
line's beginning is found wherever it stands: after a prompt, after half a line of log, after a frame whose
end was lost. What is no frame is the console's own text.

Source: Zephyr, "SMP over console"; the same in Apache Mynewt.
"""

from __future__ import annotations

import re
from binascii import Error, a2b_base64, b2a_base64, crc_hqx
from dataclasses import dataclass
from typing import Final

from hil.wire.record import Kind

LINE_BYTES = 127
"""Longest line that every board takes, with its marker and its end."""
LINE_BYTES_MIN: Final = 8
"""Shortest line that still carries four characters of base64."""
MESSAGE_BYTES_MAX: Final = 65_533
"""Longest message whose length, with the CRC, fits into 16 bits."""
TEXT_BYTES_MAX: Final = 4_096
"""A line of text or noise that is longer is handed out in pieces of this size."""

_START: Final = b"\x06\x09"
_FURTHER: Final = b"\x04\x14"
_HALF_MARKERS: Final = b"\x06\x04"
_END: Final = re.compile(rb"\n|\x06\x09|\x04\x14")


def encode(message: bytes, line_bytes: int = LINE_BYTES) -> bytes:
    """Return the lines of one message, each with its end, for one write.

    Args:
        message: at most MESSAGE_BYTES_MAX bytes.
        line_bytes: longest line, at least LINE_BYTES_MIN.

    Raises:
        ValueError: the message is too long or the line too short.
    """
    if len(message) > MESSAGE_BYTES_MAX:
        raise ValueError(f"a message of {len(message)} bytes does not fit a frame")
    if line_bytes < LINE_BYTES_MIN:
        raise ValueError(f"a line of {line_bytes} bytes carries nothing")
    room = (line_bytes - 4) // 4 * 4  # the marker, the end, and one that some boards keep for CR
    size = len(message) + 2
    frame = size.to_bytes(2, "big") + message + crc_hqx(message, 0).to_bytes(2, "big")
    code = b2a_base64(frame, newline=False)
    lines = [code[at : at + room] for at in range(0, len(code), room)]
    return _START + (b"\n" + _FURTHER).join(lines) + b"\n"


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of what a board sent.

    Of a MESSAGE the data is the message without its frame; of TEXT and NOISE it is the bytes as they came.
    """

    kind: Kind
    data: bytes


class Scanner:
    """Parts a board's stream into messages, text and noise; every byte goes into exactly one part.

    The parts do not depend on how the stream was cut into reads. Nothing raises. A message is handed out
    with its last character, before the end of its line.

    Args:
        message_bytes_max: a frame that announces more is noise. What the scanner keeps is bounded by it.
    """

    def __init__(self, *, message_bytes_max: int = 65_535) -> None:
        self._frame_bytes_max = min(message_bytes_max, MESSAGE_BYTES_MAX) + 4
        self._wait = bytearray()  # of the line that is not over
        self._plain: Kind | None = Kind.TEXT  # what the line is; None: the line of a frame
        self._ended = False  # the line's frame is whole, only its end may follow
        self._from = 0  # no end stands in _wait before this place
        self._frame = bytearray()  # decoded so far, from further lines
        self._raw = bytearray()  # the same as it came, should it be noise in the end
        self._size = 0  # bytes that the frame announces, itself and its CRC included; 0: no frame is open

    def feed(self, data: bytes) -> list[Part]:
        """Take what was read, and return the parts that are over."""
        self._wait += data
        parts: list[Part] = []
        while self._wait and self._step(parts):
            pass
        return parts

    def flush(self, *, final: bool = False) -> list[Part]:
        """Return the text that waits for the end of its line.

        Args:
            final: nothing more will come: what began like a frame is noise, half a marker is text.
        """
        parts: list[Part] = []
        if final:
            if self._plain is None:
                self._give_up(parts)
            self._drop_frame(parts)
            self._emit(parts, len(self._wait))
            self._begin(Kind.TEXT)
        elif self._plain is not None and not self._ended:
            held = bool(self._wait) and self._wait[-1] in _HALF_MARKERS
            self._emit(parts, len(self._wait) - held)
        return parts

    def _step(self, parts: list[Part]) -> bool:
        """Take one step; False when more bytes are needed."""
        if self._ended:
            return self._after_frame()
        return self._frame_line(parts) if self._plain is None else self._plain_line(parts)

    def _after_frame(self) -> bool:
        """Drop what belongs to the end of a frame's line."""
        blank = len(self._wait) - len(self._wait.lstrip(b"\r"))
        del self._wait[:blank]
        if not self._wait:
            return False
        if self._wait[:1] == b"\n":
            del self._wait[:1]
        self._begin(Kind.TEXT)
        return True

    def _begin(self, plain: Kind | None) -> None:
        self._plain, self._ended = plain, False
        self._from = 0 if plain is Kind.TEXT else len(_START)

    def _find(self) -> re.Match[bytes] | None:
        """Return the end of the line in hand, if it is there; it is looked for once only."""
        found = _END.search(self._wait, self._from)
        if found is None:
            self._from = max(self._from, len(self._wait) - 1)
        return found

    def _emit(self, parts: list[Part], count: int) -> None:
        if count:
            parts.append(Part(self._plain or Kind.TEXT, bytes(self._wait[:count])))
            del self._wait[:count]
        self._from = max(0, self._from - count)

    def _plain_line(self, parts: list[Part]) -> bool:
        found = self._find()
        if found is None or found.start() >= TEXT_BYTES_MAX:
            if len(self._wait) <= TEXT_BYTES_MAX:
                return False
            self._emit(parts, TEXT_BYTES_MAX)
        elif found.group() == b"\n":
            self._emit(parts, found.end())
            self._begin(Kind.TEXT)
        else:
            self._emit(parts, found.start())
            self._begin(None)
        return True

    def _frame_line(self, parts: list[Part]) -> bool:
        found = self._find()
        end = found.start() if found else len(self._wait)
        if self._wait[:2] == _START:
            if self._size:
                self._drop_frame(parts)
            if not self._announce(end):
                return self._refuse(parts, over=found is not None or end >= 6)
        elif not self._size:
            return self._refuse(parts, over=True)
        need = (self._size - len(self._frame) + 2) // 3 * 4
        if end - 2 >= need:
            return self._finish(parts, need)
        if found is None:
            return False
        return self._keep(parts, found)

    def _announce(self, end: int) -> bool:
        """Read the size that a first line announces; False when it cannot be read, or is too large."""
        head = _decode(self._wait[2 : min(6, end)])
        size = int.from_bytes(head[:2], "big") + 2 if len(head) >= 2 else 0
        if not 4 <= size <= self._frame_bytes_max:
            return False
        self._size = size
        return True

    def _finish(self, parts: list[Part], need: int) -> bool:
        """Take the frame's last characters."""
        whole = self._frame + _decode(self._wait[2 : 2 + need])
        message = bytes(whole[2:-2])
        if len(whole) != self._size or crc_hqx(message, 0) != int.from_bytes(whole[-2:], "big"):
            return self._refuse(parts, over=True)
        parts.append(Part(Kind.MESSAGE, message))
        del self._wait[: 2 + need]
        self._close()
        self._ended = True
        return True

    def _keep(self, parts: list[Part], found: re.Match[bytes]) -> bool:
        """Take a line after which more must come."""
        piece = _decode(self._wait[2 : found.start()].rstrip(b" \t\r"))
        if not piece:
            return self._refuse(parts, over=True)
        self._frame += piece
        newline = found.group() == b"\n"
        used = found.end() if newline else found.start()
        self._raw += self._wait[:used]
        del self._wait[:used]
        self._begin(Kind.TEXT if newline else None)
        return True

    def _refuse(self, parts: list[Part], *, over: bool) -> bool:
        """Make noise of the line in hand, and of the frame it belonged to; wait while not enough is there."""
        if over:
            self._give_up(parts)
        return over

    def _give_up(self, parts: list[Part]) -> None:
        self._drop_frame(parts)
        self._plain = Kind.NOISE
        self._from = len(_START)

    def _drop_frame(self, parts: list[Part]) -> None:
        if self._raw:
            parts.append(Part(Kind.NOISE, bytes(self._raw)))
        self._close()

    def _close(self) -> None:
        self._size = 0
        self._frame.clear()
        self._raw.clear()


def _decode(code: bytes | bytearray) -> bytes:
    """Return what base64 holds; nothing where it is wrong."""
    try:
        return a2b_base64(code, strict_mode=True)
    except Error:
        return b""
