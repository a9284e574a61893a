"""``tocsin token``: made, shown once, listed, ended."""

from __future__ import annotations

import re
import time
from pathlib import Path

import pytest

from gateway.operations import tokens
from gateway.store import access
from gateway.workspace.folder import Workspace
from tests.cli.conftest import Tocsin

LIST = ("token", "list", "--json", "-w")


def test_a_token_is_shown_once_and_only_its_digest_is_kept(workspace: Workspace, tocsin: Tocsin) -> None:
    here = ("-w", workspace.path)
    ran = tocsin(
        "token", "new", "deploy", "--role", "operator", "--scope", "rollout:*", "--by", "A. Maker", *here
    )
    secret, told, once = ran.out.splitlines()
    assert re.fullmatch(r"tocsin_[A-Za-z0-9_-]{43}", secret)
    assert told.startswith("Token ")
    assert "shown this once" in once
    whole = b"".join(path.read_bytes() for path in workspace.path.rglob("*") if path.is_file())
    assert secret.encode() not in whole
    assert access.digest_of(secret) in whole
    (listed,) = tocsin(*LIST, workspace.path).json["tokens"]
    assert (listed["name"], listed["roles"], listed["scopes"]) == ("deploy", ["operator"], ["rollout:*"])
    assert listed["expires"] - listed["created"] == tokens.DAYS * tokens.DAY
    (row,) = tocsin("audit", "list", "--kind", "token.", "--json", *here).json["rows"]
    assert (row["kind"], row["data"]["by"]) == ("token.made", "A. Maker")
    assert secret not in str(row)


def test_a_list_says_how_each_token_stands_and_goes_on_where_it_ended(
    workspace: Workspace, tocsin: Tocsin
) -> None:
    now = int(time.time())
    for name, made, days in (("late", now - 2 * tokens.DAY, 1), ("soon", now, 3), ("long", now, 90)):
        tokens.new(workspace, name, roles=["viewer"], now=made, by="exercise", days=days)
    gone = tokens.new(workspace, "gone", roles=["viewer"], now=now, by="exercise").made.id
    assert tocsin("token", "revoke", gone, "-w", workspace.path).out.endswith("of gone counts no more.\n")
    again = tocsin("token", "revoke", gone, "--json", "-w", workspace.path)
    assert again.json["token"]["revoked"] is not None
    said = {line.split()[1]: line for line in tocsin("token", "list", "-w", workspace.path).out.splitlines()}
    assert "expired" in said["late"]
    assert ", soon" in said["soon"]
    assert "until" in said["long"]
    assert ", soon" not in said["long"]
    assert "revoked" in said["gone"]
    seen, after = [], ""
    for _ in range(4):
        part = tocsin(*LIST, workspace.path, "--limit", "1", "--after", after).json
        seen += [each["name"] for each in part["tokens"]]
        after = part["next"]
    assert (sorted(seen), after) == (["gone", "late", "long", "soon"], "")
    assert "--after" in tocsin("token", "list", "--limit", "1", "-w", workspace.path).out
    ending = tokens.ending(workspace, now=now)
    assert [token.name for token in ending] == ["soon"]


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("new", "x", "--role", "king"), "BAD_ROLE"),
        (("new", "x", "--role", "viewer", "--scope", "token:manage"), "BAD_SCOPE"),
        (("new", "x", "--role", "viewer", "--days", "367"), "BAD_VALUE"),
        (("new", "", "--role", "viewer"), "BAD_VALUE"),
        (("new", "n" * 65, "--role", "viewer"), "BAD_VALUE"),
        (("new", "x", "--role", "viewer", "--account", "nobody"), "ACCOUNT_UNKNOWN"),
        (("new", "x"), "USAGE"),
        (("revoke", "nothing"), "TOKEN_UNKNOWN"),
    ],
)
def test_what_makes_no_token_makes_none(
    workspace: Workspace, tocsin: Tocsin, words: tuple[str, ...], code: str
) -> None:
    ran = tocsin("token", *words, "--json", "-w", workspace.path)
    assert (ran.status, ran.json["error"]["code"]) == (2, code)
    assert tocsin(*LIST, workspace.path).json["tokens"] == []


def test_a_token_for_a_closed_account_is_not_made(
    workspace: Workspace, tocsin: Tocsin, tmp_path: Path
) -> None:
    here = ("--json", "-w", workspace.path)
    assert tocsin("account", "add", "a", *here).status == 0
    assert tocsin("account", "close", "a", *here).status == 0
    ran = tocsin("token", "new", "x", "--role", "viewer", "--account", "a", *here)
    assert ran.json["error"]["code"] == "ACCOUNT_CLOSED"
