"""Pages are run word for word: every command of every console block, in one shell."""

from __future__ import annotations

import contextlib
import os
import queue
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LIMIT_SECONDS = 60.0  # for one command; a failure, not a measurement


@dataclass
class Step:
    """A command and what the page says it prints."""

    command: str
    line: int
    expected: list[str] = field(default_factory=list)


def read_steps(text: str) -> list[Step]:
    steps: list[Step] = []
    inside = False
    for number, line in enumerate(text.splitlines(), 1):
        if line.startswith("```"):
            inside = line == "```console"
        elif inside and line.startswith("$ "):
            steps.append(Step(line[2:], number))
        elif inside:
            steps[-1].expected.append(line)
    return steps


def pattern_of(expected: list[str]) -> re.Pattern[str]:
    """``...`` alone on a line stands for any lines, within a line for anything; blanks at ends do not count."""
    parts = []
    for line in expected:
        if line == "...":
            parts.append(r"(?:[^\n]*\n)*?")
        else:
            middle = "[^\n]*".join(
                re.escape(part.rstrip() if i else part) for i, part in enumerate(line.split("..."))
            )
            parts.append(rf"{middle}[ \t]*\n")
    return re.compile("".join(parts))


class Shell:
    """One bash for the whole page, so that variables, folders and jobs last from block to block."""

    def __init__(self, folder: Path) -> None:
        env = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "COLUMNS": "120"}
        for name in ("TOCSIN_WORKSPACE", "TOCSIN_PASSPHRASE"):
            env.pop(name, None)
        self.process = subprocess.Popen(
            ["bash"],
            cwd=folder,
            env=env,
            text=True,
            bufsize=1,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        self.lines: queue.Queue[str | None] = queue.Queue()
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.put(line)
        self.lines.put(None)

    def _until(self, done: re.Pattern[str]) -> str:
        """Collect lines until what was collected matches; the time limit is only for a hang."""
        text, end = "", time.monotonic() + LIMIT_SECONDS
        while not done.search(text):
            try:
                line = self.lines.get(timeout=max(0.01, end - time.monotonic()))
            except queue.Empty:
                pytest.fail(f"still waiting after {LIMIT_SECONDS} s, so far:\n{text}")
            if line is None:
                pytest.fail(f"the shell ended:\n{text}")
            text += line
        return text

    def run(self, step: Step) -> str:
        assert self.process.stdin is not None
        mark = f"=== {step.line} ==="
        if step.command.endswith("&"):
            self.process.stdin.write(f"{step.command}\n")
            return self._until(pattern_of(step.expected))
        self.process.stdin.write(f"{{ {step.command}; }} < /dev/null\necho '{mark}'\n")
        return self._until(re.compile(re.escape(mark) + "\n")).replace(f"{mark}\n", "")

    def follow(self, page: Path, step: Step) -> None:
        """Run a command, which must print what the page says."""
        printed = self.run(step)
        assert "Traceback" not in printed
        if not step.command.endswith("&"):
            assert pattern_of(step.expected).fullmatch(printed), (
                f"{page.name}:{step.line}: $ {step.command}\nprinted\n{printed}\nthe page says\n"
                + "\n".join(step.expected)
            )

    def close(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write("kill $(jobs -p) 2>/dev/null; wait; exit\n")
        self.process.stdin.close()
        self.process.wait(LIMIT_SECONDS)
        self.reader.join(LIMIT_SECONDS)
        assert self.process.stdout is not None
        self.process.stdout.close()


@contextlib.contextmanager
def followed(
    page: Path, folder: Path, *, steps_min: int, before: Callable[[Step], None] = lambda _step: None
) -> Iterator[Shell]:
    """Run every command of a page in a folder and compare what it prints; then the shell is the caller's.

    Args:
        page: the page.
        folder: where the shell begins.
        steps_min: fewer commands than these mean that the page was not read right.
        before: called before each command, to do what the page tells its reader to do by hand.
    """
    steps = read_steps(page.read_text(encoding="utf-8"))
    assert len(steps) >= steps_min
    shell = Shell(folder)
    try:
        for step in steps:
            before(step)
            shell.follow(page, step)
        yield shell
    finally:
        shell.close()
