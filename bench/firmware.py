"""What the C device takes of a microcontroller: flash, RAM and stack in bytes, instructions of one check.

All of it is counted, not timed, so it is the same on every machine that has the same compiler.
"""

from __future__ import annotations

import fcntl
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench.measure import Limit

ROOT: Final = Path(__file__).parents[1]
SOURCE: Final = ROOT / "hil/refdevice"
OUT: Final = ROOT / "build/refdevice"
IMAGE: Final = OUT / "qemu-release/tocsin-device.elf"
GRAPH: Final = IMAGE.with_name(f"{IMAGE.name}.ltrans0.ltrans.ci")
CROSS: Final = "arm-none-eabi-"
LIMITS: Final = (
    Limit("c_text_bytes", "the C device: code and constants, bytes", at_most=32 * 1024),
    Limit("c_static_ram_bytes", "the C device: static RAM, bytes", at_most=8 * 1024),
    Limit("c_stack_bytes", "the C device: stack on its deepest path, bytes", at_most=3 * 1024),
    Limit("c_verify_instructions", "the C device: instructions of one signature check", at_most=3_000_000),
)
LIBRARY_FRAME: Final = 32
"""Stack of a function that no graph names, or that is written in assembler: 64-bit division."""
START: Final = "start.board_start"
"""Where the image begins."""
REACH: Final = {
    "document": r"shape$",
    "server": r"\.tn_on_|\.tn_restart$",
}
"""File that calls what a pointer names -> the functions that it may reach, as a pattern."""
KNOWN: Final = 1_000_000
"""Instructions that ``tools/measure.c`` counts first, to show that counting works."""
QEMU: Final = (
    "qemu-system-arm", "-M", "mps2-an385", "-display", "none", "-monitor", "none",
    "-semihosting-config", "enable=on,target=native",
)  # fmt: skip


