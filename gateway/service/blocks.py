"""What devices ask for: blocks of images, and retained topics once more. Bounded, and fair between devices.

A device has one window of blocks in hand; asking again replaces it. Windows are served one block a
device in turn, so one device cannot starve the others.
"""

from __future__ import annotations

import asyncio
from collections import Counter, OrderedDict
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from advisories import limits
from advisories.report import Block, Want
from advisories.topics import Topics
from gateway.core.rate import Rates
from keys.codec import dump

WANTS_BURST: Final = 100.0  # wants of one device at once
WANTS_PER_SECOND: Final = 200.0  # 200 windows of 64 KiB a second are more than any device writes
TOPIC_SECONDS: Final = 1.0  # a retained topic is repeated at most once in this time, for all who asked
IMAGES_IN_MEMORY: Final = 4
WINDOWS_MAX: Final = 20_000  # devices that download at the same time
TOPICS_MAX: Final = 1_000  # topics waiting to be repeated


class Images:
    """Images by SHA-256, read once and kept while they are in use."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._kept: OrderedDict[bytes, bytes] = OrderedDict()

    def get(self, digest: bytes) -> bytes | None:
        """Return the image, or None when there is none of this digest."""
        data = self._kept.pop(digest, None)
        if data is None:
            try:
                path = self._folder / digest.hex()
                if path.stat().st_size > limits.IMAGE_BYTES_MAX:
                    return None
                data = path.read_bytes()
            except OSError:
                return None
        self._kept[digest] = data
        if len(self._kept) > IMAGES_IN_MEMORY:
            self._kept.popitem(last=False)
        return data


class Desk:
    """Takes wants and hands out, one after another, what is to be published."""

    def __init__(self, artefacts: Path, topics: Topics) -> None:
        self._images, self._topics = Images(artefacts), topics
        self._rates = Rates(WANTS_BURST, WANTS_PER_SECOND)
        self._windows: OrderedDict[str, tuple[bytes, int, int]] = OrderedDict()
        self._asked: dict[str, None] = {}
        self._repeated: OrderedDict[str, float] = OrderedDict()
        self._some = asyncio.Event()
        self.counts: Counter[str] = Counter()
        """Wants, wants refused for their rate, unknown images, blocks handed out."""

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
            image = self._images.get(digest)
            if image is None or offset >= len(image):
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
        """Wait for the next block; return its topic and payload."""
        while True:
            while not self._windows:
                self._some.clear()
                await self._some.wait()
            device, (digest, offset, blocks) = self._windows.popitem(last=False)
            image = self._images.get(digest)
            if image is None or blocks < 1 or offset >= len(image):
                continue
            data = image[offset : offset + limits.BLOCK_BYTES_MAX]
            if blocks > 1 and offset + len(data) < len(image):
                self._windows[device] = (digest, offset + len(data), blocks - 1)
            self.counts["blocks"] += 1
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
