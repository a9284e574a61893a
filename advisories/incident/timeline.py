"""The timeline of an incident for Legal: what happened when, who recorded it and when that was."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from advisories.clocks.running import Issue
from advisories.facts import Facts
from advisories.incident.kinds import Happening, moment
from advisories.incident.model import Incident
from advisories.incident.orders import utc

COLUMNS: Final = ("at", "recorded", "by", "source", "what")
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")
"""A spreadsheet computes a cell that begins so."""


@dataclass(frozen=True, slots=True)
class Line:
    """One thing that happened."""

    at: datetime
    """When it happened, in UTC."""
    recorded: datetime | None
    """When somebody recorded it; None for what follows from a file."""
    by: str
    source: str
    """Kind of the event, or the advisory that says so."""
    what: str


def timeline(
    incident: Incident, *, issues: Iterable[Issue] = (), facts: Iterable[Facts] = ()
) -> tuple[Line, ...]:
    """Return every line, in the order in which things happened.

    Args:
        incident: with its events.
        issues: published revisions of linked advisories.
        facts: of linked advisories, whose own timelines are taken in.
    """
    lines = [
        Line(
            moment(recorded),
            datetime.fromtimestamp(recorded.at, UTC),
            recorded.by,
            recorded.data.kind,
            recorded.data.line() if isinstance(recorded.data, Happening) else recorded.data.kind,
        )
        for recorded in incident.events
    ]
    lines += [
        Line(issue.at, None, "", issue.advisory, f"revision {issue.revision} was published")
        for issue in issues
    ]
    for told in facts:
        lines += [
            Line(item.at.astimezone(UTC), None, "", told.id, f"{item.what} ({item.status.value})")
            for item in told.timeline
        ]
    return tuple(sorted(lines, key=lambda line: line.at))


def as_text(incident: Incident, lines: Iterable[Line], *, exercise: bool) -> str:
    """Return the timeline as plain text, a line each."""
    drill = "EXERCISE. " if exercise else ""
    head = f"{drill}{incident.id}{f', {incident.title}' if incident.title else ''}"
    legend = "When it happened, what, who recorded it and when."
    rows = [f"{utc(line.at)}  {line.what}  [{_by(line)}]" for line in lines]
    return "\n".join([head, legend, "", *rows, ""])


def _by(line: Line) -> str:
    return line.source if line.recorded is None else f"{line.by}, {utc(line.recorded)}"


def as_csv(lines: Iterable[Line]) -> str:
    """Return the timeline as CSV (RFC 4180); a cell that a spreadsheet would compute begins with a quote."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(COLUMNS)
    for line in lines:
        recorded = iso(line.recorded) if line.recorded else ""
        writer.writerow([_cell(text) for text in (iso(line.at), recorded, line.by, line.source, line.what)])
    return out.getvalue()


def _cell(text: str) -> str:
    return f"'{text}" if text.startswith(_FORMULA) else text


def iso(time: datetime) -> str:
    """Write a moment for machines: ``2026-11-20T09:00:00Z``, with fractions only where there are some."""
    return time.astimezone(UTC).isoformat().replace("+00:00", "Z")
