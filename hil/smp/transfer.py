"""Many bytes in parts: an image, or a message to be staged.

The board answers each part with the offset it wants next, and takes each byte once. So nothing is ever
wrong with sending a part again, and a transfer goes on from wherever the board says it is: after a loss,
after a cable was pulled, or in another run. A part that goes unanswered is sent again, sooner on a line
that has answered quickly; a transfer fails only when the board has not moved on for a while.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from advisories.smp import Command, Rc
from hil.errors import BenchError, DeviceGone, SmpRefused
from hil.smp.exchange import FRAME_BYTES, Exchange, Operation
from hil.smp.message import Answer, MalformedAnswer, request

MESSAGE_BYTES_MIN: Final = 128
"""Messages are not made shorter than this when a board refuses longer ones."""
WAIT_MIN_S: Final = 0.1
"""A part is not sent again sooner than this."""
WAIT_FACTOR: Final = 4.0
"""A part is sent again after so many times the time that answers usually take."""
CLEAN_ANSWERS: Final = 16
"""After so many answers at the first asking, messages may be as long again as they have been."""
STILL_MAX: Final = 16
"""Answers in a row without progress, or steps back in all, for each part of the window, before a board is
called stuck."""
_SMOOTHING: Final = 0.125
_TOO_LONG: Final = frozenset({Rc.EINVAL, Rc.EMSGSIZE})

Fields = Callable[[int], dict[str, Any]]
Progress = Callable[[int, int], None]
"""Called with the bytes that the board has, and with all."""


def room(command: Command, fields: Mapping[str, Any], message_bytes: int) -> int:
    """Return how many bytes of data fit into one message beside these fields.

    As smpclient counts it, so that both cut an image alike: at a few sizes one byte less than would fit.
    """
    left = message_bytes - len(request(command, {**fields, "data": b""}, 0))
    return max(0, left - (0 if left < 24 else 1 if left <= 0xFF else 2))


class Transfer:
    """One transfer.

    Args:
        exchange: where it goes.
        command: its answers carry ``off``.
        fields: returns what a part's request carries beside ``data``, for its offset.
        data: what is sent.
        progress: is told how far the board is.
        first_s: what the board may take for its first answer; it may have to erase flash.
    """

    def __init__(
        self,
        exchange: Exchange,
        command: Command,
        fields: Fields,
        data: bytes,
        *,
        progress: Progress | None = None,
        first_s: float = 0.0,
    ) -> None:
        self._exchange = exchange
        self._command = command
        self._fields = fields
        self._data = data
        self._progress = progress
        self._share = exchange.timeout_s / (exchange.retries + 1)
        self._patience = exchange.timeout_s * (exchange.retries + 1)
        self._first_s = max(first_s, self._patience)
        self._message_bytes = exchange.message_bytes
        self._buffer_bytes = exchange.buffer_bytes
        self._proven = 0  # longest message that has been taken
        self._clean = 0  # answers in a row that needed no repetition
        self._round_trip = self._share / WAIT_FACTOR
        self._misses = 0  # waits in a row that nothing answered
        self._board = -1  # bytes the board has; -1: it has not said
        self._still = 0  # answers since it last moved on
        self._backwards = 0
        self._next = 0  # offset of the next part
        self._flying: dict[int, tuple[int, int, float]] = {}  # sequence -> its part and when it was sent
        self._moved = exchange.clock()
        self._operation = Operation(exchange, command)

    def run(self) -> dict[str, Any]:
        """Send everything, and return the fields of the answer with which the board had it all.

        Raises:
            BenchError: SMP_BUFFER_TOO_SMALL: the board's buffer holds no data beside the fields.
            SmpRefused, MalformedAnswer, Timeout, DeviceHung, DeviceGone, DeviceRebooted: as a request.
        """
        try:
            while True:
                self._fill()
                body = self._await()
                if body is not None and self._take(body):
                    return body
        except DeviceGone as error:
            raise self._operation.gone(error) from None

    def _fill(self) -> None:
        """Send parts until as many are under way as may be: one before the first answer."""
        window = self._exchange.window if self._board >= 0 else 1
        while len(self._flying) < window and (self._next < len(self._data) or not self._flying):
            self._send_part(again=False)

    def _send_part(self, *, again: bool) -> None:
        start = min(self._next, len(self._data))
        fields = self._fields(start)
        size = min(room(self._command, fields, self._message_bytes), len(self._data) - start)
        if size == 0 and start < len(self._data):
            raise BenchError(
                "SMP_BUFFER_TOO_SMALL",
                f"A buffer of {self._exchange.buffer_bytes} bytes holds no data beside the fields of "
                f"{self._command.name}.",
                mend="Give the board's buffer as link.smp_buf.",
            )
        fields["data"] = self._data[start : start + size]
        sequence = self._operation.send_part(fields, again=again)
        self._flying[sequence] = (start, start + size, self._exchange.clock())
        self._next = start + size

    def _await(self) -> dict[str, Any] | None:
        """Return an answer's fields, with the part's end as ``_end``; None where parts were sent again."""
        exchange = self._exchange
        usual = max(WAIT_MIN_S, WAIT_FACTOR * self._round_trip)
        wait = max(usual, min(usual * 2**self._misses, self._share))
        try:
            found = exchange.receive(self._command, self._flying, exchange.clock() + wait)
        except MalformedAnswer:
            if self._misses >= exchange.retries:
                raise
            found = None
        if found is None:
            self._missed()
            return None
        return self._judge(found)

    def _judge(self, found: Answer) -> dict[str, Any] | None:
        _, end, sent = self._flying.pop(found.header.sequence)
        if not self._misses and self._board >= 0:
            self._round_trip += _SMOOTHING * (self._exchange.clock() - sent - self._round_trip)
        try:
            body = self._operation.judge(found)
        except SmpRefused as error:
            known = error.rc in _TOO_LONG and self._exchange.shares(error.group)
            if not known or self._proven >= self._message_bytes or not self._shrink():
                if self._proven == 0:  # it was not the length: the next transfer need not be slow for it
                    self._exchange.buffer_bytes = self._buffer_bytes
                raise
            self._exchange.buffer_bytes = self._message_bytes + FRAME_BYTES
            self._back_to(max(0, self._board))
            return None
        off = body["off"]
        if off > len(self._data):
            raise self._nonsense(f"wants byte {off} of {len(self._data)}")
        self._clean = 0 if self._misses else self._clean + 1
        self._misses = 0
        if end <= off < len(self._data):
            self._proven = max(self._proven, self._message_bytes)
        if self._clean >= CLEAN_ANSWERS:
            self._message_bytes = max(self._message_bytes, min(2 * self._message_bytes, self._proven))
        if off != end:  # it did not take this part, so it takes none behind it either
            self._back_to(off)
        self._flying = {number: part for number, part in self._flying.items() if part[1] > off}
        return body

    def _take(self, body: Mapping[str, Any]) -> bool:
        """Note where the board is; True when it has everything."""
        off = body["off"]
        if off > self._board:
            self._moved = self._exchange.clock()
            self._still = 0
        else:
            self._still += 1
            self._backwards += off < self._board
        self._board = off
        if max(self._still, self._backwards) > STILL_MAX * self._exchange.window:
            raise self._nonsense(f"does not move on from byte {off} of {len(self._data)}")
        if self._progress is not None:
            self._progress(off, len(self._data))
        return bool(off == len(self._data))

    def _nonsense(self, what: str) -> MalformedAnswer:
        return MalformedAnswer(
            f"In {self._command.name} the board {what}.", last_frame=self._exchange.last_frame
        )

    def _back_to(self, off: int) -> None:
        self._flying.clear()
        self._next = off

    def _missed(self) -> None:
        """Send the first unanswered part again, or find out why nothing comes."""
        exchange = self._exchange
        self._operation.require_no_reboot()
        self._misses += 1
        waited = exchange.clock() - self._moved
        if waited >= (self._patience if self._board >= 0 else self._first_s):
            raise self._operation.failure()
        if self._misses > exchange.retries:
            self._shrink()  # no room for it, of which a board may be silent, or lines too bad for so many
        asked = dict(self._flying)
        self._back_to(max(0, self._board))
        self._send_part(again=True)
        if exchange.window == 1 or self._board < 0:
            self._flying.update(asked)  # whichever answers: it says where the board is

    def _shrink(self) -> bool:
        """Make messages shorter; False when they are as short as they get."""
        shorter = max(MESSAGE_BYTES_MIN, self._message_bytes // 2)
        if shorter >= self._message_bytes:
            return False
        self._message_bytes = shorter
        return True