def build(*targets: str) -> None:
    """Build targets of ``hil/refdevice/Makefile``."""
    command = ["make", "-s", "-C", str(SOURCE), f"PYTHON={sys.executable}", *targets]
    OUT.mkdir(parents=True, exist_ok=True)
    with (OUT / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # one process builds at a time; tests hold the same lock
        subprocess.run(command, check=True)


def _told(*command: str | Path) -> str:
    return subprocess.run([str(one) for one in command], check=True, capture_output=True, text=True).stdout


def sizes(elf: Path) -> tuple[int, int]:
    """Return bytes of flash (code, constants, first values) and of static RAM."""
    found = dict.fromkeys((".text", ".data", ".bss"), 0)
    for line in _told(f"{CROSS}size", "-A", elf).splitlines():
        name, _, rest = line.partition(" ")
        if name in found:
            found[name] = int(rest.split()[0])
    return found[".text"] + found[".data"], found[".data"] + found[".bss"]


@dataclass(frozen=True)
class Calls:
    """Who calls whom, and how much stack each takes, as the compiler said it; names are ``file.function``.

    Attributes:
        frames: function -> bytes of its own stack.
        callees: function -> those that it calls by name.
        indirect: function -> files of the lines in it that call what a pointer names.
    """

    frames: Mapping[str, int]
    callees: Mapping[str, frozenset[str]]
    indirect: Mapping[str, frozenset[str]]


_NODE = re.compile(r'^node: \{ title: "([^"]+)" label: "([^"\\]+)\\n([^"\\]*)(?:\\n(\d+) bytes \((\w+))?')
_EDGE = re.compile(r'^edge: \{ sourcename: "([^"]+)" targetname: "([^"]+)" label: "([^":]+)')
_RELOCATION = re.compile(r"^[0-9a-f]+ +[0-9a-f]+ +R_ARM_ABS32 +[0-9a-f]+ +(\S+)")
INDIRECT: Final = "__indirect_call"


def calls(graph: Path) -> Calls:
    """Read a whole program's graph (``-fcallgraph-info=su``, ``-flto-partition=one``).

    Raises:
        ValueError: a function's stack has no fixed size.
    """
    lines = graph.read_text(encoding="utf-8").splitlines()
    names: dict[str, str] = {}
    frames: dict[str, int] = {}
    for node in filter(None, map(_NODE.match, lines)):
        title, name, place, size, kind = node.groups()
        if size is None:
            names[title] = title
            continue
        short = re.sub(r"\.(constprop|isra|lto_priv)(\.\d+)?", "", name)
        names[title] = f"{Path(place.split(':')[0]).stem}.{short}"
        if kind != "static":
            raise ValueError(f"{names[title]}: its stack has no fixed size")
        own = LIBRARY_FRAME if name.startswith("__aeabi") else int(size)
        frames[names[title]] = max(own, frames.get(names[title], 0))
    callees: dict[str, set[str]] = {}
    indirect: dict[str, set[str]] = {}
    for edge in filter(None, map(_EDGE.match, lines)):
        if edge[2] == INDIRECT:
            indirect.setdefault(names[edge[1]], set()).add(Path(edge[3]).stem)
        else:
            callees.setdefault(names[edge[1]], set()).add(names.get(edge[2], edge[2]))
    return Calls(
        frames,
        {caller: frozenset(found) for caller, found in callees.items()},
        {caller: frozenset(found) for caller, found in indirect.items()},
    )


def taken(folder: Path) -> frozenset[str]:
    """Return every function whose address some object below a folder takes; names are those of the linker.

    What a function takes of itself is the places that a ``switch`` in it jumps to.
    """
    found = set()
    for path in folder.rglob("*.o"):
        counts, own = False, ""
        for line in _told(f"{CROSS}readelf", "-rW", path).splitlines():
            if line.startswith("Relocation section"):
                counts = not re.search(r"\.debug|\.ARM|\.gnu\.lto", line)
                own = line.split("'")[1].removeprefix(".rel")
            elif counts and (row := _RELOCATION.match(line)) and row[1] != own:
                found.add(row[1].removeprefix(".text."))
    return frozenset(found)


def deepest(graph: Calls, start: str, reach: Mapping[str, str]) -> tuple[int, list[str]]:
    """Return bytes of stack on the deepest path from a function, and the path.

    Args:
        graph: who calls whom.
        start: where the path begins.
        reach: file that calls by pointer -> pattern of the functions that it may reach.

    Raises:
        ValueError: there is recursion, or nobody said whom a pointer reaches.
    """
    done: dict[str, tuple[int, list[str]]] = {}
    under_way: list[str] = []

    def visit(name: str) -> tuple[int, list[str]]:
        if name in under_way:
            raise ValueError(f"recursion: {' > '.join([*under_way[under_way.index(name) :], name])}")
        if name not in done:
            under_way.append(name)
            below = set(graph.callees.get(name, ()))
            for file in graph.indirect.get(name, ()):
                if file not in reach:
                    raise ValueError(f"{file}.c calls what a pointer names: say whom")
                below |= {one for one in graph.frames if re.search(reach[file], one)}
            most: tuple[int, list[str]] = (0, [])
            for one in sorted(below):
                most = max(most, visit(one), key=lambda found: found[0])
            under_way.pop()
            own = graph.frames.get(name, LIBRARY_FRAME)
            done[name] = (own + most[0], [f"{name} {own}", *most[1]])
        return done[name]

    return visit(start)


def missing() -> list[str]:
    """Return the programs that counting needs and this machine has not."""
    return [name for name in ("make", f"{CROSS}gcc", QEMU[0]) if shutil.which(name) is None]


def figures() -> dict[str, int]:
    """Build the image that ships, and return what it takes, by the names of :data:`LIMITS`."""
    build("qemu-release")
    text, static = sizes(IMAGE)
    stack, _ = deepest(calls(GRAPH), START, REACH)
    return {
        "c_text_bytes": text,
        "c_static_ram_bytes": static,
        "c_stack_bytes": stack,
        "c_verify_instructions": instructions(),
    }


def instructions() -> int:
    """Return how many instructions the dearest of some signature checks takes, by QEMU's count.

    Raises:
        ValueError: QEMU did not count, or a check said the wrong thing.
    """
    build("measure")
    image = OUT / "qemu-release/measure.elf"
    said = _told(*QEMU, "-icount", "shift=0,sleep=off", "-serial", "stdio", "-kernel", image)
    figures = dict(line.split() for line in said.splitlines() if line.strip())
    if int(figures["known"]) != KNOWN:
        raise ValueError(f"{KNOWN} instructions were counted as {figures['known']}")
    return int(figures["verify"])
