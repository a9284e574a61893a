"""The engineer's pages: the way to a green run is followed word for word, every recipe is loaded, one is run."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from hil.bench import boardfile
from hil.bench.board import Board
from tests.pages import ROOT, Step, followed

PAGES = ROOT / "docs" / "how-to"
ENVIRONMENT = {"LAB_TOKEN": "exercise", "DEVICE": "exercise-1"}


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def recipes() -> dict[str, Board]:
    """The boards of every recipe, as one bench."""
    text = "\n".join(blocks((PAGES / "board-files.md").read_text(encoding="utf-8"), "toml"))
    boards, found = boardfile.read(text, where="board-files.md", folder=Path(), environ=ENVIRONMENT)
    assert found == []
    return boards


def test_every_recipe_is_a_board_file() -> None:
    texts = blocks((PAGES / "board-files.md").read_text(encoding="utf-8"), "toml")
    assert len(texts) >= 8
    for text in texts:
        boards, found = boardfile.read(text, where="board-files.md", folder=Path(), environ=ENVIRONMENT)
        assert found == []
        assert len(boards) == 1
    assert set(recipes()) == {
        "nucleo1", "esp1", "nrf1", "relay1", "sensor1", "qemu1", "simulated1", "remote1"
    }  # fmt: skip


def test_recipes_say_what_the_page_says_of_them() -> None:
    boards = recipes()
    assert {name: board.reset.by for name, board in boards.items()} == {
        "nucleo1": "command",
        "esp1": "esp32",
        "nrf1": "smp",
        "relay1": "none",
        "sensor1": "dtr",
        "qemu1": "smp",
        "simulated1": "smp",
        "remote1": "rts",
    }
    assert boards["qemu1"].power.driver == boards["simulated1"].power.driver == "process"
    assert (boards["relay1"].power.on or ())[2] == "exercise"
    assert boards["nrf1"].console.url != "same"


def test_the_example_is_a_board_file() -> None:
    path = ROOT / "examples" / "bench" / "hil-boards.toml"
    assert set(boardfile.load(path, {})) == {"desk1", "desk3", "qemu1"}
    first = path.read_text(encoding="utf-8").splitlines()[0]
    assert (path.parent / first.removeprefix("#:schema ")).resolve().is_file()


@pytest.mark.parametrize("name", ["test-a-board.md", "board-files.md"])
def test_what_was_tried_on_silicon_is_said_plainly(name: str) -> None:
    text = (PAGES / name).read_text(encoding="utf-8")
    assert re.search(r"silicon so far: nothing yet|tried on silicon yet", text)


def write_files(text: str, line: int, folder: Path) -> None:
    """Write the files that the page has told its reader to write, up to a line."""
    before = "\n".join(text.splitlines()[: line - 1])
    pattern = re.compile(r"`(test_\w+\.py)`:\n\n```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
    for name, code in pattern.findall(before):
        (folder / name).write_text(code, encoding="utf-8")


@pytest.mark.slow
def test_every_command_from_the_desk_to_a_green_run_prints_what_the_page_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = PAGES / "test-a-board.md"
    text = page.read_text(encoding="utf-8")
    for name in ("HIL_BOARDS", "PYTEST_ADDOPTS", "CI"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    (tmp_path / "pytest.ini").write_text("[pytest]\naddopts = -p no:asyncio -p no:cacheprovider\n")
    with followed(
        page, tmp_path, steps_min=15, before=lambda step: write_files(text, step.line, tmp_path)
    ) as shell:
        # The recipe of a program that simulates a board, on the devices that this page has made.
        recipe = next(
            one for one in blocks((PAGES / "board-files.md").read_text(), "toml") if "simulated1" in one
        )
        (tmp_path / "simulated.toml").write_text(recipe, encoding="utf-8")
        printed = shell.run(Step("hil probe simulated1 --boards simulated.toml", 0))
        assert "power.cut" in printed
        assert "notifier.press" in printed
