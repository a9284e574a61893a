"""The commands ``tocsin`` and ``hil``. They import nothing before they can end clean on Ctrl-C."""

from __future__ import annotations

import contextlib
import gc
import os
import signal
import sys
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sys import UnraisableHookArgs

INTERRUPTED = 130


def _again(found: UnraisableHookArgs) -> None:
    """Interrupt once more where a Ctrl-C fell into code that cannot pass it on (a finaliser, pydantic)."""
    if issubclass(found.exc_type, KeyboardInterrupt):
        # Later, for here it would be lost the same way; and as a real signal, which also ends a wait.
        main = threading.main_thread().ident or 0
        later = threading.Timer(0.05, signal.pthread_kill, (main, signal.SIGINT))
        later.daemon = True
        later.start()
    else:
        sys.__unraisablehook__(found)


def bench() -> None:
    """Run one command of ``hil``; as :func:`main`."""
    main("hil")


def main(program: str = "tocsin") -> None:
    """Run one command and end the process with its documented exit status."""
    sys.unraisablehook = _again
    gc.disable()  # until everything is imported: nothing of it is garbage, and run() says when to look again
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # closed by the caller: nobody listens
            setattr(sys, name, open(os.devnull, "w"))  # noqa: PTH123, SIM115 - open until the process ends
    try:
        from gateway.cli.run import run  # noqa: PLC0415 - importing takes most of a short command's time

        status = run(sys.argv[1:], program)
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # the work is done: what is left has no other status
    except KeyboardInterrupt:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        sys.stderr.write("error: Interrupted.\n")
        status = INTERRUPTED
    if status == INTERRUPTED:
        # CPython remembers an interrupt that fell into exec() of a text (dataclasses do that while they are
        # imported) although it was handled, and would end by the signal instead of the documented status.
        with contextlib.suppress(OSError, ValueError):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(INTERRUPTED)
    sys.exit(status)


if __name__ == "__main__":
    main()
