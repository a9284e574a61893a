"""What the documentation shows is true: examples run, commands exist, pages are what their source makes."""

from __future__ import annotations

import doctest
import importlib
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import typer.main

from advisories import mcuboot
from advisories.states import Surface
from advisories.topics import Topics
from device_sim.core.profile import AutoConsent, Profile
from device_sim.home import Home
from gateway.cli.app import make as tocsin
from hil.cli.app import make
from keys.signer import from_seed
from tests.helpers import make_fleet

ROOT = Path(__file__).parent.parent
ROOMS = ("keys", "advisories", "device_sim", "gateway")
MODULES = sorted(
    ".".join(path.relative_to(ROOT).with_suffix("").parts)
    for room in ROOMS
    for path in (ROOT / room).rglob("*.py")
    if ">>>" in path.read_text(encoding="utf-8")
)


def test_some_modules_show_examples() -> None:
    assert len(MODULES) >= 5


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_of_a_docstring_give_what_they_show(name: str) -> None:
    module = importlib.import_module(name)
    failed, tried = doctest.testmod(module, extraglobs={})
    assert tried > 0
    assert failed == 0


def test_the_python_of_the_device_guide_boots_a_device_that_reports(tmp_path: Path) -> None:
    page = (ROOT / "device_sim" / "README.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"^```python\n(.*?)^```", page, re.DOTALL | re.MULTILINE)
    names: dict[str, Any] = {"__name__": "guide"}
    exec(compile(block, "device_sim/README.md", "exec"), names)
    fleet = make_fleet()
    profile = Profile(
        id="device-1",
        product="thermostat",
        vendor_id=bytes(16),
        class_id=bytes(16),
        languages=("en",),
        surface=Surface.SCREEN,
        auto_consent=AutoConsent.NEVER,
        topics=Topics(),
        slot_bytes=65_536,
    )
    image = mcuboot.pack(b"code", (1, 4, 1, 0))
    home = Home.create(
        tmp_path / "home", profile, from_seed(bytes(32)), fleet.root_document, image, durable=False
    )
    sent: list[tuple[str, bytes]] = []
    agent, carry_out = names["start"](home, lambda topic, payload: sent.append((topic, payload)))
    carry_out(agent.connected(time.time()))
    assert agent.installed == (1, 4, 1, 0)
    topics = [topic for topic, _ in sent]
    assert Topics().device("device-1", "report") in topics


def test_no_other_guide_shows_python_that_nobody_runs() -> None:
    pages = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("*/README.md")]
    assert {page for page in pages if "```python" in page.read_text(encoding="utf-8")} == {
        ROOT / "device_sim" / "README.md",
        ROOT / "docs" / "how-to" / "channels.md",  # tests/advisories/render/test_channels_page.py
        ROOT / "docs" / "how-to" / "test-a-board.md",  # tests/hil/test_board_pages.py
        ROOT / "docs" / "how-to" / "webhooks-and-alerts.md",  # tests/cli/test_webhook_page.py
        ROOT / "docs" / "how-to" / "write-board-tests.md",  # tests/hil/plugin/test_page.py
    }


def test_the_commands_of_the_readme_are_targets_of_the_makefile_and_ci_runs_them() -> None:
    shown = re.findall(r"^make ([a-z]+)", (ROOT / "README.md").read_text(), re.MULTILINE)
    assert shown == ["demo", "test"]
    ci = (ROOT / ".ci" / "run").read_text()
    for target in shown:
        assert f"\n{target}:" in (ROOT / "Makefile").read_text()
        assert f"\nmake {target}\n" in ci


def test_pages_links_and_commands_are_true() -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "docs" / "check.py")], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def _commands(group: typer.main.TyperGroup, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    found: list[tuple[str, ...]] = []
    for name, command in group.commands.items():
        here = (*path, name)
        if hasattr(command, "commands"):
            found += _commands(command, here)
        else:
            found.append(here)
    return found


_PROGRAMS = {"tocsin": typer.main.get_command(tocsin()), "hil": typer.main.get_command(make())}
_SPEAKS_ITS_OWN = {("hil", "console"), ("hil", "boards", "schema"), ("hil", "boards", "import-twister")}
"""Prints what is no outcome of a command: a console, a schema, a board file."""


@pytest.mark.parametrize(
    "path",
    [found for name, program in _PROGRAMS.items() for found in _commands(program, (name,))],
    ids=" ".join,
)
def test_every_command_has_json_and_help_with_an_example(path: tuple[str, ...]) -> None:
    program, *path = path
    command = _PROGRAMS[program]
    for name in path:
        command = command.commands[name]
    options = {option for parameter in command.params for option in parameter.opts}
    assert "--json" in options or (program, *path) in _SPEAKS_ITS_OWN
    assert f"Example: {program} " + " ".join(path) in (command.epilog or "")
    path = tuple(path)
    reaches_a_customer = {
        ("advisory", "publish"),
        ("patch", "publish"),
        ("rollout", "start"),
        ("root", "publish"),
    }
    if path in reaches_a_customer:
        assert "--dry-run" in options
