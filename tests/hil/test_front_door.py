"""How the command ``hil`` ends where the system or a missing part stops it."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from gateway.cli import run as front_door


@pytest.mark.parametrize(("program", "status"), [("hil", 3), ("tocsin", 4)])
def test_what_the_system_refuses_is_the_benchs_on_a_bench(
    program: str, status: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(_arguments: list[str], _program: str) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "out.json")

    monkeypatch.setattr(front_door, "_invoke", full)
    assert front_door.run(["doctor"], program) == status
    assert capsys.readouterr().err == (
        "error: out.json: The system says: No space left on device. Check the path and its rights.\n"
    )


def test_a_bench_without_its_parts_says_what_to_install(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text("import sys\nsys.modules['serial'] = None\n")
    done = subprocess.run(
        [sys.executable, "-c", "from gateway.cli.main import bench; bench()", "who", "--json"],
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 3, done.stderr
    assert json.loads(done.stdout)["error"]["mend"] == "Run: pip install 'tocsin[hil]'"
