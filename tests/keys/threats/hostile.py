"""A process of its own that is shown hostile bytes while its memory is limited (``test_memory.py``).

python -m tests.keys.threats.hostile FILE     every message in FILE, one line each; prints what it took
python -m tests.keys.threats.hostile MIB      allocates that much instead: proves that the limit bites
"""

from __future__ import annotations

import json
import resource
import sys
from pathlib import Path

from keys.errors import RefusedError
from tests.keys.threats.table import present

ALLOWED = 64 * 1024 * 1024
"""Bytes that verification may take beyond what the program needs before it."""


def memory(name: str) -> int:
    """Return a figure of this process, in bytes: VmSize, VmRSS or VmHWM (its peak)."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{name}:"))


def limit() -> None:
    """Refuse this process any address space beyond what it has now and ALLOWED."""
    most = memory("VmSize") + ALLOWED
    resource.setrlimit(resource.RLIMIT_AS, (most, most))
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # the peak is counted from here on


def show(path: Path) -> dict[str, int]:
    """Show every message of a file, and count what was refused and accepted."""
    counted = {"refused": 0, "accepted": 0}
    with path.open(encoding="ascii") as lines:
        for line in lines:
            type_, state, data, now = line.split()
            try:
                present(type_, bytes.fromhex(state[1:]), bytes.fromhex(data[1:]), int(now))
            except RefusedError:
                counted["refused"] += 1
            else:
                counted["accepted"] += 1
    return counted


def main(argument: str) -> None:
    """Run one of the two."""
    limit()
    before = memory("VmRSS")
    found = show(Path(argument)) if not argument.isdigit() else {"held": len(b"\1" * (int(argument) << 20))}
    print(json.dumps({**found, "grown": memory("VmHWM") - before}))


if __name__ == "__main__":
    main(sys.argv[1])
