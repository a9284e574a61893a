"""A part of all cuts, in every run of the tests: one flow whole, a sample of the others, some of them in QEMU."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.hil.refdevice import build

from . import __main__ as program
from .flows import FLOWS

ONE_IN = 90
HERE = ("--faults", "0", "--frames", "0")
LIMIT_S = 500


def cuts(out: Path, *words: str) -> tuple[dict[str, Any], str]:
    """Run the command as ``make cuts`` does: in a process of its own, for it forks."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.hil.refdevice.cuts", *words, "--out", str(out)],
        cwd=build.ROOT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    found: dict[str, Any] = json.loads(out.read_text())
    assert found["violations"] == []
    return found, done.stdout


def library(core: build.Core) -> tuple[str, str]:
    """The library that the fixture has built: it is not made anew meanwhile."""
    return ("--library", core.lib._name)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--flow", "nothing"), "invalid choice: 'nothing' (choose from "),
        (("--one-in", "0"), "'0' is no whole number from 1 on"),
        (("--twice", "-1"), "'-1' is no whole number from 0 on"),
        (("--frames", "-1"), "'-1' is no whole number from 0 on"),
        (("--moments", "some"), "'some' is no whole number from 0 on"),
        (("--faults", "1.5"), "'1.5' is no whole number from 0 on"),
        (("--jobs", "0"), "'0' is no whole number from 1 on"),
        (("--library", "away"), "there is no file away"),
        (("--program", "away"), "there is no file away"),
        (("--elf", "."), "there is no file ."),
    ],
)
def test_an_option_that_means_nothing_is_told_before_anything_is_walked(
    words: tuple[str, ...], told: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["cuts", *words])
    with pytest.raises(SystemExit) as ended:
        program.main()
    assert ended.value.code == 2
    assert told in capsys.readouterr().err


def test_a_run_that_cuts_nothing_proves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["cuts", "--no-host", *HERE, "--out", str(tmp_path / "cuts.json")])
    assert program.main() == 1
    assert "No power was cut" in capsys.readouterr().err


@pytest.mark.slow
def test_the_power_goes_at_every_change_of_flash_while_a_notice_comes(
    core_library: build.Core, tmp_path: Path
) -> None:
    found, _ = cuts(tmp_path / "cuts.json", *library(core_library), "--flow", "notice", "--twice", "0", *HERE)
    (row,) = found["flows"]
    assert row["cuts"] == 3 * row["places"] > 200
    assert row["undone"] + row["done"] == row["cuts"]


@pytest.mark.slow
def test_the_power_goes_here_and_there_in_every_flow(core_library: build.Core, tmp_path: Path) -> None:
    words = (*library(core_library), "--one-in", str(ONE_IN), "--twice", "9000", *HERE)
    found, out = cuts(tmp_path / "cuts.json", *words)
    rows = {row["flow"]: row for row in found["flows"]}
    assert [*rows] == [*(flow.name for flow in FLOWS), "a second cut while it recovers"]
    for row in rows.values():
        assert row["cuts"] > 0
        assert f"| {row['flow']} | {row['places']} |" in out
    assert rows["update"]["new"] > 0 < rows["update"]["old"]
    assert rows["download goes on"]["resumed"] > 0
    assert rows["revert"]["new"] == 0
    twice = rows["a second cut while it recovers"]
    assert twice["cuts"] > twice["places"]


@pytest.mark.slow
def test_qemu_is_killed_in_a_download(qemu_device: Path, tmp_path: Path) -> None:
    words = ("--no-host", "--faults", "0", "--frames", "40", "--moments", "8", "--elf", str(qemu_device))
    found, _ = cuts(tmp_path / "cuts.json", *words)
    frames, moments = found["flows"]
    assert frames["places"] > 100
    for row in (frames, moments):
        assert row["old"] + row["new"] >= 4


@pytest.mark.slow
def test_the_program_loses_its_power_in_a_download(host_device: Path, tmp_path: Path) -> None:
    words = ("--no-host", "--frames", "0", "--faults", "8", "--program", str(host_device))
    found, _ = cuts(tmp_path / "cuts.json", *words)
    (row,) = found["flows"]
    assert row["cuts"] == row["places"] == row["old"] == 8
