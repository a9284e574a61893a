"""``tocsin advisory render``: everything to look at, before anybody signs."""

from __future__ import annotations

import json
from pathlib import Path

from gateway.workspace.folder import Workspace
from tests.cli.conftest import Tocsin

ID = "EX-2026-0001"


def test_every_output_is_written_with_pictures_and_stars(
    workspace: Workspace, tocsin: Tocsin, tmp_path: Path
) -> None:
    base, out = ("--json", "--workspace", workspace.path), tmp_path / "preview"
    first = json.loads(tocsin("advisory", "render", ID, out, *base).out)
    assert first["code"] is None
    for name in ("en/web.html", "de/letter.txt", "ja/briefing-support.md", "led.txt"):
        assert name in first["outputs"]
        assert (out / name).read_bytes()
    assert "en/small-1.png" in first["pictures"]
    assert (out / "en/small-1.png").read_bytes().startswith(b"\x89PNG")
    assert "***-***" in (out / "en/web.html").read_text("utf-8")
    assert (
        tocsin("advisory", "approve", ID, "--key", "legal", "--yes", "--workspace", workspace.path).status
        == 0
    )
    second = json.loads(tocsin("advisory", "render", ID, out, *base).out)
    assert second["code"] in (out / "en/web.html").read_text("utf-8")


def test_other_peoples_folders_are_left_alone(workspace: Workspace, tocsin: Tocsin, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("mine", "utf-8")
    ran = tocsin("advisory", "render", ID, tmp_path / "mine", "--json", "--workspace", workspace.path)
    assert json.loads(ran.out)["error"]["code"] == "OUTPUT_FOLDER"
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["letter.txt"]
