"""``tocsin advisory check``: what it prints, writes and refuses."""

from __future__ import annotations

import json

import pytest

from advisories.checks import RULES
from gateway.operations import advisories
from gateway.workspace.folder import Workspace
from tests.cli.conftest import ADVISORY, Tocsin, no_passphrase

PLAIN = "A weakness could let"


def spoil(workspace: Workspace, old: str, new: str) -> None:
    path = workspace.path / "advisories" / f"{ADVISORY}.yaml"
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), "utf-8")


def test_a_finding_is_one_line_with_file_line_level_mend_and_rule(
    workspace: Workspace, tocsin: Tocsin
) -> None:
    spoil(workspace, PLAIN, "A vulnerability could let")
    ran = tocsin("advisory", "check", ADVISORY, "-w", workspace.path)
    assert ran.status == 1
    (line,) = [line for line in ran.out.splitlines() if line.endswith("[jargon]")]
    path = workspace.path / "advisories" / f"{ADVISORY}.yaml"
    number = path.read_text("utf-8").split("A vulnerability")[0].count("\n")
    assert line.startswith(f"{path}:{number}: block: 'vulnerability' is jargon. Say 'weakness'")
    assert "\x1b" not in ran.out
    assert ran.out.splitlines()[-1].startswith(f"{ADVISORY}: 1 blocking, ")


def test_only_looks_for_what_is_named(workspace: Workspace, tocsin: Tocsin) -> None:
    spoil(workspace, PLAIN, "A vulnerability since [date] could let")
    here = ("-w", workspace.path, "--json")
    ran = tocsin("advisory", "check", ADVISORY, "--only", "jargon", *here)
    assert [one["rule"] for one in ran.json["findings"]] == ["jargon"]
    assert (ran.status, ran.json["blocking"]) == (1, 1)
    calm = tocsin("advisory", "check", ADVISORY, "--only", "blame", "--only", "login-link", *here)
    assert (calm.status, calm.json["findings"]) == (0, [])


def test_sarif_is_written_beside(workspace: Workspace, tocsin: Tocsin) -> None:
    spoil(workspace, PLAIN, "A vulnerability could let")
    out = workspace.path / "checks.sarif"
    ran = tocsin("advisory", "check", ADVISORY, "--sarif", out, "-w", workspace.path, "--json")
    (run,) = json.loads(out.read_bytes())["runs"]
    assert len(run["results"]) == len(ran.json["findings"])
    assert {one["ruleId"] for one in run["results"] if one["level"] == "error"} == {"jargon"}


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("--explain", "jargn"), "NO_RULE"),
        ((ADVISORY, "--only", "jar\x1bgon"), "NO_RULE"),
        ((), "NO_ADVISORY"),
        ((ADVISORY, "--sarif", "{advisory}"), "NOT_REPLACED"),
        ((ADVISORY, "--sarif", "{key}"), "KEY_IN_THE_WAY"),
    ],
)
def test_what_cannot_be_done_is_told(
    workspace: Workspace, tocsin: Tocsin, words: tuple[str, ...], code: str
) -> None:
    places = {
        "{advisory}": str(workspace.path / "advisories" / f"{ADVISORY}.yaml"),
        "{key}": str(next((workspace.path / "keys").glob("*.pem"))),
    }
    ran = tocsin(
        "advisory", "check", *(places.get(word, word) for word in words), "-w", workspace.path, "--json"
    )
    assert (ran.status, ran.json["error"]["code"]) == (2, code)
    assert ran.json["error"]["message"].isprintable()


@pytest.mark.parametrize("rule", ["jargon", "outputs-differ"])
def test_a_rule_explains_itself(tocsin: Tocsin, rule: str) -> None:
    said = tocsin("advisory", "check", "--explain", rule, "--json").json
    assert (said["rule"], said["level"], said["practice"]) == (rule, RULES[rule].level, RULES[rule].practice)
    assert said["good"] in tocsin("advisory", "check", "--explain", rule).out


def test_a_fleets_own_glossary_counts(workspace: Workspace, tocsin: Tocsin) -> None:
    path = workspace.path / "glossary.toml"
    path.write_text('[terms.en]\nstrangers = "people you do not know"\n')
    here = ("-w", workspace.path, "--json")
    found = tocsin("advisory", "check", ADVISORY, "--only", "jargon", *here).json["findings"]
    assert "people you do not know" in found[0]["mend"]
    path.write_text("[terms.en\n")
    ran = tocsin("advisory", "check", ADVISORY, *here)
    assert (ran.status, ran.json["error"]["code"]) == (2, "BAD_GLOSSARY")


def test_what_was_published_is_checked_as_what_it_is_and_a_change_as_the_next_revision(
    workspace: Workspace, tocsin: Tocsin
) -> None:
    import time

    now = int(time.time())
    for role in ("engineering", "legal", "communications"):
        advisories.approve(workspace, advisories.review(workspace, ADVISORY, now=now), role, no_passphrase)
    here = ("-w", workspace.path, "--json")
    assert tocsin("advisory", "publish", ADVISORY, *here).status == 0
    assert tocsin("advisory", "check", ADVISORY, *here).json["blocking"] == 0
    spoil(workspace, PLAIN, "Another weakness could let")
    found = tocsin("advisory", "check", ADVISORY, "--only", "phase", *here).json["findings"]
    assert len(found) == 1 + 9
    assert "cannot come after initial" in found[0]["message"]
