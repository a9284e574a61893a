"""One run of the whole table a board, for all tests of this folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from .boards import BOARDS, Ran, run


@pytest.fixture(scope="package", params=BOARDS)
def ran(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Ran:
    folder: Path = tmp_path_factory.mktemp(request.param)
    (folder / "hil-boards.toml").write_text(BOARDS[request.param](folder))
    return run(folder, request.param)
