"""The tutorial is run word for word."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.pages import ROOT, followed, pattern_of


def test_patterns_match_what_they_should_and_nothing_else() -> None:
    pattern = pattern_of(["a ... b", "...", "end"])
    assert pattern.fullmatch("a 1 2 b\nx\ny\nend  \n")
    assert pattern.fullmatch("a  b\nend\n")
    assert not pattern.fullmatch("a 1\n2 b\nend\n")
    assert not pattern.fullmatch("a 1 b\nx\n")


@pytest.mark.slow
def test_every_command_of_the_tutorial_prints_what_the_page_says(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "examples", tmp_path / "examples")
    with followed(ROOT / "docs" / "tutorial.md", tmp_path, steps_min=30):
        pass
