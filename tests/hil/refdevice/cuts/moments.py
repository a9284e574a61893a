"""A program that loses its power: at every boundary of frames, at seeded moments, or at a change of its flash."""

from __future__ import annotations

import itertools
from bisect import bisect
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from hil.sweep.points import WHENS

from .explore import Explored, finish
from .pool import Pool
from .programs import ProgramBoard
from .walk import Course, Flow, Walk


@dataclass(frozen=True)
class Change:
    """At which change of flash it loses its power by itself, told by the command ``fault``."""

    at: int
    when: str

    def __str__(self) -> str:
        """In a few words."""
        return f"change {self.at} {self.when}"


@dataclass(frozen=True)
class Moment:
    """When the program is killed."""

    boundary: int
    """Frames that have gone over the line, either way."""
    seconds: float = 0.0
    """Behind that boundary."""

    def __str__(self) -> str:
        """In a few words."""
        return f"frame {self.boundary} + {self.seconds * 1_000:.2f} ms"


class Killer:
    """A flow is prepared once; every cut goes on from a copy of the flash, in a process of its own."""

    def __init__(
        self, prepared: Flow, flow: Flow, board: ProgramBoard, folder: Path, *, jobs: int = 2
    ) -> None:
        self._flow, self._folder = flow, folder
        self._board = board
        self._walk = Walk(prepared, self._board)
        self._walk.begin()
        self._walk.go()
        self._board.power_off()
        self._flash = folder / "prepared"
        self._board.save(self._flash)
        self._numbers = itertools.count()
        self._steps = [step.told() for step in flow.steps]
        self._jobs = jobs
        self._course, self.gaps = self._calm()

    def _ready(self) -> Walk:
        """Return a walk on a board of its own, switched on (in a forked process)."""
        self._board.moved(self._folder / f"board-{next(self._numbers)}", self._flash)
        walk = Walk(self._flow, self._board)
        walk.bench, walk.scene = self._walk.bench, self._walk.scene
        self._board.power_on()
        if walk.bench.up:
            walk.bench.carrier()
        self._board.begin()
        return walk

    def _calm(self) -> tuple[Course, list[float]]:
        """Walk without a cut, twice: to look, and to take the time from frame to frame."""
        heard: list[Any] = []
        pool = Pool(1, lambda _, what: heard.append(what))
        if pool.fork("look"):
            walk = self._ready()
            first, walk.bench.counts = walk.bench.state().writes, []
            course = walk.go()
            self._board.power_off()
            pool.tell((course, max(walk.bench.counts) - first))
        pool.wait()
        assert heard != [None], "the download does not go through without a cut"
        course, self._last = heard.pop()
        next(self._numbers)
        if pool.fork("time"):
            walk = self._ready()
            walk.go(course)
            self._board.power_off()
            pool.tell(list(self._board.gaps))
        pool.wait()
        next(self._numbers)
        assert heard != [None], "the download does not go through twice"
        return course, heard.pop()

    def boundaries(self) -> list[Moment]:
        """Return every boundary of frames."""
        return [Moment(number) for number in range(len(self.gaps) + 1)]

    def moments(self, seed: int, count: int) -> list[Moment]:
        """Return so many moments, spread evenly by chance over the time that the download takes."""
        ends = list(itertools.accumulate(self.gaps))
        random = Random(seed)
        found = []
        for _ in range(count):
            at = random.uniform(0, ends[-1])
            number = min(bisect(ends, at), len(ends) - 1)
            found.append(Moment(number, at - (ends[number - 1] if number else 0.0)))
        return found

    def changes(self, seed: int, count: int) -> list[Change]:
        """Return so many changes of flash while blocks come: the program counts them anew when it restarts."""
        random = Random(seed)
        return [Change(random.randint(1, self._last), random.choice(WHENS)) for _ in range(count)]

    def run(self, name: str, moments: Sequence[Moment | Change]) -> Explored:
        """Let the power go at each of these."""
        found = Explored(name, self._steps, len(moments))
        pool = Pool(self._jobs, found.take)
        for moment in moments:
            next(self._numbers)
            if pool.fork(moment):
                self._cut(moment, pool)
        pool.wait()
        return found

    def _off(self) -> list[str]:
        """End the program: who forks ends by itself what it has started."""
        self._board.remove()
        return [f"flash: {self._board.wrong}"] if self._board.wrong else []

    def _cut(self, moment: Moment | Change, pool: Pool) -> None:
        try:
            walk = self._ready()
            if isinstance(moment, Moment):
                self._board.cut_at = (moment.boundary, moment.seconds)
            else:
                walk.bench.notifier.fault(moment.at, moment.when)
            finish(walk, self._course, pool, self._off)
        finally:
            self._board.power_off()
            pool.tell(None)
