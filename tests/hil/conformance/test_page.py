"""Every command of the page on proving a board prints what the page says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from hil.conformance.rows import SUBSETS
from tests.pages import ROOT, followed

from . import boards

PAGE = ROOT / "docs" / "how-to" / "prove-a-board.md"
TEXT = PAGE.read_text(encoding="utf-8")


@pytest.mark.slow
def test_every_command_of_the_page_prints_what_the_page_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HIL_BOARDS", "PYTEST_ADDOPTS", "CI"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    (tmp_path / "pytest.ini").write_text("[pytest]\naddopts = -p no:asyncio -p no:cacheprovider\n")
    (file,) = re.findall(r"^`hil-boards.toml`:\n\n```toml\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)
    (tmp_path / "hil-boards.toml").write_text(file, encoding="utf-8")
    with followed(PAGE, tmp_path, steps_min=8):
        pass


def test_the_page_names_what_can_be_declared() -> None:
    for tag, words in SUBSETS.items():
        assert f"| `{tag}` | {words} |" in TEXT


def test_the_whole_table_is_run_as_the_page_says() -> None:
    (command,) = re.findall(r"^```sh\n(pytest .*)\n```$", TEXT, re.MULTILINE)
    ours = (Path(boards.__file__)).read_text(encoding="utf-8")
    for word in command.replace("NAME", "name").split()[1:]:
        assert f'"{word}"' in ours or word == "name"
