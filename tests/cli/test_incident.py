"""``tocsin incident``: an incident from awareness to its end, on a real workspace."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gateway.workspace.folder import Workspace
from tests.cli.conftest import ADVISORY, Ran, Tocsin

ID = "INC-2026-0001"
REGIME = "eu-cra-14-exploited"
DRAFT = ("incident", "draft", ID, "--regime", REGIME, "--step")


def ago(hours: float) -> str:
    return datetime.fromtimestamp(int(time.time() - hours * 3_600), UTC).isoformat()


@pytest.fixture
def at(tocsin: Tocsin, workspace: Workspace) -> Tocsin:
    """Run a command in the workspace, where an incident was opened two hours ago."""

    def run(*arguments: str | Path, env: dict[str, str] | None = None) -> Ran:
        return tocsin(*arguments, "-w", workspace.path, env=env)

    opened = run(
        "incident",
        "open",
        ID,
        "--aware",
        ago(2),
        "--kind",
        "vulnerability",
        "--regime",
        REGIME,
        "--by",
        "anna",
    )
    assert opened.status == 0, opened
    return run


def test_an_incident_runs_from_awareness_to_its_end(at: Tocsin, tmp_path: Path) -> None:
    for line in (
        ("severity", ID, "high", "--reason", "Doors can be opened."),
        ("estimate", ID, "1200", "--of", "devices", "--source", "sales records"),
        ("credit", ID, "exercise-reporter", "--not-agreed"),
        ("log", ID, "Example CERT", "We agreed on a date.", "--out", "--tlp", "red"),
        ("told", ID, "suppliers", "Example Chips", "--how", "phone"),
        ("note", ID, "The laboratory has a second device."),
        ("fact", ID, "member-states", "Germany and France", "--source", "sales"),
        ("trigger", ID, "fix-available", "--at", ago(1)),
        ("trigger", ID, "fix-available", "--at", ago(0.9), "--correct", "the build was rejected"),
        ("hold", ID, "--office", "State police"),
        ("hold", ID, "--office", "State police", "--lift"),
        ("regime", ID, "eu-gdpr-33", "--not", "--reason", "No personal data."),
        ("link", ID, ADVISORY),
        (
            "submitted",
            ID,
            "--regime",
            REGIME,
            "--step",
            "early-warning",
            "--at",
            ago(0.5),
            "--reference",
            "EX-17",
        ),
    ):
        ran = at("incident", *line, "--by", "anna")
        assert ran.status == 0, ran
        assert ran.out.startswith(f"{ID}: ")
    shown = at("incident", "show", ID, "--json").json
    assert (shown["severity"], shown["monitoring_raised"], shown["advisories"]) == ("high", True, [ADVISORY])
    assert shown["estimates"][0]["count"] == 1_200
    assert shown["credits"][0]["agreed"] is False
    assert [broken["code"] for broken in shown["violations"]] == ["NOT_SIGNED_BY_LEGAL"]
    states = {(clock["regime"], clock["step"]): clock["state"] for clock in shown["clocks"]}
    assert states[REGIME, "early-warning"] == "met"
    assert states[REGIME, "final"] == "running"
    text = at("incident", "show", ID).out
    assert "monitoring raised" in text
    assert "out of order:" in text
    rows = at("incident", "timeline", ID, "--json").json["timeline"]
    assert [row["by"] for row in rows if row["by"]] == ["anna"] * 15
    assert rows == sorted(rows, key=lambda row: row["at"])
    assert at("incident", "timeline", ID).out.startswith(f"EXERCISE. {ID}\n")
    out = tmp_path / "timeline.csv"
    assert at("incident", "timeline", ID, "--csv", "--out", out).status == 0
    assert out.read_bytes().count(b"\r\n") == len(rows) + 1
    assert at("incident", "timeline", ID, "--csv").out.startswith("at,recorded,by,source,what")
    assert at("incident", "close", ID, "--reason", "Every device is patched.").status == 0
    assert at("incident", "note", ID, "x").status == 2
    listed = at("incident", "list", "--json").json["incidents"]
    assert [(each["incident"], each["closed"] is None) for each in listed] == [(ID, False)]
    assert at("incident", "reopen", ID, "--reason", "A second weakness.").status == 0
    assert ID in at("incident", "list").out
    assert at("doctor").status in {0, 1}


def test_an_id_that_was_left_out_is_the_next_of_its_year(at: Tocsin) -> None:
    for number in (1, 2):
        ran = at("incident", "open", "--aware", "2025-12-31T23:59:00Z", "--json")
        assert ran.json["incident"] == f"INC-2025-{number:04d}"
    assert at("incident", "open", ID, "--aware", ago(1)).status == 2


def test_an_awareness_is_recorded_although_another_file_is_broken(at: Tocsin, workspace: Workspace) -> None:
    (workspace.path / "organisation.yaml").write_text("regimes: [no-such-law]\n")
    ran = at("incident", "open", "INC-2026-0002", "--aware", ago(1))
    assert ran.status == 0
    assert "clocks cannot be shown" in ran.err
    assert "organisation.yaml" in ran.err
    shown = at("incident", "show", "INC-2026-0002")
    assert (shown.status, "organisation.yaml" in shown.err) == (2, True)


def test_legal_signs_a_draft_alone_as_it_lies_there(at: Tocsin, workspace: Workspace) -> None:
    written = at(*DRAFT, "early-warning", "--json").json
    assert "member-states" in written["missing"]
    path, data = Path(written["file"]), Path(written["data"])
    assert json.loads(data.read_text())["missing"] == written["missing"]
    assert "EXERCISE" in path.read_text()
    unsigned = at(*DRAFT, "early-warning", "--verify")
    assert (unsigned.status, "Nobody has signed" in unsigned.err) == (2, True)
    assert at(*DRAFT, "early-warning").status == 2  # people may have edited it
    path.write_text(path.read_text().replace("**Missing:** in which", "Germany. (asked: in which"))
    assert at(*DRAFT, "early-warning", "--sign", "legal").status == 2  # nobody said yes
    signed = at(*DRAFT, "early-warning", "--sign", "legal", "--yes")
    assert signed.status == 0, signed
    assert "Germany. (asked" in signed.out
    verified = at(*DRAFT, "early-warning", "--verify", "--json")
    assert (verified.status, verified.json["genuine"], verified.json["holder"]) == (0, True, "exercise-legal")
    shown = at("incident", "show", ID, "--json").json
    assert shown["drafts"][0]["digest"] == verified.json["digest"]
    assert (
        at(
            "incident", "submitted", ID, "--regime", REGIME, "--step", "early-warning", "--at", ago(-0.0)
        ).status
        == 0
    )
    assert at("incident", "show", ID, "--json").json["violations"] == []
    path.write_text(path.read_text().replace("Germany", "Italy"))
    altered = at(*DRAFT, "early-warning", "--verify")
    assert (altered.status, "BAD_SIGNATURE" in altered.out) == (1, True)
    assert at(*DRAFT, "early-warning", "--restart").status == 0
    assert at(*DRAFT, "early-warning", "--verify").status == 2


def test_a_signature_does_not_serve_for_another_report(at: Tocsin, tmp_path: Path) -> None:
    out = tmp_path / "draft.md"
    ran = at(*DRAFT, "early-warning", "--out", out, "--sign", "legal", "--yes", "--json")
    assert ran.json["holder"] == "exercise-legal"
    assert at(*DRAFT, "early-warning", "--out", out, "--verify").status == 0
    other = at(*DRAFT, "notification", "--out", out, "--verify", "--json")
    assert (other.status, other.json["reason"]) == (1, "BAD_SIGNATURE")
    (tmp_path / "draft.md.cose").write_bytes(b"rubbish")
    assert at(*DRAFT, "early-warning", "--out", out, "--verify").status == 1


def test_a_draft_never_replaces_a_key(at: Tocsin, workspace: Workspace) -> None:
    key = workspace.path / "keys" / "legal.pem"
    before = key.read_bytes()
    assert at(*DRAFT, "final", "--out", key, "--restart").status == 2
    assert at("incident", "timeline", ID, "--out", key).status == 2
    assert at("clocks", "export", key).status == 2
    assert key.read_bytes() == before


def test_a_draft_waits_for_no_approval_and_takes_the_linked_facts(at: Tocsin) -> None:
    assert at("incident", "link", ID, ADVISORY).status == 0
    ran = at(*DRAFT, "notification", "--json")
    text = Path(ran.json["file"]).read_text()
    assert "Please accept the update" in text
    assert ADVISORY in text
    assert "product" not in ran.json["missing"]


def test_an_advisory_that_names_the_incident_speaks_about_it(at: Tocsin, workspace: Workspace) -> None:
    path = workspace.path / "advisories" / f"{ADVISORY}.yaml"
    path.write_text(f"incident: {ID}\n{path.read_text()}")
    (workspace.path / "advisories" / "EX-broken.yaml").write_text(f"incident: {ID}\n: [")
    assert f"advisories: {ADVISORY}" in at("incident", "show", ID).out


def test_a_store_with_events_out_of_order_is_damaged(at: Tocsin, workspace: Workspace) -> None:
    import sqlite3

    with sqlite3.connect(workspace.path / "store.sqlite") as raw:
        raw.execute("UPDATE events SET data = '{}' WHERE kind = 'incident.opened'")
    raw.close()
    ran = at("incident", "show", ID)
    assert (ran.status, "cannot be read" in ran.err) == (5, True)
