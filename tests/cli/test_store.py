"""``tocsin store`` as a person types it: what it refuses, what it prints, and that nothing secret leaks."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gateway.operations import stores
from gateway.store import audit
from gateway.store import deliveries as outbox
from gateway.store.deliveries import Message
from gateway.store.engine import Store
from gateway.workspace.folder import Workspace
from keys.errors import InputError
from tests.cli.conftest import Tocsin, snapshot
from tests.gateway.databases import server

SECRET = "hunter2-hunter2"


@pytest.fixture
def here(workspace: Workspace) -> dict[str, str]:
    return {"TOCSIN_WORKSPACE": str(workspace.path)}


def test_a_report_slipped_in_and_a_count_turned_round_are_found(
    workspace: Workspace, tocsin: Tocsin, here: dict[str, str]
) -> None:
    assert tocsin("store", "check", env=here).status == 0
    with sqlite3.connect(workspace.store_path) as raw:
        (device,) = raw.execute("SELECT id FROM devices ORDER BY id LIMIT 1").fetchone()
        raw.execute("INSERT INTO reports VALUES (?, 1, 1, x'00', 1.0, NULL, NULL)", (device,))
        raw.execute("UPDATE device_cells SET count = count + 1")
        raw.execute("INSERT INTO reports VALUES ('nobody', 1, 1, x'01', 1.0, NULL, NULL)")
        raw.execute("UPDATE audit SET data = '{}' WHERE \"index\" = 3")
    raw.close()
    ran = tocsin("store", "check", "--json", env=here)
    codes = {fault["code"] for fault in ran.json["faults"]}
    assert codes == {"STORE_DAMAGED", "AUDIT_DAMAGED", "CELLS_WRONG", "REPORT_UNEXPLAINED"}
    assert (ran.status, ran.json["whole"], ran.json["reports"]) == (1, False, 2)
    plain = tocsin("store", "check", env=here)
    assert plain.status == 1
    assert plain.out.count("[REPORT_UNEXPLAINED]") == 2


def test_wrong_counts_are_counted_anew_and_the_chain_says_which(
    workspace: Workspace, tocsin: Tocsin, here: dict[str, str]
) -> None:
    def rows() -> list[dict[str, Any]]:
        return list(tocsin("audit", "list", "--kind", "store.", "--json", env=here).json["rows"])

    assert tocsin("store", "recount", env=here).out == "Every count is right: nothing was changed.\n"
    with sqlite3.connect(workspace.store_path) as raw:
        raw.execute("UPDATE device_cells SET count = count + 1")
        (many,) = raw.execute("SELECT count(*) FROM device_cells").fetchone()
        raw.execute("DELETE FROM unheard WHERE device = (SELECT min(device) FROM unheard)")
    raw.close()
    wrong = {"device_cells": many, "unheard": 1}
    (fault, *_) = tocsin("store", "check", "--json", env=here).json["faults"]
    assert (fault["code"], fault["mend"]) == ("CELLS_WRONG", "Count anew with 'tocsin store recount'.")
    assert tocsin("store", "check", env=here).out.count("tocsin store recount") == 1
    tried = tocsin("store", "recount", "--dry-run", "--json", env=here).json
    assert tried == {"recounted": {"tables": wrong, "changed": False}, "dry_run": True}
    assert (tocsin("store", "check", env=here).status, rows()) == (1, [])
    done = tocsin("store", "recount", "--by", "exercise-anna", env=here)
    assert sorted(done.out.splitlines()) == [f"Mended device_cells: {many} rows.", "Mended unheard: 1 row."]
    assert tocsin("store", "check", env=here).status == 0
    again = tocsin("store", "recount", "--json", env=here).json
    assert again == {"recounted": {"tables": {}, "changed": False}, "dry_run": False}
    (row,) = rows()
    assert (row["kind"], row["data"]) == ("store.recounted", {"by": "exercise-anna", "tables": wrong})


def test_what_is_restored_is_counted_anew(workspace: Workspace, tocsin: Tocsin, here: dict[str, str]) -> None:
    """A copy of a store whose counts were wrong has them, too."""
    with sqlite3.connect(workspace.store_path) as raw:
        raw.execute("UPDATE device_cells SET count = count + 1")
        (many,) = raw.execute("SELECT count(*) FROM device_cells").fetchone()
    raw.close()
    assert tocsin("store", "backup", "mine", env=here).status == 0
    workspace.store_path.unlink()
    assert tocsin("store", "restore", "mine", env=here).status == 0
    assert tocsin("store", "check", env=here).status == 0
    rows = tocsin("audit", "list", "--kind", "store.recounted", "--json", env=here).json["rows"]
    assert [row["data"] for row in rows] == [{"by": "store restore", "tables": {"device_cells": many}}]


def test_a_backup_of_another_fleet_or_no_backup_is_refused_and_changes_nothing(
    workspace: Workspace, tocsin: Tocsin, here: dict[str, str], tmp_path: Path
) -> None:
    tocsin("init", "other", "--exercise")
    other = {"TOCSIN_WORKSPACE": "other"}
    assert tocsin("store", "backup", "mine", env=here).status == 0
    (tmp_path / "words").write_text("no backup at all")
    before = snapshot(workspace.path)
    with sqlite3.connect(workspace.store_path) as raw:
        raw.execute("UPDATE meta SET value = 'ab' WHERE key = 'fleet'")
    raw.close()
    assert tocsin("store", "backup", "theirs", env=here).status == 0
    with sqlite3.connect(workspace.store_path) as raw:
        fleet = workspace.fleet().hex()
        raw.execute("UPDATE meta SET value = ? WHERE key = 'fleet'", (fleet,))
    raw.close()
    for file, status, code in (
        ("theirs", 2, "another fleet"),
        ("words", 2, "no backup"),
        ("nowhere", 4, "nowhere"),
        ("mine", 2, "There is something in this store already"),
    ):
        ran = tocsin("store", "restore", file, env=here)
        assert (ran.status, code in ran.err) == (status, True), ran
    assert {k: v for k, v in snapshot(workspace.path).items() if k != "store.sqlite"} == {
        k: v for k, v in before.items() if k != "store.sqlite"
    }
    assert tocsin("store", "restore", "mine", env=other).status == 0  # a workspace that has no root yet
    assert tocsin("store", "info", "--json", env=other).json["store"]["fleet"] == fleet


def test_an_empty_store_is_made_where_nothing_was_published(
    workspace: Workspace, tocsin: Tocsin, here: dict[str, str]
) -> None:
    url = server().database()
    ran = tocsin("store", "create", env={**here, "TOCSIN_STORE": url})
    assert (ran.status, "has published already" in ran.err) == (2, True)
    tocsin("init", "new", "--exercise")
    new = {"TOCSIN_WORKSPACE": "new", "TOCSIN_STORE": url}
    assert tocsin("store", "info", env=new).status == 4
    assert tocsin("store", "create", env=new).status == 0
    assert tocsin("store", "create", env=new).status == 2
    assert tocsin("store", "info", "--json", env=new).json["store"]["engine"] == "postgresql"
    assert (
        tocsin("store", "info", "--json", env={"TOCSIN_WORKSPACE": "new"}).json["store"]["engine"] == "sqlite"
    )
    with pytest.raises(InputError):
        stores.create(workspace)


PLACES = (
    f"postgresql://gateway:{SECRET}@db.example.com/tocsin",
    f"postgresql://gateway@db.example.com/tocsin?password={SECRET}",
)


@pytest.mark.parametrize(("fleet", "code"), [(None, "STORE_EMPTY"), ("ab" * 32, "FLEET_OTHER")])
def test_a_store_that_is_not_this_workspaces_is_neither_served_nor_called_whole(
    workspace: Workspace, tocsin: Tocsin, here: dict[str, str], fleet: str | None, code: str
) -> None:
    """Such as the empty one that a restoration leaves which was killed: a supervisor may start the gateway."""
    assert tocsin("store", "backup", "whole", env=here).status == 0
    workspace.store_path.unlink()
    store = Store.create(workspace.store_path)
    if fleet is not None:
        with store.write() as session:
            session.set_meta("fleet", fleet)
    store.close()
    before = snapshot(workspace.path)
    ran = tocsin("serve", "--json", env=here)
    assert (ran.status, ran.json["error"]["code"]) == (2, code)
    assert snapshot(workspace.path) == before
    checked = tocsin("store", "check", "--json", env=here)
    assert (checked.status, [fault["code"] for fault in checked.json["faults"]]) == (1, [code])
    if fleet is None:
        assert tocsin("store", "restore", "whole", env=here).status == 0
        assert tocsin("store", "check", env=here).status == 0


def other_root(data: bytes) -> bytes:
    return data[:-1] + bytes([data[-1] ^ 1])


@pytest.mark.parametrize(
    "harm", [other_root, lambda _: b"", lambda _: b"no root"], ids=["bit", "empty", "text"]
)
def test_a_damaged_first_root_is_named_and_not_called_another_fleet(
    workspace: Workspace, tocsin: Tocsin, here: dict[str, str], harm: Callable[[bytes], bytes]
) -> None:
    assert tocsin("store", "backup", "whole", env=here).status == 0
    path = workspace.path / "roots" / "1.cose"
    path.write_bytes(harm(path.read_bytes()))
    checked = tocsin("store", "check", "--json", env=here)
    (fault,) = checked.json["faults"]
    assert (checked.status, fault["code"]) == (1, "ROOT_DAMAGED")
    assert fault["message"].startswith("roots/1.cose: ")
    workspace.store_path.unlink()
    refused = tocsin("store", "restore", "whole", "--json", env=here)
    assert (refused.status, refused.json["error"]["code"]) == (5, "ROOT_DAMAGED")
    assert refused.json["error"]["where"] == str(path)
    assert not workspace.store_path.exists()


def test_a_pipe_is_no_backup(workspace: Workspace, tocsin: Tocsin, here: dict[str, str]) -> None:
    os.mkfifo("pipe")  # into which nobody writes
    ran = tocsin("store", "restore", "pipe", "--json", env=here)
    assert (ran.status, ran.json["error"]["code"]) == (2, "NOT_A_BACKUP")


async def test_rules_are_obeyed_as_they_stand_in_the_file(workspace: Workspace) -> None:
    old = time.time() - 9 * 86_400
    with workspace.store() as store:
        with store.write() as session:
            outbox.queue(session, Message("mail", "a@example.com", "alert.gate", "alert-1", "{}"), old)
            outbox.finish(session, outbox.due_mails(session, old, 1)[0], old, "taken")

        def told() -> list[str]:
            with store.read() as session:
                rows = audit.find(session, limit=9, kind="retention.")
            return [row.kind for row in rows]

        chore, settings = (
            stores.Expiry(store, lambda: stores.rules(workspace)),
            workspace.path / "tocsin.toml",
        )
        plain = settings.read_text()
        await chore.round()
        settings.write_text(f"{plain}keep_deliveries_days = often\n")
        with pytest.raises(InputError, match=r"tocsin\.toml:\d+"):
            await chore.round()
        assert told() == []
        settings.write_text(f"{plain}keep_deliveries_days = 8\n")
        await chore.round()
        assert told() == ["retention.rules", "retention.erased"]


@pytest.mark.parametrize("place", PLACES)
def test_a_password_in_the_address_is_refused_and_never_shown(
    workspace: Workspace, tocsin: Tocsin, here: dict[str, str], place: str
) -> None:
    settings = workspace.path / "tocsin.toml"
    plain = settings.read_text()
    settings.write_text(f'{plain}store = "{place}"\n')
    line = len(plain.splitlines()) + 1
    ran = tocsin("store", "info", env=here)
    assert (ran.status, f"tocsin.toml:{line}" in ran.err, SECRET in ran.out + ran.err) == (2, True, False)
    settings.write_text(plain)
    ran = tocsin("store", "info", env={**here, "TOCSIN_STORE": place})
    assert (ran.status, "PGPASSFILE" in ran.err, SECRET in ran.out + ran.err) == (2, True, False)


def test_a_password_from_the_environment_lets_in_and_is_never_shown(
    tocsin: Tocsin, workspace: Workspace, here: dict[str, str]
) -> None:
    data = server().folder / "data" / "pg_hba.conf"
    kept = data.read_text()
    url = server().database()
    with server().connect("postgres") as connection:
        connection.execute(f"CREATE ROLE keeper LOGIN SUPERUSER PASSWORD '{SECRET}'")
        data.write_text(f"local all keeper scram-sha-256\n{kept}")
        connection.execute("SELECT pg_reload_conf()")
        try:
            there = {**here, "TOCSIN_STORE": url.replace("postgres@", "keeper@")}
            for given in ({}, {"PGPASSWORD": "wrong"}):
                ran = tocsin("store", "info", env={**there, **given})
                assert (ran.status, "PGPASSFILE" in ran.err) == (4, True), ran
            assert tocsin("store", "backup", "file", env=here).status == 0
            ran = tocsin("store", "restore", "file", env={**there, "PGPASSWORD": SECRET})
            assert (ran.status, SECRET in ran.out + ran.err) == (0, False), ran
            shown = tocsin("store", "info", env={**there, "PGPASSWORD": SECRET})
            assert (shown.status, SECRET in shown.out) == (0, False)
        finally:
            data.write_text(kept)
            connection.execute("SELECT pg_reload_conf()")


def test_rules_are_whole_days(workspace: Workspace, tocsin: Tocsin, here: dict[str, str]) -> None:
    settings = workspace.path / "tocsin.toml"
    plain = settings.read_text()
    for value in ("0", '"365"', "true", "1.5", "-1", "40000"):
        settings.write_text(f"{plain}keep_reports_days = {value}\n")
        ran = tocsin("store", "expire", env=here)
        assert (ran.status, "keep_reports_days" in ran.err) == (2, True)
    settings.write_text(plain)
    assert "everything is kept" in tocsin("store", "expire", env=here).out
