"""What goes out: what is retained, answers to devices, topics they miss, blocks of payloads.

The outbox of everything retained is the store: each new connection, and each new lead, begins with all of
it. An answer that was not sent is no loss either: a device asks, or reports, again, and the answer is made
anew from what is committed. So nothing waits here that is promised to anybody.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import Counter, OrderedDict
from collections.abc import Callable
from functools import partial
from itertools import groupby
from typing import Final

from advisories.catalogue import Timestamp
from advisories.topics import Topics
from gateway.service.answers import Answers
from gateway.service.blocks import Desk
from gateway.service.ingest import Receipt
from gateway.service.link import Link
from gateway.service.scheduler import POLL_SECONDS, InStore, Scheduler
from gateway.store.engine import Retained, Store
from keys.errors import UnavailableError

REASSERT_SECONDS: Final = 300.0  # a timestamp that somebody overwrote at the broker is back after that
OUTBOX_MAX: Final = 10_000  # answers waiting to be sent; a device repeats what gets none
ANSWER_SECONDS: Final = 600  # after that the broker forgets an answer that nobody fetched
RECEIPT_SECONDS: Final = 2.0  # a receipt waits no longer for reports that keep coming
_TURN: Final = 20  # receipts signed before anything else has its turn
_BLOCK_SENDERS: Final = 32


class Publisher:
    """Publishes over one link after another.

    Args:
        store: what is to be retained.
        topics: the prefix in use.
        desk: blocks and topics that devices asked for.
        scheduler: says whether this worker publishes what is retained; one worker does.
        answers: signs receipts.
        idle: set while no report waits to be committed.
        in_store: runs a function in the thread that reads the store.
        clock: UTC seconds.
        timed: tell the broker when to forget what it retains.
    """

    def __init__(  # noqa: PLR0917 - the parts that it joins
        self,
        store: Store,
        topics: Topics,
        desk: Desk,
        scheduler: Scheduler,
        answers: Answers,
        idle: asyncio.Event,
        in_store: InStore,
        clock: Callable[[], float],
        *,
        timed: bool,
    ) -> None:
        self._timed = timed
        self._answers, self._idle = answers, idle
        self._receipts: OrderedDict[str, tuple[Receipt, float]] = OrderedDict()
        self._some = asyncio.Event()
        self.receipted = asyncio.Event()
        """Set while no receipt waits to be sent."""
        self.receipted.set()
        self._store, self._topics, self._desk = store, topics, desk
        self._scheduler, self._in_store, self._clock = scheduler, in_store, clock
        self._outbox: asyncio.Queue[tuple[str, bytes, bool, int | None]] = asyncio.Queue(OUTBOX_MAX)
        self.ready = asyncio.Event()
        """Set with everything retained at the broker, as far as that is this worker's to do."""
        self.counts: Counter[str] = Counter()
        """Answers that found no room."""

    def work(self, link: Link) -> list[asyncio.Future[None]]:
        """Return what has to run as long as a link is up."""
        parts = [self._pump(link), self._repeat(), self._send(link), self._receipt(link)]
        parts += [self._send_blocks(link) for _ in range(_BLOCK_SENDERS)]
        return [asyncio.ensure_future(part) for part in parts]

    def queue(self, topic: str, payload: bytes, *, retain: bool = False, expiry: int | None = None) -> None:
        """Have a message sent when there is a link; where too many wait it is dropped."""
        try:
            self._outbox.put_nowait((topic, payload, retain, expiry))
        except asyncio.QueueFull:
            self.counts["unsent"] += 1

    def committed(self, receipt: Receipt) -> None:
        """Have a receipt sent; it takes the place of an earlier one to the same device."""
        _, since = self._receipts.get(receipt.device, (receipt, time.monotonic()))
        self._receipts[receipt.device] = receipt, since
        if len(self._receipts) > OUTBOX_MAX:
            self._receipts.popitem(last=False)
            self.counts["unsent"] += 1
        self.receipted.clear()
        self._some.set()

    async def _pump(self, link: Link) -> None:
        """Publish what is retained in its order: all of it on a new link or lead, then what comes."""
        scheduler = self._scheduler
        await scheduler.known.wait()
        revision, jumps = 0, scheduler.jumps
        while True:
            scheduler.changed.clear()
            if not scheduler.leads or jumps != scheduler.jumps:
                # What a wrong clock took for expired was left out; another leader may have gone further.
                revision, jumps = 0, scheduler.jumps
            rows = await self._retained_after(revision) if scheduler.leads else []
            for is_offer, run in groupby(rows, key=self._is_offer):
                if is_offer:  # each for one device: no order between them to keep
                    await asyncio.gather(*(self._publish(link, row) for row in run))
                else:
                    for row in run:
                        await self._publish(link, row)
            if rows:
                revision = rows[-1].revision
                continue
            self.ready.set()
            await scheduler.changed.wait()

    async def _retained_after(self, revision: int) -> list[Retained]:
        def read() -> list[Retained]:
            with self._store.read() as session:
                return session.retained_after(revision)

        while True:
            try:
                found: list[Retained] = await self._in_store(read)
            except UnavailableError:  # the scheduler says so
                await asyncio.sleep(POLL_SECONDS)
            else:
                return found

    def _is_offer(self, row: Retained) -> bool:
        return (self._topics.split(row.topic) or ("",))[0] == "device"

    async def _publish(self, link: Link, row: Retained) -> None:
        left = self._left(row)
        if self._scheduler.leads and (left is None or left > 0):  # the broker forgets the others by itself
            expiry = left if row.payload and self._timed else None
            await link.publish(row.topic, row.payload, retain=True, expiry=expiry)

    def _left(self, row: Retained) -> int | None:
        return None if row.expires is None else row.expires - int(self._clock())

    async def _repeat(self) -> None:
        """Publish retained topics again for devices that miss them; timestamps now and then for all.

        Whoever may publish at the broker can overwrite what it retains. From a genuine timestamp a device
        learns what it lacks, and asks for it.
        """
        asserted = time.monotonic()
        while True:
            await asyncio.sleep(POLL_SECONDS)
            if time.monotonic() - asserted >= REASSERT_SECONDS:
                asserted = time.monotonic()
                if self._scheduler.leads:
                    self._desk.ask(await self._in_store(self._timestamps))
            for topic in self._desk.topics_due(time.monotonic()):
                try:
                    row = await self._in_store(partial(self._read_retained, topic))
                except UnavailableError:  # the device asks again
                    continue
                if row is not None and row.payload:
                    left = self._left(row)
                    if left is None or left > 0:
                        self.queue(row.topic, row.payload, retain=True, expiry=left if self._timed else None)

    def _timestamps(self) -> list[str]:
        try:
            with self._store.read() as session:
                return [self._topics.timestamp(name) for name in session.document_names(Timestamp.TYPE)]
        except UnavailableError:
            return []

    def _read_retained(self, topic: str) -> Retained | None:
        with self._store.read() as session:
            return session.retained(topic)

    async def _send(self, link: Link) -> None:
        while True:
            topic, payload, retain, expiry = await self._outbox.get()
            await link.post(topic, payload, retain=retain, expiry=expiry)

    async def _receipt(self, link: Link) -> None:
        """Sign and send receipts. While reports keep coming, they go first: none is safe before its commit.

        A device repeats a report after five seconds without a receipt, so none waits for long; and a device
        that reported more than once meanwhile has one receipt for all of it.
        """
        receipts, sent = self._receipts, 0
        while True:
            while not receipts:
                self.receipted.set()
                self._some.clear()
                await self._some.wait()
            _, since = next(iter(receipts.values()))
            left = since + RECEIPT_SECONDS - time.monotonic()
            if left > 0 and not self._idle.is_set():
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(left):
                        await self._idle.wait()
                continue
            device, (receipt, _) = receipts.popitem(last=False)
            topic = self._topics.device(device, "answer")
            await link.post(topic, self._answers.receipt(receipt), expiry=ANSWER_SECONDS)
            sent += 1
            if sent % _TURN == 0:
                await asyncio.sleep(0)

    async def _send_blocks(self, link: Link) -> None:
        while True:
            topic, payload = await self._desk.next_block()
            await link.publish(topic, payload, expiry=30)
