"""``tocsin advisory packet``: one file to mail, fixed from then on."""

from __future__ import annotations

from pathlib import Path

import pytest

from advisories.facts.matter import Tlp
from advisories.notice import check_code
from gateway.operations import advisories, releases
from gateway.operations.advisories import packet as packets
from gateway.web.desk import WorkspaceDesk
from gateway.workspace.folder import Workspace
from tests.cli.conftest import ADVISORY, Tocsin, no_passphrase

NOW = 1_900_000_000


def _edit(workspace: Workspace, old: str, new: str) -> None:
    path = workspace.path / "advisories" / f"{ADVISORY}.yaml"
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), "utf-8")


def _packet(tocsin: Tocsin, workspace: Workspace, *more: str, role: str = "legal") -> dict[str, object]:
    ran = tocsin(
        "advisory", "packet", ADVISORY, "--role", role, "packet.html", "-w", workspace.path, "--json", *more
    )
    assert ran.status == 0, ran.out
    return dict(ran.json)


def test_the_digest_in_the_packet_is_the_one_that_is_signed(tocsin: Tocsin, workspace: Workspace) -> None:
    told = _packet(tocsin, workspace)
    page = Path("packet.html").read_text("utf-8")
    digest = str(told["digest"])
    assert " ".join(digest[at : at + 8] for at in range(0, 64, 8)) in page
    assert check_code(bytes.fromhex(digest)) in page
    reviewed = advisories.review(workspace, ADVISORY, now=NOW)
    assert reviewed.digest.hex() == digest
    assert advisories.approve(workspace, reviewed, "legal", no_passphrase).digest.hex() == digest
    assert len(page.encode()) < 5_000_000


def test_every_output_and_text_is_in_it(tocsin: Tocsin, workspace: Workspace) -> None:
    _packet(tocsin, workspace)
    page = Path("packet.html").read_text("utf-8")
    reviewed = advisories.review(workspace, ADVISORY, now=NOW)
    drawn = dict(packets.pictures(reviewed.release.outputs))
    assert page.count('src="data:image/png') == len(drawn) >= 4
    for name in set(reviewed.release.outputs) - set(drawn):
        assert f"<code>{name}</code>" in page


def test_it_shows_what_changed_since_this_role_approved(tocsin: Tocsin, workspace: Workspace) -> None:
    reviewed = advisories.review(workspace, ADVISORY, now=NOW)
    reviewed = advisories.approve(workspace, reviewed, "legal", no_passphrase)
    _edit(workspace, "severity: high", "severity: medium\nlegal: {statements: [We must tell you this.]}")
    ran = tocsin("advisory", "packet", ADVISORY, "--role", "legal", "p.html", "-w", workspace.path, "--json")
    assert ran.json["error"]["code"] == "APPROVALS_VOID"
    _packet(tocsin, workspace, "--restart")
    page = Path("packet.html").read_text("utf-8")
    assert reviewed.code in page
    assert page.index("<code>legal</code>") < page.index("<code>severity</code>")
    assert 'class="change own"' in page
    _packet(tocsin, workspace, role="engineering")
    assert "has not approved any of this before" in Path("packet.html").read_text("utf-8")


def test_a_later_revision_is_compared_with_the_published_one(workspace: Workspace) -> None:
    for role in ("engineering", "legal", "communications"):
        reviewed = advisories.review(workspace, ADVISORY, now=NOW)
        advisories.approve(workspace, reviewed, role, no_passphrase)
    advisories.publish(workspace, ADVISORY, workspace.signer("operator", no_passphrase), now=NOW)
    _edit(workspace, "phase: initial", "phase: update")
    reviewed = advisories.review(workspace, ADVISORY, now=NOW + 60)
    for role in ("legal", "security"):  # the second never approved by an event: every revision counts for all
        since = packets.packet(workspace, reviewed, role, now=NOW).since
        assert since is not None
        assert (since.revision, [one.path for one in since.changes]) == (1, ["phase"])


