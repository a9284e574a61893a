"""A change of trust whose row a kill kept from the audit chain: the same command, given again, writes it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import pytest

from gateway.operations.trust import keys, roots
from gateway.workspace.folder import Workspace
from tests.cli.conftest import Tocsin


@contextlib.contextmanager
def killed(*_: Any, **__: Any) -> Iterator[None]:
    """Stand in for a process that is killed once the files are written: its transaction never counts."""
    yield


def again(
    tocsin: Tocsin, workspace: Workspace, monkeypatch: pytest.MonkeyPatch, *command: str
) -> list[dict[str, Any]]:
    """Give a command that is killed, and thrice more; return the rows that are new."""
    here = ("-w", workspace.path, "--json")
    before = len(rows(tocsin, workspace))
    with monkeypatch.context() as patched:
        for module in (keys, roots):
            patched.setattr(module, "recorded", killed)
        assert tocsin(*command, *here).status == 0
    assert len(rows(tocsin, workspace)) == before
    for _ in range(3):
        tocsin(*command, *here)
    return rows(tocsin, workspace)[before:]


def rows(tocsin: Tocsin, workspace: Workspace) -> list[dict[str, Any]]:
    listed = ("audit", "list", "--kind", "trust.", "--limit", "100", "-w", workspace.path, "--json")
    return list(tocsin(*listed).json["rows"])


def test_a_key_that_is_listed(tocsin: Tocsin, workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    new = ("key", "new", "zed", "--role", "operator", "--holder", "zed", "--no-passphrase")
    (row,) = again(tocsin, workspace, monkeypatch, *new)
    wanted = {"key": "zed", "holder": "zed", "roles": ["operator"], "found": True}
    assert wanted.items() <= row["data"].items()
    assert row["kind"] == "trust.key-added"


def test_a_revocation(tocsin: Tocsin, workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    (row,) = again(tocsin, workspace, monkeypatch, "key", "revoke", "legal", "--reason", "lost")
    assert (row["kind"], row["data"]["key"], row["data"]["found"]) == ("trust.key-revoked", "legal", True)


def test_a_signature_of_a_root(tocsin: Tocsin, workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    assert tocsin("root", "rotate", "-w", workspace.path).status == 0
    (row,) = again(tocsin, workspace, monkeypatch, "root", "sign", "--key", "root-anna", "--yes")
    assert (row["kind"], row["data"]["version"], row["data"]["found"]) == ("trust.root-signed", 2, True)


def test_what_is_recorded_is_not_recorded_again(tocsin: Tocsin, workspace: Workspace) -> None:
    here = ("-w", workspace.path, "--json")
    for _ in range(2):
        assert tocsin("key", "revoke", "legal", "--reason", "lost", *here).status == 0
    assert [row["kind"] for row in rows(tocsin, workspace)].count("trust.key-revoked") == 1
