"""Rebuilds an image from the one that runs and a delta (detools), within bounds.

The work is done by a process of its own (:mod:`device_sim.rebuild`), with limits on its memory and time;
what it writes is taken piece by piece, and no more than was promised. Whether the image is the right one
is not decided here: the core reads it back and compares.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

from device_sim import rebuild
from keys.reasons import Reason

MEMORY_BYTES_MAX: Final = 268_435_456
"""Address space of that process: the interpreter, its libraries, and what any sane delta needs."""
SECONDS_MAX: Final = 120
"""Processor time of that process; an image of 8 MiB takes a few seconds."""
_PIECE_BYTES: Final = 262_144
_REASONS: Final = {
    rebuild.OK: Reason.OK,
    rebuild.NO_LIBRARY: Reason.UNSUPPORTED,
    rebuild.BROKEN: Reason.MALFORMED,
    rebuild.TOO_MUCH: Reason.OUT_OF_MEMORY,
}


def apply(
    base: Path,
    delta: Path,
    size: int,
    write: Callable[[int, bytes], None],
    *,
    memory: int = MEMORY_BYTES_MAX,
    seconds: int = SECONDS_MAX,
) -> Reason:
    """Rebuild an image; blocks until it is done.

    Args:
        base: file with the older image.
        delta: file with the delta; it may be hostile.
        size: bytes of the image.
        write: called with offset and bytes, in order; never for more than ``size`` bytes.
        memory: limit of the process, in bytes.
        seconds: limit of its processor time.

    Returns:
        OK; UNSUPPORTED without detools; MALFORMED when this is no delta, or none for this base; TOO_BIG when
        more comes out than was promised; OUT_OF_MEMORY when it wants more memory or time than it may have.
    """
    # Isolated: neither the environment nor the current folder decides what this process imports.
    command = [
        sys.executable,
        "-I",
        rebuild.__file__,
        str(base),
        str(delta),
        str(size),
        str(memory),
        str(seconds),
    ]
    with subprocess.Popen(  # noqa: S603 - our own program, with files and numbers of ours
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as process:
        assert process.stdout is not None
        offset = 0
        try:
            while data := process.stdout.read(min(_PIECE_BYTES, size - offset + 1)):
                if offset + len(data) > size:
                    process.kill()
                    return Reason.TOO_BIG
                write(offset, data)
                offset += len(data)
        except BaseException:
            process.kill()
            raise
        status = process.wait()
    return _REASONS.get(status, Reason.OUT_OF_MEMORY)
