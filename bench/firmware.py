"""What the C device takes of a microcontroller: flash, RAM and stack in bytes, instructions of one check.

All of it is counted, not timed, so it is the same on every machine that has the same compiler.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench.measure import Limit

ROOT: Final = Path(__file__).parents[1]
SOURCE: Final = ROOT / "hil/refdevice"
OUT: Final = ROOT / "build/refdevice"
CROSS: Final = "arm-none-eabi-"
LIMITS: Final = (
    Limit("c_text_bytes", "the C device: code and constants, bytes", at_most=32 * 1024),
    Limit("c_static_ram_bytes", "the C device: static RAM, bytes", at_most=8 * 1024),
    Limit("c_stack_bytes", "the C device: stack on its deepest path, bytes", at_most=3 * 1024),
    Limit("c_verify_instructions", "the C device: instructions of one signature check", at_most=3_000_000),
)
LIBRARY_FRAME: Final = 64
"""Stack of a function that no graph names: the compiler's own, for 64-bit division."""
START: Final = "board_start"
"""Where the image begins."""
REACH: Final[Mapping[str, tuple[str, ...]]] = {}
"""Functions that call what a pointer names, and whom they may reach."""
KNOWN: Final = 1_000_000
"""Instructions that ``tools/measure.c`` counts first, to show that counting works."""
QEMU: Final = (
    "qemu-system-arm", "-M", "mps2-an385", "-display", "none", "-monitor", "none",
    "-semihosting-config", "enable=on,target=native",
)  # fmt: skip


def build(*targets: str) -> None:
    """Build targets of ``hil/refdevice/Makefile``."""
    command = ["make", "-s", "-C", str(SOURCE), f"PYTHON={sys.executable}", *targets]
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
    """Who calls whom, and how much stack each takes, as the compiler said it.

    Attributes:
        frames: function -> bytes of its own stack.
        callees: function -> those that it calls by name.
        indirect: functions that call what a pointer names.
        taken: functions whose address somebody takes.
    """

    frames: Mapping[str, int]
    callees: Mapping[str, frozenset[str]]
    indirect: frozenset[str]
    taken: frozenset[str]


_NODE = re.compile(r'^node: \{ title: "([^"]+)" label: "[^"]*\\n(\d+) bytes \((static|dynamic[^)]*)\)')
_EDGE = re.compile(r'^edge: \{ sourcename: "([^"]+)" targetname: "([^"]+)"')
_RELOCATION = re.compile(r"^[0-9a-f]+ +[0-9a-f]+ +R_ARM_ABS32 +[0-9a-f]+ +(\S+)")


def calls(folder: Path) -> Calls:
    """Read the graphs (``-fcallgraph-info=su``) and relocations beside the objects below a folder."""
    frames: dict[str, int] = {}
    callees: dict[str, set[str]] = {}
    indirect: set[str] = set()
    taken: set[str] = set()
    for path in sorted(folder.rglob("*.o")):
        for line in path.with_suffix(".ci").read_text(encoding="utf-8").splitlines():
            if node := _NODE.match(line):
                if node[3] != "static":
                    raise ValueError(f"{node[1]}: its stack has no fixed size")
                frames[_short(node[1])] = int(node[2])
            elif edge := _EDGE.match(line):
                caller = _short(edge[1])
                if edge[2] == "__indirect_call":
                    indirect.add(caller)
                else:
                    callees.setdefault(caller, set()).add(_short(edge[2]))
        taken |= _taken(path)
    names = {caller: frozenset(found) for caller, found in callees.items()}
    return Calls(frames, names, frozenset(indirect), frozenset(taken & set(frames)))


def _short(title: str) -> str:
    """``core/store.c:load`` -> ``store.load``; what is public keeps its name."""
    file, _, name = title.rpartition(":")
    return f"{Path(file).stem}.{name}" if file else name


def _taken(path: Path) -> set[str]:
    found, counts = set(), False
    stem = path.stem
    for line in _told(f"{CROSS}readelf", "-rW", path).splitlines():
        if line.startswith("Relocation section"):
            counts = ".debug" not in line and ".ARM" not in line
        elif counts and (row := _RELOCATION.match(line)):
            name = row[1].removeprefix(".text.")
            found |= {name, f"{stem}.{name}"}
    return found


def deepest(graph: Calls, start: str, reach: Mapping[str, Iterable[str]]) -> tuple[int, list[str]]:
    """Return bytes of stack on the deepest path from a function, and the path.

    Args:
        graph: who calls whom.
        start: where the path begins.
        reach: function that calls by pointer -> whom it may reach.

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
            if name in graph.indirect:
                if name not in reach:
                    raise ValueError(f"{name} calls what a pointer names: say whom")
                below |= set(reach[name])
            most: tuple[int, list[str]] = (0, [])
            for one in sorted(below):
                most = max(most, visit(one), key=lambda found: found[0])
            under_way.pop()
            own = graph.frames.get(name, LIBRARY_FRAME)
            done[name] = (own + most[0], [f"{name} {own}", *most[1]])
        return done[name]

    return visit(start)


def figures() -> dict[str, int]:
    """Build the image that ships, and return what it takes, by the names of :data:`LIMITS`."""
    build("qemu-release", "objects")
    text, static = sizes(OUT / "qemu-release/tocsin-device.elf")
    stack, _ = deepest(calls(OUT / "qemu-release"), START, REACH)
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
