"""Who leads, and what only a leader does."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import sqlalchemy as sa

from gateway.service import scheduler as scheduling
from gateway.service.chores import Chore
from gateway.service.election import LOCK_FILE, FileLock, Lock, keep_name, leader_lock, name_lock
from gateway.service.scheduler import Scheduler
from gateway.service.troubles import Troubles
from gateway.store import schema, workers
from gateway.store.engine import Store
from keys.errors import InputError, UnavailableError
from tests.gateway.databases import fresh_place, server


def test_one_leads_and_another_after_it_let_go(any_place: Path | str) -> None:
    stores = [Store.open(any_place) for _ in range(2)]
    first, second = (leader_lock(store) for store in stores)
    assert first.hold()
    assert first.hold()  # it still has it
    assert not second.hold()
    first.release()
    assert second.hold()
    assert not first.hold()
    for lock, store in zip((first, second), stores, strict=True):
        lock.release()
        store.close()


def test_names_are_held_beside_each_other(any_place: Path | str) -> None:
    stores = [Store.open(any_place) for _ in range(2)]
    names = ((stores[0], "a"), (stores[1], "a"), (stores[1], "b"))
    locks: list[Lock | None] = [name_lock(store, name) for store, name in names]
    if stores[0].path is not None:
        assert locks == [None] * 3  # a file in the workspace does it, see `tocsin serve`
    else:
        assert [lock.hold() for lock in locks if lock] == [True, False, True]
        locks.append(leader_lock(stores[1]))
        assert locks[-1] is not None
        assert locks[-1].hold()
    for lock in locks:
        if lock is not None:
            lock.release()
    for store in stores:
        store.close()


def test_a_connection_that_is_gone_took_the_lead_with_it(any_place: Path | str) -> None:
    stores = [Store.open(any_place) for _ in range(2)]
    first, second = (leader_lock(store) for store in stores)
    assert first.hold()
    if stores[0].path is not None:  # who removes the file lets another one lead
        (stores[0].path.parent / LOCK_FILE).unlink()
    else:
        cut(stores[1])
    assert second.hold()
    assert not first.hold()
    second.release()
    assert first.hold()
    first.release()
    for store in stores:
        store.close()


def cut(store: Store) -> None:
    """End every connection that holds a lock, as a database that is started anew does."""
    with store.read() as session:
        query = "SELECT pg_terminate_backend(pid, 10000) FROM pg_locks WHERE locktype = 'advisory'"
        session.connection.execute(sa.text(query))


def held(store: Store) -> bool:
    """Whether anybody on a database has a lock such as ours."""
    query = (
        "SELECT count(*) FROM pg_locks JOIN pg_database ON pg_database.oid = database"
        " WHERE locktype = 'advisory' AND datname = current_database()"
    )
    with store.read() as session:
        return bool(session.connection.execute(sa.text(query)).scalar_one())


async def test_a_name_is_taken_again_after_the_database_was_started_anew(tmp_path: Path) -> None:
    place = fresh_place("postgresql", tmp_path)
    stores = [Store.open(place) for _ in range(2)]
    first, second = (name_lock(store, "north") for store in stores)
    assert first is not None
    assert second is not None
    assert first.hold()
    over = asyncio.Event()
    keeping = asyncio.ensure_future(keep_name(first, "north", stores[0].where, over, seconds=0.01))
    cut(stores[1])
    async with asyncio.timeout(20):
        while not held(stores[1]):
            await asyncio.sleep(0.01)
    assert not second.hold()
    assert not keeping.done()
    over.set()
    await keeping
    for lock in (first, second):
        lock.release()
    for store in stores:
        store.close()
    server().drop(str(place))


async def test_whoever_finds_his_name_taken_ends(tmp_path: Path) -> None:
    place = fresh_place("postgresql", tmp_path)
    stores = [Store.open(place) for _ in range(2)]
    first, second = (name_lock(store, "north") for store in stores)
    assert first is not None
    assert second is not None
    assert first.hold()
    cut(stores[1])
    assert second.hold()
    with pytest.raises(UnavailableError) as caught:
        await keep_name(first, "north", stores[0].where, asyncio.Event(), seconds=0.01)
    assert caught.value.code == "RUNNING_ALREADY"
    for lock in (first, second):
        lock.release()
    for store in stores:
        store.close()
    server().drop(str(place))


def test_where_no_lock_can_be_had_nobody_leads(tmp_path: Path) -> None:
    lock = FileLock(tmp_path / "nowhere" / LOCK_FILE)
    assert not lock.hold()
    lock.release()


@dataclass
class Given:
    """A lock that is ours as long as a test says so."""

    ours: bool = True

    def hold(self) -> bool:
        return self.ours

    def release(self) -> None:
        self.ours = False


@dataclass
class Work:
    """A chore that keeps what it did; it ends its rounds with these, then with False."""

    ends: list[bool | Exception] = field(default_factory=list)
    rounds: int = 0
    name: str = "work"
    seconds: float = 0.01

    async def round(self) -> bool:
        self.rounds += 1
        end = self.ends.pop(0) if self.ends else False
        if isinstance(end, Exception):
            raise end
        return end


@dataclass
class Tended:
    times: int = 0
    more: int = 0
    failing: set[str] = field(default_factory=set)

    def tend(self) -> bool:
        self.times += 1
        self.more -= 1
        return self.more > 0


@dataclass
class Scene:
    scheduler: Scheduler
    tended: Tended
    troubles: Troubles
    clock: list[float]

    async def until(self, true: Callable[[], bool]) -> None:
        async with asyncio.timeout(20):
            while not true():
                await asyncio.sleep(0.005)


@asynccontextmanager
async def scheduling_of(store: Store, lock: Lock, *chores: Chore, more: int = 0) -> AsyncIterator[Scene]:
    troubles, tended, clock = Troubles(), Tended(more=more), [1_800_000_000.0]

    async def in_store(work: Callable[[], object]) -> object:
        return await asyncio.to_thread(work)

    scheduler = Scheduler(store, lock, tended, chores, troubles, in_store, lambda: clock[0])
    task = asyncio.ensure_future(scheduler.run())
    try:
        yield Scene(scheduler, tended, troubles, clock)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert not lock.ours if isinstance(lock, Given) else True


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("POLL_SECONDS", "ELECT_SECONDS"):
        monkeypatch.setattr(scheduling, name, 0.01)
    monkeypatch.setattr("gateway.service.chores.PAUSE_SECONDS", 0.01)


@pytest.mark.usefixtures("quick")
async def test_only_who_leads_tends_and_does_chores(tmp_path: Path) -> None:
    store, lock, work = Store.create(tmp_path / "store.sqlite"), Given(ours=False), Work()
    async with scheduling_of(store, lock, work, more=3) as scene:
        await scene.scheduler.known.wait()
        assert not scene.scheduler.leads
        assert (work.rounds, scene.tended.times) == (0, 0)
        lock.ours = True
        await scene.until(lambda: work.rounds > 2 and scene.tended.times >= 3)
        lock.ours = False
        await scene.until(lambda: not scene.scheduler.leads)
        done = work.rounds
        lock.ours = True
        await scene.until(lambda: work.rounds > done)  # it took the lead again
    store.close()


@pytest.mark.usefixtures("quick")
async def test_a_chore_that_fails_is_tried_again_and_said_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    gone = UnavailableError("MAIL_UNREACHABLE", "Nobody takes the mail.", mend="Start the server.")
    store, other = Store.create(tmp_path / "store.sqlite"), Work(name="other")
    ends: list[bool | Exception] = [
        gone,
        gone,
        True,
        InputError("X", "Odd.", mend="Mend it."),
        ZeroDivisionError(),
    ]
    work = Work(ends)
    async with scheduling_of(store, Given(), work, other) as scene:
        await scene.until(lambda: work.rounds >= 7)
        await scene.until(lambda: not scene.troubles.degraded)
        assert scene.troubles.counts == {"degraded_MAIL_UNREACHABLE": 1, "degraded_CHORE_FAILED": 1}
        assert other.rounds > 0
    assert sum("Nobody takes the mail" in record.message for record in caplog.records) == 1
    assert any(record.exc_info for record in caplog.records)
    store.close()


@pytest.mark.usefixtures("quick")
async def test_a_clock_that_is_set_is_noticed_both_ways(tmp_path: Path) -> None:
    store = Store.create(tmp_path / "store.sqlite")
    async with scheduling_of(store, Given()) as scene:
        await scene.until(lambda: scene.tended.times == 1)
        for jump in (86_400.0, -172_800.0):
            before, jumps = scene.tended.times, scene.scheduler.jumps
            scene.clock[0] += jump
            await scene.until(lambda: scene.scheduler.jumps > jumps and scene.tended.times > before)  # noqa: B023 - awaited in this turn
    store.close()


@pytest.mark.usefixtures("quick")
async def test_a_lead_that_cannot_be_made_sure_of_ends_by_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scheduling, "LEAD_SECONDS", 0.0)
    store, work = Store.create(tmp_path / "store.sqlite"), Work()
    async with scheduling_of(store, Given(), work) as scene:
        await scene.scheduler.known.wait()
        assert not scene.scheduler.leads
        assert work.rounds == scene.tended.times == 0
    store.close()


def test_what_workers_say_comes_to_what_is_not_well(any_store: Store) -> None:
    day = workers.FORGOTTEN_SECONDS

    def keep(name: str, now: float, *, leads: bool = False, ended: bool = False, **counts: int) -> None:
        with any_store.write() as session:
            workers.keep(
                session, name, started=1.0, now=now, leads=leads, ended=ended, counts=counts, degraded=["B"]
            )

    def read() -> list[workers.Worker]:
        with any_store.read() as session:
            return workers.workers(session)

    assert workers.degraded(read(), 0.0) == []
    keep("b", 100.0, leads=True, committed=2)
    keep("a", 100.0, committed=3, wants=1)
    assert [worker.name for worker in read()] == ["a", "b"]
    assert workers.served(read()) == {"committed": 5, "wants": 1}
    assert workers.degraded(read(), 101.0) == ["B"]
    keep("b", 110.0, ended=True)
    assert workers.degraded(read(), 111.0) == ["B", workers.NO_LEADER]
    assert workers.degraded(read(), 100.0 + workers.SILENT_SECONDS) == [workers.WORKER_SILENT]
    assert workers.degraded(read(), 100.0 + day) == []
    keep("c", 111.0 + day)  # those gone for long are forgotten
    assert [worker.name for worker in read()] == ["c"]
    with any_store.read() as session:
        counts = session.connection.execute(sa.select(schema.workers.c.counts)).scalar_one()
    assert json.loads(counts) == {"counts": {}, "degraded": ["B"], "ended": False}
