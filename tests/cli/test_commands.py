"""What each command does when all is well: JSON, dry runs, exit statuses, and the help of every one."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from gateway.cli import run as command
from gateway.cli.app import COMMANDS
from gateway.cli.app import make as tocsin
from gateway.cli.homes import firmware
from gateway.cli.reference import reference
from gateway.operations import advisories
from gateway.workspace.folder import Workspace
from tests.cli.conftest import ADVISORY, ROOT, Tocsin, no_passphrase, snapshot


def commands(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    children = getattr(command, "commands", {})
    if not children:
        yield path, command
    for name, child in children.items():
        yield from commands(child, (*path, name))


ALL = list(commands(typer.main.get_command(tocsin())))


@pytest.mark.parametrize(("path", "command"), ALL, ids=[" ".join(path) for path, _ in ALL])
def test_every_command_has_help_an_example_that_parses_and_json(path: tuple[str, ...], command: Any) -> None:
    assert command.help
    assert command.epilog.startswith(f"Example: tocsin {' '.join(path)}")
    options = {option for param in command.params for option in param.opts}
    assert "--json" in options or path == ("device", "run")  # a live screen for a person
    assert all(param.help for param in command.params if param.name != "help")
    if {"publish", "start", "pause", "resume", "cancel"} & set(path):
        assert "--dry-run" in options
    for argument in ("passphrase", "password", "secret"):
        assert not [option for option in options if option == f"--{argument}"]


def test_the_reference_page_is_what_the_program_says() -> None:
    assert (ROOT / "docs/reference/cli.md").read_text() == reference(tocsin())


def test_init_makes_a_workspace_that_git_can_keep(tocsin: Tocsin, tmp_path: Path) -> None:
    ran = tocsin("init", "fleet", "--exercise", "--prefix", "acme/drill", "--json")
    assert ran.status == 0
    assert ran.json == {"workspace": "fleet", "exercise": True, "prefix": "acme/drill", "broker": None}
    assert "/keys/" in (tmp_path / "fleet/.gitignore").read_text()
    assert oct((tmp_path / "fleet/keys").stat().st_mode)[-3:] == "700"
    assert tocsin("init", "fleet").status == 2
    assert tocsin("init", "other", "--prefix", "a//b").status == 2
    assert not (tmp_path / "other").exists()


def test_the_whole_flow_speaks_json(workspace: Workspace, tocsin: Tocsin, tmp_path: Path) -> None:
    here = ("-w", workspace.path, "--json")
    assert tocsin("advisory", "check", ADVISORY, *here).json["blocking"] == 0
    for role in ("engineering", "legal", "communications"):
        ran = tocsin("advisory", "approve", ADVISORY, "--key", role, "--yes", *here)
        assert ran.status == 0, ran
    assert ran.json["missing"] == []
    before = snapshot(workspace.path)
    dry = tocsin("advisory", "publish", ADVISORY, "--dry-run", *here)
    assert dry.json["dry_run"]
    assert not dry.json["changed"]
    assert snapshot(workspace.path) == before
    done = tocsin("advisory", "publish", ADVISORY, *here)
    assert done.json["changed"]
    assert done.json["digest"] == dry.json["digest"] == ran.json["digest"]
    assert not tocsin("advisory", "publish", ADVISORY, *here).json["changed"]

    image = tmp_path / "image.bin"
    image.write_bytes(firmware("thermostat", (1, 4, 2, 0)))
    added = tocsin(
        "patch", "add", "--product", "thermostat", "--image", image, "--text", "en=Mends it.", *here
    )
    assert added.json["version"] == "1.4.2"
    refused = tocsin("patch", "publish", "thermostat@1.4.2", *here)
    assert (refused.status, refused.json["error"]["code"]) == (3, "THRESHOLD_NOT_MET")
    for role in ("release", "security"):
        assert tocsin("patch", "approve", "thermostat@1.4.2", "--key", role, "--yes", *here).status == 0
    before = snapshot(workspace.path)
    assert tocsin("patch", "publish", "thermostat@1.4.2", "--dry-run", *here).status == 0
    early = tocsin("rollout", "start", "--patch", "thermostat@1.4.2", *here)
    assert early.json["error"]["code"] == "PATCH_UNPUBLISHED"
    assert snapshot(workspace.path) == before
    assert tocsin("patch", "publish", "thermostat@1.4.2", *here).status == 0
    assert tocsin("rollout", "start", "--patch", "thermostat@1.4.2", "--dry-run", *here).json["dry_run"]
    assert tocsin("rollout", "status", *here).json["rollouts"] == []
    started = tocsin("rollout", "start", "--patch", str(added.json["sequence"]), "--groups", "50,50", *here)
    assert [group["counts"]["total"] for group in started.json["rollout"]["groups"]] == [1, 1]
    assert tocsin("rollout", "pause", "thermostat-1.4.2", *here).status == 0
    assert tocsin("rollout", "resume", "thermostat-1.4.2", *here).status == 0
    assert tocsin("rollout", "cancel", "thermostat-1.4.2", "--dry-run", *here).status == 0
    assert tocsin("rollout", "cancel", "thermostat-1.4.2", *here).json["rollout"]["state"] == "stopped"
    found = tocsin("status", *here).json["status"]
    assert (found["devices"], found["reporting"]) == (4, 0)
    assert found["advisories"][0]["products"]["thermostat"]["silent"] == 2
    for words in (("product", "list"), ("key", "list"), ("device", "list"), ("root", "show")):
        assert tocsin(*words, *here).status == 0
        assert tocsin(*words, "-w", workspace.path).out


CHANGED = {
    "en": "We say who is meant.",
    "de": "Wir sagen, wer gemeint ist.",
    "fr": "Nous disons qui est concerné.",
    "es": "Decimos a quién nos referimos.",
    "it": "Diciamo chi è interessato.",
    "pl": "Mówimy, kogo to dotyczy.",
    "ja": "対象を明記しました。",
    "zh": "我们说明了对象。",
    "ar": "أوضحنا من المقصود.",
}


def test_what_changes_after_publishing_becomes_the_next_revision(
    workspace: Workspace, tocsin: Tocsin
) -> None:
    here = ("-w", workspace.path, "--json")
    path = workspace.path / "advisories" / f"{ADVISORY}.yaml"
    records = []
    for revision in (1, 2):
        for role in ("engineering", "legal", "communications"):
            ran = tocsin("advisory", "approve", ADVISORY, "--key", role, "--yes", *here)
            assert ran.json.get("revision") == revision, ran
        assert tocsin("advisory", "publish", ADVISORY, *here).json["revision"] == revision
        text = path.read_text().replace("phase: initial ", "phase: update ")
        for language, changed in CHANGED.items():
            text = text.replace(f"  {language}:\n", f'  {language}:\n    changed: "{changed}"\n')
        path.write_text(text)
        records.append(snapshot(workspace.path / "advisories" / ADVISORY / "r1"))
    assert (workspace.path / "advisories" / ADVISORY / "r2" / "header.cose").is_file()
    assert records[0] == records[1]


def test_a_revision_that_does_not_follow_is_not_published(workspace: Workspace, tocsin: Tocsin) -> None:
    here = ("-w", workspace.path, "--json")
    path = workspace.path / "advisories" / f"{ADVISORY}.yaml"
    first = path.read_text()
    for role in ("engineering", "legal", "communications"):
        tocsin("advisory", "approve", ADVISORY, "--key", role, "--yes", *here)
    assert tocsin("advisory", "publish", ADVISORY, *here).status == 0
    path.write_text(first.replace("strangers", "people"))
    for role in ("engineering", "legal", "communications"):
        tocsin("advisory", "approve", ADVISORY, "--key", role, "--yes", *here)
    ran = tocsin("advisory", "publish", ADVISORY, *here)
    assert ran.status == 2 or not ran.json["changed"]
    assert advisories.published_revision(workspace, ADVISORY) == 1


def test_approvals_can_be_started_over(workspace: Workspace, tocsin: Tocsin) -> None:
    here = ("-w", workspace.path, "--json")
    tocsin("advisory", "approve", ADVISORY, "--key", "legal", "--yes", *here)
    path = workspace.path / "advisories" / f"{ADVISORY}.yaml"
    path.write_text(path.read_text().replace("strangers", "people"))
    ran = tocsin("advisory", "approve", ADVISORY, "--key", "engineering", "--yes", "--restart", *here)
    assert ran.status == 0
    assert sorted(ran.json["missing"]) == ["communications", "legal"]


def test_a_review_that_somebody_overtook_is_not_signed(workspace: Workspace) -> None:
    import time

    first = advisories.review(workspace, ADVISORY, now=int(time.time()))
    second = advisories.review(workspace, ADVISORY, now=int(time.time()))
    advisories.approve(workspace, first, "legal", no_passphrase)
    with pytest.raises(Exception, match="Somebody else approved it or handed it out meanwhile"):
        advisories.approve(workspace, second, "engineering", no_passphrase)


def test_a_new_advisory_begins_with_a_file_that_reads_but_is_not_ready(
    workspace: Workspace, tocsin: Tocsin
) -> None:
    here = ("-w", workspace.path)
    assert tocsin("advisory", "new", "EX-2026-0002", *here).status == 0
    ran = tocsin("advisory", "check", "EX-2026-0002", *here)
    assert ran.status == 1, ran
    assert "EX-2026-0002.yaml:" in ran.out
    assert ": block: " in ran.out


def test_verify_tells_genuine_altered_unknown_and_incomplete_apart(
    workspace: Workspace, tocsin: Tocsin
) -> None:
    here = ("-w", workspace.path, "--json")
    header = workspace.path / "advisories" / ADVISORY / "r1" / "header.cose"
    tocsin("advisory", "approve", ADVISORY, "--key", "engineering", "--yes", *here)
    assert tocsin("verify", header, *here).json["result"]["verdict"] == "not enough signatures"
    for role in ("legal", "communications"):
        tocsin("advisory", "approve", ADVISORY, "--key", role, "--yes", *here)
    genuine = tocsin("verify", header, *here)
    assert (genuine.status, genuine.json["result"]["verdict"]) == (0, "genuine")
    assert [s["holder"] for s in genuine.json["result"]["signed"]] == [
        "exercise-engineering",
        "exercise-legal",
        "exercise-communications",
    ]
    root = workspace.path / "roots" / "1.cose"
    assert tocsin("verify", header, "--root", root, "--json").status == 0
    assert tocsin("verify", root, *here).json["result"]["verdict"] == "genuine"
    forged = workspace.path / "forged.cose"
    forged.write_bytes(header.read_bytes().replace(b"EX-2026-0001", b"EX-2026-0009"))
    altered = tocsin("verify", forged, *here)
    assert (altered.status, altered.json["result"]["verdict"]) == (1, "altered")


def test_a_second_root_follows_the_first(workspace: Workspace, tocsin: Tocsin) -> None:
    here = ("-w", workspace.path, "--json")
    ran = tocsin(
        "key",
        "new",
        "root-dora",
        "--role",
        "root",
        "--holder",
        "dora",
        "--no-passphrase",
        "--algorithm",
        "esp256",
        *here,
    )
    assert ran.status == 0
    assert tocsin("root", "rotate", *here).json["version"] == 2
    tocsin("root", "sign", "--key", "root-dora", *here)
    refused = tocsin("root", "publish", *here)
    assert refused.status == 3
    assert "root-anna" in refused.json["error"]["mend"]
    for name in ("root-anna", "root-carla"):
        tocsin("root", "sign", "--key", name, *here)
    assert tocsin("root", "publish", "--dry-run", *here).json["draft"]
    assert tocsin("root", "publish", *here).json["version"] == 2
    assert tocsin("root", "show", "1", *here).json["version"] == 1
    assert tocsin("root", "show", *here).json["version"] == 2
    assert tocsin("verify", workspace.path / "roots" / "2.cose", *here).status == 0


@pytest.mark.parametrize("milliseconds", [60, 150, 300, 500, 800])
def test_ctrl_c_ends_clean_even_while_the_program_starts(milliseconds: int, workspace: Workspace) -> None:
    tocsin = Path(sys.executable).parent / "tocsin"
    before = snapshot(workspace.path)
    arguments = [tocsin, "status", "-w", workspace.path]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as running:
        try:
            running.wait(milliseconds / 1000)
        except subprocess.TimeoutExpired:
            running.send_signal(signal.SIGINT)
        _, err = running.communicate(timeout=60)
    # In the interpreter's own start, before any of our lines, Python itself may be the one that dies.
    assert running.returncode in {0, 130, -signal.SIGINT}
    assert "Traceback" not in err or "cli/main.py" not in err
    assert snapshot(workspace.path) == before


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 0)])
def test_serve_ends_clean(number: int, status: int, workspace: Workspace) -> None:
    tocsin = Path(sys.executable).parent / "tocsin"
    arguments = [tocsin, "serve", "--http", "0", "--json", "-w", workspace.path]
    with subprocess.Popen(
        arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ}
    ) as serving:
        assert serving.stdout is not None
        told = json.loads(serving.stdout.readline())
        assert told["broker"].startswith("mqtt://127.0.0.1:")
        assert told["http"].startswith("http://127.0.0.1:")
        assert (workspace.path / "serve.json").is_file()
        second = subprocess.run(arguments, capture_output=True, text=True, check=False, timeout=60)
        assert second.returncode == 4
        serving.send_signal(number)
        _, err = serving.communicate(timeout=60)
        assert serving.returncode == status, err
        assert "Traceback" not in err
    assert not (workspace.path / "serve.json").exists()


def test_a_fault_of_ours_is_told_as_one(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(command, "_tocsin", broken)
    assert command.run(["status"]) == 70
    assert "TOCSIN_TRACEBACK=1" in capsys.readouterr().err
    monkeypatch.setenv("TOCSIN_TRACEBACK", "1")
    with pytest.raises(ZeroDivisionError):
        command.run(["status"])


def test_the_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.run(["--version"]) == 0
    assert capsys.readouterr().out.startswith("tocsin ")


@pytest.mark.parametrize("first", COMMANDS)
def test_a_command_line_imports_its_own_command_and_finds_it_whole(first: str) -> None:
    alone, among = typer.main.get_command(tocsin(first)), typer.main.get_command(tocsin())
    assert first in alone.commands
    paths = [[path for path, _ in commands(found.commands[first])] for found in (alone, among)]
    assert paths[0] == paths[1]
