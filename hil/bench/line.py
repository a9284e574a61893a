"""A board's serial line: read by one thread from open to close, split once, told to everybody."""

from __future__ import annotations

import contextlib
import os
import re
import threading
import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

import serial

from hil.bench.console import ConsoleLog
from hil.bench.port import WRITE_TIMEOUT_S, close_port, open_port, read_port, why_no_control
from hil.errors import BenchError, DeviceGone, DeviceHung
from hil.smp.frames import LINE_BYTES, Part, Scanner, encode
from hil.wire.record import Direction, Kind, Record, Shaped, Shaper, Tap

QUIET_S: Final = 0.1
"""A half line is shown when nothing has followed for so long: a prompt ends in no line end."""
_IDLE_S: Final = 1.0  # longest wait of the reader; it is woken when there is something to do
_INBOX_MAX: Final = 1024  # messages nobody has fetched; the oldest are dropped


class Line:
    """One port, from :meth:`open` to :meth:`close`; the channel that an SMP client speaks on.

    Any thread may write. ``taps`` are told of every record, one at a time and in order: of what came on the
    reader's thread, of what is sent on the sender's, before it goes out. A tap may write or cut the power; it
    must not close or reopen the line.

    Attributes:
        url: where the port is looked for, at :meth:`open` and again at :meth:`reopen`.
        console: everything that came and was no SMP message.
        taps: who is told of every record.
        shaper: a faulty line, or None; may be changed at any time.
    """

    def __init__(
        self,
        url: str,
        *,
        baud: int,
        dtr: bool | None,
        rts: bool | None,
        line_bytes: int,
        banner: str | None,
        taps: Iterable[Tap],
    ) -> None:
        self.url = url
        self.console = ConsoleLog(settle=self._show_half)
        self.taps: list[Tap] = list(taps)
        self.shaper: Shaper | None = None
        self._baud, self._levels, self._line_bytes = baud, {"dtr": dtr, "rts": rts}, line_bytes
        self._banner = re.compile(banner, re.MULTILINE) if banner else None
        self._port: Any = None
        self._reader: threading.Thread | None = None
        self._wake, self._waker = -1, -1
        self._closing = False
        self._lost = "it is not open"
        self._back_at = -1  # the console's place when the port last came back
        self._scanner = Scanner()
        self._waiting = False  # bytes that the scanner has not given out yet
        self._incoming: deque[Shaped] = deque()
        self._outgoing: deque[Shaped] = deque()
        self._inbox: deque[bytes] = deque(maxlen=_INBOX_MAX)
        self._state = threading.Condition()  # inbox, and whether the port is there
        self._out = threading.Lock()  # bytes leave in one order
        self._shaping = threading.Lock()  # a shaper is asked by one thread at a time
        self._told = threading.RLock()  # records come in one order; never taken while _out is held

    @staticmethod
    def open(
        url: str,
        *,
        baud: int = 115_200,
        dtr: bool | None = None,
        rts: bool | None = None,
        line_bytes: int = LINE_BYTES,
        banner: str | None = None,
        taps: Sequence[Tap] = (),
    ) -> Line:
        """Open a port and begin to read.

        Args:
            url: a device, or a URL of pyserial: ``hwgrep://``, ``socket://``, ``rfc2217://``, ``loop://``.
            baud: bits a second.
            dtr: state of DTR from the first moment; None leaves it to the driver.
            rts: the same of RTS.
            line_bytes: longest line of a frame that the board takes, with its end.
            banner: regular expression of what the console says at every start.
            taps: who is told of every record.

        Raises:
            BenchError: PORT_MISSING, PORT_BUSY, PORT_DENIED, PORT_URL.
        """
        line = Line(url, baud=baud, dtr=dtr, rts=rts, line_bytes=line_bytes, banner=banner, taps=taps)
        line._start()
        return line

    @property
    def alive(self) -> bool:
        """True while the port is open and there."""
        with self._state:
            return not self._lost

    def _start(self) -> None:
        self._port = open_port(self.url, baud=self._baud, **self._levels)
        self._wake, self._waker = os.pipe()
        os.set_blocking(self._waker, False)
        self._closing, self._lost = False, ""
        self._scanner = Scanner()
        self._waiting = False
        self._incoming.clear()
        self._outgoing.clear()
        self.event("open")
        self._reader = threading.Thread(target=self._read, name=f"hil reader of {self.url}", daemon=True)
        self._reader.start()

    def close(self) -> None:
        """Stop reading and close the port; a second time does nothing."""
        if self._reader is None:
            return
        self._closing = True
        self._nudge()
        self._reader.join()
        self._reader = None
        with self._out:
            close_port(self._port)
            os.close(self._wake)
            os.close(self._waker)
            self._wake = self._waker = -1
        with self._state:
            self._lost = self._lost or "it was closed"
            self._state.notify_all()
            reason = self._lost
        self.console.end(reason)
        self.event("close")

    def reopen(self) -> None:
        """Look the port up again, under whatever name it has now, and go on: same console, same taps.

        Raises:
            BenchError: as :meth:`open`; the line is closed then, and may be reopened later.
        """
        self.close()
        with self._state:
            self._inbox.clear()
        self.console.end("")
        self._back_at = self.console.position
        self._start()

    def control(self, *, dtr: bool | None = None, rts: bool | None = None) -> None:
        """Set the state of DTR, RTS or both.

        Raises:
            DeviceGone: the port went away.
        """
        for name, level in (("dtr", dtr), ("rts", rts)):
            if level is None:
                continue
            self._check()
            try:
                setattr(self._port, name, level)
            except (OSError, ValueError) as error:
                raise self._gone(str(error)) from None
            self.event(f"{name} {'on' if level else 'off'}")

    def need_control(self) -> None:
        """Refuse a port whose DTR and RTS steer nothing, before a test relies on them.

        Raises:
            BenchError: PORT_NO_CONTROL.
        """
        why = why_no_control(self._port, self.url)
        if why:
            message = f"{self.url} cannot reset the board: {why}."
            mend = "Write reset.by = command, smp or none, or use the board's real port or rfc2217://."
            raise BenchError("PORT_NO_CONTROL", message, mend=mend)

    # -- what is sent

    def send(self, message: bytes) -> None:
        """Send one SMP message, framed.

        Raises:
            DeviceGone: the port went away.
            DeviceHung: the board takes no bytes.
        """
        self._transmit(encode(message, self._line_bytes), Kind.MESSAGE, message)

    def write(self, data: bytes) -> None:
        """Send bytes as they are: console input; raises as :meth:`send`."""
        self._transmit(data, Kind.TEXT, data)

    def resync(self) -> None:
        """End whatever line the board is in, and forget the messages that wait; raises as :meth:`send`."""
        with self._state:
            self._inbox.clear()
        self.write(b"\n")

    def _transmit(self, data: bytes, kind: Kind, told: bytes) -> None:
        self._check()
        self._tell(Direction.TO_BOARD, kind, told)
        with self._writing(), self._out:
            now = time.monotonic()
            self._shape(Direction.TO_BOARD, data, now, self._outgoing)
            self._write_due(now)
            if self._outgoing:
                self._nudge()  # the reader writes what is due later

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        """Tell why a port takes no bytes; outside of the lock for writing, for a tap may write too."""
        try:
            yield
        except serial.SerialTimeoutException:
            message = f"The board has taken no bytes for {WRITE_TIMEOUT_S:g} s."
            raise DeviceHung(message, mend="Reset it or cycle its power.", where=self.url) from None
        except (OSError, ValueError, TypeError) as error:  # the last two where it was closed meanwhile
            raise self._gone(str(error)) from None

    def _write_due(self, now: float) -> None:
        while self._outgoing and self._outgoing[0].at <= now:
            self._port.write(self._outgoing.popleft().data)

    def _shape(self, direction: Direction, data: bytes, now: float, queue: deque[Shaped]) -> None:
        """Queue bytes, none before those that wait: a wire delays, it does not change the order."""
        with self._shaping:
            shaper = self.shaper
            pieces = shaper(direction, data, now) if shaper else [Shaped(data, now)]
        for piece in pieces:
            at = max(piece.at, queue[-1].at) if queue else piece.at
            queue.append(Shaped(piece.data, at))

    # -- what comes

    def receive(self, timeout_s: float) -> bytes | None:
        """Return the next whole SMP message from the board; None when none came in time.

        Raises:
            DeviceGone: the port went away, and no message waits.
        """
        with self._state:
            self._state.wait_for(lambda: self._inbox or self._lost, timeout_s)
            if self._inbox:
                return self._inbox.popleft()
        self._check()
        return None

    def mark(self) -> int:
        """Return the place in the console behind what has come so far."""
        self._show_half()
        return self.console.position

    def rebooted(self, since: int) -> bool:
        """Say whether the board has started anew after a mark: its banner was seen, or the port came back."""
        if self._back_at > since:
            return True
        return self._banner is not None and self._banner.search(self.console.text(since)) is not None

    def _read(self) -> None:
        try:
            heard = time.monotonic()
            while not self._closing:
                data = read_port(self._port, self._wake, self._pause(heard))
                now = time.monotonic()
                if data:
                    heard = now
                    self._shape(Direction.FROM_BOARD, data, now, self._incoming)
                while self._incoming and self._incoming[0].at <= now:
                    self._came(self._incoming.popleft().data)
                    heard = now
                if self._waiting and now - heard >= QUIET_S:
                    self._show_half()
                self._write_later(now)
        except (OSError, DeviceGone, DeviceHung) as error:
            self._show_half(final=True)
            self._gone(str(error).rstrip("."))
        except BaseException as error:
            self._gone(f"its reader failed, {type(error).__name__}: {error}")
            raise
        else:
            self._show_half(final=True)

    def _pause(self, heard: float) -> float:
        """Return for how long nothing is to be done unless something comes."""
        dues = [queue[0].at for queue in (self._incoming, self._outgoing) if queue]
        if self._waiting:
            dues.append(heard + QUIET_S)
        return max(0.0, min(dues, default=_IDLE_S + heard) - time.monotonic()) if dues else _IDLE_S

    def _write_later(self, now: float) -> None:
        if self._outgoing and self._out.acquire(blocking=False):  # else a writer is at it, and sees to it
            with self._writing():
                try:
                    self._write_due(now)
                finally:
                    self._out.release()

    def _came(self, data: bytes) -> None:
        with self._told:
            self._take(self._scanner.feed(data))
            self._waiting = True

    def _show_half(self, *, final: bool = False) -> None:
        with self._told:
            self._take(self._scanner.flush(final=final))
            self._waiting = False

    def _take(self, parts: Iterable[Part]) -> None:
        for part in parts:
            if part.kind is Kind.MESSAGE:
                with self._state:
                    self._inbox.append(part.data)
                    self._state.notify_all()
            else:
                self.console.append(part.data)
            self._tell(Direction.FROM_BOARD, part.kind, part.data)

    # -- telling

    def event(self, note: str) -> None:
        """Tell the taps of something that the bench did: power, reset, fault."""
        self._tell(Direction.NONE, Kind.EVENT, b"", note)

    def _tell(self, direction: Direction, kind: Kind, data: bytes, note: str = "") -> None:
        with self._told:
            record = Record(time.monotonic(), time.time(), direction, kind, data, note)
            for tap in tuple(self.taps):
                tap(record)

    def _nudge(self) -> None:
        with contextlib.suppress(OSError):  # full: then it is woken already; closed: nobody is there to wake
            os.write(self._waker, b".")

    def _gone(self, reason: str) -> DeviceGone:
        """Note that the port went away; the first reason stays."""
        with self._state:
            first = not self._lost
            self._lost = self._lost or reason
            self._state.notify_all()
        if first:
            self.console.end(reason)
            self.event(f"gone: {reason}")
        return self._away()

    def _away(self) -> DeviceGone:
        message = f"The port went away: {self._lost}."
        return DeviceGone(message, mend="Look at cable and power, or cycle the board.", where=self.url)

    def _check(self) -> None:
        if not self.alive:
            raise self._away()
