"""Health after a failed test: every state with every event, and what a look at a board comes to."""

from __future__ import annotations

from itertools import product

import pytest

from hil.bench.health import TABLE, Event, Health, Outcome, State, step
from hil.errors import BenchError, DeviceHung


@pytest.mark.parametrize(("state", "event"), list(product(State, Event)))
def test_what_the_table_does_not_name_changes_nothing(state: State, event: Event) -> None:
    assert step(state, event) is TABLE.get((state, event), state)


def test_a_lost_board_stays_lost_whatever_happens() -> None:
    assert {step(State.LOST, event) for event in Event} == {State.LOST}


def _look(health: Health, answers: list[bool], cycle: object) -> Outcome:
    def run() -> None:
        if isinstance(cycle, Exception):
            raise cycle

    return health.after_failure("test_x", healthy=lambda: answers.pop(0), cycle=run if cycle else None)


@pytest.mark.parametrize(
    ("answers", "cycle", "outcome", "state"),
    [
        ([True], True, Outcome.HEALTHY, State.GOOD),
        ([True], None, Outcome.HEALTHY, State.GOOD),
        ([False, True], True, Outcome.RECOVERED, State.GOOD),
        ([False, False], True, Outcome.QUARANTINED, State.LOST),
        ([False], None, Outcome.QUARANTINED, State.LOST),
        ([False], DeviceHung("It did not come back."), Outcome.QUARANTINED, State.LOST),
        ([False], BenchError("TOOL_FAILED", "No hub."), Outcome.QUARANTINED, State.LOST),
    ],
)
def test_outcomes(answers: list[bool], cycle: object, outcome: Outcome, state: State) -> None:
    health = Health("exercise-1")
    assert _look(health, answers, cycle) is outcome
    assert health.state is state
    assert answers == []  # nobody asks more often than needed
    assert health.cycles == (outcome is Outcome.RECOVERED)


def test_later_uses_name_the_test_that_lost_it_the_first() -> None:
    health = Health("exercise-1")
    health.check()
    _look(health, [False], None)
    assert health.after_failure("test_y", healthy=lambda: True, cycle=None) is Outcome.QUARANTINED
    with pytest.raises(BenchError, match=r"^The board exercise-1 was lost in test test_x\.") as caught:
        health.check()
    assert (caught.value.code, caught.value.exit_status) == ("BOARD_LOST", 3)
