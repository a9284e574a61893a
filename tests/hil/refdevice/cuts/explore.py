"""A flow is walked once, and before each request a process is forked for every change of flash that it makes.

Each of these processes lets the power go at its change, gives it back, and walks on to the end. So no walk
repeats what came before its cut, and all of them together see every state in which a flash can be left.
"""

from __future__ import annotations

import gc
import hashlib
import itertools
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from hil.errors import DeviceGone
from keys.errors import TocsinError
from tests.hil.refdevice.build import Core, Cut

from .library import LibraryBoard
from .pool import Pool
from .walk import START, Course, Flow, Outcome, Walk


@dataclass(frozen=True)
class Point:
    """One change of flash, and where in it the power goes."""

    flow: str
    request: int
    """How many requests and power-ons came before, since the board was new."""
    at: int
    """Which change of that request, from 1."""
    when: Cut
    again: int = 0
    """The power goes once more, torn at this change from the next power-on; 0: it does not."""

    def __str__(self) -> str:
        """In a few words."""
        twice = f", and again at change {self.again} behind it" if self.again else ""
        return f"{self.flow}: request {self.request}, change {self.at} {self.when.name.lower()}{twice}"


Chosen = Callable[[Point], bool]


@dataclass
class Explored:
    """What came of all cuts of a flow."""

    flow: str
    steps: list[str]
    places: int
    """Where the power could go: changes of flash, or boundaries of frames."""
    outcomes: list[tuple[Any, Outcome]] = field(default_factory=list)
    twins: list[tuple[Any, str]] = field(default_factory=list)
    """Points at which the power left what it had left at another one, and the name of that."""

    def take(self, point: Any, outcome: Outcome | str | None) -> None:
        """Note how a walk went; one that told nothing hung, or broke."""
        if isinstance(outcome, str):
            self.twins.append((point, outcome))
        else:
            self.outcomes.append((point, outcome or Outcome(violations=["the walk came to no end"])))

    def resolve(self) -> None:
        """Give those that were left out as twins the outcome of the one that was walked."""
        walked = {outcome.left: outcome for _, outcome in self.outcomes}
        unknown = Outcome(violations=["the walk of its twin came to no end"])
        self.outcomes += [(point, walked.get(name, unknown)) for point, name in self.twins]


def every(_: Point) -> bool:
    """Choose all points."""
    return True


def sample(seed: int, one_in: int) -> Chosen:
    """Choose one point in so many: always the same ones for a seed."""

    def chosen(point: Point) -> bool:
        number = hashlib.sha256(f"{seed} {point}".encode()).digest()
        return int.from_bytes(number[:4], "big") % one_in == 0

    return chosen


def undisturbed(flow: Flow, core: Core) -> tuple[Course, list[int], int]:
    """Walk without a cut: once to look at every step, and once to count.

    Returns:
        What it has shown, how many changes of flash each request of it made, and which request was the first.
    """
    looking = Walk(flow, LibraryBoard(core, START))
    looking.begin()
    course = looking.go()
    board = LibraryBoard(core, START)
    counts: list[int] = []
    board.before = lambda: counts.append(board.writes)
    walk = Walk(flow, board)
    walk.begin()
    first = board.requests
    walk.go(course)
    counts.append(board.writes)
    assert not core.wrong, core.wrong
    return course, [b - a for a, b in itertools.pairwise(counts)], first


class Explorer:
    """Walks through a flow, forking.

    Args:
        flow: it.
        core: the library.
        chosen: the points at which the power goes.
        jobs: processes at a time.
        twice: with each point, the power goes again at each of so many changes from the next power-on.
    """

    def __init__(
        self, flow: Flow, core: Core, *, chosen: Chosen = every, jobs: int = 2, twice: int = 0
    ) -> None:
        self._flow, self._core, self._chosen, self._twice = flow, core, chosen, twice
        self._course, self._counts, self._first = undisturbed(flow, core)
        steps = [step.told() for step in flow.steps]
        self._found = Explored(flow.name, steps, sum(self._counts[self._first :]))
        self._pool = Pool(jobs, self._found.take)
        self._left = tempfile.TemporaryDirectory(prefix="tocsin-left-")

    def run(self) -> Explored:
        """Explore all chosen points.

        Behind one change of flash lies the same as before the next one, and half of the smallest unit is nothing.
        Where the power has left the same bytes, and the same was heard until then, the same follows: such a walk
        ends there, and has the outcome of the first one that came to this.
        """
        gc.collect()
        gc.freeze()
        board = LibraryBoard(self._core, START)
        walk = Walk(self._flow, board)
        walk.begin()
        assert board.requests == self._first, "the flow is not the same twice"
        board.before = lambda: self._fork(board, walk)
        finish(walk, self._course, self._pool, lambda: [self._core.wrong] if self._core.wrong else [])
        assert board.requests == len(self._counts), "the flow is not the same twice"
        self._pool.wait()
        self._found.resolve()
        self._left.cleanup()
        return self._found

    def _fork(self, board: LibraryBoard, walk: Walk) -> None:
        for point in self._points(board.requests):
            if self._pool.fork(point):
                board.before = lambda: None
                board.cut(point.at, point.when)
                board.second = (point.again, Cut.TORN) if point.again else None
                walk.lost = partial(self._twin, board, walk, point)
                return

    def _twin(self, board: LibraryBoard, walk: Walk, point: Point) -> None:
        """Leave the rest to the one who came to the same before."""
        name = f"{board.left()}-{point.again}"
        try:
            (Path(self._left.name) / name).touch(exist_ok=False)
        except FileExistsError:
            self._pool.tell(name)
        walk.outcome.left = name

    def _points(self, request: int) -> Iterator[Point]:
        for at in range(1, self._counts[request] + 1):
            for when in Cut:
                for again in range(self._twice + 1):
                    point = Point(self._flow.name, request, at, when, again)
                    if self._chosen(point):
                        yield point


def finish(walk: Walk, course: Course, pool: Pool, more: Callable[[], list[str]] = list) -> None:
    """Walk to the end; a forked process tells what came of it, and ends."""
    try:
        walk.go(course)
    except BaseException as error:
        if not pool.forked:
            raise
        walk.outcome.violations.append(told(error))
    if pool.forked:
        walk.outcome.violations += more()
        pool.tell(walk.outcome)


def told(error: BaseException) -> str:
    """Return an error as a violation."""
    if isinstance(error, DeviceGone):
        return f"answers: {error}"
    if isinstance(error, TocsinError):
        return f"refused: {error}"
    return f"end: {error}" if isinstance(error, AssertionError) else f"{type(error).__name__}: {error}"
