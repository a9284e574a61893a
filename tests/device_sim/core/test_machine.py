"""Lives at random keep to what a device promises; and the hunt itself, which must find what is planted.

A longer hunt: ``TOCSIN_LIVES=5000 TOCSIN_SEED=7 .venv/bin/pytest tests/device_sim/core/test_machine.py -k lives``
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from advisories.report import Agreed
from device_sim.core import carrier, effects, install, session
from device_sim.core.consent import Consents
from device_sim.core.gates import Gates
from device_sim.core.install import Installer
from device_sim.core.notices import Notices
from device_sim.core.offers import Offers
from device_sim.core.patches import Patches
from device_sim.core.reporter import Reporter
from device_sim.core.session import Session
from device_sim.core.survey import Survey
from keys.reasons import Reason
from keys.root import Root
from keys.trusted import TrustedSet
from tests.device_sim.core.life import Life

START = int(os.environ.get("TOCSIN_SEED", "20261122"))
LIVES = int(os.environ.get("TOCSIN_LIVES", "240"))
BATCH = 20
STEPS = 30
"""Of one life."""
MET = {
    "OFFERED", "WAITING_FOR_CONFIRMATION", "DEFERRED", "WAITING_FOR_WINDOW", "DOWNLOADING", "DOWNLOADED", "VERIFIED",
    "INSTALLING", "INSTALLED", "REBOOTING", "TESTING", "SUCCEEDED", "ROLLED_BACK", "DECLINED", "REJECTED", "TIMED_OUT",
    "CANCELED", "ALREADY_INSTALLED", "SUPERSEDED", "DELIVERED", "SHOWN", "ACKNOWLEDGED", "EXPIRED", "WITHDRAWN",
    "NOT_APPLICABLE", "REPLAYED", "EQUIVOCATION", "RESET", "STALE", "THRESHOLD_NOT_MET", "power cut",
}  # fmt: skip
"""What a hunt must have come across, or it has not looked."""


def hunt(lives: int, start: int, *, shrink: bool = True) -> Counter[str]:
    """Run so many lives, in batches of a seed each: one long run comes back to what it knows. Return what was met.

    Raises:
        AssertionError: with the failing steps, and the way back to them, in its notes.
    """
    met: Counter[str] = Counter()
    for start_of_batch in range(start, start + max(1, lives // BATCH)):
        kind = seed(start_of_batch)(type("Life", (Life,), {"steps": 0, "seen": met}))
        config = settings(
            max_examples=BATCH,
            stateful_step_count=STEPS,
            database=None,
            deadline=None,
            phases=[Phase.generate, Phase.shrink] if shrink else [Phase.generate],
            suppress_health_check=list(HealthCheck),  # a step signs and verifies for real
        )
        try:
            run_state_machine_as_test(kind, settings=config)
        except BaseException as error:
            error.add_note(
                f"To see it again: TOCSIN_LIVES={BATCH} TOCSIN_SEED={start_of_batch} .venv/bin/pytest {__file__}"
            )
            raise
    return met


@pytest.mark.slow
def test_lives_at_random_keep_what_a_device_promises() -> None:
    print(f"TOCSIN_LIVES={LIVES} TOCSIN_SEED={START}")
    seen = hunt(LIVES, START)
    assert {name for name in MET if not seen[name]} == set()


Real = Callable[..., Any]


def _asks_nobody(_real: Real) -> Real:
    return lambda _self, _track: Agreed.ALWAYS


def _takes_any_answer(real: Real) -> Real:
    def answer(self: Consents, said: Any, asked: bytes | None) -> Any:
        track = self._book.active
        return real(self, said, self._matter(track).question if track is not None else asked)

    return answer


def _says_always(_real: Real) -> Real:
    return lambda *_args, **_kwargs: None


def _shows_at_once(real: Real) -> Real:
    return lambda self, advisory, revision, _reason: real(self, advisory, revision, Reason.OK)


def _passes(real: Real) -> Real:
    return lambda self, *, ok: real(self, ok=ok or True)


def _fits(_real: Real) -> Real:
    return lambda _self, _bank, _found: True


def _floor_too_early(real: Real) -> Real:
    def installed(self: Installer, track: Any, found: Any) -> None:
        self._session.state.patch_floor = (track.sequence, track.digest)
        real(self, track, found)

    return installed


def _rewrites(real: Real) -> Real:
    def record(self: Session, *args: Any, **kwargs: Any) -> None:
        real(self, *args, **kwargs)
        journal = self.state.journal
        if len(journal) > 3:
            journal[-2] = replace(journal[-2], time=journal[-2].time + 1)

    return record


def _promises(real: Real) -> Real:
    def build(self: Reporter) -> Any:
        promised = [
            t.facts.version for t in self._session.state.patches.values() if t.facts and t.facts.version
        ]
        return replace(real(self), installed=promised[-1]) if promised else real(self)

    return build


def _takes_replays(real: Real) -> Real:
    def raise_floor(self: TrustedSet, genuine: Any, name: str, *rest: Any) -> None:
        self._floors.pop((genuine.body.type, name), None)
        real(self, genuine, name, *rest)

    return raise_floor


def _forgets_to_save(_real: Any) -> Any:
    return (*session._UNSAVED, effects.Publish)


PLANTED: list[tuple[str, Any, str, Callable[[Any], Any], str]] = [
    ("nobody is asked", Consents, "beforehand", _asks_nobody, "did not agree|nobody gave|nobody has|without a word"),
    ("any answer will do", Consents, "answer", _takes_any_answer, "did not agree|nobody gave"),
    ("windows, battery and work are overlooked", Gates, "hold", _says_always, "installs"),
    ("older patches are as good", carrier, "judge_sequence", _says_always, "older|goes back"),
    ("the security counter is forgotten", install, "raise_counter", _says_always, "goes back|older"),
    ("a patch's floor is raised too early", Installer, "install", _floor_too_early, "nobody confirmed"),
    ("shown without a display", Notices, "displayed", _shows_at_once, "nobody could see|never drawn"),
    ("a failed test passes", Installer, "tested", _passes, "self-test failed"),
    ("what was written is not measured", Survey, "_fits", _fits, "not whole|==|!=|hands over"),
    ("reports run ahead of what is stored", session, "_UNSAVED", _forgets_to_save, "."),
    ("the journal is rewritten", Session, "record", _rewrites, "chain|changed"),
    ("a reset forgets no consent", Patches, "reset", _says_always, "did not agree|nobody gave|without a word"),
    ("what was taken back goes on", Offers, "_cancel", _says_always, "taken back"),
    ("the promised version is reported", Reporter, "build", _promises, "."),
    ("the past counts again", TrustedSet, "_raise_floor", _takes_replays, "."),
    ("one signature will do", Root, "missing", lambda _real: lambda *_args: [], "."),
]  # fmt: skip


@pytest.mark.parametrize(
    ("owner", "name", "plant", "says"), [row[1:] for row in PLANTED], ids=[row[0] for row in PLANTED]
)
def test_a_planted_fault_is_found(
    owner: Any, name: str, plant: Callable[[Any], Any], says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(owner, name, plant(getattr(owner, name)))
    with pytest.raises(Exception, match=says) as caught:
        hunt(600, START, shrink=False)
    notes = "\n".join(caught.value.__notes__)
    assert "state = Life()" in notes
    assert "TOCSIN_SEED=" in notes
