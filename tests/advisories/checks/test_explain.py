"""Each rule is explained, the page lists them all, and SARIF has the shape that its standard demands."""

import json
import re
import tomllib
from importlib import resources

import pytest

from advisories.checks import RULES
from advisories.checks.explain import checks_page, explain, practices
from advisories.checks.sarif import sarif
from tests.advisories.checks.bench import found


@pytest.mark.parametrize("name", sorted(RULES))
def test_a_rule_says_why_it_is_there_and_how_to_mend_it(name: str) -> None:
    said = explain(name)
    assert said.why.endswith((".", "?"))
    assert said.mend.endswith(".")
    assert said.bad
    assert said.good
    assert said.bad != said.good
    assert said.finds
    assert said.practice_words


def test_no_rule_is_explained_that_is_not_there() -> None:
    text = resources.files("advisories.checks").joinpath("rules.toml").read_text("utf-8")
    assert set(tomllib.loads(text)) == set(RULES)
    with pytest.raises(KeyError):
        explain("no-such-rule")


def test_there_are_57_practices() -> None:
    assert sorted(practices()) == list(range(1, 58))
    assert len(set(practices().values())) == 57


def test_the_page_lists_every_rule_once() -> None:
    page = checks_page()
    assert re.findall(r"^## ([\w-]+)$", page, re.MULTILINE) == sorted(RULES)
    assert all(f"[`{name}`](#{name})" in page for name in RULES)
    assert "Deutsch (de)" in page
    assert page.endswith("|\n")


def test_sarif_has_the_required_shape() -> None:
    """Section 3 of SARIF 2.1.0: what must be there, with its kinds."""
    findings = found("incident", {"texts.en.action": "TODO: see the [page].", "severity": "medium"})
    log = json.loads(json.dumps(sarif(findings, version="1.2.3")))
    assert set(log) == {"$schema", "version", "runs"}
    assert log["version"] == "2.1.0"
    (run,) = log["runs"]
    driver = run["tool"]["driver"]
    assert (driver["name"], driver["version"]) == ("tocsin advisory check", "1.2.3")
    assert [one["id"] for one in driver["rules"]] == list(RULES)
    for one in driver["rules"]:
        assert one["defaultConfiguration"]["level"] in {"error", "warning"}
        assert all(one[key]["text"] for key in ("shortDescription", "fullDescription", "help"))
    assert len(run["results"]) == len(findings) > 1
    for result, finding in zip(run["results"], findings, strict=True):
        assert driver["rules"][result["ruleIndex"]]["id"] == result["ruleId"] == finding.rule
        assert result["level"] == {"block": "error", "advice": "warning"}[finding.severity]
        assert finding.message in result["message"]["text"]
        (place,) = result["locations"]
        physical = place["physicalLocation"]
        assert physical["artifactLocation"] == {"uri": "incident.yaml"}
        assert physical["region"] == {"startLine": finding.line}


def test_a_name_of_a_file_becomes_an_address() -> None:
    (finding, *_) = found("incident", {"severity": "critical"})
    moved = type(finding)(**{**{f: getattr(finding, f) for f in finding.__slots__}, "where": "a b/ü.yaml:3"})
    (result,) = sarif([moved], version="1")["runs"][0]["results"]
    assert result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == "a%20b/%C3%BC.yaml"


def test_no_finding_is_an_empty_run() -> None:
    assert sarif([], version="1")["runs"][0]["results"] == []
