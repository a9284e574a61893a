"""Rules about vulnerabilities: the severity that people are told, beside the score that machines are told."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from cvss import CVSS2, CVSS3
from cvss.exceptions import CVSSError

from advisories.checks.frame import CLOSED, Context, Level, Point, rule
from advisories.facts import Facts
from advisories.notice import Severity

_KINDS: Final = {"v2": CVSS2, "v3": CVSS3}
FAR: Final = 2
"""Steps of severity between the words and the score that need a reason."""


@rule("severity-score", Level.ADVICE, 23)
def severity_score(facts: Facts, _: Context) -> Iterator[Point]:
    """A matter called far less, or far more, grave than its worst score says."""
    worst: float | None = None
    for number, weakness in enumerate(facts.vulnerabilities):
        for place, score in enumerate(weakness.scores):
            for name, kind in _KINDS.items():
                vector = getattr(score, name)
                if vector is None:
                    continue
                try:
                    worst = max(worst or 0.0, float(kind(vector).scores()[0]))
                except CVSSError:
                    yield Point(
                        ("vulnerabilities", number, "scores", place, name),
                        f"'{vector[:60]}' is no vector of CVSS {name}.",
                        "Copy it from a calculator, whole.",
                    )
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
