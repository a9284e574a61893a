"""SMP over console, the board's side: requests out of a noisy stream of bytes, answers as lines.

A message travels as base64 of (length, message, CRC16/XMODEM), in lines that begin with ``06 09`` (the
first) or ``04 14`` (what follows) and end with a line feed. Whatever else comes in is console input. A
frame that is not whole is silence: the sender asks again. (MCUmgr, "SMP over console".)

>>> Requests().feed(encode(b"hello"))
[b'hello']
"""

from __future__ import annotations

import binascii
from base64 import b64decode, b64encode
from typing import Final

LINE_BYTES: Final = 127
"""Longest line that is sent, with its marker and line feed."""
LINE_BYTES_MAX: Final = 8_192
"""Longest line that is taken; more without a line end is noise."""

_FIRST: Final = b"\x06\x09"
_NEXT: Final = b"\x04\x14"


def encode(message: bytes, line_bytes: int = LINE_BYTES) -> bytes:
    """Return the lines that carry a message of at most 65,533 bytes."""
    data = (len(message) + 2).to_bytes(2, "big") + message + binascii.crc_hqx(message, 0).to_bytes(2, "big")
    text = b64encode(data)
    step = (line_bytes - 3) // 4 * 4
    lines = (text[at : at + step] for at in range(0, len(text), step))
    return b"".join((_NEXT if number else _FIRST) + line + b"\n" for number, line in enumerate(lines))


class Requests:
    """Finds whole messages in what comes in, however it is cut or damaged."""

    def __init__(self) -> None:
        self.whole = 0
        """Messages found so far."""
        self.broken = 0
        """Frames that began and were not whole."""
        self._rest = b""
        self._text = b""
        """Base64 of the message that is coming in; empty between messages."""

    def feed(self, data: bytes) -> list[bytes]:
        """Take bytes as they come; return the messages that are now whole."""
        *lines, rest = (self._rest + data).replace(b"\r", b"\n").split(b"\n")
        self._rest = rest if len(rest) <= LINE_BYTES_MAX else b""
        messages = [message for line in lines if (message := self._line(line)) is not None]
        self.whole += len(messages)
        return messages

    def _line(self, line: bytes) -> bytes | None:
        # The last marker counts: before it stands noise, or a frame whose end was lost.
        first, following = line.rfind(_FIRST), line.rfind(_NEXT)
        if first > following:
            self.broken += bool(self._text)
            self._text = line[first + 2 :]
        elif following >= 0 and self._text:
            self._text += line[following + 2 :]
        else:
            self.broken += following >= 0
            return None
        return self._message()

    def _message(self) -> bytes | None:
        """Return the message once all of it is there; what cannot become one is forgotten."""
        text = self._text
        if len(text) < 4:
            return None
        try:
            length = int.from_bytes(b64decode(text[:4], validate=True)[:2], "big")
            chars = -(-(length + 2) // 3) * 4
            if len(text) < chars:
                return None
            data = b64decode(text, validate=True)
        except binascii.Error:
            return self._broken()
        message, crc = data[2:length], data[length:]
        if not 2 <= length == len(data) - 2 or int.from_bytes(crc, "big") != binascii.crc_hqx(message, 0):
            return self._broken()
        self._text = b""
        return message

    def _broken(self) -> bytes | None:
        """Forget a frame that is not whole."""
        self.broken += 1
        self._text = b""
        return None
