"""An embargo keeps an approved advisory in; only a signature of each role lets it out early."""

from __future__ import annotations

import re
import sqlite3
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from advisories.embargo import Channel
from gateway.operations import advisories
from gateway.operations.advisories import embargo
from gateway.workspace.folder import Workspace
from keys.errors import InputError
from tests.cli.conftest import ADVISORY, Ran, Tocsin, snapshot

ROLES = ("engineering", "legal", "communications")
UNTIL = int(time.time()) + 7 * 86_400
MARK = f"embargo_until: {datetime.fromtimestamp(UNTIL, UTC):%Y-%m-%dT%H:%M:%SZ}\n"


def mark(workspace: Workspace, line: str) -> None:
    path = workspace.path / "advisories" / f"{ADVISORY}.yaml"
    text = path.read_text().replace("exercise: true", f"{line}exercise: true", 1)
    later = datetime.fromtimestamp(UNTIL + 86_400, UTC)
    path.write_text(re.sub(r"(?m)^next_update: \S+", f"next_update: {later:%Y-%m-%dT%H:%M:%SZ}", text))


def approve(tocsin: Tocsin, workspace: Workspace) -> None:
    for role in ROLES:
        ran = tocsin("advisory", "approve", ADVISORY, "--key", role, "--yes", "-w", workspace.path)
        assert ran.status == 0, ran


def lift(tocsin: Tocsin, workspace: Workspace, role: str, *more: str) -> Ran:
    here = ("-w", workspace.path, "--json")
    return tocsin("advisory", "embargo", "lift", ADVISORY, "--key", role, "--yes", *more, *here)


def test_publishing_waits_for_the_embargo_and_leaves_nothing_behind(
    workspace: Workspace, tocsin: Tocsin
) -> None:
    mark(workspace, MARK)
    approve(tocsin, workspace)
    before = snapshot(workspace.path)
    for more in ((), ("--dry-run",)):
        ran = tocsin("advisory", "publish", ADVISORY, *more, "-w", workspace.path, "--json")
        assert (ran.status, ran.json["error"]["code"]) == (2, "EMBARGO")
        assert MARK.split(" ")[1].strip() in ran.json["error"]["message"]
    assert snapshot(workspace.path) == before
    with sqlite3.connect(workspace.store_path) as store:
        assert store.execute("SELECT count(*) FROM retained WHERE topic LIKE '%notice%'").fetchone() == (0,)


def test_it_is_lifted_when_every_role_has_signed(workspace: Workspace, tocsin: Tocsin) -> None:
    mark(workspace, MARK)
    approve(tocsin, workspace)
    first = lift(tocsin, workspace, "legal").json
    assert first["embargo_until"] == UNTIL
    assert sorted(first["lifting"]["missing"]) == ["communications", "engineering"]
    assert tocsin("advisory", "show", ADVISORY, "-w", workspace.path).out.startswith("EMBARGO until ")
    again = lift(tocsin, workspace, "legal").json  # the same key once more changes nothing
    assert again["lifting"]["missing"] == first["lifting"]["missing"]
    second = lift(tocsin, workspace, "engineering").json
    assert second["lifting"]["new"] == first["lifting"]["new"]
    assert tocsin("advisory", "publish", ADVISORY, "-w", workspace.path).status == 2
    done = lift(tocsin, workspace, "communications").json
    assert done["lifting"]["missing"] == []
    assert done["embargo_until"] == first["lifting"]["new"]
    shown = tocsin("advisory", "embargo", "show", ADVISORY, "-w", workspace.path).out
    assert "signed by exercise-legal (legal)" in shown
    assert "missing" not in shown
    assert tocsin("advisory", "publish", ADVISORY, "-w", workspace.path).status == 0
    with sqlite3.connect(workspace.store_path) as store:
        kinds = [row[0] for row in store.execute("SELECT kind FROM events ORDER BY seq")]
    assert [kind for kind in kinds if kind.startswith("embargo")] == ["embargo.signed"] * 4 + [
        "embargo.lifted"
    ]


def test_a_later_end_can_be_agreed_too(workspace: Workspace, tocsin: Tocsin) -> None:
    mark(workspace, MARK)
    for role in ROLES:
        assert lift(tocsin, workspace, role, "--until", "2d").status == 0
    facts = advisories.load(workspace, ADVISORY).facts
    new = embargo.lifted(workspace, facts)
    assert new is not None
    assert abs(new - time.time() - 2 * 86_400) < 3_600
    with pytest.raises(InputError, match="embargo until"):
        embargo.require_may_leave(workspace, facts, Channel.SITE, now=new - 1)
    embargo.require_may_leave(workspace, facts, Channel.SITE, now=new)


