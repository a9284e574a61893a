"""Measure two pieces of work against each other, a few rounds of one and then of the other.

Each block runs both, so whatever slows the machine for a while slows both alike: a ratio of figures of
the same block stays true where a figure alone would not. Time is the processor time of this thread, so
other programs count only for the caches they empty. The garbage collector runs as it does in production.
"""

from __future__ import annotations

import platform
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any


@dataclass(frozen=True, slots=True)
class Work:
    """Something to be timed: ``prepare`` makes what one round needs and is not timed, ``run`` is."""

    run: Callable[[Any], object]
    prepare: Callable[[], Any] = lambda: None


@dataclass(frozen=True, slots=True)
class Times:
    """Microseconds of one round of ``a`` and of ``b``, a pair for each block."""

    a: tuple[float, ...]
    b: tuple[float, ...]

    @property
    def ratio(self) -> float:
        """``a`` over ``b``: the median of all blocks."""
        return median(a / b for a, b in zip(self.a, self.b, strict=True))

    @property
    def ratio_of_minima(self) -> float:
        """The fastest block of ``a`` over the fastest of ``b``."""
        return min(self.a) / min(self.b)


def alternate(a: Work, b: Work, *, blocks: int, rounds: int) -> Times:
    """Time ``a`` and ``b`` in turn.

    Args:
        a: the one that ratios put above the line.
        b: the one below.
        blocks: how many pairs; which of the two comes first changes with each.
        rounds: how often each is run in a block.
    """
    pairs = []
    for work in (a, b):
        _block(work, rounds)  # what is compiled or read once is not the matter here
    for number in range(blocks):
        if number % 2:
            first = _block(a, rounds)
            pairs.append((first, _block(b, rounds)))
        else:
            first = _block(b, rounds)
            pairs.append((_block(a, rounds), first))
    return Times(tuple(pair[0] for pair in pairs), tuple(pair[1] for pair in pairs))


def _block(work: Work, rounds: int) -> float:
    prepared = [work.prepare() for _ in range(rounds)]
    run = work.run
    start = time.thread_time_ns()
    for one in prepared:
        run(one)
    return (time.thread_time_ns() - start) / rounds / 1_000


@dataclass(frozen=True, slots=True)
class Limit:
    """What a figure may be at most, or must be at least."""

    name: str
    words: str
    at_most: float | None = None
    at_least: float | None = None

    def holds(self, figure: float) -> bool:
        """Say whether ``figure`` keeps the limit."""
        over = self.at_most is not None and figure > self.at_most
        return not over and (self.at_least is None or figure >= self.at_least)

    def __str__(self) -> str:
        """Return the limit for people."""
        return f"<= {self.at_most}" if self.at_most is not None else f">= {self.at_least}"


def report(limits: Sequence[Limit], figures: dict[str, float]) -> list[str]:
    """Print each figure beside its limit; return the names of those that miss theirs."""
    missed = [limit.name for limit in limits if not limit.holds(figures[limit.name])]
    for limit in limits:
        verdict = "NOT OK" if limit.name in missed else "ok"
        print(f"{limit.words:58} {figures[limit.name]:8.3f}  limit {limit!s:8} {verdict}")
    return missed


def machine(*distributions: str) -> dict[str, Any]:
    """Return what a reader must know to compare figures: processor, Python, versions, load."""
    info = Path("/proc/cpuinfo")
    names = (
        [line for line in info.read_text().splitlines() if line.startswith("model name")]
        if info.exists()
        else []
    )
    load = Path("/proc/loadavg")
    return {
        "processor": names[0].partition(":")[2].strip() if names else platform.machine(),
        "cores": len(names) or None,
        "load_average": load.read_text().split()[:3] if load.exists() else None,
        "system": platform.platform(),
        "python": sys.version.split()[0],
        "versions": {name: version(name) for name in distributions},
    }
