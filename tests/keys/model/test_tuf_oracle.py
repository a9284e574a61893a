"""Python-tuf as an oracle: the same scenarios, the same verdicts, and each difference with its reason."""

from __future__ import annotations

import tempfile
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from tests.keys.model.machine import MEMORY
from tests.keys.model.scenarios import APART, SAME, Scenario
from tests.keys.model.story import (
    DAY,
    HOUR,
    KINDS,
    OK,
    ROLES,
    Paper,
    Role,
    Stage,
    Step,
    publish,
    replay,
    rotate,
    say,
    wait,
)  # fmt: skip
from tests.keys.model.visitors import Ours, Tuf


def tell(steps: tuple[Step, ...], folder: Path) -> list[tuple[str, str, bool]]:
    """Play a story; return what each visit came to: ours, python-tuf's, and whether a device would warn."""
    stage = Stage()
    ours, theirs = Ours(stage.root), Tuf(stage.root, folder)
    found = []
    for step in steps:
        if step.verb == "visit":
            verdicts = ours.visit(stage.shelf, stage.now), theirs.visit(stage.shelf, stage.now)
            found.append((*verdicts, ours.warned))
        else:
            stage.do(step)
    return found


def expected(steps: tuple[Step, ...]) -> list[tuple[str, str, bool]]:
    return [(s.args["ours"], s.args["tuf"], s.args["warned"]) for s in steps if s.verb == "visit"]


@pytest.mark.parametrize("scenario", [*SAME, *APART], ids=lambda s: s.name)
def test_both_readers_say_what_the_scenario_says(scenario: Scenario, tmp_path: Path) -> None:
    assert tell(scenario.steps, tmp_path) == expected(scenario.steps)


def test_the_readers_part_only_where_the_design_says_so() -> None:
    assert len(SAME) >= 40
    assert Counter(s.name for s in (*SAME, *APART)).most_common(1)[0][1] == 1
    assert all(ours == tuf for scenario in SAME for ours, tuf, _ in expected(scenario.steps))
    assert all(scenario.why for scenario in APART)


class Life:
    """Random steps on a stage, and what they mean for a comparison."""

    def __init__(self) -> None:
        self.stage = Stage()
        self.named: Counter[str] = Counter()
        """Kind -> the highest version that anything on the shelf has named since its keys were new."""

    def act(self, verb: str, pick: int) -> None:
        """Do what ``verb`` says; ``pick`` chooses among its kinds."""
        stage, kind = self.stage, KINDS[pick % 3]
        last = stage.history[kind][-1].version
        match verb:
            case "publish":
                self._do(publish())
            case "renew":
                self._renew(kind)
            case "forge":
                by = (("x",), stage.roles["root"].keys, stage.roles[KINDS[(pick + 1) % 3]].keys, ("n1",))[
                    pick % 4
                ]
                self._renew(kind, by=by)
            case "fast":
                self._renew(kind, version=last + 1_000)
            case "low" if last > 600:
                self._renew(kind, version=last - 500)
            case "replay":
                self._do(replay(kind, pick % len(stage.history[kind])))
            case "name again":
                self._do(replay(kind, pick % len(stage.history[kind])))
                self._above(kind)
            case "rotate":
                self._rotate(pick)
            case "bad root":
                bad = (
                    {"by": ("r1",)},
                    {"by": ("x", "y")},
                    {"version": stage.root.version + 2},
                    {"version": 1},
                )
                self._do(rotate(slot=stage.root.version + 1, **bad[pick % 4]))
            case "wait":
                self._do(wait((HOUR, DAY, 31 * DAY, 200 * DAY)[pick % 4]))

    def _do(self, step: Step) -> None:
        self.stage.do(step)

    def _renew(self, kind: str, **args: object) -> None:
        self._do(say(kind, **args))
        self._above(kind)

    def _above(self, kind: str) -> None:
        """Whatever names this kind is made anew."""
        for upper in reversed(KINDS[: KINDS.index(kind)]):
            self._do(say(upper))

    def _rotate(self, pick: int) -> None:
        """New keys for the root, or for a kind and all that vouch for it."""
        number = self.stage.root.version + 1
        kinds = (*KINDS, "root")[: pick % 5] if pick % 5 < 4 else ("root",)
        roles = {}
        for kind in kinds:
            size = len(ROLES[kind].keys)
            roles[kind] = Role(ROLES[kind].threshold, tuple(f"{kind}-{number}-{n}" for n in range(size)))
        self._do(rotate(roles=roles, life=HOUR if pick % 7 == 0 else 365 * DAY))
        if set(KINDS) <= set(roles):
            self.named.clear()

    def is_back(self) -> bool:
        """Say whether what is named has gone back: python-tuf goes by what was named, we by what was accepted."""
        paper: Paper | None = self.stage.shelf.papers["timestamp"].names
        back = False
        while paper is not None:
            back |= paper.version < self.named[paper.kind]
            self.named[paper.kind] = max(paper.version, self.named[paper.kind])
            paper = paper.names
        return back


VERBS = (
    "publish",
    "renew",
    "forge",
    "fast",
    "low",
    "replay",
    "name again",
    "rotate",
    "rotate",
    "bad root",
    "wait",
)


@pytest.mark.slow
@settings(max_examples=300, print_blob=True)
@given(st.lists(st.tuples(st.sampled_from(VERBS), st.integers(0, 10_000)), min_size=1, max_size=10))
def test_whatever_happens_both_readers_agree(steps: list[tuple[str, int]]) -> None:
    life = Life()
    with tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as folder:
        ours, theirs = Ours(life.stage.root), Tuf(life.stage.root, Path(folder))
        for verb, pick in [("publish", 0), *steps]:
            life.act(verb, pick)
            verdicts = [reader.visit(life.stage.shelf, life.stage.now) for reader in (ours, theirs)]
            event(f"{verb}: {verdicts}")
            if life.is_back():
                return  # from here on the two remember different things
            assert (verdicts[0] == OK) == (verdicts[1] == OK), verdicts
