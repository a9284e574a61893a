"""How a rollout goes: groups, gates, rates, windows, retries. One person writes it, another approves it.

Percentages are whole numbers; times are UTC seconds, durations seconds.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from functools import cache
from typing import Any, ClassVar, Final

from pydantic import ConfigDict, TypeAdapter, ValidationError

from gateway.core.rollout.outcome import Failure
from gateway.core.selection import Query, checked
from keys.errors import InputError

GROUPS_MAX: Final = 64
GATES_MAX: Final = 16
WINDOWS_MAX: Final = 16
RATE_MAX: Final = 1_000_000  # offers a minute
TRIES_MAX: Final = 10  # more offers after a failure
PAUSE_SECONDS_MIN: Final = 60  # before a failed device is offered the patch again
DEADLINE_SECONDS_MAX: Final = 366 * 86_400
SPAN_MAX: Final = DEADLINE_SECONDS_MAX  # of any wait; the clock's numbers end somewhere
DAY_MINUTES: Final = 1_440
_HEX: Final = re.compile(r"[0-9a-f]{64}")
_STRICT: Final = ConfigDict(extra="forbid")


class Then(StrEnum):
    """What a gate does."""

    NEXT = "next"
    """Opens the next group."""
    PAUSE = "pause"
    """Makes no further offers until a person says so."""
    STOP = "stop"
    """Ends the rollout, and takes back every offer not acted on."""
    RETURN = "return"
    """Stops, and brings the group's devices to the version that the plan names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Success:
    """The gate that opens the next group."""

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT
    percent: int = 90
    """Proven devices of the group's applicable ones; 0: the group is not waited for."""
    minimum: int = 0
    """So many must be proven; all applicable ones where the group has fewer."""
    soak: int = 0
    """Seconds for which the group is watched on once enough is proven."""
    then: Then = Then.NEXT


@dataclass(frozen=True, slots=True, kw_only=True)
class Trip:
    """A gate on failures: more than ``percent`` of the devices, and at least ``minimum`` of them."""

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT
    percent: int = 20
    minimum: int = 2
    ended: int = 0
    """0: per cent of all applicable devices. Else of those that have ended, once so many have."""
    failures: tuple[Failure, ...] = ()
    """Which failures count; empty: all."""
    then: Then = Then.PAUSE


@dataclass(frozen=True, slots=True, kw_only=True)
class Silence:
    """A gate on devices that say nothing for ``seconds`` after an offer, or stay where they are."""

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT
    percent: int
    seconds: int
    minimum: int = 2
    then: Then = Then.PAUSE


@dataclass(frozen=True, slots=True, kw_only=True)
class Gates:
    """When a group has passed, and when it has failed."""

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT
    success: Success = Success()
    failure: tuple[Trip, ...] = (Trip(),)
    silence: Silence | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """One group: a share of the devices, a number of them, or those that a query finds."""

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT
    percent: int | None = None
    """Of all devices of the rollout that no query of a group takes."""
    count: int | None = None
    where: Query | None = None
    """A device goes to the first group that wants it. All three left out: whoever is left."""
    opens: int = 0
    """Seconds after the start of the rollout before which it does not open."""
    gates: Gates | None = None
    """Of its own; None: the plan's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """At most so many offers in any minute, growing with what is proven."""

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT
    per_minute: int
    grow_percent: int = 100
    """What the rate becomes, in per cent of itself, for every ``every`` proven devices; 100: it stays."""
    every: int = 100
    maximum: int = RATE_MAX


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """A window that comes back: on some days of the week, by the clock on the wall of the plan's zone."""

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT
    start: int
    """Minute of the day."""
    minutes: int
    """How long it is open; it may end on the next day."""
    days: tuple[int, ...] = ()
    """0 is Monday; empty: every day."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Retry:
    """How often a device that failed so is offered the patch again, and after how long."""

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT
    failure: Failure
    times: int
    seconds: int = 3_600
    """Before the first time; twice as long before each further one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How a rollout goes."""

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT
    groups: tuple[Group, ...]
    """In the order in which they open; the first is the canary."""
    gates: Gates = Gates()
    deadline: int
    """An install not begun by then is over, and so is the rollout."""
    starts: int | None = None
    """Not before; None: when a person starts it."""
    where: Query | None = None
    """Which devices of the product; None: all."""
    share: int = 100
    """Per cent of those: the others are not part of the rollout."""
    window: tuple[int, int] | None = None
    """UTC seconds between which devices may install."""
    windows: tuple[Window, ...] = ()
    """Or those that come back: an offer carries the next one, and one that lapsed is made anew."""
    zone: str = "UTC"
    """Of ``windows``: a name such as Europe/Berlin."""
    jitter: int = 0
    """Each device's window begins up to so many seconds later, always the same for one device."""
    rate: Rate | None = None
    retry: tuple[Retry, ...] = ()
    back: str | None = None
    """Patch digest (hex) of the version that groups are returned to; its sequence is higher."""
    ask: bool = False
    """True asks even owners who agreed beforehand."""

    def __post_init__(self) -> None:
        """Refuse a plan that could not be carried out."""
        for wrong, what in _faults(self):
            if wrong:
                raise InputError("ROLLOUT_PLAN", f"The plan cannot work: {what}.", mend="Change the plan.")

    @property
    def returns(self) -> bool:
        """Whether a gate may return a group: then a version must be named."""
        opened = [self.gates, *(group.gates for group in self.groups if group.gates is not None)]
        silent = [gates.silence.then for gates in opened if gates.silence is not None]
        return Then.RETURN in {*silent, *(trip.then for gates in opened for trip in gates.failure)}

    def gates_of(self, group: int) -> Gates:
        """Return the gates that hold for a group."""
        return self.groups[group].gates or self.gates


