"""One scenario, repeated with the power cut at every point; what is asserted are invariants.

Only cuts inside the device (``writes``) are exhaustive: each write to flash is cut before, in the middle and
after. Cuts on the line (frames, offsets, console, seconds) are samples of time: what the board was doing at
that moment differs from run to run.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from hil.bench.session import Session
from hil.bench.tool import run_tool
from hil.errors import BenchError
from hil.smp.notifier import Screen
from hil.sweep.invariants import Known, State, broken
from hil.sweep.look import look, recover
from hil.sweep.points import Cut, Point, Trigger, counted, spread
from hil.sweep.scenario import Scenario, attempt
from keys.errors import InputError

_EXHAUSTIVE: Final = "Each write to flash is cut before, in its middle and after: exhaustive for the device."
_SOME: Final = "These are some of the writes to flash; --points all cuts each of them."
_SAMPLES: Final = "Cuts on the line are samples of time; only cuts at writes to flash are exhaustive."


def claim(cut: Cut, *, exhaustive: bool) -> str:
    """Return what a sweep proves, and what it does not."""
    if cut is not Cut.WRITES:
        return _SAMPLES
    return _EXHAUSTIVE if exhaustive else _SOME


@dataclass(frozen=True, slots=True)
class Undisturbed:
    """What a run without a cut has shown."""

    frames: int
    bytes: int
    writes: int
    seconds: float
    known: Known
    after: State


@dataclass(frozen=True, slots=True)
class Result:
    """What came of one point."""

    point: Point
    reached: bool
    outcome: str
    """old, new, other or silent: which firmware runs."""
    broken: dict[str, str] = field(hash=False)
    """Name of an invariant -> why it does not hold."""
    seconds: float
    """From power to ready; 0 where it did not get ready."""
    ended: str
    """How the scenario ended; empty if it went through."""

    def as_json(self) -> dict[str, Any]:
        """Return it for scripts."""
        return {
            "point": str(self.point),
            "cut": self.point.cut.value,
            "reached": self.reached,
            "outcome": self.outcome,
            "broken": self.broken,
            "ready_s": round(self.seconds, 3),
            "scenario_ended": self.ended,
        }


class Sweep:
    """A board in hand, and what it shall survive.

    Args:
        session: the board, ready; its power can be cut.
        scenario: what is repeated.
        flash: flash the board anew before each point, as its file says.
    """

    def __init__(self, session: Session, scenario: Scenario, *, flash: bool = False) -> None:
        self._session, self._scenario, self._flash = session, scenario, flash
        if not session.power.cut:
            message = f"The power of {session.board.name} cannot be cut."
            raise BenchError("NO_POWER", message, mend="Write a power driver.", where=session.board.place)
        if flash and session.board.flash is None:
            message = f"The board {session.board.name} has no flash.command."
            raise BenchError(
                "NO_FLASH", message, mend="Write one, or leave --flash out.", where=session.board.place
            )

    def undisturbed(self) -> Undisturbed:
        """Run the scenario once without a cut, and count.

        Raises:
            BenchError: SCENARIO_FAILED, where it does not go through: a sweep would prove nothing.
        """
        before = self._begin()
        screens: list[Screen | None] = [before.screen]
        trigger, began = Trigger(None, int, group=self._session.board.link.group), time.monotonic()
        ended = self._armed(trigger, screens.append)
        seconds = time.monotonic() - began
        if ended:
            message = f"Without any cut, {self._scenario.name} did not go through: {ended}"
            raise BenchError("SCENARIO_FAILED", message, mend="Mend that first.")
        after = look(self._session)
        screens.append(after.screen)
        slots = [slot.hash for state in (before, after) for slot in state.slots or ()]
        shown = tuple(screen for screen in screens if screen is not None)
        known = Known(self._scenario.images, frozenset(slots) - {b""}, shown)
        return Undisturbed(trigger.frames, trigger.bytes, _writes(before, after), seconds, known, after)

    def points(self, cut: Cut, undisturbed: Undisturbed, number: int | None) -> list[Point]:
        """Return where to cut: everywhere, or so many points of it.

        Raises:
            BenchError: NO_FAULTS.
            InputError: NO_POINTS.
        """
        if cut is Cut.WRITES and "notifier.fault" not in self._session.capabilities:
            message = f"The firmware of {self._session.board.name} cannot lose power at a write to flash."
            raise BenchError("NO_FAULTS", message, mend="Use a test build, or --cut frames.")
        if cut is Cut.FRAMES:
            return counted(cut, undisturbed.frames, number)
        if cut is Cut.WRITES:
            return counted(cut, undisturbed.writes, number)
        total = undisturbed.bytes if cut is Cut.OFFSETS else undisturbed.seconds
        if number is None or cut is Cut.CONSOLE:
            message = f"There is no such thing as all points of {cut.value}."
            raise InputError("NO_POINTS", message, mend="Give a number with --points, or places with --at.")
        return spread(cut, total, number)

    def run(self, points: Iterable[Point], undisturbed: Undisturbed) -> Iterator[Result]:
        """Repeat the scenario for every point, and tell of each as soon as it is known.

        Raises:
            BenchError: the bench could not do its part; the points so far hold.
        """
        for point in points:
            before = self._begin()
            if before.seconds is None:
                yield Result(point, False, "silent", broken(before, before, undisturbed.known), 0.0, "")
                return
            trigger, ended = self._disturbed(point)
            after = recover(self._session)
            yield Result(
                point,
                trigger,
                _outcome(before, after, undisturbed.after),
                broken(before, after, undisturbed.known),
                after.seconds or 0.0,
                ended,
            )
            if after.seconds is None:
                return

    def _begin(self) -> State:
        """Bring the board to where the scenario begins, and look at it."""
        session = self._session
        flash = session.board.flash
        if self._flash and flash is not None:
            session.cut()
            run_tool(flash.command, purpose="flash", folder=session.board.folder, environ=os.environ)
            session.power_on()
            session.wait_ready()
        self._scenario.prepare(session)
        return look(session)

    def _disturbed(self, point: Point) -> tuple[bool, str]:
        """Run the scenario with the power cut at a point; return whether it was, and how it ended."""
        session = self._session
        trigger = Trigger(point, session.cut, group=session.board.link.group)
        if point.cut is Cut.WRITES:
            session.smp.notifier.fault(int(point.at), point.when)
        elif point.cut is Cut.SECONDS:
            session.cut(after_s=point.at, then=lambda: setattr(trigger, "reached", True))
        ended = self._armed(trigger, lambda _: None)
        session.power.settle(cancel=True)
        return trigger.reached or (point.cut is Cut.WRITES and bool(ended)), ended

    def _armed(self, trigger: Trigger, watch: Callable[[Screen | None], None]) -> str:
        taps = self._session.line.taps
        taps.append(trigger)
        try:
            return attempt(self._scenario, self._session, watch)
        finally:
            taps.remove(trigger)


def _writes(before: State, after: State) -> int:
    """Return how many writes a run took; the device counts them since its power came."""
    if before.device is None or after.device is None:
        return 0
    old, new = before.device.writes, after.device.writes
    return new - old if new >= old else new


def _outcome(before: State, after: State, new: State) -> str:
    """Say which firmware runs: the one before, or that of an undisturbed run."""
    if after.seconds is None:
        return "silent"
    for name, state in (("old", before), ("new", new)):
        if _running(after) == _running(state):
            return name
    return "other"


def _running(state: State) -> tuple[Any, ...]:
    active = [slot.hash for slot in state.slots or () if slot.active]
    return (tuple(active), state.device.installed if state.device else None)
