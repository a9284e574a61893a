"""Events that somebody changed in the store: read as damage where they are met, and found by the doctor."""

from __future__ import annotations

import sqlite3

import pytest

from gateway.workspace.folder import Workspace
from tests.cli.conftest import ADVISORY, Tocsin

COLUMNS = "(at, kind, by, incident, advisory, data)"


@pytest.fixture
def told(workspace: Workspace, tocsin: Tocsin) -> Workspace:
    here = ("-w", workspace.path)
    assert tocsin("incident", "open", "INC-1", "--aware", "2026-11-20T09:00:00Z", *here).status == 0
    reply = ("reply", "add", "Is this you?", "--channel", "mail", "--by", "exercise-support")
    assert tocsin(*reply, "--advisory", ADVISORY, *here).status == 0
    assert tocsin("doctor", *here).status == 0
    return workspace


@pytest.mark.parametrize(
    "change",
    [
        "DELETE FROM events WHERE seq = 1",
        "UPDATE events SET incident = NULL WHERE seq = 1",
        "UPDATE events SET incident = 'INC-2'",
        "UPDATE events SET kind = 'no.such' WHERE seq = 1",
        "UPDATE events SET by = 'somebody' WHERE seq = 2",
        "UPDATE events SET at = at + 1 WHERE seq = 2",
        "UPDATE events SET advisory = 'EX-2' WHERE seq = 2",
        "UPDATE events SET data = replace(data, '2026-11-20', '2026-11-21')",
        "UPDATE events SET data = x'ff' WHERE seq = 2",
        "UPDATE events SET seq = 9 WHERE seq = 2",
        f"INSERT INTO events {COLUMNS} SELECT at, kind, by, incident, advisory, data FROM events WHERE seq = 2",
    ],
)
def test_the_doctor_finds_an_event_that_was_altered_taken_away_or_slipped_in(
    told: Workspace, tocsin: Tocsin, change: str
) -> None:
    with sqlite3.connect(told.store_path) as store:
        store.execute(change)
    ran = tocsin("doctor", "--json", "-w", told.path)
    assert ran.status == 1
    assert "EVENTS_DAMAGED" in ran.out


@pytest.mark.parametrize("value", ["at = 'abc'", "at = 1e300", "at = -1.0", "data = '{}'", "data = x'ff'"])
def test_an_event_that_cannot_be_read_is_damage_and_no_fault_of_the_program(
    told: Workspace, tocsin: Tocsin, value: str
) -> None:
    with sqlite3.connect(told.store_path) as store:
        store.execute(f"UPDATE events SET {value}")
    for command in (("reply", "list"), ("incident", "show", "INC-1"), ("clocks", "show")):
        ran = tocsin(*command, "--json", "-w", told.path)
        assert (ran.status, ran.json["error"]["code"]) == (5, "EVENTS_DAMAGED"), command
