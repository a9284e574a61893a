"""Up to ten thousand simulated devices in one process, each with a real connection and a real core.

What is shared: one event loop, one timer, one limit of connects in flight, root bytes and words. What
is not: keys, state, flash, sessions. Trouble is scripted by :mod:`device_sim.faults`.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import os
import random
import resource
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Final

from device_sim.display import Display
from device_sim.faults import GOOD, Behaviour
from device_sim.home import Home
from device_sim.link import MqttLink
from device_sim.owner import SimulatedOwner
from device_sim.shell import OFFLINE, DeviceShell, Event
from device_sim.sockets import parse_url
from device_sim.timers import Timers
from keys.errors import UnavailableError

DEVICES_MAX: Final = 10_000
CONNECTS_MAX: Final = 64
"""In flight at a time: more overflow a listen backlog and wait a second for the next SYN."""
DEVICES_AN_ADDRESS: Final = 5_000
"""Source ports are finite; on loopback every so many devices get an address of their own."""
_FILES_BESIDES: Final = 200  # open files that are not device connections
_FIRST_ASKED: Final = 3  # devices that must all fail before a broker is said to be unreachable over TLS
_YIELD_EVERY: Final = 20  # devices booted before others get their turn


class Fleet:
    """Simulated devices with simulated owners.

    Args:
        homes: their folders; opened with ``durable=False`` they are several times faster.
        url: the broker.
        seed: decides reading times and boot times, device by device.
        behaviours: scripts by device id; whoever is not named does everything right.
        clock: returns UTC seconds.
        display: returns the display of a device; None shows nothing.
        on_event: told of everything that happens, as it happens.
        reading_s: (shortest, longest) time an owner takes to react, in seconds.
        boot_s: (shortest, longest) time a reboot takes, in seconds.
        keepalive: seconds.
    """

    def __init__(
        self,
        homes: Iterable[Home],
        url: str,
        *,
        seed: int = 0,
        behaviours: Mapping[str, Behaviour] | None = None,
        clock: Callable[[], float] = time.time,
        display: Callable[[Home], Display | None] | None = None,
        on_event: Callable[[Event], None] | None = None,
        reading_s: tuple[float, float] = (0.05, 1.0),
        boot_s: tuple[float, float] = (0.02, 0.2),
        keepalive: int = 60,
    ) -> None:
        self.counters: Counter[str] = Counter()
        """Events so far, by kind."""
        self.failures: dict[str, Exception] = {}
        """Devices that stopped by themselves, and why."""
        self.shells: dict[str, DeviceShell] = {}
        """The devices by id."""
        self._on_event = on_event
        self._gate = asyncio.Semaphore(CONNECTS_MAX)
        self._timers = Timers(clock)
        self._waiting: list[asyncio.Task[None]] = []
        self._all_failed = asyncio.Event()
        scripts = behaviours or {}
        where = parse_url(url)
        self._tls = where.tls
        addresses = _addresses(where.host)
        for index, home in enumerate(homes):
            name = home.profile.id
            dice = random.Random(f"{seed} {name}")  # noqa: S311 - simulated people, not secrets
            behaviour = scripts.get(name, GOOD)
            link = MqttLink(
                url,
                name,
                bind_address=addresses(index),
                will=(home.profile.topics.device(name, "online"), OFFLINE),
                keepalive=keepalive,
                tls=home.tls() if where.tls else None,
                gate=self._gate,
            )
            self.shells[name] = DeviceShell(
                home,
                link,
                owner=SimulatedOwner(dice, behaviour, reading_s),
                display=display(home) if display is not None else None,
                timers=self._timers,
                clock=clock,
                behaviour=behaviour,
                boot_s=dice.uniform(*boot_s),
                on_event=self._told,
            )

    @property
    def online(self) -> int:
        """Devices connected now."""
        return sum(shell.link.connected for shell in self.shells.values())

    async def start(self) -> None:
        """Boot every device and connect all that are not scripted to stay away; returns when they are on.

        Raises:
            UnavailableError: BROKER_UNREACHABLE or BROKER_REFUSED by the first device; OPEN_FILES.
            DamagedError: a device's folder is damaged.
        """
        _allow_files(len(self.shells))
        ready: list[DeviceShell] = []
        for number, shell in enumerate(self.shells.values()):
            shell.boot()
            event = shell.behaviour.offline_until
            if event is None:
                ready.append(shell)
            else:
                self._waiting.append(asyncio.create_task(self._connect_after(event, shell)))
            if number % _YIELD_EVERY == 0:
                await asyncio.sleep(0)
        # One device must find the broker there. Over TLS the first may be turned down with no word that
        # reaches it, which says nothing of the others: then the next ones are asked before anyone gives up.
        asked = min(len(ready), _FIRST_ASKED if self._tls else 1)
        for number, shell in enumerate(ready, 1):
            if await self._connect(shell, patient=number < asked):
                await asyncio.gather(*(self._connect(shell) for shell in ready[number:]))
                break

    async def stop(self) -> None:
        """Every device says goodbye and disconnects; nothing that was saved is lost. Safe to call twice."""
        for task in self._waiting:
            task.cancel()
        await asyncio.gather(*self._waiting, return_exceptions=True)
        self._waiting.clear()
        self._timers.stop()
        await asyncio.gather(*(shell.stop() for shell in self.shells.values()))

    async def run(self, stop: asyncio.Event) -> None:
        """Start, stay until ``stop`` is set or every device has failed, and stop; also when cancelled.

        Raises:
            UnavailableError: see :meth:`start`.
            DamagedError: see :meth:`start`.
        """
        try:
            await self.start()
            ends = {asyncio.create_task(event.wait()) for event in (stop, self._all_failed)}
            try:
                await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for end in ends:
                    end.cancel()
        finally:
            await self.stop()

    @staticmethod
    async def _connect(shell: DeviceShell, *, patient: bool = True) -> bool:
        """Connect a device; False when it is not on yet, or not let in with its certificate."""
        try:
            await shell.link.connect()
        except UnavailableError as error:
            if error.code == "BROKER_TLS":
                shell.link.give_up(error)  # each has a certificate of its own: the others go on
            elif patient:
                shell.link.connect_later(1.0)  # the broker was there for another device: it is only busy
            else:
                raise
            return False
        return True

    @staticmethod
    async def _connect_after(event: asyncio.Event, shell: DeviceShell) -> None:
        await event.wait()
        shell.link.connect_later()

    def _told(self, event: Event) -> None:
        self.counters[event.kind] += 1
        if event.kind == "failed":
            failure = self.shells[event.device].failure
            assert failure is not None
            self.failures[event.device] = failure
            if len(self.failures) == len(self.shells):
                self._all_failed.set()
        if self._on_event is not None:
            self._on_event(event)


def _addresses(host: str) -> Callable[[int], str]:
    """Return which local address the n-th device connects from; empty where the system must choose."""
    with contextlib.suppress(ValueError):
        address = ipaddress.ip_address(host)
        if address.version == 4 and address.is_loopback:
            # The process decides the middle: a run does not wait for the ports of the run before it.
            middle = f"{1 + os.getpid() % 250}.{1 + os.getpid() // 250 % 250}"
            return lambda index: f"127.{middle}.{1 + index // DEVICES_AN_ADDRESS}"
    return lambda _index: ""


def _allow_files(devices: int) -> None:
    """Raise this process's limit of open files to what so many devices need.

    Raises:
        UnavailableError: OPEN_FILES.
    """
    needed = devices + _FILES_BESIDES
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < needed:
        if hard != resource.RLIM_INFINITY and hard < needed:
            raise UnavailableError(
                "OPEN_FILES",
                f"{devices} devices need {needed} open files, and this process may have {hard}.",
                mend=f"Raise the limit with 'ulimit -n {needed}', or run fewer devices.",
            )
        resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))
