"""Boards in this process, made as a test wants them."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from tests.device_sim.serial.wire import Wire, make_home


@pytest.fixture
async def make_wire(tmp_path: Path) -> AsyncIterator[Callable[..., Wire]]:
    """Switch a fresh device on; it lives in the test's event loop, which drives its timers."""
    made: list[Wire] = []

    def make(**options: Any) -> Wire:
        home = options.pop("home", None) or make_home(tmp_path, **options.pop("profile", {}))
        made.append(Wire(home, **options))
        return made[-1]

    yield make
    for wire in made:
        wire.close()


@pytest.fixture
async def wire(make_wire: Callable[..., Wire]) -> Wire:
    """A test build, switched on."""
    return make_wire()
