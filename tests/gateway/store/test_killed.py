"""Killed at any statement, or out of room: a backup, a restoration and an upgrade happen wholly or not at all."""

from __future__ import annotations

import os
import resource
import shutil
import signal
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, event

from gateway.store import audit, backup, schema
from gateway.store.engine import Store
from keys.errors import TocsinError, UnavailableError
from tests.gateway.databases import ENGINES, fresh_place, server
from tests.gateway.store.rows import contents, fill
from tests.gateway.store.test_upgrade import released, rows

NOW = 1_800_000_000.0
POINTS = (0.02, 0.5, 0.97)  # shares of the statements of the whole


def in_child(work: Callable[[], None]) -> int:
    """Run work in a process of its own and return the signal that ended it."""
    child = os.fork()
    if child == 0:
        try:
            work()
        finally:
            os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


class Killer:
    """Counts statements, and kills its process at one of them."""

    def __init__(self, at: int) -> None:
        self.at, self.seen = at, 0

    def __call__(self, *_: Any) -> None:
        self.seen += 1
        if self.seen == self.at:
            os.kill(os.getpid(), signal.SIGKILL)


def killed_everywhere(work: Callable[[], None], check: Callable[[], None], undo: Callable[[], None]) -> None:
    """Count the statements of some work, take it back, and do it again, killed at each of the points."""
    counter = Killer(-1)
    event.listen(Engine, "before_cursor_execute", counter)
    work()
    event.remove(Engine, "before_cursor_execute", counter)
    undo()
    for share in POINTS:
        killer = Killer(max(1, int(counter.seen * share)))

        def die(killer: Killer = killer) -> None:
            event.listen(Engine, "before_cursor_execute", killer)
            work()

        assert in_child(die) == -signal.SIGKILL
        check()


@pytest.mark.parametrize("engine", ENGINES)
def test_a_killed_restoration_leaves_an_empty_store_that_can_be_restored_into(
    tmp_path: Path, engine: str
) -> None:
    (tmp_path / "old").mkdir()
    old = Store.open(fresh_place("sqlite", tmp_path / "old"))
    with old.write() as session:
        fill(session)
    backup.write(old, tmp_path / "file", NOW)
    places = []

    def renew() -> None:
        if places and isinstance(places[-1], str):
            server().drop(places[-1])
        for path in tmp_path.glob("store.sqlite*"):
            path.unlink()
        places.append(fresh_place(engine, tmp_path))

    def work() -> None:
        store = Store.open(places[-1])
        backup.restore(store, tmp_path / "file", NOW)
        store.close()

    def check() -> None:
        store = Store.open(places[-1])
        found = contents(store)
        store.close()
        assert {name for name, each in found.items() if each} == {"meta"}

    renew()
    killed_everywhere(work, check, renew)
    work()
    store = Store.open(places[-1])
    assert contents(store)["reports"] == contents(old)["reports"] != []
    store.close()
    old.close()


def test_a_killed_backup_leaves_no_file_of_that_name(tmp_path: Path) -> None:
    store = Store.open(fresh_place("sqlite", tmp_path))
    with store.write() as session:
        fill(session)
    store.close()
    target = tmp_path / "file"

    def work() -> None:
        opened = Store.open(tmp_path / "store.sqlite")
        backup.write(opened, target, NOW)
        opened.close()

    def check() -> None:
        assert not target.exists()

    killed_everywhere(work, check, target.unlink)
    work()
    backup.examine(target)


def test_a_killed_upgrade_leaves_the_older_store_as_it_was(tmp_path: Path) -> None:
    path = released(1, tmp_path)
    before = rows(path)
    spare = tmp_path / "spare"
    shutil.copy(path, spare)

    def undo() -> None:
        for extra in tmp_path.glob("store.sqlite*"):
            extra.unlink()
        shutil.copy(spare, path)

    killed_everywhere(lambda: Store.open(path).close(), lambda: same(before, path), undo)
    Store.open(path).close()
    assert dict(rows(path)["meta"])["schema"] == str(schema.SCHEMA_VERSION)


def same(before: dict[str, Any], path: Path) -> None:
    assert rows(path) == before


def with_room(size: int, work: Callable[[], None]) -> int:
    """Run work in a process whose files cannot grow beyond ``size`` bytes; return its exit status."""

    def limited() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
        try:
            work()
        except UnavailableError:
            os._exit(UnavailableError.exit_status)
        except BaseException:  # noqa: BLE001 - the test reads the status
            os._exit(70)

    return in_child(limited)


def test_without_room_nothing_is_lost_and_nothing_half_written_stays(tmp_path: Path) -> None:
    place = fresh_place("sqlite", tmp_path)
    store = Store.open(place)
    with store.write() as session:
        fill(session)
        audit.append(session, "kind", {}, 1.0)
    before = contents(store)
    store.close()
    target = tmp_path / "file"

    def take() -> None:
        opened = Store.open(place)
        backup.write(opened, target, NOW)

    def write() -> None:
        opened = Store.open(place)
        while True:
            with opened.write() as session:
                session.retain("topic", bytes(100_000))

    def restore() -> None:
        opened = Store.open(tmp_path / "new" / "store.sqlite")
        backup.restore(opened, tmp_path / "whole", NOW)

    assert with_room(20_000, take) == UnavailableError.exit_status
    assert [path.name for path in tmp_path.iterdir() if "file" in path.name] == []
    assert with_room(600_000, write) == UnavailableError.exit_status
    store = Store.open(place)
    assert {**contents(store), "retained": before["retained"]} == before
    backup.write(store, tmp_path / "whole", NOW)
    store.close()
    (tmp_path / "new").mkdir()
    fresh_place("sqlite", tmp_path / "new")
    assert with_room(300_000, restore) == UnavailableError.exit_status
    store = Store.open(tmp_path / "new" / "store.sqlite")
    assert {name for name, each in contents(store).items() if each} == {"meta"}
    store.close()


def test_an_upgrade_without_room_is_done_once_there_is_some(tmp_path: Path) -> None:
    path = released(2, tmp_path)
    before = rows(path)
    size = path.stat().st_size
    assert with_room(size, lambda: Store.open(path).close()) == UnavailableError.exit_status
    assert rows(path) == before
    Store.open(path).close()
    with pytest.raises(TocsinError):
        Store.create(path)
    with sqlite3.connect(path) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    connection.close()
