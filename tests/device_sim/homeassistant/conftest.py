"""A home with a broker of its own, and a device in it."""

import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.device_sim.conftest import RunningBroker, _mosquitto
from tests.device_sim.homeassistant.house import House, Listener


@pytest.fixture
def home_broker() -> Iterator[RunningBroker]:
    """Mosquitto, which most homes have; nothing is kept when it stops."""
    with tempfile.TemporaryDirectory() as folder:
        broker = RunningBroker(_mosquitto(Path(folder)))
        yield broker
        broker.stop()


@pytest.fixture
async def house(
    tmp_path: Path, iotcore_broker: RunningBroker, home_broker: RunningBroker
) -> AsyncIterator[Callable[..., Any]]:
    """Make the one house of a test."""
    houses: list[House] = []

    async def make(**profile: Any) -> House:
        houses.append(House(tmp_path, iotcore_broker, home_broker.url, **profile))
        await houses[-1].open()
        return houses[-1]

    yield make
    for one in houses:
        await one.close()


@pytest.fixture
async def listener(home_broker: RunningBroker) -> AsyncIterator[Listener]:
    one = Listener(home_broker.url)
    await one.open()
    yield one
    await one.link.close()
