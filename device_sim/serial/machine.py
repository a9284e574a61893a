"""What the groups of commands work on: one device, with the parts that a serial line can reach."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from advisories import mcuboot
from advisories.states import PatchState
from advisories.versions import format_version
from device_sim.core.agent import Agent
from device_sim.core.state import PatchTrack, State
from device_sim.serial.flash import Flash
from device_sim.serial.link import SerialLink
from device_sim.serial.screen import KeptScreen
from device_sim.serial.server import BUFFER_BYTES
from device_sim.shell import DeviceShell, Event
from device_sim.timers import Timers
from keys.errors import RefusedError
from keys.reasons import Reason

KEYS_MAX: Final = 8
"""Requests with a key whose answers are remembered."""

_P = PatchState
_USES_SPARE: Final = frozenset(
    {
        _P.DOWNLOADING,
        _P.DOWNLOADED,
        _P.VERIFIED,
        _P.INSTALLING,
        _P.INSTALLED,
        _P.CANCEL_REJECTED,
        _P.REBOOTING,
        _P.TESTING,
        _P.CANCELING,
    }
)
"""States of a patch in which the spare slot belongs to it."""


class Clock:
    """A clock that a test may set.

    Args:
        base: returns UTC seconds; the machine's own clock by default.
    """

    def __init__(self, base: Callable[[], float] = time.time) -> None:
        self._base = base
        self._ahead = 0.0

    def __call__(self) -> float:
        """Return UTC seconds."""
        return self._base() + self._ahead

    def set(self, utc: float) -> None:
        """Make it that time."""
        self._ahead = utc - self._base()


@dataclass(slots=True)
class Machine:
    """One device on a serial line."""

    flash: Flash
    link: SerialLink
    screen: KeptScreen
    clock: Clock
    timers: Timers
    shell: DeviceShell
    reset: Callable[[], None]
    """Restarts the device at once."""
    counters: Callable[[], Mapping[str, Mapping[str, int]]]
    """Counters by the name of their group."""
    test_build: bool
    buffer_bytes: int = BUFFER_BYTES
    boot: bytes = b""
    """Eight random bytes, new at every boot."""
    cause: str = ""
    """Why it booted: power-on, reset or update."""
    booted: float = 0.0
    """When, in UTC seconds."""
    factory: list[Callable[[], None]] = field(default_factory=list)
    """What is provisioned at the next reset."""
    heard: list[Event] | None = None
    """Collects what the core logs, while somebody wants to know."""
    answered: OrderedDict[tuple[str, int], Mapping[str, Any]] = field(default_factory=OrderedDict)
    """Answers to the requests with a key, the newest at the end."""

    @property
    def agent(self) -> Agent:
        """The core of this boot."""
        assert self.shell.agent is not None, "a request before the first boot"
        return self.shell.agent

    @property
    def spare(self) -> int:
        """The slot that does not run."""
        return 1 - (self.flash.running or 0)

    def version(self, slot: int) -> str:
        """Return what the header in a slot says; ``none`` where there is none to read."""
        try:
            return format_version(mcuboot.header_version(self.flash.read_slot(slot, mcuboot.HEADER_BYTES)))
        except RefusedError:
            return "none"

    @property
    def installing(self) -> bool:
        """True while a patch that came over the air owns the spare slot."""
        return any(track.state in _USES_SPARE for track in self.agent.patches)

    @property
    def asking(self) -> PatchTrack | None:
        """The patch that waits for the owner's consent."""
        waiting = (track for track in self.agent.patches if track.state is _P.WAITING_FOR_CONFIRMATION)
        return next(waiting, None)

    def stored(self) -> State:
        """Return the core's state as a power cut now would leave it (DamagedError)."""
        data, device = self.flash.read_state(), self.flash.profile.id
        return State.load(data, self.flash.root_1) if data else State.new(self.flash.root_1, device)

    def set_clock(self, utc: float) -> None:
        """Make it another time, and let the core and its timers know."""
        self.clock.set(utc)
        self.shell.look_at_clock()
        self.timers.at(0.0, lambda: None)  # long overdue: what waits is wound anew, by the new time

    def deliver(self, topic: str, payload: bytes) -> tuple[Reason, str]:
        """Hand a message to the core; return what it refused first while it took it, and its words."""
        self.shell.look_at_clock()  # what is overdue is refused now, not while this message is judged
        heard: list[Event] = []
        self.heard = heard
        self.link.deliver(topic, payload)
        self.heard = None
        refused = (e for e in heard if e.reason not in {Reason.OK, Reason.SUCCESS})
        return next(((event.reason, event.detail) for event in refused), (Reason.OK, ""))

    def once(self, name: str, key: int, act: Callable[[], Mapping[str, Any]]) -> Mapping[str, Any]:
        """Act, unless a request with this key was answered already: then only answer again."""
        found = self.answered.get((name, key))
        if found is None:
            found = self.answered[name, key] = act()
            while len(self.answered) > KEYS_MAX:
                self.answered.popitem(last=False)
        return found
