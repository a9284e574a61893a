"""Which alerts are due: what stands badly now, held against what was told before. Pure.

An alert is told once for each state of the matter it is about. One that is over may come again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

FORGET_SECONDS: Final = 3_600.0
"""So long must a matter be well before its alert is told again: not each time that it comes and goes."""
REMIND_SECONDS: Final = 7 * 86_400.0
"""What lasts is told again after this."""
_LINE_LETTERS_MAX: Final = 200


class AlertKind(StrEnum):
    """What an alert is about."""

    CLOCK = "clock"
    """A legal deadline comes near or is over."""
    UPDATE = "update"
    """A next update was promised to customers, and is due soon or overdue."""
    GATE = "gate"
    """A rollout stands still because a gate tripped."""
    EXPIRY = "expiry"
    """A root, catalogue, certificate or token ends soon or has ended."""
    WEBHOOK = "webhook"
    """A webhook was disabled."""
    GATEWAY = "gateway"
    """The gateway itself is not well."""


@dataclass(frozen=True, slots=True, order=True)
class Alert:
    """One thing that somebody should see to; no personal data stands in it."""

    kind: AlertKind
    about: str
    """What it is about, such as the name of a rollout."""
    state: str
    """How that stands; another state is another alert."""
    says: str
    """One sentence."""
    todo: str
    """One sentence: what to do."""

    @property
    def key(self) -> str:
        """The same as long as the matter stands as it does."""
        return f"{self.kind}:{self.about}:{self.state}"


@dataclass(frozen=True, slots=True)
class Raised:
    """What is remembered of an alert; times are UTC seconds."""

    told: float
    seen: float
    """When the matter last stood so."""


def due(
    found: Iterable[Alert], raised: Mapping[str, Raised], now: float
) -> tuple[list[Alert], dict[str, Raised]]:
    """Return the alerts to tell now, and what to remember.

    Args:
        found: what stands badly now.
        raised: what was remembered last time, by key.
        now: UTC seconds.
    """
    tell: list[Alert] = []
    kept: dict[str, Raised] = {}
    for alert in sorted(set(found)):
        before = raised.get(alert.key)
        fresh = before is None or now - before.told >= REMIND_SECONDS or before.told > now
        if fresh and alert.key not in kept:
            tell.append(alert)
        kept[alert.key] = Raised(now if before is None or fresh else before.told, now)
    for key, before in raised.items():
        if key not in kept and 0 <= now - before.seen < FORGET_SECONDS:
            kept[key] = before
    return tell, kept


def subject(alert: Alert, *, exercise: bool) -> str:
    """Return the subject of the mail that tells an alert: one line."""
    mark = "[EXERCISE] " if exercise else ""
    return mark + _line(f"Tocsin: {alert.says}")


def text(alert: Alert, *, exercise: bool) -> str:
    """Return the text of the mail that tells an alert."""
    mark = "This is an exercise.\n\n" if exercise else ""
    return (
        f"{mark}{_line(alert.says)}\n\nWhat to do: {_line(alert.todo)}\n\n"
        f"About: {alert.kind} {_line(alert.about)} ({_line(alert.state)})\n"
    )


def _line(words: str) -> str:
    """Return one printable line of at most 200 letters."""
    line = "".join(c if c.isprintable() else " " for c in words)
    return line if len(line) <= _LINE_LETTERS_MAX else line[: _LINE_LETTERS_MAX - 3] + "..."
