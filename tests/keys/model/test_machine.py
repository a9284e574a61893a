"""Trust at random against the reference model; and the hunt itself, which must find what is planted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from device_sim.home import Home
from keys.document import open_document, peek
from keys.root import Root
from keys.trusted import TrustedSet
from tests.keys.model.hunt import VARIABLE, hunt, start_seed
from tests.keys.model.machine import Trust

STEPS = 10_000
SEEDS = range(start_seed(), start_seed() + 4)
"""What a seed leads to depends on the constants of every module that is loaded (hypothesis takes values from there):
where one hunt does not come across everything, the next one does."""
MET = {
    "root accepted", "root BAD_ROOT", "root BAD_SIGNATURE", "root REPLAYED", "root ROOT_GAP", "root UNKNOWN_KEY",
    "root THRESHOLD_NOT_MET", "root WRONG_FLEET", "root WRONG_TYPE", "statement accepted", "statement BAD_SIGNATURE",
    "statement EQUIVOCATION", "statement EXPIRED", "statement NO_POLICY_ROW", "statement REPLAYED",
    "statement THRESHOLD_NOT_MET", "statement UNKNOWN_KEY", "statement WRONG_FLEET", "statement WRONG_SUBJECT",
    "statement WRONG_TYPE", "floor recovered", "crash, old state", "crash, new state",
}  # fmt: skip
"""What a hunt must have come across, or it has not looked."""


@pytest.mark.slow
def test_ten_thousand_random_steps_agree_with_the_reference() -> None:
    met: set[str] = set()
    for seed_ in SEEDS:
        print(f"{VARIABLE}={seed_}")
        hunt(Trust, seed_=seed_, steps=STEPS)
        assert Trust.steps >= STEPS
        met |= {name for name in MET if Trust.seen[name]}
        if met == MET:
            return
    pytest.fail(f"never met: {MET - met}")


Real = Callable[..., Any]


def _forgets_with_every_root(real: Real) -> Real:
    def update_root(self: TrustedSet, document: bytes, now: int | None) -> Root:
        root: Root = real(self, document, now)
        TrustedSet.__init__(self, self.fleet, self.root_document, self.root)
        return root

    return update_root


def _never_forgets(real: Real) -> Real:
    def update_root(self: TrustedSet, document: bytes, now: int | None) -> Root:
        kept = list(self._floors.values())
        root: Root = real(self, document, now)
        TrustedSet.__init__(self, self.fleet, self.root_document, self.root, kept)
        return root

    return update_root


def _asks_only_the_new_root(real: Real) -> Real:
    def update_root(self: TrustedSet, document: bytes, now: int | None) -> Root:
        body = peek(document, Root)
        if body.version != self.root.version + 1:
            return real(self, document, now)
        open_document(document, Root, body, fleet=self.fleet)
        TrustedSet.__init__(self, self.fleet, document, body, self._floors.values())
        return body

    return update_root


def _jumps_over_a_root(real: Real) -> Real:
    def update_root(self: TrustedSet, document: bytes, now: int | None) -> Root:
        body = peek(document, Root)
        if body.version != self.root.version + 2:
            return real(self, document, now)
        open_document(document, Root, self.root, fleet=self.fleet)
        TrustedSet.__init__(self, self.fleet, document, body, self._floors.values())
        return body

    return update_root


def _skips_the_policy(_real: Real) -> Real:
    return lambda _self, _demands, _signed, _author=None: []


def _counts_a_holder_twice(real: Real) -> Real:
    return lambda self, demands, signed, author=None: real(
        replace(self, exercise=True), demands, signed, author
    )


def _forgets_the_author(real: Real) -> Real:
    return lambda self, demands, signed, _author=None: real(self, demands, signed, None)


def _takes_what_is_over(real: Real) -> Real:
    return lambda self, *args, **kwargs: real(self, *args, **{**kwargs, "expiring": False})


def _ignores_the_subject(real: Real) -> Real:
    def accept(self: TrustedSet, document: bytes, cls: Any, **where: Any) -> Any:
        return real(
            self, document, cls, **{**where, "subject": None, "product": where["product"] or where["subject"]}
        )

    return accept


def _starts_afresh_when_it_is_old(real: Real) -> Real:
    def accept(self: TrustedSet, *args: Any, **where: Any) -> Any:
        kept = [floor for floor in self._floors.values() if floor.name != where["name"]]
        if len(kept) < len(self._floors) - 1:  # several types under one name
            TrustedSet.__init__(self, self.fleet, self.root_document, self.root, kept)
        return real(self, *args, **where)

    return accept


def _writes_in_place(_real: Real) -> Real:
    def save_state(self: Home, state: bytes) -> None:
        import os

        handle = os.open(self.path / "state.cbor", os.O_WRONLY | os.O_TRUNC)
        with os.fdopen(os.dup(handle), "wb") as file:
            file.write(state)
        os.fsync(handle)
        os.close(handle)

    return save_state


PLANTED: list[tuple[str, type[Any], str, Callable[[Real], Real], str]] = [
    ("floors fall with every root", TrustedSet, "update_root", _forgets_with_every_root, ""),
    ("no floor falls with a revoked key", TrustedSet, "update_root", _never_forgets, ""),
    ("the old policy is not asked", TrustedSet, "update_root", _asks_only_the_new_root, ""),
    ("a root is left out", TrustedSet, "update_root", _jumps_over_a_root, "ROOT_GAP"),
    ("any signature will do", Root, "missing", _skips_the_policy, ""),
    ("a holder counts twice", Root, "missing", _counts_a_holder_twice, "THRESHOLD_NOT_MET"),
    ("an author acts for others", Root, "missing", _forgets_the_author, "THRESHOLD_NOT_MET"),
    ("nothing ever expires", TrustedSet, "accept", _takes_what_is_over, "EXPIRED"),
    ("another product's", TrustedSet, "accept", _ignores_the_subject, "WRONG_SUBJECT"),
    ("floors are forgotten", TrustedSet, "accept", _starts_afresh_when_it_is_old, ""),
    ("the state is written in place", Home, "save_state", _writes_in_place, ""),
]


@pytest.mark.parametrize(
    ("owner", "method", "plant", "says"), [row[1:] for row in PLANTED], ids=[row[0] for row in PLANTED]
)
def test_a_planted_fault_is_found_and_its_reproduction_printed(
    owner: type[Any],
    method: str,
    plant: Callable[[Real], Real],
    says: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(owner, method, plant(getattr(owner, method)))
    with pytest.raises(Exception, match=says or None) as caught:
        _hunt_from_every_seed()
    notes = "\n".join(caught.value.__notes__)
    assert "state = Trust()" in notes
    assert "@reproduce_failure" in notes
    assert any(f"{VARIABLE}={seed_}" in notes for seed_ in SEEDS)


def _hunt_from_every_seed() -> None:
    for seed_ in SEEDS:
        hunt(Trust, seed_=seed_, steps=STEPS, shrink=False)
