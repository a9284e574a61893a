"""The table of power cuts must be able to fail: faults that only a cut brings to light are each found by a story."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from device_sim.core import effects as do
from device_sim.core import slots
from device_sim.core.install import Installer
from device_sim.core.session import Session
from device_sim.core.state import State
from keys.errors import TocsinError
from tests.device_sim.core.power.acts import Story
from tests.device_sim.core.power.plant import Plant
from tests.device_sim.core.power.table import STORIES
from tests.device_sim.core.power.test_cuts import judge

Real = Callable[..., Any]


def _for_good(_real: Real) -> Real:
    return lambda _active, trial: slots.confirmed(trial)


def _counts_no_boots(real: Real) -> Real:
    def record(self: Session, track: Any, name: str, *args: Any, **kwargs: Any) -> None:
        if name == "boot" and self.state.boot_epoch > 2:
            self.state.boot_epoch -= 1
        real(self, track, name, *args, **kwargs)

    return record


def _forgets(name: str) -> Real:
    def plant(real: Real) -> Real:
        def load(data: bytes, root_1: bytes) -> State:
            found = real(data, root_1)
            setattr(found, name, getattr(State.new(root_1, "nobody"), name))
            return found  # type: ignore[no-any-return] # a State

        return load

    return plant


def _nothing(_real: Real) -> Real:
    return lambda *_args: False


def _confirms_at_boot(real: Real) -> Real:
    def booted(self: Installer) -> bool:
        on_trial = real(self)
        if on_trial:
            self._session.emit(do.SaveBoot(slots.confirmed(self._session.slot)))
        return bool(on_trial)

    return booted


PLANTED: list[tuple[str, str, Any, str, Callable[[Any], Any]]] = [
    ("an image is kept before it was tried", "image never comes to life", slots, "on_trial", _for_good),
    ("an image is kept when it boots", "trial never confirms", Installer, "booted", _confirms_at_boot),
    ("a trial is not taken up", "install", Installer, "_resume", _nothing),
    ("boots are not counted", "install", Session, "record", _counts_no_boots),
    ("the journal begins anew", "install", State, "load", _forgets("journal_count")),
    ("the counter is not kept", "security counter is committed, and a lower one refused", State, "load",
     _forgets("security_counter")),
    ("the envelope is not kept", "download in two windows", State, "load", _forgets("envelope")),
]  # fmt: skip


@pytest.mark.parametrize(
    ("story", "owner", "name", "plant"), [row[1:] for row in PLANTED], ids=[row[0] for row in PLANTED]
)
def test_a_planted_fault_is_found(
    story: str, owner: Any, name: str, plant: Callable[[Any], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    row = next(found for found in STORIES if found.name == story)
    monkeypatch.setattr(owner, name, plant(getattr(owner, name)))
    with pytest.raises((AssertionError, TocsinError)):
        live_through(row)


def live_through(row: Story) -> None:
    w = row.plant()
    w.live()
    judge(row, w)
    for copy in w.copies or []:
        judge(row, Plant.revive(copy), copy)
