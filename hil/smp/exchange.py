"""Requests and answers over a line that loses some: what may be sent again, and why nothing came.

Silence is normal on a serial line. Every operation has one deadline; within it a request that may act only
once is sent once, and any other a few times. After the deadline it is found out why nothing came: the board
started anew, is alive, is silent, or its port is gone.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol

from advisories.smp import NOTIFIER_GROUP, OS_ECHO, Command, Rc, Retry, fits
from hil.errors import DeviceGone, DeviceHung, DeviceRebooted, SmpFailure, SmpRefused, Timeout
from hil.smp.frames import MESSAGE_BYTES_MAX
from hil.smp.message import Answer, Header, MalformedAnswer, answer, request

FRAME_BYTES: Final = 4
"""Bytes of a board's buffer that a frame's length and CRC take."""
PROBES: Final = 3
"""Echoes that are sent before a board is called silent."""
_SHOWN_BYTES_MAX: Final = 24


class Channel(Protocol):
    """A line that carries whole SMP messages."""

    def send(self, message: bytes) -> None:
        """Send one message; raises DeviceGone."""

    def receive(self, timeout_s: float) -> bytes | None:
        """Return the board's next message, None after ``timeout_s`` without one; raises DeviceGone."""

    def resync(self) -> None:
        """End what the board may hold of a broken line, and forget what waits to be received."""

    def mark(self) -> int:
        """Return the present place in the console's stream."""

    def rebooted(self, since: int) -> bool:
        """Say whether the board has started anew after a mark."""


@dataclass(slots=True)
class Counters:
    """What an exchange has seen; a test may look at it."""

    sent: int = 0
    resent: int = 0
    """Of ``sent``: those that repeat a request."""
    late: int = 0
    """Messages that answer nothing that is waited for: too late, twice, or not asked for."""
    malformed: int = 0


class Exchange:
    """Sends requests and finds their answers.

    Args:
        channel: the line.
        group: number of the notifier group in this firmware.
        timeout_s: what one operation may take, its repetitions included.
        retries: how often a request is repeated that may be.
        buffer_bytes: the board's buffer for one message, with four bytes of its frame.
        window: parts of an upload that may be unanswered at a time.
        random: returns that many random bits.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        channel: Channel,
        *,
        group: int = NOTIFIER_GROUP,
        timeout_s: float = 2.0,
        retries: int = 3,
        buffer_bytes: int = 384,
        window: int = 1,
        random: Callable[[int], int] = secrets.randbits,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.channel = channel
        self.group = group
        self.timeout_s = timeout_s
        self.retries = retries
        self.buffer_bytes = buffer_bytes
        self.window = window
        self.random = random
        self.clock = clock
        self.counters = Counters()
        self.last_frame = b""
        """The last whole message that came, whatever it was."""
        self._sequence = random(8)  # an answer to somebody who was here before must not fit

    @property
    def message_bytes(self) -> int:
        """Longest message that the board's buffer takes."""
        return min(self.buffer_bytes - FRAME_BYTES, MESSAGE_BYTES_MAX)

    def request(
        self,
        command: Command,
        body: Mapping[str, Any] | None = None,
        *,
        timeout_s: float | None = None,
        retries: int | None = None,
    ) -> dict[str, Any]:
        """Ask the board, and return the fields of its answer.

        A ``key`` that the command needs and the body lacks is drawn here; repetitions carry the same one.

        Args:
            command: what is asked.
            body: its fields.
            timeout_s: what it may take in all; the exchange's own where left out.
            retries: how often it is repeated if it may be; the exchange's own where left out.

        Raises:
            SmpRefused: the board answered with an error.
            MalformedAnswer: the answer is none, or its fields have other types than declared.
            Timeout: nothing came in time, yet the board is alive.
            DeviceHung: the board does not answer at all.
            DeviceGone: the port went away.
            DeviceRebooted: the board started anew meanwhile.
        """
        fields = dict(body or {})
        if "key" in command.request:
            fields.setdefault("key", self.random(32))
        return Operation(self, command).run(
            fields,
            self.timeout_s if timeout_s is None else timeout_s,
            self.retries if retries is None else retries,
        )

    def number(self, command: Command) -> int:
        """Return the group's number in this firmware."""
        return self.group if command.group == NOTIFIER_GROUP else command.group

    def shares(self, group: int | None) -> bool:
        """Say whether error codes of this group are those of `Rc`: version 1 and the notifier group."""
        return group is None or group == self.group

    def send(self, command: Command, body: Mapping[str, Any], *, again: bool = False) -> int:
        """Send one request under a new sequence number, and return that number.

        Args:
            command: what is asked.
            body: its fields.
            again: it repeats one that was not answered, so the line is brought in step first.

        Raises:
            DeviceGone: the port went away.
        """
        if again:
            self.channel.resync()
        self._sequence = self._sequence + 1 & 0xFF
        self.counters.sent += 1
        self.counters.resent += again
        self.channel.send(request(command, body, self._sequence, group=self.number(command)))
        return self._sequence

    def receive(self, command: Command, sequences: Collection[int], until: float) -> Answer | None:
        """Return the next answer to any of these requests; None when there is none until then.

        What answers anything else is dropped and counted.

        Raises:
            MalformedAnswer: it answers one of them, and is no answer.
            DeviceGone: the port went away.
        """
        wanted = (command.write << 1 | 1, self.number(command), command.id)
        while True:
            frame = self.channel.receive(max(0.0, until - self.clock()))
            if frame is None:
                return None
            self.last_frame = frame
            header = Header.unpack(frame)
            if header is None:
                self.counters.malformed += 1
            elif (header.op, header.group, header.id) != wanted or header.sequence not in sequences:
                self.counters.late += 1
            else:
                return self._read(command, frame)
            if self.clock() >= until:
                return None

    def _read(self, command: Command, frame: bytes) -> Answer:
        try:
            return answer(frame)
        except MalformedAnswer as error:
            self.counters.malformed += 1
            raise MalformedAnswer(f"{command.name}: {error.message}", last_frame=frame) from None

    def alive(self, probes: int = PROBES) -> bool:
        """Say whether the board answers an echo, be it with an error.

        Raises:
            DeviceGone: the port went away.
        """
        share = self.timeout_s / (self.retries + 1)
        asked: set[int] = set()
        for _ in range(probes):
            asked.add(self.send(OS_ECHO, {"d": "?"}, again=True))
            try:
                if self.receive(OS_ECHO, asked, self.clock() + share):
                    return True
            except MalformedAnswer:
                return True
        return False


