"""``python -m tests.hil.refdevice.cuts``: let the power go, print the table, write it as JSON."""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from tests.arguments import file, whole
from tests.hil.refdevice import build

from . import table
from .explore import Explored, Explorer, every, sample
from .flows import DOWNLOAD, FLOWS, PREPARED
from .moments import Killer
from .programs import HostBoard, QemuBoard

AGAIN = 30
"""A second cut goes at one of so many changes of flash from the next power-on."""
SHOWN_MAX = 20


def _words() -> argparse.Namespace:
    words = argparse.ArgumentParser(prog="python -m tests.hil.refdevice.cuts", description=__doc__)
    names = [flow.name for flow in FLOWS]
    words.add_argument("--flow", action="append", choices=names, help="only this one; repeat it")
    words.add_argument("--one-in", type=whole(1), default=1, help="cut at one change of flash in so many")
    words.add_argument(
        "--twice", type=whole(0), default=600, help="and one in so many with a second cut; 0: none"
    )
    words.add_argument("--no-host", action="store_true", help="leave out the core on this machine")
    words.add_argument(
        "--frames", type=whole(0), default=1, help="kill QEMU at each n-th boundary of frames; 0: never"
    )
    words.add_argument("--moments", type=whole(0), default=500, help="and at so many moments")
    words.add_argument(
        "--faults", type=whole(0), default=100, help="and at so many changes of flash of the program itself"
    )
    words.add_argument("--seed", type=int, default=1)
    words.add_argument("--jobs", type=whole(1), default=2)
    words.add_argument("--library", type=file, help="the core, built by make library")
    words.add_argument("--program", type=file, help="the device for this machine, built by make sanitized")
    words.add_argument("--elf", type=file, help="the device, built by make qemu")
    words.add_argument("--out", type=Path, default=build.OUT / "cuts.json")
    return words.parse_args()


def _host(words: argparse.Namespace) -> Iterator[Explored]:
    """All flows on this machine, once, and a sample of them with a second cut."""
    core = build.Core(words.library) if words.library else build.core()
    chosen = every if words.one_in == 1 else sample(words.seed, words.one_in)
    flows = [flow for flow in FLOWS if not words.flow or flow.name in words.flow]
    for flow in flows:
        yield Explorer(flow, core, chosen=chosen, jobs=words.jobs).run()
    if words.twice:
        again = Explored("a second cut while it recovers", [], 0)
        for flow in flows:
            some = sample(words.seed, words.twice)
            found = Explorer(
                flow, core, chosen=lambda p, some=some: p.again > 0 and some(p), jobs=words.jobs, twice=AGAIN
            ).run()
            for point, outcome in found.outcomes:
                step = found.steps[outcome.step] if outcome.step >= 0 else ""
                outcome.violations = [f"{step}: {why}" for why in outcome.violations]
                again.outcomes.append((point, outcome))
                outcome.step = -1
        again.places = len(again.outcomes)
        yield again


def _qemu(words: argparse.Namespace, folder: Path) -> Iterator[Explored]:
    """The download in QEMU."""
    elf = words.elf or build.built("qemu", "tocsin-device.elf")
    killer = Killer(PREPARED, DOWNLOAD, QemuBoard(elf, folder), folder, jobs=words.jobs)
    boundaries = killer.boundaries()
    found = killer.run(
        "QEMU killed between frames",
        random.Random(words.seed).sample(boundaries, len(boundaries) // words.frames),
    )
    found.places = len(boundaries)
    yield found
    if words.moments:
        yield killer.run("QEMU killed at a moment", killer.moments(words.seed, words.moments))


def _program(words: argparse.Namespace, folder: Path) -> Iterator[Explored]:
    """The same download in the program of this machine, which loses its power by the command ``fault``."""
    board = HostBoard(words.program or build.host(), folder)
    killer = Killer(PREPARED, DOWNLOAD, board, folder, jobs=words.jobs)
    yield killer.run(
        "the program loses its power",
        killer.changes(words.seed, words.faults),
    )


def _all(words: argparse.Namespace) -> Iterator[Explored]:
    if not words.no_host:
        yield from _host(words)
    if words.faults:
        with tempfile.TemporaryDirectory(prefix="tocsin-cuts-") as folder:
            yield from _program(words, Path(folder))
    if words.frames:
        with tempfile.TemporaryDirectory(prefix="tocsin-cuts-") as folder:
            yield from _qemu(words, Path(folder))


def main() -> int:
    """Run it; exit status 1 where something was violated, or no power was cut at all."""
    words = _words()
    explored: list[Explored] = []
    began = last = time.monotonic()
    for one in _all(words):
        explored.append(one)
        now = time.monotonic()
        print(f"{one.flow}: {len(one.outcomes)} walks, {now - last:.0f} s", file=sys.stderr, flush=True)
        last = now
    seconds = round(time.monotonic() - began)
    table.write(words.out, explored, seed=words.seed, one_in=words.one_in, seconds=seconds)
    for line in table.lines(map(table.row, explored)):
        print(line)
    wrong = table.violations(explored)
    for one in wrong[:SHOWN_MAX]:
        print(f"{one['point']} ({one['step']}): {one['why']}")
    print(f"{len(wrong)} violations; {seconds} s; {words.out}")
    if not any(found.outcomes for found in explored):
        print("No power was cut: nothing was chosen, or one point in too many.", file=sys.stderr)
        return 1
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
