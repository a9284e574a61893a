"""What the memory benchmark counts: agents that have lived through a notice and a patch."""

from __future__ import annotations

import gc
import tracemalloc

from advisories.states import PATCH_PROVEN, NoticeState
from bench.cases import GaveWayError
from device_sim.core.agent import Agent
from tests import helpers
from tests.device_sim.core.world import World

SECONDS = 30
_SHOWN = frozenset({NoticeState.SHOWN, NoticeState.NOT_APPLICABLE})


def _published() -> tuple[World, bytes]:
    """Return a world without a device, in which a notice and the patch that mends it are current."""
    world = World(start=False)
    patch = world.patch()
    header = world.notice(helpers.notice(world.fleet, patches={helpers.PRODUCT: (patch,)}))
    world.current(header, patches=((7, patch),))
    return world, patch


def lived(device: str, published: tuple[World, bytes]) -> Agent:
    """Return the agent of a device that was shown the notice, then installed and confirmed its patch."""
    source, patch = published
    world = World(id=device)
    world.retained, world.payloads = dict(source.retained), source.payloads
    world.connect()
    world.offer(patch)
    world.advance(SECONDS)
    agent = world.agent
    proven = [track for track in agent.patches if track.state in PATCH_PROVEN]
    told = [track for track in agent.notices if track.state in _SHOWN and track.shown is not None]
    if len(proven) != 1 or len(told) != 1:
        raise GaveWayError
    return agent


def bytes_per_device(devices: int) -> float:
    """Return how much memory each of many agents takes, with what they share among them.

    The first one is not counted: it brings what a process has once. What lies outside of Python's own
    memory, such as a key inside OpenSSL, is not counted either.
    """
    published = _published()
    lived("device-first", published)
    gc.collect()
    tracemalloc.start(1)
    try:
        before = tracemalloc.get_traced_memory()[0]
        agents = [lived(f"device-{number:04}", published) for number in range(devices)]
        gc.collect()
        after = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    return (after - before) / len(agents)
