"""A rollout whose making was interrupted is made anew under its name, by whomever, and says so meanwhile."""

from __future__ import annotations

import io
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from gateway.cli.rollout import print_rollout
from gateway.core.rollout import Outcome, RolloutEvent, RolloutState, by_percent
from gateway.operations.rollouts.views import see
from gateway.store import planning, selecting
from gateway.store.engine import Store
from gateway.store.rolling import change_rollout
from tests.gateway.databases import ENGINES
from tests.gateway.rollout.scenarios.world import DAY, HOUR, PATCHES, World, world
from tests.gateway.rollout.test_deciding import make, refused
from tests.gateway.store.test_killed import in_child

R = RolloutState


@pytest.fixture(params=ENGINES)
def w(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    monkeypatch.setattr(selecting, "PAGE", 7)
    monkeypatch.setattr(planning, "PAGE", 7)
    with world(tmp_path, 60, request.param) as made:
        yield made


def at_page(number: int, act: Callable[[], None]) -> Callable[..., str]:
    """Return what writes pages, and does something before one of them."""
    write, calls = planning._write, []

    def writing(*arguments: Any) -> str:
        calls.append(1)
        if len(calls) == number:
            act()
        return write(*arguments)

    return writing


def killed(w: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make a rollout in a process that is killed at the fourth page."""

    def work() -> None:
        store = Store.open(w.store.where)
        plan = by_percent((100,), deadline=int(w.now) + DAY)
        planning.create_rollout(store, "r", digest=PATCHES[7], plan=plan, now=w.now, by="Ann")

    with monkeypatch.context() as patched:
        dies = at_page(4, lambda: os.kill(os.getpid(), signal.SIGKILL))
        patched.setattr(planning, "_write", dies)
        assert in_child(work) == -signal.SIGKILL
    assert w.state() is R.CREATING


def shown(w: World) -> str:
    out = Console(file=io.StringIO(), width=200)
    with w.store.read() as session:
        print_rollout(see(session, "r"), out)
    return out.file.getvalue()  # type: ignore[attr-defined] # it is the text above


def test_a_making_that_was_killed_begins_anew_with_what_is_asked_for_now(
    w: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    killed(w, monkeypatch)
    lines = [line for line in shown(w).splitlines() if "interrupted" in line]
    assert lines[0].endswith("by Ann. If that was interrupted: make it again under this name, or cancel it.")
    make(w, start=True)
    assert (len(w.members(0)), len(w.members(1)), w.state()) == (30, 30, R.RUNNING)
    assert "interrupted" not in shown(w)
    (made,) = w.rows("rollout.created")
    assert (made["devices"], len(made["plan"]["groups"])) == (60, 2)
    w.run(2 * HOUR)
    assert (w.state(), w.counts()) == (R.FINISHED, {Outcome.PROVEN: 60})
    assert refused(lambda: make(w)) == "ROLLOUT_EXISTS"
    w.check()


def test_a_making_that_was_killed_can_be_cancelled_and_its_name_is_taken_then(
    w: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    killed(w, monkeypatch)
    change_rollout(w.store, "r", RolloutEvent.STOP, w.now)
    assert w.state() is R.STOPPED
    assert refused(lambda: make(w)) == "ROLLOUT_EXISTS"
    w.check()


@pytest.mark.parametrize("transaction", [2, 10])
def test_whoever_was_only_slow_stops_once_somebody_has_begun_anew(
    w: World, monkeypatch: pytest.MonkeyPatch, transaction: int
) -> None:
    """Its pages are no part of what another person makes, even within the same second."""
    write, calls = Store.write, []

    def slow(store: Store) -> Any:
        calls.append(1)
        if len(calls) == transaction:
            plan = by_percent((10, 90), deadline=int(w.now) + DAY)
            planning.create_rollout(store, "r", digest=PATCHES[7], plan=plan, now=w.now, by="Bob")
        return write(store)

    with monkeypatch.context() as patched:
        patched.setattr(Store, "write", slow)
        assert refused(lambda: make(w)) == "ROLLOUT_STATE"
    assert (w.rollout().by, len(w.members(0)), len(w.members(1))) == ("Bob", 6, 54)
    w.check()
