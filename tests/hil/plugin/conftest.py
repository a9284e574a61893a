"""A project with boards of its own, in which pytest is run."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import hil.plugin.run  # noqa: F401 - loaded once: pytester drops what a run in this process has imported itself

FIRMWARE = Path(__file__).with_name("firmware.py")
INI = """
[pytest]
addopts = --strict-markers --strict-config -p no:cacheprovider
filterwarnings = error
"""


_LEAN = tuple(
    word
    for name in ("anyio", "asyncio", "cov", "hypothesispytest", "schemathesis")
    for word in ("-p", f"no:{name}")
)
"""Loading the plugins of others takes longer than most runs; one test has them all."""
EVERY_PLUGIN = ("-o", "asyncio_default_fixture_loop_scope=function")


@dataclass(frozen=True)
class Ran:
    """What one run of pytest did."""

    status: int
    out: str

    def folder(self, root: Path, test: str, board: str = "exercise-1") -> Path:
        """The evidence of one test."""
        found = list((root / "build" / "hil" / board).glob(f"*{test}-*"))
        assert len(found) == 1, f"{test}: {found}\n{self.out}"
        return found[0]


class Project:
    """A folder with tests and a board file; its locks are its own."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.locks = root / "run"
        self.locks.mkdir()
        self._boards = ""
        (root / "pytest.ini").write_text(INI)

    def board(self, name: str = "exercise-1", kind: str = "plain", more: str = "") -> None:
        """Add a board; ``more`` is TOML of its table."""
        command = json.dumps([sys.executable, str(FIRMWARE), kind, "{port}"])
        grave = json.dumps({"GRAVE": str(self.root / "grave")}).replace(":", " =", 1)
        self._boards += f"""
[board.{name}]
class = "peer"
boot = {{ timeout_s = 15 }}
spawn = {{ driver = "process", command = {command}, env = {grave} }}
{more}
"""
        (self.root / "hil-boards.toml").write_text(self._boards)

    def tests(self, text: str, name: str = "test_board.py") -> None:
        """Write tests."""
        head = "from hil.plugin import mark as hil\n"
        (self.root / name).write_text(head + text, encoding="utf-8")

    def environ(self, **more: str) -> dict[str, str]:
        """The environment of a run."""
        ours = {
            k: v for k, v in os.environ.items() if not k.startswith(("PYTEST_", "HIL_", "COV_", "COVERAGE_"))
        }
        return {**ours, "XDG_RUNTIME_DIR": str(self.locks), "COLUMNS": "200", **more}

    def command(self, *arguments: str) -> list[str]:
        """The command line of a run."""
        lean = () if arguments[: len(EVERY_PLUGIN)] == EVERY_PLUGIN else _LEAN
        return [sys.executable, "-m", "pytest", *lean, *arguments]

    def run(self, *arguments: str, **environ: str) -> Ran:
        """Run pytest in the folder, as a person would."""
        done = subprocess.run(
            self.command(*arguments),
            cwd=self.root,
            env=self.environ(**environ),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=120,
            stdin=subprocess.DEVNULL,
            check=False,
        )
        return Ran(done.returncode, done.stdout)

    def run_here(self, pytester: pytest.Pytester, *arguments: str) -> Ran:
        """Run pytest in this process: quicker, for what ends before a board is touched."""
        os.chdir(self.root)  # pytester goes back
        ran = pytester.runpytest_inprocess(*_LEAN, *arguments)
        return Ran(int(ran.ret), ran.stdout.str() + ran.stderr.str())

    def with_board(self, *arguments: str, **environ: str) -> Ran:
        """Run pytest with all boards of the file."""
        return self.run(*arguments, "--hil-boards", "hil-boards.toml", **environ)

    def evidence(self) -> dict[Path, bytes]:
        """Every file under ``build``."""
        return {path: path.read_bytes() for path in (self.root / "build").rglob("*") if path.is_file()}


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


def read_json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))
