"""One walk through a flow, during which the power may go: the flow goes on, and what must hold is looked for."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, TypeVar, cast

from hil.bench.session import Session
from hil.conformance.bench import Bench
from hil.conformance.fleet import MINUTE, NOW
from hil.conformance.rows import PLAIN, DiffersError, Scene, Situation, Step, must
from hil.errors import DeviceGone, DeviceRebooted
from hil.smp.client import SmpClient
from hil.smp.notifier import Verdict
from hil.sweep.invariants import Known, State, broken
from keys.reasons import Reason

from .holds import ending, invariants, place

T = TypeVar("T")
START = NOW + MINUTE
"""UTC seconds of the board's clock."""
ROUNDS_MAX = 60
LAWFUL_TRIES = 4
CUTS_MAX = 2
"""Of one walk: at a point, and once more while the board recovers from it."""
FORGOTTEN = frozenset({"floors", "counts", "reported", "shown"})
"""Invariants to which a board is not held that was told to forget everything."""


class Powered(Protocol):
    """A board as a walk needs it; what it says is read through ``smp``."""

    smp: SmpClient

    @property
    def power_cut(self) -> bool:
        """Say whether its power has gone."""

    def power_on(self) -> None:
        """Give it its power again, and wait until it answers."""

    def pass_time(self, seconds: int) -> None:
        """Let its clock go ahead."""

    def images(self) -> set[bytes] | None:
        """Return the hashes of all images that lie whole in its flash; None where nobody can see that."""


@dataclass(frozen=True)
class _Boot:
    timeout_s: float = 30.0
    banner: str = ""  # there is no console to read it from


@dataclass(frozen=True)
class _Facts:
    tags: tuple[str, ...] = ()
    boot: _Boot = field(default_factory=_Boot)


@dataclass
class _Stand:
    """What the bench of the table asks of a session."""

    smp: SmpClient
    board: _Facts = field(default_factory=_Facts)

    def wait_ready(self) -> None:
        """Return: this board starts anew at once."""


class CutBench(Bench):
    """The bench of the table over a board that may lose its power at any request."""

    def __init__(self, board: Powered) -> None:
        super().__init__(cast(Session, _Stand(board.smp)))  # of a session it asks for nothing else
        self.board = board
        self.blocks = 0
        """Blocks that it has taken."""
        self.counts: list[int] | None = None
        """Changes of flash behind each block; None: nobody wants to know."""
        self.up = False
        """The way to the gateway was opened: it is, again, whenever the board has started."""

    def calm(self, ask: Callable[[], T]) -> T:
        """Put a question, again where the board starts anew in the middle of it; power that goes is told."""
        for _ in range(LAWFUL_TRIES):
            with contextlib.suppress(DeviceRebooted):
                return ask()
        raise DiffersError("the board starts anew again and again")

    def until(self, done: Callable[[], bool], seconds: float = 0.0) -> bool:
        """Ask as often as it may take; ``done`` lets time pass itself."""
        return any(done() for _ in range(ROUNDS_MAX))

    def pass_time(self, seconds: int) -> None:
        """Let the board's clock go ahead."""
        self.board.pass_time(seconds)

    def send(self, topic: str, data: bytes) -> Verdict:
        """Hand a message over, and count it where it is a block."""
        return self._counted(topic, super().send(topic, data))

    def send_once(self, topic: str, data: bytes) -> Verdict | None:
        """Do the same with what the board wants again if it lacks it."""
        found = super().send_once(topic, data)
        return found if found is None else self._counted(topic, found)

    def _counted(self, topic: str, found: Verdict) -> Verdict:
        if topic.endswith("/block") and found.number == Reason.OK:
            self.blocks += 1
            if self.counts is not None:
                self.counts.append(self.state().writes)
        return found

    def carrier(self) -> None:
        """Open the way to the gateway."""
        self.up = True
        self.calm(lambda: self.notifier.carrier(True))

    def look(self) -> State:
        """Read what the board says of itself; its newest report, where that is of now."""
        smp = self.session.smp
        state = self.state()
        told = self.said.reports[-1] if self.said.reports else None
        fresh = told is not None and (told.boot_epoch, told.journal_count) == (state.epoch, state.journal)
        return State(
            seconds=0.0,
            slots=tuple(self.calm(smp.img.state)),
            device=state,
            screen=self.calm(self.notifier.notice),
            report=told if fresh else None,
        )


@dataclass(frozen=True)
class Flow:
    """Steps, each of which may be done again where the power went in it."""

    name: str
    steps: Sequence[Step]
    images: Mapping[str, bytes] = field(default_factory=dict)
    """Version -> image that the flow may bring."""
    situation: Situation | None = PLAIN
    """What the board is provisioned as before the flow begins; None: it is new from the factory."""


@dataclass(frozen=True)
class Course:
    """What a walk without a cut has shown: the state before each step, and that behind the last one."""

    looks: tuple[State, ...]
    known: Known
    end: Mapping[str, Any]


@dataclass
class Outcome:
    """How one walk went."""

    step: int = -1
    """Number of the step in which the power went; -1: it never did."""
    found: str = ""
    """The state behind the cut: that before the step, that behind it, or one between."""
    image: str = ""
    """Version that ran when the power was back."""
    new: bool = False
    """It is not the one that ran before the flow."""
    download: str = ""
    """How a download went on: resumed, or started over."""
    rolled_back: bool = False
    """The power went in the trial of a patch, so that it had to be offered anew."""
    cuts: int = 0
    """How often the power went."""
    left: str = ""
    """Name of what the power left: equal where that is equal, and all that was heard before."""
    violations: list[str] = field(default_factory=list)


