"""The funnel: of the devices that an advisory concerns, how many were told, and how fast. Pure.

What is folded are cells: how many devices are alike in everything that matters here. Counts never shrink as
a device goes on: whoever acknowledged was shown, verified and delivered to before. A device that was shown
the notice and then installed the fix stays among the affected.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import IntEnum, IntFlag
from math import ceil
from operator import attrgetter
from typing import Final, TypeVar

from advisories.notice import Notice
from advisories.report import Track
from advisories.states import NoticeState, PatchState, Surface
from advisories.versions import Version

K = TypeVar("K")


class Kind(IntEnum):
    """How well a device is known."""

    REPORTS = 0
    NEVER_REPORTED = 1
    """Registered, and silent so far; its version is what the inventory says, if anything."""
    UNREACHABLE = 2
    """In the inventory only: it does not run our core, so its owner can be told by letter or call only."""


class Reached(IntFlag):
    """What a device has been through with an advisory, whatever its state is now."""

    VERIFIED = 1
    SHOWN = 2
    ACKNOWLEDGED = 4
    CONFIRMED = 8
    """Confirmed as current by catalogue and timestamp."""
    PATCHED = 16
    """Runs a patch that the newest revision names, measured and confirmed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stands:
    """Where an advisory's newest revision stands on devices that reported it."""

    state: NoticeState
    surface: Surface
    reached: Reached


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """Devices that are alike, and where the advisory stands on them."""

    product: str
    installed: Version | None
    """As reported, or else as the inventory says; None: nobody knows."""
    kind: Kind = Kind.REPORTS
    stands: Stands | None = None
    """None while they have not reported this revision."""
    patched: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Funnel:
    """Devices at each step; every step includes those further on."""

    devices: int = 0
    """Registered and not revoked, or known from the inventory only."""
    affected: int = 0
    """By what they reported, or else by the version that the inventory names."""
    possible: int = 0
    """Possibly affected: never reported, and the inventory names no version."""
    sent: int = 0
    """Affected, and registered: the notice lies ready for them at the broker."""
    delivered: int = 0
    verified: int = 0
    shown: int = 0
    """As text; an LED does not count here."""
    screen: int = 0
    """Of those shown: on the device's own screen; console and companion likewise."""
    console: int = 0
    companion: int = 0
    acknowledged: int = 0
    confirmed: int = 0
    """Confirmed as current by catalogue and timestamp."""
    patched: int = 0
    """Affected, and run a patch that the notice names, measured and confirmed."""
    patched_before: int = 0
    """Run that patch, and were never affected as far as they knew the notice."""
    not_applicable: int = 0
    """Said that it does not concern them, and were never shown it."""
    not_told: int = 0
    """Affected or possibly affected, and not shown as text; the six below add up to it."""
    unreachable: int = 0
    """Known from the inventory only."""
    silent: int = 0
    """Never reported at all."""
    rejected: int = 0
    led: int = 0
    """On an LED only."""
    untold: int = 0
    """Over for them (expired, superseded, withdrawn) before anything was shown."""
    waiting: int = 0
    """The rest: on its way to the device, or to its owner's eyes."""


_COUNTS: Final = attrgetter(*Funnel.__slots__)
_OVER: Final = frozenset({NoticeState.EXPIRED, NoticeState.SUPERSEDED, NoticeState.WITHDRAWN})
_SURFACES: Final = {Surface.SCREEN: "screen", Surface.CONSOLE: "console", Surface.COMPANION: "companion"}
SHARES: Final = {
    "delivered": "sent",
    "verified": "affected",
    "shown": "affected",
    "screen": "affected",
    "console": "affected",
    "companion": "affected",
    "acknowledged": "affected",
    "confirmed": "affected",
    "patched": "affected",
}
"""Step -> what it is a share of."""


def fold(devices: Iterable[tuple[K, Iterable[str], int]]) -> dict[K, Funnel]:
    """Count devices apart, sorted by what they are told apart by.

    Args:
        devices: what they are told apart by, their :func:`steps`, and how many they are.
    """
    counts: dict[K, dict[str, int]] = {}
    for key, found, many in devices:
        counter = counts.get(key)
        if counter is None:
            counter = counts[key] = {}
        for step in found:
            counter[step] = counter.get(step, 0) + many
    return {key: Funnel(**counts[key]) for key in sorted(counts, key=repr)}


