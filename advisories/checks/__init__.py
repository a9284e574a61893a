"""Every check of an advisory before it may be approved."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet

from advisories.checks import screens, words  # noqa: F401 - importing them registers their rules
from advisories.checks.frame import RULES, Context, Finding, Level
from advisories.facts import Facts

__all__ = ["RULES", "Context", "Finding", "Level", "blocking", "check"]


def check(facts: Facts, *, languages: Mapping[str, AbstractSet[str]]) -> list[Finding]:
    """Apply every rule.

    Args:
        facts: as written.
        languages: product -> languages in which its devices want to be told.

    Returns:
        Findings in the order of the file's lines; empty when there is nothing to mend.
    """
    context = Context(languages)
    found = [finding for each in RULES.values() for finding in each(facts, context)]
    return sorted(found, key=lambda finding: (finding.line, finding.severity != Level.BLOCK, finding.rule))


def blocking(findings: list[Finding]) -> list[Finding]:
    """Return those that keep the advisory from being approved."""
    return [finding for finding in findings if finding.severity is Level.BLOCK]
