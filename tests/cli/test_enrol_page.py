"""The page on enrolling devices is run word for word, as the tutorial is."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.pages import ROOT, followed

PAGE = ROOT / "docs" / "how-to" / "enrol-devices.md"


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("openssl") is None, reason="the openssl program makes the requests")
def test_every_command_of_the_page_prints_what_it_says(tmp_path: Path) -> None:
    with followed(PAGE, tmp_path, steps_min=25):
        pass
