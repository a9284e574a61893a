"""Evidence from the command line: exported, proved elsewhere, refused where it is not what it says."""

from __future__ import annotations

import errno
import fcntl
import os
import shlex
import subprocess
import threading
import zipfile
from pathlib import Path
from typing import IO

import pytest

from gateway.operations.evidence import placing
from keys.document import digest
from tests.cli.conftest import Ran, Tocsin
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


def export(tocsin: Tocsin, output: str | Path) -> Ran:
    return tocsin("evidence", "export", ID, "-o", output, "-w", "fleet", "--by", "auditor-1", "--json")


@pytest.mark.parametrize(
    ("output", "code"),
    [
        ("fleet/store.sqlite", "WORKSPACE_IN_THE_WAY"),
        ("fleet/store.sqlite-journal", "WORKSPACE_IN_THE_WAY"),
        ("fleet/tocsin.toml", "WORKSPACE_IN_THE_WAY"),
        ("fleet/keys/new.pem", "WORKSPACE_IN_THE_WAY"),
        ("to-the-store", "WORKSPACE_IN_THE_WAY"),
        ("key.txt", "KEY_IN_THE_WAY"),
        ("notes.txt", "FILE_IN_THE_WAY"),
        ("other.zip", "FILE_IN_THE_WAY"),
        ("to-notes", "FILE_IN_THE_WAY"),
        ("pipe", "NOT_A_FILE"),
        ("/dev/null", "NOT_A_FILE"),
        ("fleet", "NOT_A_FILE"),
        ("", "NOT_A_FILE"),
        (".", "NOT_A_FILE"),
        ("/", "NOT_A_FILE"),
        ("loop", "FILE"),
        ("x" * 256, "FILE"),
    ],
)
def test_evidence_takes_the_place_of_earlier_evidence_only(
    told: Told, tocsin: Tocsin, tmp_path: Path, output: str, code: str
) -> None:
    Path("notes.txt").write_bytes(b"mine")
    Path("key.txt").write_bytes(b"-----BEGIN PRIVATE KEY-----\n")
    with zipfile.ZipFile("other.zip", "w") as other:
        other.writestr("evidence.json", "[]")
    os.mkfifo("pipe")
    for name, target in (("to-notes", "notes.txt"), ("to-the-store", "fleet/store.sqlite"), ("loop", "loop")):
        Path(name).symlink_to(target)
    before = sorted(path.name for path in tmp_path.iterdir())
    ran = export(tocsin, output)
    assert ran.json["error"]["code"] == code
    assert sorted(path.name for path in tmp_path.iterdir()) == before
    assert (Path("notes.txt").read_bytes(), Path("pipe").is_fifo()) == (b"mine", True)
    rows = tocsin("audit", "list", "--kind", "evidence.", "-w", "fleet", "--json").json["rows"]
    assert rows == [], "what was not given out is not recorded as such"


def test_evidence_goes_where_a_link_leads_under_names_of_any_length_and_over_earlier_evidence(
    told: Told, tocsin: Tocsin, tmp_path: Path
) -> None:
    Path("link").symlink_to("e.zip")
    Path("victim").write_bytes(b"mine")
    Path(".e.zip.new").symlink_to("victim")
    for output in ("link", "link", "x" * 250, "y" * 251 + ".zip"):
        ran = export(tocsin, output)
        assert ran.status == 0, ran.out
        assert tocsin("verify", output, "-w", "fleet").status == 0
    assert (Path("link").is_symlink(), Path("e.zip").is_symlink()) == (True, False)
    assert Path("victim").read_bytes() == b"mine"
    assert not list(tmp_path.glob(".tocsin-*"))


def test_a_disk_that_is_full_at_last_leaves_no_file_and_says_which_row_stands(
    told: Told, tocsin: Tocsin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_handle: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(placing.os, "fsync", full)
        ran = export(tocsin, "e.zip")
    (row,) = tocsin("audit", "list", "--kind", "evidence.", "-w", "fleet", "--json").json["rows"]
    assert ran.status == 4
    assert f"Row {row['index']} of the audit chain records this export all the same." in ran.out
    assert not [path for path in tmp_path.iterdir() if path.suffix in {".zip", ".new"}]


@pytest.mark.parametrize("name", ["outputs/en/console.txt", "texts/en.cbor", "release-list.cbor"])
def test_what_was_altered_since_it_was_published_is_not_handed_out(
    told: Told, tocsin: Tocsin, name: str
) -> None:
    path = told.workspace.path / "advisories" / ID / "r1" / name
    path.write_bytes(path.read_bytes() + b"x")
    error = export(tocsin, "e.zip").json["error"]
    assert (error["code"], error["where"].endswith(f"r1/{name}")) == ("RELEASE_DAMAGED", True)
    assert "Restore" in error["mend"]
    assert not Path("e.zip").exists()


def test_what_comes_through_a_pipe_is_judged_like_a_file(told: Told, tocsin: Tocsin) -> None:
    assert export(tocsin, "e.zip").status == 0
    os.mkfifo("pipe")
    said = {}
    for place in ("fleet/roots/1.cose", "e.zip"):
        data = Path(place).read_bytes()
        writer = threading.Thread(target=Path("pipe").write_bytes, args=(data,))
        writer.start()
        ran = tocsin("verify", "pipe", "-w", "fleet")
        writer.join()
        assert ran.status == 0, ran.err
        said[place] = ran.out
    assert said["fleet/roots/1.cose"].startswith("pipe: genuine")
    assert said["e.zip"].startswith("pipe: proved")


def test_what_a_killed_export_left_is_swept_by_the_next(tmp_path: Path) -> None:
    left = tmp_path / ".tocsin-0123456789abcdef.new"
    left.write_bytes(b"half")
    others = [tmp_path / name for name in (".tocsin-01.new", ".tocsin-0123456789ABCDEF.new", "e.zip.new")]
    for other in others:
        other.write_bytes(b"mine")
    folder = tmp_path / ".tocsin-00112233445566ff.new"
    folder.mkdir()
    link = tmp_path / ".tocsin-ffffffffffffffff.new"
    link.symlink_to(others[0])
    with placing.placed(tmp_path / "one.zip") as outer:
        outer.write(b"outer")
        assert not left.exists()
        with placing.placed(tmp_path / "two.zip") as inner:
            inner.write(b"inner")
    assert (tmp_path / "one.zip").read_bytes() == b"outer", "it was being written, and stayed"
    assert (tmp_path / "two.zip").read_bytes() == b"inner"
    kept = {*others, folder, link, tmp_path / "one.zip", tmp_path / "two.zip"}
    assert set(tmp_path.iterdir()) == kept


def test_a_file_that_is_swept_before_it_is_locked_is_made_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock = fcntl.flock

    def late(stream: IO[bytes], how: int) -> None:
        monkeypatch.setattr(fcntl, "flock", lock)
        placing._sweep(tmp_path)
        lock(stream, how)

    monkeypatch.setattr(fcntl, "flock", late)
    with placing.placed(tmp_path / "one.zip") as stream:
        stream.write(b"whole")
    assert [path.name for path in tmp_path.iterdir()] == ["one.zip"]
    assert (tmp_path / "one.zip").read_bytes() == b"whole"
