"""``tocsin rollout``: a published patch goes out in groups, each behind a gate."""

from __future__ import annotations

from gateway.operations.rollouts import deciding, filters, making, views
from gateway.operations.rollouts.deciding import change
from gateway.operations.rollouts.making import DAY, DEADLINE_DAYS, Rehearsal, start
from gateway.operations.rollouts.views import GroupView, RolloutView, status

__all__ = [
    "DAY",
    "DEADLINE_DAYS",
    "GroupView",
    "Rehearsal",
    "RolloutView",
    "change",
    "deciding",
    "filters",
    "making",
    "start",
    "status",
    "views",
]
