"""From what our products are made of to a proposal that a person confirms."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from advisories.facts import load_facts
from gateway.workspace.folder import Workspace
from tests.advisories.test_sbom import FORMS, TAG_VALUE, cyclonedx
from tests.advisories.test_suppliers import document
from tests.cli.conftest import Tocsin, snapshot
from tests.cli.test_new import NEW, Terminal

VERSIONS = ("1.0.0", "1.1.0", "1.2.0", "1.3.0")


@pytest.fixture
def stocked(workspace: Workspace, tocsin: Tocsin, tmp_path: Path) -> Workspace:
    """A thermostat of four versions, of which three have a list; the doorbell has one without libfoo."""
    here = ("-w", workspace.path)
    for version in VERSIONS:
        assert tocsin("product", "version", "add", "thermostat", version, *here).status == 0
    assert tocsin("product", "version", "add", "doorbell", "2.0.0", *here).status == 0
    for product, version, component in (
        ("thermostat", "1.1.0", {"name": "libfoo", "version": "1.2.0"}),
        ("thermostat", "1.2.0", {"name": "libfoo", "version": "1.2.5"}),
        ("thermostat", "1.3.0", {"name": "libfoo", "version": "1.3.0"}),
        ("doorbell", "2.0.0", {"name": "other", "version": "1.0"}),
    ):
        (tmp_path / "sbom.json").write_bytes(cyclonedx(component))
        assert tocsin("product", "sbom", product, version, tmp_path / "sbom.json", *here).status == 0
    return workspace


def test_a_list_is_stored_normalised_and_several_files_make_one(
    stocked: Workspace, tocsin: Tocsin, tmp_path: Path
) -> None:
    (tmp_path / "a.spdx").write_text(TAG_VALUE)
    (tmp_path / "b.json").write_bytes(FORMS["CycloneDX 1.5"])
    words = ("product", "sbom", "thermostat", "1.0.0", tmp_path / "a.spdx", tmp_path / "b.json")
    ran = tocsin(*words, "-w", stocked.path, "--json")
    assert (ran.json["components"], ran.json["format"]) == (2, "SPDX 2.2 + CycloneDX 1.5")
    stored = json.loads((stocked.path / "sboms" / "thermostat" / "1.0.0.json").read_bytes())
    assert [row["name"] for row in stored["components"]] == ["bar", "libfoo"]


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("thermostat", "9.0.0", "sbom.json"), "NO_VERSION"),
        (("kettle", "1.0.0", "sbom.json"), "NO_PRODUCT"),
        (("thermostat", "1.0.0", "none.json"), "FILE_MISSING"),
        (("thermostat", "1.0.0", "bad.json"), "SBOM"),
        (("thermostat", "1.0.0", "sbom.json", "bad.json"), "SBOM"),
    ],
)
def test_what_cannot_be_stored_changes_nothing(
    stocked: Workspace, tocsin: Tocsin, tmp_path: Path, words: tuple[str, ...], code: str
) -> None:
    (tmp_path / "bad.json").write_text("{}")
    before = snapshot(stocked.path)
    ran = tocsin("product", "sbom", *words, "-w", stocked.path, "--json")
    assert (ran.status, ran.json["error"]["code"]) == (2, code)
    assert snapshot(stocked.path) == before


def test_a_component_in_a_range_proposes_our_versions_and_writes_nothing_unconfirmed(
    stocked: Workspace, tocsin: Tocsin
) -> None:
    asked = ("advisory", "new", NEW, "--component", "libfoo", "--range", "<1.3", "-w", stocked.path)
    before = snapshot(stocked.path)
    dry = tocsin(*asked, "--dry-run", "--json").json
    assert [(row["version"], row["verdict"]) for row in dry["versions"]] == [
        ("1.0.0", "to confirm"),
        ("1.1.0", "affected"),
        ("1.2.0", "affected"),
        ("1.3.0", "not affected"),
        ("2.0.0", "not affected"),
    ]
    assert dry["affected"] == {"thermostat": [">=1.1.0 <1.3.0"]}
    shown = tocsin(*asked)
    assert (shown.status, "NOT_CONFIRMED" in tocsin(*asked, "--json").out) == (2, True)
    assert "thermostat: >=1.1.0 <1.3.0" in shown.out
    assert snapshot(stocked.path) == before

    assert tocsin(*asked, "--yes").status == 0
    facts = load_facts((stocked.path / "advisories" / f"{NEW}.yaml").read_bytes(), where="new")
    assert {name: product.affected for name, product in facts.products.items()} == {
        "thermostat": (">=1.1.0 <1.3.0",)
    }
    statements = [(fact.status.value, fact.statement) for fact in facts.facts]
    assert statements[1] == ("confirmed", "thermostat 1.1.0, 1.2.0 contains libfoo 1.2.0, libfoo 1.2.5.")
    assert statements[2] == (
        "unknown",
        "Whether thermostat 1.0.0 contains libfoo <1.3 (no list of components).",
    )


def test_a_person_at_the_terminal_confirms_or_not(
    stocked: Workspace, tocsin: Tocsin, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = ("advisory", "new", NEW, "--component", "libfoo", "--range", "<1.3", "-w", stocked.path)
    monkeypatch.setattr(sys, "stdin", Terminal("n\n"))
    assert tocsin(*asked).status == 2
    assert not (stocked.path / "advisories" / f"{NEW}.yaml").exists()
    monkeypatch.setattr(sys, "stdin", Terminal("y\n2\nIt is so.\nDo that.\nhelp@example.com\n\n"))
    ran = tocsin(*asked)
    assert ran.status == 0, ran
    assert "(1 versions stay to confirm)" in ran.out
    facts = load_facts((stocked.path / "advisories" / f"{NEW}.yaml").read_bytes(), where="new")
    assert facts.products["thermostat"].affected == (">=1.1.0 <1.3.0",)
    assert facts.texts["en"].happened == "It is so."


def test_a_suppliers_document_proposes_and_carries_its_numbers(
    stocked: Workspace, tocsin: Tocsin, tmp_path: Path
) -> None:
    (tmp_path / "csaf.json").write_text(json.dumps(document()))
    asked = ("advisory", "new", NEW, "--from-supplier", tmp_path / "csaf.json", "-w", stocked.path)
    dry = tocsin(*asked, "--dry-run", "--json").json
    assert dry["cves"] == ["CVE-2026-11111"]
    found = {row["version"]: row["verdict"] for row in dry["versions"] if row["product"] == "thermostat"}
    # 1.2.0 is named; the range that nobody can read leaves the other versions of libfoo to confirm.
    assert found == {
        "1.0.0": "to confirm",
        "1.1.0": "affected",
        "1.2.0": "to confirm",
        "1.3.0": "to confirm",
    }
    assert tocsin(*asked, "--yes", "--json").status == 0
    facts = load_facts((stocked.path / "advisories" / f"{NEW}.yaml").read_bytes(), where="new")
    assert [each.cve for each in facts.vulnerabilities] == ["CVE-2026-11111"]
    assert facts.references[0].url == "https://example.com/es-2026-7.json"
    assert facts.products["thermostat"].affected == (">=1.1.0 <1.2.0",)


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("--component", "libfoo"), "USAGE"),
        (("--range", "<1"), "USAGE"),
        (("--component", "libfoo", "--range", "<1", "--from-supplier", "x"), "USAGE"),
        (("--component", "libfoo", "--range", "old"), "BAD_VALUE"),
        (("--component", "pkg:nothing", "--range", "<1"), "BAD_VALUE"),
        (("--from-supplier", "none.json"), "FILE_MISSING"),
        (("--from-supplier", "sbom.json"), "CSAF"),
    ],
)
def test_what_cannot_be_asked_for_is_told(
    stocked: Workspace, tocsin: Tocsin, words: tuple[str, ...], code: str
) -> None:
    before = snapshot(stocked.path)
    ran = tocsin("advisory", "new", NEW, "--yes", *words, "-w", stocked.path, "--json")
    assert (ran.status, ran.json["error"]["code"]) == (2, code)
    assert snapshot(stocked.path) == before


def test_where_nothing_is_affected_nothing_is_written(
    stocked: Workspace, tocsin: Tocsin, tmp_path: Path
) -> None:
    (tmp_path / "sbom.json").write_bytes(cyclonedx())
    tocsin("product", "sbom", "thermostat", "1.0.0", tmp_path / "sbom.json", "-w", stocked.path)
    asked = ("--component", "libfoo", "--range", "<1.0", "-w", stocked.path, "--yes", "--json")
    assert tocsin("advisory", "new", NEW, *asked).json["error"]["code"] == "NOT_AFFECTED"
    (stocked.path / "sboms" / "thermostat" / "1.0.0.json").write_text("{")
    damaged = tocsin("advisory", "new", NEW, *asked)
    assert (damaged.status, damaged.json["error"]["code"]) == (5, "SBOM_DAMAGED")


def test_many_versions_are_summed_up(workspace: Workspace, tocsin: Tocsin, tmp_path: Path) -> None:
    here = ("-w", workspace.path)
    (tmp_path / "sbom.json").write_bytes(cyclonedx({"name": "libfoo", "version": "1"}))
    for number in range(20):
        tocsin("product", "version", "add", "thermostat", f"1.{number}.0", *here)
        if number >= 10:
            tocsin("product", "sbom", "thermostat", f"1.{number}.0", tmp_path / "sbom.json", *here)
    asked = ("--component", "libfoo", "--range", "*", "--yes", "--json")
    assert tocsin("advisory", "new", NEW, *asked, *here).status == 0
    facts = load_facts((workspace.path / "advisories" / f"{NEW}.yaml").read_bytes(), where="new")
    assert facts.facts[1].statement == "thermostat 1.10.0 to 1.19.0 (10 versions) contains libfoo 1."
    unknown = [fact.statement for fact in facts.facts if fact.status.value == "unknown"]
    assert len(unknown) == 10
    assert unknown[8] == "The same for 2 more versions of thermostat."
    assert unknown[9].startswith("Whether doorbell contains libfoo * (no version of it is recorded)")
