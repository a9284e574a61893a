"""The page on opening an incident is run word for word, as the tutorial is."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from icalendar import Calendar

from advisories.clocks.regimes import builtin, load_regimes
from tests.cli.conftest import Tocsin
from tests.pages import ROOT, followed

PAGE = ROOT / "docs" / "how-to" / "open-an-incident.md"


@pytest.mark.slow
def test_every_command_of_the_page_prints_what_the_page_says(
    tocsin: Tocsin, template: Path, tmp_path: Path
) -> None:
    assert (
        tocsin("init", "fleet", "--exercise").status == 0
    )  # brings organisation.yaml, which the template lacks
    shutil.copytree(template, tmp_path / "fleet", dirs_exist_ok=True)
    with followed(PAGE, tmp_path, steps_min=25):
        pass
    entries = Calendar.from_ical((tmp_path / "deadlines.ics").read_bytes()).walk("VEVENT")
    assert len(entries) == 3
    assert "For the CSIRT and ENISA only." in (tmp_path / "warning.md").read_text()


def test_the_row_of_ones_own_on_the_page_can_be_used() -> None:
    text = PAGE.read_text("utf-8").partition("```toml\n")[2].partition("```")[0]
    known = load_regimes(text.encode(), where="regimes.toml", base=builtin())
    assert known.regimes["own-acknowledgement"].steps[0].amount == 7
