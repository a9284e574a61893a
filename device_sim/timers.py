"""One timer for ten thousand devices: a heap over one handle of the event loop."""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Callable
from itertools import count
from typing import Final

NAP_S: Final = 60.0
"""Longest sleep, in seconds: after it the clock is looked at again, for somebody may have set it."""
CLOCK_BACK_S: Final = 2.0
"""A clock that went back by more than this was set; what waits is then due as long from now as it was."""


class Timers:
    """Calls back at times of the shell's clock.

    Args:
        clock: returns UTC seconds.
    """

    __slots__ = ("_clock", "_handle", "_heap", "_numbers", "_seen", "_set_for")

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._heap: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = count()
        self._handle: asyncio.TimerHandle | None = None
        self._set_for = 0.0
        self._seen = 0.0
        """The clock when it was last looked at."""

    def at(self, time: float, action: Callable[[], None]) -> None:
        """Call ``action`` at ``time`` (UTC seconds) or soon after."""
        self._look()
        heapq.heappush(self._heap, (time, next(self._numbers), action))
        if self._handle is None or time < self._set_for:
            self._wind()

    def stop(self) -> None:
        """Forget everything."""
        self._heap.clear()
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None

    def _look(self) -> float:
        """Return the time; where the clock was put back, everything that waits moves back with it."""
        now = self._clock()
        back = self._seen - now
        self._seen = now
        if back > CLOCK_BACK_S and self._heap:
            # All by the same: the order of the heap stays.
            self._heap = [(time - back, number, action) for time, number, action in self._heap]
            self._wind()
        return now

    def _wind(self) -> None:
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None
        if self._heap:
            self._set_for = self._heap[0][0]
            delay = min(NAP_S, max(0.0, self._set_for - self._clock()))
            self._handle = asyncio.get_running_loop().call_later(delay, self._ring)

    def _ring(self) -> None:
        self._handle = None
        now = self._look()
        due = []
        while self._heap and self._heap[0][0] <= now:
            due.append(heapq.heappop(self._heap)[2])
        self._wind()
        for action in due:
            action()
