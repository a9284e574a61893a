"""The page on running a broker is run word for word; it names every code that the doctor may give."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from gateway.service.asking import access, questions, visitor
from tests.pages import ROOT, followed

PAGE = ROOT / "docs" / "how-to" / "run-a-broker.md"


@pytest.mark.slow
@pytest.mark.mosquitto
def test_every_command_of_the_page_prints_what_it_says(template: Path, tmp_path: Path) -> None:
    shutil.copytree(template, tmp_path / "fleet")
    with followed(PAGE, tmp_path, steps_min=15):
        pass


def test_the_page_names_every_code() -> None:
    page = PAGE.read_text(encoding="utf-8")
    sources = [Path(module.__file__ or "").read_text() for module in (access, questions, visitor)]
    codes = set(re.findall(r'"(BROKER_[A-Z0-9_]+)"', "".join(sources)))
    assert codes - {"BROKER_REFUSED", "BROKER_ACCESS_SILENT"} <= set(re.findall(r"BROKER_[A-Z0-9_]+", page))
