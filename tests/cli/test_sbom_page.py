"""The page on lists of components is run word for word."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.pages import ROOT, followed

PAGE = ROOT / "docs" / "how-to" / "from-an-sbom.md"


@pytest.mark.slow
def test_every_command_of_the_page_prints_what_it_says(tmp_path: Path) -> None:
    with followed(PAGE, tmp_path, steps_min=13):
        pass
