"""Whose fault a failure is, and with which status a run ends."""

from __future__ import annotations

import pytest

from hil.errors import BenchError, DeviceGone, DeviceHung, SmpRefused, Timeout
from hil.plugin.outcome import Fault, of, status

BENCH = BenchError("PORT_MISSING", "There is no port.")


@pytest.mark.parametrize(
    ("error", "fault"),
    [
        (BENCH, Fault.BENCH),
        (ExceptionGroup("teardown", [BENCH, BENCH]), Fault.BENCH),
        (ExceptionGroup("teardown", [BENCH, ExceptionGroup("more", [AssertionError()])]), Fault.PRODUCT),
        (AssertionError(), Fault.PRODUCT),
        (Timeout("No answer."), Fault.PRODUCT),
        (DeviceHung("Nothing answers."), Fault.PRODUCT),
        (DeviceGone("The port went away."), Fault.PRODUCT),
        (SmpRefused("SMP_EBUSY", "Busy.", group=1, rc=10), Fault.PRODUCT),
        (KeyError("x"), Fault.PRODUCT),
    ],
)
def test_only_what_the_bench_says_of_itself_is_the_benchs(error: BaseException, fault: Fault) -> None:
    assert of(error) is fault


@pytest.mark.parametrize(
    ("pytests", "product", "bench", "ends"),
    [
        (0, 0, 0, 0),
        (1, 1, 0, 1),
        (1, 0, 1, 3),
        (1, 1, 1, 1),  # the firmware's maker is asked first
        (0, 0, 1, 3),  # every test passed, and the board could not be switched off
        (1, 0, 0, 1),  # a failure that nobody counted
        (2, 0, 1, 2),  # interrupted
        (3, 0, 1, 3),
        (4, 0, 1, 4),
        (5, 0, 1, 5),
    ],
)
def test_the_status_tells_who_must_look(pytests: int, product: int, bench: int, ends: int) -> None:
    assert status(pytests, product=product, bench=bench) == ends
