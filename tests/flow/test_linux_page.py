"""The page on embedded Linux is run word for word, and systemd reads the unit as it was meant."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from device_sim.board import BOARD_KEYS
from tests.cli.conftest import template  # noqa: F401 - a fixture
from tests.pages import ROOT, Step, followed

PAGE = ROOT / "docs" / "how-to" / "run-on-linux.md"
UNIT = ROOT / "examples" / "systemd" / "tocsin-device.service"
EXPOSURE_MAX = 2.5
needs_systemd = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")


@pytest.mark.slow
def test_every_command_of_the_page_on_linux_prints_what_it_says(
    template: Path,  # noqa: F811 - the fixture
    tmp_path: Path,
) -> None:
    shutil.copytree(template, tmp_path / "fleet")
    for home in (tmp_path / "fleet" / "devices").glob("[0-9a-f]*"):
        shutil.rmtree(home)  # the page makes its own
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    with followed(PAGE, tmp_path, steps_min=30) as shell:
        shell.run(Step("until [ $(grep -c booted unit.log) = 3 ]; do sleep 0.2; done", 0))
    log = (tmp_path / "unit.log").read_text("utf-8")
    assert "Traceback" not in log
    assert log.count("[booted] slot 1") == 2  # after the patch, and after the reset


def test_the_page_names_every_key_that_a_board_may_have() -> None:
    page = PAGE.read_text("utf-8")
    assert {key for key in BOARD_KEYS if f"`{key}`" not in page} <= {"home_assistant"}


@pytest.fixture
def unit(tmp_path: Path) -> Path:
    """The unit with a program and a user that are here."""
    text = UNIT.read_text("utf-8")
    program = str(Path(sys.executable).parent / "tocsin")
    for old, new in (("/opt/tocsin/bin/tocsin", program), ("=tocsin\nGroup=tocsin", "=daemon\nGroup=daemon")):
        assert old in text
        text = text.replace(old, new)
    (tmp_path / UNIT.name).write_text(text)
    return tmp_path / UNIT.name


@needs_systemd
def test_systemd_finds_nothing_wrong_with_the_unit(unit: Path) -> None:
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", unit], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@needs_systemd
def test_the_unit_keeps_the_device_in(unit: Path) -> None:
    done = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--no-pager", unit],
        capture_output=True,
        text=True,
        check=True,
    )
    exposure = re.search(r"Overall exposure level for \S+: ([0-9.]+)", done.stdout)
    assert exposure is not None
    assert float(exposure[1]) <= EXPOSURE_MAX
