"""A device as the gateway sees it: a real connection that signs reports and waits for receipts."""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import dataclass, field
from typing import Any

from advisories.offer import Answer
from advisories.report import JournalEntry, NoticeStatus, Track, Want, journal_genesis, journal_head
from advisories.states import NoticeState, Surface
from advisories.topics import Topics
from gateway.service.link import Link, Received
from keys.codec import dump
from keys.document import open_document
from keys.reasons import Reason
from tests.helpers import PRODUCT, Fleet, report

TOPICS = Topics()


def entry(index: int, name: str, old: int, new: int, **fields: Any) -> JournalEntry:
    base: dict[str, Any] = {"track": Track.NOTICE, "time": 1_800_000_000 + index, "reason": Reason.OK}
    return JournalEntry(**{**base, "index": index, "name": name, "old": int(old), "new": int(new), **fields})


def status(advisory: str, digest: bytes, state: NoticeState, **fields: Any) -> NoticeStatus:
    base: dict[str, Any] = {
        "revision": 1,
        "time": 1_800_000_100,
        "reason": Reason.OK,
        "surface": Surface.SCREEN if state >= NoticeState.SHOWN else Surface.NONE,
        "language": "en",
    }
    return NoticeStatus(**{**base, "id": advisory, "digest": digest, "state": state, **fields})


def walked(advisory: str, *states: NoticeState, first: int = 0) -> tuple[JournalEntry, ...]:
    """The journal of one advisory's way through these states, from QUEUED."""
    steps = [NoticeState.QUEUED, *states]
    return tuple(
        entry(first + i, advisory, old, new) for i, (old, new) in enumerate(zip(steps, states, strict=False))
    )


@dataclass
class Peer:
    fleet: Fleet
    id: str
    sequence: int = 0
    journal: list[JournalEntry] = field(default_factory=list)
    committed: int = 0
    link: Link | None = None
    answers: asyncio.Queue[Answer] = field(default_factory=asyncio.Queue)
    messages: asyncio.Queue[tuple[str, bytes]] = field(default_factory=asyncio.Queue)

    async def connect(self, url: str) -> Peer:
        self.link = await Link.open(url, self.id, self._arrived)
        await self.link.subscribe([TOPICS.device(self.id, leaf) for leaf in ("answer", "block", "offer")])
        return self

    def _arrived(self, message: Received) -> None:
        message.ack()
        if message.topic == TOPICS.device(self.id, "answer"):
            genuine = open_document(
                message.payload, Answer, self.fleet.root, fleet=self.fleet.id, subject=self.id
            )
            self.answers.put_nowait(genuine.body)
        else:
            self.messages.put_nowait((message.topic, message.payload))

    def sign(self, **fields: Any) -> bytes:
        self.sequence += 1
        head = journal_head(journal_genesis(self.fleet.id, self.id), self.journal)
        body = report(
            self.fleet,
            self.id,
            version=self.sequence,
            product=fields.pop("product", PRODUCT),
            nonce=hashlib.sha256(f"{self.id} {self.sequence}".encode()).digest()[:16],
            journal_count=len(self.journal),
            journal_head=head,
            journal=tuple(self.journal[self.committed :]),
            **fields,
        )
        return self.fleet.report(body)

    async def send(self, data: bytes, leaf: str = "report") -> None:
        assert self.link is not None
        await self.link.publish(TOPICS.device(self.id, leaf), data)

    async def want(self, want: Want) -> None:
        await self.send(dump(want), "want")

    async def receipt(self, order: tuple[int, int]) -> Answer:
        """Wait for an answer that covers ``order``; the limit is only for a hang."""
        async with asyncio.timeout(120):
            while True:
                answer = await self.answers.get()
                if answer.receipt is not None and answer.receipt >= order:
                    self.committed = answer.journal_count
                    return answer

    def close(self) -> None:
        if self.link is not None:
            self.link.close()
