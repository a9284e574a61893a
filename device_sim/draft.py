"""What replaces a file whole: a draft that nobody else writes, and the wait until it is on the disk."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def alone(draft: Path) -> Iterator[int]:
    """Open a draft that no other process is writing; the lock ends with the process, however it ends.

    Raises:
        BlockingIOError: another process is writing it.
    """
    while True:
        handle = os.open(draft, os.O_WRONLY | os.O_CREAT, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if not _is_at(handle, draft):
                continue  # between opening and locking, another process made this very file the state
            yield handle
        finally:
            os.close(handle)
        return


def _is_at(handle: int, path: Path) -> bool:
    """Say whether an open file is still the one at this path."""
    try:
        return os.fstat(handle).st_ino == path.stat().st_ino
    except FileNotFoundError:
        return False


def sync(path: Path) -> None:
    """Wait until a file, or what a folder says of its files, is on the disk (OSError)."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
