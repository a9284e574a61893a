"""Reports are taken on, whatever becomes of those who open them ahead of their transaction."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import threading
from collections.abc import AsyncIterator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from gateway.core.ingest import Device
from gateway.service.checking import Checker
from gateway.service.committing import DEVICES_MAX, Item
from gateway.service.ingest import Ingest, Outcome, Receipt
from gateway.service.troubles import Troubles
from gateway.store.engine import Store
from tests.gateway.peer import Peer
from tests.gateway.runtime.test_checking import MANY, begin
from tests.gateway.scene import make_store
from tests.helpers import Fleet

NAME = "device-0001"


@pytest.fixture
def store_and_fleet(tmp_path: Path) -> Iterator[tuple[Store, Fleet]]:
    store, fleet = make_store(tmp_path)
    yield store, fleet
    store.close()


class Scene:
    """An intake, a device, and what becomes of its reports."""

    def __init__(self, store: Store, fleet: Fleet, executor: ThreadPoolExecutor) -> None:
        self.troubles = Troubles()
        self.ingest = Ingest(store, fleet.id, executor, self.troubles, clock=lambda: float(fleet.now))
        self.peer = Peer(fleet, NAME)

    async def take(self) -> Outcome:
        """Send a report and wait for what becomes of it."""
        future: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        assert self.ingest.submit("topic", NAME, self.peer.sign(), future.set_result)
        return await future


@pytest.fixture
async def scene(store_and_fleet: tuple[Store, Fleet]) -> AsyncIterator[Scene]:
    with ThreadPoolExecutor(1) as executor:
        yield Scene(*store_and_fleet, executor)


@contextlib.asynccontextmanager
async def running(ingest: Ingest) -> AsyncIterator[asyncio.Task[None]]:
    task = asyncio.create_task(ingest.run())
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_what_fails_on_a_batch_is_said_and_costs_no_report(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fails(batch: Sequence[Item]) -> None:
        message = f"bent, of {len(batch)}"
        raise ValueError(message)

    caplog.set_level(logging.WARNING, "tocsin.gateway")
    async with asyncio.timeout(60), running(scene.ingest):
        with monkeypatch.context() as patch:
            patch.setattr(scene.ingest._committer, "open", fails)
            assert isinstance(await scene.take(), Receipt)
            assert isinstance(await scene.take(), Receipt)
            assert scene.troubles.degraded == ["OPENING_FAILED"]
            said = [record for record in caplog.records if record.exc_info]
            assert len(said) == 1  # once, though it failed twice
            assert "bent, of 1" in caplog.text
        assert isinstance(await scene.take(), Receipt)
        assert scene.troubles.degraded == []
    assert scene.ingest.counts["committed"] == 3
    assert scene.ingest.counts["waiting"] == 0


@pytest.mark.parametrize("half", ["_gather", "_commit"])
async def test_the_end_of_either_half_is_the_end_of_the_intake(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, half: str
) -> None:
    async def ends(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(scene.ingest, half, ends)
    scene.ingest.submit("topic", NAME, scene.peer.sign(), lambda _: None)
    async with asyncio.timeout(60):
        with pytest.raises(ZeroDivisionError):
            await scene.ingest.run()


async def test_an_intake_that_is_cancelled_does_not_wait_for_a_stopped_process(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    checker, asked = Checker(MANY, DEVICES_MAX), threading.Event()
    process = begin(checker)
    os.kill(process.pid, signal.SIGSTOP)
    monkeypatch.setattr(scene.ingest, "_checker", checker)
    monkeypatch.setattr(scene.ingest._committer, "_check", checker.opened)
    ask = checker._asked

    def noting(work: Sequence[tuple[bytes, Device]], fleet: bytes, now: float) -> object:
        asked.set()
        return ask(work, fleet, now)

    monkeypatch.setattr(checker, "_asked", noting)
    monkeypatch.setattr("gateway.service.checking.ANSWER_SECONDS", 100_000.0)
    data = scene.peer.sign()
    async with running(scene.ingest):
        for _ in range(400):
            scene.ingest.submit("topic", NAME, data, lambda _: None)
        assert await asyncio.to_thread(asked.wait, 60)
    assert process.returncode == -signal.SIGKILL
    assert checker._process is None
