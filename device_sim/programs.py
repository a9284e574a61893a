"""Programs of the platform that a device asks: no shell between, a limit on their time and on their words."""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

QUESTION_S: Final = 30.0
"""How long an answer of a few lines may take, in seconds."""
OUTPUT_BYTES_MAX: Final = 8_192
"""Kept of a program's answer; what comes after is thrown away."""
LOG_LINES_MAX: Final = 50
LINE_CHARACTERS_MAX: Final = 200
_OURS: Final = ("NOTIFY_SOCKET", "WATCHDOG_PID", "WATCHDOG_USEC", "LISTEN_FDS", "LISTEN_PID")

Tell = Callable[[str], None]
"""Takes a line for the log."""


def ask(arguments: Sequence[str], tell: Tell, *, seconds: float = QUESTION_S) -> tuple[int, str]:
    """Run a program that answers at once; return its exit status and what it printed.

    Args:
        arguments: the program and its arguments.
        tell: takes lines of its stderr, for the log.
        seconds: it is killed after so long, and then its status is negative, as where it cannot be run.
    """
    name = Path(arguments[0]).name
    try:
        process = subprocess.Popen(  # noqa: S603 - named by who set up the device
            arguments,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
            cwd="/",
            env=environment(),
        )
    except OSError as error:
        tell(f"{name}: {error.strerror}")
        return -1, ""
    with process:
        output, errors = _collect(process, time.monotonic() + seconds)
        ended = process.poll() is not None
        kill(process.pid)
        status = process.wait()
    for line in errors.splitlines()[:LOG_LINES_MAX]:
        tell(f"{name}: {plain(line)}")
    if status < 0:
        late = f"killed, for it did not end within {seconds:g} s"
        tell(f"{name}: {f'ended by signal {-status}' if ended else late}")
    return status, output.decode(errors="replace")


def _collect(process: subprocess.Popen[bytes], end: float) -> tuple[bytes, bytes]:
    """Read both outputs until the program has ended or its time is over; keep the beginning of each."""
    assert process.stdout is not None
    assert process.stderr is not None
    kept = {process.stdout.fileno(): b"", process.stderr.fileno(): b""}
    with selectors.DefaultSelector() as selector:
        for handle in kept:
            selector.register(handle, selectors.EVENT_READ)
        while selector.get_map() and (rest := end - time.monotonic()) > 0:
            for key, _ in selector.select(rest):
                data = os.read(key.fd, OUTPUT_BYTES_MAX)
                kept[key.fd] += data[: OUTPUT_BYTES_MAX - len(kept[key.fd])]
                if not data:
                    selector.unregister(key.fd)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(max(0.0, end - time.monotonic()))
    output, errors = kept.values()
    return output, errors


def plain(line: bytes) -> str:
    """Return one line of a program for the log: what steers a terminal is escaped, and it is cut."""
    text = line.decode(errors="backslashreplace")
    shown = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
    return shown if len(shown) <= LINE_CHARACTERS_MAX else f"{shown[:LINE_CHARACTERS_MAX]}..."


def kill(process: int) -> None:
    """Kill a program and all that it started and that did not leave its session."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process, signal.SIGKILL)


def environment() -> dict[str, str]:
    """Return our environment without what our own service manager told us alone."""
    return {name: value for name, value in os.environ.items() if name not in _OURS}
