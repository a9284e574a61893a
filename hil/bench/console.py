"""What a board has said on its console: kept, searched, and never mistaken for what it said before."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable
from typing import Final

from hil.errors import DeviceGone, Timeout

BYTES_MAX: Final = 1 << 20  # kept; older ones are dropped and counted
_LINES_TOLD: Final = 3  # of the console in an error
_LINE_CHARACTERS_TOLD: Final = 120

_ESCAPES: Final = re.compile(
    r"\x1b\[[0-?]*[ -/]*(?:[@-~]|$)"  # CSI (ECMA-48 5.4): colours, cursor; also cut off at the end
    r"|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\|$)"  # OSC: titles
    r"|\x1b[ -/]*(?:[0-~]|$)"  # the rest, of two or three characters
)
_LINE_END: Final = re.compile(r"\r*\n\r*|\r+")
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")


def plain(data: bytes) -> str:
    """Return console output as text: UTF-8, lines ended by one line feed, no escape sequences, no controls.

    CR LF, LF CR, CR CR LF and a lone CR (a progress bar's) each end a line. Bytes that are no text become
    U+FFFD.
    """
    text = _ESCAPES.sub("", data.decode(errors="replace"))
    return _CONTROL.sub("", _LINE_END.sub("\n", text))


class ConsoleLog:
    """Everything that came on a console, with places in it.

    A place is a number of bytes from the beginning; it stays true when old bytes are dropped. Any thread may
    read while the line's reader appends.
    """

    def __init__(self, *, bytes_max: int = BYTES_MAX, settle: Callable[[], object] = int) -> None:
        """Begin empty; ``settle`` lets the line append the half line that it holds before a mark."""
        self._bytes_max = bytes_max
        self._settle = settle
        self._data = bytearray()
        self._dropped = 0
        self._since = 0
        self._ended = ""
        self._changed = threading.Condition()

    @property
    def position(self) -> int:
        """The place behind the last byte."""
        with self._changed:
            return self._dropped + len(self._data)

    @property
    def marked(self) -> int:
        """The place of the last :meth:`mark`; 0 before the first."""
        with self._changed:
            return self._since

    @property
    def dropped(self) -> int:
        """Bytes that are no longer kept, the oldest ones."""
        with self._changed:
            return self._dropped

    def mark(self) -> int:
        """Return the place behind the last byte, and let :meth:`expect` begin there from now on."""
        self._settle()
        with self._changed:
            self._since = self._dropped + len(self._data)
            return self._since

    def append(self, data: bytes) -> None:
        """Add what came; called by the line."""
        with self._changed:
            self._data += data
            surplus = len(self._data) - self._bytes_max
            if surplus > 0:
                del self._data[:surplus]
                self._dropped += surplus
            self._changed.notify_all()

    def end(self, reason: str) -> None:
        """Note that the port went away and why; an empty reason means that it is back."""
        with self._changed:
            if self._ended and not reason:
                # What comes now is another boot's: it neither goes on a half line, nor is where a mark was.
                self._data += b"\n"
            self._ended = reason
            self._changed.notify_all()

    def raw(self, since: int = 0) -> bytes:
        """Return the bytes from a place on, as they came; those that were dropped are missing."""
        with self._changed:
            return bytes(self._data[max(0, since - self._dropped) :])

    def text(self, since: int = 0) -> str:
        """Return what came from a place on, as :func:`plain` text."""
        return plain(self.raw(since))

    def expect(
        self, pattern: str | re.Pattern[str], *, since: int | None = None, timeout_s: float = 10.0
    ) -> re.Match[str]:
        """Wait until a regular expression is found in what came after a place, and return the match.

        Args:
            pattern: searched in :func:`plain` text with ``^`` and ``$`` at every line (``re.MULTILINE``).
            since: a place; left out, the last :meth:`mark`, which power-on and reset make too. Nothing that
                came before it is ever looked at.
            timeout_s: seconds to wait.

        Raises:
            Timeout: nothing matched in time; says what the console said last.
            DeviceGone: the port is away, and nothing that came before matches.
        """
        compiled = re.compile(pattern, re.MULTILINE) if isinstance(pattern, str) else pattern
        deadline = time.monotonic() + timeout_s
        start = self.marked if since is None else since
        while True:
            with self._changed:
                end = self._dropped + len(self._data)
                data = bytes(self._data[max(0, start - self._dropped) :])
                ended = self._ended
            found = compiled.search(plain(data))  # a slow pattern keeps the line's reader from nothing
            if found is not None:
                return found
            if ended or not self._more(end, deadline - time.monotonic()):
                raise self._missed(compiled.pattern, start, timeout_s)

    def _more(self, end: int, timeout_s: float) -> bool:
        """Wait until something stands behind a place, or nothing will; False when nothing came in time."""
        with self._changed:
            return self._changed.wait_for(
                lambda: bool(self._ended) or self._dropped + len(self._data) > end, timeout_s
            )

    def _missed(self, pattern: str, start: int, timeout_s: float) -> Timeout | DeviceGone:
        lines = [line for line in self.text(start).split("\n") if line.strip()]
        seen = " | ".join(line[:_LINE_CHARACTERS_TOLD] for line in lines[-_LINES_TOLD:])
        said = f"it said last: {seen}" if seen else "it said nothing"
        if self._ended:
            message = f"The port went away ({self._ended}) before the console said {pattern!r}; {said}."
            return DeviceGone(message, mend="Look why the board left, or cycle its power.")
        message = f"The console did not say {pattern!r} within {timeout_s:g} s; {said}."
        return Timeout(message, mend="Check the pattern, the baud rate and the time allowed.")
