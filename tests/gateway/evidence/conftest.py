"""One told fleet and its export, for all tests that only read them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.gateway.evidence.case import Told, tell_a_fleet


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Told:
    return tell_a_fleet(tmp_path_factory.mktemp("told") / "fleet")


@pytest.fixture(scope="module")
def exported(told: Told, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path: Path = tmp_path_factory.mktemp("exported") / "evidence.zip"
    told.export(path)
    return path.read_bytes()
