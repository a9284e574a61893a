"""Rules about vulnerabilities: the severity that people are told, beside the score that machines are told."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from advisories.checks.frame import CLOSED, Context, Level, Point, rule
from advisories.facts import Facts
from advisories.facts.vocabulary import score
from advisories.notice import Severity

FAR: Final = 2
"""Steps of severity between the words and the score that need a reason."""


@rule("severity-score", Level.ADVICE, 23)
def severity_score(facts: Facts, _: Context) -> Iterator[Point]:
    """A matter called far less, or far more, grave than its worst score says."""
    scores = [
        float(score(vector)["baseScore"])
        for weakness in facts.vulnerabilities
        for known in weakness.scores
        for vector in (known.v2, known.v3)
        if vector is not None
    ]
    worst = max(scores, default=None)
    if worst is None or facts.phase in CLOSED:
        return
    scored = severity_of(worst)
    if abs(scored - facts.severity) >= FAR:
        yield Point(
            ("severity",),
            f"The severity is {facts.severity.name.lower()}, and the worst score is {worst} "
            f"({scored.name.lower()}).",
            "Say in a note why an owner is concerned less or more, or mend one of the two.",
        )


def severity_of(score: float) -> Severity:
    """Return the word for a base score (CVSS v3.1 specification, section 5)."""
    bounds = ((9.0, Severity.CRITICAL), (7.0, Severity.HIGH), (4.0, Severity.MEDIUM), (0.1, Severity.LOW))
    return next((severity for least, severity in bounds if score >= least), Severity.NONE)
