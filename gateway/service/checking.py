"""Reports are opened here: in this process, or many at once in one that does nothing else.

An interpreter runs one thread at a time, and opening a report takes longer than all the rest that becomes of
it. So when whole batches wait, a second process opens them on another processor, while this one commits. It
holds no key and no store: bytes go in, reports come out. Should it end, this process does its work.

python -m gateway.service.checking
"""

from __future__ import annotations

import contextlib
import logging
import os
import pickle
import select
import subprocess
import sys
from collections.abc import Sequence
from typing import IO, Any, Final

from advisories.report import Report
from gateway.core.ingest import Device, examine
from keys.errors import RefusedError

__all__ = ["Checker", "Opened", "opened"]

ANSWER_SECONDS: Final = 30.0  # for a batch; one that has not answered by then never will
_READY: Final = "ready"

Opened = Sequence[Report | None]
"""What was asked for, in its order; None stands for what was refused."""

log = logging.getLogger("tocsin.gateway")


def opened(work: Sequence[tuple[bytes, Device]], fleet: bytes, now: float) -> Opened:
    """Open reports in this process; see :func:`gateway.core.ingest.examine`."""
    return [_opened(data, device, fleet, now) for data, device in work]


def _opened(data: bytes, device: Device, fleet: bytes, now: float) -> Report | None:
    try:
        return examine(data, device, fleet=fleet, now=now)
    except RefusedError:
        return None


class Checker:
    """Opens reports, whole batches in a process of its own; used from one thread.

    Args:
        many: from so many reports on the other process is worth its while.
    """

    def __init__(self, many: int) -> None:
        self._many = many if len(os.sched_getaffinity(0)) > 1 else sys.maxsize
        self._process: subprocess.Popen[bytes] | None = None
        self._ready = False

    def opened(self, work: Sequence[tuple[bytes, Device]], fleet: bytes, now: float) -> Opened:
        """Open reports, wherever it is done; see :func:`opened`."""
        if len(work) >= self._many and self._is_ready():
            with contextlib.suppress(OSError, EOFError, pickle.UnpicklingError):
                return self._asked(work, fleet, now)
            self.close()
            log.warning("The process that checks reports has ended; another one takes its place.")
        return opened(work, fleet, now)

    def close(self) -> None:
        """End the other process, if there is one; the next whole batch begins another."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            for pipe in filter(None, (self._process.stdin, self._process.stdout)):
                with contextlib.suppress(OSError):  # what it had not read yet
                    pipe.close()
        self._process, self._ready = None, False

    def _is_ready(self) -> bool:
        """Begin the other process, and say whether it has begun: nobody waits for that."""
        if self._process is None:
            with contextlib.suppress(OSError):  # no room for another process: this one does it all
                self._process = subprocess.Popen(  # noqa: S603 - this very program
                    [sys.executable, "-P", "-m", __name__],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    start_new_session=True,  # Ctrl-C is for the gateway, which ends this one
                )
        elif not self._ready and self._says_something(0):
            with contextlib.suppress(EOFError, pickle.UnpicklingError):
                self._ready = self._answer() == _READY
            if not self._ready:
                self.close()
        return self._ready

    def _asked(self, work: Sequence[tuple[bytes, Device]], fleet: bytes, now: float) -> Opened:
        process = self._process
        if process is None or process.stdin is None:
            raise EOFError
        _say(process.stdin, (work, fleet, now))
        if not self._says_something(ANSWER_SECONDS):
            raise EOFError
        answer: Opened = self._answer()
        return answer

    def _says_something(self, seconds: float) -> bool:
        process = self._process
        if process is None or process.stdout is None:
            return False
        return bool(select.select([process.stdout], [], [], seconds)[0])

    def _answer(self) -> Any:
        if self._process is None or self._process.stdout is None:
            raise EOFError
        return pickle.load(self._process.stdout)  # noqa: S301 - what this very program wrote


def _say(to: IO[bytes], what: object) -> None:
    pickle.dump(what, to, pickle.HIGHEST_PROTOCOL)
    to.flush()


def main() -> None:
    """Open what comes on the standard input until it ends."""
    known: dict[Device, Device] = {}
    _say(sys.stdout.buffer, _READY)
    with contextlib.suppress(EOFError, BrokenPipeError):
        while True:
            work, fleet, now = pickle.load(sys.stdin.buffer)  # noqa: S301 - of the gateway that began it
            same = [(data, known.setdefault(device, device)) for data, device in work]
            _say(sys.stdout.buffer, opened(same, fleet, now))


if __name__ == "__main__":
    main()
