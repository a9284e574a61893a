"""A hunt: a machine run from a seed for so many steps, with the way back to what it found."""

from __future__ import annotations

import os
from collections import Counter

from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.keys.model.machine import Trust

SEED = 20_261_122
LIFE = 50
"""Steps of one life."""
VARIABLE = "TOCSIN_SEED"


def start_seed() -> int:
    """The seed of the hunt: fixed, unless the environment names another."""
    return int(os.environ.get(VARIABLE, SEED))


def hunt(machine: type[Trust], *, seed_: int, steps: int, shrink: bool = True) -> None:
    """Run a machine for about so many steps; a failure says how to see it again.

    Raises:
        AssertionError: with the failing steps and the seed in its notes.
    """
    phases = [Phase.generate, Phase.shrink] if shrink else [Phase.generate]
    kind = seed(seed_)(type(machine.__name__, (machine,), {"steps": 0, "seen": Counter()}))
    config = settings(
        max_examples=steps * 6 // (5 * LIFE),  # some lives end before their last step
        stateful_step_count=LIFE,
        database=None,
        deadline=None,
        print_blob=True,
        phases=phases,
        suppress_health_check=[HealthCheck.too_slow],  # a step signs and verifies for real
    )
    try:
        run_state_machine_as_test(kind, settings=config)
    except BaseException as error:
        error.add_note(
            f"To see it again: {VARIABLE}={seed_} .venv/bin/pytest tests/keys/model/test_machine.py"
        )
        raise
    finally:
        machine.steps, machine.seen = kind.steps, kind.seen
