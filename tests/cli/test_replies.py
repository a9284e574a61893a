"""``tocsin reply`` and ``tocsin preparedness`` through the front door."""

from __future__ import annotations

import json

import pytest

from gateway.service import audit
from gateway.service.workspace import Workspace
from tests.cli.conftest import Tocsin

ABOUT = ("--advisory", "EX-2026-0001", "--by", "exercise-support")


def test_a_reply_is_recorded_decided_upon_and_in_the_audit_chain(
    workspace: Workspace, tocsin: Tocsin
) -> None:
    base = ("--workspace", workspace.path)
    first = tocsin("reply", "add", "Is this you?", "--channel", "mail", "--topic", "genuine", *ABOUT, *base)
    assert (first.status, first.err) == (0, "")
    number = first.out.split()[2].rstrip(".")
    assert json.loads(tocsin("reply", "list", "--waiting", "--json", *base).out)["replies"]
    done = tocsin(
        "reply", "triage", number, "respond", "--reason", "a fair question", "--answer", "Yes.", "--by", "exercise-support", *base
    )  # fmt: skip
    assert "nothing is owed" in done.out
    assert json.loads(tocsin("reply", "list", "--waiting", "--json", *base).out)["replies"] == []
    assert "a fair question" in tocsin("reply", "list", *base).out
    with workspace.store() as store:
        audit.verify_chain(store)
        with store.read() as session:
            assert [row.kind for row in audit.rows(session)][-2:] == ["reply.received", "reply.triaged"]


@pytest.mark.parametrize(
    ("command", "code"),
    [
        (("add", "Hello", "--channel", "mail", "--by", "a"), "ABOUT_NOTHING"),
        (("add", "--channel", "mail", *ABOUT), "BAD_VALUE"),
        (("add", "a" * 4_097, "--channel", "mail", *ABOUT), "BAD_VALUE"),
        (("add", "--channel", "mail", "--file", "none", *ABOUT), "FILE_MISSING"),
        (("triage", "77", "ignore", "--reason", "no", "--by", "a"), "NO_REPLY"),
        (("triage", "77", "ignore", "--reason", "no", "--answer", "x", "--by", "a"), "NOT_ANSWERED"),
    ],
)
def test_a_wrong_command_is_one_sentence(
    workspace: Workspace, tocsin: Tocsin, command: tuple[str, ...], code: str
) -> None:
    ran = tocsin("reply", *command, "--json", "--workspace", workspace.path)
    assert ran.status not in {0, 1} or code == "BAD_VALUE"
    assert code in ran.out + ran.err


def test_preparedness_fails_while_a_role_has_one_holder(workspace: Workspace, tocsin: Tocsin) -> None:
    ran = tocsin("preparedness", "--json", "--workspace", workspace.path)
    found = json.loads(ran.out)
    assert (ran.status, found["failed"]) == (1, True)
    assert 0 < found["score"] < 100
    told = tocsin("preparedness", "--workspace", workspace.path)
    assert "FAIL  legal: 1 holder" in told.out
    assert "ok    root: 3 holders" in told.out
