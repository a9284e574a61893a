"""A small exercise workspace, made once by the operations and copied for each test."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from gateway.cli import homes
from gateway.cli import run as command
from gateway.operations import advisories, products
from gateway.operations.trust import keys, roots
from gateway.workspace.entries import Product
from gateway.workspace.folder import Workspace

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "advisories" / "EX-2026-0001.yaml"
ADVISORY = "EX-2026-0001"
ROLES = ("engineering", "legal", "communications", "release", "security", "operator", "gateway")


def no_passphrase(_name: str) -> bytes:
    return b""


@dataclass(frozen=True)
class Ran:
    """What one run of the command did."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Tocsin = Callable[..., Ran]


def snapshot(folder: Path) -> dict[str, bytes]:
    """Every file with its bytes; the lock files and what SQLite keeps beside its store say nothing."""
    silent = {".lock", ".serve.lock", ".leader.lock", "store.sqlite-wal", "store.sqlite-shm"}
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name not in silent
    }


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("template") / "fleet"
    workspace = Workspace.create(path, exercise=True)
    for name, languages in (("thermostat", ("en",)), ("doorbell", ("de", "ja"))):
        products.add(workspace, Product(name, name, languages, "console", "example.com", 65_536, "ask"))
    now = int(time.time())
    for role in ROLES:
        keys.new(workspace, role, roles=[role], holder=f"exercise-{role}", now=now, by="exercise")
    for name in ("anna", "ben", "carla"):
        keys.new(workspace, f"root-{name}", roles=["root"], holder=f"exercise-{name}", now=now, by="exercise")
    roots.draft(workspace, now=now, by="exercise")
    for name in ("anna", "ben"):
        roots.sign_draft(workspace, f"root-{name}", no_passphrase, now=now, by="exercise")
    roots.publish(workspace, now=now, by="exercise")
    operator = workspace.signer("operator", no_passphrase)
    for product in workspace.products().values():
        planned = homes.wishes(product, 2, version=(1, 4, 1, 0))
        homes.make(workspace, planned, operator, now=now)
    advisories.add(workspace, EXAMPLE)
    return path


@pytest.fixture
def workspace(template: Path, tmp_path: Path) -> Workspace:
    shutil.copytree(template, tmp_path / "fleet")
    return Workspace.open(tmp_path / "fleet")


@pytest.fixture
def tocsin(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Tocsin]:
    """Run the real command in this process, in an empty folder, without a terminal."""
    monkeypatch.chdir(tmp_path)
    for name in list(os.environ):
        if name.startswith("TOCSIN_"):
            monkeypatch.delenv(name)
    with Path(os.devnull).open() as nobody:
        monkeypatch.setattr(sys, "stdin", nobody)

        def run(*arguments: str | Path, env: dict[str, str] | None = None) -> Ran:
            with monkeypatch.context() as patch:
                for name, value in (env or {}).items():
                    patch.setenv(name, value)
                capsys.readouterr()
                status = command.run([str(argument) for argument in arguments])
            out, err = capsys.readouterr()
            return Ran(status, out, err)

        yield run


@pytest.fixture
def process(tmp_path: Path) -> Tocsin:
    """Run the installed command in its own process, in an empty folder, without a terminal."""

    def run(*arguments: str | Path, env: dict[str, str] | None = None) -> Ran:
        base = {k: v for k, v in os.environ.items() if not k.startswith("TOCSIN_")}
        done = subprocess.run(
            [Path(sys.executable).parent / "tocsin", *map(str, arguments)],
            cwd=tmp_path,
            env={**base, "COLUMNS": "200", **(env or {})},
            capture_output=True,
            text=True,
            timeout=60,
            stdin=subprocess.DEVNULL,
            check=False,
        )
        return Ran(done.returncode, done.stdout, done.stderr)

    return run
