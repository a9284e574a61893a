"""The running gateway: one event loop between the broker and the store, alone or as one worker of several.

Everything is in the store before anyone is told, so it may be killed at any moment: the next start, or
another worker, publishes again what has to be retained, and devices repeat what has no receipt.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import os
import random
import ssl
import time
from collections import Counter
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final, TypeVar

from advisories.topics import Topics
from gateway.core.rate import MQTT_BYTES_PER_SECOND, REPORTS_PER_MINUTE, Rates
from gateway.service.answers import Answers
from gateway.service.arriving import LEAVES, Arrivals
from gateway.service.blocks import Desk
from gateway.service.broker.secret import broker_secret, found_secret, new_secret
from gateway.service.chores import Chore
from gateway.service.election import leader_lock
from gateway.service.ingest import Ingest, Outcome, Receipt, Refusal
from gateway.service.link import SESSION_SECONDS, Link
from gateway.service.offers import Speaker
from gateway.service.publishing import Publisher
from gateway.service.scheduler import ELECT_SECONDS, Scheduler
from gateway.service.troubles import Troubles
from gateway.store import workers
from gateway.store.engine import Store
from keys.errors import InputError, TocsinError, UnavailableError
from keys.root import Root
from keys.signer import Signer
from keys.trusted import TrustedSet

RECONNECT_SECONDS: Final = (0.2, 10.0)  # first and longest pause
WORKER_SESSION_SECONDS: Final = 300  # a worker that is gone for longer has no share of the reports
LEAVE_SECONDS: Final = 3.0  # for what is in hand at the end
WORKER: Final = "gateway"  # name of the one that was given none

_COLLECT: Final = (20_000, 20, 100)  # objects made, young and middle collections before the next one

log = logging.getLogger("tocsin.gateway")
T = TypeVar("T")


def settle() -> None:
    """Let Python's collector of cycles leave alone what the start has made, and look less often.

    For a process that is about to serve for long: the modules alone are some hundred thousand objects, looked
    through over and over, and what a report comes to has no cycles.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_COLLECT)


