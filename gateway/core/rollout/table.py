"""What can happen to a rollout and to its groups: two tables, (state, event) -> state. Pure.

No verdict goes back: a group that passed may still fail, one that failed never passes by itself, and nothing
leads out of STOPPED, FINISHED or APPROVAL_DENIED. A group that was RETURNED is RETURNING again when a device
of it comes back from nowhere and runs what was recalled.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum, IntEnum, auto
from typing import Final


class RolloutState(IntEnum):
    """Where a rollout stands; numbers never change."""

    READY = 0
    RUNNING = 1
    PAUSED = 2
    STOPPED = 3
    FINISHED = 4
    WAITING_FOR_APPROVAL = 5
    APPROVAL_DENIED = 6
    SCHEDULED = 7
    """Started by a person; its time has not come."""
    STOPPING = 8
    """Offers that devices have not acted on are being taken back."""
    CREATING = 9
    """Its devices are being written down. Whoever did it was interrupted if it stays so: it is made anew."""


class GroupState(IntEnum):
    """Where one group stands; numbers never change."""

    SCHEDULED = 0
    RUNNING = 1
    FINISHED = 2
    ERROR = 3
    OVERRIDDEN = 4
    """An operator let the rollout go on although its gate said no."""
    SOAKING = 5
    """Enough is proven; it is watched for as long as the plan says before the next group opens."""
    RETURNING = 6
    """Its devices are being brought back to the version that the plan names."""
    RETURNED = 7
    """None of its devices is known to run the patch, or to be on the way to it."""


class RolloutEvent(Enum):
    """What can happen to a rollout."""

    SUBMIT = auto()
    """Its devices are there, and another person has to approve it."""
    MADE = auto()
    """Its devices are there, and nobody has to."""
    APPROVE = auto()
    DENY = auto()
    SCHEDULE = auto()
    START = auto()
    PAUSE = auto()
    """By a person."""
    HOLD = auto()
    """By a gate on success that waits for a person."""
    TRIP = auto()
    """By a gate on failure or silence."""
    RESUME = auto()
    STOP = auto()
    EMPTIED = auto()
    """No offer is left to be taken back."""
    END = auto()


class GroupEvent(Enum):
    """What can happen to a group."""

    OPEN = auto()
    PROVE = auto()
    """Enough is proven, and the soak begins."""
    PASS = auto()
    FAIL = auto()
    OVERRIDE = auto()
    RETURN = auto()
    RETURNED = auto()


_R, _RE, _G, _GE = RolloutState, RolloutEvent, GroupState, GroupEvent

ROLLOUT_TABLE: Final[Mapping[tuple[RolloutState, RolloutEvent], RolloutState]] = {
    (_R.CREATING, _RE.SUBMIT): _R.WAITING_FOR_APPROVAL,
    (_R.CREATING, _RE.MADE): _R.READY,
    (_R.CREATING, _RE.STOP): _R.STOPPING,
    (_R.WAITING_FOR_APPROVAL, _RE.APPROVE): _R.READY,
    (_R.WAITING_FOR_APPROVAL, _RE.DENY): _R.APPROVAL_DENIED,
    (_R.WAITING_FOR_APPROVAL, _RE.STOP): _R.STOPPING,
    (_R.READY, _RE.DENY): _R.APPROVAL_DENIED,
    (_R.READY, _RE.SCHEDULE): _R.SCHEDULED,
    (_R.READY, _RE.START): _R.RUNNING,
    (_R.READY, _RE.STOP): _R.STOPPING,
    (_R.SCHEDULED, _RE.START): _R.RUNNING,
    (_R.SCHEDULED, _RE.STOP): _R.STOPPING,
    (_R.RUNNING, _RE.PAUSE): _R.PAUSED,
    (_R.RUNNING, _RE.HOLD): _R.PAUSED,
    (_R.RUNNING, _RE.TRIP): _R.PAUSED,
    (_R.RUNNING, _RE.STOP): _R.STOPPING,
    (_R.RUNNING, _RE.END): _R.FINISHED,
    (_R.PAUSED, _RE.RESUME): _R.RUNNING,
    (_R.PAUSED, _RE.STOP): _R.STOPPING,
    (_R.PAUSED, _RE.END): _R.FINISHED,
    (_R.STOPPING, _RE.EMPTIED): _R.STOPPED,
}
"""(state, event) -> state; what is not here cannot happen."""

GROUP_TABLE: Final[Mapping[tuple[GroupState, GroupEvent], GroupState]] = {
    (_G.SCHEDULED, _GE.OPEN): _G.RUNNING,
    (_G.RUNNING, _GE.PROVE): _G.SOAKING,
    (_G.RUNNING, _GE.PASS): _G.FINISHED,
    (_G.RUNNING, _GE.FAIL): _G.ERROR,
    (_G.SOAKING, _GE.PASS): _G.FINISHED,
    (_G.SOAKING, _GE.FAIL): _G.ERROR,
    (_G.FINISHED, _GE.FAIL): _G.ERROR,
    (_G.ERROR, _GE.OVERRIDE): _G.OVERRIDDEN,
    (_G.ERROR, _GE.RETURN): _G.RETURNING,
    (_G.RETURNING, _GE.RETURNED): _G.RETURNED,
    (_G.RETURNING, _GE.FAIL): _G.ERROR,
    (_G.RETURNED, _GE.RETURN): _G.RETURNING,
}
"""(state, event) -> state. A group that passed may still fail later: the rollout stops opening more."""

ACTIVE: Final = frozenset({_R.SCHEDULED, _R.RUNNING, _R.STOPPING})
"""What the scheduler tends."""
OVER: Final = frozenset({_R.STOPPED, _R.FINISHED, _R.APPROVAL_DENIED})
OPENED: Final = frozenset({_G.RUNNING, _G.SOAKING, _G.FINISHED, _G.ERROR, _G.OVERRIDDEN})
"""Groups whose devices have, or shall have, an offer."""
SETTLED: Final = frozenset({_G.FINISHED, _G.OVERRIDDEN})
"""Groups behind which the next one may open."""
