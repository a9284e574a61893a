"""Where only ``pip install tocsin`` was run, ``hil`` says what is missing."""

from __future__ import annotations

import subprocess
import sys

import pytest

WITHOUT = """
import sys
sys.modules[{part!r}] = None  # importing it fails as if it were not there
from gateway.cli.run import run
sys.exit(run({arguments!r}, "hil"))
"""


@pytest.mark.parametrize("part", ["serial", "serial.tools"])
@pytest.mark.parametrize("arguments", [["--help"], ["probe", "desk1"], ["report", "none.xml"]])
def test_a_part_that_is_not_installed_is_named(part: str, arguments: list[str]) -> None:
    script = WITHOUT.format(part=part, arguments=arguments)
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stdout) == (3, ""), done.stderr
    assert done.stderr.endswith(f"needs {part}, which is not installed. Run: pip install 'tocsin[hil]'\n")