class Gateway:
    """Publishes what is retained, takes reports in, answers them, serves wants, moves rollouts on.

    Args:
        store: everything that was published and reported.
        artefacts: folder of images by hexadecimal SHA-256.
        topics: the prefix in use.
        fleet: digest of root 1.
        root: the newest root; only to see that ``signer`` may act for the gateway.
        signer: the gateway's key.
        worker: name of this process among those on the same store; each has its own.
        standing: the broker stands on its own feet and outlives this process: several gateways share the
            reports by ``$share`` filters, and it forgets by itself what has expired. Off unless asked for:
            the router of iotcore, the broker inside this process, ends for good when a client with shared
            filters leaves with messages in hand, and takes a retained message's age off its time anew for
            each subscriber, so that a fleet that starts makes it forget a timestamp.
        chores: what else the worker that leads has to do.
        payload_rate: bytes of payloads a second that all devices together are sent over MQTT.
        report_rate: reports a minute that one device may send, so many at once.
        clock: UTC seconds.
        entropy: random bytes.

    Raises:
        InputError: KEY_NOT_GATEWAY.
    """

    def __init__(  # noqa: PLR0917 - the six parts that it cannot be without
        self,
        store: Store,
        artefacts: Path,
        topics: Topics,
        fleet: bytes,
        root: Root | TrustedSet,
        signer: Signer,
        *,
        worker: str = WORKER,
        standing: bool = False,
        chores: Sequence[Chore] = (),
        payload_rate: int = MQTT_BYTES_PER_SECOND,
        report_rate: int = REPORTS_PER_MINUTE,
        clock: Callable[[], float] = time.time,
        entropy: Callable[[int], bytes] = os.urandom,
    ) -> None:
        newest = root.root if isinstance(root, TrustedSet) else root
        entry = newest.by_kid.get(signer.public.thumbprint)
        if entry is None or "gateway" not in entry.roles:
            raise InputError(
                "KEY_NOT_GATEWAY",
                f"This key has no gateway role in root {newest.version}.",
                mend="Use the gateway's key, or publish a root that names this one.",
            )
        self.store, self.topics, self.worker = store, topics, worker
        self._clock = clock
        self._committing = ThreadPoolExecutor(1, "ingest")
        self._reading = ThreadPoolExecutor(1, "store")
        self.troubles = Troubles()
        """What does not go well now."""
        self._answers = Answers(fleet, signer, clock)
        self._desk = Desk(artefacts, topics, per_second=payload_rate)
        self._ingest = Ingest(store, fleet, self._committing, self.troubles, clock=clock, entropy=entropy)
        speaker = Speaker(store, topics, fleet, signer, clock)
        self._scheduler = Scheduler(
            store, leader_lock(store), speaker, chores, self.troubles, self._in_store, clock
        )
        self._publisher = Publisher(
            store,
            topics,
            self._desk,
            self._scheduler,
            self._answers,
            self._ingest.idle,
            self._in_store,
            clock,
            timed=standing,
        )
        self._arrivals = Arrivals(
            store,
            topics,
            self._ingest,
            self._answers,
            self._desk,
            self._publisher,
            self._in_store,
            Rates(report_rate, report_rate / 60),
            entropy,
        )
        self._secret = (found_secret(store) or new_secret(entropy)) if standing else None
        self._thumbprint = signer.public.thumbprint.hex()[:16]
        self._session_seconds = SESSION_SECONDS if worker == WORKER else WORKER_SESSION_SECONDS
        self._link: Link | None = None
        self._started = clock()
        self.ready = self._publisher.ready
        """Set once subscribed and, where this worker leads, with everything retained at the broker."""
        self.links: Counter[str] = Counter()
        """Connections made and lost."""

    @property
    def counts(self) -> dict[str, int]:
        """What was counted since the start: reports, wants, blocks, connections; and who downloads now."""
        parts = (self._ingest, self._arrivals, self._desk, self._publisher, self.troubles)
        found = dict(self.links)
        for part in parts:
            found.update(part.counts)
        return {**found, "downloading": self._desk.downloading}

    @property
    def client_id(self) -> str:
        """Under which the broker keeps this worker's session."""
        named = None if self.worker == WORKER else self.worker
        return "-".join(filter(None, ("tocsin", "gateway", self._thumbprint, named, self._secret)))

    @property
    def filters(self) -> list[str]:
        """What this worker subscribes to."""
        if self._secret is None:
            return [self.topics.device("+", leaf) for leaf in LEAVES]
        return [self.topics.shared(leaf, f"tocsin-{self._secret}") for leaf in LEAVES]

    @property
    def leads(self) -> bool:
        """Whether this worker is the one that schedules and publishes."""
        return self._scheduler.leads

    @property
    def degraded(self) -> list[str]:
        """Codes of what does not go well now, such as STORE_FULL; empty when all is well."""
        return self.troubles.degraded

    @property
    def online(self) -> set[str]:
        """Devices that are connected, as far as their will messages came to this worker."""
        return self._arrivals.online

    def now(self) -> float:
        """UTC seconds by the gateway's clock."""
        return self._clock()

    async def run(self, url: str, stop: asyncio.Event, tls: ssl.SSLContext | None = None) -> None:
        """Run until ``stop`` is set. The first connection must succeed; later ones are tried again.

        Args:
            url: of the broker.
            stop: ends it.
            tls: for ``mqtts``, see :meth:`gateway.service.link.Link.open`.

        Raises:
            UnavailableError: BROKER_UNREACHABLE, BROKER_TLS, BROKER_REFUSED at the first connection.
            DamagedError: the store turned out to be damaged.
        """
        await self._racing(
            self._ingest.run(),
            self._scheduler.run(),
            self._talk(url, tls),
            self._be_seen(),
            self._until(stop),
        )

    async def _until(self, stop: asyncio.Event) -> None:
        """Wait for the end, and finish what is in hand; a worker leaves its share to the others."""
        await stop.wait()
        with contextlib.suppress(TimeoutError, UnavailableError):
            async with asyncio.timeout(LEAVE_SECONDS):
                if self._link is not None and self.worker != WORKER:
                    await self._link.unsubscribe(self.filters)
                if self._link is not None:
                    await self._ingest.idle.wait()
                    await self._publisher.receipted.wait()

    async def close(self) -> None:
        """Wait for the last transaction; the store itself stays open."""
        if any(self.counts.values()):  # a gateway that never spoke to anyone leaves the store as it was
            with contextlib.suppress(TocsinError):
                await self._in_store(lambda: self._keep(ended=True))
        await asyncio.to_thread(self._committing.shutdown, wait=True)
        await asyncio.to_thread(self._reading.shutdown, wait=True)
        self._desk.close()

    async def report(self, device: str, data: bytes) -> bytes | Refusal:
        """Take one report (HTTP); return the signed answer after its commit, or the refusal.

        Raises:
            UnavailableError: GATEWAY_BUSY; REPORT_RATE when this device sends too many.
        """
        if not self._arrivals.admit(device):
            raise UnavailableError("REPORT_RATE", "This device reports too often.", mend="Try again later.")
        future: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()

        def done(outcome: Outcome) -> None:
            if not future.done():
                future.set_result(outcome)

        if not self._ingest.submit(self.topics.device(device, "report"), device, data, done):
            raise UnavailableError("GATEWAY_BUSY", "Too many reports wait for the store.", mend="Try again.")
        outcome = await future
        return self._answers.receipt(outcome) if isinstance(outcome, Receipt) else outcome

    def last_answer(self, device: str) -> bytes | None:
        """Return the last answer signed for a device, while it is remembered (HTTP)."""
        return self._answers.latest(device)

    async def _racing(self, *work: Coroutine[Any, Any, Any] | asyncio.Future[Any]) -> None:
        """Run together until one ends or fails; then end the others and pass the failure on."""
        tasks = [asyncio.ensure_future(part) for part in work]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _in_store(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._reading, work)

    async def _be_seen(self) -> None:
        """Let others know that this worker is there, once it has spoken to a broker."""
        await self.ready.wait()
        said: tuple[bool, list[str]] | None = None
        at = 0.0
        while True:
            what = self.leads, self.degraded
            if what != said or time.monotonic() - at >= workers.SEEN_SECONDS:
                at = time.monotonic()
                with contextlib.suppress(UnavailableError):  # whoever waits for the store says so
                    await self._in_store(self._keep)
                    said = what
            await asyncio.sleep(ELECT_SECONDS / 2)

    def _keep(self, *, ended: bool = False) -> None:
        """Let ``tocsin status`` see what was counted."""
        with self.store.write() as session:
            workers.keep(
                session,
                self.worker,
                started=self._started,
                now=self._clock(),
                leads=self.leads,
                counts=self.counts,
                degraded=self.degraded,
                ended=ended,
            )

    async def _talk(self, url: str, tls: ssl.SSLContext | None) -> None:
        """Keep a connection; the first must succeed."""
        pause, first = RECONNECT_SECONDS[0], True
        while True:
            try:
                link = await self._open(url, tls)
                if first and not await self._is_named(link):
                    continue
            except UnavailableError as error:
                if first:
                    raise
                self.troubles.met("broker", error.code, f"{error} It is tried again until it is there.")
            else:
                first, pause = False, RECONNECT_SECONDS[0]
                self.links["connected"] += 1
                await self._converse(link)
                self.links["lost"] += 1
                lost = f"The connection to {link.where} is gone; connecting again."
                self.troubles.met("broker", "BROKER_LOST", lost)
            await asyncio.sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311 - jitter, not a secret
            pause = min(pause * 2, RECONNECT_SECONDS[1])

    async def _open(self, url: str, tls: ssl.SSLContext | None) -> Link:
        found: list[Link] = []

        def full() -> None:
            for link in found:  # not from here: paho holds a lock while it hands a message over
                asyncio.get_running_loop().call_soon(link.close)

        link = await Link.open(
            url, self.client_id, lambda m: self._arrivals.take(m, full), tls, self._session_seconds
        )
        found.append(link)
        return link

    async def _is_named(self, link: Link) -> bool:
        """Keep the secret in our names, now that there is a broker; False: another worker kept one before."""
        if self._secret is None:
            return True
        mine = self._secret
        try:
            self._secret = await self._in_store(lambda: broker_secret(self.store, mine))
        except TocsinError:
            link.close()
            raise
        if self._secret != mine:
            link.close()
        return self._secret == mine

    async def _converse(self, link: Link) -> None:
        self._link = link
        try:
            await link.subscribe(self.filters)
            self.troubles.over("broker")
            await self._racing(link.closed.wait(), *self._publisher.work(link))
        except UnavailableError as error:
            log.warning("%s", error)
        finally:
            self._link = None
            self.ready.clear()
            self.online.clear()
            link.close()
