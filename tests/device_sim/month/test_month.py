"""A thousand devices for a month, in one process: all of them come to their true ends, again and again the same."""

from __future__ import annotations

import os

import pytest

from tests.device_sim.month.month import Month, Outcome

SEED = int(os.environ.get("TOCSIN_SEED", "20261122"))


def live(seed: int, devices: int) -> Outcome:
    month = Month(seed, devices)
    try:
        month.live()
        found = month.outcome()
    except BaseException as error:
        error.add_note(f"To see it again: python -m tests.device_sim.month --seed {seed} --devices {devices}")
        raise
    assert found.faults == (), f"python -m tests.device_sim.month --seed {seed} --devices {devices}"
    return found


@pytest.mark.slow
def test_a_thousand_devices_come_to_their_true_ends_within_a_month() -> None:
    found = live(SEED, 1_000)
    assert sum(found.versions.values()) == 1_000
    assert found.versions["1.5.0"] > 700
    assert found.versions["1.4.9"] == 0, "nobody stays with what fails its self-test"
    assert found.cuts > 20
    assert any("gate stopped patch 2" in line for line in found.lines)
    ends = {
        "3 SUCCEEDED",
        "3 DECLINED",
        "2 ROLLED_BACK",
        "1 SUPERSEDED",
        "1 REMOVED",
        "1 TIMED_OUT",
        "1 DECLINED",
    }
    assert ends <= found.patches.keys()


def test_the_same_seed_gives_the_same_month_and_another_one_does_not() -> None:
    first, again, other = live(1, 40), live(1, 40), live(2, 40)
    assert first == again
    assert first.digest != other.digest
