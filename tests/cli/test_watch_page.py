"""The page on watching a gateway is run word for word, with a gateway of its own."""

from __future__ import annotations

import re
import socket
from pathlib import Path

from gateway.core.alerts import AlertKind
from gateway.service import metrics
from gateway.workspace.folder import Workspace
from tests.pages import ROOT, followed

PAGE = ROOT / "docs" / "how-to" / "watch-a-gateway.md"
PORT = "8438"  # on the page; here it is a free one


def test_every_command_of_the_page_prints_what_the_page_says(workspace: Workspace) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = str(taken.getsockname()[1])
    folder = workspace.path.parent
    page = folder / PAGE.name
    page.write_text(PAGE.read_text(encoding="utf-8").replace(PORT, port), encoding="utf-8")
    with followed(page, folder, steps_min=10):
        names = set(re.findall(r"^# TYPE (\w+)", (folder / "metrics.txt").read_text(), re.MULTILINE))
    named = {
        name.removesuffix("_total") for name in re.findall(r"tocsin_\w+", PAGE.read_text(encoding="utf-8"))
    }
    assert {name.removesuffix("_total") for name in names if name.startswith("tocsin_")} <= named


def test_the_page_names_every_outcome_and_kind() -> None:
    page = Path(PAGE).read_text(encoding="utf-8")
    for word in (*metrics._REPORTS.values(), *(kind.value for kind in AlertKind)):
        assert word in page
    assert f"newest {metrics.NEWEST}" in page
