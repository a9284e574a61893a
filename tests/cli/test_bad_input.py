"""Bad input: one sentence that says where, what and how to mend it; the documented status; nothing written."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from gateway.workspace.folder import Workspace
from tests.cli.bad_cases import CASES, Case
from tests.cli.conftest import ADVISORY, Tocsin, snapshot


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_bad_input_is_told_in_one_sentence_and_changes_nothing(
    case: Case, workspace: Workspace, tocsin: Tocsin, process: Tocsin
) -> None:
    case.prepare(workspace)
    before = snapshot(workspace.path)
    run = process if case.command.startswith("serve") else tocsin
    ran = run(*case.command.split(), env={"TOCSIN_WORKSPACE": str(workspace.path)})
    assert ran.status == case.status, ran
    assert "Traceback" not in ran.out + ran.err
    if case.status:
        lines = [line for line in ran.err.splitlines() if line]
        assert len(lines) == 1, ran.err
        assert lines[0].startswith("error: ")
        for part in case.says:
            assert part in lines[0]
    assert snapshot(workspace.path) == before


def test_a_folder_that_is_no_workspace(process: Tocsin, tmp_path: Path) -> None:
    ran = process("status")
    assert ran.status == 2
    assert "not a workspace" in ran.err
    assert "tocsin init" in ran.err
    assert not list(tmp_path.iterdir())


def test_a_broker_that_no_device_reaches(process: Tocsin, workspace: Workspace) -> None:
    ran = process("fleet", "run", "--broker", "mqtt://127.0.0.1:1", "-w", workspace.path)
    assert ran.status == 4
    assert "127.0.0.1:1" in ran.err
    assert "Traceback" not in ran.err


def test_a_wrong_passphrase(tocsin: Tocsin, workspace: Workspace) -> None:
    env = {"TOCSIN_WORKSPACE": str(workspace.path), "TOCSIN_PASSPHRASE": "right"}
    assert tocsin("key", "new", "root-dora", "--role", "root", "--holder", "dora", env=env).status == 0
    assert b"ENCRYPTED" in (workspace.path / "keys/root-dora.pem").read_bytes()
    assert tocsin("root", "rotate", env=env).status == 0
    before = snapshot(workspace.path)
    ran = tocsin("root", "sign", "--key", "root-dora", env={**env, "TOCSIN_PASSPHRASE": "incorrect horse"})
    assert ran.status == 2
    assert "passphrase does not open" in ran.err
    assert "incorrect horse" not in ran.err
    assert snapshot(workspace.path) == before
    assert tocsin("root", "sign", "--key", "root-dora", env=env).status == 0


def test_a_port_that_is_taken(process: Tocsin, workspace: Workspace) -> None:
    before = snapshot(workspace.path)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        ran = process("serve", "--port", str(port), "-w", workspace.path)
    assert ran.status == 4
    assert str(port) in ran.err
    assert snapshot(workspace.path) == before


def test_a_folder_without_permission(tmp_path: Path) -> None:
    """As another user where the tests run as root, for whom every folder is open."""
    locked = tmp_path / "locked"
    locked.mkdir(mode=0o555)
    drop = "os.geteuid() or (os.setgid(65534), os.setuid(65534))"
    code = f"import os, gateway.cli.app as app; app.make(); from gateway.cli.main import main; {drop}; main()"
    python = [sys.executable, "-c", code, "init", str(locked / "fleet")]
    done = subprocess.run(python, check=False, capture_output=True, text=True)
    assert done.returncode == 4
    assert "error: " in done.stderr
    assert str(locked) in done.stderr
    assert "Traceback" not in done.stderr
    assert not list(locked.iterdir())


@pytest.mark.parametrize(
    ("folder", "command"),
    [
        ("roots", ("root", "show")),
        ("advisories", ("advisory", "check", "EX-2026-0404")),
        ("patches", ("patch", "show", "1")),
    ],
)
def test_a_folder_of_the_workspace_that_may_not_be_read_is_not_missing(
    workspace: Workspace, folder: str, command: tuple[str, ...]
) -> None:
    """As another user where the tests run as root, to whom the rest of the workspace then belongs."""
    drop = "os.geteuid() or (os.setgid(65534), os.setuid(65534))"
    code = f"import os, gateway.cli.app as app; app.make(); from gateway.cli.main import main; {drop}; main()"
    if os.geteuid() == 0:
        for path in (workspace.path, *workspace.path.rglob("*")):
            os.chown(path, 65_534, 65_534)
        for path in workspace.path.parents:
            if path != Path("/") and path.stat().st_mode & 0o001 == 0:
                path.chmod(path.stat().st_mode | 0o011)
    (workspace.path / folder).chmod(0)
    python = [sys.executable, "-c", code, *command, "-w", str(workspace.path)]
    done = subprocess.run(python, check=False, capture_output=True, text=True)
    (workspace.path / folder).chmod(0o700)
    assert done.returncode == 4, done
    assert "Permission denied" in done.stderr
    assert str(workspace.path / folder) in done.stderr
    assert "Traceback" not in done.stderr


def test_with_json_an_error_is_one_object(tocsin: Tocsin, workspace: Workspace) -> None:
    ran = tocsin("advisory", "publish", ADVISORY, "--json", "-w", workspace.path)
    assert ran.status == 2
    assert ran.err == ""
    assert ran.json["exit_status"] == 2
    assert ran.json["error"]["code"] == "NOT_APPROVED"
    assert ran.json["error"]["mend"]
    ran = tocsin("advisory", "publish", "--json", "-w", workspace.path)
    assert ran.json["error"]["code"] == "USAGE"
