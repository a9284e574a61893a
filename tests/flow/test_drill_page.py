"""The page on drills is run word for word: a whole incident, and what comes after it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.pages import ROOT, followed

PAGE = ROOT / "docs" / "how-to" / "practise-with-a-drill.md"


@pytest.mark.slow
def test_every_command_of_the_page_on_drills_prints_what_it_says(tmp_path: Path) -> None:
    with followed(PAGE, tmp_path, steps_min=18):
        pass
    report = (tmp_path / "fleet" / "drill-report.md").read_text("utf-8")
    assert "Owners concerned: 8; shown: 8; patched: 8." in report
    assert "- eu-cra-14-exploited early-warning: met" in report
    assert report.startswith("# EXERCISE")
    built = json.loads((tmp_path / "public" / ".tocsin-site.json").read_text("utf-8"))
    assert "en/check.html" in built["files"]
