"""The page about channels: its snippet is run, its tables are those of the program."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from advisories.channels import CHANNELS
from advisories.facts import load_facts
from advisories.phrases import LANGUAGES, phrases

ROOT = Path(__file__).parents[3]
PAGE = ROOT / "docs" / "how-to" / "channels.md"
BLOCK = re.compile(r"```(\w+)\n(.*?)```", re.DOTALL)


@pytest.fixture(scope="module")
def page() -> str:
    return PAGE.read_text("utf-8")


def test_the_snippet_makes_every_output(page: str, tmp_path: Path) -> None:
    (snippet,) = [body for kind, body in BLOCK.findall(page) if kind == "python"]
    shutil.copy(ROOT / "examples" / "advisories" / "EX-2026-0001.yaml", tmp_path)
    done = subprocess.run(
        [sys.executable, "-c", snippet],
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT)},
        capture_output=True,
        check=False,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    made = {path.name for path in (tmp_path / "look" / "en").iterdir()}
    assert made | {"letter-california.html", "letter-california.txt"} >= {
        name for name in CHANNELS if name.endswith((".html", ".txt"))
    }
    assert "https://notices.example.com/" in (tmp_path / "look" / "de" / "letter.txt").read_text("utf-8")


def test_the_translated_sentences_are_taken(page: str, rich_yaml: str) -> None:
    (snippet,) = [body for kind, body in BLOCK.findall(page) if kind == "yaml"]
    places = snippet[snippet.index("    elsewhere:") :]
    german = rich_yaml[rich_yaml.index("  en:\n") :].replace("  en:\n", "  de:\n")
    facts = load_facts(rich_yaml + german + places, where="a.yaml")
    assert len(facts.texts["de"].elsewhere) == 2


def test_the_table_of_outputs_is_whole(page: str) -> None:
    named = set(re.findall(r"`([\w-]+\.(?:html|txt))`", page))
    assert {name for name in CHANNELS if name.endswith((".html", ".txt"))} <= named | {
        "letter-california.txt"
    }


def test_the_tables_of_cultures_are_those_of_the_phrases(page: str) -> None:
    assert rows() in page


def rows() -> str:
    """What the page shows of every language's culture."""
    letters, names = [], []
    for language in sorted(LANGUAGES):
        culture = {
            name: phrases(language)(f"culture.{name}")
            for name in ("direction", "greeting", "closing", "date_at", "formality", "names", "address")
        }
        letters.append(
            "| {0} | {direction} | {greeting} | {closing} | {date_at} | {formality} |".format(
                language, **culture
            )
        )
        names.append("| {0} | {names} | {address} |".format(language, **culture))
    return "\n".join([*letters, "", "| language | names | address |", "|---|---|---|", *names])
