"""``tocsin reply`` and ``tocsin preparedness`` through the front door."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gateway.store import audit
from gateway.workspace.folder import Workspace
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
        (("add", "Hello", "--channel", "mail", "--by", "a", "--advisory", ""), "ABOUT_NOTHING"),
        (("add", "Hello", "--channel", "mail", "--by", "a", "--advisory", "EX-404"), "NO_ADVISORY"),
        (("add", "Hello", "--channel", "mail", "--by", "a", "--advisory", "../x"), "BAD_ID"),
        (("add", "Hello", "--channel", "mail", "--by", "a", "--incident", "INC-404"), "NO_INCIDENT"),
        (("add", "Hello", "--channel", "mail", "--advisory", "EX-2026-0001", "--by", ""), "BAD_VALUE"),
        (("add", "Hello", "--channel", "mail", "--advisory", "EX-2026-0001", "--by", "\x1b[2J"), "BAD_VALUE"),
        (("add", "Hello", "--channel", "mail", "--advisory", "EX-2026-0001", "--by", "a" * 65), "BAD_VALUE"),
        (("add", " \n", "--channel", "mail", *ABOUT), "BAD_VALUE"),
        (("add", "\udcff", "--channel", "mail", *ABOUT), "BAD_VALUE"),
        (("add", "Hello", "--channel", "mail", "--file", "x", *ABOUT), "USAGE"),
        (("add", "--channel", "mail", "--file", "latin.txt", *ABOUT), "BAD_VALUE"),
        (("add", "Hello", "--channel", "pigeon", *ABOUT), "USAGE"),
        (("triage", "0", "ignore", "--reason", "no", "--by", "a"), "USAGE"),
        (("triage", "77", "ignore", "--reason", "no", "--by", "a"), "NO_REPLY"),
        (("triage", "77", "ignore", "--reason", "no", "--answer", "x", "--by", "a"), "NOT_ANSWERED"),
    ],
)
def test_a_wrong_command_is_one_sentence_and_records_nothing(
    workspace: Workspace, tocsin: Tocsin, tmp_path: Path, command: tuple[str, ...], code: str
) -> None:
    (tmp_path / "latin.txt").write_bytes("Müller".encode("latin-1"))
    ran = tocsin("reply", *command, "--json", "--workspace", workspace.path)
    assert (ran.status, ran.json["error"]["code"]) == (2, code)
    told = tocsin("reply", *command, "--workspace", workspace.path).err.rstrip("\n")
    assert told.isprintable()
    assert "Value error" not in told
    assert tocsin("reply", "list", "--json", "--workspace", workspace.path).json == {"replies": []}


def test_preparedness_fails_while_a_role_has_one_holder(workspace: Workspace, tocsin: Tocsin) -> None:
    ran = tocsin("preparedness", "--json", "--workspace", workspace.path)
    found = json.loads(ran.out)
    assert (ran.status, found["failed"]) == (1, True)
    assert 0 < found["score"] < 100
    told = tocsin("preparedness", "--workspace", workspace.path)
    assert "FAIL  legal: 1 holder" in told.out
    assert "ok    root: 3 holders" in told.out
