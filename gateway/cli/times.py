"""Moments as people type them."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from advisories.facts.parts import instant

_SPAN = re.compile(r"\+?(\d{1,4})\s*(m|h|d|w)")
_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def moment(text: str, *, now: int) -> datetime:
    """Return the moment that somebody typed.

    Args:
        text: ``2026-11-24T09:00:00Z``, with any zone; or from now on ``90m``, ``24h``, ``2d``, ``1w``.
        now: UTC seconds.

    Raises:
        ValueError: saying what is wrong.
    """
    typed = text.strip()
    span = _SPAN.fullmatch(typed)
    if span:
        wait = timedelta(**{_UNITS[span.group(2)]: int(span.group(1))})
        return datetime.fromtimestamp(now, UTC).replace(second=0) + wait
    found = instant(typed)
    assert isinstance(found, datetime)
    return found


def written(time: datetime) -> str:
    """Return a moment as files and messages write it: UTC, to the second."""
    return f"{time.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
