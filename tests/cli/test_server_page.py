"""The page on the API is run word for word, with a gateway of its own."""

from __future__ import annotations

import socket
from pathlib import Path

from gateway.core.rights import ROLES, rights_of
from gateway.operations import tokens
from gateway.web.api import access, binding, body, routes, strict
from gateway.workspace.folder import Workspace
from tests.pages import ROOT, followed

PAGE = ROOT / "docs" / "how-to" / "use-the-api.md"
PORT = "8439"  # on the page; here it is a free one


def test_every_command_of_the_page_prints_what_the_page_says(workspace: Workspace) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = str(taken.getsockname()[1])
    folder = workspace.path.parent
    page = folder / PAGE.name
    page.write_text(PAGE.read_text(encoding="utf-8").replace(PORT, port), encoding="utf-8")
    with followed(page, folder, steps_min=20):
        assert (folder / "deploy.token").stat().st_mode & 0o077 == 0


def test_the_page_names_every_role_and_limit() -> None:
    page = Path(PAGE).read_text(encoding="utf-8")
    for role in ROLES:
        assert f"\n| {role} |" in page
    for role in ROLES:  # what the page says in a sentence
        assert not {"rollout:run", "rollout:approve"} <= rights_of([role])
    assert rights_of(["viewer"]) <= rights_of(["auditor"])
    assert all(right.endswith(":read") for right in rights_of(["auditor"]))
    assert (binding.LIMIT_MAX, strict.DEPTH_MAX, body.BODY_SECONDS) == (1_000, 32, 30.0)
    assert (access.FAILURES_BURST, access.FAILURES_PER_SECOND, routes.THREADS) == (30, 0.5, 6)
    assert (tokens.DAYS_MAX, tokens.WARN_DAYS) == (366, 14)
