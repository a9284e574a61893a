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
import time
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Any, Final

from advisories.report import Report
from gateway.core.ingest import Device, examine
from gateway.service.pickled import pickled
from keys.errors import RefusedError

__all__ = ["Checker", "Opened", "opened"]

ANSWER_SECONDS: Final = 30.0  # from the first byte of a batch to the last of its answer
ANSWER_BYTES_MAX: Final = 268_435_456  # more is no answer, whatever it is
_READY: Final = "ready"
_LATE: Final = "no answer in time"
_SIZE_BYTES: Final = 8  # before whatever is said: how long it is
_CHUNK_BYTES: Final = 65_536  # what a pipe holds

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
    """Opens reports, whole batches in a process of its own; used from one thread, but for :meth:`kill`.

    Args:
        many: from so many reports on the other process is worth its while.
        devices: that the other process remembers at most.
    """

    def __init__(self, many: int, devices: int) -> None:
        self._many = many if len(os.sched_getaffinity(0)) > 1 else sys.maxsize
        self._devices = devices
        self._process: subprocess.Popen[bytes] | None = None
        self._heard = bytearray()
        self._ready = self._killed = False

    def opened(self, work: Sequence[tuple[bytes, Device]], fleet: bytes, now: float) -> Opened:
        """Open reports, wherever it is done; see :func:`opened`.

        After :meth:`kill` nothing is opened any more, until :meth:`close`.
        """
        if len(work) >= self._many and self._is_ready():
            try:
                return self._asked(work, fleet, now)
            except (OSError, EOFError) as error:
                self._give_up(error)
        return [None] * len(work) if self._killed else opened(work, fleet, now)

    def kill(self) -> None:
        """End the other process at once, from any thread: whoever waits for its answer waits no longer."""
        self._killed = True
        process = self._process
        if process is not None:
            process.kill()

    def close(self) -> None:
        """End the other process, if there is one; the next whole batch begins another."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            for pipe in filter(None, (self._process.stdin, self._process.stdout)):
                with contextlib.suppress(OSError):  # what it had not read yet
                    pipe.close()
        self._process, self._ready, self._killed = None, False, False
        self._heard.clear()

    def _give_up(self, error: Exception) -> None:
        if self._killed:
            return  # by who has closed it in a moment
        self.close()
        why = f": {error}" if str(error) else ""
        log.warning(
            "The process that checks reports is given up (%s%s); another one takes its place.",
            type(error).__name__,
            why,
        )

    def _is_ready(self) -> bool:
        """Begin the other process, and say whether it has begun: nobody waits for that."""
        if self._process is None:
            with contextlib.suppress(OSError):  # no room for another process: this one does it all
                self._process = subprocess.Popen(  # noqa: S603 - this very program
                    [sys.executable, "-P", "-m", __name__, str(self._devices)],
                    bufsize=0,
                    env=_environment(os.environ),
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    start_new_session=True,  # Ctrl-C is for the gateway, which ends this one
                )
                os.set_blocking(self._ends()[0], False)  # see _say
        elif not self._ready and self._says_something(0):
            with contextlib.suppress(TimeoutError):  # it has not said all of it
                self._ready = self._greeting()
        return self._ready

    def _greeting(self) -> bool:
        with contextlib.suppress(EOFError):
            if self._answer(time.monotonic()) == _READY:
                return True
        self.close()
        return False

    def _asked(self, work: Sequence[tuple[bytes, Device]], fleet: bytes, now: float) -> Opened:
        until = time.monotonic() + ANSWER_SECONDS
        self._say((work, fleet, now), until)
        answer = self._answer(until)
        if not (isinstance(answer, list) and len(answer) == len(work) and all(map(_may_be, answer))):
            message = "its answer is none"
            raise EOFError(message)
        return answer

    def _say(self, what: object, until: float) -> None:
        """Write to the other process for as long as it reads: a pipe holds less than a batch."""
        left, pipe = memoryview(_packed(what)), self._ends()[0]
        while left:
            if not _may(pipe, select.POLLOUT, until - time.monotonic()):
                raise TimeoutError(_LATE)
            with contextlib.suppress(BlockingIOError):  # room for less than is written at once
                left = left[os.write(pipe, left) :]

    def _says_something(self, seconds: float) -> bool:
        return _may(self._ends()[1], select.POLLIN, seconds)

    def _ends(self) -> tuple[int, int]:
        """Return the numbers of the pipes to and from the other process."""
        process = self._process
        if process is None or process.stdin is None or process.stdout is None:
            message = "there is none"
            raise EOFError(message)
        return process.stdin.fileno(), process.stdout.fileno()

    def _answer(self, until: float) -> Any:
        """Return the next that the other process says; what came of it stays when the rest is late.

        Raises:
            TimeoutError: it was not all there in time.
            EOFError: the process has ended, or what it says is nothing that this program wrote.
        """
        (_, pipe), heard = self._ends(), self._heard
        while (left := _missing(heard)) > 0:
            if not self._says_something(max(0.0, until - time.monotonic())):
                raise TimeoutError(_LATE)
            some = os.read(pipe, min(left, _CHUNK_BYTES))
            if not some:
                message = "it has ended"
                raise EOFError(message)
            heard += some
        try:
            return pickle.loads(memoryview(heard)[_SIZE_BYTES:])  # noqa: S301 - what this very program wrote
        except Exception as error:
            message = f"its answer cannot be read ({type(error).__name__})"
            raise EOFError(message) from error
        finally:
            self._heard = bytearray()


def _environment(given: Mapping[str, str]) -> dict[str, str]:
    """Return what the other process needs of the environment, which holds passwords and keys besides."""
    names = {"PATH", "LANG"} | {name for name in given if name.startswith("LC_")}
    if not sys.flags.ignore_environment:
        names.add("PYTHONPATH")  # where whoever set it has this program
    return {name: given[name] for name in names & given.keys()}


def _may(pipe: int, what: int, seconds: float) -> bool:
    """Wait until a pipe can be read or written (or is at its end); select() knows no number above 1023."""
    poll = select.poll()
    poll.register(pipe, what)
    return bool(poll.poll(max(0.0, seconds) * 1_000))


def _may_be(answer: object) -> bool:
    return answer is None or isinstance(answer, Report)


def _packed(what: object) -> bytes:
    data = pickled(what)
    return len(data).to_bytes(_SIZE_BYTES, "big") + data


def _missing(heard: bytearray) -> int:
    """Return how many bytes are to come of what is being said; first those of its length."""
    if len(heard) < _SIZE_BYTES:
        return _SIZE_BYTES - len(heard)
    size = int.from_bytes(heard[:_SIZE_BYTES], "big")
    if size > ANSWER_BYTES_MAX:
        message = "its answer is none"
        raise EOFError(message)
    return _SIZE_BYTES + size - len(heard)


class _Known:
    """Devices that reports came from, with what was worked out of their keys; the oldest are forgotten."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._devices: OrderedDict[Device, Device] = OrderedDict()

    def __len__(self) -> int:
        return len(self._devices)

    def same(self, device: Device) -> Device:
        """Return the one that equals it and is known; it becomes known."""
        known = self._devices.setdefault(device, device)
        if len(self._devices) > self._limit:
            self._devices.popitem(last=False)
        return known


def main(devices: int) -> None:
    """Open what comes on the standard input until it ends.

    Args:
        devices: that are remembered from one batch to the next, at most.
    """
    known, asked, answers = _Known(devices), sys.stdin.buffer, sys.stdout.buffer
    with contextlib.suppress(BrokenPipeError):
        answers.write(_packed(_READY))
        answers.flush()
        while len(head := asked.read(_SIZE_BYTES)) == _SIZE_BYTES:
            size = int.from_bytes(head, "big")
            whole = asked.read(size)
            if len(whole) < size:
                return  # who asked has ended
            work, fleet, now = pickle.loads(whole)  # noqa: S301 - of the gateway that began it
            same = [(data, known.same(device)) for data, device in work]
            answers.write(_packed(opened(same, fleet, now)))
            answers.flush()


if __name__ == "__main__":
    main(int(sys.argv[1]))
