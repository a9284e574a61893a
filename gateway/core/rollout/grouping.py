"""Who goes first: devices in an order that nobody chose, cut into groups. Pure.

Devices are ranked by SHA-256(rollout id, device id): the same arguments always give the same groups, and
another rollout id gives other first devices, so the same owners are not always the first to try.
"""

from __future__ import annotations

import hashlib
from array import array
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Final

from gateway.core.rollout.plan import Plan

_END: Final = 1 << 64


def rank(rollout: str, device: str) -> int:
    """Return a device's place in the order of a rollout: 64 bits."""
    return int.from_bytes(hashlib.sha256(f"{rollout}\0{device}".encode()).digest()[:8])


def assign(rollout: str, devices: Iterable[str], percents: Sequence[int]) -> dict[str, int]:
    """Return device -> group index. Shares are rounded up: the first group is never empty."""
    ranked = sorted(devices, key=lambda device: (rank(rollout, device), device))
    ends = [-(-share * len(ranked) // 100) for share in accumulate(percents)]
    return {device: bisect_right(ends, place) for place, device in enumerate(ranked)}


@dataclass(frozen=True, slots=True)
class Cut:
    """The groups of a plan that take devices by their rank, and the ranks at which each ends."""

    groups: tuple[int, ...]
    ends: tuple[int, ...]

    def group(self, at: int) -> int | None:
        """Return the group of the device with this rank; None: it is in none."""
        place = bisect_right(self.ends, at)
        return self.groups[place] if place < len(self.groups) else None


def cut(plan: Plan, ranks: array[int]) -> Cut:
    """Say where the groups by percentage, by count and of the rest begin and end.

    Args:
        plan: the plan.
        ranks: of every device that no group takes by a query; sorted here, in place of a million ids.
    """
    ordered = sorted(ranks)
    total, place, percent = len(ordered), 0, 0
    groups, ends = [], []
    for index, group in enumerate(plan.groups):
        if group.where is not None:
            continue
        if group.percent is not None:
            percent += group.percent
            place = max(place, -(-percent * total // 100))
        else:
            place = total if group.count is None else place + group.count
        groups.append(index)
        ends.append(ordered[place] if place < total else _END)
    return Cut(tuple(groups), tuple(ends))


def keep(share: int, ranks: array[int]) -> int:
    """Return the rank from which on devices are left out, so that ``share`` per cent remain, rounded up."""
    place = -(-share * len(ranks) // 100)
    return sorted(ranks)[place] if place < len(ranks) else _END
