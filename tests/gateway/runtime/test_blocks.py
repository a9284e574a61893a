"""Blocks: fair turns, one window a device, a rate for all, and no payload in memory."""

from __future__ import annotations

import asyncio
import hashlib
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from advisories import limits
from advisories.report import Want, open_block
from advisories.topics import Topics
from gateway.core.rate import BURST_SECONDS, Pace
from gateway.service.blocks import FILES_OPEN, Desk, Payloads

TOPICS = Topics()
BLOCK = limits.BLOCK_BYTES_MAX
IMAGE = bytes(range(256)) * 16 * 20 + b"tail"
DIGEST = hashlib.sha256(IMAGE).digest()


class Clock:
    """Time that passes only where somebody sleeps."""

    def __init__(self) -> None:
        self.now = 100.0
        self.slept: list[float] = []

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


def want(offset: int = 0, blocks: int = 16, digest: bytes = DIGEST) -> Want:
    return Want(nonce=bytes(16), topics=(), blocks=(digest, offset, blocks))


@pytest.fixture
def clock() -> Clock:
    return Clock()


def make(tmp_path: Path, clock: Clock, per_second: int = 1 << 30) -> Desk:
    (tmp_path / DIGEST.hex()).write_bytes(IMAGE)
    return Desk(tmp_path, TOPICS, per_second=per_second, clock=lambda: clock.now, sleep=clock.sleep)


async def served(desk: Desk, count: int) -> list[tuple[str, int, bytes]]:
    """The next blocks: device, offset, bytes."""
    found = []
    for _ in range(count):
        topic, payload = await desk.next_block()
        block = open_block(payload)
        assert block.digest == DIGEST
        found.append((topic.split("/")[-2], block.offset, block.data))
    return found


async def idle(desk: Desk) -> bool:
    task = asyncio.ensure_future(desk.next_block())
    for _ in range(5):
        await asyncio.sleep(0)
    task.cancel()
    return not task.done()


async def test_a_window_brings_its_blocks_in_order_and_no_more(tmp_path: Path, clock: Clock) -> None:
    desk = make(tmp_path, clock)
    assert desk.take("a", want(BLOCK, 3), 0)
    blocks = await served(desk, 3)
    assert [offset for _, offset, _ in blocks] == [BLOCK, 2 * BLOCK, 3 * BLOCK]
    assert b"".join(data for _, _, data in blocks) == IMAGE[BLOCK : 4 * BLOCK]
    assert await idle(desk)
    assert desk.counts["blocks"] == 3
    assert desk.counts["block_bytes"] == 3 * BLOCK
    desk.close()


async def test_the_last_block_is_as_short_as_the_payload(tmp_path: Path, clock: Clock) -> None:
    desk = make(tmp_path, clock)
    desk.take("a", want(20 * BLOCK, 16), 0)
    assert await served(desk, 1) == [("a", 20 * BLOCK, b"tail")]
    assert await idle(desk)
    desk.close()


async def test_devices_take_turns(tmp_path: Path, clock: Clock) -> None:
    desk = make(tmp_path, clock)
    for device, blocks in (("greedy", 16), ("b", 2), ("c", 1)):
        desk.take(device, want(0, blocks), 0)
    assert desk.downloading == 3
    order = [device for device, _, _ in await served(desk, 6)]
    assert order == ["greedy", "b", "c", "greedy", "b", "greedy"]
    assert desk.downloading == 1
    desk.close()


async def test_asking_again_takes_the_place_of_what_was_asked_and_not_another_turn(
    tmp_path: Path, clock: Clock
) -> None:
    desk = make(tmp_path, clock)
    desk.take("a", want(0, 16), 0)
    desk.take("b", want(0, 1), 0)
    await served(desk, 1)
    desk.take("a", want(0, 2), 0)  # the block was lost: from there once more
    assert [(d, o) for d, o, _ in await served(desk, 3)] == [("b", 0), ("a", 0), ("a", BLOCK)]
    assert await idle(desk)
    desk.close()


async def test_all_together_are_held_to_the_rate(tmp_path: Path, clock: Clock) -> None:
    per_second = 4 * BLOCK
    desk = make(tmp_path, clock, per_second)
    for device in ("a", "b", "c"):
        desk.take(device, want(0, 16), 0)
    began = clock.now
    await served(desk, 41)
    burst = BURST_SECONDS * per_second / BLOCK
    assert clock.now - began == pytest.approx((40 - burst) * BLOCK / per_second)
    assert desk.counts["blocks_held"] == len(clock.slept) > 0
    desk.close()


async def test_what_nobody_has_is_counted_and_gets_nothing(tmp_path: Path, clock: Clock) -> None:
    desk = make(tmp_path, clock)
    too_big = b"\x07" * 32
    with (tmp_path / too_big.hex()).open("wb") as file:
        file.truncate(limits.IMAGE_BYTES_MAX + 1)
    for asked in (want(digest=bytes(32)), want(len(IMAGE)), want(digest=too_big)):
        assert desk.take("a", asked, 0)
    desk.take("a", want(0, 0), 0)
    assert await idle(desk)
    assert desk.counts["unknown"] == 3
    desk.close()


async def test_a_payload_that_is_cut_off_meanwhile_ends_the_window(tmp_path: Path, clock: Clock) -> None:
    desk = make(tmp_path, clock)
    desk.take("a", want(0, 16), 0)
    await served(desk, 1)
    os.truncate(tmp_path / DIGEST.hex(), BLOCK)
    assert await idle(desk)
    assert desk.downloading == 0
    desk.close()


def files_open() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def test_few_files_are_open_and_none_is_in_memory(tmp_path: Path) -> None:
    payloads = Payloads(tmp_path)
    names = [bytes([number]) * 32 for number in range(FILES_OPEN + 8)]
    for name in names:
        (tmp_path / name.hex()).write_bytes(name * 4)
    before = files_open()
    for _ in range(2):
        for name in names:
            assert payloads.size(name) == 128
            assert payloads.read(name, 120, 50) == name[:8]
    assert files_open() - before == FILES_OPEN
    payloads.close()
    assert files_open() == before


# The pace


def test_a_burst_goes_at_once_and_the_rest_in_its_time() -> None:
    pace = Pace(100.0)
    waits = [pace.wait(0.0, 10.0) for _ in range(6)]
    assert waits == pytest.approx([0, 0, 0, 0.05, 0.15, 0.25])
    assert pace.wait(60.0, 10.0) == 0  # and what was not used is not saved up
    assert [pace.wait(60.0, 10.0) for _ in range(4)] == pytest.approx([0, 0, 0.05, 0.15])


@given(st.lists(st.tuples(st.floats(0, 2), st.floats(1, 500)), max_size=60), st.floats(1, 1_000))
def test_never_more_than_the_rate_and_a_burst(steps: list[tuple[float, float]], rate: float) -> None:
    pace, now, gone = Pace(rate), 0.0, []
    for pause, cost in steps:
        now += pause
        gone.append((now + pace.wait(now, cost), cost))
    for first in range(len(gone)):
        for last in range(first, len(gone)):
            # All but the last, which has only begun.
            sent = sum(cost for _, cost in gone[first:last])
            assert sent <= (gone[last][0] - gone[first][0] + BURST_SECONDS) * rate * (1 + 1e-9) + 1e-6
