"""Long work of one device beside the event loop of ten thousand: reading flash back, copying, rebuilding."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import lru_cache
from typing import Any, Final, TypeVar

LONG_BYTES: Final = 1_048_576
"""What reads or writes more than this leaves the event loop."""
_WORKERS: Final = 2

T = TypeVar("T")


@lru_cache(maxsize=1)
def _workers() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(_WORKERS, thread_name_prefix="flash")


class Aside:
    """At most one piece of work at a time."""

    __slots__ = ("_work",)

    def __init__(self) -> None:
        self._work: Future[Any] | None = None

    @property
    def busy(self) -> bool:
        """True from :meth:`run` until ``then`` is called."""
        return self._work is not None

    def run(self, size: int, work: Callable[[], T], then: Callable[[Callable[[], T]], None]) -> None:
        """Do work on so many bytes: at once where they are few or there is no event loop, else in a thread.

        Args:
            size: bytes that are read or written.
            work: what is to be done.
            then: called in the event loop with a function that returns the result, or raises what it raised.
        """
        try:
            loop = asyncio.get_running_loop() if size > LONG_BYTES else None
        except RuntimeError:
            loop = None
        if loop is None:
            then(work)
            return
        done = self._work = _workers().submit(work)

        def ended() -> None:
            if self._work is done:
                self._work = None
                then(done.result)

        done.add_done_callback(lambda _: loop.is_closed() or loop.call_soon_threadsafe(ended))

    def forget(self) -> None:
        """Wait until the flash is quiet, and call nothing back: what a reset does."""
        work, self._work = self._work, None
        if work is not None and not work.cancel():
            work.exception()
