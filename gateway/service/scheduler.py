"""What one worker does for all: it tends timestamps, gates and offers, and runs the chores.

Who that is, is asked anew before each round, and every second meanwhile. A leader that was not heard of by
its lock for some seconds stops by itself, whatever it is waiting for.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection, Sequence
from typing import Any, Final, Protocol

from gateway.service.chores import Chore, Chores
from gateway.service.election import Lock
from gateway.service.troubles import Troubles
from gateway.store.engine import Store
from keys.errors import UnavailableError

POLL_SECONDS: Final = 0.2  # how soon the work of another process is noticed
TEND_SECONDS: Final = 30.0  # how often deadlines and lifetimes are looked at when nothing changes
ELECT_SECONDS: Final = 1.0  # how often the lead is asked for, or made sure of
LEAD_SECONDS: Final = 8.0  # a lead that could not be made sure of for so long is over
JUMP_SECONDS: Final = 5.0  # a clock that went so much more or less than it should has been set

InStore = Callable[[Callable[[], Any]], Awaitable[Any]]


class Speaks(Protocol):
    """What tends: see :class:`gateway.service.offers.Speaker`."""

    failing: set[str]

    def tend(self) -> bool:
        """Do what is due; True when more is left to do."""
        ...


class Scheduler:
    """Asks for the lead, and works while it has it.

    Args:
        store: whose work it is.
        lock: who has it leads.
        speaker: what tends timestamps, gates and offers.
        chores: other work of the leader.
        troubles: what does not go well is kept here.
        in_store: runs a function in the thread that reads the store.
        clock: UTC seconds.
    """

    def __init__(  # noqa: PLR0917 - the parts that it joins
        self,
        store: Store,
        lock: Lock,
        speaker: Speaks,
        chores: Sequence[Chore],
        troubles: Troubles,
        in_store: InStore,
        clock: Callable[[], float],
    ) -> None:
        self._store, self._lock, self._speaker = store, lock, speaker
        self._chores = Chores(chores, lambda: self.leads, troubles)
        self._troubles, self._in_store, self._clock = troubles, in_store, clock
        self._until = 0.0
        self._leading = False
        self.changed = asyncio.Event()
        """Set when something may be there to be published, and when the lead comes or goes."""
        self.known = asyncio.Event()
        """Set once it was asked for the first time who leads."""
        self.jumps = 0
        """How often the clock was set while it ran."""

    @property
    def leads(self) -> bool:
        """Whether this worker leads now."""
        return self._leading and time.monotonic() < self._until

    async def run(self) -> None:
        """Work until cancelled.

        Raises:
            DamagedError: the store turned out to be damaged.
        """
        asking = asyncio.ensure_future(self._elect())
        try:
            await self._tend(asking)
        finally:
            asking.cancel()
            await asyncio.gather(asking, return_exceptions=True)
            self._leading = False
            await self._chores.stop()
            self._lock.release()

    async def _elect(self) -> None:
        while True:
            asked = time.monotonic()
            held = await self._hold()
            if held:
                self._until = asked + LEAD_SECONDS
            if held != self._leading:
                self._leading = held
                self.changed.set()
            if held:
                self._chores.start()
            else:
                await self._chores.stop()
            self.known.set()
            await asyncio.sleep(ELECT_SECONDS)

    async def _hold(self) -> bool:
        asking = asyncio.ensure_future(asyncio.to_thread(self._lock.hold))
        try:
            return await asyncio.shield(asking)
        except asyncio.CancelledError:
            await asyncio.wait([asking])  # it must not take the lock after it was let go
            raise

    def _tell(self, failing: Collection[str]) -> None:
        if failing:
            stands = f"The gateway fails on rollouts, which stand still: {', '.join(sorted(failing))}."
            self._troubles.met("rollouts", "ROLLOUT_FAULT", stands)
        else:
            self._troubles.over("rollouts")

    async def _tend(self, asking: asyncio.Task[None]) -> None:
        seen, looked, more = -1, -TEND_SECONDS, False
        drift = self._clock() - time.monotonic()
        await self.known.wait()
        while not asking.done():
            try:
                version = await self._in_store(self._store.data_version)
                now = time.monotonic()
                moved, drift = abs(self._clock() - now - drift) > JUMP_SECONDS, self._clock() - now
                self.jumps += moved
                if self.leads and (more or moved or version != seen or now - looked >= TEND_SECONDS):
                    more = await self._in_store(self._speaker.tend)
                    looked = now
                    self._tell(self._speaker.failing)
                if version != seen or moved or looked == now:
                    seen = version
                    self.changed.set()
                self._troubles.over("store")
            except UnavailableError as error:
                self._troubles.met("store", error.code, f"The store is not to be had for now: {error}")
            await asyncio.sleep(0 if more and self.leads else POLL_SECONDS)
        asking.result()
