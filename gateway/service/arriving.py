"""What comes in: a message is sorted by its topic; a report is acknowledged only after its commit."""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections import Counter
from collections.abc import Callable
from typing import Any, Final

import sqlalchemy as sa

from advisories.report import Want, open_want
from advisories.topics import Topics
from gateway.core.rate import Rates
from gateway.service.answers import Answers
from gateway.service.blocks import Desk
from gateway.service.ingest import Ingest, Outcome, Receipt
from gateway.service.link import Received
from gateway.service.publishing import ANSWER_SECONDS, Publisher
from gateway.service.scheduler import InStore
from gateway.store import schema
from gateway.store.engine import Store
from keys.errors import RefusedError, TocsinError

LEAVES: Final = ("report", "want", "online")

log = logging.getLogger("tocsin.gateway")


class Arrivals:
    """Takes messages of devices.

    Args:
        store: what is committed of them.
        topics: the prefix in use.
        ingest: takes reports.
        answers: signs answers.
        desk: takes wishes for blocks and topics.
        publisher: sends.
        in_store: runs a function in the thread that reads the store.
        rates: how many reports each device may send.
        entropy: random bytes.
    """

    def __init__(  # noqa: PLR0917 - the parts that it joins
        self,
        store: Store,
        topics: Topics,
        ingest: Ingest,
        answers: Answers,
        desk: Desk,
        publisher: Publisher,
        in_store: InStore,
        rates: Rates,
        entropy: Callable[[int], bytes] = os.urandom,
    ) -> None:
        self._store, self._topics, self._ingest = store, topics, ingest
        self._answers, self._desk, self._publisher = answers, desk, publisher
        self._in_store, self._rates, self._entropy = in_store, rates, entropy
        self._head = f"{topics.prefix}/device/"
        self.counts: Counter[str] = Counter()
        """Reports beyond their device's rate."""
        self.online: set[str] = set()
        """Devices that are connected, as far as their will messages came to this worker."""

    def admit(self, device: str) -> bool:
        """Say whether a device may report now; one that may not repeats it later."""
        if self._rates.allow(device, time.monotonic()):
            return True
        self.counts["report_rate"] += 1
        return False

    def take(self, message: Received, full: Callable[[], None]) -> None:
        """Take one message.

        Args:
            message: from a link.
            full: ends that link when there is no more room: the broker keeps what has no PUBACK, and sends it
                again.
        """
        topic = message.topic
        device, _, leaf = topic[len(self._head) :].partition("/")
        if not topic.startswith(self._head) or leaf not in LEAVES:
            message.ack()
        elif leaf == "report":
            if not self.admit(device):
                message.ack()  # without a receipt: the device sends it again
                return

            def done(outcome: Outcome) -> None:
                message.ack()
                if isinstance(outcome, Receipt):
                    self._publisher.committed(outcome)

            if not self._ingest.submit(topic, device, message.payload, done):
                full()
        else:
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
            with self._store.read() as session:
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
            self._publisher.queue(f"{self._head}{device}/answer", answer, expiry=ANSWER_SECONDS)


def _log_failure(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and isinstance(error := task.exception(), TocsinError):
        log.warning("A want stays unanswered: %s", error)