def _faults(plan: Plan) -> list[tuple[bool, str]]:
    shares = [group.percent for group in plan.groups if group.percent is not None]
    opened = [plan.gates, *(group.gates for group in plan.groups if group.gates is not None)]
    return [
        (not 1 <= len(plan.groups) <= GROUPS_MAX, f"it needs 1 to {GROUPS_MAX} groups"),
        (any(share < 1 for share in shares), "a group has no share"),
        (
            bool(shares) and sum(shares) != 100 and not _leaves_a_rest(plan, shares),
            "the shares of its groups do not add up to 100",
        ),
        (sum(shares) == 100 and _asked(plan.groups[-1]) == 0, "nothing is left for the last group"),
        (any(_asked(group) > 1 for group in plan.groups), "a group is described in two ways"),
        (any(_asked(group) == 0 for group in plan.groups[:-1]), "only the last group may take the rest"),
        (any(group.count is not None and group.count < 1 for group in plan.groups), "a group has no devices"),
        (any(group.opens < 0 for group in plan.groups), "a group opens before the rollout starts"),
        (any(group.opens > SPAN_MAX for group in plan.groups), "a group opens after more than a year"),
        *(fault for gates in opened for fault in _gate_faults(gates)),
        (plan.back is not None and not _HEX.fullmatch(plan.back), "what it returns to is no patch digest"),
        (plan.window is not None and not 0 <= plan.window[0] < plan.window[1], "its window is empty"),
        (bool(plan.window) and bool(plan.windows), "it has one window and also some that come back"),
        (len(plan.windows) > WINDOWS_MAX, f"it has more than {WINDOWS_MAX} windows"),
        (not all(map(_is_window, plan.windows)), "a window is longer than a day, or on no day"),
        (not 1 <= plan.share <= 100, "its share is not between 1 and 100 per cent"),
        (plan.starts is not None and plan.starts < 0, "it starts before all time"),
        (plan.starts is not None and plan.starts >= plan.deadline, "it starts after its deadline"),
        (not 0 <= plan.jitter <= 86_400, "its jitter is not between 0 and 86400 seconds"),
        (plan.rate is not None and not _is_rate(plan.rate), "its rate does not let anything through"),
        (not all(map(_is_retry, plan.retry)), f"a retry is not 1 to {TRIES_MAX} times, a minute apart"),
        (len({retry.failure for retry in plan.retry}) < len(plan.retry), "a failure has two retries"),
    ]


def _leaves_a_rest(plan: Plan, shares: Sequence[int]) -> bool:
    return sum(shares) < 100 and (_asked(plan.groups[-1]) == 0 or plan.groups[-1].count is not None)


