"""The table of faults: each is caught by the rule it names, at its place, and by no other that blocks."""

import tomllib
from typing import Any

import pytest

from advisories.checks import RULES, Finding, Level, blocking
from tests.advisories.checks.bench import BASES, FOLDER, edited, found

FAULTS: list[dict[str, Any]] = tomllib.loads((FOLDER / "faults.toml").read_text("utf-8"))["fault"]
NOT_OF_FACTS = {"outputs", "outputs-differ"}
"""Rules about outputs that no fault of a file can bring about: test_outputs.py breaks the outputs."""


def caught(fault: dict[str, Any]) -> list[Finding]:
    more = {"customers": fault["customers"]} if "customers" in fault else {}
    asked = fault.get("languages")
    languages = {"doorbell": set(asked), "thermostat": set(asked)} if asked else None
    return found(
        fault.get("base", "vulnerability"), fault.get("put"), fault.get("drop"), languages=languages, **more
    )


def line(fault: dict[str, Any]) -> int:
    facts = edited(fault.get("base", "vulnerability"), fault.get("put"), fault.get("drop"))
    return facts.line(*(int(step) if step.isdigit() else step for step in fault["at"].split(".")))


def says_what_is_wrong_and_how_to_mend_it(finding: Finding) -> bool:
    ends = finding.message.endswith((".", "'", ":")) and finding.mend.endswith((".", "'"))
    plain = "\n" not in finding.message + finding.mend
    return ends and plain and finding.severity in set(Level) and 1 <= finding.practice <= 57


@pytest.mark.parametrize("base", sorted(path.stem for path in BASES.glob("*.yaml")))
def test_an_advisory_without_a_fault_has_nothing_to_mend(base: str) -> None:
    assert found(base) == []


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: f"{fault['rule']}: {fault['name']}")
def test_a_fault_is_caught_by_its_rule_at_its_place_and_by_no_other_that_blocks(
    fault: dict[str, Any],
) -> None:
    findings = caught(fault)
    own = [finding for finding in findings if finding.rule == fault["rule"]]
    assert any(
        finding.line == line(fault) and finding.severity == fault.get("level", "block") for finding in own
    ), findings
    assert all(says_what_is_wrong_and_how_to_mend_it(finding) for finding in findings), findings
    assert {finding.rule for finding in blocking(findings)} <= {fault["rule"]}, findings
    assert {finding.rule for finding in findings} <= {fault["rule"], *fault.get("also", [])}, findings


def test_there_are_faults_for_every_rule() -> None:
    assert len(FAULTS) >= 60
    assert {fault["rule"] for fault in FAULTS} == set(RULES) - NOT_OF_FACTS
    assert len({fault["name"] for fault in FAULTS}) == len(FAULTS)
