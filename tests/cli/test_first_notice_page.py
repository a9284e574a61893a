"""The page on a first notice is run word for word, its questions on a real terminal."""

from __future__ import annotations

import os
import pty
import re
import select
import subprocess
import sys
import time
from pathlib import Path

import pytest

from advisories.phases import FIRST, FOLLOWS, word
from tests.pages import LIMIT_SECONDS, ROOT, Step, followed

PAGE = ROOT / "docs" / "how-to" / "first-notice.md"


def dialogue() -> tuple[int, str, list[tuple[str, str]]]:
    """The line of the page's dialogue, its command, and each question with the answer typed."""
    lines = PAGE.read_text().splitlines()
    start = lines.index("```dialogue")
    command, *asked = lines[start + 1 : lines.index("```", start)]
    # The answer stands behind the last colon of a question that ends in a colon.
    return start, command.removeprefix("$ "), [split(line) for line in asked]


def split(line: str) -> tuple[str, str]:
    match = re.fullmatch(r"(.*?(?: \[.*\]|\)|<1\.4\.2)):(?: (.*))?", line)
    assert match, line
    return match.group(1), match.group(2) or ""


def converse(folder: Path, command: str, asked: list[tuple[str, str]]) -> str:
    """Run the command on a terminal and answer each question as it comes."""
    leader, follower = pty.openpty()
    env = {name: value for name, value in os.environ.items() if not name.startswith("TOCSIN_")}
    env |= {"TOCSIN_WORKSPACE": "fleet", "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    with subprocess.Popen(
        command.split(), cwd=folder, env=env, stdin=follower, stdout=follower, stderr=follower
    ) as process:
        os.close(follower)
        seen = ""
        for question, answer in [*asked, ("Next: tocsin advisory check", "")]:
            wanted = ".*".join(re.escape(part) for part in question.split("..."))
            end = time.monotonic() + LIMIT_SECONDS
            while not re.search(wanted, seen):
                assert time.monotonic() < end, f"still waiting for {question}, so far:\n{seen}"
                if select.select([leader], [], [], 1)[0]:
                    seen += os.read(leader, 4_096).decode()
            seen = seen[re.search(wanted, seen).end() :]  # type: ignore[union-attr]
            os.write(leader, f"{answer}\n".encode())
        assert process.wait(LIMIT_SECONDS) == 0
    os.close(leader)
    return seen


@pytest.mark.slow
def test_every_command_of_the_page_prints_what_it_says(tmp_path: Path) -> None:
    start, command, asked = dialogue()
    assert len(asked) == 6
    done: list[str] = []

    def before(step: Step) -> None:
        if step.line > start and not done:
            done.append(converse(tmp_path, command, asked))

    with followed(PAGE, tmp_path, steps_min=14, before=before):
        pass
    assert done


def test_the_table_of_phases_is_the_one_that_counts() -> None:
    rows = dict(re.findall(r"^\| (nothing|[a-z]+) \| ([a-z, ]+) \|$", PAGE.read_text(), re.MULTILINE))
    rows.pop("after", None)
    told = {"nothing": FIRST} | {word(phase): after for phase, after in FOLLOWS.items()}
    assert rows == {name: ", ".join(word(phase) for phase in sorted(after)) for name, after in told.items()}
