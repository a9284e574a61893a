"""The page on translating is run word for word."""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.pages import ROOT, followed

PAGE = ROOT / "docs" / "how-to" / "translate-a-notice.md"


def test_every_command_of_the_page_on_translating_prints_what_it_says(tmp_path: Path) -> None:
    shutil.copy(ROOT / "examples" / "advisories" / "EX-2026-0001.yaml", tmp_path)
    with followed(PAGE, tmp_path, steps_min=10):
        pass
    written = (tmp_path / "fleet" / "advisories" / "EX-2026-0001.yaml").read_text("utf-8")
    assert 'title: "NL Please install update"' in written
