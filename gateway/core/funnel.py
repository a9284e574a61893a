"""The funnel: of the devices that an advisory concerns, how many were told, and how fast. Pure.

Counts never shrink as a device goes on: whoever acknowledged was shown, verified and delivered to before.
A device that was shown the notice and then installed the fix stays among the affected.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import ceil

from advisories.notice import Notice
from advisories.report import Track
from advisories.states import NoticeState, PatchState, Surface
from advisories.versions import Version
from gateway.core.tracks import NoticeRow
from keys.reasons import Reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """One registered device and where the advisory stands on it."""

    product: str
    language: str | None
    """None before its first report."""
    installed: Version | None
    """None before its first report."""
    row: NoticeRow | None
    """None while it has not reported this advisory."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Funnel:
    """Devices at each step; every step includes those further on."""

    devices: int = 0
    """Registered and not revoked."""
    silent: int = 0
    """Never reported at all: nobody knows whether they are affected."""
    affected: int = 0
    delivered: int = 0
    verified: int = 0
    shown: int = 0
    """As text; an LED does not count here."""
    led: int = 0
    """On an LED only."""
    acknowledged: int = 0
    confirmed: int = 0
    """Confirmed as current by catalogue and timestamp."""
    not_applicable: int = 0
    """Said that it does not concern them, and were never shown it."""
    rejected: int = 0
    untold: int = 0
    """Over for them (expired, superseded, withdrawn) before anything was shown."""


_OVER = frozenset({NoticeState.EXPIRED, NoticeState.SUPERSEDED, NoticeState.WITHDRAWN})


def fold(notice: Notice, devices: Iterable[Told]) -> dict[tuple[str, str | None], Funnel]:
    """Count the devices of an advisory's products by (product, language).

    Args:
        notice: the newest published revision; rows about another revision count as not yet delivered.
        devices: every registered device of its products.
    """
    counts: dict[tuple[str, str | None], Counter[str]] = {}
    for told in devices:
        counts.setdefault((told.product, told.language), Counter()).update(_steps(notice, told))
    return {key: Funnel(**counter) for key, counter in sorted(counts.items(), key=repr)}


def _steps(notice: Notice, told: Told) -> list[str]:
    row = told.row if told.row is not None and told.row.revision == notice.revision else None
    if row is None:
        if told.installed is None:
            return ["devices", "silent"]
        return ["devices", "affected"] if notice.affects(told.product, told.installed) else ["devices"]
    if row.state is NoticeState.NOT_APPLICABLE and row.shown is None:
        return ["devices", "not_applicable"]
    if row.state is NoticeState.REJECTED:
        return ["devices", "affected", "delivered", "rejected"]
    text = row.surface not in {Surface.LED, Surface.NONE}
    steps = {
        "delivered": row.state not in {NoticeState.QUEUED, NoticeState.SENT},
        "verified": row.verified is not None,
        "shown": row.shown is not None and text,
        "led": row.shown is not None and row.surface is Surface.LED,
        "acknowledged": row.acknowledged is not None,
        "confirmed": row.confirmed is not None,
        "untold": row.shown is None and row.state in _OVER,
    }
    return ["devices", "affected", *(step for step, reached in steps.items() if reached)]


def total(funnels: Iterable[Funnel]) -> Funnel:
    """Add funnels up."""
    counter: Counter[str] = Counter()
    for funnel in funnels:
        for name in Funnel.__slots__:
            counter[name] += getattr(funnel, name)
    return Funnel(**counter)


def refusals(entries: Iterable[tuple[int, int, int, int]]) -> dict[str, int]:
    """Count what devices refused, by reason name.

    Args:
        entries: (track, new state, reason, how many) of journal entries.
    """
    counter: Counter[str] = Counter()
    for track, new, reason, many in entries:
        if track == Track.REFUSAL or (track == Track.NOTICE and new == NoticeState.REJECTED):
            counter[Reason(reason).name] += many
    return dict(sorted(counter.items()))


def patch_counts(states: Mapping[int, int]) -> dict[str, int]:
    """Return state name -> devices, in the order of the states."""
    return {PatchState(state).name: many for state, many in sorted(states.items())}


def percentile(values: Sequence[float], share: float) -> float | None:
    """Return the smallest value that at least ``share`` (0 to 1) of the values do not exceed, or None.

    >>> percentile([3.0, 1.0, 2.0, 4.0], 0.5)
    2.0
    """
    if not values:
        return None
    return sorted(values)[max(0, ceil(share * len(values)) - 1)]
