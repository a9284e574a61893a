"""``tocsin account``: customers, whom to write to, and in which language."""

from __future__ import annotations

import pytest

from gateway.workspace.folder import Workspace
from tests.cli.conftest import Tocsin, snapshot


def test_an_account_from_its_first_day_to_its_last(workspace: Workspace, tocsin: Tocsin) -> None:
    here = ("-w", workspace.path)
    said = ("--name", "Ölwerk", "--language", "de", "--contact", "A. Reader", "--email", "a@example.com")
    assert tocsin("account", "add", "oelwerk", *said, *here).out == "Added the account oelwerk in de.\n"
    assert tocsin("account", "set", "oelwerk", "--phone", "+1 555 0100", *here).status == 0
    shown = tocsin("account", "show", "oelwerk", "--json", *here).json["account"]
    contact = {"person": "A. Reader", "email": "a@example.com", "phone": "+1 555 0100", "address": ""}
    assert (shown["name"], shown["language"], shown["contact"]) == ("Ölwerk", "de", contact)
    assert "a@example.com" in tocsin("account", "show", "oelwerk", *here).out
    made = tocsin("token", "new", "t", "--role", "viewer", "--account", "oelwerk", "--json", *here).json
    before = snapshot(workspace.path)
    dry = tocsin("account", "close", "oelwerk", "--dry-run", *here)
    assert dry.out == "The account oelwerk would be closed, and 1 of its tokens counts no more.\n"
    assert snapshot(workspace.path) == before
    closed = tocsin("account", "close", "oelwerk", "--json", *here).json
    assert closed["revoked"] == [made["made"]["id"]]
    again = tocsin("account", "close", "oelwerk", "--json", *here).json
    assert (again["revoked"], again["account"]["closed"]) == ([], closed["account"]["closed"])
    assert "closed" in tocsin("account", "list", *here).out
    late = tocsin("account", "set", "oelwerk", "--name", "x", "--json", *here)
    assert late.json["error"]["code"] == "ACCOUNT_CLOSED"


def test_rows_that_cannot_be_erased_hold_nothing_about_a_person(workspace: Workspace, tocsin: Tocsin) -> None:
    here = ("--json", "-w", workspace.path)
    tocsin("account", "add", "a", "--name", "Secret Name", "--contact", "A. Person", *here)
    tocsin("account", "set", "a", "--email", "person@example.com", *here)
    rows = tocsin("audit", "list", "--kind", "account.", *here).json["rows"]
    assert [row["kind"] for row in rows] == ["account.added", "account.changed"]
    for word in ("Secret", "A. Person", "person@"):
        assert word not in str(rows)


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("add", "a b"), "BAD_ID"),
        (("add", "a", "--language", "german"), "BAD_VALUE"),
        (("add", "a", "--email", "nobody"), "BAD_VALUE"),
        (("add", "a", "--name", "n" * 201), "BAD_VALUE"),
        (("add", "a", "--address", "x" * 501), "BAD_VALUE"),
        (("add", "a", "--contact", "bell\a"), "BAD_VALUE"),
        (("add", "taken"), "ACCOUNT_EXISTS"),
        (("show", "nobody"), "ACCOUNT_UNKNOWN"),
        (("set", "nobody", "--name", "x"), "ACCOUNT_UNKNOWN"),
        (("close", "nobody"), "ACCOUNT_UNKNOWN"),
        (("list", "--limit", "0"), "USAGE"),
    ],
)
def test_what_is_no_account_is_refused(
    workspace: Workspace, tocsin: Tocsin, words: tuple[str, ...], code: str
) -> None:
    here = ("--json", "-w", workspace.path)
    tocsin("account", "add", "taken", *here)
    ran = tocsin("account", *words, *here)
    assert (ran.status, ran.json["error"]["code"]) == (2, code)
    assert len(tocsin("account", "list", *here).json["accounts"]) == 1
