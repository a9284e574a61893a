"""``tocsin advisory export`` and ``import``."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from gateway.operations import advisories
from gateway.operations.advisories import csaf
from gateway.workspace.folder import Workspace
from tests.advisories.csaf.csaf_case import faults
from tests.advisories.csaf.test_import import source
from tests.cli.conftest import ADVISORY, EXAMPLE, Tocsin, no_passphrase, snapshot

NOW = 1_795_000_000


@pytest.fixture
def theirs(tmp_path: Path) -> Path:
    path = tmp_path / "theirs.json"
    path.write_text(json.dumps(source(vulnerabilities=[{"cve": "CVE-2026-10001", "x_own": "\x1b[31m"}])))
    return path


def publish(workspace: Workspace) -> None:
    """Approve and publish what the facts say, by every role."""
    for role in ("engineering", "legal", "communications"):
        advisories.approve(workspace, advisories.review(workspace, ADVISORY, now=NOW), role, no_passphrase)
    advisories.publish(workspace, ADVISORY, workspace.signer("operator", no_passphrase), now=NOW)


def load(path: Path) -> Any:
    document = json.loads(path.read_bytes())
    assert faults(document) == []
    return document["document"]


def test_a_draft_is_written_in_every_language(tocsin: Tocsin, workspace: Workspace, tmp_path: Path) -> None:
    ran = tocsin("advisory", "export", ADVISORY, "--csaf", "--out", "csaf", "-w", workspace.path)
    assert (ran.status, ran.err) == (0, "")
    of = advisories.load(workspace, ADVISORY).facts
    names = {f"ex-2026-0001-{language}.json" for language in of.texts if language != of.source_language}
    assert {path.name for path in (tmp_path / "csaf").iterdir()} == {"ex-2026-0001.json", *names}
    assert "Wrote csaf/ex-2026-0001.json: csaf_security_advisory, en, draft 0." in ran.out
    found = load(tmp_path / "csaf" / "ex-2026-0001.json")
    assert found["title"] == "EXERCISE: Please install update"
    assert found["tracking"]["status"] == "draft"


def test_one_language_goes_into_a_file(tocsin: Tocsin, workspace: Workspace, tmp_path: Path) -> None:
    arguments = ("advisory", "export", ADVISORY, "--csaf", "-w", workspace.path, "--out", "one.json")
    ran = tocsin(*arguments, "--lang", "de", "--profile", "vex", "--json")
    assert ran.json["documents"] == [
        {"language": "de", "path": "one.json", "status": "draft", "version": "0", "category": "csaf_vex"}
    ]
    assert load(tmp_path / "one.json")["lang"] == "de"
    several = tocsin(*arguments)
    assert (several.status, "--lang" in several.err) == (2, True)


def test_what_is_published_is_interim_and_stays_as_it_was_approved(
    tocsin: Tocsin, workspace: Workspace, tmp_path: Path
) -> None:
    publish(workspace)
    arguments = ("advisory", "export", ADVISORY, "--csaf", "--lang", "en", "-w", workspace.path)
    assert tocsin(*arguments, "--out", "a.json").status == 0
    assert load(tmp_path / "a.json")["tracking"]["status"] == "interim"
    path = workspace.path / "advisories" / f"{ADVISORY}.yaml"
    path.write_text(path.read_text("utf-8").replace("phase: initial ", "phase: resolved "), encoding="utf-8")
    assert tocsin(*arguments, "--out", "b.json").status == 0
    draft = load(tmp_path / "b.json")["tracking"]
    assert (draft["status"], draft["version"]) == ("draft", "2")
    assert tocsin(*arguments, "--revision", "1", "--out", "c.json").status == 0
    assert (tmp_path / "c.json").read_bytes() == (tmp_path / "a.json").read_bytes()
    assert tocsin(*arguments, "--revision", "2").status == 2


def test_the_folder_of_a_published_revision_may_be_gone(tocsin: Tocsin, workspace: Workspace) -> None:
    publish(workspace)
    (workspace.path / "advisories" / ADVISORY / "r1" / "source" / "facts.yaml").unlink()
    ran = tocsin("advisory", "export", ADVISORY, "--csaf", "--revision", "1", "-w", workspace.path)
    assert (ran.status, "is not there" in ran.err) == (5, True)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "Say in which format. CSAF 2.0 is there: --csaf."),
        (("--csaf", "--lang", "dd"), "has no text in 'dd'"),
        (("--csaf", "--profile", "vx"), "'vx' is no profile. Did you mean 'vex'?"),
        (("--csaf", "--status", "done"), "'done' is no status."),
        (("--csaf", "--status", "final"), "are not published: their document is a draft"),
        (("--csaf", "--revision", "1"), "has no published revision 1. Nothing of it is published."),
    ],
)
def test_a_wrong_wish_is_refused_and_nothing_is_written(
    tocsin: Tocsin, workspace: Workspace, tmp_path: Path, arguments: tuple[str, ...], said: str
) -> None:
    ran = tocsin("advisory", "export", ADVISORY, *arguments, "-w", workspace.path)
    assert (ran.status, said in ran.err) == (2, True), ran.err
    assert list(tmp_path.glob("*.json")) == []


def test_under_embargo_only_a_draft_is_written(tocsin: Tocsin, workspace: Workspace, theirs: Path) -> None:
    assert tocsin("advisory", "import", theirs, "--id", "X-1", "-w", workspace.path).status == 0
    path = workspace.path / "advisories" / "X-1.yaml"
    path.write_text(f"{path.read_text('utf-8')}embargo_until: 2999-01-01T00:00:00Z\n", encoding="utf-8")
    arguments = ("advisory", "export", "X-1", "--csaf", "-w", workspace.path)
    refused = tocsin(*arguments, "--status", "final")
    assert (refused.status, "embargo" in refused.err) == (2, True), refused.err
    assert tocsin(*arguments, "--status", "draft").status == 0


def test_a_document_is_taken_over_and_says_what_was_lost(
    tocsin: Tocsin, workspace: Workspace, theirs: Path
) -> None:
    ran = tocsin("advisory", "import", theirs, "-w", workspace.path)
    assert (ran.status, ran.err) == (0, "")
    assert "14 values carried over, 1 that follow from them, 1 lost." in ran.out
    assert "Lost: $.vulnerabilities[0].x_own (\\x1b[31m), for the facts have no place for it." in ran.out
    assert "\x1b" not in ran.out
    assert "Assumed: phase, for owners here have not been told yet." in ran.out
    checked = advisories.load(workspace, "T-1")
    assert checked.blocking  # gaps that only people can fill
    assert (checked.facts.author.holder, checked.facts.exercise) == ("exercise-engineering", True)
    again = tocsin("advisory", "import", theirs, "-w", workspace.path, "--json")
    assert (again.status, "ADVISORY_EXISTS" in again.err + again.out) == (2, True)


def test_many_losses_are_told_whole_as_json(tocsin: Tocsin, workspace: Workspace, theirs: Path) -> None:
    theirs.write_text(json.dumps(source(**{f"x{number}": number for number in range(30)})))
    ran = tocsin("advisory", "import", theirs, "-w", workspace.path, "--id", "X-1")
    assert "And 10 more: --json tells them all." in ran.out
    ran = tocsin("advisory", "import", theirs, "-w", workspace.path, "--id", "X-2", "--json")
    assert (ran.json["lost"], len(ran.json["losses"])) == (30, 30)
    assert ran.json["losses"][0] == {"path": "$.x0", "what": "0", "why": "the facts have no place for it"}


@pytest.mark.parametrize(
    ("data", "said"),
    [(b"", "This is not JSON"), (b"{}", "no CSAF document"), (b"[" * 1_000_000, "nests deeper than")],
)
def test_what_is_no_document_changes_nothing(
    tocsin: Tocsin, workspace: Workspace, theirs: Path, data: bytes, said: str
) -> None:
    theirs.write_bytes(data)
    before = snapshot(workspace.path)
    ran = tocsin("advisory", "import", theirs, "-w", workspace.path)
    assert (ran.status, said in ran.err, "Traceback" in ran.err) == (2, True, False)
    assert tocsin("advisory", "import", "nowhere.json", "-w", workspace.path).status == 2
    assert snapshot(workspace.path) == before


def test_a_validator_may_look_first(
    tocsin: Tocsin, workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = ("advisory", "export", ADVISORY, "--csaf", "--validate", "-w", workspace.path)
    assert tocsin(*arguments, "--json").json["valid"] is True
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "csaf.csaf", None)
        ran = tocsin(*arguments, "--out", "x")
    assert (ran.status, "pip install 'tocsin[csaf]'" in ran.err) == (4, True)
    assert not (tmp_path / "x").exists()


def test_an_invalid_document_is_told_with_its_first_fault(
    tocsin: Tocsin, workspace: Workspace, tmp_path: Path
) -> None:
    text = EXAMPLE.read_text("utf-8").replace(
        "expires_days:", 'vulnerabilities:\n  - cwe: {id: CWE-79, name: "Not its name"}\nexpires_days:'
    )
    (workspace.path / "advisories" / f"{ADVISORY}.yaml").write_text(text, encoding="utf-8")
    ran = tocsin("advisory", "export", ADVISORY, "--csaf", "--validate", "--out", "x", "-w", workspace.path)
    assert ran.status == 2
    assert "Test 6.1.11 fails at /vulnerabilities/0/cwe" in ran.err
    assert not (tmp_path / "x").exists()


def test_a_key_is_never_written_over(workspace: Workspace, tmp_path: Path) -> None:
    key = tmp_path / "key.json"
    key.write_text("-----BEGIN PRIVATE KEY-----\n")
    found = csaf.documents(workspace, ADVISORY, languages=("en",), now=NOW)
    with pytest.raises(csaf.InputError, match="private key"):
        csaf.write(found, key)
