"""The page on who was not told is run word for word, on a fleet in which each way of that has a device."""

from __future__ import annotations

import shlex
import subprocess
import time
from pathlib import Path

import pytest

from gateway.core.followup import HOURS, Outcome
from tests.cli.conftest import Tocsin
from tests.gateway.funnel.untold_scene import make_scene
from tests.pages import ROOT, pattern_of, read_steps

PAGE = ROOT / "docs" / "how-to" / "who-was-not-told.md"
NAMES = {
    **{
        name: f"device-{place:04}"
        for place, name in enumerate(("never", "gone", "told", "led", "refused"), 1)
    },
    "waits": "device-0006",
    "fine": "device-0007",
    "revoked": "device-0008",
    "out": "legacy-0001",
    "out-fine": "legacy-0002",
    "out-unknown": "legacy-0003",
}


def test_every_command_of_the_page_prints_what_the_page_says(
    tmp_path: Path, tocsin: Tocsin, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace = make_scene(tmp_path, int(time.time()) - 5 * 86_400, NAMES)
    monkeypatch.chdir(workspace.path)
    steps = read_steps(PAGE.read_text(encoding="utf-8"))
    assert len(steps) >= 8
    for step in steps:
        program, *arguments = shlex.split(step.command)
        if program == "tocsin":
            ran = tocsin(*arguments)
            printed = ran.out + ran.err
        else:
            printed = subprocess.run(
                [program, *arguments], capture_output=True, text=True, check=True
            ).stdout.replace("\r", "")
        assert pattern_of(step.expected).fullmatch(printed), f"{PAGE.name}:{step.line}\n{printed}"


def test_the_page_names_every_outcome_and_the_hours() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert [outcome for outcome in Outcome if f"`{outcome.value}`" not in page] == []
    assert f"{HOURS} hours" in page
