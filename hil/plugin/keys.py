"""What the parts of the plugin find each other by; imports nothing that only a run with boards needs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NoReturn

import pytest

if TYPE_CHECKING:
    from hil.plugin.run import Run

RUN: Final[pytest.StashKey[Run]] = pytest.StashKey()
"""In the stash of the config: the run, where boards were chosen."""
FIXTURES: Final = frozenset(
    f"hil_{name}"
    for name in (
        "artifacts",
        "board",
        "bridge",
        "console",
        "faults",
        "link",
        "notifier",
        "power",
        "smp",
        "trace",
    )
)


def uses_board(item: pytest.Item) -> bool:
    """Say whether a test uses a board, as far as its signature and its fixtures' tell."""
    return not FIXTURES.isdisjoint(getattr(item, "fixturenames", ()))


def no_board(config: pytest.Config) -> NoReturn:
    """Skip a test for lack of a board; fail it with ``--hil-require``."""
    reason = "no board was chosen (--hil-board NAME, or --hil-boards FILE)"
    if config.option.hil_require:
        from hil.errors import BenchError  # noqa: PLC0415 - only here

        raise BenchError("NO_BOARD", f"{reason[0].upper()}{reason[1:]}, and --hil-require was given.")
    pytest.skip(reason)
