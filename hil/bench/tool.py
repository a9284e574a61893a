"""Programs of the bench (power, reset, flash): no shell, bounded time, their words in the error."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from hil.errors import BenchError

TIMEOUT_S: Final = 60.0
_TOLD: Final = 300  # characters of a program's output in an error
_BY_HAND: Final = "Run the command of the board file by hand."  # not the words: ${NAME} is a token in them


def last_words(output: str) -> str:
    """Return the end of a program's output as one line that fits into an error."""
    return " | ".join(line.strip() for line in output.splitlines() if line.strip())[-_TOLD:]


def run_tool(
    command: Sequence[str],
    *,
    purpose: str,
    folder: Path | None = None,
    environ: Mapping[str, str] | None = None,
    timeout_s: float = TIMEOUT_S,
) -> str:
    """Run a program and return what it printed.

    Args:
        command: program and arguments; no shell takes it apart.
        purpose: what it is for, in an error: "reset".
        folder: where it runs.
        environ: its environment; the bench's own if left out.
        timeout_s: it is killed after so many seconds.

    Raises:
        BenchError: TOOL_MISSING, TOOL_FAILED, TOOL_TIMEOUT.
    """
    where = str(folder) if folder and str(folder) != "." else ""
    path = environ.get("PATH") if environ is not None else None
    program = shutil.which(command[0], path=path) if "/" not in command[0] else command[0]
    if program is None:
        message = f"The program for {purpose}, {command[0]}, is not installed."
        raise BenchError("TOOL_MISSING", message, mend="Install it, or mend the board file.", where=where)
    try:
        done = subprocess.run(  # noqa: S603 - the board file's own command
            [program, *command[1:]],
            cwd=folder,
            env=dict(environ) if environ is not None else None,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=timeout_s,
            text=True,
            errors="replace",
            check=False,
        )
    except OSError as error:
        message = f"The program for {purpose} cannot be started: {error.strerror}."
        raise BenchError("TOOL_MISSING", message, mend=f"Look at {command[0]}.", where=where) from None
    except subprocess.TimeoutExpired as error:
        said = (
            error.stdout.decode(errors="replace") if isinstance(error.stdout, bytes) else error.stdout or ""
        )
        message = (
            f"The program for {purpose} did not end within {timeout_s:g} s; it said: {last_words(said)}."
        )
        raise BenchError("TOOL_TIMEOUT", message, mend=_BY_HAND, where=where) from None
    if done.returncode:
        said = last_words(done.stdout) or "nothing"
        message = f"The program for {purpose} ended with status {done.returncode}; it said: {said}."
        raise BenchError("TOOL_FAILED", message, mend=_BY_HAND, where=where)
    return done.stdout
