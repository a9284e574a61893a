"""Drafts of reports to authorities: one engine for every regime, filled from what is known.

A draft never waits for approval of what customers are told: Legal alone signs it
(:mod:`advisories.incident.seal`).
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from advisories.clocks.regimes import Step
from advisories.clocks.running import Clock, State
from advisories.incident.known import Known, lines_of
from advisories.incident.orders import items, utc
from advisories.incident.timeline import iso
from advisories.languages import SOURCE_LANGUAGE, words


@dataclass(frozen=True, slots=True)
class Entry:
    """One item of a report."""

    item: str
    label: str
    asks: str
    lines: tuple[str, ...]
    """What is known; empty: it is missing."""


@dataclass(frozen=True, slots=True)
class Draft:
    """A report as it can be made now."""

    entries: tuple[Entry, ...]
    data: bytes
    """The same as JSON, for a platform's form."""
    text: bytes
    """Markdown, for people: what Legal signs. It names the digest of ``data``."""

    @property
    def missing(self) -> tuple[str, ...]:
        """Items of which nothing is known."""
        return tuple(entry.item for entry in self.entries if not entry.lines)


def draft(known: Known, step: Step, clock: Clock, *, now: datetime, exercise: bool) -> Draft:
    """Make the draft of a report.

    Args:
        known: what it is filled from.
        step: which report of the regime.
        clock: of that step, for its time.
        now: when it is made.
        exercise: mark it as a drill.
    """
    asked = items()
    wanted = [*step.content, *(step.late if clock.state in {State.OVERDUE, State.MET_LATE} else ())]
    entries = tuple(
        Entry(name, asked[name].label, asked[name].asks, tuple(lines_of(name, known))) for name in wanted
    )
    data = _data(known, step, clock, entries, now=now, exercise=exercise)
    return Draft(entries, data, _text(known, step, clock, entries, data, now=now, exercise=exercise))


def _data(
    known: Known, step: Step, clock: Clock, entries: tuple[Entry, ...], *, now: datetime, exercise: bool
) -> bytes:
    body: dict[str, Any] = {
        "incident": known.incident.id,
        "regime": known.regime.id,
        "step": step.id,
        "source": known.regime.source,
        "to": clock.whom,
        "exercise": exercise,
        "made": iso(now),
        "due": iso(clock.due) if clock.due else None,
        "items": [{"item": entry.item, "label": entry.label, "lines": entry.lines} for entry in entries],
        "missing": [entry.item for entry in entries if not entry.lines],
    }
    return (json.dumps(body, ensure_ascii=False, indent=2) + "\n").encode()


def _text(
    known: Known,
    step: Step,
    clock: Clock,
    entries: tuple[Entry, ...],
    data: bytes,
    *,
    now: datetime,
    exercise: bool,
) -> bytes:
    spoken = words(SOURCE_LANGUAGE)
    mark = [f"**{spoken.exercise}: this is a drill. Do not submit it.**", ""] if exercise else []
    lines = [
        f"# {known.regime.name}: {step.name}",
        "",
        *mark,
        f"- Incident: {known.incident.id}",
        f"- To: {clock.whom}",
        f"- Under: {known.regime.source}",
        f"- {_due(clock)}",
        f"- Drafted: {utc(now)}",
        f"- Data file, SHA-256: {hashlib.sha256(data).hexdigest()}",
    ]
    if not known.regime.enabled:
        lines.append(f"- The clock of this regime is off: {known.regime.reason}")
    for entry in entries:
        lines += ["", f"## {entry.label}", ""]
        lines += [f"- {line}" for line in entry.lines] or [f"**Missing:** {entry.asks}."]
    missing = [entry for entry in entries if not entry.lines]
    lines += ["", f"## Still missing: {len(missing)}", ""]
    lines += [f"- {entry.label} (`{entry.item}`): {entry.asks}" for entry in missing] or ["Nothing."]
    return ("\n".join(lines) + "\n").encode()


def _due(clock: Clock) -> str:
    if clock.due is not None:
        return f"Due: {utc(clock.due)}"
    return "Due: no number is named" if clock.started else f"Due: waits for {clock.trigger}"
