"""After a failed test: is the board still good? One small table, so that a loss has a test's name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import Enum
from typing import Final

from hil.errors import BenchError, SmpFailure


class State(Enum):
    """What is known of a board."""

    GOOD = "good"
    SUSPECT = "suspect"
    """A test failed; nobody has looked yet."""
    CYCLED = "cycled"
    """It did not answer, and its power was cycled."""
    LOST = "lost"
    """It does not answer after a power cycle either, or cannot be cycled."""


class Event(Enum):
    """What happens to a board."""

    FAILED = "a test failed"
    ANSWERS = "it answers"
    SILENT = "it does not answer"
    NO_CYCLE = "it cannot be cycled"


class Outcome(Enum):
    """What a look at a board came to."""

    HEALTHY = "healthy"
    RECOVERED = "recovered"
    QUARANTINED = "quarantined"


TABLE: Final[Mapping[tuple[State, Event], State]] = {
    (State.GOOD, Event.FAILED): State.SUSPECT,
    (State.SUSPECT, Event.FAILED): State.SUSPECT,
    (State.SUSPECT, Event.ANSWERS): State.GOOD,
    (State.SUSPECT, Event.SILENT): State.CYCLED,
    (State.CYCLED, Event.ANSWERS): State.GOOD,
    (State.CYCLED, Event.SILENT): State.LOST,
    (State.CYCLED, Event.NO_CYCLE): State.LOST,
}
"""State and event -> the next state; what is not here changes nothing: a lost board stays lost."""


def step(state: State, event: Event) -> State:
    """Return the state after an event."""
    return TABLE.get((state, event), state)


class Health:
    """One board's health over a run.

    Attributes:
        state: what is known of it.
        lost_in: the test that lost it; empty while it is not lost.
        cycles: how often a power cycle brought it back.
    """

    def __init__(self, board: str) -> None:
        self.board = board
        self.state = State.GOOD
        self.lost_in = ""
        self.cycles = 0

    def check(self) -> None:
        """Refuse a lost board.

        Raises:
            BenchError: BOARD_LOST, names the test that lost it.
        """
        if self.state is State.LOST:
            message = f"The board {self.board} was lost in test {self.lost_in}."
            raise BenchError("BOARD_LOST", message, mend="Look at that test, then at the board.")

    def after_failure(
        self, test: str, *, healthy: Callable[[], bool], cycle: Callable[[], object] | None
    ) -> Outcome:
        """Look at a board after a failed test, and bring it back if need be.

        Args:
            test: the test's name.
            healthy: says whether the board answers.
            cycle: cycles its power and waits until it is ready; None where the bench cannot.
        """
        self.state = step(self.state, Event.FAILED)
        if self.state is State.LOST:
            return Outcome.QUARANTINED
        self.state = step(self.state, Event.ANSWERS if healthy() else Event.SILENT)
        if self.state is State.GOOD:
            return Outcome.HEALTHY
        self.state = step(self.state, self._cycled(healthy, cycle))
        if self.state is State.GOOD:
            self.cycles += 1
            return Outcome.RECOVERED
        self.lost_in = test
        return Outcome.QUARANTINED

    @staticmethod
    def _cycled(healthy: Callable[[], bool], cycle: Callable[[], object] | None) -> Event:
        if cycle is None:
            return Event.NO_CYCLE
        try:
            cycle()
            return Event.ANSWERS if healthy() else Event.SILENT
        except (BenchError, SmpFailure):  # it never became ready, or its power did not come back
            return Event.SILENT
