"""A thousand devices for a month, in one process: all of them come to their true ends, again and again the same."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.device_sim.month.month import Month, Outcome

ROOT = Path(__file__).parents[3]
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
    command = [sys.executable, "-m", "tests.device_sim.month", "--seed", str(SEED), "--devices", "1000"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    said = done.stdout + done.stderr
    print(said)
    assert "FAULT" not in said
    assert done.returncode == 0
    assert "the gate stopped patch 2" in said
    counts = {name: int(many) for name, many in re.findall(r"(?:: |, )([^,:]+) (\d+)", said)}
    assert counts["1.5.0"] > 700
    assert "1.4.9" not in counts, "somebody stays with what fails its self-test"
    assert {
        "3 SUCCEEDED",
        "3 DECLINED",
        "2 ROLLED_BACK",
        "1 SUPERSEDED",
        "1 REMOVED",
        "1 TIMED_OUT",
    } <= counts.keys()
    cuts = re.search(r"power cuts: (\d+)", said)
    assert cuts is not None
    assert int(cuts[1]) > 20


def test_the_same_seed_gives_the_same_month_and_another_one_does_not() -> None:
    first, again, other = live(1, 40), live(1, 40), live(2, 40)
    assert first == again
    assert first.digest != other.digest
