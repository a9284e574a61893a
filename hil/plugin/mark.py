"""What a test says about the board that it needs.

from hil.plugin import mark as hil

@hil.needs("group.notifier", "power.cut")
@hil.destructive
def test_a_torn_write_leaves_the_old_state(hil_notifier, hil_power): ...
"""

from __future__ import annotations

from collections.abc import Sequence

import pytest

destructive: pytest.MarkDecorator = pytest.mark.hil_destructive
"""The test erases or overwrites; it runs only where the board file says ``destructive = true``."""


def needs(*capabilities: str) -> pytest.MarkDecorator:
    """Ask for capabilities; the test is skipped, with the reason, on a board that lacks one.

    Args:
        capabilities: words of ``hil.bench.board.CAPABILITIES``, such as ``group.notifier`` or ``power.cut``.
            One that is not known stops the run at collection.
    """
    return pytest.mark.hil_needs(*capabilities)


def boards(*, tags: Sequence[str] = (), class_: str | None = None) -> pytest.MarkDecorator:
    """Ask for a board that has all these tags and is of this class; on another one the test is skipped."""
    return pytest.mark.hil_boards(tags=tuple(tags), class_=class_)


def timeout(*, op: float | None = None, test: float | None = None) -> pytest.MarkDecorator:
    """Change how long things may take.

    Args:
        op: seconds that one SMP request may take, each retry anew.
        test: seconds that the test's own function may take; it fails then. Fixtures are not counted.
    """
    return pytest.mark.hil_timeout(op=op, test=test)


def seed(number: int) -> pytest.MarkDecorator:
    """Give the faults of this test a seed of their own instead of the run's."""
    return pytest.mark.hil_seed(number)
