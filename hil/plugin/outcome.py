"""Who must look at a failure: the firmware's maker, or the person at the bench."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from hil.errors import BenchError

OK: Final = 0
FAILED: Final = 1
BENCH: Final = 3
_OURS: Final = (OK, FAILED)
"""Statuses of pytest that are changed; interrupted, wrong usage and the like keep theirs."""


class Fault(StrEnum):
    """Whose fault a failed phase of a test is."""

    PRODUCT = "product"
    BENCH = "bench"


def of(error: BaseException) -> Fault:
    """Tell whose fault an exception is: the bench's where all of it are :class:`BenchError`.

    No answer, a refusal and a failed assertion are the product's, also where the board is lost by them:
    firmware that stops a board for good must not look like a loose cable.
    """
    if isinstance(error, BaseExceptionGroup):
        faults = {of(one) for one in error.exceptions}
        return Fault.BENCH if faults == {Fault.BENCH} else Fault.PRODUCT
    return Fault.BENCH if isinstance(error, BenchError) else Fault.PRODUCT


def status(pytests: int, *, product: int, bench: int) -> int:
    """Return the exit status of a run.

    Args:
        pytests: what pytest would end with.
        product: failures that are the product's, or no board's at all.
        bench: failures of the bench.
    """
    if pytests not in _OURS or not (product or bench):
        return pytests
    return FAILED if product else BENCH
