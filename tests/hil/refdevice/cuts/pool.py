"""Processes that are forked in the middle of a walk, each to go its own way and tell what came of it."""

from __future__ import annotations

import os
import pickle
import selectors
import signal
import sys
from collections.abc import Callable
from typing import Any, NoReturn

LIMIT_S = 120
"""A walk that takes longer hangs: it is ended."""


class Pool:
    """So many processes at a time; each may tell one thing.

    Args:
        jobs: how many.
        told: called with the label of a process and what it told; with None where it told nothing.
    """

    def __init__(self, jobs: int, told: Callable[[Any, Any], object]) -> None:
        self._jobs, self._told = jobs, told
        self._running = selectors.DefaultSelector()
        self._out = -1

    @property
    def forked(self) -> bool:
        """Say whether this is one of the forked processes."""
        return self._out >= 0

    def fork(self, label: Any) -> bool:
        """Fork, once there is room; True in the new process."""
        while len(self._running.get_map()) >= self._jobs:
            self._reap()
        back, out = os.pipe()
        sys.stdout.flush()
        process = os.fork()
        if process == 0:
            os.close(back)
            self._out = out
            signal.alarm(LIMIT_S)
            return True
        os.close(out)
        self._running.register(back, selectors.EVENT_READ, (process, label, bytearray()))
        return False

    def tell(self, what: Any) -> NoReturn:
        """Tell it, and end this process."""
        data = pickle.dumps(what)
        while data:
            data = data[os.write(self._out, data) :]
        os._exit(0)

    def wait(self) -> None:
        """Wait for all."""
        while self._running.get_map():
            self._reap()

    def _reap(self) -> None:
        for key, _ in self._running.select():
            process, label, heard = key.data
            more = os.read(key.fd, 65_536)
            heard += more
            if more:
                continue
            self._running.unregister(key.fd)
            os.close(key.fd)
            _, status = os.waitpid(process, 0)
            if not heard:
                print(f"{label}: the process ended with {os.waitstatus_to_exitcode(status)}", file=sys.stderr)
            self._told(label, pickle.loads(bytes(heard)) if heard else None)
