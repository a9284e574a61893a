"""Findings as SARIF 2.1.0 (OASIS), so that editors and code hosts show them at their lines."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final
from urllib.parse import quote

from advisories.checks.explain import explain
from advisories.checks.frame import RULES, Finding, Level

SCHEMA: Final = "https://json.schemastore.org/sarif-2.1.0.json"
_LEVELS: Final = {Level.BLOCK: "error", Level.ADVICE: "warning"}


def sarif(findings: Iterable[Finding], *, version: str) -> dict[str, Any]:
    """Return a SARIF log with one run.

    Args:
        findings: what the checks found; their file is taken as it was named.
        version: of this program.
    """
    names = list(RULES)
    return {
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {
                    "driver": {
                        "name": "tocsin advisory check",
                        "version": version,
                        "rules": [_rule(name) for name in names],
                    }
                },
                "columnKind": "unicodeCodePoints",
                "results": [_result(finding, names) for finding in findings],
            }
        ],
    }


def _rule(name: str) -> dict[str, Any]:
    said = explain(name)
    return {
        "id": name,
        "shortDescription": {"text": said.finds},
        "fullDescription": {"text": said.why},
        "help": {"text": f"{said.mend} Bad: {said.bad} Good: {said.good}"},
        "defaultConfiguration": {"level": _LEVELS[RULES[name].level]},
        "properties": {"practice": said.practice},
    }


def _result(finding: Finding, names: list[str]) -> dict[str, Any]:
    file = finding.where.rpartition(":")[0]
    return {
        "ruleId": finding.rule,
        "ruleIndex": names.index(finding.rule),
        "level": _LEVELS[finding.severity],
        "message": {"text": f"{finding.message} {finding.mend}".strip()},
        "locations": [
            {
                "physicalLocation": {
                    "artifactLocation": {"uri": quote(file)},
                    "region": {"startLine": max(1, finding.line)},
                }
            }
        ],
    }
