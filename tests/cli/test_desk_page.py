"""The page on approving without a terminal is run word for word."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.workspace.folder import Workspace
from tests.pages import ROOT, followed

PAGE = ROOT / "docs" / "how-to" / "approve-without-a-terminal.md"


@pytest.mark.slow
def test_every_command_of_the_page_prints_what_it_says(workspace: Workspace, tmp_path: Path) -> None:
    assert workspace.path == tmp_path / "fleet"
    with followed(PAGE, tmp_path, steps_min=13):
        pass
    assert (tmp_path / "legal.html").read_text("utf-8").startswith("<!doctype html>")
