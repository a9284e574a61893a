"""The devices of this repository as boards: a board file for each, as a person would write it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.flow.invariants import TOCSIN
from tests.hil.bridge_scene import make_workspace

LIMIT_S = 600.0
PYTHON_SUBSETS = ("suit.conditions", "suit.try-each", "suit.integrated", "suit.delta", "suit.set-version")


def python(folder: Path) -> str:
    """The simulated device, as its command makes a board of it."""
    workspace = folder / "fleet"
    member = make_workspace(workspace)
    words = (
        "device",
        "run",
        member.id,
        "--serial",
        "pty:{pty}",
        "--workspace",
        str(workspace),
        "--test-build",
    )
    return f"""
[board.python]
class = "simulated"
tags = {json.dumps(PYTHON_SUBSETS)}
boot = {{ timeout_s = 60, banner = "^tocsin: boot " }}
spawn = {{ driver = "process", command = {json.dumps([*map(str, TOCSIN), *words])}, serial = ["pty"] }}
destructive = true
"""


BOARDS: Mapping[str, Callable[[Path], str]] = {"python": python}
"""Name of a board -> what writes its part of a board file, or skips the test where a tool is missing."""


@dataclass(frozen=True)
class Ran:
    """What a run of the table left."""

    status: int
    out: str
    results: dict[str, Any]
    table: str

    def row(self, name: str) -> dict[str, Any]:
        """The result of a row."""
        return next(row for row in self.results["rows"] if row["row"] == name)


def run(folder: Path, name: str, *options: str) -> Ran:
    """Run the table as a person would, in a folder of its own."""
    (folder / "run").mkdir(exist_ok=True)
    lean = [
        word for plugin in ("anyio", "asyncio", "cov", "hypothesispytest") for word in ("-p", f"no:{plugin}")
    ]
    ours = {k: v for k, v in os.environ.items() if not k.startswith(("PYTEST_", "HIL_", "COV_", "COVERAGE_"))}
    done = subprocess.run(
        [
            *(
                sys.executable,
                "-m",
                "pytest",
                *lean,
                "-p",
                "no:cacheprovider",
                "-q",
                "--rootdir",
                str(folder),
            ),
            *("--pyargs", "hil.conformance", "--hil-board", name, "--hil-require", *options),
        ],
        cwd=folder,
        env={**ours, "XDG_RUNTIME_DIR": str(folder / "run"), "COLUMNS": "200"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )
    kept = folder / "build" / "hil" / name
    found = (
        json.loads((kept / "conformance.json").read_text()) if (kept / "conformance.json").is_file() else {}
    )
    table = (kept / "conformance.md").read_text() if found else ""
    return Ran(done.returncode, done.stdout, found, table)
