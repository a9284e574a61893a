"""Rollouts: groups that open one after another when the one before has proven the patch. Pure.

Only SUCCEEDED and ALREADY_INSTALLED count as success, and only with the measured version: it runs and was
confirmed. What a group and a rollout may become is in ``table``, how a device stands in ``outcome``, what a
person decides in ``plan``, what follows in ``gates``, ``grouping`` and ``schedule``.
"""

from __future__ import annotations

from gateway.core.rollout.gates import Counts, Step, advance, open_next, override, tally
from gateway.core.rollout.grouping import assign
from gateway.core.rollout.outcome import Failure, LeftOut, Outcome
from gateway.core.rollout.plan import DEADLINE_SECONDS_MAX, Group, Plan, by_percent
from gateway.core.rollout.table import (
    GROUP_TABLE,
    OPENED,
    ROLLOUT_TABLE,
    GroupEvent,
    GroupState,
    RolloutEvent,
    RolloutState,
)

__all__ = [
    "DEADLINE_SECONDS_MAX",
    "GROUP_TABLE",
    "OPENED",
    "ROLLOUT_TABLE",
    "Counts",
    "Failure",
    "Group",
    "GroupEvent",
    "GroupState",
    "LeftOut",
    "Outcome",
    "Plan",
    "RolloutEvent",
    "RolloutState",
    "Step",
    "advance",
    "assign",
    "by_percent",
    "open_next",
    "override",
    "tally",
]
