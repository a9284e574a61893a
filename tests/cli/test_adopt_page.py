"""The page on adopting a fleet is run word for word."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.pages import ROOT, followed

PAGE = ROOT / "docs" / "how-to" / "adopt-a-fleet.md"


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("openssl") is None, reason="the openssl program makes the key")
def test_every_command_of_the_page_prints_what_it_says(template: Path, tmp_path: Path) -> None:
    shutil.copytree(template, tmp_path / "fleet")
    with followed(PAGE, tmp_path, steps_min=20):
        pass