class Walk:
    """A flow on a board."""

    def __init__(self, flow: Flow, board: Powered) -> None:
        self.flow, self.board = flow, board
        self.bench = CutBench(board)
        self.outcome = Outcome()
        self.lost: Callable[[], None] = lambda: None
        """Called when the power has gone for the first time."""
        self.looks: list[State] = []
        self.scene: Scene | None = None
        self._wants = self._blocks = 0

    def begin(self) -> None:
        """Switch the board on, and make it what the flow needs."""
        self.board.power_on()
        if self.flow.situation is not None:
            self.scene = self.bench.provision(self.flow.situation)

    def go(self, course: Course | None = None) -> Course:
        """Do all steps, that in which the power goes again, and hold the end to that of a walk without a cut."""
        scene = self.scene or Scene(self.bench.facts, PLAIN.fleet(self.bench.facts))
        for number, step in enumerate(self.flow.steps):
            if course is None:
                self.looks.append(self.bench.look())
            self._do(number, step, scene, course)
        end = self._end(course)
        found = Course(tuple(self.looks), self._known(), end)
        if course is not None:
            self._hold(end, course.end, scene)
            self.outcome.rolled_back = "again" in scene.memory
            self.outcome.download = "" if self.outcome.rolled_back else self._download()
        return found

    def _hold(self, end: Mapping[str, Any], calm: Mapping[str, Any], scene: Scene) -> None:
        """Hold the end to that of a walk without a cut; an offer that had to be made anew is a newer one."""
        for name, value in calm.items():
            found, wanted = end.get(name), value
            if name == "floors" and "again" in scene.memory:
                must(found["offer"] > wanted["offer"], "the floor of offers has not risen with a new one")
                found = {**found, "offer": wanted["offer"]}
            must(found == wanted, f"in the end {name} is {found}, and without a cut {wanted}")

    def _do(self, number: int, step: Step, scene: Scene, course: Course | None) -> None:
        self._lasting(lambda: step.do(self.bench, scene), number, course)

    def _end(self, course: Course | None) -> dict[str, Any]:
        last = self._lasting(self.bench.look, len(self.flow.steps) - 1, course)
        self.looks.append(last)
        return ending(last)

    def _lasting(self, act: Callable[[], T], number: int, course: Course | None) -> T:
        """Do something, anew whenever the power has gone in it."""
        while True:
            try:
                return act()
            except DeviceGone:
                if course is None or self.outcome.cuts >= CUTS_MAX:
                    raise
            self._after_cut(number, course)

    def _download(self) -> str:
        """Say how a download that the power broke off went on."""
        if not self._blocks:
            return ""
        later = [want.blocks[1] for want in self.bench.said.wants[self._wants :] if want.blocks]
        if not later:
            return ""
        return "resumed" if later[0] > 0 else "started over"

    def _known(self) -> Known:
        slots = [slot.hash for state in self.looks for slot in state.slots or ()]
        screens = tuple(state.screen for state in self.looks if state.screen is not None)
        return Known(tuple(self.flow.images.values()), frozenset(slots) - {b""}, screens)

    def _after_cut(self, number: int, course: Course) -> None:
        """Give the power back, and hold the board to what must be so whatever it was doing."""
        self.outcome.cuts += 1
        said = self.bench.said
        if self.outcome.step < 0:
            self.lost()
            self.outcome.step, self._wants = number, len(said.wants)
            self._blocks = self.bench.blocks
        self.board.power_on()
        try:
            after = self.bench.look()
        except DeviceGone:
            if self.outcome.cuts < CUTS_MAX:
                self._after_cut(number, course)
                return
            raise
        self._judge(number, after, course)
        said.served = len(said.wants)  # what was asked for then is forgotten
        said.fetched = len(said.subscribed)
        if self.bench.up:
            with contextlib.suppress(DeviceGone):
                self.bench.carrier()

    def _judge(self, number: int, after: State, course: Course) -> None:
        before, behind = course.looks[number], course.looks[number + 1]
        forgets = getattr(self.flow.steps[number], "forgets", False)
        said = self.bench.said.reports
        wrong = broken(self._told(before), after, course.known)
        wrong |= invariants(before, behind, after, said[-1] if said else None)
        if forgets:
            wrong = {name: why for name, why in wrong.items() if name not in FORGOTTEN}
            if self.flow.situation is not None and place(before, behind, after) == "between":
                wrong["erased"] = "it is neither as it was nor as new"
        images = self.board.images()
        active = [slot.hash for slot in after.slots or () if slot.active]
        if images is not None and after.slots and not images.issuperset(active):
            wrong["image"] = "the image that runs does not lie whole in flash"
        self.outcome.violations += [f"{name}: {why}" for name, why in wrong.items()]
        self.outcome.found = place(before, behind, after)
        first = course.looks[0].device
        if first is not None and after.device is not None:
            self.outcome.image = after.device.installed
            self.outcome.new = after.device.installed != first.installed

    def _told(self, before: State) -> State:
        """The state before the step; of the journal that which was reported since, if that is more."""
        reports, device = self.bench.said.reports, before.device
        if not reports or device is None or reports[-1].journal_count <= device.journal:
            return before
        newest = reports[-1]
        return replace(before, device=replace(device, journal=newest.journal_count, head=newest.journal_head))
