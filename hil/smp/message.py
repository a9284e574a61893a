"""One SMP message: eight bytes of header, then a CBOR map.

Requests are of version 2. Answers are read as they come, version 1 (``rc``) or 2 (``err``), because firmware
answers a request of version 2 in either. Answers are foreign and may be hostile: any order of keys, any
length of a number and indefinite lengths are read; tags, deep nesting and keys other than texts are not.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Final

import cbor2

from advisories.smp import Command
from hil.errors import SmpFailure
from hil.smp.frames import MESSAGE_BYTES_MAX
from keys.errors import InputError

HEADER_BYTES: Final = 8
BODY_BYTES_MAX: Final = MESSAGE_BYTES_MAX - HEADER_BYTES
DEPTH_MAX: Final = 16
"""Deepest nesting of maps and arrays in an answer."""
WHY_CHARACTERS_MAX: Final = 200
"""Longest text with which a board explains an error; what is longer is cut."""
VERSION: Final = 1  # two bits of the first byte; 0 stands for version 1, 1 for version 2

_LAYOUT: Final = struct.Struct(">BBHHBB")


class MalformedAnswer(SmpFailure):
    """The board answered, and the answer is not one: not SMP, not CBOR, or fields of other types."""

    CODE: ClassVar[str] = "SMP_MALFORMED"


@dataclass(frozen=True, slots=True)
class Header:
    """The head of a message."""

    op: int
    """0 read, 1 its answer, 2 write, 3 its answer."""
    version: int
    flags: int
    length: int
    """Bytes of the body."""
    group: int
    sequence: int
    id: int

    def pack(self) -> bytes:
        """Return the eight bytes."""
        first = self.version << 3 | self.op
        return _LAYOUT.pack(first, self.flags, self.length, self.group, self.sequence, self.id)

    @staticmethod
    def unpack(message: bytes) -> Header | None:
        """Read the first eight bytes; None where there are fewer."""
        if len(message) < HEADER_BYTES:
            return None
        first, flags, length, group, sequence, command = _LAYOUT.unpack_from(message)
        return Header(first & 0b111, first >> 3 & 0b11, flags, length, group, sequence, command)


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer; the board refused where ``rc`` is not 0."""

    header: Header
    body: Mapping[str, Any]
    rc: int
    group: int | None
    """Group of the code, in version 2; None in version 1, where codes are everybody's."""
    why: str
    """What the board says about it, if anything: one printable line."""


def request(command: Command, body: Mapping[str, Any], sequence: int, *, group: int | None = None) -> bytes:
    """Return the bytes of a request.

    Args:
        command: what is asked.
        body: its fields; they are not checked, for a test may want to send what is wrong.
        sequence: 0 to 255.
        group: another number than the command's own.

    Raises:
        InputError: SMP_TOO_LONG: no frame holds it.
    """
    code = cbor2.dumps(body, canonical=True)
    if len(code) > BODY_BYTES_MAX:
        raise InputError(
            "SMP_TOO_LONG",
            f"A body of {len(code)} bytes is too long for SMP: at most {BODY_BYTES_MAX}.",
            mend="Send it in parts.",
        )
    number = command.group if group is None else group
    return _LAYOUT.pack(VERSION << 3 | command.write << 1, 0, len(code), number, sequence, command.id) + code


def answer(message: bytes) -> Answer:
    """Return what an answer says.

    Raises:
        MalformedAnswer: it is no message, or its body is no map of fields.
    """
    header = Header.unpack(message)
    if header is None or header.length != len(message) - HEADER_BYTES:
        raise MalformedAnswer("The board sent bytes that are no SMP message.", last_frame=message)
    try:
        body = cbor2.loads(
            message[HEADER_BYTES:],
            max_depth=DEPTH_MAX,
            strict_hashable_types=True,
            semantic_decoders=_NO_TAGS,
            tag_hook=_refuse_tag,
        )
    except Exception as error:  # noqa: BLE001 - the decoder's errors have no common base
        kind = type(error).__name__
        raise MalformedAnswer(f"The board's answer is no CBOR ({kind}).", last_frame=message) from None
    if not isinstance(body, dict) or not all(isinstance(key, str) for key in body):
        raise MalformedAnswer("The board's answer is no map of fields.", last_frame=message)
    rc, group = _code(body, message)
    why = body.get("rsn", "")
    return Answer(header, body, rc, group, _plain(why) if isinstance(why, str) else "")


def _plain(why: str) -> str:
    """Return a board's own words as they may stand in an error: short, and unable to steer a terminal."""
    line = "".join(c if c.isprintable() else "?" for c in why[:WHY_CHARACTERS_MAX])
    return line if len(why) <= WHY_CHARACTERS_MAX else f"{line}..."


def _code(body: Mapping[str, Any], message: bytes) -> tuple[int, int | None]:
    """Return the error code of either version, and the group that it belongs to."""
    error = body.get("err", body)
    if not isinstance(error, dict):
        raise MalformedAnswer("The board's answer has an error that is no map.", last_frame=message)
    rc, group = (body.get("rc", 0), None) if error is body else (error.get("rc"), error.get("group"))
    if type(rc) is not int or type(group) not in (int, type(None)):
        raise MalformedAnswer("The board's answer has an error code that is no number.", last_frame=message)
    return rc, group


def _refuse_tag(*_: object) -> Any:
    raise ValueError("SMP has no tags")


class _EveryTag(dict[int, Callable[..., Any]]):
    """A decoder for each tag there may be: none is built, neither a date nor a shared reference."""

    def __getitem__(self, tag: int) -> Callable[..., Any]:
        return _refuse_tag


_NO_TAGS: Final = _EveryTag()
