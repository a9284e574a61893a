"""The pytest plugin: boards as fixtures, evidence for every test.

Every pytest run of an environment loads this package. Without ``--hil-board`` or ``--hil-boards`` it imports
no more than this, touches nothing, and skips the tests that use a board.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from hil.plugin import demands, options
from hil.plugin.fixtures import (
    hil_artifacts,
    hil_board,
    hil_bridge,
    hil_console,
    hil_faults,
    hil_link,
    hil_notifier,
    hil_power,
    hil_smp,
    hil_trace,
)
from hil.plugin.keys import RUN, no_board, uses_board

if TYPE_CHECKING:
    from hil.plugin.run import Run

__all__ = [
    "hil_artifacts",
    "hil_board",
    "hil_bridge",
    "hil_console",
    "hil_faults",
    "hil_link",
    "hil_notifier",
    "hil_power",
    "hil_smp",
    "hil_trace",
]


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare the options."""
    options.declare(parser)


def pytest_configure(config: pytest.Config) -> None:
    """Register the marks, and the run where boards were chosen.

    Raises:
        pytest.UsageError: the board file or a name is wrong, or there are fewer boards than workers.
    """
    for line in demands.MARKERS:
        config.addinivalue_line("markers", line)
    given = options.read(config)
    if given.chosen or given.require:
        run = _run(config, given)
        config.stash[RUN] = run
        config.pluginmanager.register(run, "hil-run")


def _run(config: pytest.Config, given: options.Options) -> Run:
    try:
        from hil.plugin.candidates import candidates  # noqa: PLC0415 - only where there is a board to run on
        from hil.plugin.run import Run  # noqa: PLC0415 - the same
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "serial":
            raise
        raise pytest.UsageError(f"A board needs {error.name}. Run: pip install 'tocsin[hil]'") from None
    if not given.chosen:
        return Run(config, given, [])
    given, found = candidates(given, config.invocation_params.dir)
    workers = getattr(config.option, "numprocesses", None) or 0
    if workers > len(found):
        raise pytest.UsageError(
            f"-n {workers} needs {workers} boards, one a worker; there are {len(found)} to choose from."
        )
    return Run(config, given, found)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Check the marks before anything runs.

    Raises:
        pytest.UsageError: a mark holds something that it cannot mean.
    """
    for item in items:
        demands.read(item)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip a test that uses a board where none was chosen."""
    if uses_board(item) and RUN not in item.config.stash:
        no_board(item.config)
