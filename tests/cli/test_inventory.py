"""Devices that run nothing of ours, by command: lists of others, facts by hand, and what cannot be taken."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from gateway.operations.inventory import importing, listing
from gateway.store import audit, schema
from gateway.workspace.folder import Workspace
from keys.errors import InputError
from tests.cli.conftest import Tocsin, snapshot
from tests.helpers import key

HEAD = "external,product,version,region,account,label.site\n"
NOW = 1_900_000_000


@pytest.fixture
def here(workspace: Workspace) -> tuple[str, ...]:
    return ("-w", str(workspace.path), "--json")


def raw(name: str) -> str:
    return base64.b64encode(key(name).public.x).decode()


def kinds(workspace: Workspace) -> dict[int, int]:
    c = schema.device_cells
    with workspace.store() as store, store.read() as session:
        rows = session.connection.execute(sa.select(c.c.kind, sa.func.sum(c.c.count)).group_by(c.c.kind))
        return {kind: int(many) for kind, many in rows}


def test_a_list_without_keys_needs_none_and_counts_as_not_reachable(
    tmp_path: Path, tocsin: Tocsin, workspace: Workspace, here: tuple[str, ...]
) -> None:
    path = tmp_path / "sold.csv"
    path.write_text(HEAD + "SN-1,thermostat,1.4.0,DE,acme,north\nSN/2,thermostat,v1.3.9,FR,,\n")
    (workspace.path / "keys" / "operator.pem").unlink()
    before = snapshot(workspace.path)
    dry = tocsin("device", "import", path, "--dry-run", *here)
    assert (dry.status, dry.json["unreachable"], dry.json["inventory"]["fresh"]) == (0, 2, 2), dry
    assert {k: v for k, v in snapshot(workspace.path).items() if k != "store.sqlite"} == {
        k: v for k, v in before.items() if k != "store.sqlite"
    }
    assert kinds(workspace).get(2) is None
    assert tocsin("device", "import", path, *here).status == 0
    assert kinds(workspace)[2] == 2
    again = tocsin("device", "import", path, *here).json
    assert again["inventory"] == {"fresh": 0, "changed": 0, "same": 2}
    rows = {row["id"]: row for row in tocsin("device", "list", *here).json["devices"]}
    assert rows["SN-1"]["reach"] == "none"
    assert rows["SN-1"]["labels"] == {"site": "north"}
    (other,) = [row for row in rows.values() if row["external"] == "SN/2"]
    assert other["id"].startswith("x-")
    assert other["installed"] == "1.3.9"
    with workspace.store() as store:
        audit.verify_chain(store)


def test_a_device_that_gets_our_core_is_no_longer_told_by_letter(
    tmp_path: Path, tocsin: Tocsin, workspace: Workspace, here: tuple[str, ...]
) -> None:
    path = tmp_path / "list.csv"
    path.write_text(HEAD + "SN-1,thermostat,1.4.0,DE,acme,north\n")
    tocsin("device", "import", path, *here)
    before = kinds(workspace)
    path.write_text(f"id,product,key,version\nSN-1,thermostat,{raw('one')},1.4.2\nSN-3,doorbell,,\n")
    done = tocsin("device", "import", path, *here)
    assert (done.json["registered"], done.json["unreachable"]) == (1, 1), done
    after = kinds(workspace)
    assert (after[1], after[2]) == (before[1] + 1, before[2])
    shown = tocsin("device", "show", "SN-1", *here).json["facts"]
    assert (shown["reach"], shown["region"], shown["installed"]) == ("never", "DE", "1.4.2")
    assert tocsin("device", "show", "SN-3", *here).json["standing"] is None


def test_exports_of_others_are_taken_with_a_mapping(
    tmp_path: Path, tocsin: Tocsin, here: tuple[str, ...]
) -> None:
    targets = [
        {"controllerId": f"t{n}", "targetTypeName": kind, "attributes": {"country": "DE", "sw": "1.4.1"}}
        for n, kind in enumerate(("T-2000", "T-2000", "Bridge"))
    ]
    path = tmp_path / "targets.json"
    path.write_text(json.dumps({"content": targets, "total": 3, "size": 3}))
    words = ("device", "import", path, "--product", "T-2000=thermostat", "--map", "region=attributes.country")
    assert tocsin(*words, *here).json["error"]["code"] == "LIST_FAULTS"
    more = ("--map", "version=attributes.sw", "--account", "acme", "--label", "from=hawkbit", "--skip-others")
    ran = tocsin(*words, *more, *here)
    assert (ran.json["skipped"], ran.json["inventory"]["fresh"]) == (1, 2), ran
    where = "account = acme and label.from = hawkbit and version >= 1.4.0"
    page = tocsin("device", "list", "--where", where, "--limit", "1", *here).json
    assert [row["id"] for row in page["devices"]] == ["t0"]
    rest = tocsin("device", "list", "--where", where, "--after", page["next"], *here).json
    assert [row["id"] for row in rest["devices"]] == ["t1"]
    assert rest["next"] == ""
    assert rest["devices"][0]["source"] == "hawkbit"


FAULTY = {
    "formula": (HEAD + '=HYPERLINK("x"),thermostat,,,,\n', 2, "formula"),
    "formula in a region": (HEAD + "a,thermostat,,+49,,\n", 2, "formula"),
    "version": (HEAD + "a,thermostat,newest,,,\n", 2, "not a version"),
    "account": (HEAD + "a,thermostat,,,a b,\n", 2, "account is wrong"),
    "long region": (HEAD + f"a,thermostat,,{'x' * 36},,\n", 2, "36 letters"),
    "long label": (HEAD + f"a,thermostat,,,,{'x' * 129}\n", 2, "129 letters"),
    "control character": (HEAD + "a\x1b[2J,thermostat,,,,\n", 2, "external is wrong"),
    "turned round": (HEAD + "a\u202eb,thermostat,,,,\n", 2, "external is wrong"),
    "no name": (HEAD + ",thermostat,1.0.0,,,\n", 2, "neither id nor key"),
    "twice": (HEAD + "a,thermostat,,,,\n\na,thermostat,,,,\n", 4, "line 2"),
    "another product": (HEAD + "{known},doorbell,,,,\n", 2, "registered as a thermostat"),
    "many labels": (
        f"id,product,{','.join(f'label.l{n}' for n in range(33))}\na,thermostat,{','.join('x' * 33)}\n",
        2,
        "33 labels",
    ),
    "label without a name": ("id,product,label.a b\na,thermostat,x\n", 2, "label.a b is wrong"),
    "JSON of other kinds": ('[{"id": "a", "product": [1]}]', 1, "product is wrong"),
    "JSON number for a version": ('[{"id": "a", "product": "thermostat",\n"version": 1.4}]', 1, "version is"),
}


@pytest.mark.parametrize(("text", "line", "words"), FAULTY.values(), ids=FAULTY)
def test_a_faulty_row_is_named_by_its_line_and_nothing_is_taken(
    text: str,
    line: int,
    words: str,
    tmp_path: Path,
    tocsin: Tocsin,
    workspace: Workspace,
    here: tuple[str, ...],
) -> None:
    known = next(row.id for row in listing.list_(workspace).items if row.product == "thermostat")
    path = tmp_path / "list"
    path.write_text(text.replace("{known}", known))
    before = kinds(workspace)
    ran = tocsin("device", "import", path, "-w", workspace.path)
    assert ran.status == 2
    assert f"{path}:{line}: " in ran.out
    assert words in ran.out
    assert kinds(workspace) == before
    skipped = tocsin("device", "import", path, "--skip-others", *here)
    assert skipped.status in {0, 2}


def test_facts_are_set_and_taken_away_by_hand(
    tocsin: Tocsin, workspace: Workspace, here: tuple[str, ...]
) -> None:
    device = listing.list_(workspace).items[0].id
    words = ("device", "set", device)
    ran = tocsin(*words, "--region", "DE", "--account", "acme", "--label", "site=north", *here)
    assert ran.json["device"]["labels"] == {"site": "north"}
    ran = tocsin(*words, "--region", "", "--label", "site=", "--label", "ring=beta", *here)
    found = ran.json["device"]
    assert (found["region"], found["account"], found["labels"]) == (None, "acme", {"ring": "beta"})
    with workspace.store() as store, store.read() as session:
        heads = audit.last(session)
    tocsin(*words, "--account", "acme", *here)
    with workspace.store() as store, store.read() as session:
        assert audit.last(session) == heads, "what changes nothing leaves no row"
    for more, code in (
        ((), "USAGE"),
        (("--region", "=1+1"), "BAD_VALUE"),
        (("--version", "soon"), "BAD_VALUE"),
        (("--label", "site"), "BAD_LABEL"),
        (("--label", "a b=c"), "BAD_LABEL"),
        ([each for n in range(33) for each in ("--label", f"l{n}=x")], "BAD_LABEL"),
    ):
        assert tocsin(*words, *more, *here).json["error"]["code"] == code, more
    assert tocsin("device", "set", "nobody", "--region", "DE", *here).json["error"]["code"] == "NO_DEVICE"
    assert tocsin("device", "list", "--where", "colour = red", *here).json["error"]["code"] == "SELECTION"


def test_from_afar_the_inventory_takes_no_keys_and_an_account_sees_its_own(workspace: Workspace) -> None:
    text = HEAD + "SN-1,thermostat,1.4.0,DE,acme,north\nSN-2,thermostat,1.4.0,DE,other,\n"
    taken = importing.import_(workspace, text.encode(), now=NOW, by="token")
    assert (taken.rows, taken.fresh, taken.unreachable) == (2, 2, 2)
    with pytest.raises(InputError, match="have a key"):
        importing.import_(
            workspace, f"id,product,key\na,thermostat,{raw('a')}\n".encode(), now=NOW, by="token"
        )
    with pytest.raises(InputError, match="2 of 2 rows"):
        importing.import_(workspace, (HEAD + "a,x,,,,\nb,y,,,,\n").encode(), now=NOW, by="token")
    assert [row.id for row in listing.list_(workspace, account="acme").items] == ["SN-1"]
    assert listing.show(workspace, "SN-1", account="acme").region == "DE"
    with pytest.raises(InputError, match="no device"):
        listing.show(workspace, "SN-2", account="acme")
    with pytest.raises(InputError, match="1 to 10000"):
        listing.list_(workspace, limit=0)


def test_ten_thousand_rows_are_taken_at_once(
    tmp_path: Path, tocsin: Tocsin, workspace: Workspace, here: tuple[str, ...]
) -> None:
    path = tmp_path / "many.csv"
    path.write_text(HEAD + "".join(f"SN-{n},thermostat,1.{n % 9}.0,DE,,s{n % 50}\n" for n in range(10_000)))
    done: dict[str, Any] = tocsin("device", "import", path, *here).json
    assert done["inventory"]["fresh"] == 10_000
    assert kinds(workspace)[2] == 10_000
