"""The page on checks is run word for word, as the tutorial is."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from tests.pages import ROOT, followed

PAGE = ROOT / "docs" / "how-to" / "check-an-advisory.md"


def test_every_command_of_the_page_prints_what_it_says(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "examples" / "advisories", tmp_path / "examples" / "advisories")
    with followed(PAGE, tmp_path, steps_min=12):
        pass
    assert json.loads((tmp_path / "checks.sarif").read_bytes())["version"] == "2.1.0"
