"""The page on webhooks and alerts is run word for word; commands of ours in this process, for speed."""

from __future__ import annotations

import os
import re
import shlex
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.core import delivery
from gateway.core.alerts import AlertKind
from tests.cli.conftest import Tocsin
from tests.pages import ROOT, Step, pattern_of, read_steps

PAGE = ROOT / "docs" / "how-to" / "webhooks-and-alerts.md"
PORT = "8437"  # on the page; here it is a free one


@pytest.fixture
def text() -> str:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return PAGE.read_text(encoding="utf-8").replace(PORT, str(taken.getsockname()[1]))


@pytest.fixture
def processes() -> Iterator[list[subprocess.Popen[bytes]]]:
    started: list[subprocess.Popen[bytes]] = []
    yield started
    for process in started:
        process.kill()
        process.wait()


def run(
    step: Step, tocsin: Tocsin, variables: dict[str, str], processes: list[subprocess.Popen[bytes]]
) -> str:
    """What one command prints; ``$id`` and ``$secret`` are kept between commands."""
    command = re.sub(r"\$(id|secret)\b", lambda found: variables[found[1]], step.command)
    if command.startswith("export "):
        os.environ.update([command.removeprefix("export ").split("=")])
        return ""
    if assigned := re.fullmatch(r"(\w+)=\$\((.*)\)", command):
        variables[assigned[1]] = shell(assigned[2]).strip()
        return ""
    if command.endswith("&"):
        processes.append(subprocess.Popen(["bash", "-c", f"exec env {command[:-2]}"]))
        return ""
    loop = re.fullmatch(r"until (tocsin .*); do .*; done", command)
    words, _, target = (loop[1] if loop else command).partition(" > ")
    if not words.startswith("tocsin "):
        return shell(command)
    while True:
        ran = tocsin(*shlex.split(words)[1:])
        if not loop or ran.status == 0:
            break
    if target:
        Path(target).write_text(ran.out)
    return ran.err if target else ran.out + ran.err


def shell(command: str) -> str:
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=True)
    return done.stdout + done.stderr


def test_every_command_of_the_page_prints_what_the_page_says(
    text: str, tocsin: Tocsin, monkeypatch: pytest.MonkeyPatch, processes: list[subprocess.Popen[bytes]]
) -> None:
    monkeypatch.setenv("TOCSIN_WORKSPACE", "")
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    receiver = re.search(r"```python\n(.*?)```", text, re.DOTALL)
    assert receiver is not None
    Path("receiver.py").write_text(receiver[1])
    steps, variables = read_steps(text), dict[str, str]()
    assert len(steps) >= 15
    for step in steps:
        if variables.get("id") and "--rotate" in step.command:
            assert variables["secret"].startswith("whsec_")
        printed = run(step, tocsin, variables, processes)
        assert pattern_of(step.expected).fullmatch(printed), f"{PAGE.name}:{step.line}\n{printed}"


def test_the_page_names_what_accounts_are_told_and_every_kind_of_alert() -> None:
    page = PAGE.read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| `([a-z.]+)` \| (.*) \|$", page, re.MULTILINE))
    told = {kind: set(re.findall(r"`(\w+)`", keys)) for kind, keys in rows.items() if "." in kind}
    assert told == delivery.ACCOUNT_KINDS
    assert {kind.value for kind in AlertKind} == set(rows) - set(told)
