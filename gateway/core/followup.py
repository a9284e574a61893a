"""Who has to be told otherwise: why a device did not tell its owner, and what came of telling them. Pure."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from advisories.notice import Notice
from gateway.core.funnel import Told, steps

HOURS: Final = 72
"""After publication within which a device is given time to report: most that are switched on at all do daily,
and a weekend passes. Who is silent then is followed up by letter or call."""


class Why(StrEnum):
    """Why the owner of an affected device was not told by it."""

    UNREACHABLE = "unreachable"
    """It does not run our core: only the inventory knows it."""
    NEVER_REPORTED = "never-reported"
    SILENT = "silent"
    """It has not reported since the advisory was published."""
    REJECTED = "rejected"
    LED_ONLY = "led-only"
    OVER_UNSEEN = "over-unseen"
    """Expired, superseded or withdrawn before anything was shown."""
    NOT_SHOWN = "not-shown"
    """It reports, and has shown nothing: it has no surface, or nobody has looked."""


class Outcome(StrEnum):
    """What came of a follow-up."""

    LETTER = "told-by-letter"
    CALL = "told-by-call"
    RETIRED = "device-retired"
    WRONG_CONTACT = "wrong-contact"
    NO_ANSWER = "not-reachable"


_WHY: Final = {
    "unreachable": Why.UNREACHABLE,
    "silent": Why.NEVER_REPORTED,
    "rejected": Why.REJECTED,
    "led": Why.LED_ONLY,
    "untold": Why.OVER_UNSEEN,
}
_AT_ONCE: Final = frozenset({Why.UNREACHABLE, Why.REJECTED, Why.LED_ONLY, Why.OVER_UNSEEN})
"""Time alone does not mend these."""


def why_untold(notice: Notice, told: Told, *, since: bool) -> Why | None:
    """Return why the owner of a device was not told, or None: they were, or it does not concern them.

    Args:
        notice: the newest published revision.
        told: the device, and where the notice stands on it.
        since: it has reported since that revision was published.
    """
    found = steps(notice, told)
    if "not_told" not in found:
        return None
    for step, why in _WHY.items():
        if step in found:
            return why
    return Why.NOT_SHOWN if since else Why.SILENT


def is_due(why: Why, *, published: float, now: float, hours: int = HOURS) -> bool:
    """Say whether it is time for a letter: at once, or ``hours`` after publication where waiting can help."""
    return why in _AT_ONCE or now >= published + hours * 3_600
