"""Memory that only the start needed is given back, so that a device with 64 MB has it for something else."""

from __future__ import annotations

import contextlib
import gc
import re
from pathlib import Path
from typing import Final

_MADV_DONTNEED: Final = 4  # madvise(2), the same number on every architecture
_MAPPING: Final = re.compile(rb"([0-9a-f]+)-([0-9a-f]+) r-.p \S+ \S+ [1-9]\d* +/")
_KEPT: Final = re.compile(rb"Anonymous: +([1-9]\d*) kB")


def settle() -> None:
    """Keep what was imported out of collections, and :func:`give_back`; only while nothing runs yet."""
    gc.collect()
    gc.freeze()
    give_back()


def give_back() -> None:
    """Let go of those pages of programs and libraries that are as their files are.

    Called when a part of the start is over: after imports, and once a connection stands. What runs once is
    most of a library. The kernel keeps these pages in its cache as long as it has room, and a page that is
    used again comes back from there without reading anything.
    """
    with contextlib.suppress(ImportError, OSError, AttributeError):
        import ctypes  # noqa: PLC0415 - a Python without it keeps the pages

        madvise = ctypes.CDLL(None).madvise
        madvise.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
        for first, end in _unchanged(Path("/proc/self/smaps").read_bytes()):
            madvise(first, end - first, _MADV_DONTNEED)


def _unchanged(smaps: bytes) -> list[tuple[int, int]]:
    """Return the mappings of files that nobody can write to, and of which no page was ever changed."""
    found = []
    for block in re.split(rb"\n(?=[0-9a-f]+-[0-9a-f]+ )", smaps):
        mapping = _MAPPING.match(block)
        if mapping is not None and not _KEPT.search(block):
            found.append((int(mapping[1], 16), int(mapping[2], 16)))
    return found
