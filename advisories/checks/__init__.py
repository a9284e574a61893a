"""Every check of an advisory before it may be approved.

A finding that blocks keeps an advisory from being approved; advice leaves it to people. The rules stand in
the modules of this room by what they look at; :mod:`advisories.checks.frame` says what a rule is.
"""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet

from advisories.checks import (  # noqa: F401 - importing them registers their rules
    audiences,
    honesty,
    outputs,
    scores,
    screens,
    structure,
    tone,
    translations,
    words,
)
from advisories.checks.frame import RULES, Context, Finding, Level
from advisories.facts import Facts
from advisories.glossaries import load_terms
from advisories.story import Setting

__all__ = ["RULES", "Context", "Finding", "Level", "blocking", "check", "load_terms"]


def check(
    facts: Facts,
    *,
    languages: Mapping[str, AbstractSet[str]],
    setting: Setting | None = None,
    previous: Facts | None = None,
    now: int | None = None,
    terms: Mapping[str, Mapping[str, str]] | None = None,
) -> list[Finding]:
    """Apply every rule.

    Args:
        facts: as written.
        languages: product -> languages in which its devices want to be told.
        setting: who speaks, which products there are, which revisions came before; None: not known, and
            the rules about them say nothing.
        previous: facts of the newest published revision.
        now: UTC seconds; None: the rules about time say nothing.
        terms: a fleet's own glossary, as :func:`load_terms` returns it.

    Returns:
        Findings in the order of the file's lines; empty when there is nothing to mend.
    """
    context = Context(facts, languages, setting, previous, now, terms or {})
    found = [finding for each in RULES.values() for finding in each(facts, context)]
    return sorted(found, key=lambda finding: (finding.line, finding.severity != Level.BLOCK, finding.rule))


def blocking(findings: list[Finding]) -> list[Finding]:
    """Return those that keep the advisory from being approved."""
    return [finding for finding in findings if finding.severity is Level.BLOCK]