def steps(notice: Notice, told: Told) -> list[str]:
    """Return where devices count: names of fields of :class:`Funnel`."""
    patched = "patched_before" if told.patched else ""
    if told.stands is not None:
        return ["devices", *_reported(told.stands, patched=told.patched)]
    if told.installed is None and told.kind is not Kind.REPORTS:
        sure = "possible"
    elif told.installed is not None and notice.affects(told.product, told.installed):
        sure = "affected"
    else:
        return ["devices", patched] if patched else ["devices"]
    why = {Kind.REPORTS: "waiting", Kind.NEVER_REPORTED: "silent", Kind.UNREACHABLE: "unreachable"}[told.kind]
    found = ["devices", sure, "not_told", why]
    if sure == "affected" and told.kind is not Kind.UNREACHABLE:
        found.append("sent")
    if told.patched:
        found.append("patched" if sure == "affected" else patched)
    return found


def _reported(stands: Stands, *, patched: bool) -> list[str]:
    state, reached = stands.state, stands.reached
    if state is NoticeState.NOT_APPLICABLE and Reached.SHOWN not in reached:
        return ["not_applicable", *(["patched_before"] if patched else [])]
    fixed = ["patched"] if patched else []
    if state is NoticeState.REJECTED:
        return ["affected", "sent", "delivered", "rejected", "not_told", *fixed]
    seen = Reached.SHOWN in reached
    text = seen and stands.surface in _SURFACES
    reaches = {
        "delivered": state not in {NoticeState.QUEUED, NoticeState.SENT},
        "verified": Reached.VERIFIED in reached,
        "shown": text,
        _SURFACES.get(stands.surface, ""): text,
        "acknowledged": Reached.ACKNOWLEDGED in reached,
        "confirmed": Reached.CONFIRMED in reached,
    }
    return ["affected", "sent", *(step for step, is_so in reaches.items() if is_so), *fixed] + (
        [] if text else ["not_told", _why(stands, seen=seen)]
    )


def _why(stands: Stands, *, seen: bool) -> str:
    """Return what keeps an owner from being told."""
    if seen and stands.surface is Surface.LED:
        return "led"
    return "untold" if not seen and stands.state in _OVER else "waiting"


def total(funnels: Iterable[Funnel]) -> Funnel:
    """Add funnels up."""
    columns = zip(*map(_COUNTS, funnels), strict=True)
    return Funnel(**dict(zip(Funnel.__slots__, map(sum, columns), strict=False)))  # none, where there is none


def percents(funnel: Funnel) -> dict[str, float]:
    """Return step -> per cent of what it is a share of, to one decimal; nothing where that is nobody.

    Those who were not told are a share of all who are, or may be, affected.
    """
    concerned = funnel.affected + funnel.possible
    found = {step: percent(getattr(funnel, step), getattr(funnel, whole)) for step, whole in SHARES.items()}
    found["not_told"] = percent(funnel.not_told, concerned)
    return {step: share for step, share in found.items() if share is not None}


def percent(part: int, whole: int) -> float | None:
    """Return a share in per cent, to one decimal and rounded down: 100 means everybody.

    >>> percent(999, 1_000), percent(9_999, 10_000), percent(1, 0)
    (99.9, 99.9, None)
    """
    return part * 1_000 // whole / 10 if whole else None


def is_refusal(track: int, new: int) -> bool:
    """Say whether a journal entry tells that a device refused something."""
    return track == Track.REFUSAL or (track == Track.NOTICE and new == NoticeState.REJECTED)


def patch_counts(states: Mapping[int, int]) -> dict[str, int]:
    """Return state name -> devices, in the order of the states."""
    return {PatchState(state).name: many for state, many in sorted(states.items())}


_MANTISSAS: Final = (*range(100, 200, 2), *range(200, 500, 5), *range(500, 1_001, 10))
"""Upper ends of the buckets of one decade: at most 2.5 % apart."""


def bucket(seconds: float) -> int:
    """Return the bucket of a time from publishing to shown: its upper end, in milliseconds.

    It is at most 2.5 per cent above the time. A time below zero, which only a clock that was set back
    can make, counts as none.

    >>> bucket(2.5), bucket(0.0), bucket(3601.0)
    (2500, 0, 3650000)
    """
    wait = max(0, ceil(seconds * 1_000))
    scale = 1
    while wait > 999 * scale:
        scale *= 10
    if wait < _MANTISSAS[0]:
        return wait
    mantissa: int = _MANTISSAS[bisect_left(_MANTISSAS, ceil(wait / scale))]
    return mantissa * scale


def quantile(waits: Iterable[tuple[int, int]], share: float) -> float | None:
    """Return the seconds that at least ``share`` (0 to 1) of the devices did not exceed, or None.

    Args:
        waits: (bucket, devices).
        share: such as 0.5.

    >>> quantile([(3_000, 1), (1_000, 1), (2_000, 1), (4_000, 1)], 0.5)
    2.0
    """
    ordered = sorted((wait, count) for wait, count in waits if count > 0)
    rank = max(1, ceil(share * sum(count for _, count in ordered)))
    for wait, count in ordered:
        rank -= count
        if rank <= 0:
            return wait / 1_000
    return None