def _asked(group: Group) -> int:
    return sum(value is not None for value in (group.percent, group.count, group.where))


def _gate_faults(gates: Gates) -> list[tuple[bool, str]]:
    silence = gates.silence
    return [
        (not 0 <= gates.success.percent <= 100, "success is not between 0 and 100 per cent"),
        (min(gates.success.minimum, gates.success.soak) < 0, "a gate on success has a number below 0"),
        (gates.success.soak > SPAN_MAX, "a group is watched for more than a year"),
        (gates.success.then not in {Then.NEXT, Then.PAUSE}, "success can only go on or pause"),
        (len(gates.failure) > GATES_MAX, f"it has more than {GATES_MAX} gates on failure"),
        (
            any(not 0 <= trip.percent <= 100 for trip in gates.failure),
            "failure is not between 0 and 100 per cent",
        ),
        (any(trip.minimum < 1 for trip in gates.failure), "the least number of failures is below 1"),
        (any(trip.ended < 0 for trip in gates.failure), "a gate on failure has a number below 0"),
        (any(trip.then is Then.NEXT for trip in gates.failure), "failure can only pause, stop or return"),
        (
            silence is not None
            and (
                not 0 <= silence.percent <= 100
                or silence.minimum < 1
                or not 60 <= silence.seconds <= SPAN_MAX
            ),
            "silence needs 0 to 100 per cent, at least one device and 60 seconds to a year",
        ),
        (silence is not None and silence.then is Then.NEXT, "silence can only pause, stop or return"),
    ]


def _is_window(window: Window) -> bool:
    days = set(window.days)
    return (
        0 <= window.start < DAY_MINUTES
        and 1 <= window.minutes <= DAY_MINUTES
        and days <= set(range(7))
        and len(days) == len(window.days)
    )


def _is_rate(rate: Rate) -> bool:
    return (
        1 <= rate.per_minute <= rate.maximum <= RATE_MAX
        and 100 <= rate.grow_percent <= 1_000
        and rate.every >= 1
    )


def _is_retry(retry: Retry) -> bool:
    return 1 <= retry.times <= TRIES_MAX and PAUSE_SECONDS_MIN <= retry.seconds <= 30 * 86_400


def by_percent(
    percents: Sequence[int],
    *,
    success: int = 90,
    failure: int = 20,
    minimum: int = 2,
    deadline: int,
    **others: Any,
) -> Plan:
    """Return the plan of groups by percentages with one gate on success and one on failure."""
    gates = Gates(success=Success(percent=success), failure=(Trip(percent=failure, minimum=minimum),))
    groups = tuple(Group(percent=share) for share in percents)
    return Plan(groups=groups, gates=gates, deadline=deadline, **others)


_FORMER: Final = {
    *("percents", "success_percent", "failure_percent", "failure_minimum", "deadline", "window", "ask")
}
"""What a plan said before its groups had gates."""


@cache
def _reader() -> TypeAdapter[Plan]:
    """Return what reads plans; making it takes a while, and few commands read one."""
    return TypeAdapter(Plan)


def to_data(plan: Plan) -> dict[str, Any]:
    """Return a plan as JSON values; what it leaves out has its default."""
    return asdict(plan)


def _renewed(data: Mapping[str, Any]) -> dict[str, Any]:
    shares, trip = data["percents"], {"percent": data["failure_percent"], "minimum": data["failure_minimum"]}
    return {
        "groups": [{"percent": each} for each in shares] if isinstance(shares, list) else shares,
        "gates": {"success": {"percent": data["success_percent"]}, "failure": [trip]},
        "deadline": data["deadline"],
        "window": data["window"] or None,
        "ask": data["ask"],
    }


def from_data(data: Mapping[str, Any]) -> Plan:
    """Read a plan: JSON values, also those of a store from before groups had gates.

    Raises:
        InputError: ROLLOUT_PLAN, saying where.
    """
    if data.keys() == _FORMER:
        data = _renewed(data)
    try:
        plan = _reader().validate_python(data)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise InputError(
            "ROLLOUT_PLAN", f"The plan cannot be read: {where}: {first['msg']}.", mend="Change the plan."
        ) from None
    for query in (plan.where, *(group.where for group in plan.groups)):
        if query is not None:
            checked(query)
    return plan
