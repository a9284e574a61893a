"""The page on CSAF documents is run word for word, as the tutorial is."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.advisories.csaf.csaf_case import faults
from tests.pages import ROOT, followed

PAGE = ROOT / "docs" / "how-to" / "csaf.md"


def test_every_command_of_the_page_prints_what_it_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EXAMPLES", str(ROOT / "examples" / "advisories"))
    with followed(PAGE, tmp_path, steps_min=10):
        pass
    written = [*tmp_path.glob("csaf/*.json"), tmp_path / "vex.json", tmp_path / "ja.json"]
    assert len(written) == 4
    assert [faults(json.loads(path.read_bytes())) for path in written] == [[]] * 4
