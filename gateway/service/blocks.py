"""What devices ask for: blocks of payloads, and retained topics once more. Bounded, and fair between devices.

A device has one window of blocks in hand; asking again replaces it, and that is all there is to sending
again what was lost. Windows are served one block a device in turn, so one device cannot starve the
others; all blocks together are held to a rate, so downloads cannot starve notices.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections import Counter, OrderedDict
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from typing import Final

from advisories import limits
from advisories.report import Block, Want
from advisories.topics import Topics
from gateway.core.rate import MQTT_BYTES_PER_SECOND, Pace, Rates
from keys.codec import dump

WANTS_BURST: Final = 100.0  # wants of one device at once
WANTS_PER_SECOND: Final = 200.0  # 200 windows of 64 KiB a second are more than any device writes
TOPIC_SECONDS: Final = 1.0  # a retained topic is repeated at most once in this time, for all who asked
FILES_OPEN: Final = 32  # payloads that are open at a time
WINDOWS_MAX: Final = 20_000  # devices that download at the same time
TOPICS_MAX: Final = 1_000  # topics waiting to be repeated


class Payloads:
    """Payloads by SHA-256: files that are kept open while they are in use, read piece by piece."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._open: OrderedDict[bytes, tuple[int, int]] = OrderedDict()

    def size(self, digest: bytes) -> int | None:
        """Return its bytes; None where there is none, or one too large to come in blocks."""
        found = self._find(digest)
        return found[1] if found is not None else None

    def read(self, digest: bytes, offset: int, count: int) -> bytes:
        """Return up to ``count`` bytes from ``offset``; none where there is nothing."""
        found = self._find(digest)
        if found is None:
            return b""
        try:
            return os.pread(found[0], count, offset)
        except OSError:
            self._forget(digest)
            return b""

    def close(self) -> None:
        """Close every file."""
        for digest in list(self._open):
            self._forget(digest)

    def _find(self, digest: bytes) -> tuple[int, int] | None:
        found = self._open.get(digest)
        if found is not None:
            self._open.move_to_end(digest)
            return found
        try:
            handle = os.open(self._folder / digest.hex(), os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return None
        size = os.fstat(handle).st_size
        if size > limits.IMAGE_BYTES_MAX:
            os.close(handle)
            return None
        self._open[digest] = (handle, size)
        if len(self._open) > FILES_OPEN:
            self._forget(next(iter(self._open)))
        return handle, size

    def _forget(self, digest: bytes) -> None:
        os.close(self._open.pop(digest)[0])


class Desk:
    """Takes wants and hands out, one after another, what is to be published.

    Args:
        artefacts: folder of payloads by hexadecimal SHA-256.
        topics: the prefix in use.
        per_second: bytes of payloads to all devices together.
        clock: seconds of a clock that does not go back.
        sleep: waits for so many seconds.
    """

    def __init__(
        self,
        artefacts: Path,
        topics: Topics,
        *,
        per_second: int = MQTT_BYTES_PER_SECOND,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._payloads, self._topics = Payloads(artefacts), topics
        self._rates = Rates(WANTS_BURST, WANTS_PER_SECOND)
        self._pace = Pace(per_second)
        self._clock, self._sleep = clock, sleep
        self._windows: OrderedDict[str, tuple[bytes, int, int]] = OrderedDict()
        self._asked: dict[str, None] = {}
        self._repeated: OrderedDict[str, float] = OrderedDict()
        self._some = asyncio.Event()
        self.counts: Counter[str] = Counter()
        """Wants, wants refused for their rate, unknown payloads, blocks handed out, their bytes, and how many
        had to wait for the rate."""

    @property
    def downloading(self) -> int:
        """Devices that wait for blocks now."""
        return len(self._windows)

    def close(self) -> None:
        """Close the payloads."""
        self._payloads.close()

    def take(self, device: str, want: Want, now: float) -> bool:
        """Take a want; False when the device asks too often.

        Args:
            device: who wants.
            want: what.
            now: seconds of a clock that does not go back.
        """
        if not self._rates.allow(device, now):
            self.counts["rate"] += 1
            return False
        self.counts["wants"] += 1
        self.ask(f"{self._topics.prefix}/{topic}" for topic in want.topics)
        if want.blocks is not None:
            digest, offset, blocks = want.blocks
            size = self._payloads.size(digest)
            if size is None or offset >= size:
                self.counts["unknown"] += 1
            elif device in self._windows or len(self._windows) < WINDOWS_MAX:
                self._windows[device] = (digest, offset, blocks)
                self._some.set()
        return True

    def ask(self, topics: Iterable[str]) -> None:
        """Have topics repeated; beyond :data:`TOPICS_MAX` waiting ones they are dropped."""
        for topic in topics:
            if len(self._asked) < TOPICS_MAX:
                self._asked[topic] = None

    async def next_block(self) -> tuple[str, bytes]:
        """Wait for the next block, and until it may go; return its topic and payload."""
        while True:
            while not self._windows:
                self._some.clear()
                await self._some.wait()
            device, (digest, offset, blocks) = self._windows.popitem(last=False)
            data = self._payloads.read(digest, offset, limits.BLOCK_BYTES_MAX) if blocks > 0 else b""
            if not data:
                continue
            if blocks > 1 and offset + len(data) < (self._payloads.size(digest) or 0):
                self._windows[device] = (digest, offset + len(data), blocks - 1)
            self.counts["blocks"] += 1
            self.counts["block_bytes"] += len(data)
            pause = self._pace.wait(self._clock(), len(data))
            if pause > 0:
                self.counts["blocks_held"] += 1
                await self._sleep(pause)
            return self._topics.device(device, "block"), dump(Block(digest=digest, offset=offset, data=data))

    def topics_due(self, now: float) -> list[str]:
        """Return topics to be published again now; those repeated a moment ago wait their turn."""
        due = [t for t in self._asked if now - self._repeated.get(t, -TOPIC_SECONDS) >= TOPIC_SECONDS]
        for topic in due:
            del self._asked[topic]
            self._repeated.pop(topic, None)
            self._repeated[topic] = now
        while len(self._repeated) > TOPICS_MAX:
            self._repeated.popitem(last=False)
        return due
