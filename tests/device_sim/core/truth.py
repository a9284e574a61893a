"""What whoever watches a device knows by himself: patches as they were made, windows, and what the time is."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from advisories.versions import Version
from device_sim.core.agent import Agent
from device_sim.core.profile import Profile


@dataclass(frozen=True)
class Made:
    """A patch as its makers know it."""

    sequence: int
    version: Version
    payload: bytes
    """SHA-256."""
    genuine: bool
    counter: int = 1
    """Security counter of its image."""


TIMED = {
    name: list(inspect.signature(method).parameters).index("now") - 1
    for name, method in vars(Agent).items()
    if inspect.isfunction(method) and name[0] != "_" and "now" in inspect.signature(method).parameters
}
"""Method of an agent -> which of its arguments is the time."""


def is_open(profile: Profile, time: int) -> bool:
    """Say whether one of the owner's windows is open: another way of counting than the device's."""
    if not profile.windows:
        return True
    local = datetime.fromtimestamp(time, UTC).astimezone(profile.zone)
    minute, yesterday = local.hour * 60 + local.minute, (local - timedelta(days=1)).weekday()
    for window in profile.windows:
        if window.start < window.end:
            found = window.start <= minute < window.end and local.weekday() in window.days
        else:
            begun = minute >= window.start and local.weekday() in window.days
            found = begun or (minute < window.end and yesterday in window.days)
        if found:
            return True
    return False


class Skewed:
    """An agent whose shell's clock is wrong, by ``world.skew`` seconds."""

    def __init__(self, agent: Agent, world: Any) -> None:
        self._agent = agent
        self._world = world

    def __getattr__(self, name: str) -> Any:
        found, place = getattr(self._agent, name), TIMED.get(name)
        if place is None:
            return found
        return lambda *args: found(*args[:place], args[place] + self._world.skew, *args[place + 1 :])
