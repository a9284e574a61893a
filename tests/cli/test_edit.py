"""Each role changes its own fields; an edit of another's is refused with line and owner."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from gateway.workspace.folder import Workspace
from tests.cli.conftest import ADVISORY, Ran, Tocsin, snapshot
from tests.cli.test_new import Terminal

SEVERITY = ("severity: high", "severity: low")
TITLE = ("Please install update", "Please update now")
TLP = ("exercise: true", "tlp: amber\nexercise: true")


def file_of(workspace: Workspace) -> Path:
    return workspace.path / "advisories" / f"{ADVISORY}.yaml"


def edit(tocsin: Tocsin, workspace: Workspace, role: str, *changes: tuple[str, str]) -> Ran:
    text = file_of(workspace).read_text()
    for old, new in changes:
        assert old in text
        text = text.replace(old, new, 1)
    Path("mine.yaml").write_text(text)
    here = ("-w", workspace.path, "--json")
    return tocsin("advisory", "edit", ADVISORY, "--role", role, "--from", "mine.yaml", *here)


@pytest.mark.parametrize(
    ("role", "change", "path"),
    [
        ("engineering", SEVERITY, "severity"),
        ("communications", TITLE, "texts.en.title"),
        ("legal", TLP, "tlp"),
    ],
)
def test_a_role_changes_what_is_its_own(
    workspace: Workspace, tocsin: Tocsin, role: str, change: tuple[str, str], path: str
) -> None:
    ran = edit(tocsin, workspace, role, change)
    assert (ran.status, ran.json["changed"]) == (0, True)
    assert [each["path"] for each in ran.json["accepted"]] == [path]
    assert change[1].partition("\n")[0] in file_of(workspace).read_text()
    here = ("-w", workspace.path)
    shown = tocsin("advisory", "edits", ADVISORY, *here, "--json").json["edits"]
    assert [(row["role"], row["paths"]) for row in shown] == [(role, [path])]
    assert path in tocsin("advisory", "edits", ADVISORY, *here).out


def test_what_cannot_be_recorded_is_not_changed(workspace: Workspace, tocsin: Tocsin) -> None:
    Path("mine.yaml").write_text(file_of(workspace).read_text().replace(*TITLE))
    before = snapshot(workspace.path)
    words = ("--role", "communications", "--from", "mine.yaml", "-w", workspace.path, "--json")
    for who in ("x" * 65, "a\nb", "a\x1b[31m"):
        ran = tocsin("advisory", "edit", ADVISORY, "--by", who, *words)
        assert (ran.status, ran.json["error"]["code"]) == (2, "BAD_VALUE"), (who, ran)
    assert snapshot(workspace.path) == before


@pytest.mark.parametrize("role", ["engineering", "legal", "communications"])
def test_a_field_of_another_role_is_refused_with_line_and_owner(
    workspace: Workspace, tocsin: Tocsin, role: str
) -> None:
    before = snapshot(workspace.path)
    ran = edit(tocsin, workspace, role, SEVERITY, TITLE, TLP)
    assert ran.status == 1
    owners = {each["path"]: each["owner"] for each in ran.json["refused"]}
    everyone = {"severity": "engineering", "texts.en.title": "communications", "tlp": "legal"}
    assert owners == {path: owner for path, owner in everyone.items() if owner != role}
    assert all(each["where"].startswith("mine.yaml:") for each in ran.json["refused"])
    assert snapshot(workspace.path) == before
    told = tocsin(
        "advisory", "edit", ADVISORY, "--role", role, "--from", "mine.yaml", "-w", workspace.path
    ).out
    assert "Refused: 2 fields" in told
    assert told.count(" belongs to ") == 2


def test_the_same_file_changes_nothing_and_comments_are_an_edit(workspace: Workspace, tocsin: Tocsin) -> None:
    assert not edit(tocsin, workspace, "legal").json["changed"]
    ran = edit(tocsin, workspace, "legal", ("exercise: true", "# asked\nexercise: true"))
    assert ran.json["changed"]
    assert ran.json["accepted"] == []
    assert [
        row["paths"]
        for row in tocsin("advisory", "edits", ADVISORY, "-w", workspace.path, "--json").json["edits"]
    ] == [[]]


@pytest.mark.parametrize(
    ("role", "change", "code"),
    [
        ("operator", SEVERITY, "WRONG_ROLE"),
        ("engineering", ("severity: high", "severity: huge"), "BAD_VALUE"),
        ("engineering", (f"id: {ADVISORY}", "id: EX-2026-0099"), "WRONG_ID"),
    ],
)
def test_what_cannot_be_taken_over_is_told(
    workspace: Workspace, tocsin: Tocsin, role: str, change: tuple[str, str], code: str
) -> None:
    before = snapshot(workspace.path)
    ran = edit(tocsin, workspace, role, change)
    assert (ran.status, ran.json["error"]["code"]) == (2, code)
    assert snapshot(workspace.path) == before


def test_an_editor_opens_a_copy_and_a_faulty_one_is_kept(
    workspace: Workspace, tocsin: Tocsin, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(sys, "stdin", Terminal(""))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    asked = ("advisory", "edit", ADVISORY, "--role", "engineering", "-w", workspace.path)

    def run(expression: str) -> Ran:
        return tocsin(*asked, env={"EDITOR": f"sed -i '{expression}'"})

    assert run("s/severity: high/severity: low/").status == 0
    assert "severity: low" in file_of(workspace).read_text()
    assert not list(tmp_path.glob("tocsin-*"))
    assert run("s/nothing at all/x/").out == "Nothing was changed.\n"
    faulty = run("s/severity: low/severity: huge/")
    assert faulty.status == 2
    (kept,) = tmp_path.glob(f"tocsin-*/{ADVISORY}.yaml")
    assert str(kept) in faulty.err
    assert "severity: huge" in kept.read_text()

    assert tocsin(*asked, env={"EDITOR": "false"}).status == 2
    assert tocsin(*asked, env={"EDITOR": "/no/such/editor"}).status == 2
    assert tocsin(*asked).status == 2
