"""The running gateway: one event loop between the broker and the store.

Everything is in the store before anyone is told, so it may be killed at any moment: the next start
publishes again what has to be retained, and devices repeat what has no receipt.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import random
import ssl
import time
from collections import Counter
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Any, Final, TypeVar

import sqlalchemy as sa

from advisories.catalogue import Timestamp
from advisories.report import Want, open_want
from advisories.topics import Topics
from gateway.core.rate import MQTT_BYTES_PER_SECOND
from gateway.service.answers import Answers
from gateway.service.blocks import Desk
from gateway.service.ingest import Ingest, Outcome, Receipt, Refusal
from gateway.service.link import Link, Received
from gateway.service.offers import Speaker
from gateway.store import schema
from gateway.store.engine import COUNTS, Retained, Store
from keys.errors import InputError, RefusedError, TocsinError, UnavailableError
from keys.root import Root
from keys.signer import Signer
from keys.trusted import TrustedSet

POLL_SECONDS: Final = 0.2  # how soon the work of another process is noticed
COUNTS_SECONDS: Final = 30.0  # how often what was counted is kept
TEND_SECONDS: Final = 30.0  # how often deadlines and lifetimes are looked at when nothing changes
REASSERT_SECONDS: Final = 300.0  # a timestamp that somebody overwrote at the broker is back after that
RECONNECT_SECONDS: Final = (0.2, 10.0)  # first and longest pause
OUTBOX_MAX: Final = 10_000  # answers waiting to be sent; a device repeats what gets none
_SENDERS: Final = 64
_BLOCK_SENDERS: Final = 32

log = logging.getLogger("tocsin.gateway")
T = TypeVar("T")


class Gateway:
    """Publishes what is retained, takes reports in, answers them, serves wants, moves rollouts on.

    Args:
        store: everything that was published and reported.
        artefacts: folder of images by hexadecimal SHA-256.
        topics: the prefix in use.
        fleet: digest of root 1.
        root: the newest root; only to see that ``signer`` may act for the gateway.
        signer: the gateway's key.
        share: several gateways share the reports by ``$share`` filters. Off unless asked for: iotcore's
            router ends for good when a client with shared filters leaves with messages in hand.
        payload_rate: bytes of payloads a second that all devices together are sent over MQTT.
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
        share: bool = False,
        payload_rate: int = MQTT_BYTES_PER_SECOND,
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
        self.store, self.topics = store, topics
        self._share, self._clock, self._entropy = share, clock, entropy
        self._executor = ThreadPoolExecutor(1, "store")
        self._ingest = Ingest(store, fleet, self._executor, clock=clock, entropy=entropy)
        self._answers = Answers(fleet, signer, clock)
        self._speaker = Speaker(store, topics, fleet, signer, clock)
        self._desk = Desk(artefacts, topics, per_second=payload_rate)
        self._outbox: asyncio.Queue[tuple[str, bytes, bool, int | None]] = asyncio.Queue(OUTBOX_MAX)
        self._changed = asyncio.Event()
        self._link: Link | None = None
        self._client_id = f"tocsin-gateway-{signer.public.thumbprint.hex()[:16]}"
        self.online: set[str] = set()
        """Devices that are connected, as far as their will messages tell."""
        self.ready = asyncio.Event()
        """Set once subscribed and with everything retained at the broker; cleared with the connection."""
        self.links: Counter[str] = Counter()
        """Connections made and lost."""

    @property
    def counts(self) -> dict[str, int]:
        """What was counted since the start: reports, wants, blocks, connections; and who downloads now."""
        now = {"downloading": self._desk.downloading}
        return {**self._ingest.counts, **self._desk.counts, **self.links, **now}

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
        await self._racing(self._ingest.run(), self._tend(), self._talk(url, tls), stop.wait())

    async def close(self) -> None:
        """Wait for the last transaction; the store itself stays open."""
        if any(self.counts.values()):  # a gateway that never spoke to anyone leaves the store as it was
            with contextlib.suppress(TocsinError):
                await self._in_store(self._keep_counts)
        await asyncio.to_thread(self._executor.shutdown, wait=True)
        self._desk.close()

    async def report(self, device: str, data: bytes) -> bytes | Refusal:
        """Take one report (HTTP); return the signed answer after its commit, or the refusal.

        Raises:
            UnavailableError: GATEWAY_BUSY.
        """
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

    async def _racing(self, *work: Coroutine[Any, Any, Any]) -> None:
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
        return await asyncio.get_running_loop().run_in_executor(self._executor, work)

    async def _tend(self) -> None:
        """Notice what other processes wrote and what time brings; sign what is due."""
        seen, looked, kept, more = -1, -TEND_SECONDS, time.monotonic(), False
        while True:
            try:
                version = await self._in_store(self.store.data_version)
                now = time.monotonic()
                if more or version != seen or now - looked >= TEND_SECONDS:
                    more = await self._in_store(self._speaker.tend)
                    seen, looked = version, now
                    self._changed.set()
                if now - kept >= COUNTS_SECONDS:
                    kept = now
                    await self._in_store(self._keep_counts)
            except UnavailableError as error:
                log.warning("The store is not to be had for now: %s", error)
            await asyncio.sleep(0 if more else POLL_SECONDS)

    def _keep_counts(self) -> None:
        """Let ``tocsin status`` see what was counted."""
        with self.store.write() as session:
            session.set_meta(COUNTS, json.dumps(self.counts, sort_keys=True))

    async def _talk(self, url: str, tls: ssl.SSLContext | None) -> None:
        """Keep a connection; the first must succeed."""
        pause, first = RECONNECT_SECONDS[0], True
        while True:
            try:
                link = await Link.open(url, self._client_id, self._arrived, tls)
            except UnavailableError as error:
                if first:
                    raise
                log.warning("%s Trying again in %.1f s.", error, pause)
            else:
                first, pause = False, RECONNECT_SECONDS[0]
                self.links["connected"] += 1
                await self._converse(link)
                self.links["lost"] += 1
                log.warning("The connection to %s is gone; connecting again.", link.where)
            await asyncio.sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311 - jitter, not a secret
            pause = min(pause * 2, RECONNECT_SECONDS[1])

    async def _converse(self, link: Link) -> None:
        self._link = link
        filters = [
            self.topics.shared(leaf) if self._share else self.topics.device("+", leaf)
            for leaf in ("report", "want", "online")
        ]
        try:
            await link.subscribe(filters)
            await self._racing(
                link.closed.wait(),
                self._pump(link),
                self._repeat(),
                *(self._send(link) for _ in range(_SENDERS)),
                *(self._send_blocks(link) for _ in range(_BLOCK_SENDERS)),
            )
        except UnavailableError as error:
            log.warning("%s", error)
        finally:
            self.ready.clear()
            self.online.clear()
            link.close()

    async def _pump(self, link: Link) -> None:
        """Publish what is retained in its order, all of it again on a new connection, then what comes."""
        revision = 0
        while True:
            self._changed.clear()
            rows = await self._retained_after(revision)
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
            await self._changed.wait()

    async def _retained_after(self, revision: int) -> list[Retained]:
        def read() -> list[Retained]:
            with self.store.read() as session:
                return session.retained_after(revision)

        try:
            return await self._in_store(read)
        except UnavailableError as error:
            log.warning("The store is not to be had for now: %s", error)
            return []

    def _is_offer(self, row: Retained) -> bool:
        return (self.topics.split(row.topic) or ("",))[0] == "device"

    async def _publish(self, link: Link, row: Retained) -> None:
        left = None if row.expires is None else row.expires - int(self._clock())
        if left is not None and left <= 0:
            return  # the broker forgets it by itself
        await link.publish(row.topic, row.payload, retain=True, expiry=left if row.payload else None)

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
                self._desk.ask(await self._in_store(self._timestamps))
            for topic in self._desk.topics_due(time.monotonic()):
                row = await self._in_store(partial(self._read_retained, topic))
                if row is not None and row.payload:
                    left = None if row.expires is None else row.expires - int(self._clock())
                    if left is None or left > 0:
                        self._queue(row.topic, row.payload, retain=True, expiry=left)

    def _timestamps(self) -> list[str]:
        with self.store.read() as session:
            return [self.topics.timestamp(name) for name in session.document_names(Timestamp.TYPE)]

    def _read_retained(self, topic: str) -> Retained | None:
        with self.store.read() as session:
            return session.retained(topic)

    async def _send(self, link: Link) -> None:
        while True:
            topic, payload, retain, expiry = await self._outbox.get()
            await link.publish(topic, payload, retain=retain, expiry=expiry)

    async def _send_blocks(self, link: Link) -> None:
        while True:
            topic, payload = await self._desk.next_block()
            await link.publish(topic, payload, expiry=30)

    def _queue(self, topic: str, payload: bytes, *, retain: bool = False, expiry: int | None = None) -> None:
        try:
            self._outbox.put_nowait((topic, payload, retain, expiry))
        except asyncio.QueueFull:
            self.links["unsent"] += 1

    def _arrived(self, message: Received) -> None:
        """Sort a message by its topic; a report is acknowledged only after its commit."""
        levels = self.topics.split(message.topic) or ()
        if len(levels) != 3 or levels[0] != "device":
            message.ack()
            return
        _, device, leaf = levels
        if leaf == "report":

            def done(outcome: Outcome) -> None:
                message.ack()
                if isinstance(outcome, Receipt):
                    topic = self.topics.device(device, "answer")
                    self._queue(topic, self._answers.receipt(outcome), expiry=600)

            taken = self._ingest.submit(message.topic, device, message.payload, done)
            if not taken and self._link is not None:
                self._link.close()  # the broker keeps what has no PUBACK, and sends it again
            return
        message.ack()
        if leaf == "want":
            self._wanted(device, message.payload)
        elif message.payload == b"1":
            self.online.add(device)
        else:
            self.online.discard(device)

    def _wanted(self, device: str, payload: bytes) -> None:
        try:
            want = open_want(payload)
        except RefusedError:
            self._desk.counts["malformed"] += 1
            return
        if self._desk.take(device, want, time.monotonic()) and want.blocks is None:
            task = asyncio.ensure_future(self._answer_want(device, want))
            task.add_done_callback(_log_failure)

    async def _answer_want(self, device: str, want: Want) -> None:
        """Answer with the signed time and what is committed; an unknown device gets nothing signed."""

        def read() -> tuple[bool, Any]:
            d, s = schema.devices, schema.device_states
            with self.store.read() as session:
                known = session.connection.execute(sa.select(d.c.revoked).where(d.c.id == device)).scalar()
                row = session.connection.execute(
                    sa.select(s.c.epoch, s.c.sequence, s.c.journal_count, s.c.next_nonce).where(
                        s.c.device == device
                    )
                ).first()
            return known is False, row

        known, row = await self._in_store(read)
        if known:
            receipt, count, nonce = (None, 0, self._entropy(16))
            if row is not None:
                receipt, count, nonce = (row[0], row[1]), row[2], row[3]
            answer = self._answers.say(
                device, want.nonce, receipt=receipt, journal_count=count, next_nonce=nonce
            )
            self._queue(self.topics.device(device, "answer"), answer, expiry=600)


def _log_failure(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and isinstance(error := task.exception(), TocsinError):
        log.warning("A want stays unanswered: %s", error)
