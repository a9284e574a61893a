"""The page on several gateways is run word for word, with a broker of its own."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from gateway.core.rate import REPORTS_PER_MINUTE
from gateway.service.runtime import WORKER_SESSION_SECONDS
from gateway.store import quarantine, workers
from tests.cli.conftest import template  # noqa: F401 - the fixture
from tests.gateway.brokers import mosquitto
from tests.pages import ROOT, followed

PAGE = ROOT / "docs" / "how-to" / "run-several-gateways.md"


@pytest.mark.slow
@pytest.mark.mosquitto
def test_every_command_of_the_page_prints_what_it_says(
    template: Path,  # noqa: F811 - the fixture
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("TOCSIN_STORE", raising=False)
    shutil.copytree(template, tmp_path / "fleet")
    with mosquitto(tmp_path) as url:
        with (tmp_path / "fleet" / "tocsin.toml").open("a") as settings:
            settings.write(f'broker = "{url}"\n')
        with followed(PAGE, tmp_path, steps_min=10):
            pass


def test_the_page_names_the_limits_that_count() -> None:
    page = " ".join(PAGE.read_text(encoding="utf-8").split())
    assert f"{REPORTS_PER_MINUTE} reports a minute" in page
    assert f"{quarantine.ROWS_MAX:,} messages at most, {quarantine.TOPIC_ROWS_MAX} of a device" in page
    assert f"1 to {workers.NAME_MAX} letters" in page
    assert WORKER_SESSION_SECONDS == 5 * 60
    for code in (workers.WORKER_SILENT, workers.NO_LEADER):
        assert f"`{code}`" in page