class Operation:
    """One operation under way: what was sent for it, and since when.

    Args:
        exchange: where it goes.
        command: what is asked.
    """

    def __init__(self, exchange: Exchange, command: Command) -> None:
        self._exchange = exchange
        self._command = command
        self._mark = exchange.channel.mark()
        self._start = exchange.clock()
        self.sequence = 0
        self.sent = 0

    def run(self, body: Mapping[str, Any], timeout_s: float, retries: int) -> dict[str, Any]:
        """Ask, again where that is allowed, and return the answer's fields (errors of `Exchange.request`)."""
        exchange, command = self._exchange, self._command
        times = 1 if command.retry is Retry.NEVER else retries + 1
        asked: set[int] = set()
        try:
            for turn in range(1, times + 1):
                asked.add(self.send(body))
                until = self._start + timeout_s * turn / times
                try:
                    found = exchange.receive(command, asked, until)
                except MalformedAnswer:
                    if turn == times:
                        raise
                    continue
                if found is not None:
                    return self.judge(found)
                self.require_no_reboot()
            raise self.failure()
        except DeviceGone as error:
            raise self.gone(error) from None

    def send(self, body: Mapping[str, Any]) -> int:
        """Send the request once more, and return its sequence number."""
        return self.send_part(body, again=self.sent > 0)

    def send_part(self, body: Mapping[str, Any], *, again: bool) -> int:
        """Send one of many requests, and return its sequence number (`Exchange.send`)."""
        self.sequence = self._exchange.send(self._command, body, again=again)
        self.sent += 1
        return self.sequence

    def judge(self, found: Answer) -> dict[str, Any]:
        """Return the fields of an answer.

        Raises:
            SmpRefused: it is an error.
            MalformedAnswer: a field has another type than declared.
        """
        if found.rc != Rc.OK:
            raise self._refusal(found)
        why = fits(self._command.answer, found.body)
        if why is not None:
            self._exchange.counters.malformed += 1
            raise MalformedAnswer(
                f"The answer to {self._command.name} is not as declared: {why}.",
                last_frame=self._exchange.last_frame,
            )
        return dict(found.body)

    def require_no_reboot(self) -> None:
        """Raise DeviceRebooted if the board has started anew since the operation began."""
        if self._exchange.channel.rebooted(self._mark):
            raise DeviceRebooted(
                f"The board started anew during {self._said()}.",
                last_frame=self._exchange.last_frame,
                mend="Look at the console for the cause of the reset.",
            )

    def failure(self) -> SmpFailure:
        """Find out why nothing came, and return it.

        Raises:
            DeviceGone: the port went away.
            DeviceRebooted: the board has started anew.
        """
        self.require_no_reboot()
        last = self._exchange.last_frame
        alive = self._exchange.alive()
        self.require_no_reboot()
        if alive:
            return Timeout(
                f"No answer came to {self._said()}, although the board answers an echo.",
                last_frame=last,
                mend="Allow it more time, or look whether the line loses bytes.",
            )
        return DeviceHung(
            f"No answer came to {self._said()}, nor to an echo.",
            last_frame=last,
            mend="Look at the console, the baud rate and the board's power.",
        )

    def gone(self, error: DeviceGone) -> DeviceGone:
        """Return the same error, with what was under way."""
        message = error.message.rstrip(".")
        return DeviceGone(
            f"{message}, during {self._said()}.",
            last_frame=error.last_frame or self._exchange.last_frame,
            mend=error.mend,
            where=error.where,
        )

    def _said(self) -> str:
        last = self._exchange.last_frame
        shown = last[:_SHOWN_BYTES_MAX].hex(" ") + (" ..." if len(last) > _SHOWN_BYTES_MAX else "")
        times = "once" if self.sent == 1 else f"{self.sent} times"
        seconds = self._exchange.clock() - self._start
        return (
            f"{self._command.name} (sequence {self.sequence}, sent {times} in {seconds:.1f} s; "
            f"last frame seen: {shown or 'none'})"
        )

    def _refusal(self, found: Answer) -> SmpRefused:
        """Return the error of an answer that refuses."""
        shared = self._exchange.shares(found.group)
        name = Rc(found.rc).name if shared and found.rc in set(Rc) else ""
        code = f"{name} (rc {found.rc})" if name else f"rc {found.rc}"
        place = "" if found.group is None else f" of group {found.group}"
        why = f": {found.why}" if found.why else ""
        return SmpRefused(
            f"SMP_{name or 'REFUSED'}",
            f"The board refused {self._command.name} with {code}{place}{why}.",
            group=found.group,
            rc=found.rc,
            mend="This firmware lacks the command." if name == Rc.ENOTSUP.name else "",
        )
