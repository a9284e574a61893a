"""Boards that declare less are held to UNSUPPORTED; boards that are wrong are caught."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from device_sim.serial.factory import image
from tests.hil.sim_board import make_home

from . import small_board
from .boards import Ran, run


def a_run(folder: Path, kind: str, *options: str) -> Ran:
    home = folder / "home"
    make_home(home, image("thermostat", (1, 4, 1, 0), 8_192))
    command = json.dumps([sys.executable, str(small_board.__file__), str(home), "{port}", kind])
    (folder / "hil-boards.toml").write_text(
        f"""
[board.{kind}]
boot = {{ timeout_s = 60, banner = "^tocsin: boot " }}
spawn = {{ driver = "process", command = {command} }}
destructive = true
"""
    )
    return run(folder, kind, *options)


def test_what_a_board_does_not_declare_is_unsupported_and_never_skipped(tmp_path: Path) -> None:
    ran = a_run(tmp_path, "ed25519", "-k", "algorithm: and (notice or P-256)")
    assert ran.status == 0, ran.out[-4_000:]
    beyond = [row for row in ran.results["rows"] if row["result"] == "beyond"]
    assert len(beyond) > 10
    assert {row["verdict"] for row in beyond} == {"UNSUPPORTED"}
    assert {row["reason"] for row in beyond} == {"alg:-9"}
    assert ran.results["algorithms"] == [-19]
    assert "skipped" not in ran.out


def test_a_board_that_believes_everything_is_caught(tmp_path: Path) -> None:
    ran = a_run(tmp_path, "credulous", "-k", "catalogue: and holder and operator")
    assert ran.status == 1, ran.out[-4_000:]
    (row,) = ran.results["rows"]
    assert (row["result"], row["verdict"]) == ("differs", "OK")
    assert "it must be THRESHOLD_NOT_MET" in row["reason"]
    assert "the board failed" in ran.out


def test_a_board_that_a_refused_message_changes_is_caught(tmp_path: Path) -> None:
    ran = a_run(tmp_path, "restless", "-k", "catalogue: and holder and operator")
    assert ran.status == 1, ran.out[-4_000:]
    assert ran.results["rows"][0]["reason"].startswith("a refused message changed epoch")
