"""``tocsin call`` through the front door."""

from __future__ import annotations

import json
from pathlib import Path

from gateway.workspace.folder import Workspace
from tests.cli.conftest import Tocsin

ID = "EX-2026-0001"


def test_calls_are_listed_in_the_customers_language_and_their_outcome_is_kept(
    workspace: Workspace, tocsin: Tocsin, tmp_path: Path
) -> None:
    base = ("--workspace", workspace.path)
    file = tmp_path / "customers.csv"
    file.write_text("customer,name,phone,language,key\nC-1,A\x1b[31m,1,ja,no\nC-2,B,2,de-AT,yes\n", "utf-8")
    found = json.loads(tocsin("call", "list", ID, "--customers", file, "--json", *base).out)["calls"]
    assert [call["customer"] for call in found] == ["C-2", "C-1"]
    assert found[0]["say_first"].startswith("Bitte nehmen")
    assert found[1]["say_first"].startswith("案内")
    done = tocsin("call", "record", ID, "C-2", "reached", "--by", "exercise-sales", "--note", "thanks", *base)
    assert (done.status, done.err) == (0, "")
    waiting = json.loads(tocsin("call", "list", ID, "--customers", file, "--waiting", "--json", *base).out)
    assert [call["customer"] for call in waiting["calls"]] == ["C-1"]
    shown = tocsin("call", "list", ID, "--customers", file, *base).out
    assert "1 of 2 done." in shown
    assert "\x1b[31m" not in shown


def test_a_wrong_command_is_one_sentence(workspace: Workspace, tocsin: Tocsin, tmp_path: Path) -> None:
    base = ("--json", "--workspace", workspace.path)
    (tmp_path / "bad.csv").write_bytes(b"\xff\xfe,,\n")
    for command, code in (
        (("list", ID, "--customers", "none.csv"), "FILE_MISSING"),
        (("list", ID, "--customers", "bad.csv"), "CUSTOMERS_FILE"),
        (("record", "EX-9", "C-1", "reached", "--by", "a"), "NO_ADVISORY"),
        (("record", ID, "C 1", "reached", "--by", "a"), "BAD_VALUE"),
    ):
        ran = tocsin("call", *command, *base)
        assert ran.status == 2, command
        assert code in ran.out + ran.err


def test_a_product_that_is_misspelt_leaves_nobody_out_in_silence(
    workspace: Workspace, tocsin: Tocsin, tmp_path: Path
) -> None:
    base = ("--workspace", workspace.path)
    file = tmp_path / "customers.csv"
    file.write_text("customer;name;phone;products\r\nC-1;A;1;thermostt\r\nC-2;B;2;doorbell\r\n", "utf-8-sig")
    ran = tocsin("call", "list", ID, "--customers", file, "--json", *base)
    assert [call["customer"] for call in ran.json["calls"]] == ["C-2"]
    assert ran.json["unknown_products"] == ["thermostt"]
    assert "Did you mean 'thermostat'?" in ran.err
    file.write_text("customer,name,phone,products\nC-1,A,1,\x1b[2J\n", "utf-8")
    ran = tocsin("call", "list", ID, "--customers", file, *base)
    assert "\x1b" not in ran.err + ran.out
