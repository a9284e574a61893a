"""``tocsin quarantine``: what was no report is looked at, tried again, and thrown away."""

from __future__ import annotations

import getpass
import json
import time
from dataclasses import replace
from pathlib import Path

import pytest

from advisories.report import journal_genesis, seal_report
from gateway.operations.identity import devices
from gateway.service.committing import Committer, Item
from gateway.store import audit
from gateway.workspace.folder import Workspace
from keys.cbor import encode
from keys.signer import from_seed
from tests.cli.conftest import Tocsin, snapshot
from tests.helpers import make_fleet, report

LATE = "late-0001"


def signed(workspace: Workspace, sequence: int = 1) -> bytes:
    """A report of a device that is not registered yet."""
    fleet = workspace.fleet()
    head = journal_genesis(fleet, LATE)
    body = replace(report(make_fleet(), LATE, version=sequence, journal_head=head), fleet=fleet)
    return seal_report(body, from_seed(bytes(32)))


@pytest.fixture
def full(workspace: Workspace) -> Workspace:
    """A workspace with a late device's report, garbage, and what is longer than any report."""
    with workspace.store() as store:
        committer = Committer(store, workspace.fleet())
        for data in (signed(workspace), b"[bold]garbage", b"x" * 20_000):
            topic = workspace.topics.device(LATE, "report")
            committer.commit([Item(topic, LATE, data, time.time(), lambda _: None)])
    return workspace


def register(workspace: Workspace, tocsin: Tocsin, folder: Path) -> None:
    listed = folder / "late.csv"
    key = from_seed(bytes(32)).public.to_cose()
    listed.write_text(f"id,product,key\n{LATE},thermostat,{encode(key).hex()}\n")
    assert tocsin("device", "import", listed, "-w", workspace.path).status == 0
    assert LATE in {row.id for row in devices.rows(workspace)}


def test_what_came_is_listed_and_shown_byte_for_byte(full: Workspace, tocsin: Tocsin) -> None:
    listed = tocsin("quarantine", "list", "-w", full.path, "--json").json
    assert [(m["reason"], m["whole"]) for m in listed["messages"]] == [
        ("UNKNOWN_DEVICE", True),
        ("UNKNOWN_DEVICE", True),
        ("TOO_BIG", False),
    ]
    number = listed["messages"][1]["id"]
    shown = tocsin("quarantine", "show", str(number), "-w", full.path, "--json").json
    assert bytes.fromhex(shown["data"]) == b"[bold]garbage"
    page = tocsin("quarantine", "list", "--limit", "2", "-w", full.path, "--json").json
    assert page["next"] == str(page["messages"][-1]["id"])
    rest = tocsin("quarantine", "list", "--after", page["next"], "-w", full.path, "--json").json
    assert [m["reason"] for m in rest["messages"]] == ["TOO_BIG"]
    for people in (
        tocsin("quarantine", "list", "-w", full.path),
        tocsin("quarantine", "show", "3", "-w", full.path),
    ):
        assert people.status == 0
        assert LATE in people.out


def test_a_device_that_was_registered_late_has_its_report_taken(
    full: Workspace, tocsin: Tocsin, tmp_path: Path
) -> None:
    here = ("-w", full.path, "--json")
    assert tocsin("quarantine", "release", "--all", *here).json["taken"] == []
    register(full, tocsin, tmp_path)
    before = snapshot(full.path)
    dry = tocsin("quarantine", "release", "--all", "--dry-run", *here).json
    assert snapshot(full.path) == before
    done = tocsin("quarantine", "release", "--all", *here).json
    assert dry["taken"] == done["taken"] == [1]
    assert [m["reason"] for m in done["kept"]] == ["MALFORMED", "TOO_BIG"]
    assert next(row for row in devices.rows(full) if row.id == LATE).seen is not None
    dropped = tocsin("quarantine", "drop", "2", "3", "--by", "anna", *here).json["dropped"]
    assert dropped == [2, 3]
    assert tocsin("quarantine", "list", "-w", full.path).out == "The quarantine is empty.\n"
    with full.store() as store:
        audit.verify_chain(store)
        with store.read() as session:
            rows = [(row.kind, json.loads(row.data)) for row in audit.rows(session)][-3:]
    assert [kind for kind, _ in rows] == ["reports.committed", "quarantine.released", "quarantine.dropped"]
    assert [data["by"] for _, data in rows[1:]] == [getpass.getuser(), "anna"]


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("show", "9"), "NOT_QUARANTINED"),
        (("release",), "NOTHING_NAMED"),
        (("release", "9"), "NOT_QUARANTINED"),
        (("drop",), "NOTHING_NAMED"),
        (("drop", "--all"), "NOT_CONFIRMED"),
        (("list", "--after", "x"), "BAD_VALUE"),
    ],
)
def test_what_cannot_be_done_is_named_and_changes_nothing(
    full: Workspace, tocsin: Tocsin, words: tuple[str, ...], code: str
) -> None:
    before = snapshot(full.path)
    ran = tocsin("quarantine", *words, "-w", full.path, "--json")
    assert ran.json["error"]["code"] == code
    assert snapshot(full.path) == before


@pytest.mark.parametrize("command", [("list", "--after"), ("show",), ("release",), ("drop", "--yes")])
@pytest.mark.parametrize("number", ["9" * 19, "9" * 40])
def test_a_number_that_no_message_can_have_is_refused(
    full: Workspace, tocsin: Tocsin, command: tuple[str, ...], number: str
) -> None:
    ran = tocsin("quarantine", *command, number, "-w", full.path, "--json")
    assert (ran.status, ran.json["error"]["code"]) in {(2, "NOT_QUARANTINED"), (2, "BAD_VALUE")}
