"""A faulty line: what comes through of the bytes that were put on it, and when."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass
from typing import Any, Final

from advisories.smp import NOTIFIER_GROUP
from hil.wire.damage import DAMAGE, Done, Piece, Pieces
from hil.wire.plan import FaultKind, FaultPlan, Rule
from hil.wire.record import Direction, Shaped
from hil.wire.units import Splitter, Unit

LOG_ENTRIES_MAX: Final = 100_000
_WHOLE_LINE: Final = frozenset({FaultKind.DROP, FaultKind.BAUD, FaultKind.SWALLOW_NEWLINE})
"""Kinds that go on through the later parts of a line of text; the others strike once."""

__all__ = ["LOG_ENTRIES_MAX", "FaultPlan", "Faults"]


class _Way:
    """One direction: no other direction can change what it does."""

    def __init__(self) -> None:
        self.splitter = Splitter()
        self.commands: Counter[str] = Counter()
        self.free = float("-inf")
        self.dead_until = float("-inf")


@dataclass(frozen=True, slots=True)
class _Passing:
    """A unit on its way."""

    direction: Direction
    unit: Unit
    name: str
    """Of its command; empty for text and broken frames."""
    nth: int
    """How many frames of that command this direction has seen."""
    now: float


class Faults:
    """A shaper that does what a plan says; the same seed and the same bytes give the same faults.

    The fate of the n-th frame of a direction depends on the plan, the seed and n, and on nothing else: not
    on the text between frames, on time, or on how the port cut the bytes up.

    It may be called for both directions at once from two threads, but not twice at once for one direction.
    """

    def __init__(self, plan: FaultPlan, seed: int, *, group: int = NOTIFIER_GROUP) -> None:
        """Begin with an undamaged line.

        Args:
            plan: what shall go wrong.
            seed: any whole number.
            group: number of the notifier group in this firmware, for places as ``frame 2 of notifier.put``.
        """
        self.plan = plan
        self.seed = seed
        self.log: list[dict[str, Any]] = []
        """What was done, in the order in which it was done; the first 100,000 deeds, each fit for JSON."""
        self.counts: Counter[str] = Counter()
        """Kind of fault -> how often it struck; ``stalled_bytes`` -> what was sent on a dead line."""
        self._group = group
        self._ways = {
            way: _Way()
            for way in (Direction.TO_BOARD, Direction.FROM_BOARD)
            if any(way in rule.directions for rule in plan.rules)
        }

    def __call__(self, direction: Direction, data: bytes, now: float) -> list[Shaped]:
        """Take the bytes of one read or write; return what comes through, in order.

        Args:
            direction: which way the bytes go.
            data: the bytes; none at all let out what waits for the end of its frame.
            now: seconds of a clock that does not go back.
        """
        way = self._ways.get(direction)
        if way is None:
            return [Shaped(data, now)] if data else []
        through: list[Shaped] = []
        for unit in way.splitter.feed(data):
            through += self._pass(way, direction, unit, now)
        return through

    def _pass(self, way: _Way, direction: Direction, unit: Unit, now: float) -> list[Shaped]:
        if now < way.dead_until:
            self.counts["stalled_bytes"] += len(unit.data)
            return []
        name = unit.header.name(self._group) if unit.header else ""
        way.commands[name] += unit.frame
        passing = _Passing(direction, unit, name, way.commands[name], now)
        pieces: Pieces = (Piece(0.0, unit.data),)
        for number, rule in enumerate(self.plan.rules):
            dice = self._strikes(number, rule, passing)
            done = DAMAGE[rule.kind](pieces, rule.values, dice) if dice and pieces else None
            if done is None:
                continue
            pieces = done.pieces
            if done.dead:
                way.dead_until = now + rule.values["seconds"]
            self._write_down(rule, passing, done)
        at = max(now, way.free)
        through = []
        for piece in pieces:
            at += piece.gap
            through.append(Shaped(piece.data, at))
        way.free = at if pieces else way.free
        return through

    def _strikes(self, number: int, rule: Rule, passing: _Passing) -> random.Random | None:
        """Return the dice of this rule for this unit if the rule strikes it."""
        unit = passing.unit
        if passing.direction not in rule.directions or not (unit.first or rule.kind in _WHOLE_LINE):
            return None
        kind = "frame" if unit.frame else "line"
        word = f"{self.seed} {passing.direction.value} {number} {kind} {unit.number}"
        dice = random.Random(word)  # noqa: S311 - no secret: it must repeat
        for place in rule.places:
            here = passing.nth if place.command else unit.number
            if (place.frame, place.number) == (unit.frame, here) and place.command in {None, passing.name}:
                return dice
        return dice if dice.random() < rule.probability else None

    def _write_down(self, rule: Rule, passing: _Passing, done: Done) -> None:
        self.counts[rule.kind.value] += 1
        if len(self.log) < LOG_ENTRIES_MAX:
            self.log.append(
                {
                    "time": passing.now,
                    "direction": passing.direction.value,
                    "kind": rule.kind.value,
                    "unit": "frame" if passing.unit.frame else "line",
                    "number": passing.unit.number,
                    "command": passing.name,
                    "offset": done.offset,
                    "note": done.note,
                }
            )
