"""Every faulty example is told its fault with file and line; the good ones have nothing that blocks.

What the checks advise about the good ones is locked in ``checks/advice.lock``. When words or rules changed on
purpose, write it anew and read what changed:

    python -m tests.advisories.checks.lock && git diff tests/advisories/checks/advice.lock
"""

import re
from pathlib import Path

import pytest

from advisories.checks import blocking
from advisories.facts import Facts, load_facts
from keys.errors import InputError
from tests.advisories.checks import lock

EXAMPLES = lock.EXAMPLES
BAD = sorted((EXAMPLES / "bad").glob("*.yaml"))


def expected(path: Path) -> str:
    found = re.match(rb"# One fault: ([A-Z_]+)\.\n", path.read_bytes())
    assert found, path
    return found.group(1).decode()


@pytest.mark.parametrize("path", BAD, ids=lambda path: path.stem)
def test_a_file_that_cannot_be_read_is_told_its_one_fault_with_file_and_line(path: Path) -> None:
    with pytest.raises(InputError) as caught:
        load_facts(path.read_bytes(), where=path.name)
    assert caught.value.code == expected(path)
    assert re.fullmatch(rf"{path.name}:\d+", caught.value.where)
    assert caught.value.message.endswith(".")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("path", lock.GOOD, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_a_good_example_has_nothing_that_blocks(path: Path) -> None:
    assert blocking(lock.findings(path)) == []


def test_what_the_checks_advise_about_the_good_examples_is_locked() -> None:
    assert lock.advice() == lock.LOCK.read_text("utf-8")


def test_the_first_example_speaks_three_languages_at_least(example: Facts) -> None:
    assert {"en", "de", "ja"} <= set(example.texts)
