"""Every snippet of the page on writing tests passes on a simulated device, behind its own serial line."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest

from hil.wire import trace
from tests.flow.invariants import TOCSIN
from tests.hil.bridge_scene import Gateway, make_workspace, publish_advisory

from .conftest import Project, read_json

PAGE = Path(__file__).parents[3] / "docs" / "how-to" / "write-board-tests.md"
SNIPPET = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
KEY = bytes(range(32))


def snippets() -> list[str]:
    return SNIPPET.findall(PAGE.read_text(encoding="utf-8"))


def a_simulated_board(project: Project, workspace: Path, device: str) -> None:
    """Write the board file that a person would write for a simulated device."""
    words = ("device", "run", device, "--serial", "pty:{pty}", "--workspace", str(workspace), "--test-build")
    (project.root / "hil-boards.toml").write_text(
        f"""
[board.exercise-1]
class = "simulated"
tags = ["desk3"]
boot = {{ timeout_s = 60, banner = "^tocsin: boot " }}
spawn = {{ driver = "process", command = {json.dumps([*map(str, TOCSIN), *words])}, serial = ["pty"] }}
destructive = true
"""
    )


@pytest.mark.slow
def test_every_snippet_of_the_page_passes(project: Project) -> None:
    assert len(snippets()) == 4
    workspace = project.root / "fleet"
    member = make_workspace(workspace)
    publish_advisory(workspace)
    a_simulated_board(project, workspace, member.id)
    with Gateway(workspace, project.root / "gateway.txt") as gateway:
        for number, snippet in enumerate(snippets()):
            text = snippet.replace("127.0.0.1:1883", f"127.0.0.1:{gateway.port}")
            (project.root / f"test_snippet{number}.py").write_text(text, encoding="utf-8")
        ran = project.with_board("-rs", "--junitxml", "out.xml", "--hil-require")
    assert ran.status == 0, ran.out
    assert "7 passed" in ran.out
    folder = ran.folder(project.root, "test_it_takes_a_new_identity")
    assert "notifier.provision" in read_json(folder / "board.json")["capabilities"]
    assert any(len(record.data) > 8 for record in trace.load(folder / "trace.pcapng"))
    lines = (ran.folder(project.root, "test_it_says_why_it_started") / "console.log").read_text()
    assert "< tocsin: boot " in lines
    for path, data in project.evidence().items():
        assert KEY not in data, path
        assert KEY.hex().encode() not in data, path
    shutil.rmtree(workspace)


def test_the_page_names_every_fixture_mark_and_option() -> None:
    from hil import plugin
    from hil.bench.board import CAPABILITIES
    from hil.plugin import demands, evidence
    from hil.plugin.keys import FIXTURES

    page = PAGE.read_text(encoding="utf-8")
    assert set(plugin.__all__) == FIXTURES
    for name in FIXTURES:
        assert f"| `{name}` |" in page
    for name in demands.NAMES:
        assert f"`@hil.{name.removeprefix('hil_')}" in page
    declared = (Path(plugin.__file__).parent / "options.py").read_text(encoding="utf-8")
    for option in re.findall(r'"(--hil-[a-z-]+)"', declared):
        assert f"| `{option}" in page
    for name in evidence.FILES:
        assert f"`{name}`" in page
    for name in CAPABILITIES:
        assert f"`{name}`" in page or name.startswith("notifier.")