def test_an_edit_voids_what_was_agreed(workspace: Workspace, tocsin: Tocsin) -> None:
    mark(workspace, MARK)
    for role in ROLES:
        lift(tocsin, workspace, role)
    mark(workspace, "# one more line\n")
    facts = advisories.load(workspace, ADVISORY).facts
    assert embargo.lifted(workspace, facts) is None
    assert embargo.standing(workspace, facts).lifting is None


def test_rows_in_the_store_alone_lift_nothing(workspace: Workspace, tocsin: Tocsin) -> None:
    mark(workspace, MARK)
    lift(tocsin, workspace, "legal")
    facts = advisories.load(workspace, ADVISORY).facts
    with sqlite3.connect(workspace.store_path) as store:
        (kind, by, data) = store.execute("SELECT kind, by, data FROM events").fetchone()
        insert = "INSERT INTO events (at, kind, by, advisory, data) VALUES (0, ?, ?, ?, ?)"
        for change in (
            lambda text: text.replace("8443", "8442", 1),
            lambda text: text.replace('"document":"', '"document":"zz'),
            lambda text: text.replace('"document":"d8', '"document":"a0'),
            lambda text: text[:-6] + '00"}',
        ):
            store.execute(insert, (kind, by, ADVISORY, change(data)))
        forged = data.replace('"document"', '"holders":["a"],"x"').partition(',"x"')[0] + "}"
        forged = forged.replace('"holder":"exercise-legal",', "")
        store.execute(insert, ("embargo.lifted", by, ADVISORY, forged))
    assert embargo.lifted(workspace, facts) is None
    with pytest.raises(InputError, match="embargo until"):
        embargo.require_may_leave(workspace, facts, Channel.DEVICES, now=UNTIL - 1)


@pytest.mark.parametrize("label", ["green", "amber", "amber-strict", "red"])
def test_a_marked_advisory_goes_to_no_device(workspace: Workspace, tocsin: Tocsin, label: str) -> None:
    mark(workspace, f"tlp: {label}\n")
    with pytest.raises(InputError) as raised:
        embargo.require_may_leave(
            workspace, advisories.load(workspace, ADVISORY).facts, Channel.DEVICES, now=UNTIL
        )
    assert raised.value.code == "TLP"
    assert "TLP:" in tocsin("advisory", "embargo", "show", ADVISORY, "-w", workspace.path).out


def test_a_marked_advisory_is_not_published(workspace: Workspace, tocsin: Tocsin) -> None:
    mark(workspace, "tlp: amber\n")
    approve(tocsin, workspace)
    ran = tocsin("advisory", "publish", ADVISORY, "-w", workspace.path, "--json")
    assert (ran.status, ran.json["error"]["code"]) == (2, "TLP")


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("--key", "operator"), "WRONG_ROLE"),
        (("--key", "nobody"), "NO_KEY"),
        (("--key", "legal", "--until", "soon"), "BAD_VALUE"),
        (("--key", "legal", "--until", "2030-01-01T00:00:00"), "BAD_VALUE"),
        (("--key", "legal", "--until", "9d"), "NO_EMBARGO"),
    ],
)
def test_what_lifts_nothing_is_refused(
    workspace: Workspace, tocsin: Tocsin, words: tuple[str, ...], code: str
) -> None:
    mark(workspace, MARK)
    ran = tocsin("advisory", "embargo", "lift", ADVISORY, "--yes", *words, "-w", workspace.path, "--json")
    assert (ran.status, ran.json["error"]["code"]) == (2, code)


def test_without_an_embargo_there_is_nothing_to_lift(workspace: Workspace, tocsin: Tocsin) -> None:
    assert lift(tocsin, workspace, "legal").json["error"]["code"] == "NO_EMBARGO"
    mark(workspace, "embargo_until: 2020-01-01T00:00:00Z\n")
    assert lift(tocsin, workspace, "legal").json["error"]["code"] == "NO_EMBARGO"
    ran = tocsin("advisory", "embargo", "lift", ADVISORY, "--key", "legal", "-w", workspace.path)
    assert ran.status == 2


def test_what_is_for_named_people_only_goes_into_no_request(
    workspace: Workspace, tocsin: Tocsin, tmp_path: Path
) -> None:
    mark(workspace, "tlp: red\n")
    before, out = snapshot(workspace.path), tmp_path / "request"
    here = ("-w", workspace.path, "--json")
    ran = tocsin("sign-request", "export", "advisory", ADVISORY, out, *here)
    assert (ran.status, ran.json["error"]["code"]) == (2, "TLP")
    assert snapshot(workspace.path) == before
    assert not out.exists()
    mark(workspace, MARK)
    (workspace.path / "advisories" / f"{ADVISORY}.yaml").write_text(
        (workspace.path / "advisories" / f"{ADVISORY}.yaml").read_text().replace("tlp: red", "tlp: amber")
    )
    assert tocsin("sign-request", "export", "advisory", ADVISORY, out, *here).status == 0
