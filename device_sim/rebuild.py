"""Applies one delta, as a program of its own: ``python rebuild.py BASE DELTA SIZE MEMORY SECONDS > IMAGE``.

A delta comes from an author and is untrusted until the image has been compared: a few bytes can ask for any
amount of memory or time. Here that ends this process and nothing else. It imports nothing of ours, so that it
starts wherever the interpreter and detools are.
"""

from __future__ import annotations

import resource
import sys
from pathlib import Path

OK, NO_LIBRARY, BROKEN, TOO_MUCH = 0, 3, 4, 5
"""Exit statuses."""


def main(arguments: list[str]) -> int:
    """Write the image to standard output; return an exit status."""
    base, delta, *numbers = arguments
    size, memory, seconds = map(int, numbers)
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    try:
        import detools  # noqa: PLC0415 - the limits come first
    except ImportError:
        return NO_LIBRARY
    try:
        with Path(base).open("rb") as old, Path(delta).open("rb") as patch:
            if detools.patch_info(patch)[0] != "sequential":
                return BROKEN
            patch.seek(0)
            made = detools.apply_patch(old, patch, sys.stdout.buffer)
        sys.stdout.buffer.flush()
    except MemoryError:
        return TOO_MUCH
    except Exception:  # noqa: BLE001 - the library's errors have no common base
        return BROKEN
    return OK if made == size else BROKEN


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