def test_what_is_no_longer_there_is_said(workspace: Workspace) -> None:
    reviewed = advisories.review(workspace, ADVISORY, now=NOW)
    advisories.approve(workspace, reviewed, "legal", no_passphrase)
    for path in (workspace.path / "advisories" / ADVISORY / "approved").rglob("facts.yaml"):
        path.write_text("of: another program")
    since = packets.packet(workspace, reviewed, "legal", now=NOW).since
    assert since is not None
    assert not since.known
    for path in (workspace.path / "advisories" / ADVISORY / "approved").rglob("facts.yaml"):
        path.unlink()
    assert releases.remembered(workspace, ADVISORY, reviewed.digest.hex()) is None


def test_a_draft_is_not_fixed(tocsin: Tocsin, workspace: Workspace) -> None:
    _edit(
        workspace, 'contact: "support@example.com, Monday to Friday, 9:00 to 17:00 UTC"', 'contact: "nobody"'
    )
    assert _packet(tocsin, workspace)["blocked"] is True
    assert "cannot be approved yet" in Path("packet.html").read_text("utf-8")
    assert releases.fixed(workspace, ADVISORY, 1) is None


def test_an_incident_that_nobody_recorded_is_named(workspace: Workspace) -> None:
    _edit(workspace, "exercise: true", "exercise: true\nincident: INC-404")
    reviewed = advisories.review(workspace, ADVISORY, now=NOW)
    (clock,) = packets.packet(workspace, reviewed, "legal", now=NOW).clocks
    assert "INC-404" in clock.name


def test_clocks_of_the_incident_are_shown(tocsin: Tocsin, workspace: Workspace) -> None:
    aware = ("--aware", "2026-11-20T10:00:00Z", "--by", "exercise-engineering")
    opened = tocsin("incident", "open", "INC-2026-0001", *aware, "-w", workspace.path)
    assert opened.status == 0, opened.err
    _edit(workspace, "exercise: true", "exercise: true\nincident: INC-2026-0001")
    reviewed = advisories.review(workspace, ADVISORY, now=NOW)
    assert packets.packet(workspace, reviewed, "legal", now=NOW).clocks


@pytest.mark.parametrize("role", ["gateway", "legl"])
def test_a_role_without_a_say_gets_no_packet(tocsin: Tocsin, workspace: Workspace, role: str) -> None:
    ran = tocsin(
        "advisory", "packet", ADVISORY, "--role", role, "packet.html", "-w", workspace.path, "--json"
    )
    assert ran.json["error"]["code"] == "WRONG_ROLE"
    assert not Path("packet.html").exists()


def test_what_is_for_your_eyes_only_goes_into_no_file(tocsin: Tocsin, workspace: Workspace) -> None:
    _edit(workspace, "exercise: true", "exercise: true\ntlp: red")
    ran = tocsin("advisory", "packet", ADVISORY, "--role", "legal", "p.html", "-w", workspace.path, "--json")
    assert ran.json["error"]["code"] == "TLP"
    assert not Path("p.html").exists()
    assert releases.fixed(workspace, ADVISORY, 1) is None
    desk = WorkspaceDesk(workspace, "legal", None, lambda: NOW)
    assert desk.show(ADVISORY).facts.tlp is Tlp.RED, "the person at the desk sees it"


@pytest.mark.parametrize("name", ["EX-2026-0001.yaml", "store.sqlite", "packet"])
def test_a_slip_in_the_name_costs_no_other_file(tocsin: Tocsin, workspace: Workspace, name: str) -> None:
    path = workspace.path / name
    path.write_bytes(b"kept")
    ran = tocsin("advisory", "packet", ADVISORY, "--role", "legal", path, "-w", workspace.path, "--json")
    assert (ran.json["error"]["code"], path.read_bytes()) == ("BAD_VALUE", b"kept")


def test_a_key_is_not_written_over(tocsin: Tocsin, workspace: Workspace) -> None:
    key = workspace.path / "keys" / "legal.pem"
    before = key.read_bytes()
    assert tocsin("advisory", "packet", ADVISORY, "--role", "legal", key, "-w", workspace.path).status == 2
    assert key.read_bytes() == before
