"""Policy and roots: drafted from what the folder says, explained, signed under both policies, kept whole."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from advisories.catalogue import Catalogue
from gateway.operations import advisories
from gateway.operations.trust import expiry, keys, roots
from gateway.operations.trust.changes import lines
from gateway.operations.trust.choosing import signer_for
from gateway.workspace import policy
from gateway.workspace.folder import Workspace
from keys.document import peek
from keys.errors import DamagedError, InputError, TocsinError
from keys.root import PolicyRow
from tests.cli.conftest import ADVISORY, Tocsin, no_passphrase, snapshot

DAY = 86_400


def _now() -> int:
    return int(time.time()) + 5


def _sign_and_publish(workspace: Workspace, *names: str) -> roots.RootView:
    for name in names:
        roots.sign_draft(workspace, name, no_passphrase, now=_now(), by="exercise")
    return roots.publish(workspace, now=_now(), by="exercise")


def _add_row(workspace: Workspace, text: str) -> None:
    with (workspace.path / "policy.toml").open("a") as file:
        file.write(f"\n[[row]]\n{text}\n")


def test_a_workspace_begins_with_the_default_policy_and_needs_no_file(workspace: Workspace) -> None:
    assert workspace.policy() == policy.DEFAULT_ROWS
    (workspace.path / "policy.toml").unlink()
    assert workspace.policy() == policy.DEFAULT_ROWS


@dataclass(frozen=True)
class Bad:
    name: str
    row: str
    says: str
    line: int


BAD = [
    Bad("a slip in the type", 'type = "patsch"\ndemands = { release = 1 }', "Did you mean 'patch'", 2),
    Bad("a slip in a key", 'type = "patch"\ndemand = { release = 1 }', "'demand' is not a known key", 3),
    Bad("no demands", 'type = "patch"\nproduct = "thermostat"', "'demands' is missing", 1),
    Bad("nobody demanded", 'type = "patch"\ndemands = {}', "'demands'", 3),
    Bad("no holder of a role", 'type = "patch"\ndemands = { release = 0 }', "1 to 16 holders", 3),
    Bad("a role with a space", 'type = "patch"\ndemands = { "a b" = 1 }', "cannot be a role", 3),
    Bad("a row twice", 'type = "patch"\ndemands = { release = 1 }', "stands twice", 2),
    Bad(
        "an unknown product",
        'type = "patch"\nproduct = "thermostt"\ndemands = { release = 1 }',
        "thermostt",
        3,
    ),
]


@pytest.mark.parametrize("bad", BAD, ids=lambda bad: bad.name)
def test_a_fault_of_the_policy_is_told_with_its_line(workspace: Workspace, tocsin: Tocsin, bad: Bad) -> None:
    path = workspace.path / "policy.toml"
    first = len(path.read_text().splitlines()) + 1  # the empty line before the row
    _add_row(workspace, bad.row)
    before = snapshot(workspace.path)
    ran = tocsin("root", "rotate", "-w", workspace.path)
    assert ran.status == 2, ran
    assert bad.says in ran.err
    assert f"policy.toml:{first + bad.line}: " in ran.err
    assert snapshot(workspace.path) == before


@pytest.mark.parametrize("text", ["", "row = 3\n", "rows = []\n", "row = [{}]\n", "[row]\n", "\x00"])
def test_what_is_no_policy_is_told(workspace: Workspace, text: str) -> None:
    (workspace.path / "policy.toml").write_text(text)
    with pytest.raises(InputError) as refused:
        workspace.policy()
    assert "policy.toml:" in refused.value.where


def test_a_role_that_nobody_has_is_named_with_what_was_meant(workspace: Workspace) -> None:
    _add_row(workspace, 'type = "patch"\nproduct = "thermostat"\ndemands = { releas = 1 }')
    with pytest.raises(InputError, match="Did you mean 'release'"):
        roots.rotate(workspace, now=_now(), by="exercise")


def test_new_makes_only_root_1_and_rotate_only_a_successor(tocsin: Tocsin, workspace: Workspace) -> None:
    ran = tocsin("root", "new", "-w", workspace.path, "--json")
    assert (ran.status, ran.json["error"]["code"]) == (2, "ROOT_EXISTS")
    assert "root rotate" in ran.json["error"]["mend"]
    assert tocsin("init", "empty", "--json").status == 0
    assert tocsin("root", "rotate", "-w", "empty", "--json").json["error"]["code"] == "NO_ROOT"
    assert tocsin("root", "new", "-w", "empty", "--json").json["error"]["code"] == "ROOT_INCOMPLETE"


def test_a_rotation_says_what_changes_and_what_it_does_to_what_is_published(workspace: Workspace) -> None:
    for name in ("engineering", "legal", "communications"):
        reviewed = advisories.review(workspace, ADVISORY, now=_now())
        advisories.approve(workspace, reviewed, name, no_passphrase)
    operator = signer_for(workspace, "operator", no_passphrase)
    advisories.publish(workspace, ADVISORY, operator, now=_now())
    keys.new(workspace, "legal-2", roles=["legal"], holder="exercise-legal-2", now=_now(), by="exercise")
    keys.revoke(workspace, "legal", "left", now=_now(), by="exercise")
    _add_row(workspace, 'type = "patch"\nproduct = "doorbell"\ndemands = { release = 1, legal = 1 }')
    view = roots.rotate(workspace, now=_now(), by="exercise")
    assert view.change is not None
    said = "\n".join(lines(view.change))
    for part in (
        "+ key",
        "of exercise-legal-2 (legal)",
        "of exercise-legal (legal): what it signs counts no more",
        "+ row patch of doorbell: 1 legal, 1 release",
        "Needs 2 of the root holders of root 1",
        "Needs 2 of the root holders of root 2",
        f"forget the version floor of notice {ADVISORY}",
        f"No longer genuine: notice {ADVISORY} (legal)",
    ):
        assert part in said, said
    assert _sign_and_publish(workspace, "root-anna", "root-ben").root.version == 2
    nothing = roots.rotate(workspace, now=_now() + 9, by="exercise").change
    assert nothing is not None
    assert "nothing but the times" in "\n".join(lines(nothing))


def test_a_row_taken_away_and_one_made_stricter_are_said(workspace: Workspace) -> None:
    path = workspace.path / "policy.toml"
    text = path.read_text().replace("demands = { release = 1, security = 1 }", "demands = { release = 1 }")
    start = text.index('[[row]]\ntype = "publication"')
    path.write_text(text[:start] + text[text.index("[[row]]", start + 1) :])
    change = roots.rotate(workspace, now=_now(), by="exercise").change
    assert change is not None
    said = "\n".join(lines(change))
    assert "~ row patch: 1 release, 1 security becomes 1 release" in said
    assert "- row publication: such documents are refused" in said


def test_a_role_leaves_policy_and_root_without_locking_anybody_out(workspace: Workspace) -> None:
    _add_row(workspace, 'type = "patch"\nproduct = "thermostat"\ndemands = { release = 1, second-look = 1 }')
    keys.new(workspace, "look", roles=["second-look"], holder="exercise-look", now=_now(), by="exercise")
    roots.rotate(workspace, now=_now(), by="exercise")
    _sign_and_publish(workspace, "root-anna", "root-ben")
    (workspace.path / "policy.toml").write_text(policy.default_text())
    keys.revoke(workspace, "look", "no longer asked for", now=_now(), by="exercise")
    roots.rotate(workspace, now=_now(), by="exercise")
    root = _sign_and_publish(workspace, "root-anna", "root-ben").root
    assert root.policy == policy.DEFAULT_ROWS
    assert workspace.key("look").roles == ("second-look",)


def test_signatures_that_a_killed_publish_left_keep_nobody_from_the_next_draft(
    workspace: Workspace, tocsin: Tocsin
) -> None:
    here = ("-w", workspace.path, "--json")
    tocsin("root", "rotate", *here)
    for key in ("root-anna", "root-ben"):
        assert tocsin("root", "sign", "--key", key, *here).status == 0
    signed = (workspace.path / "roots" / "draft.cose").read_bytes()
    assert tocsin("root", "publish", *here).status == 0
    (workspace.path / "roots" / "draft.cose").write_bytes(signed)
    drafted = tocsin("root", "rotate", *here)
    assert (drafted.status, drafted.json.get("version"), drafted.json.get("signed")) == (0, 3, []), drafted


def test_a_draft_that_somebody_signed_is_not_thrown_away(workspace: Workspace, tocsin: Tocsin) -> None:
    here = ("-w", workspace.path, "--json")
    roots.rotate(workspace, now=_now(), by="exercise")
    roots.sign_draft(workspace, "root-anna", no_passphrase, now=_now(), by="exercise")
    before = snapshot(workspace.path)
    assert tocsin("root", "rotate", *here).json["error"]["code"] == "DRAFT_SIGNED"
    assert snapshot(workspace.path) == before
    assert tocsin("root", "rotate", "--restart", *here).json["missing"] == ["root", "root"]


def test_who_leaves_with_a_root_still_signs_it_and_others_do_not(workspace: Workspace) -> None:
    keys.new(workspace, "root-dora", roles=["root"], holder="exercise-dora", now=_now(), by="exercise")
    keys.revoke(workspace, "root-carla", "left", now=_now(), by="exercise")
    roots.rotate(workspace, now=_now(), by="exercise")
    keys.new(workspace, "root-late", roles=["root"], holder="exercise-late", now=_now(), by="exercise")
    with pytest.raises(InputError) as refused:
        roots.sign_draft(workspace, "root-late", no_passphrase, now=_now(), by="exercise")
    assert refused.value.code == "NOT_A_ROOT_KEY"
    for name, missing in (("root-carla", 2), ("root-dora", 1), ("root-anna", 0)):
        assert (
            len(roots.sign_draft(workspace, name, no_passphrase, now=_now(), by="exercise").approvals.missing)
            == missing
        )
    assert _sign_and_publish(workspace).root.version == 2


@pytest.mark.parametrize("harm", ["lost", "cut", "another's"])
def test_a_root_that_the_folder_lost_comes_back_from_the_store(
    workspace: Workspace, tocsin: Tocsin, harm: str
) -> None:
    here = ("-w", workspace.path, "--json")
    roots.rotate(workspace, now=_now(), by="exercise")
    _sign_and_publish(workspace, "root-anna", "root-ben")
    path = workspace.path / "roots" / "2.cose"
    whole = path.read_bytes()
    path.unlink()
    if harm != "lost":
        path.write_bytes(whole[:-1] if harm == "cut" else b"\xa0")
    else:
        with pytest.raises(DamagedError) as lost:
            roots.rotate(workspace, now=_now() + 60, by="exercise")
        assert lost.value.code == "ROOT_LOST"
        assert "root restore" in lost.value.mend
    assert tocsin("root", "restore", *here).json["restored"] == [2]
    assert path.read_bytes() == whole
    assert tocsin("root", "restore", *here).json["restored"] == []
    assert (path.with_name("2.cose.damaged")).exists() == (harm != "lost")


def test_publishing_over_a_lost_root_says_how_to_get_it_back(workspace: Workspace, tmp_path: Path) -> None:
    now = _now()
    roots.rotate(workspace, now=now, by="exercise")
    body = (workspace.path / "roots" / "draft.cbor").read_bytes()
    _sign_and_publish(workspace, "root-anna", "root-ben")
    (workspace.path / "roots" / "2.cose").unlink()
    (workspace.path / "roots" / "draft.cbor").write_bytes(body.replace(b"exercise-legal", b"exercise-lEgal"))
    for name in ("root-anna", "root-ben"):
        roots.sign_draft(workspace, name, no_passphrase, now=_now(), by="exercise")
    with pytest.raises(TocsinError) as refused:
        roots.publish(workspace, now=now, by="exercise")
    assert refused.value.code == "ROOT_LOST"
    assert tmp_path.exists()


@pytest.mark.parametrize(
    ("left", "code"),
    [(61, None), (60, "ROOT_EXPIRES"), (15, "ROOT_EXPIRES"), (14, "ROOT_EXPIRES_SOON"), (0, "ROOT_EXPIRED")],
)
def test_a_root_warns_before_it_ends(workspace: Workspace, left: int, code: str | None) -> None:
    root = workspace.trusted().root
    found = expiry.of_root(root, (root.expires or 0) - left * DAY)
    assert [check.code for check in found] == ([code] if code else [])


def test_a_warning_is_one_line_on_stderr_and_in_json(workspace: Workspace, tocsin: Tocsin) -> None:
    assert tocsin("product", "list", "-w", workspace.path).err == ""
    roots.rotate(workspace, now=_now(), days=10, by="exercise")
    _sign_and_publish(workspace, "root-anna", "root-ben")
    ran = tocsin("product", "list", "-w", workspace.path, "--json")
    assert ran.status == 0
    assert ran.json["products"]
    (warned,) = ran.err.splitlines()
    assert warned.startswith("warning: Root 2 expires in only ")
    assert "root rotate" in warned
    found = tocsin("status", "-w", workspace.path, "--json").json["warnings"]
    assert [check["code"] for check in found] == ["ROOT_EXPIRES_SOON"]
    assert tocsin("root", "show", "-w", workspace.path, "--json").json["warnings"]


def test_catalogues_are_renewed_with_the_same_entries(workspace: Workspace, tocsin: Tocsin) -> None:
    here = ("-w", workspace.path, "--json")
    assert tocsin("catalogue", "renew", *here).json["error"]["code"] == "NO_CATALOGUE"
    for name in ("engineering", "legal", "communications"):
        reviewed = advisories.review(workspace, ADVISORY, now=_now())
        advisories.approve(workspace, reviewed, name, no_passphrase)
    operator = signer_for(workspace, "operator", no_passphrase)
    advisories.publish(workspace, ADVISORY, operator, now=_now() - 4)

    def newest() -> Catalogue:
        with workspace.store() as store, store.read() as session:
            stored = session.document("catalogue", "thermostat")
            assert stored is not None
            return peek(stored.bytes, Catalogue)

    before = newest()
    codes = {c.code for c in expiry.warnings(workspace, (before.expires or 0) - 7 * DAY)}
    assert "CATALOGUE_EXPIRES" in codes
    done = tocsin("catalogue", "renew", *here).json["catalogues"]
    assert [row["product"] for row in done] == ["doorbell", "thermostat"]
    assert newest().version > before.version
    assert newest().notices == before.notices
    assert [row["product"] for row in tocsin("catalogue", "renew", "doorbell", *here).json["catalogues"]] == [
        "doorbell"
    ]
    assert tocsin("catalogue", "renew", "x", *here).json["error"]["code"] == "NO_PRODUCT"


def test_rows_are_written_and_read_the_same(tmp_path: Path) -> None:
    (tmp_path / "policy.toml").write_text(policy.default_text())
    assert policy.read(tmp_path) == policy.DEFAULT_ROWS
    assert "security-pq" in policy.roles([PolicyRow(type="patch", demands={"security-pq": 1})])
