"""Reports into the store: in batches, one transaction a batch; nothing is acknowledged before its commit.

While one batch is being committed the signatures of the next are checked: the store waits for its disk,
and needs no interpreter for that. A store that is full or locked keeps the batch: it is tried again, and
until then the broker (or the device, which repeats what has no receipt) holds the messages.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from typing import Final

from gateway.service.checking import Checker
from gateway.service.committing import DEVICES_MAX, Committer, Item, Outcome, Receipt, Refusal
from gateway.service.troubles import Troubles
from gateway.store.engine import Store
from keys.errors import UnavailableError

__all__ = ["Ingest", "Outcome", "Receipt", "Refusal"]

BATCH_MAX: Final = 400  # reports in one transaction
BATCH_SECONDS: Final = 0.05  # how long a batch waits at most, while more keep coming
GAP_SECONDS: Final = 0.004  # nothing new for so long: more will not come before an acknowledgement
QUEUE_MAX: Final = 100_000  # reports in memory; more are left unacknowledged
QUEUE_BYTES_MAX: Final = (
    67_108_864  # of those: Mosquitto 2.0 sends all it kept, whatever Receive Maximum says
)
RETRY_SECONDS: Final = (0.2, 10.0)  # first and longest pause after a store that refuses
_FAILED: Final = "OPENING_FAILED"

log = logging.getLogger("tocsin.gateway")


class Ingest:
    """The queue between the links and the store."""

    def __init__(
        self,
        store: Store,
        fleet: bytes,
        executor: Executor,
        troubles: Troubles,
        *,
        clock: Callable[[], float] = time.time,
        entropy: Callable[[int], bytes] = os.urandom,
    ) -> None:
        self._checker = Checker(BATCH_MAX, DEVICES_MAX)
        self._committer = Committer(store, fleet, clock=clock, entropy=entropy, check=self._checker.opened)
        self._executor, self._troubles, self._clock = executor, troubles, clock
        self._waiting: deque[Item] = deque()
        self._bytes = 0
        self._some = asyncio.Event()
        self._own: Counter[str] = Counter()
        self._left = 0
        self.idle = asyncio.Event()
        """Set while nothing waits to be committed."""
        self.idle.set()

    @property
    def counts(self) -> dict[str, int]:
        """Messages committed, repeated, quarantined, dropped; batches; retries; how many reports wait."""
        return {**self._committer.counts, **self._own, "waiting": self._left}

    def submit(self, topic: str, device: str, data: bytes, done: Callable[[Outcome], None]) -> bool:
        """Queue a message; ``done`` is called in the event loop after its commit.

        Returns:
            False when the queue is full: the message must stay unacknowledged.
        """
        if len(self._waiting) >= QUEUE_MAX or self._bytes + len(data) > QUEUE_BYTES_MAX:
            self._own["dropped"] += 1
            return False
        self._left += 1
        self._bytes += len(data)
        self.idle.clear()
        self._waiting.append(Item(topic, device, data, self._clock(), done))
        self._some.set()
        return True

    async def run(self) -> None:
        """Commit batch after batch until cancelled; what ends one half of that ends both, and is raised."""
        opened: asyncio.Queue[Sequence[Item]] = asyncio.Queue(1)
        halves = [asyncio.ensure_future(self._open(opened)), asyncio.ensure_future(self._settle(opened))]
        try:
            done, _ = await asyncio.wait(halves, return_when=asyncio.FIRST_COMPLETED)
            for half in done:
                half.result()
        finally:
            for half in halves:
                half.cancel()
            await asyncio.gather(*halves, return_exceptions=True)

    async def _settle(self, opened: asyncio.Queue[Sequence[Item]]) -> None:
        while True:
            batch = await opened.get()
            outcomes = await self._commit(batch)
            self._left -= len(batch)
            for item, outcome in zip(batch, outcomes, strict=True):
                item.done(outcome)
            if not self._left:
                self.idle.set()

    async def _open(self, opened: asyncio.Queue[Sequence[Item]]) -> None:
        with contextlib.closing(self._checker), ThreadPoolExecutor(1, "verify") as executor:
            try:
                while True:
                    batch = await self._gather()
                    await self._open_one(executor, batch)
                    await opened.put(batch)
            finally:
                self._checker.kill()  # first: the thread, which is waited for, may wait for its answer

    async def _open_one(self, executor: Executor, batch: Sequence[Item]) -> None:
        """Check the signatures of a batch; should that fail, its transaction opens each report."""
        try:
            await asyncio.get_running_loop().run_in_executor(executor, self._committer.open, batch)
        except Exception as error:  # whatever it is: reports must not wait for ever because of it
            begins = _FAILED not in self._troubles.degraded
            name = type(error).__name__
            self._troubles.met("opening", _FAILED, f"Reports are opened one by one for now ({name}).")
            if begins:
                log.exception("What failed when reports were opened:")
            self._checker.close()  # so the next whole batch has another process
            for item in batch:
                item.opened = None
        else:
            self._troubles.over("opening")

    async def _gather(self) -> Sequence[Item]:
        """Wait for reports, and on for as long as they keep coming."""
        waiting = self._waiting
        while not waiting:
            self._some.clear()
            await self._some.wait()
        deadline, seen = time.monotonic() + BATCH_SECONDS, 0
        while seen < len(waiting) < BATCH_MAX and time.monotonic() < deadline:
            seen = len(waiting)
            await asyncio.sleep(GAP_SECONDS)
        self._own["batches"] += 1
        batch = [waiting.popleft() for _ in range(min(len(waiting), BATCH_MAX))]
        self._bytes -= sum(len(item.data) for item in batch)
        return batch

    async def _commit(self, batch: Sequence[Item]) -> list[Outcome]:
        loop = asyncio.get_running_loop()
        pause = RETRY_SECONDS[0]
        while True:
            try:
                outcomes = await loop.run_in_executor(self._executor, self._committer.commit, batch)
            except UnavailableError as error:
                self._own["retries"] += 1
                self._troubles.met("ingest", error.code, f"Reports wait, nothing is acknowledged: {error}")
                await asyncio.sleep(pause)
                pause = min(pause * 2, RETRY_SECONDS[1])
            else:
                self._troubles.over("ingest")
                return outcomes
