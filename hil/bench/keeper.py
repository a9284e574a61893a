"""Runs one program, and kills it, with all that it started, when the bench that wanted it goes away.

Started as a file by :mod:`hil.bench.spawn`: ``keeper.py PROGRAM ARGUMENTS``. Its standard input is a pipe
that nobody writes to: when it ends, be it that the bench closed it or was killed by ``kill -9``, the
program's process group is killed and waited for. A death signal (``PR_SET_PDEATHSIG``) would not reach what
the program itself started, and would already come when the thread ends that started it. Linux 5.3 or newer
(``pidfd_open``).
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import sys
from collections.abc import Sequence

NOT_STARTED = 127  # as a shell says it


def keep(command: Sequence[str]) -> int:
    """Run a program to its end or to ours, and return its exit status; 128 + signal as a shell would."""
    silence = (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0)
    try:
        pid = os.posix_spawnp(command[0], list(command), os.environ, file_actions=[silence], setpgroup=0)
    except OSError as error:
        sys.stderr.write(f"{command[0]}: {error.strerror}\n")
        return NOT_STARTED
    watch = os.pidfd_open(pid)
    select.select([0, watch], [], [])
    with contextlib.suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)  # what it left behind, too, when it ended by itself
    _, status = os.waitpid(pid, 0)
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else 128 - code


if __name__ == "__main__":
    sys.exit(keep(sys.argv[1:]))
