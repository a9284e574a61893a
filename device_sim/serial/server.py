"""The board's SMP server: the bytes of a request in, the bytes of its answer out.

Which command belongs to which handler is a table that the board makes; what fits is said by
``advisories/smp.toml``. The answer has the request's version. Codes that all groups share stand in
``rc``, as MCUmgr has it in both versions, so that foreign clients read them rightly; in version 2 the
codes of our own group stand in ``err``, with the group.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import cbor2

from advisories.smp import NOTIFIER_GROUP, Command, Rc, fits

BUFFER_BYTES: Final = 2_048
"""Longest message, header and body, with the length and CRC of its frame."""

_HEADER: Final = struct.Struct(">BBHHBB")  # version and operation, flags, length, group, sequence, command
_FRAME_BYTES: Final = 4
_READ: Final = 0
_WRITE: Final = 2
_VERSION_MAX: Final = 1  # as the header says it: 0 is version 1, 1 is version 2


class RequestError(Exception):
    """A request that is answered with an error code; nothing was done."""

    def __init__(self, rc: Rc) -> None:
        super().__init__(rc.name)
        self.rc = rc


@dataclass(frozen=True, slots=True)
class Ask:
    """One request whose body fits its command."""

    body: Mapping[str, Any]
    now: float
    """UTC seconds by the board's clock."""
    room: int
    """Bytes that the answer's body may take."""


@dataclass(frozen=True, slots=True)
class Done:
    """An answer, and what happens once it has been sent."""

    body: Mapping[str, Any]
    then: Callable[[], None]


Handler = Callable[[Ask], Mapping[str, Any] | Done]
"""Does what a request asks for; raises RequestError where it does not."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What goes back over the line, and what happens afterwards."""

    message: bytes
    then: Callable[[], None] | None = None


def size(value: Any) -> int:
    """Return how many bytes a value takes in an answer."""
    return len(cbor2.dumps(value))


class Server:
    """Answers requests, one at a time.

    Args:
        handlers: what this firmware can do.
        buffer_bytes: see :data:`BUFFER_BYTES`.
    """

    def __init__(self, handlers: Mapping[Command, Handler], *, buffer_bytes: int = BUFFER_BYTES) -> None:
        self._handlers = {(c.group, c.id, c.write): (c, handler) for c, handler in handlers.items()}
        self._buffer = buffer_bytes
        self.requests = 0
        """Requests so far."""
        self.refused = 0
        """Of these, answered with an error code."""

    def answer(self, request: bytes, now: float) -> Reply | None:
        """Answer a message; None for what is no request.

        Args:
            request: header and body, any bytes.
            now: UTC seconds by the board's clock.
        """
        if len(request) < _HEADER.size:
            return None
        first, _flags, _length, group, sequence, number = _HEADER.unpack_from(request)
        operation, version = first & 7, first >> 3 & 3
        if operation not in {_READ, _WRITE}:
            return None  # an answer is never answered
        self.requests += 1
        then = None
        try:
            body, then = self._call(request, now)
        except RequestError as error:
            self.refused += 1
            named = version > 0 and group == NOTIFIER_GROUP
            body = cbor2.dumps(
                {"err": {"group": group, "rc": int(error.rc)}} if named else {"rc": int(error.rc)}
            )
        first = min(version, _VERSION_MAX) << 3 | operation + 1
        return Reply(_HEADER.pack(first, 0, len(body), group, sequence, number) + body, then)

    def _call(self, request: bytes, now: float) -> tuple[bytes, Callable[[], None] | None]:
        first, _flags, length, group, _sequence, number = _HEADER.unpack_from(request)
        if first >> 3 & 3 > _VERSION_MAX:
            raise RequestError(Rc.TOO_NEW)
        if len(request) > self._buffer:
            raise RequestError(Rc.EMSGSIZE)
        found = self._handlers.get((group, number, first & 7 == _WRITE))
        if found is None:
            raise RequestError(Rc.ENOTSUP)
        command, handler = found
        if len(request) != _HEADER.size + length:
            raise RequestError(Rc.EINVAL)
        body = _body(request[_HEADER.size :], command)
        room = self._buffer - _FRAME_BYTES - _HEADER.size
        result = handler(Ask(body, now, room))
        done = result if isinstance(result, Done) else None
        data = cbor2.dumps(done.body if done else result)
        if len(data) > room:
            raise RequestError(Rc.EMSGSIZE)
        return data, done.then if done else None


def _body(data: bytes, command: Command) -> Mapping[str, Any]:
    """Decode a body and hold it against its command (RequestError)."""
    try:
        body = cbor2.loads(data) if data else {}
    except Exception:  # noqa: BLE001 - whatever bytes do to the decoder, they are no body
        raise RequestError(Rc.EINVAL) from None
    if not isinstance(body, dict):
        raise RequestError(Rc.EINVAL)
    if fits(command.request, body) is not None:
        raise RequestError(Rc.EINVAL)
    return body
