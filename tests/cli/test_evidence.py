"""Evidence from the command line: exported, proved elsewhere, refused where it is not what it says."""

from __future__ import annotations

import shlex
import subprocess
from pathlib import Path

import pytest

from keys.document import digest
from tests.cli.conftest import Tocsin
from tests.gateway.evidence.case import ACCOUNT, ID, Told, tell_a_fleet
from tests.pages import ROOT, pattern_of, read_steps

PAGE = ROOT / "docs" / "how-to" / "prove-what-was-told.md"


@pytest.fixture
def told(tmp_path: Path) -> Told:
    made = tell_a_fleet(tmp_path / "fleet")
    (made.workspace.path / "roots" / "1.cose").write_bytes(made.fleet.root_document)
    made.store.close()
    return made


def test_every_command_of_the_page_prints_what_the_page_says(
    told: Told, tocsin: Tocsin, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps = read_steps(PAGE.read_text(encoding="utf-8"))
    assert len(steps) >= 10
    for step in steps:
        program, *arguments = shlex.split(step.command)
        if program == "tocsin":
            ran = tocsin(*arguments)
            printed = ran.out + ran.err
        elif program == "export":
            monkeypatch.setenv(*arguments[0].split("="))
            printed = ""
        else:
            done = subprocess.run(["bash", "-c", step.command], capture_output=True, text=True, check=True)
            printed = done.stdout + done.stderr
        assert pattern_of(step.expected).fullmatch(printed), f"{PAGE.name}:{step.line}\n{printed}"


def test_evidence_is_proved_without_a_workspace_by_root_or_digest(
    told: Told, tocsin: Tocsin, tmp_path: Path
) -> None:
    made = tocsin("evidence", "export", ID, "-o", "e.zip", "-w", "fleet", "--by", "auditor-1", "--json")
    assert made.status == 0, made.err
    exported = made.json["exported"]
    assert (exported["reports"], exported["devices"], exported["signed_by"]) == (6, 5, None)
    told.workspace.path.rename(tmp_path / "gone")
    (tmp_path / "1.cose").write_bytes(told.fleet.root_document)
    for trust in (("--root", "1.cose"), ("--fleet", digest(told.fleet.root_document).hex())):
        ran = tocsin("verify", "e.zip", *trust, "--json")
        assert ran.status == 0
        assert ran.json["proved"] is True
        assert ran.json["evidence"]["digest"] == exported["digest"]
    cases: tuple[tuple[tuple[str, ...], str], ...] = (
        (("--fleet", "00" * 32), "not the one that is trusted here"),
        (("--fleet", "xyz"), "64 hexadecimal digits"),
        ((), "Name root 1 with --root"),
    )
    for options, code in cases:
        ran = tocsin("verify", "e.zip", *options)
        assert ran.status != 0
        assert code in ran.err


def test_a_file_that_is_damaged_says_where(told: Told, tocsin: Tocsin) -> None:
    assert tocsin("evidence", "export", ID, "-o", "e.zip", "-w", "fleet").status == 0
    data = bytearray(Path("e.zip").read_bytes())
    data[data.find(b"told.csv") + 40] ^= 0xFF
    Path("e.zip").write_bytes(data)
    ran = tocsin("verify", "e.zip", "-w", "fleet")
    assert ran.status == 2
    assert "told.csv is damaged" in ran.err
    Path("e.zip").write_bytes(data[:500])
    ran = tocsin("verify", "e.zip", "-w", "fleet")
    assert (ran.status != 0, "Traceback" in ran.err) == (True, False)
    assert "it is no ZIP file" in ran.err


def test_what_cannot_be_exported_leaves_no_file(told: Told, tocsin: Tocsin, tmp_path: Path) -> None:
    for arguments, code in (
        (("EX-9",), "never published"),
        ((ID, "--account", "nobody"), "no account 'nobody'"),
        ((ID, "--key", "nobody"), "no key 'nobody'"),
    ):
        ran = tocsin("evidence", "export", *arguments, "-o", "e.zip", "-w", "fleet")
        assert ran.status != 0
        assert code in ran.err
    (told.workspace.path / "advisories" / ID / "r1" / "texts" / "en.cbor").unlink()
    ran = tocsin("evidence", "export", ID, "-o", "e.zip", "-w", "fleet")
    assert "en.cbor" in ran.err
    assert "no longer in the workspace" in ran.err
    assert not [path for path in tmp_path.iterdir() if "e.zip" in path.name]
    ran = tocsin("evidence", "export", ID, "-o", "nowhere/e.zip", "-w", "fleet")
    assert "cannot be written" in ran.err


def test_the_audit_chain_is_listed_shown_and_checked(told: Told, tocsin: Tocsin) -> None:
    about = tocsin(
        "audit", "list", "--about", f"advisory:{ID}", "--kind", "approval.", "-w", "fleet", "--json"
    )
    rows = about.json["rows"]
    assert [row["data"]["nth"][f"advisory:{ID}"] for row in rows[:3]] == [1, 2, 3]
    late = tocsin("audit", "list", "--since", "2027-01-16T00:00:00Z", "-w", "fleet", "--json").json["rows"]
    assert {row["time"] >= 1_800_057_600 for row in late} == {True}
    assert tocsin("audit", "list", "--since", "24h", "-w", "fleet").status == 0
    assert "--since" in tocsin("audit", "list", "--since", "soon", "-w", "fleet").err
    shown = tocsin("audit", "show", str(rows[0]["index"]), "-w", "fleet", "--json")
    assert shown.json["row"] == rows[0]
    assert "no row 999" in tocsin("audit", "show", "999", "-w", "fleet").err
    assert "no row 0" in tocsin("audit", "show", "0", "-w", "fleet").err
    found = tocsin("audit", "check", "-w", "fleet", "--json").json["check"]
    assert (found["strangers"], found["signed"]) == (0, found["rows"])


def test_an_account_gets_its_part_alone(told: Told, tocsin: Tocsin) -> None:
    made = tocsin("evidence", "export", ID, "--account", ACCOUNT, "-o", "e.zip", "-w", "fleet", "--json")
    assert made.json["exported"]["devices"] == 2
    ran = tocsin("verify", "e.zip", "-w", "fleet")
    assert ran.status == 0, ran.out + ran.err
    assert f"account {ACCOUNT}" in ran.out
    assert tocsin("verify", "e.zip", "-w", "fleet", "--json").json["evidence"]["withheld"] == 0
